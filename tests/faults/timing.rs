//! Faults of time: silence, silence behind signs of life, and no silence at all. Timers are short here; each
//! row says after how long the request is given up, and the endpoint itself measures that it is.

use std::time::Duration;

use banditop::domain::clock::SystemClock;
use banditop::domain::failure::FailureClass::{Content, Transient};
use banditop::domain::spec::Strategy;
use banditop::providers::HttpClient;
use banditop::race::FollowRules;

use super::rig::{GOOD, Rig, client};
use super::server::{Act, Server, answer, delta, says, stream};
use super::stage::{At, Stage};
use super::table::{Row, Told, hold};

const TOKEN: Duration = Duration::from_millis(150);
const PREVIEW: Duration = Duration::from_millis(400);
const FULL: Duration = Duration::from_millis(500);
const NO_PAUSE: Duration = Duration::ZERO;

fn hasty(http: &HttpClient, strategy: Strategy) -> Rig {
    Rig::new(http, strategy).with(|race| {
        let timeouts = &mut race.config.timeouts;
        (timeouts.first_token, timeouts.between_tokens) = (TOKEN, TOKEN);
        (timeouts.preview, timeouts.full) = (PREVIEW, FULL);
        // Little enough to be read in time on a machine that has other things to do.
        race.config.max_answer_bytes = 10_000;
    })
}

