//! What a decision and an update cost, beside a flat, auto-vectorised loop that does the same flops.
//!
//! For a decision that is d(d+1)/2 multiply-adds an arm on packed values, its two dot products, and the
//! fold of the context; beside it the textbook's form over whole matrices. For an update it is what the
//! formulas ask for: Σxxᵀ, A⁻¹x and the rank-one change of A⁻¹ on packed values, and the columns.
//! `cargo bench --bench bandit`; the ratios are the times of a pair divided.

use std::hint::black_box;
use std::sync::Arc;

use banditop::bandit::{Contexts, Desk, LinTs, LinUcb, Outlays, Router, RouterConfig, RouterState, Side, what_if};
use banditop::domain::clock::Timestamp;
use banditop::domain::command::{Actor, ArmObservation, LogEntry, Observation, PreviewTerms, RouterCommand};
use banditop::domain::context::{ArmContexts, FeatureBlock};
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::spec::{ArmSpec, Provider, RouterKind, Strategy};
use banditop::domain::terms::Weights;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};

fn entry(sequence: u64, command: RouterCommand) -> LogEntry {
    let at = Timestamp::from_millis(sequence);
    LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command }
}

fn context(d: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
    (0..d).map(|i| if i == 0 { 1.0 } else { rng.f64() - 0.5 }).collect()
}

fn seen(arm: &ArmId, rng: &mut fastrand::Rng) -> ArmObservation {
    let preview = PreviewTerms {
        latency: rng.f64(),
        cost: rng.f64(),
        speed: rng.f64(),
        token_efficiency: rng.f64(),
        stability: 1.0,
    };
    ArmObservation {
        arm: arm.clone(),
        signals: Vec::new(),
        quality: Some(rng.f64()),
        preview: Some(preview),
        answer: None,
        trial: true,
        win: false,
        served: false,
    }
}

/// A pool of `arms` that has seen `runs` of every arm.
fn pool(d: usize, arms: usize, runs: u64, forgetting: f64) -> (RouterState, Vec<ArmId>, fastrand::Rng) {
    pool_of(FeatureBlock::Embedding, d, arms, runs, forgetting)
}

/// The same over dimensions of that block.
fn pool_of(
    block: FeatureBlock,
    d: usize,
    arms: usize,
    runs: u64,
    forgetting: f64,
) -> (RouterState, Vec<ArmId>, fastrand::Rng) {
    let mut rng = fastrand::Rng::with_seed(7);
    let blocks = (0..d).map(|i| if i == 0 { FeatureBlock::Intercept } else { block }).collect();
    let config = RouterConfig { d, blocks, forgetting, ..RouterConfig::default() };
    let weights = Weights::new([0.7, 0.2, 0.1, 0.0, 0.0, 0.0], 0.0).unwrap_or_default();
    let mut state = RouterState::new(config, weights, 1.0, 0.01);
    let names: Vec<ArmId> = (0..arms).map(|i| ArmId::new(&format!("arm-{i}"))).collect();
    for (i, name) in names.iter().enumerate() {
        let spec = ArmSpec {
            name: name.clone(),
            provider: Provider::Simulated,
            base_url: String::new(),
            model: String::new(),
            api_key_env: None,
            price: None,
            enabled: true,
        };
        state.apply(&entry(i as u64 + 1, RouterCommand::AddArm { spec }));
    }
    for run in 0..runs {
        let sequence = arms as u64 + 1 + run;
        let x = context(d, &mut rng);
        let seen = names.iter().map(|arm| seen(arm, &mut rng)).collect();
        let run = TimeId::new(Timestamp::from_millis(run), run);
        state.apply(&entry(sequence, RouterCommand::Observe(Observation { spent_usd: None, run, x, arms: seen })));
    }
    (state, names, rng)
}

fn flat_form(p: &[f64], w: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    for (p, w) in p.chunks_exact(8).zip(w.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += p[lane] * w[lane];
        }
    }
    lanes.iter().sum()
}

