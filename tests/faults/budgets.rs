//! A ceiling that is hit in the middle of a stream: the call stops with the chunk that reached it, its
//! connection is closed, nobody else is asked for money that is not there, and a person reads which setting
//! names the ceiling. A ceiling says nothing about an arm: nothing is learned, nobody is taken out.

use std::time::Duration;

use banditop::domain::failure::FailureClass;
use banditop::domain::record::RunOutcome;
use banditop::domain::spec::{Lifecycle, Strategy};
use banditop::domain::tally::Phase;
use banditop::race::BudgetRules;

use super::rig::{Played, Rig, ample, client};
use super::server::{Act, Server, says, stream};
use super::stage::{At, Stage};

/// A chunk of ten characters, three tokens by our estimate.
const CHUNK_TOKENS: u64 = 3;
/// What `tests/common/scripted.rs` prices a token of an answer at.
const USD_PER_TOKEN: f64 = 2e-6;

fn endless() -> Vec<Vec<Act>> {
    let words = says("and so on ").into_bytes();
    vec![vec![stream(""), Act::Forever(words, Duration::from_millis(1))]]
}

async fn play(budget: BudgetRules, strategy: Strategy) -> Played {
    Rig::new(&client(), strategy).with(move |race| race.config.budget = budget).play(endless()).await
}

fn stops(played: &Played, kind: &str, words: &str) {
    let record = &played.record;
    let failure = record.attempts[0].error.as_ref().unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Budget, kind), "{failure}");
    let RunOutcome::Failed { message } = &record.outcome else { panic!("{:?}", record.outcome) };
    assert!(message.contains(words) && played.screens[0].contains(words), "{message} {}", played.screens[0]);
    assert!(record.attempts.iter().skip(1).all(|attempt| !attempt.ok && attempt.tokens_out == 0), "no money, no call");
    assert_eq!((played.learned(), played.arm().state), (None, Lifecycle::Active));
    assert!(played.calls.len() == 1 && played.calls[0].over.is_some(), "its connection is closed");
}

#[tokio::test]
async fn tokens_of_a_phase() {
    const CEILING: u64 = 60;
    let mut budget = ample();
    budget.tokens[Phase::Answer as usize] = Some(CEILING);
    let played = play(budget, Strategy::Baseline).await;
    stops(&played, "phase_tokens", "`budget.answer_tokens` allows 60 tokens");
    let attempt = &played.record.attempts[0];
    let taken = u64::from(attempt.tokens_in) + u64::from(attempt.tokens_out);
    assert!((CEILING..=CEILING + CHUNK_TOKENS).contains(&taken), "{taken} tokens");
}

#[tokio::test]
async fn dollars_of_a_run() {
    const CEILING: f64 = 100e-6;
    let budget = BudgetRules { run_usd: Some(CEILING), ..ample() };
    let played = play(budget, Strategy::Baseline).await;
    stops(&played, "run_ceiling", "`budget.per_run_usd` allows");
    let spent = played.record.cost_usd;
    let most = (CHUNK_TOKENS as f64).mul_add(USD_PER_TOKEN, CEILING);
    assert!(spent >= CEILING && spent <= most, "${spent}");
}

#[tokio::test]
async fn dollars_of_a_day() {
    const CEILING: f64 = 100e-6;
    let budget = BudgetRules { day_usd: Some(CEILING), ..ample() };
    let played = play(budget, Strategy::Baseline).await;
    stops(&played, "day_ceiling", "`budget.per_day_usd` allows");
    let spent = played.record.cost_usd;
    let most = (CHUNK_TOKENS as f64).mul_add(USD_PER_TOKEN, CEILING);
    assert!(spent >= CEILING && spent <= most, "${spent}");
    let today = played.snapshot.totals.usd_today;
    assert!((today - spent).abs() < 1e-9, "${today} of the day, ${spent} of its only run");
}

/// A day that has nothing left starts no run: nobody is called, and the refusal names the ceiling.
#[tokio::test]
async fn a_day_that_is_over_before_the_run() {
    let budget = BudgetRules { day_usd: Some(0.0), ..ample() };
    let rig = Rig::new(&client(), Strategy::Baseline).with(move |race| race.config.budget = budget);
    let bad = Server::start(endless());
    let mut stage = Stage::open(&rig, &[("bad", At::of(&bad))]).await;
    let said = stage.refused().await;
    assert!(said.contains("`budget.per_day_usd` allows $0 a day"), "{said}");
    let left = stage.end().await;
    assert_eq!((bad.calls().len(), left.snapshot.totals.runs), (0, 0));
}

/// Previews share their phase's ceiling: it is passed by one chunk at most, whoever brings it.
#[tokio::test]
async fn tokens_of_all_previews() {
    const CEILING: u64 = 40;
    let mut budget = ample();
    budget.tokens[Phase::Preview as usize] = Some(CEILING);
    // Where `bad` took it all before `good` said a word, it may be asked first, and never stops.
    budget.tokens[Phase::Answer as usize] = Some(10 * CEILING);
    let played = play(budget, Strategy::Race).await;
    let bad = played.record.previews.iter().find(|p| p.arm.as_str() == "bad").unwrap();
    assert_eq!(bad.error.as_ref().map(|failure| failure.class), Some(FailureClass::Budget), "{bad:?}");
    assert!(played.learned().is_none_or(|arm| arm.quality.is_none()));
    assert_eq!(played.arm().state, Lifecycle::Active);
}
