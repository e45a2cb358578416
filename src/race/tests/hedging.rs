//! Two answers beside each other: when the second starts, who wins, what the reader sees, what is on record.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::answer::FinishReason;
use crate::domain::event::RunEvent;
use crate::domain::failure::FailureClass;
use crate::domain::ids::ArmId;
use crate::domain::record::RunOutcome;
use crate::domain::spec::Strategy;
use crate::race::signals::ArmSignal;
use crate::race::timeouts::{Pace, Paces};
use crate::race::{Endpoint, EventSink, ExtraRules, HedgeRules, HedgeStart, SignalFold, Signals};

/// Arms `a`, then `b` (then `c`), in configured order and without previews; every prompt is long.
fn two(start: HedgeStart, scripts: [Vec<Step>; 2]) -> (Pool, [std::sync::Arc<Scripted>; 3]) {
    let [a, b] = scripts.map(|script| Scripted::new([script]));
    let c = Scripted::new([answer(1, "third")]);
    let mut pool = Pool::new().arm("a", &a).arm("b", &b).arm("c", &c);
    pool.strategy = Strategy::Baseline;
    pool.config.hedge = HedgeRules { start, prompt_chars: 0, margin_tokens: 20 };
    pool.config.retry.attempts = 1;
    let known = ArmSignal { p95_first_token_s: Some(1.0), ..ArmSignal::default() };
    pool.signals = Signals::new(BTreeMap::from([(ArmId::new("a"), known)]));
    (pool, [a, b, c])
}

/// Words of five tokens each, one every `every` milliseconds, then the end.
fn stream(first: u64, every: u64, n: usize, word: &str) -> Vec<Step> {
    let words = (0..n).flat_map(|_| [text(word), Step::Wait(every)]);
    std::iter::once(Step::Wait(first)).chain(words).chain([finish(FinishReason::Stop), usage(10, 20)]).collect()
}

const A: &str = "aaaa aaaa aaaa aaaa ";
const B: &str = "bbbb bbbb bbbb bbbb ";

