//! What the owner's work costs, printed: `cargo test --release --lib engine::tests::speed -- --ignored --nocapture`.
//! Not part of the usual tests, which run unoptimised and share their machine.

use std::hint::black_box;

use crate::domain::clock::{Clock, SystemClock};
use crate::domain::command::RouterCommand;
use crate::engine::testing::Rig;
use crate::engine::testing::rig::ask;

#[tokio::test]
#[ignore = "a measurement"]
async fn a_picture_and_a_what_if() {
    let rig = Rig::new(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let clock = SystemClock::new();
    for from in 0..75 {
        let batch: Vec<_> = (0..20).map(|n| format!("question {from} {n}: write some code")).collect();
        futures_util::future::join_all(batch.iter().map(|prompt| ask(&handle, prompt))).await;
    }
    let began = clock.monotonic();
    let forecast = handle.what_if(RouterCommand::Decay { factor: 0.5, arms: vec![] }).await.unwrap();
    let spent = clock.monotonic().saturating_sub(began);
    println!("a what-if over {} contexts: {:.2} ms", forecast.contexts, spent.as_secs_f64() * 1e3);
    let record = handle.runs(1).await.unwrap().remove(0);
    engine.stop().await;
    let (mut owner, _queue) = crate::engine::lifecycle::standing(rig.parts()).await.unwrap();
    for name in ["nothing new", "a run since"] {
        let mut total = 0.0;
        for n in 0..1_000 {
            if name == "a run since" {
                let mut record = (*record).clone();
                record.run_id = crate::domain::ids::RunId::new(record.at, n);
                owner.folds.absorb(&record);
            }
            let began = clock.monotonic();
            black_box(owner.picture(1));
            total += clock.monotonic().saturating_sub(began).as_secs_f64();
        }
        println!("a picture of 8 arms, {name}: {:.1} µs", total * 1e3);
    }
    let began = clock.monotonic();
    for _ in 0..100 {
        black_box(owner.folds.to_snapshot());
    }
    println!("a stored snapshot: {:.2} ms", clock.monotonic().saturating_sub(began).as_secs_f64() * 10.0);
}
