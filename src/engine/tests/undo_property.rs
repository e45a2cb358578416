//! Whatever is done, undone, redone and discarded, and wherever snapshots lie: the state is the whole
//! log folded once, from nothing, without what was left out.

use std::time::Duration;

use proptest::prelude::*;

use crate::bandit::{exclusions, refold};
use crate::domain::command::{Acknowledgement, ArmObservation, Observation, RouterCommand};
use crate::domain::ids::RunId;
use crate::domain::terms::Weights;
use crate::engine::folds::blank;
use crate::engine::lifecycle::for_tests::essence;
use crate::engine::testing::rig::{NOON, command};
use crate::engine::testing::{Rig, record};

#[derive(Clone, Debug)]
enum Step {
    Run {
        arm: usize,
        quality: f64,
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

const ARMS: [&str; 3] = ["a", "b", "c"];

fn step() -> impl Strategy<Value = Step> {
    let arm = 0_usize..3;
    prop_oneof![
        8 => (arm.clone(), 0.0..1.0).prop_map(|(arm, quality)| Step::Run { arm, quality }),
        1 => (0.1..1.0).prop_map(|factor| Step::Do(RouterCommand::Decay { factor, arms: vec![] })),
        1 => arm.clone().prop_map(|arm| Step::Do(RouterCommand::Deactivate { arms: vec![ARMS[arm].into()] })),
        1 => arm.clone().prop_map(|arm| Step::Do(RouterCommand::Reactivate { arms: vec![ARMS[arm].into()] })),
        1 => arm.prop_map(|arm| Step::Do(RouterCommand::ResetArm { arm: ARMS[arm].into() })),
        1 => (0.1..1.0).prop_map(|q| {
            let weights = Weights::new([q, 0.5, 0.1, 0.0, 0.0, 0.0], 0.05).unwrap();
            Step::Do(RouterCommand::SetWeights { weights })
        }),
        4 => (0_u64..12).prop_map(Step::Undo),
        1 => (0_u64..12, 0_u64..5).prop_map(|(back, count)| Step::Discard(back, count)),
        1 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn observation(n: u64, d: usize, arm: usize, quality: f64) -> Observation {
    let x = (0..d).map(|i| if i == 0 { 1.0 } else { f64::from(u8::try_from((n + i as u64) % 7).unwrap()) / 7.0 });
    let seen = ArmObservation {
        arm: ARMS[arm].into(),
        signals: Vec::new(),
        quality: Some(quality),
        preview: None,
        answer: None,
        trial: true,
        win: false,
        served: true,
    };
    Observation { run: RunId::new(NOON, n), x: x.collect(), arms: vec![seen] }
}

async fn story(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let rig = Rig::new(&ARMS);
    let config = rig.parts().router_config;
    let mut engine = rig.start().await;
    for (n, step) in steps.into_iter().enumerate() {
        let n = n as u64;
        let end = rig.store.log().last().map_or(0, |entry| entry.sequence);
        let ack = match step {
            Step::Run { arm, quality } => {
                let record = std::sync::Arc::new(record(NOON, n).served_by(ARMS[arm]).build());
                engine.teach(&record, Some(observation(n, config.d, arm, quality))).await;
                None
            }
            Step::Do(what) => Some(command(&engine.handle(), what).await),
            Step::Undo(back) => {
                let target = end.saturating_sub(back).max(1);
                Some(command(&engine.handle(), RouterCommand::Undo { target }).await)
            }
            Step::Discard(back, count) => {
                let from = end.saturating_sub(back).max(1);
                Some(command(&engine.handle(), RouterCommand::Discard { from, to: from + count }).await)
            }
            Step::Wait => {
                tokio::time::sleep(rig.limits.snapshot_every + Duration::from_secs(2)).await;
                None
            }
            Step::Restart => {
                drop(engine);
                engine = rig.start().await;
                None
            }
        };
        let log = rig.store.log();
        if let Some(Acknowledgement::Applied { entry, .. }) = &ack {
            prop_assert_eq!(log.last().map(|last| last.sequence), Some(entry.sequence));
        }
        let folded = refold(&blank(&config), &log, &exclusions(&log));
        prop_assert_eq!(engine.digest_with_pool(), essence(&folded), "after step {}: {:?}", n, ack);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_the_log_without_what_was_left_out(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(story(steps))?;
    }
}

/// Found by the property: an undo after a discard whose interval lies behind the nearest snapshot.
#[tokio::test(start_paused = true)]
async fn an_undo_keeps_out_what_was_discarded_before_the_nearest_snapshot() {
    let run = || Step::Run { arm: 0, quality: 0.0 };
    let reset = || Step::Do(RouterCommand::ResetArm { arm: "a".into() });
    let mut steps = vec![run(), run(), Step::Undo(3), run(), reset(), Step::Discard(3, 0)];
    steps.extend([run(), reset(), run(), Step::Undo(4)]);
    story(steps).await.unwrap();
}
