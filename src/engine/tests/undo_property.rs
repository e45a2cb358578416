//! Whatever is done, undone, redone and discarded, and wherever snapshots lie: the state is the whole
//! log folded once, from nothing, without what was left out; every part of it, to the bit.

use std::time::Duration;

use proptest::prelude::*;

use crate::bandit::{RouterConfig, RouterState, exclusions, refold};
use crate::domain::command::{Acknowledgement, ArmObservation, Observation, PreviewTerms, RouterCommand};
use crate::domain::ids::{ArmId, RunId};
use crate::domain::prior::{ArmPrior, ResponsePrior};
use crate::domain::record::RunRecord;
use crate::domain::spec::{ArmSpec, Mode, ShareLimits, Strategy as Way};
use crate::domain::terms::{Term, TermValue, Weights};
use crate::engine::folds::blank;
use crate::engine::testing::rig::{NOON, ann, command, spec};
use crate::engine::testing::{Rig, record};

#[derive(Clone, Debug)]
enum Step {
    /// Runs of one arm, as good as that: many of them are enough for a change to be found.
    Runs {
        arm: usize,
        quality: f64,
        count: u64,
    },
    /// One race of the first three.
    Race([f64; 3]),
    /// Of the run so far back.
    Rate(usize, f64),
    /// A prior of that level, worth so many observations.
    Believe {
        arm: usize,
        n: f64,
        mean: f64,
    },
    Do(RouterCommand),
    /// Of the entry so far back.
    Undo(u64),
    /// Of the entries so far back, and so many.
    Discard(u64, u64),
    /// Time enough for a snapshot.
    Wait,
    Restart,
}

const ARMS: [&str; 4] = ["a", "b", "c", "d"];

fn arm() -> impl Strategy<Value = ArmId> {
    prop::sample::select(&ARMS[..]).prop_map(ArmId::new)
}

fn mode() -> impl Strategy<Value = Mode> {
    let way = prop::option::of(prop::sample::select(vec![Way::Race, Way::Direct]));
    let expires = prop::option::of((1_u64..600).prop_map(|s| NOON.plus(Duration::from_secs(s))));
    (way, prop::option::of(arm()), any::<bool>(), expires)
        .prop_map(|(strategy, pinned, learning_paused, expires)| Mode { strategy, pinned, learning_paused, expires })
}

fn pool_action() -> impl Strategy<Value = RouterCommand> {
    let until = NOON.plus(Duration::from_mins(5));
    prop_oneof![
        arm().prop_map(|arm| RouterCommand::Deactivate { arms: vec![arm] }),
        arm().prop_map(|arm| RouterCommand::Reactivate { arms: vec![arm] }),
        (arm(), any::<bool>())
            .prop_map(|(arm, enabled)| RouterCommand::AddArm { spec: ArmSpec { enabled, ..spec(arm.as_str()) } }),
        arm().prop_map(|arm| RouterCommand::RemoveArm { arm }),
        arm().prop_map(|arm| RouterCommand::ResetArm { arm }),
        (arm(), any::<bool>()).prop_map(move |(arm, grows)| RouterCommand::Eject {
            arm,
            until,
            reason: "slow".into(),
            grows
        }),
        arm().prop_map(|arm| RouterCommand::Recovered { arm }),
        arm().prop_map(|arm| RouterCommand::Reinstate { arm }),
        (0..3_u64, 0.0..1.0).prop_map(|(min_trials, min_win_rate)| RouterCommand::Prune {
            min_trials,
            min_win_rate,
            victims: vec![]
        }),
    ]
}

