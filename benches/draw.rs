//! How long one frame of the Overview takes at 200×50, beside a floor measured in the same run: blanking
//! a buffer of that size, writing every cell once, and comparing it with the one before. The ratio is
//! what may be compared between machines; the target is 2 ms a frame.

use std::hint::black_box;
use std::time::{Duration, Instant};

use banditop::console::fixture::Scene;
use criterion::{Criterion, criterion_group, criterion_main};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const AREA: Rect = Rect { x: 0, y: 0, width: 200, height: 50 };

/// What any drawing costs at least.
fn floor(shown: &Buffer, next: &mut Buffer, n: u64) -> usize {
    next.reset();
    for (i, cell) in next.content.iter_mut().enumerate() {
        let c = char::from(b'a' + u8::try_from((i as u64 + n) % 26).unwrap_or(0));
        cell.set_char(c);
    }
    shown.diff_iter(next).count()
}

/// A frame as the console makes it: new figures, all views, the difference to the frame before.
fn frame(scene: &Scene, shown: &Buffer, next: &mut Buffer) -> usize {
    next.reset();
    scene.draw(next);
    shown.diff_iter(next).count()
}

fn mean(mut once: impl FnMut(u64) -> usize) -> Duration {
    let rounds = 300;
    for n in 0..rounds / 10 {
        black_box(once(n));
    }
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures the clock of the machine")]
    let start = Instant::now();
    for n in 0..rounds {
        black_box(once(n));
    }
    start.elapsed() / u32::try_from(rounds).unwrap_or(1)
}

#[expect(clippy::print_stdout, reason = "the ratio is what this benchmark reports")]
fn ratio(_: &mut Criterion) {
    let (mut shown, mut next) = (Buffer::empty(AREA), Buffer::empty(AREA));
    let least = mean(|n| {
        let changed = floor(&shown, &mut next, n);
        std::mem::swap(&mut shown, &mut next);
        changed
    });
    let mut scene = Scene::default();
    let whole = mean(|_| {
        scene.advance();
        let changed = frame(&scene, &shown, &mut next);
        std::mem::swap(&mut shown, &mut next);
        changed
    });
    let ratio = whole.as_secs_f64() / least.as_secs_f64().max(1e-9);
    println!("overview 200x50: {whole:?} a frame with its new snapshot, floor {least:?}, ratio {ratio:.2}, target 2ms");
}

fn draw(criterion: &mut Criterion) {
    let (mut shown, mut next) = (Buffer::empty(AREA), Buffer::empty(AREA));
    let mut n = 0;
    criterion.bench_function("floor 200x50", |bencher| {
        bencher.iter(|| {
            n += 1;
            let changed = floor(&shown, &mut next, n);
            std::mem::swap(&mut shown, &mut next);
            changed
        });
    });
    let scene = Scene::default();
    criterion.bench_function("overview 200x50", |bencher| {
        bencher.iter(|| {
            let changed = frame(&scene, &shown, &mut next);
            std::mem::swap(&mut shown, &mut next);
            changed
        });
    });
}

criterion_group!(benches, draw, ratio);
criterion_main!(benches);