fn lost(seen: &Seen) -> Vec<&str> {
    seen.report.record.attempts.iter().filter(|a| a.lost).map(|a| a.arm.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_first_that_speaks_in_time_has_nobody_beside_it() {
    let (pool, [_, b, _]) = two(HedgeStart::P95, [stream(900, 100, 3, A), answer(1, "b")]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed()), ("a:ok", A.repeat(3)));
    assert_eq!((b.calls().len(), lost(&seen).len()), (0, 0));
    assert_eq!(seen.phases(), ["selected", "ordered a b c", "attempt 0 a", "a ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_first_gets_a_second_after_its_p95_and_the_loser_is_cancelled_at_once() {
    let (pool, [a, b, _]) = two(HedgeStart::P95, [vec![Step::Hang], answer(300, "from b")]);
    let started = Instant::now();
    let seen = pool.run("hello").await;
    assert_eq!(started.elapsed(), Duration::from_millis(1_600), "a second, and the answer of b");
    assert_eq!((a.live(), b.live()), (0, 0));
    assert_eq!(
        seen.phases(),
        ["selected", "ordered a b c", "attempt 0 a", "hedge 1 b", "attempt 1 b", "a failed", "b ok"]
    );
    assert_eq!(seen.streamed(), "from b");
    let record = &seen.report.record;
    assert_eq!((record.fallbacks, record.winner.as_ref().unwrap().as_str()), (0, "b"));
    let [first, second] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
    let failure = first.error.as_ref().unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Cancelled, "lost"));
    assert!(first.lost && !first.ok && !first.hedge && second.hedge && second.ok && !second.lost);
    assert!(first.tokens_in > 0 && first.estimated && first.tokens_out == 0, "its prompt was at work: {first:?}");
}

/// Who hangs while others answer in its place must look no better than who hangs alone.
#[tokio::test(start_paused = true)]
async fn a_loser_that_was_silent_for_longer_than_ever_has_failed() {
    for (calls, p99_s, kind) in [(20, 1.2, "silent"), (20, 9.0, "lost"), (19, 1.2, "lost")] {
        let (mut pool, _) = two(HedgeStart::P95, [vec![Step::Hang], answer(300, "from b")]);
        let first_token = Pace { p99_s, calls, ..Pace::default() };
        let paces = Paces { first_token, ..Paces::default() };
        let known = ArmSignal { p95_first_token_s: Some(1.0), paces, ..ArmSignal::default() };
        pool.signals = Signals::new(BTreeMap::from([(ArmId::new("a"), known)]));
        let seen = pool.run("hello").await;
        let first = &seen.report.record.attempts[0];
        assert_eq!((first.lost, first.error.as_ref().unwrap().kind.as_ref()), (true, kind), "{calls} {p99_s}");
        assert_eq!((first.says_of_health(), seen.report.record.fallbacks), (kind == "silent", 0));
        assert_eq!(seen.streamed(), "from b");
        let mut fold = SignalFold::new(64);
        fold.absorb(&seen.report.record);
        let rate = fold.summary().get(&ArmId::new("a")).and_then(|signal| signal.error_rate);
        assert_eq!(rate, (kind == "silent").then_some(1.0));
    }
}

#[tokio::test(start_paused = true)]
async fn at_once_both_run_and_the_first_to_be_complete_wins() {
    let (pool, [a, b, _]) = two(HedgeStart::Immediate, [stream(100, 100, 3, A), stream(50, 500, 9, B)]);
    let started = Instant::now();
    let seen = pool.run("hello").await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((a.live(), b.live()), (0, 0));
    assert_eq!(lost(&seen), ["b"]);
    // b spoke first and was shown; what came of it is void.
    assert_eq!(seen.streamed(), A.repeat(3));
    let record = &seen.report.record;
    assert_eq!(record.answer.as_deref(), Some(A.repeat(3).as_str()));
    let spent: f64 = record.attempts.iter().filter_map(|attempt| attempt.cost_usd).sum();
    assert!(record.attempts[1].tokens_out > 0 && (record.cost_usd - spent).abs() < 1e-15, "what was wasted is paid");
    let observation = seen.report.observation.as_ref().unwrap();
    assert_eq!(observation.spent_usd, Some(record.cost_usd));
    assert!(observation.arms.iter().all(|arm| arm.arm.as_str() != "b"), "a loser teaches nothing");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_far_ahead_wins_before_its_end() {
    let (pool, [a, b, _]) = two(HedgeStart::Immediate, [stream(10, 100, 30, A), stream(10_000, 100, 30, B)]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed()), ("a:ok b:lost", A.repeat(30)));
    let lost = &seen.report.record.attempts[1];
    assert!((lost.latency_s - 0.41).abs() < 0.02, "more than 20 tokens ahead with the fifth word: {}", lost.latency_s);
    assert_eq!((a.calls().len(), b.calls().len(), b.live()), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lead_with_a_flag_is_none() {
    let refusal = "I'm sorry, but I can't help with that. ".repeat(4);
    let declines = vec![text(&refusal), Step::Wait(5_000), finish(FinishReason::Stop)];
    let (pool, _) = two(HedgeStart::Immediate, [declines, stream(1_000, 100, 4, B)]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed()), ("a:lost b:ok", B.repeat(4)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_cut_waits_for_a_whole_one() {
    let cut = vec![text("half"), finish(FinishReason::Length)];
    let (pool, _) = two(HedgeStart::Immediate, [cut.clone(), answer(200, "whole")]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed().as_str()), ("a:lost b:ok", "whole"));
    let (pool, _) = two(HedgeStart::Immediate, [cut, down()]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed().as_str()), ("a:ok b:http_503", "half"));
    assert_eq!(seen.report.record.fallbacks, 1, "b failed by itself");
}

#[tokio::test(start_paused = true)]
async fn where_the_first_fails_the_second_goes_on_and_where_both_do_the_third_answers() {
    let breaks = vec![text("half "), Step::Wait(100), Step::Break(failure(FailureClass::Transient, "truncated"))];
    let (pool, _) = two(HedgeStart::Immediate, [breaks.clone(), stream(300, 100, 2, B)]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed()), ("a:truncated b:ok", B.repeat(2)));
    assert!(lost(&seen).is_empty());
    let (pool, _) = two(HedgeStart::Immediate, [breaks, down()]);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed().as_str()), ("a:truncated b:http_503 c:ok", "third"));
    assert_eq!(seen.report.record.fallbacks, 2);
}

#[tokio::test(start_paused = true)]
async fn no_second_where_the_share_of_traffic_or_the_money_is_used_up() {
    let slow = || stream(3_000, 1, 1, A);
    let (mut pool, [_, b, _]) = two(HedgeStart::P95, [slow(), answer(1, "b")]);
    pool.config.extras = ExtraRules { extra_share: 0.0, trickle_per_s: 0.0, burst: 0.5, ..ExtraRules::default() };
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), b.calls().len()), ("a:ok", 0));
    assert_eq!(denied(&seen), Some("retries and hedges have had their share of the traffic".to_owned()));
    let (mut pool, [_, b, _]) = two(HedgeStart::P95, [slow(), answer(1, "b")]);
    // Room for the first's prompt of ten tokens and its answer of five, and not for another prompt.
    pool.config.budget.tokens[2] = Some(18);
    let seen = pool.run(&"hello ".repeat(7)[..40]).await;
    assert_eq!((seen.attempts().as_str(), b.calls().len()), ("a:ok", 0));
    assert!(denied(&seen).is_some_and(|reason| reason.contains("`budget.answer_tokens`")), "{:?}", denied(&seen));
}

