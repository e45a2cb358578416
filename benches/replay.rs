//! Replay speed: decisions per second of one pass at d = 26 with 3 arms, on one core, select and update
//! together, each router and the references. `cargo bench --bench replay`; a decision is one request.
//!
//! A replay keeps no propensities; what LinTS pays for them where they are kept (the live race: an integral for
//! one arm, 256 further draws for a set) is `lints_k1` and `lints_k3` in `benches/bandit.rs`.

use banditop::bandit::RouterConfig;
use banditop::domain::spec::{RouterKind, SetChoice};
use banditop::evaluation::{
    Contestant, ContextSource, Counting, Options, Problem, Records, Replay, RouterSetup, Uniforms,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: usize = 2_000;
const DIMENSIONS: usize = 26;

/// Three arms whose quality depends on a few of the dimensions.
fn problem() -> Problem {
    let mut rng = fastrand::Rng::with_seed(26);
    let line = |_| {
        let x: Vec<f64> = (0..DIMENSIONS).map(|i| if i == 0 { 1.0 } else { rng.f64() - 0.5 }).collect();
        let quality: Vec<f64> = (1..=3).map(|arm| (0.6 + x[arm] + 0.2 * rng.f64()).clamp(0.0, 1.0)).collect();
        serde_json::json!({"prompt": "", "x": x, "quality": {"a": quality[0], "b": quality[1], "c": quality[2]}})
            .to_string()
    };
    let lines: Vec<String> = (0..ROWS).map(line).collect();
    let records = Records::parse(lines.join("\n").as_bytes()).unwrap_or_default();
    let problem = Problem::new(&records, ContextSource::Recorded, Counting::quality_alone());
    problem.unwrap_or_else(|fault| unreachable!("{fault}"))
}

fn uniforms(seed: u64) -> Uniforms {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move || rng.f64())
}

fn router(kind: RouterKind, forgetting: f64) -> Contestant {
    let config = RouterConfig { forgetting, ..RouterConfig::default() };
    let setup = RouterSetup {
        kind,
        // As shipped.
        alpha: if kind == RouterKind::Lints { 0.24 } else { 0.45 },
        explore_share: 0.001,
        config,
        set: SetChoice::ExpectedBest,
        budget: None,
        priors: Vec::new(),
    };
    Contestant::Router(Box::new(setup))
}

fn replays(criterion: &mut Criterion) {
    let problem = problem();
    let options = Options { shuffles: 1, ..Options::default() };
    let replay = Replay { problem: &problem, warm: None, options: &options, generator: &uniforms };
    let mut group = criterion.benchmark_group("replay d=26 n=3");
    group.throughput(Throughput::Elements(ROWS as u64));
    let contestants = [
        ("gamma1", router(RouterKind::Linucb, 1.0)),
        ("gamma0.999", router(RouterKind::Linucb, 0.999)),
        ("gamma0.99", router(RouterKind::Linucb, 0.99)),
        ("gamma0.999", router(RouterKind::Lints, 0.999)),
        ("", Contestant::EpsilonGreedy),
        ("", Contestant::Uniform),
    ];
    for (what, contestant) in contestants {
        let maker = contestant.maker(&problem, 1);
        group.bench_function(format!("{} {what}", contestant.name().text()).trim_end(), |bencher| {
            bencher.iter(|| replay.run(&*maker, &mut |_, _| true));
        });
    }
    group.finish();
}

criterion_group!(benches, replays);
criterion_main!(benches);
