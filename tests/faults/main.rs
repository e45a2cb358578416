//! Everything that an endpoint can do to a run, one row a fault: over raw TCP and TLS, through the program's
//! own client, parser, timers, race, engine and console. Every row says the class and the kind of the
//! failure, who answered instead, what the router learned, what a person reads; and every run of every row
//! is held against what must hold of all runs (`invariants.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a failing row is shown as a person would see it")]

mod budgets;
mod cuts;
mod embedding;
mod hedging;
mod invariants;
mod judging;
mod ourselves;
#[path = "../common/program.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod program;
mod rig;
mod rows;
#[path = "../common/scripted.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod scripted;
mod server;
mod stage;
mod store;
mod storing;
mod table;
mod timing;
mod tls;
mod wishes;

use std::time::Duration;

use banditop::domain::spec::Strategy;
use banditop::providers::HttpClient;

use rig::Rig;
use table::hold;

/// The root of the checkout.
fn root() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Timers that no row of these chapters reaches, and that end a row that hangs.
fn patient(http: &HttpClient, strategy: Strategy) -> Rig {
    Rig::new(http, strategy).with(|race| {
        let timeouts = &mut race.config.timeouts;
        (timeouts.first_token, timeouts.between_tokens) = (Duration::from_secs(6), Duration::from_secs(6));
        (timeouts.preview, timeouts.full) = (Duration::from_secs(6), Duration::from_secs(6));
    })
}

#[tokio::test]
async fn below_and_before_http() {
    hold(rows::transport(), patient).await;
}

#[tokio::test]
async fn statuses_and_their_wishes() {
    hold(rows::statuses(), patient).await;
}

#[tokio::test]
async fn when_it_wants_to_be_asked_again() {
    hold(wishes::rows(), patient).await;
}

#[tokio::test]
async fn what_passes_and_what_never_begins() {
    hold(rows::recoveries(), patient).await;
}

#[tokio::test]
async fn streams_that_are_odd_and_good() {
    hold(rows::odd_but_good(), patient).await;
}

#[tokio::test]
async fn streams_that_are_cut_where_it_hurts() {
    hold(cuts::openai(), patient).await;
}

#[tokio::test]
async fn streams_of_anthropic_that_are_cut_where_it_hurts() {
    hold(cuts::anthropic(), patient).await;
}

#[tokio::test]
async fn streams_that_are_no_answer() {
    hold(rows::bad_streams(), patient).await;
}

#[tokio::test]
async fn answers_that_hold_nothing_to_serve() {
    hold(rows::contents(), patient).await;
}
