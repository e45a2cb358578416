//! A decision and what it teaches allocate nothing once the buffers have grown: counted, not argued.

use banditop::bandit::{Contexts, Desk, RouterConfig, RouterState, router};
use banditop::domain::clock::Timestamp;
use banditop::domain::command::{Actor, AnswerOutcome, ArmObservation, LogEntry, Observation, RouterCommand};
use banditop::domain::context::FeatureBlock;
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::spec::{ArmSpec, Provider, RouterKind};
use banditop::domain::terms::Weights;

const D: usize = 12;
const ARMS: usize = 4;
/// Dimensions of an arm's own, where it has any.
const OWN: usize = 3;

fn entry(sequence: u64, command: RouterCommand) -> LogEntry {
    let at = Timestamp::from_millis(sequence);
    LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command }
}

fn spec(name: &ArmId) -> ArmSpec {
    ArmSpec {
        name: name.clone(),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: String::new(),
        api_key_env: None,
        price: None,
        enabled: true,
    }
}

fn quality(arm: &ArmId, quality: f64, signals: Vec<f64>, trial: bool, dollars: Option<f64>) -> ArmObservation {
    ArmObservation {
        arm: arm.clone(),
        signals,
        quality: Some(quality),
        preview: None,
        answer: dollars.map(|dollars| AnswerOutcome { dollars, fallback: 0.0 }),
        trial,
        win: false,
        served: true,
    }
}

fn allocations(kind: RouterKind, forgetting: f64, k: usize, own: usize, ceiling: Option<f64>) -> u64 {
    let mut rng = fastrand::Rng::with_seed(1);
    let block = |i: usize| [FeatureBlock::Length, FeatureBlock::Intent, FeatureBlock::Embedding][i % 3];
    let blocks = (0..D).map(|i| if i == 0 { FeatureBlock::Intercept } else { block(i) }).collect();
    let config = RouterConfig { d: D, blocks, forgetting, ..RouterConfig::default() };
    let mut state = RouterState::new(config, Weights::default(), 1.0, 0.05);
    let names: Vec<ArmId> = (0..ARMS).map(|i| ArmId::new(&format!("arm-{i}"))).collect();
    for (i, name) in names.iter().enumerate() {
        state.apply(&entry(i as u64 + 1, RouterCommand::AddArm { spec: spec(name) }));
    }
    state.apply(&entry(50, RouterCommand::SetBudget { dollars: ceiling }));
    let mut runs = |from: u64, count: u64| -> Vec<LogEntry> {
        (from..from + count)
            .map(|run| {
                let x = (0..D - own).map(|i| if i == 0 { 1.0 } else { rng.f64() - 0.5 }).collect();
                let at = usize::try_from(run).unwrap_or(0);
                let mut seen = |i| {
                    let signals = (0..own).map(|_| rng.f64()).collect();
                    let dollars = ceiling.map(|_| (i + 1) as f64 * rng.f64());
                    quality(&names[(at + i) % ARMS], rng.f64(), signals, k > 1, dollars)
                };
                let arms = (0..k).map(&mut seen).collect();
                let run = TimeId::new(Timestamp::from_millis(run), run);
                entry(at as u64 + 100, RouterCommand::Observe(Observation { spent_usd: None, run, x, arms }))
            })
            .collect()
    };
    // So many that what is remembered of runs is full and only replaced.
    let (before, counted) = (runs(0, 2_200), runs(2_200, 300));
    let router = router(kind);
    let mut desk = Desk::default();
    let signals = [0.3; OWN * ARMS];
    let mut draws = fastrand::Rng::with_seed(2);
    let mut decide = |state: &mut RouterState, entries: &[LogEntry]| {
        for entry in entries {
            if let RouterCommand::Observe(observation) = &entry.command {
                let contexts = match own {
                    0 => Contexts::same(&observation.x),
                    _ => Contexts::with_signals(&observation.x, &signals[..own * ARMS]),
                };
                router.select_on(&mut desk, state, contexts, &names, k, &mut || draws.f64());
            }
            router.bulk_update(state, entry);
        }
    };
    decide(&mut state, &before);
    allocation_counter::measure(|| decide(&mut state, &counted)).count_total
}

#[test]
fn a_decision_and_what_it_teaches_allocate_nothing() {
    let cases = [
        (RouterKind::Linucb, 1.0, 1, 0, None),
        (RouterKind::Linucb, 0.999, 3, 0, None),
        (RouterKind::Linucb, 0.99, 1, 0, None),
        (RouterKind::Lints, 0.999, 1, 0, None),
        (RouterKind::Linucb, 0.999, 1, OWN, None),
        (RouterKind::Linucb, 1.0, 3, OWN, None),
        (RouterKind::Lints, 0.99, 3, OWN, None),
        (RouterKind::Linucb, 0.999, 1, 0, Some(0.5)),
        (RouterKind::Lints, 1.0, 3, OWN, Some(2.0)),
    ];
    for (kind, forgetting, k, own, ceiling) in cases {
        let count = allocations(kind, forgetting, k, own, ceiling);
        let case = format!("{kind:?} γ {forgetting} k {k}, {own} signals, ceiling {ceiling:?}");
        assert_eq!(count, 0, "{case}: {count} allocations in 300 decisions");
    }
}
