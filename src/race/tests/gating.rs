//! New kinds of prompts, the automatic gate, conversations, and strategies that are assigned at random.

use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::chat::ChatRequest;
use crate::domain::command::RouterCommand;
use crate::domain::record::{GateDecision, Origin, RunRecord};
use crate::domain::spec::{Mode, Strategy};
use crate::race::{EventSink, Race, RunInput};

fn pool() -> Pool {
    let arms = ["a", "bb", "ccc"].map(|n| (n, Scripted::new([answer(10, n)])));
    let pool = arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model));
    pool.judged_by(&judge_by_length())
}

/// Runs of one race, which remembers.
struct Table {
    pool: Pool,
    race: Race,
    seed: u64,
}

impl Table {
    fn new(pool: Pool) -> Self {
        Self { race: pool.race(), pool, seed: 1 }
    }

    async fn ask(&mut self, prompt: &str, session: Option<&str>) -> RunRecord {
        self.seed += 1;
        let input = RunInput {
            request: ChatRequest::from_prompt(prompt),
            origin: Origin::Gateway,
            seed: self.seed,
            session: session.map(str::to_owned),
            ..self.pool.input(prompt)
        };
        self.race.run(input, &EventSink::none(), &CancellationToken::new()).await.record
    }

    async fn usual(&mut self, runs: u64) {
        for n in 0..runs {
            self.ask(&format!("please summarise the quarterly report of branch {n} in two lines"), None).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_kind_of_prompt_explores_and_says_so_in_numbers() {
    let mut pool = pool();
    pool.config.k = 2;
    let mut table = Table::new(pool);
    table.usual(80).await;
    let usual = table.ask("please summarise the quarterly report of branch 99 in two lines", None).await;
    assert_eq!(usual.gate.decision, GateDecision::Bandit);
    assert!(usual.gate.numbers["novelty_distance"] < 0.4, "{:?}", usual.gate.numbers);
    let new = table.ask("Schreib ein Gedicht über den Herbst am Meer", None).await;
    assert_eq!(new.gate.decision, GateDecision::Explore);
    assert!(new.gate.reason.starts_with("a new kind of prompt: 0."), "{}", new.gate.reason);
    let propensities: Vec<f64> = new.arms.iter().map(|arm| arm.propensity).collect();
    assert!(propensities.iter().all(|p| (p - 2.0 / 3.0).abs() < 1e-12), "{propensities:?}");
    assert_eq!(new.arms.iter().filter(|arm| arm.selected).count(), 2);
    assert_eq!(new.previews.len(), 2);
    table.pool = table.pool.told(RouterCommand::SetMode { mode: Mode { learning_paused: true, ..Mode::default() } });
    let paused = table.ask("¿Cuál es la receta de la paella valenciana?", None).await;
    assert_eq!(paused.gate.decision, GateDecision::Baseline);
    let chosen: Vec<&str> = paused.arms.iter().filter(|arm| arm.selected).map(|arm| arm.arm.as_str()).collect();
    assert_eq!(chosen, ["a", "bb"]);
}

#[tokio::test(start_paused = true)]
async fn the_automatic_gate_skips_the_bandit_while_previews_are_cheap() {
    let mut pool = pool();
    pool.config.k = 1;
    pool.config.policies.gate.auto = true;
    pool.config.policies.gate.cheap_share = 0.9;
    let mut table = Table::new(pool);
    table.usual(20).await;
    let skipped = table.ask("please summarise the quarterly report of branch 7 in two lines", None).await;
    assert_eq!(skipped.gate.decision, GateDecision::Baseline);
    assert!(skipped.gate.reason.contains("the bandit is skipped"), "{}", skipped.gate.reason);
    assert!(skipped.gate.numbers.contains_key("preview_share") && skipped.gate.numbers["fallback_rate"] < 1e-12);
    assert_eq!(skipped.arms[0].arm.as_str(), "a", "configured order");
    assert_eq!((skipped.order[0].as_str(), skipped.order[1].as_str()), ("a", "bb"));
    let mut dear = Table::new(table.pool);
    dear.pool.config.policies.gate.cheap_share = 0.01;
    dear.race = dear.pool.race();
    dear.usual(21).await;
    let chosen = dear.ask("please summarise the quarterly report of branch 7 in two lines", None).await;
    assert_eq!(chosen.gate.decision, GateDecision::Bandit, "{}", chosen.gate.reason);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_keeps_its_arm_until_leaving_gains_more_than_the_margin() {
    let mut pool = pool();
    pool.strategy = Strategy::Direct;
    pool.config.policies.session.margin = 0.5;
    let mut table = Table::new(pool);
    let first = table.ask("hello", Some("talk")).await;
    let arm = first.winner.clone().unwrap();
    let begun = first.policies.session.unwrap();
    assert_eq!((begun.before, begun.kept), (None, false));
    // Whatever happens to the arm's standing within the margin, the conversation stays.
    table.pool = table.pool.told(RouterCommand::SetExploration { alpha: Some(3.0), explore_share: Some(1.0) });
    for _ in 0..20 {
        let next = table.ask("and then?", Some("talk")).await;
        assert_eq!(next.winner.as_ref(), Some(&arm));
        let session = next.policies.session.unwrap();
        assert!(session.kept && session.before.as_ref() == Some(&arm));
        assert!(
            session.gain.is_some_and(|gain| gain <= 0.5) && session.margin == Some(0.5) && session.behind.is_none()
        );
        assert!(next.gate.reason.contains("the conversation stays with"), "{}", next.gate.reason);
        let is_sure =
            |s: &crate::domain::record::ArmScore| (s.propensity - f64::from(u8::from(s.arm == arm))).abs() < 1e-12;
        assert!(next.arms.iter().all(is_sure));
    }
    let mut winners = std::collections::BTreeSet::new();
    for n in 0..30 {
        winners.insert(table.ask("hello", Some(&format!("other {n}"))).await.winner.unwrap());
    }
    assert_eq!(winners.len(), 3, "other conversations are other draws");
    table.pool = table.pool.told(RouterCommand::Deactivate { arms: vec![arm.clone()] });
    let left = table.ask("and then?", Some("talk")).await;
    let session = left.policies.session.unwrap();
    assert!(left.winner.is_some_and(|winner| winner != arm) && !session.kept);
    assert_eq!((session.gain, session.margin), (None, None), "it could not be asked: nothing was compared");
}

#[tokio::test(start_paused = true)]
async fn in_a_race_the_conversations_arm_takes_part_and_answers_unless_it_is_judged_worse() {
    let mut table = Table::new(pool());
    table.pool.config.k = 2;
    table.pool.config.policies.session.margin = 0.15;
    table.race = table.pool.race();
    table.pool = table.pool.told(RouterCommand::Deactivate { arms: vec!["a".into(), "ccc".into()] });
    assert_eq!(table.ask("hello", Some("t")).await.winner.unwrap().as_str(), "bb");
    table.pool = table.pool.told(RouterCommand::Reactivate { arms: vec!["ccc".into()] });
    let next = table.ask("hello", Some("t")).await;
    assert_eq!(next.arms[0].arm.as_str(), "bb");
    assert!(next.arms[0].selected && next.arms[0].propensity > 1.0 - 1e-12);
    let sum: f64 = next.arms.iter().map(|arm| arm.propensity).sum();
    assert!((sum - 2.0).abs() < 1e-9, "{sum}");
    assert_eq!(next.winner.as_ref().unwrap().as_str(), "bb", "ccc is better by 0.1, less than the margin");
    let behind = |record: &RunRecord| record.policies.session.as_ref().and_then(|session| session.behind).unwrap();
    assert!((behind(&next) - 0.1).abs() < 1e-9, "{}", behind(&next));
    table.pool.config.policies.session.margin = 0.05;
    let sessions_begin_anew = table.pool.race();
    table.race = sessions_begin_anew;
    table.pool = table.pool.told(RouterCommand::Deactivate { arms: vec!["ccc".into()] });
    table.ask("hello", Some("t")).await;
    table.pool = table.pool.told(RouterCommand::Reactivate { arms: vec!["ccc".into()] });
    let left = table.ask("hello", Some("t")).await;
    assert_eq!(left.winner.as_ref().unwrap().as_str(), "ccc");
    let session = left.policies.session.unwrap();
    assert!(session.summary().contains("left bb: judged 0.100 below the best, margin 0.050"), "{session:?}");
}

#[tokio::test(start_paused = true)]
async fn strategies_are_assigned_at_random_by_share_and_recorded() {
    let mut pool = pool();
    pool.config.policies.experiment = vec![(Strategy::Race, 0.5), (Strategy::Direct, 0.5)];
    let mut table = Table::new(pool);
    let mut counts = [0_u32; 2];
    for _ in 0..100 {
        let record = table.ask("hello", None).await;
        let assigned = record.policies.experiment.unwrap();
        assert_eq!((assigned.strategy, assigned.share), (record.strategy, 0.5));
        counts[usize::from(assigned.strategy == Strategy::Direct)] += 1;
    }
    assert!(counts.iter().all(|count| (35..=65).contains(count)), "{counts:?}");
    let mut kinds = std::collections::BTreeSet::new();
    for _ in 0..10 {
        kinds.insert(table.ask("hello", Some("t")).await.strategy.name());
    }
    assert_eq!(kinds.len(), 1, "a conversation stays with its strategy");
    let mode = Mode { strategy: Some(Strategy::Baseline), ..Mode::default() };
    table.pool = table.pool.told(RouterCommand::SetMode { mode });
    let record = table.ask("hello", None).await;
    assert_eq!((record.strategy, record.policies.experiment), (Strategy::Baseline, None), "an operator comes first");
}
