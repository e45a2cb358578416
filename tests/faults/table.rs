//! A row of the table, and how it is held against the program: twice, once where the arm's full answer
//! fails and the next arm must step in, once where its preview fails and the race must go on without it.

use std::time::Duration;

use banditop::domain::failure::{Failure, FailureClass};
use banditop::domain::record::RunOutcome;
use banditop::domain::spec::Strategy;
use banditop::providers::HttpClient;

use super::rig::{GOOD, Played, Rig, client};
use super::server::{Act, Server};

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ends {
    /// It is served.
    Served,
    /// It fails, in this class and kind: another arm answers.
    Fails(FailureClass, &'static str),
}

impl Ends {
    /// Whether it is asked again at once: a failure in passing, of which nothing came and no time was lost.
    fn may_pass(self) -> bool {
        const OUT_OF_TIME: [&str; 3] = ["first_token_timeout", "phase_timeout", "stall"];
        matches!(self, Self::Fails(FailureClass::Transient, kind) if !OUT_OF_TIME.contains(&kind))
    }
}

/// What the router learns about the arm from a race.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Learns {
    /// Nothing: what it knows of the arm's quality is untouched.
    Nothing,
    /// That the quality was 0.
    Zero,
    /// What the judge thought of it.
    Verdict,
}

/// One fault.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    /// What the endpoint does, by connection; nothing where there is none.
    pub(crate) scripts: Vec<Vec<Act>>,
    /// Where the endpoint is, where that is not where the scripts are played.
    pub(crate) base_url: Option<String>,
    /// Whether it is asked as Anthropic is.
    pub(crate) anthropic: bool,
    /// Whether the caller begins a handshake.
    pub(crate) tls: bool,
    pub(crate) full: Ends,
    pub(crate) preview: Ends,
    pub(crate) learns: Learns,
    /// Whether the arm is taken out at once.
    pub(crate) ejected: bool,
    /// Words that a person reads.
    pub(crate) words: &'static [&'static str],
    /// How often it is asked.
    pub(crate) tries: usize,
    /// How long the endpoint wants to be left alone.
    pub(crate) wish: Option<Duration>,
    /// After which a full answer and a preview are given up.
    pub(crate) given_up: Option<[Duration; 2]>,
}

/// A request may outlive its deadline by so much.
pub(crate) const GRACE: Duration = Duration::from_millis(100);
/// Calls that are made of one that fails in passing.
pub(crate) const RETRIED: usize = 3;

