//! Reading server-sent events: bytes in, events out, on one core. Lines of many lengths in the chunks that a
//! socket gives; every event is taken out as the adapters take it. Beside each figure two floors of the same
//! run on the same bytes: finding every line's end with `memchr`, which nothing that reads lines can beat, and
//! that plus a text of its own for every line, which nothing that hands out texts can beat.
//! Figures are the best of several passes, since other work on the machine only ever takes away.
//!
//! `cargo bench --bench sse`. Exits with 1 where a length is read at less than 400 MB/s, or where a byte of the
//! longest lines costs twice what one of middling lines does (reading is linear in a line's length).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a person to read")]

use std::hint::black_box;
use std::process::ExitCode;

use banditop::domain::clock::{Clock, SystemClock};
use banditop::providers::sse::SseParser;

/// Bytes of one pass: short enough that some passes are not interrupted, on a machine with other work.
const BYTES: usize = 2 << 20;
/// Passes; the best counts.
const PASSES: usize = 150;
/// What a read of a socket gives at most.
const CHUNK: usize = 16 << 10;
const TARGET_MB_S: f64 = 400.0;
/// Bytes of a line of data: a token of one character in the usual JSON is about 200.
const LENGTHS: [usize; 6] = [100, 200, 1_000, 10_000, 100_000, 900_000];

/// Events of one line each, of so many bytes; some of the text is not ASCII where `mixed`.
fn stream(length: usize, mixed: bool) -> Vec<u8> {
    let words = if mixed { "word of text, é " } else { "word of text, a " };
    let line = format!("data: {}\n\n", words.repeat(length / 16 + 1).chars().take(length - 10).collect::<String>());
    line.as_bytes().iter().copied().cycle().take(BYTES / line.len() * line.len()).collect()
}

/// Seconds of the best pass.
fn best(clock: &SystemClock, mut pass: impl FnMut()) -> f64 {
    let once = |pass: &mut dyn FnMut()| {
        let began = clock.monotonic();
        pass();
        clock.monotonic().saturating_sub(began).as_secs_f64()
    };
    (0..PASSES).map(|_| once(&mut pass)).fold(f64::INFINITY, f64::min)
}

fn read(bytes: &[u8]) -> usize {
    let mut parser = SseParser::default();
    let mut read = 0;
    for chunk in bytes.chunks(CHUNK) {
        parser.push(chunk).unwrap();
        while let Some(event) = parser.next_event() {
            read += black_box(event).data.len();
        }
    }
    read
}

/// Every line a text of its own: what cannot be left out.
fn as_texts(bytes: &[u8]) {
    let mut from = 0;
    for to in memchr::memchr2_iter(b'\n', b'\r', bytes) {
        if to > from {
            black_box(String::from_utf8(bytes[from..to].to_vec()).unwrap());
        }
        from = to + 1;
    }
}

fn main() -> ExitCode {
    let clock = SystemClock::new();
    println!("{:>9}         {:>10}  {:>18}  {:>18}", "line", "reading", "line ends", "as texts");
    let mut rates = Vec::new();
    for (length, mixed) in LENGTHS.iter().flat_map(|&length| [(length, false), (length, true)]) {
        let bytes = stream(length, mixed);
        let megabytes = bytes.len() as f64 / 1e6;
        assert!(read(&bytes) > bytes.len() / 2, "most of it is data");
        let rate = megabytes / best(&clock, || _ = black_box(read(&bytes)));
        let floor = megabytes / best(&clock, || _ = black_box(memchr::memchr2_iter(b'\n', b'\r', &bytes).count()));
        let texts = megabytes / best(&clock, || as_texts(&bytes));
        let [of_ends, of_texts] = [rate / floor, rate / texts];
        println!(
            "{length:>7} B  {rate:>5.0} MB/s  {floor:>6.0} MB/s {of_ends:>6.2}  {texts:>6.0} MB/s {of_texts:>6.2}"
        );
        rates.push(rate);
    }
    let slowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let linear = rates[2 * 2] / rates[2 * (LENGTHS.len() - 1)];
    println!("slowest {slowest:.0} MB/s (target 400); a byte of a line of 0.9 MB costs {linear:.2} times one of 1 kB");
    if slowest >= TARGET_MB_S && linear <= 2.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