fn knob() -> impl Strategy<Value = RouterCommand> {
    prop_oneof![
        (0.1..1.0, prop::option::of(arm()))
            .prop_map(|(factor, arm)| RouterCommand::Decay { factor, arms: Vec::from_iter(arm) }),
        (0.1..1.0, 0.0..0.5).prop_map(|(q, penalty)| {
            let weights = Weights::new([q, 0.5, 0.1, 0.0, 0.0, 0.0], penalty).unwrap();
            RouterCommand::SetWeights { weights }
        }),
        (prop::option::of(0.0..3.0), prop::option::of(0.0..1.0))
            .prop_map(|(alpha, explore_share)| RouterCommand::SetExploration { alpha, explore_share }),
        mode().prop_map(|mode| RouterCommand::SetMode { mode }),
        (arm(), prop::option::of((0.0..0.2, 0.2..1.0, 0.0..600.0))).prop_map(|(arm, limits)| {
            let limits = limits.map(|(min, max, ramp_s)| ShareLimits { min, max, ramp_s });
            RouterCommand::SetShareLimits { arm, limits }
        }),
        prop::option::of(1e-4..1e-2).prop_map(|dollars| RouterCommand::SetBudget { dollars }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let arm = 0..ARMS.len();
    prop_oneof![
        5 => (arm.clone(), 0.0..1.0).prop_map(|(arm, quality)| Step::Runs { arm, quality, count: 1 }),
        1 => (arm.clone(), prop::bool::ANY).prop_map(|(arm, good)| Step::Runs { arm, quality: f64::from(good), count: 30 }),
        3 => prop::array::uniform3(0.0..1.0_f64).prop_map(Step::Race),
        2 => (0_usize..6, 0.0..1.0).prop_map(|(back, rating)| Step::Rate(back, rating)),
        1 => (arm, 0.0..20.0, 0.0..1.0).prop_map(|(arm, n, mean)| Step::Believe { arm, n, mean }),
        5 => pool_action().prop_map(Step::Do),
        3 => knob().prop_map(Step::Do),
        6 => (0_u64..12).prop_map(Step::Undo),
        1 => (0_u64..12, 0_u64..5).prop_map(|(back, count)| Step::Discard(back, count)),
        1 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// Every part of the state as it is stored, derived numbers included, and what it expects of each arm.
fn whole(state: &RouterState) -> Vec<(String, String)> {
    let x: Vec<f64> = (0..state.config().d).map(|i| if i == 0 { 1.0 } else { 0.3 }).collect();
    let expected = |arm: &str| (format!("expected:{arm}"), format!("{:?}", state.estimate(arm, &x)));
    let parts = state.to_snapshot().parts.into_iter();
    let parts = parts.map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()));
    parts.chain(state.arms().map(|arm| expected(arm.spec.name.as_str()))).collect()
}

/// An engine under test, the numbers of its runs, and what it is started from.
struct Story {
    rig: Rig,
    config: RouterConfig,
    /// How many of the last dimensions are each arm's own.
    own: usize,
    engine: crate::engine::Engine,
    runs: Vec<RunId>,
}

impl Story {
    async fn begin(own: usize) -> Self {
        let rig = Rig::new(&ARMS[..3]);
        let config = rig.parts().router_config;
        let engine = rig.start().await;
        Self { rig, config, own, engine, runs: Vec::new() }
    }

    /// One run that every arm of `seen` taught something in; the last one served.
    async fn teach(&mut self, mut seen: Vec<ArmObservation>) {
        let n = self.runs.len() as u64;
        let run = RunId::new(NOON, n);
        let value = |i: u64| f64::from(u8::try_from((n + i) % 7).unwrap()) / 7.0;
        let x: Vec<f64> = (0..self.config.d as u64).map(|i| if i == 0 { 1.0 } else { value(i) }).collect();
        let last = seen.last_mut().unwrap();
        last.served = true;
        let (arm, quality) = (last.arm.clone(), last.quality.unwrap());
        let mut record = record(NOON, n).served_by(arm.as_str()).build();
        record.context.x.clone_from(&x);
        let shared = x.len() - self.own;
        for (at, seen) in seen.iter_mut().enumerate().filter(|_| self.own > 0) {
            seen.signals = (0..self.own as u64).map(|i| value(i + 2 * at as u64)).collect();
            record.context.signals.insert(seen.arm.clone(), seen.signals.clone());
        }
        record.context.x[shared..].fill(0.0);
        record.context.feature_version.clone_from(&self.config.feature_version);
        let term = TermValue { value: quality, weight: 1.0, contribution: quality };
        record.rewards.get_mut(&arm).unwrap().terms.insert(Term::Quality.name().to_owned(), term);
        self.runs.push(run);
        let spent_usd = Some(0.001 * value(3));
        let record = std::sync::Arc::<RunRecord>::new(record);
        let x = x[..shared].to_vec();
        self.engine.teach(&record, Some(Observation { run, x, arms: seen, spent_usd })).await;
    }

    async fn act(&self, what: RouterCommand) -> Option<Acknowledgement> {
        Some(command(&self.engine.handle(), what).await)
    }

    async fn rate(&self, back: usize, rating: f64) -> Option<Acknowledgement> {
        let run = *self.runs.iter().rev().nth(back)?;
        self.engine.handle().rate(run, rating, ann()).await.ok()
    }

    async fn take(&mut self, step: Step) -> Option<Acknowledgement> {
        let end = self.rig.store.log().last().map_or(0, |entry| entry.sequence);
        match step {
            Step::Runs { arm, quality, count } => {
                for n in 0..count {
                    // Some of the groups, and all of them.
                    let preview = (n % 5 > 0).then_some(PREVIEW);
                    self.teach(vec![ArmObservation { preview, ..seen(arm, quality) }]).await;
                }
                None
            }
            Step::Race(qualities) => {
                let best = qualities.into_iter().fold(0.0, f64::max);
                let raced = |(arm, quality): (usize, f64)| ArmObservation {
                    trial: true,
                    win: quality >= best,
                    ..seen(arm, quality)
                };
                self.teach(qualities.into_iter().enumerate().map(raced).collect()).await;
                None
            }
            Step::Rate(back, rating) => self.rate(back, rating).await,
            Step::Believe { arm, n, mean } => {
                let d = self.config.d;
                let quality = Some(ResponsePrior::of_level(d, n, mean, 0.1));
                let belief = ArmPrior { quality, ..ArmPrior::of_level(ARMS[arm].into(), d, n) };
                let feature_version = self.config.feature_version.clone();
                self.act(RouterCommand::SetPrior { feature_version, arms: vec![belief] }).await
            }
            Step::Do(what) => self.act(what).await,
            Step::Undo(back) => self.act(RouterCommand::Undo { target: end.saturating_sub(back).max(1) }).await,
            Step::Discard(back, count) => {
                let from = end.saturating_sub(back).max(1);
                self.act(RouterCommand::Discard { from, to: from + count }).await
            }
            Step::Wait => {
                tokio::time::sleep(self.rig.limits.snapshot_every + Duration::from_secs(2)).await;
                None
            }
            Step::Restart => {
                self.engine = self.rig.start().await;
                None
            }
        }
    }
}

const PREVIEW: PreviewTerms =
    PreviewTerms { latency: 0.5, cost: 0.7, speed: 0.2, token_efficiency: 0.9, stability: 1.0 };

fn seen(arm: usize, quality: f64) -> ArmObservation {
    ArmObservation {
        arm: ARMS[arm].into(),
        signals: Vec::new(),
        quality: Some(quality),
        preview: None,
        answer: None,
        trial: false,
        win: false,
        served: false,
    }
}

async fn story(steps: Vec<Step>, own: usize) -> Result<(), TestCaseError> {
    let mut story = Story::begin(own).await;
    for (n, step) in steps.into_iter().enumerate() {
        let ack = story.take(step).await;
        let log = story.rig.store.log();
        if let Some(Acknowledgement::Applied { entry, .. }) = &ack {
            // A rule may have answered at once: an ejection whose time is over ends.
            prop_assert!(log.iter().any(|logged| logged.sequence == entry.sequence && logged.command == entry.command));
        }
        let folded = refold(&blank(&story.config), &log, &exclusions(&log));
        let held = whole(&story.engine.state());
        prop_assert_eq!(held, whole(&folded), "after step {}: {:?}", n, ack);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_the_log_without_what_was_left_out(steps in proptest::collection::vec(step(), 1..40), own in 0..3_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(story(steps, own))?;
    }
}

/// Found by the property: an undo after a discard whose interval lies behind the nearest snapshot.
#[tokio::test(start_paused = true)]
async fn an_undo_keeps_out_what_was_discarded_before_the_nearest_snapshot() {
    let run = || Step::Runs { arm: 0, quality: 0.0, count: 1 };
    let reset = || Step::Do(RouterCommand::ResetArm { arm: "a".into() });
    let mut steps = vec![run(), run(), Step::Undo(3), run(), reset(), Step::Discard(3, 0)];
    steps.extend([run(), reset(), run(), Step::Undo(4)]);
    Box::pin(story(steps, 0)).await.unwrap();
}

/// A rating takes the place of what was taught, at the context that the rated arm had: the same as if the rating had
/// been the verdict, in the same engine and after a restart.
#[tokio::test(start_paused = true)]
async fn a_rating_is_of_the_context_with_the_arms_own_signals() {
    let mut means = Vec::new();
    for (verdict, rating) in [(0.9, None), (0.2, Some(0.9)), (0.2, None)] {
        let mut story = Story::begin(2).await;
        for quality in [0.5, 0.6, verdict] {
            story.teach(vec![seen(1, 0.4), ArmObservation { trial: true, ..seen(0, quality) }]).await;
        }
        if let Some(rating) = rating {
            story.rate(0, rating).await.unwrap();
        }
        let mean = |state: &RouterState| {
            let x: Vec<f64> = (0..story.config.d).map(|i| if i == 0 { 1.0 } else { 0.7 }).collect();
            state.estimate("a", &x).unwrap().mean
        };
        let before = mean(&story.engine.state());
        let restarted = story.rig.start().await;
        assert_eq!(before.to_bits(), mean(&restarted.state()).to_bits());
        means.push(before);
    }
    assert!((means[0] - means[1]).abs() < 1e-9 && (means[0] - means[2]).abs() > 1e-3, "{means:?}");
}
