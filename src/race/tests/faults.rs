//! What endpoints do to a run, and who answers then.

use super::doubles::*;
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::failure::FailureClass;
use crate::domain::money::Usage;
use crate::domain::record::RunOutcome;
use crate::domain::spec::Strategy;

/// Arms `a`, then `b`, in configured order and without previews.
fn chain(a: Vec<Step>, b: Vec<Step>) -> Pool {
    let mut pool = Pool::new().arm("a", &Scripted::new([a])).arm("b", &Scripted::new([b]));
    pool.strategy = Strategy::Baseline;
    pool
}

#[tokio::test(start_paused = true)]
async fn whatever_the_first_arm_does_the_second_answers() {
    let part = |text: &str| Step::Say(AnswerPart::Text(text.to_owned()));
    let breaks = failure(FailureClass::Transient, "truncated");
    let rows: Vec<(&str, Vec<Step>, &str)> = vec![
        ("down", down(), "http_503"),
        ("accepts nothing", vec![Step::Wait(3_600_000)], "first_token_timeout"),
        ("accepts and says nothing", vec![Step::Hang], "first_token_timeout"),
        ("stalls", vec![part("half "), Step::Hang], "stall"),
        ("is cut off", vec![part("half "), Step::Break(breaks)], "truncated"),
        ("ends without a finish", vec![part("half ")], "truncated"),
        ("is empty", vec![finish(FinishReason::Stop)], "empty"),
        ("is blank", vec![part(" \n"), finish(FinishReason::Stop)], "empty"),
        ("shows nothing", vec![part("\u{200b}\u{200b}"), part("\u{feff}"), finish(FinishReason::Stop)], "empty"),
        ("is filtered", vec![part("half "), finish(FinishReason::ContentFilter)], "content_filter"),
        (
            "only reasons",
            vec![Step::Say(AnswerPart::Reasoning("hm".to_owned())), finish(FinishReason::Length)],
            "reasoning_only",
        ),
        (
            "calls a tool that nobody offered",
            vec![Step::Say(AnswerPart::ToolCall(serde_json::json!({"name": "x"}))), finish(FinishReason::ToolCalls)],
            "tool_calls_only",
        ),
    ];
    for (what, script, kind) in rows {
        let seen = chain(script, answer(10, "whole")).run("hello").await;
        assert_eq!(seen.attempts(), format!("a:{kind} b:ok"), "{what}");
        let record = &seen.report.record;
        assert_eq!((record.winner.as_ref().unwrap().as_str(), record.fallbacks), ("b", 1), "{what}");
        assert_eq!(record.answer.as_deref(), Some("whole"), "{what}");
        assert_eq!(seen.streamed(), "whole", "{what}: text of the failed attempt is void");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_at_its_token_limit_is_an_answer() {
    let seen = chain(vec![text("as far as"), finish(FinishReason::Length)], down()).run("hello").await;
    assert_eq!(seen.report.record.answer.as_deref(), Some("as far as"));
}

#[tokio::test(start_paused = true)]
async fn trouble_behind_the_finish_changes_nothing() {
    let rows = [
        vec![text("whole"), finish(FinishReason::Stop), Step::Hang],
        vec![text("whole"), finish(FinishReason::Stop), Step::Break(failure(FailureClass::Transient, "reset"))],
        vec![text("whole"), finish(FinishReason::Stop), text("and more")],
    ];
    for script in rows {
        let record = chain(script, down()).run("hello").await.report.record;
        assert_eq!(record.answer.as_deref(), Some("whole"));
        assert!(record.attempts[0].latency_s < 0.1, "the wait for usage is not the answer's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_trickle_is_alive_until_its_phase_is_over() {
    let trickle: Vec<Step> = (0..1000).flat_map(|_| [Step::Wait(5_000), text("w ")]).collect();
    let pool = chain(trickle, answer(1, "whole"));
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:phase_timeout b:ok");
    let spent = seen.report.record.attempts[0].latency_s;
    assert!((spent - pool.config.timeouts.full.as_secs_f64()).abs() < 0.1, "{spent}");
}

#[tokio::test(start_paused = true)]
async fn empty_parts_do_not_keep_an_answer_alive() {
    let warm: Vec<Step> =
        std::iter::once(text("half")).chain((0..1000).flat_map(|_| [Step::Wait(500), text("")])).collect();
    let seen = chain(warm, answer(1, "whole")).run("hello").await;
    assert_eq!(seen.attempts(), "a:stall b:ok");
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_cut_and_served() {
    let endless: Vec<Step> = (0..10_000).map(|_| text("é word ")).collect();
    let mut pool = chain(endless, down());
    pool.config.max_answer_bytes = 1001;
    let record = pool.run("hello").await.report.record;
    let answer = record.answer.unwrap();
    assert!((995..=1001).contains(&answer.len()), "{}", answer.len());
}

fn think(words: &str) -> Step {
    Step::Say(AnswerPart::Reasoning(words.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn endless_thinking_is_cut_before_a_preview_and_before_an_answer() {
    let endless: Vec<Step> = (0..100_000).map(|_| think("hmm, ")).collect();
    let (thinker, other) = (Scripted::new([endless]), Scripted::new([answer(1, "here")]));
    let mut pool = Pool::new().arm("a", &thinker).arm("b", &other).judged_by(&judge_by_length());
    pool.config.k = 2;
    let record = pool.run("hello").await.report.record;
    let preview = record.previews.iter().find(|preview| preview.arm.as_str() == "a").unwrap();
    assert_eq!(preview.error.as_ref().unwrap().kind, "reasoning_only");
    assert!((4_000..4_200).contains(&preview.tokens), "{}", preview.tokens);

    let endless: Vec<Step> = (0..100_000).map(|_| think("hmm, ")).collect();
    let mut pool = chain(endless, answer(1, "whole"));
    pool.config.max_answer_bytes = 40_000;
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:reasoning_only b:ok");
    assert_eq!(seen.report.record.attempts[0].tokens_out, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_short_answer_may_think_for_long() {
    let script = vec![think(&"hmm, ".repeat(3_000)), text("42"), finish(FinishReason::Stop), usage(10, 4_000)];
    let model = Scripted::new([script]);
    let pool = Pool::new().arm("a", &model).arm("b", &model).judged_by(&judge_by_length());
    let record = pool.run("hello").await.report.record;
    assert!(record.previews.iter().all(|preview| preview.error.is_none() && preview.text == "42"), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_count_of_tokens_that_cannot_be_is_not_believed() {
    let counted = |input, output| vec![text("a few words"), finish(FinishReason::Stop), usage(input, output)];
    for (script, believed) in [
        (counted(10, 100_000), true),
        (counted(100_000, 10), true),
        (counted(10, u32::MAX), false),
        (counted(9_000_000, 3), false),
    ] {
        let record = chain(script, down()).run("hello").await.report.record;
        let attempt = &record.attempts[0];
        assert_eq!((attempt.handling.miscounted, attempt.estimated), (!believed, !believed), "{attempt:?}");
        assert_eq!(attempt.tokens_in + attempt.tokens_out > 100, believed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_of_nothing_is_none() {
    let words = "twelve characters and more of them, forty in all";
    for (input, output, expected) in [(0, 0, (2, 12)), (7, 0, (7, 12)), (0, 9, (2, 12)), (7, 12, (7, 12))] {
        let script = vec![text(words), finish(FinishReason::Stop), usage(input, output)];
        let record = chain(script, down()).run("hello").await.report.record;
        let attempt = &record.attempts[0];
        assert_eq!((attempt.tokens_in, attempt.tokens_out), expected, "{input} {output}");
        assert_eq!(attempt.estimated, input * output == 0, "{input} {output}");
        assert!(!attempt.handling.miscounted, "who does not count does not count wrongly");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_endpoint_had_in_its_cache_is_on_record() {
    let counted = Usage { input_tokens: 100, cached_tokens: 60, output_tokens: 3, estimated: false };
    let script = vec![text("words"), finish(FinishReason::Stop), Step::Say(AnswerPart::Usage(counted))];
    let record = chain(script, down()).run("hello").await.report.record;
    assert_eq!(record.attempts[0].handling.cached_tokens, 60);
}

#[tokio::test(start_paused = true)]
async fn tool_calls_that_were_asked_for_are_an_answer() {
    let piece = serde_json::json!({"index": 0, "function": {"name": "weather"}});
    let script = vec![Step::Say(AnswerPart::ToolCall(piece)), finish(FinishReason::ToolCalls)];
    let pool = chain(script, down());
    let mut input = pool.input("weather?");
    input.request.tools = vec![serde_json::json!({"type": "function", "function": {"name": "weather"}})];
    let sink = crate::race::EventSink::none();
    let report = pool.race().run(input, &sink, &tokio_util::sync::CancellationToken::new()).await;
    assert!(report.record.answer.unwrap().contains("weather"));
}

#[tokio::test(start_paused = true)]
async fn where_every_preview_fails_the_arms_without_one_answer_first() {
    let broken = Scripted::new([down()]);
    let fresh = Scripted::new([answer(1, "here")]);
    let mut pool = Pool::new().arm("a", &broken).arm("b", &broken).arm("c", &fresh).judged_by(&judge_by_length());
    pool.config.k = 2;
    let mut served = 0;
    for seed in 0..5 {
        pool.seed = seed;
        let record = pool.run("hello").await.report.record;
        if record.previews.iter().all(|p| p.error.is_some()) {
            assert_eq!(names(&record.order).split(' ').next(), Some("c"));
            assert!(record.verdict.is_none());
            assert_eq!((record.winner.unwrap().as_str(), record.fallbacks), ("c", 0));
            served += 1;
        }
    }
    assert!(served > 0 || pool.state.arms().count() == 3);
}

#[tokio::test(start_paused = true)]
async fn where_all_fail_the_outcome_says_what_and_what_to_do() {
    let a = Scripted::new([down()]);
    let b = Scripted::new([vec![Step::Refuse(failure(FailureClass::Configuration, "http_401"))]]);
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let RunOutcome::Failed { message } = &seen.report.record.outcome else {
        panic!("{:?}", seen.report.record.outcome)
    };
    for part in
        ["no arm could answer", "a: transient (http_503)", "try again", "b: configuration (http_401)", "api_key_env"]
    {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert_eq!(seen.attempts(), "a:http_503", "an arm with a wrong key is not asked twice");
    assert!(seen.report.observation.is_none(), "an outage teaches nothing");
    assert!(seen.report.record.answer.is_none() && seen.report.record.winner.is_none());
}

#[tokio::test(start_paused = true)]
async fn fallbacks_are_limited() {
    let arms = ["a", "b", "c", "d", "e"].map(|n| (n, Scripted::new([down()])));
    let mut pool = arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model));
    pool.strategy = Strategy::Baseline;
    pool.config.max_fallbacks = 2;
    assert_eq!(pool.run("hello").await.attempts(), "a:http_503 b:http_503 c:http_503");
}

#[tokio::test(start_paused = true)]
async fn without_an_arm_the_run_fails_in_words() {
    let empty = Pool::new().run("hello").await;
    let RunOutcome::Failed { message } = &empty.report.record.outcome else { panic!() };
    assert!(message.contains("the pool is empty"), "{message}");
    assert_eq!(empty.phases(), ["selected", "ordered "]);

    let pool = Pool::new().arm("a", &Scripted::new([answer(1, "a")]));
    pool.models.set_unavailable(spec("a"), "the environment variable `A_KEY` is not set");
    let RunOutcome::Failed { message } = pool.run("hello").await.report.record.outcome else { panic!() };
    assert!(message.contains("no arm can be asked") && message.contains("A_KEY"), "{message}");
}