fn silences() -> Vec<Row> {
    let often = Duration::from_millis(10);
    let text = |pieces: &str, pause| Act::Forever(pieces.as_bytes().to_vec(), pause);
    let no_token: &[&str] = &["first_token_timeout", "no token within 150ms"];
    let stall: &[&str] = &["nothing came for 150ms in the middle of the answer"];
    vec![
        Row::fails("slow first byte", [Act::Hold], Transient, "first_token_timeout", no_token)
            .given_up_after(TOKEN, TOKEN),
        Row::fails("headers and nothing else", [stream(""), Act::Hold], Transient, "first_token_timeout", no_token)
            .given_up_after(TOKEN, TOKEN),
        Row::fails(
            "comments instead of a first token",
            [stream(""), text(": keep-alive\n\n", often)],
            Transient,
            "first_token_timeout",
            no_token,
        )
        .given_up_after(TOKEN, TOKEN),
        Row::fails(
            "a stall mid-stream while keep-alive comments still arrive",
            [stream(&says("An answer")), text(": keep-alive\n\n", often)],
            Transient,
            "stall",
            stall,
        )
        .given_up_after(TOKEN * 2, TOKEN * 2),
        Row::fails(
            "a stall while empty deltas still arrive",
            [stream(&says("An answer")), text(&delta(r#"{"content":""}"#), often)],
            Transient,
            "stall",
            stall,
        )
        .given_up_after(TOKEN * 2, TOKEN * 2),
    ]
}

fn floods() -> Vec<Row> {
    let text = |pieces: &str, pause| Act::Forever(pieces.as_bytes().to_vec(), pause);
    let many = |event: &str| event.repeat(200);
    let no_token: &[&str] = &["first_token_timeout", "no token within 150ms"];
    let late: &[&str] = &["phase_timeout", "not complete within"];
    let endless = text(&many(&says("and so on ")), NO_PAUSE);
    vec![
        Row::fails(
            "a word now and then, for ever",
            [stream(&says("An answer")), text(&says("w "), Duration::from_millis(50))],
            Transient,
            "phase_timeout",
            late,
        )
        .given_up_after(FULL, PREVIEW),
        Row::fails(
            "reasoning now and then, for ever",
            [stream(""), text(&delta(r#"{"reasoning":"hm"}"#), Duration::from_millis(50))],
            Transient,
            "phase_timeout",
            late,
        )
        .given_up_after(FULL, PREVIEW),
        Row::fails(
            "reasoning without end and without a pause",
            [stream(""), text(&many(&delta(r#"{"reasoning":"and so on and on and on"}"#)), NO_PAUSE)],
            Content,
            "reasoning_only",
            &["all tokens went into reasoning"],
        ),
        Row::fails(
            "empty deltas without end and without a pause",
            [stream(""), text(&many(&delta("{}")), NO_PAUSE)],
            Transient,
            "first_token_timeout",
            no_token,
        )
        .given_up_after(TOKEN, TOKEN),
        Row::fails(
            "comments without end and without a pause",
            [stream(""), text(&many(": keep-alive\n\n"), NO_PAUSE)],
            Transient,
            "first_token_timeout",
            no_token,
        )
        .given_up_after(TOKEN, TOKEN),
        Row::served("an endless answer", [stream(""), endless], &["and so on"]).given_up_after(FULL, PREVIEW),
    ]
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    hold(silences(), hasty).await;
}

#[tokio::test]
async fn a_flood_does_not_stop_the_clock() {
    hold(floods(), hasty).await;
}

/// Whoever asked goes away in each phase: the endpoint sees its connections closed, nothing is learned,
/// nobody is blamed, no task is left.
#[tokio::test]
async fn the_caller_is_gone() {
    let http = client();
    let half = || vec![stream(&says("An answer")), Act::Hold];
    let trickle = vec![stream(""), Act::Forever(says("w ").into_bytes(), Duration::from_millis(5))];
    let rows = [
        ("before the headers", vec![Act::Hold], Strategy::Baseline, 1),
        ("in the middle of an answer", half(), Strategy::Baseline, 1),
        ("while words come", trickle, Strategy::Baseline, 1),
        ("among previews", half(), Strategy::Race, 2),
    ];
    for (when, script, strategy, calls) in rows {
        let _told = Told(format!("a caller that is gone {when}"));
        Rig::new(&http, strategy).leave(&Server::start(vec![script]), calls).await;
    }
}

/// An arm that has always answered at once is not waited for as long as the settings would: its own p99 is.
#[tokio::test]
async fn a_deadline_that_follows_the_arm() {
    let rig = Rig::new(&client(), Strategy::Baseline).with(|race| {
        let timeouts = &mut race.config.timeouts;
        timeouts.first_token = Duration::from_mins(1);
        timeouts.follow = FollowRules { least_calls: 3, floor: TOKEN, ceiling: TOKEN, ..FollowRules::default() };
    });
    let quick = || vec![stream(&answer("A quick answer."))];
    let bad = Server::start(vec![quick(), quick(), quick(), vec![Act::Hold]]);
    let good = Server::start(vec![vec![stream(&answer(GOOD))]]);
    let mut stage = Stage::open(&rig, &[("bad", At::of(&bad)), ("good", At::of(&good))]).await;
    for nth in 0..4 {
        let record = stage.ask().await;
        let attempt = &record.attempts[0];
        let learned = attempt.handling.deadlines.is_some_and(|deadlines| deadlines.learned);
        assert_eq!((attempt.ok, learned), (nth < 3, nth == 3), "the call number {nth}: {attempt:?}");
        if let Some(failure) = &attempt.error {
            assert_eq!((failure.class, failure.kind.as_ref()), (Transient, "first_token_timeout"));
            assert!(failure.message.contains("no token within 150ms"), "{failure}");
            assert_eq!(record.answer.as_deref(), Some(GOOD));
        }
    }
    stage.end().await;
    assert_eq!(bad.calls().len(), 4);
}

/// A host that takes no connection, as behind a firewall that drops: its queue of connections is full.
#[tokio::test]
async fn a_connection_that_never_stands() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    // The kernel takes in one or two more than it was told; then a connection does not stand for seconds.
    while let Ok(Ok(stream)) = tokio::time::timeout(TOKEN * 2, tokio::net::TcpStream::connect(address)).await {
        held.push(stream);
        assert!(held.len() < 16, "the queue never fills");
    }
    let url = format!("http://{address}/v1");
    let words: &[&str] = &["connect_timeout", "took too long to connect"];
    let row = Row::fails("a connection that never stands", [], Transient, "connect_timeout", words).at(url);
    hold(vec![row], |_, strategy| {
        let http = HttpClient::new(TOKEN, std::sync::Arc::new(SystemClock::new())).unwrap();
        Rig::new(&http, strategy)
    })
    .await;
}