#[tokio::test(start_paused = true)]
async fn a_second_answer_earns_nothing_for_further_ones() {
    let (mut pool, [a, b, _]) = two(HedgeStart::Immediate, [stream(300, 1, 1, A), stream(400, 1, 1, B)]);
    pool.config.extras = ExtraRules { trickle_per_s: 0.0, burst: 10.0, ..ExtraRules::default() };
    let race = pool.race();
    for _ in 0..60 {
        race.run(pool.input("hello"), &EventSink::none(), &CancellationToken::new()).await;
    }
    assert_eq!(a.calls().len(), 60);
    assert_eq!(b.calls().len(), 21, "ten, and a fifth of the calls that somebody asked for, but of the first");
    let count = race.extras().count(&Endpoint::Arm("b".into()), Instant::now()).unwrap();
    assert_eq!((count.calls, count.hedges), (0, 21));
}

/// Why the record says that there was no second answer.
fn denied(seen: &Seen) -> Option<String> {
    seen.report.record.attempts[0].handling.unhedged.as_deref().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn short_prompts_and_a_single_arm_have_none() {
    let (mut pool, [_, b, _]) = two(HedgeStart::Immediate, [stream(3_000, 1, 1, A), answer(1, "b")]);
    pool.config.hedge.prompt_chars = 6;
    assert_eq!((pool.run("hello").await.attempts().as_str(), b.calls().len()), ("a:ok", 0));
    assert_eq!(pool.run("hello!").await.attempts(), "a:lost b:ok");
    let mut alone = Pool::new().arm("a", &Scripted::new([answer(1, "a")]));
    alone.strategy = Strategy::Baseline;
    alone.config.hedge = HedgeRules { start: HedgeStart::Immediate, prompt_chars: 0, margin_tokens: 1 };
    assert_eq!(alone.run("hello").await.attempts(), "a:ok");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_drops_both() {
    let (pool, [a, b, c]) = two(HedgeStart::Immediate, [vec![text("half"), Step::Hang], vec![Step::Hang]]);
    let seen = pool.run_until("hello", tokio::time::sleep(Duration::from_millis(300))).await;
    assert_eq!((a.live(), b.live(), c.calls().len()), (0, 0, 0));
    assert_eq!(seen.attempts(), "a:cancelled b:cancelled");
    assert_eq!((lost(&seen).len(), &seen.report.record.outcome), (0, &RunOutcome::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stands_still_holds_neither_beyond_its_time() {
    let fails = vec![text(A), Step::Wait(500), Step::Break(failure(FailureClass::Transient, "truncated"))];
    let (mut pool, [a, b, _]) = two(HedgeStart::Immediate, [fails, stream(100, 900, 1_000, B)]);
    pool.config.timeouts.full = Duration::from_secs(4);
    pool.config.hedge.margin_tokens = 1_000_000;
    let (sender, mut unread) = tokio::sync::mpsc::channel(1);
    let (sink, never) = (EventSink::to(sender), CancellationToken::new());
    let race = pool.race();
    let mut running = std::pin::pin!(race.run(pool.input("hello"), &sink, &never));
    let first_three = async {
        for _ in 0..3 {
            unread.recv().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(4_050)).await;
    };
    tokio::select! {
        biased;
        _ = running.as_mut() => panic!("the reader is waited for"),
        () = first_three => {}
    }
    assert_eq!((a.calls().len(), b.calls().len(), a.live(), b.live()), (1, 1, 0, 0));
}

/// However the two go, the text that is not void is one attempt's, whole, and that of the winner.
#[tokio::test(start_paused = true)]
async fn the_reader_never_sees_two_texts_mixed() {
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..200 {
        let mut script = |word: &str| {
            let mut steps = stream(rng.u64(0..3_000), rng.u64(1..400), rng.usize(1..12), word);
            if rng.u8(0..4) == 0 {
                let at = rng.usize(1..steps.len());
                steps.truncate(at);
                steps.push(Step::Break(failure(FailureClass::Transient, "truncated")));
            }
            steps
        };
        let scripts = [script(A), script(B)];
        let start = if round % 2 == 0 { HedgeStart::Immediate } else { HedgeStart::P95 };
        let (pool, arms) = two(start, scripts);
        let seen = pool.run("hello").await;
        let record = &seen.report.record;
        assert_eq!(record.answer.as_deref(), Some(seen.streamed().as_str()), "round {round}");
        assert!(arms.iter().all(|arm| arm.live() == 0));
        assert_eq!(record.attempts.iter().filter(|attempt| attempt.ok).count(), 1);
        let texts = seen.events.iter().fold(Vec::<(ArmId, String)>::new(), |mut texts, event| {
            match event {
                RunEvent::AttemptStarted { arm, .. } => texts.push((arm.clone(), String::new())),
                RunEvent::AnswerText { arm, text } => {
                    let (announced, shown) = texts.last_mut().unwrap();
                    assert_eq!(announced, arm, "round {round}: only the text of who was announced is shown");
                    shown.push_str(text);
                }
                _ => {}
            }
            texts
        });
        assert_eq!(texts.last().unwrap().0, *record.winner.as_ref().unwrap());
    }
}