fn select(c: &mut Criterion) {
    let mut group = c.benchmark_group("select");
    for (d, arms) in [(8, 5), (26, 3), (32, 8), (64, 32)] {
        let (state, names, mut rng) = pool(d, arms, 100, 1.0);
        let x = context(d, &mut rng);
        let size = format!("d{d}_arms{arms}");
        for k in [1, 3] {
            group.bench_function(BenchmarkId::new(format!("linucb_k{k}"), &size), |b| {
                let mut desk = Desk::default();
                b.iter(|| {
                    LinUcb.select_on(&mut desk, &state, Contexts::same(black_box(&x)), &names, k, &mut || 0.5);
                });
            });
        }
        for k in [1, 3] {
            group.bench_function(BenchmarkId::new(format!("lints_k{k}"), &size), |b| {
                let mut desk = Desk::default();
                b.iter(|| {
                    let contexts = Contexts::same(black_box(&x));
                    LinTs.select_on(&mut desk, &state, contexts, &names, k, &mut || rng.f64());
                });
            });
        }
        // The same flops as a decision: the fold of x, a packed form and two dot products an arm.
        let packed = d * (d + 1) / 2;
        let forms: Vec<Vec<f64>> = (0..arms).map(|i| vec![i as f64 * 0.1; packed + 2 * d]).collect();
        let source = vec![0.3; packed];
        let mut w = vec![0.3; packed + 2 * d];
        group.bench_function(BenchmarkId::new("flat_loop", &size), |b| {
            b.iter(|| {
                let factor = black_box(0.3);
                w.iter_mut().zip(black_box(&source)).for_each(|(w, s)| *w = factor * s);
                forms.iter().map(|p| flat_form(black_box(p), &w)).fold(0.0, f64::max)
            });
        });
        // The textbook's xᵀA⁻¹x over whole matrices: twice the flops of the packed form.
        let whole: Vec<Vec<f64>> = (0..arms).map(|i| vec![i as f64 * 0.1; d * d]).collect();
        let w = vec![0.3; d * d];
        group.bench_function(BenchmarkId::new("flat_whole_matrix", &size), |b| {
            b.iter(|| whole.iter().map(|p| flat_form(black_box(p), black_box(&w))).fold(0.0, f64::max));
        });
    }
    group.finish();
}

fn update(c: &mut Criterion) {
    let mut group = c.benchmark_group("update");
    for (d, forgetting) in [(8, 1.0), (26, 1.0), (26, 0.999), (32, 1.0), (64, 1.0)] {
        let (mut state, names, mut rng) = pool(d, 8, 100, forgetting);
        let entries: Vec<LogEntry> = (0..512)
            .map(|i| {
                let run = TimeId::new(Timestamp::from_millis(1), i);
                let arms = vec![seen(&names[0], &mut rng)];
                entry(
                    1_000 + i,
                    RouterCommand::Observe(Observation { spent_usd: None, run, x: context(d, &mut rng), arms }),
                )
            })
            .collect();
        let mut next = 0;
        group.bench_function(BenchmarkId::new("one_arm", format!("d{d}_gamma{forgetting}")), |b| {
            b.iter(|| {
                state.apply(&entries[next]);
                next = (next + 1) % entries.len();
            });
        });
        let shared = state.clone();
        group.bench_function(BenchmarkId::new("one_arm_published", format!("d{d}_gamma{forgetting}")), |b| {
            b.iter_batched_ref(|| shared.clone(), |state| state.apply(&entries[0]), BatchSize::SmallInput);
        });
        let x = context(d, &mut rng);
        let (mut data, mut inverse) = (vec![0.1; d * d], vec![0.1; d * d]);
        let mut k = vec![0.0; d];
        let mut columns = vec![0.0; 3 * 6 * d];
        group.bench_function(BenchmarkId::new("flat_loop", format!("d{d}_gamma{forgetting}")), |b| {
            b.iter(|| {
                let x = black_box(&x);
                // Half of a matrix for Σxxᵀ, a whole one for A⁻¹x, half of one for A⁻¹'s change.
                for (row, xi) in data.chunks_exact_mut(d).take(d.div_ceil(2)).zip(x) {
                    row.iter_mut().zip(x).for_each(|(a, b)| *a += xi * b);
                }
                for (row, xi) in inverse.chunks_exact(d).zip(x) {
                    k.iter_mut().zip(row).for_each(|(a, b)| *a += xi * b);
                }
                for (row, xi) in inverse.chunks_exact_mut(d).take(d.div_ceil(2)).zip(x) {
                    row.iter_mut().zip(x).for_each(|(a, b)| *a -= 1e-9 * xi * b);
                }
                for (column, xi) in columns.chunks_exact_mut(d).zip(x.iter().cycle()) {
                    column.iter_mut().zip(x).for_each(|(a, b)| *a += xi * b);
                }
                black_box(&k);
            });
        });
    }
    group.finish();
}

/// What is taught: the quality of one arm, one response group.
fn taught(d: usize, names: &[ArmId], count: u64, rng: &mut fastrand::Rng) -> Vec<LogEntry> {
    (0..count)
        .map(|i| {
            let run = TimeId::new(Timestamp::from_millis(1), i);
            let arm = &names[usize::try_from(i).unwrap_or(0) % names.len()];
            let arms = vec![ArmObservation { preview: None, ..seen(arm, rng) }];
            entry(1_000 + i, RouterCommand::Observe(Observation { spent_usd: None, run, x: context(d, rng), arms }))
        })
        .collect()
}

