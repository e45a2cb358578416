//! The traffic generator against an engine that only answers, on paused time: rates, order, limits, ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use banditop::domain::context::Intent;
use banditop::domain::engine::EngineHandle;
use banditop::domain::record::Origin;
use banditop::domain::traffic::TrafficControl;
use banditop::sim::{Prompt, TrafficDriver, TrafficOptions};
use common::fake_engine::FakeEngine;
use tokio::time::sleep;

fn prompts(texts: &[&str]) -> Vec<Prompt> {
    let prompt = |text: &&str| Prompt {
        id: (*text).to_owned(),
        intent: Intent::Other,
        hidden: None,
        prompt: (*text).to_owned(),
    };
    texts.iter().map(prompt).collect()
}

fn start(engine: &Arc<FakeEngine>, texts: &[&str], options: TrafficOptions) -> TrafficDriver {
    TrafficDriver::start(engine.clone(), prompts(texts), options)
}

fn on(rate_per_s: f64) -> TrafficOptions {
    TrafficOptions { on: true, rate_per_s, ..TrafficOptions::default() }
}

async fn asked(engine: &FakeEngine) -> Vec<String> {
    engine.runs(usize::MAX).await.unwrap().iter().rev().map(|run| run.request.prompt()).collect()
}

#[tokio::test(start_paused = true)]
async fn it_sends_at_the_rate_and_only_while_it_is_on() {
    let engine = FakeEngine::new();
    let driver = start(&engine, &["a", "b"], TrafficOptions { on: false, ..on(20.0) });
    sleep(Duration::from_mins(1)).await;
    assert_eq!(driver.status().sent, 0);
    driver.set_on(true);
    sleep(Duration::from_secs(100)).await;
    let sent = driver.status().sent;
    // A Poisson count of mean 2,000 has a standard deviation of 45.
    assert!((1820..2180).contains(&sent), "{sent}");
    driver.set_on(false);
    sleep(Duration::from_mins(1)).await;
    let status = driver.status();
    assert!(status.sent <= sent + 1 && !status.on && status.held_back == 0, "{status:?}");
    assert!(engine.runs(10).await.unwrap().iter().all(|run| run.origin == Origin::Traffic));
    driver.shutdown().await;
    assert_eq!(engine.cancelled(), 0, "every run was drained to its end");
}

#[tokio::test(start_paused = true)]
async fn the_rate_changes_at_once_and_stays_within_bounds() {
    let engine = FakeEngine::new();
    let driver = start(&engine, &["a"], on(0.2));
    sleep(Duration::from_secs(1)).await;
    let slow = driver.status().sent;
    driver.set_rate(200.0);
    sleep(Duration::from_secs(10)).await;
    let sent = driver.status().sent - slow;
    assert!((1800..2200).contains(&sent), "{sent}");
    for (wish, rate) in [(1e9, 200.0), (-1.0, 0.2), (f64::NAN, 0.2), (f64::INFINITY, 200.0), (7.5, 7.5)] {
        driver.set_rate(wish);
        assert!((driver.status().rate_per_s - rate).abs() < 1e-12, "{wish}");
    }
    driver.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn arrivals_are_random_but_the_same_seed_asks_the_same() {
    let texts = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut asked_by_seed = Vec::new();
    for seed in [7, 7, 8] {
        let engine = FakeEngine::new();
        let driver = start(&engine, &texts, TrafficOptions { seed, ..on(10.0) });
        sleep(Duration::from_secs(8)).await;
        driver.shutdown().await;
        asked_by_seed.push(asked(&engine).await);
    }
    assert_eq!(asked_by_seed[0], asked_by_seed[1]);
    assert_ne!(asked_by_seed[0], asked_by_seed[2]);
    let mut first_round = asked_by_seed[0][..8].to_vec();
    first_round.sort();
    assert_eq!(first_round, texts, "every prompt once before any comes again");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_held_back_and_never_queued() {
    let engine = FakeEngine::new();
    // Runs of this prompt never end.
    let driver = start(&engine, &["wait"], TrafficOptions { max_in_flight: 5, ..on(50.0) });
    sleep(Duration::from_secs(10)).await;
    let status = driver.status();
    assert_eq!(status.sent, 5);
    assert!((400..600).contains(&status.held_back), "{status:?}");
    driver.shutdown().await;
    assert_eq!(engine.cancelled(), 5, "runs end with their driver");
}

#[tokio::test(start_paused = true)]
async fn a_busy_engine_is_counted_too() {
    let engine = FakeEngine::new();
    let driver = start(&engine, &["busy"], on(50.0));
    sleep(Duration::from_secs(2)).await;
    let status = driver.status();
    assert!(status.sent == 0 && status.held_back > 50, "{status:?}");
    driver.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_prompts_nothing_happens_and_a_dropped_driver_ends_its_runs() {
    let engine = FakeEngine::new();
    let idle = start(&engine, &[], on(50.0));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(idle.status().sent + idle.status().held_back, 0);
    drop(idle);
    let driver = start(&engine, &["wait"], TrafficOptions { max_in_flight: 2, ..on(50.0) });
    sleep(Duration::from_secs(2)).await;
    drop(driver);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(engine.cancelled(), 2);
}