impl Row {
    /// The reactions that section 7 of the design has for each class.
    fn new(fault: &'static str, script: Vec<Act>, ends: Ends, words: &'static [&'static str]) -> Self {
        use FailureClass::{Configuration, Content, Quota};
        let (learns, ejected) = match ends {
            Ends::Served => (Learns::Verdict, false),
            Ends::Fails(Content, _) => (Learns::Zero, false),
            Ends::Fails(class, _) => (Learns::Nothing, matches!(class, Configuration | Quota)),
        };
        let scripts = vec![script];
        Self {
            fault,
            scripts,
            base_url: None,
            anthropic: false,
            tls: false,
            full: ends,
            preview: ends,
            learns,
            ejected,
            words,
            tries: if ends.may_pass() { RETRIED } else { 1 },
            wish: None,
            given_up: None,
        }
    }

    pub(crate) fn fails(
        fault: &'static str,
        script: impl Into<Vec<Act>>,
        class: FailureClass,
        kind: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        Self::new(fault, script.into(), Ends::Fails(class, kind), words)
    }

    pub(crate) fn served(fault: &'static str, script: impl Into<Vec<Act>>, words: &'static [&'static str]) -> Self {
        Self::new(fault, script.into(), Ends::Served, words)
    }

    /// The same where something else listens, or nobody.
    pub(crate) fn at(self, base_url: impl Into<String>) -> Self {
        Self { base_url: Some(base_url.into()), ..self }
    }

    /// The same at an endpoint that speaks as Anthropic does.
    pub(crate) fn of_anthropic(self) -> Self {
        Self { anthropic: true, ..self }
    }

    /// The same, and the caller expects TLS.
    pub(crate) fn over_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The same at the second call; the first one meets this.
    pub(crate) fn after(mut self, first: Vec<Act>) -> Self {
        self.scripts.insert(0, first);
        Self { tries: 2, ..self }
    }

    /// The same, and it is asked but once: something came of it already, or its wish is too long.
    pub(crate) fn once(self) -> Self {
        Self { tries: 1, ..self }
    }

    pub(crate) fn wishing(self, millis: u64) -> Self {
        Self { wish: Some(Duration::from_millis(millis)), ..self }
    }

    pub(crate) fn given_up_after(self, full: Duration, preview: Duration) -> Self {
        Self { given_up: Some([full, preview]), ..self }
    }
}

/// Holds every row against the program, raced in the manner of `rig`.
pub(crate) async fn hold(rows: Vec<Row>, rig: impl Fn(&HttpClient, Strategy) -> Rig) {
    assert!(!rows.is_empty());
    let http = client();
    for row in rows {
        for strategy in [Strategy::Baseline, Strategy::Race] {
            let told = Told(format!("the row `{}`, {strategy:?}", row.fault));
            let rig = Rig { anthropic: row.anthropic, ..rig(&http, strategy) };
            let played = play(&row, &rig).await;
            row.holds(&played, strategy);
            drop(told);
        }
    }
}

/// Says which row it is that a panic came from.
pub(crate) struct Told(pub(crate) String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

async fn play(row: &Row, rig: &Rig) -> Played {
    let server = Server::start(row.scripts.clone());
    let secure = row.tls.then(|| server.base_url().replace("http:", "https:"));
    rig.play_at(&server, secure.or_else(|| row.base_url.clone())).await
}

impl Row {
    fn holds(&self, played: &Played, strategy: Strategy) {
        assert_eq!(played.record.outcome, RunOutcome::Served);
        if strategy == Strategy::Baseline {
            self.holds_in_full(played);
        } else {
            self.holds_in_preview(played);
        }
        for words in self.words {
            assert!(played.screens[0].contains(words), "{words:?} is not on screen");
        }
        let handling = if strategy == Strategy::Baseline {
            played.record.attempts.first().map(|attempt| &attempt.handling)
        } else {
            played.record.previews.iter().find(|p| p.arm.as_str() == "bad").map(|preview| &preview.handling)
        };
        assert_eq!(handling.unwrap().retries.len() + 1, self.tries, "asked again: {:?}", handling.unwrap());
        if self.base_url.is_none() && self.full != Ends::Served {
            assert_eq!(played.calls.len(), self.tries, "the endpoint counts with us");
        }
        let state = played.arm().state;
        let shown = state.shown(played.arm().state_reason.as_deref());
        // A rate limit is a pause and no ejection.
        let expected = match self.full {
            Ends::Fails(_, "http_429") => "cooling",
            _ if self.ejected => "ejected",
            _ => "active",
        };
        assert_eq!(shown, expected, "{state:?}: {:?}", played.arm().state_reason);
        if let Some([full, preview]) = self.given_up {
            let most = GRACE + played.withheld + if strategy == Strategy::Race { preview } else { full };
            let lasted = played.calls.iter().filter_map(|call| call.over.map(|over| over - call.at)).max();
            assert!(lasted.is_some_and(|lasted| lasted <= most), "a request lasted {lasted:?} of {most:?}");
        }
        if expected != "active" {
            assert!(played.screens[1].contains(expected), "{}", played.screens[1]);
        }
    }

    /// `bad` answers first.
    fn holds_in_full(&self, played: &Played) {
        let record = &played.record;
        let learned = played.learned();
        match self.full {
            Ends::Served => {
                assert_eq!(played.attempts(), "bad:ok");
                assert_eq!(learned.unwrap().answer.map(|answer| answer.fallback), Some(0.0));
            }
            Ends::Fails(class, kind) => {
                assert_eq!(played.attempts(), format!("bad:{kind} good:ok"));
                assert_eq!((record.answer.as_deref(), record.fallbacks), (Some(GOOD), 1));
                let failure = record.attempts[0].error.as_ref().unwrap();
                self.holds_of(failure, class);
                let fallback = learned.as_ref().and_then(|arm| arm.answer).map(|answer| answer.fallback);
                assert_eq!(fallback, (class == FailureClass::Content).then_some(1.0), "what its failure taught");
                assert!(learned.is_none_or(|arm| arm.quality.is_none() && !arm.trial), "nobody judged it");
            }
        }
    }

    /// `bad` and `good` race.
    fn holds_in_preview(&self, played: &Played) {
        let preview = played.record.previews.iter().find(|p| p.arm.as_str() == "bad").unwrap();
        let learned = played.learned();
        let quality = learned.as_ref().and_then(|arm| arm.quality);
        match self.preview {
            Ends::Served => assert_eq!(preview.error, None),
            Ends::Fails(class, kind) => {
                let failure = preview.error.as_ref().unwrap();
                assert_eq!(failure.kind, kind, "{failure}");
                self.holds_of(failure, class);
                assert_eq!(played.attempts(), "good:ok", "the race goes on without it");
            }
        }
        match self.learns {
            Learns::Nothing => assert_eq!(learned, None),
            Learns::Zero => assert_eq!(quality, Some(0.0)),
            Learns::Verdict => assert!(quality.is_some_and(|q| q > 0.0), "{learned:?}"),
        }
    }

    fn holds_of(&self, failure: &Failure, class: FailureClass) {
        assert_eq!((failure.class, failure.retry_after), (class, self.wish), "{failure}");
    }
}
