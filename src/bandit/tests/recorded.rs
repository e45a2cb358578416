//! Recorded outcomes of real models, where they are at hand: one online pass, one arm's quality seen per
//! prompt. A few passes always; `cargo test --release --lib recorded -- --ignored --nocapture` for more.

use super::super::config::RouterConfig;
use super::super::router::router;
use super::{Log, data, quality, quality_only};
use crate::domain::chat::ChatRequest;
use crate::domain::command::RouterCommand;
use crate::domain::context::FeatureBlock;
use crate::domain::spec::RouterKind;
use crate::features::{FeatureExtractor, LengthFeatures};

pub(super) struct Recorded {
    arms: Vec<String>,
    /// Context and quality by arm.
    rows: Vec<(Vec<f64>, Vec<f64>)>,
    blocks: Vec<FeatureBlock>,
}

pub(super) fn read(file: &str) -> Option<Recorded> {
    let bytes = data(file)?;
    let features = LengthFeatures::new(2_000);
    let mut recorded = Recorded { arms: Vec::new(), rows: Vec::new(), blocks: features.schema().blocks.clone() };
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let row: serde_json::Value = serde_json::from_slice(line).unwrap();
        let qualities = row["quality"].as_object().unwrap();
        if recorded.arms.is_empty() {
            recorded.arms = qualities.keys().cloned().collect();
        }
        let context = features.compute(&ChatRequest::from_prompt(row["prompt"].as_str().unwrap()));
        let by_arm = recorded.arms.iter().map(|arm| qualities[arm].as_f64().unwrap()).collect();
        recorded.rows.push((context.x, by_arm));
    }
    Some(recorded)
}

impl Recorded {
    fn order(&self, seed: u64) -> (Vec<usize>, fastrand::Rng) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        rng.shuffle(&mut order);
        (order, rng)
    }

    /// Mean served quality of one pass.
    fn pass(&self, config: &RouterConfig, kind: RouterKind, alpha: f64, k: usize, seed: u64) -> f64 {
        let (order, mut rng) = self.order(seed);
        let config = RouterConfig { d: self.blocks.len(), blocks: self.blocks.clone(), ..config.clone() };
        let names: Vec<&str> = self.arms.iter().map(String::as_str).collect();
        let mut log = Log::new(config, quality_only(), &names);
        log.push(RouterCommand::SetExploration { alpha: Some(alpha), explore_share: Some(0.001) });
        let router = router(kind);
        let candidates = log.state.candidates();
        let mut total = 0.0;
        for row in order {
            let (x, qualities) = &self.rows[row];
            let chosen = router.select(&log.state, x, &candidates, k, &mut || rng.f64());
            let shown: Vec<(usize, f64)> = chosen
                .scores
                .iter()
                .filter(|score| score.selected)
                .map(|score| self.arms.iter().position(|arm| arm == score.arm.as_str()).unwrap())
                .map(|arm| (arm, qualities[arm]))
                .collect();
            total += shown.iter().map(|(_, q)| *q).fold(0.0, f64::max);
            log.entries.clear();
            log.observe(x, shown.iter().map(|(arm, q)| quality(&self.arms[*arm], *q)).collect());
        }
        total / self.rows.len() as f64
    }

    fn epsilon_greedy(&self, seed: u64) -> f64 {
        let (order, mut rng) = self.order(seed);
        let mut sums = vec![(0.0, 0.0); self.arms.len()];
        let mut total = 0.0;
        for row in order {
            let mean = |(sum, n): &(f64, f64)| if *n > 0.0 { sum / n } else { f64::INFINITY };
            let best = (0..sums.len()).max_by(|a, b| mean(&sums[*a]).total_cmp(&mean(&sums[*b]))).unwrap();
            let arm = if rng.f64() < 0.1 { rng.usize(0..sums.len()) } else { best };
            let q = self.rows[row].1[arm];
            sums[arm].0 += q;
            sums[arm].1 += 1.0;
            total += q;
        }
        total / self.rows.len() as f64
    }
}

fn summary(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().copied().fold(f64::INFINITY, f64::min))
}

/// Prints what the defaults reach, and holds that of the policies in `held` no pass ends more than 0.005
/// below the mean of ε-greedy.
fn is_no_trap(file: &str, shuffles: u64, held: &[RouterKind]) {
    let Some(recorded) = read(file) else { return };
    let greedy: Vec<f64> = (0..20).map(|seed| recorded.epsilon_greedy(seed)).collect();
    let (greedy, greedy_worst) = summary(&greedy);
    println!("{file}: ε-greedy(0.1) {greedy:.4}, worst {greedy_worst:.4}");
    for (kind, alpha) in [(RouterKind::Linucb, 0.5), (RouterKind::Lints, 0.3)] {
        let pass = |seed| recorded.pass(&RouterConfig::default(), kind, alpha, 1, seed);
        let passes: Vec<f64> = (0..shuffles).map(pass).collect();
        let (mean, worst) = summary(&passes);
        println!("  {kind:?} α {alpha}: {mean:.4}, worst {worst:.4} of {shuffles}");
        assert!(worst > greedy - 0.005 || !held.contains(&kind), "{file} {kind:?}: {worst} against {greedy}");
    }
}

#[test]
fn a_few_passes_are_no_trap() {
    let both = [RouterKind::Linucb, RouterKind::Lints];
    is_no_trap("pareto4_val.jsonl.gz", 2, &both);
    is_no_trap("routellm_gsm8k.jsonl.gz", 4, &both);
}

#[test]
#[ignore = "long: run it in release, with --nocapture for the figures"]
fn twenty_passes_are_no_trap() {
    let both = [RouterKind::Linucb, RouterKind::Lints];
    is_no_trap("pareto4_val.jsonl.gz", 20, &both);
    is_no_trap("routellm_gsm8k.jsonl.gz", 20, &both);
    is_no_trap("routellm_mmlu.jsonl.gz", 20, &both);
}

#[test]
#[ignore = "long: run it in release, with --nocapture for the figures"]
fn a_race_beats_the_best_single_arm() {
    let Some(recorded) = read("pareto4_val.jsonl.gz") else { return };
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        for k in [2, 3] {
            let pass = |seed| recorded.pass(&RouterConfig::default(), kind, 1.0, k, seed);
            let (mean, worst) = summary(&(0..20).map(pass).collect::<Vec<f64>>());
            println!("{kind:?} k {k}: {mean:.4}, worst {worst:.4}");
            assert!(worst > 0.9356 + 0.01, "the best single arm has .9356");
        }
    }
}

#[test]
#[ignore = "prints what other settings give; run by hand"]
fn other_settings() {
    for file in ["pareto4_val.jsonl.gz", "routellm_gsm8k.jsonl.gz", "routellm_mmlu.jsonl.gz"] {
        let Some(recorded) = read(file) else { return };
        for (kind, alpha) in
            [(RouterKind::Linucb, 0.4), (RouterKind::Linucb, 0.6), (RouterKind::Lints, 0.25), (RouterKind::Lints, 0.5)]
        {
            for intent in [30.0, 100.0, 300.0] {
                let mut config = RouterConfig::default();
                config.prior.lambda_intent = intent;
                let pass = |seed| recorded.pass(&config, kind, alpha, 1, seed);
                let (mean, worst) = summary(&(0..20).map(pass).collect::<Vec<f64>>());
                println!("{file} {kind:?} α {alpha} λ intent {intent}: {mean:.4}, worst {worst:.4}");
            }
        }
    }
}