/// Times a selection among `names` and the fold of what it taught, over `entries` again and again, from a state that
/// has seen them all once.
fn decide_and_learn(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    state: &mut RouterState,
    names: &[ArmId],
    entries: &[LogEntry],
) {
    for entry in entries {
        state.apply(entry);
    }
    let (mut desk, mut next) = (Desk::default(), 0);
    group.bench_function(id, |b| {
        b.iter(|| {
            let entry = &entries[next];
            next = (next + 1) % entries.len();
            if let RouterCommand::Observe(observation) = &entry.command {
                let contexts = Contexts::same(&observation.x);
                LinUcb.select_on(&mut desk, state, contexts, names, 1, &mut || 0.5);
            }
            state.apply(entry);
        });
    });
}

/// A whole decision, select and update with forgetting, as the pool and the context grow: linear in arms,
/// quadratic in dimensions. One response group: quality is all that counts. The flat loop beside it does the flops of the fold, the packed forms, Σxxᵀ, A⁻¹x,
/// the change of A⁻¹, and a share of d³/2 multiply-adds for the inversion every d/4 observations.
fn decision(c: &mut Criterion) {
    let mut group = c.benchmark_group("decision");
    for (d, arms) in [(26, 3), (35, 8), (64, 32), (64, 8), (64, 16), (16, 8), (32, 8)] {
        for forgetting in [1.0, 0.999, 0.99] {
            let (mut state, names, mut rng) = pool(d, arms, 0, forgetting);
            let quality = Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap_or_default();
            state.apply(&entry(arms as u64 + 1, RouterCommand::SetWeights { weights: quality }));
            let entries = taught(d, &names, 2_560, &mut rng);
            let id = BenchmarkId::new(format!("gamma{forgetting}"), format!("d{d}_arms{arms}"));
            decide_and_learn(&mut group, id, &mut state, &names, &entries);
        }
        let packed = d * (d + 1) / 2;
        let forms: Vec<Vec<f64>> = (0..arms).map(|i| vec![i as f64 * 0.1; packed + 2 * d]).collect();
        let mut w = vec![0.3; packed + 2 * d];
        let source = vec![0.3; packed];
        let mut p = vec![0.1; packed];
        // Σxxᵀ, A⁻¹x (twice) and the change of A⁻¹; with forgetting also what 4/d of d³/2 comes to.
        for (name, passes) in [("flat_loop_gamma1", 4), ("flat_loop_forgetting", 4 + 4)] {
            group.bench_function(BenchmarkId::new(name, format!("d{d}_arms{arms}")), |b| {
                b.iter(|| {
                    let factor = black_box(0.3);
                    w.iter_mut().zip(black_box(&source)).for_each(|(w, s)| *w = factor * s);
                    for _ in 0..passes {
                        p.iter_mut().zip(black_box(&source)).for_each(|(p, s)| *p += 1e-9 * s);
                    }
                    forms.iter().map(|p| flat_form(black_box(p), &w)).fold(0.0, f64::max)
                });
            });
        }
    }
    group.finish();
}

/// What slopes in common cost: the same decision over dimensions that arms have in common, readings and all, from
/// 2,560 observations on; and one reading (with the refresh that a decay is).
fn common(c: &mut Criterion) {
    let mut group = c.benchmark_group("common");
    for (d, arms) in [(10, 4), (26, 3), (35, 8), (64, 32)] {
        let size = format!("d{d}_arms{arms}");
        for forgetting in [1.0, 0.999] {
            let (mut state, names, mut rng) = pool_of(FeatureBlock::Length, d, arms, 0, forgetting);
            let entries = taught(d, &names, 2_560, &mut rng);
            let id = BenchmarkId::new(format!("decision_gamma{forgetting}"), &size);
            decide_and_learn(&mut group, id, &mut state, &names, &entries);
        }
        let (mut state, names, mut rng) = pool_of(FeatureBlock::Length, d, arms, 0, 1.0);
        for entry in &taught(d, &names, 2_560, &mut rng) {
            state.apply(entry);
        }
        let read = entry(1, RouterCommand::Decay { factor: 1.0, arms: Vec::new() });
        group.bench_function(BenchmarkId::new("reading", &size), |b| b.iter(|| state.apply(&read)));
    }
    group.finish();
}

fn forecast(c: &mut Criterion) {
    let (state, _, mut rng) = pool(8, 10, 200, 1.0);
    let contexts: Vec<Arc<ArmContexts>> = (0..500).map(|_| Arc::new(context(8, &mut rng).into())).collect();
    let mut paced = state.clone();
    paced.apply(&entry(2_000_000, RouterCommand::SetBudget { dollars: Some(0.000_5) }));
    for (name, state) in [("free", &state), ("under_a_ceiling", &paced)] {
        let (router, strategy, now) = (RouterKind::Linucb, Strategy::Race, Timestamp::default());
        let side = Side { state, router, strategy, k: 3, now };
        c.bench_function(&format!("what_if/500_contexts_10_arms_k3/{name}"), |b| {
            b.iter(|| what_if(side, side, black_box(&contexts), &Outlays::default()));
        });
    }
}

criterion_group!(benches, select, update, decision, common, forecast);
criterion_main!(benches);
