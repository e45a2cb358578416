//! Synthetic experiments of known truth.

use super::*;

fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    move || rng.f64()
}

/// `n` runs, half `race` with rewards better by `better`, judged where `judged`; prompts out of `prompts`.
fn log(n: u32, better: f64, prompts: u32, seed: u64) -> Experiment {
    let mut draw = uniforms(seed);
    let mut found = Experiment::default();
    for _ in 0..n {
        let is_race = draw() < 0.5;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of prompts")]
        let prompt = (draw() * f64::from(prompts)) as u32;
        // A prompt is as hard for either.
        let ease = f64::from(prompt.wrapping_mul(2_654_435_761) >> 16 & 0xff) / 255.0;
        let reward = 0.3 + 0.3 * ease + 0.1 * draw() + if is_race { better } else { 0.0 };
        let line = serde_json::json!({"prompt": format!("p{prompt}"), "quality": {}, "experiment": {
            "variant": if is_race { "race" } else { "direct" }, "share": 0.5, "reward": reward,
            "resolved": draw() < 0.9, "usd": if is_race { 0.003 } else { 0.001 }, "seconds": 1.0 + draw()}});
        found.line(line.to_string().as_bytes()).unwrap();
    }
    found
}

fn of(found: &SideBySide, measure: Measure) -> &VariantDifference {
    found.differences.iter().find(|difference| difference.measure == measure).unwrap()
}

#[test]
fn a_known_difference_is_found_and_none_is_not() {
    let found = log(400, 0.06, 1_000_000, 1).compare(&mut uniforms(2)).unwrap();
    assert_eq!((found.runs, found.variants.len(), found.differences.len()), (400, 2, 4));
    let reward = of(&found, Measure::Reward);
    assert_eq!((reward.variant.as_str(), reward.against.as_str(), reward.pairs), ("direct", "race", None));
    assert!(reward.significant && reward.ci95[0] <= -0.06 && -0.06 <= reward.ci95[1], "{reward:?}");
    assert!(of(&found, Measure::Usd).significant && (of(&found, Measure::Usd).mean + 0.002).abs() < 1e-12);
    for measure in [Measure::Resolved, Measure::Seconds] {
        let same = of(&found, measure);
        assert!(!same.significant && same.ci95[0] <= 0.0 && 0.0 <= same.ci95[1], "{same:?}");
    }
    let none = log(400, 0.0, 1_000_000, 3).compare(&mut uniforms(2)).unwrap();
    let reward = of(&none, Measure::Reward);
    assert!(!reward.significant && reward.ci95[0] <= 0.0 && 0.0 <= reward.ci95[1], "{reward:?}");
    let alarms = (0..40).filter(|seed| {
        let found = log(60, 0.0, 1_000_000, 100 + seed).compare(&mut uniforms(*seed)).unwrap();
        of(&found, Measure::Reward).p <= 0.05
    });
    assert!(alarms.count() <= 6, "about 2 of 40 expected");
}

#[test]
fn prompts_that_both_met_are_paired_and_tell_more() {
    let width = |prompts| {
        let found = log(300, 0.03, prompts, 5).compare(&mut uniforms(2)).unwrap();
        let reward = of(&found, Measure::Reward).clone();
        (reward.ci95[1] - reward.ci95[0], reward.pairs)
    };
    let (paired, pairs) = width(30);
    let (apart, none) = width(1_000_000);
    assert!(pairs.is_some_and(|pairs| (25..=30).contains(&pairs)) && none.is_none(), "{pairs:?}, {none:?}");
    assert!(paired < 0.6 * apart, "{paired} against {apart}");
}

#[test]
fn an_interval_of_each_variant_holds_its_truth() {
    let found = log(500, 0.1, 1_000_000, 7).compare(&mut uniforms(2)).unwrap();
    for (variant, truth) in found.variants.iter().zip([0.5, 0.6]) {
        let reward = variant.reward.unwrap();
        assert!(reward.lo <= truth && truth <= reward.hi && variant.judged == variant.n, "{variant:?}");
        assert!((variant.share - 0.5).abs() < 1e-12 && variant.p95_s.is_some_and(|p95| (1.9..2.0).contains(&p95)));
    }
    assert!(!found.shares_changed);
}

#[test]
fn what_is_not_judged_has_no_reward_and_one_variant_is_no_experiment() {
    let mut found = Experiment::default();
    let line = |variant: &str, share: f64| {
        format!(r#"{{"experiment":{{"variant":"{variant}","share":{share},"resolved":true,"usd":0,"seconds":1}}}}"#)
    };
    found.line(line("race", 0.5).as_bytes()).unwrap();
    found.line(b"{\"prompt\":\"p\",\"quality\":{\"a\":1}}").unwrap();
    found.line(b"").unwrap();
    assert_eq!(found.compare(&mut uniforms(1)), Err(ExperimentFault::TooFew { runs: 1, variants: 1 }));
    found.line(line("direct", 0.5).as_bytes()).unwrap();
    found.line(line("direct", 0.25).as_bytes()).unwrap();
    let compared = found.compare(&mut uniforms(1)).unwrap();
    assert_eq!((compared.unassigned, compared.shares_changed), (1, true));
    assert!(compared.variants.iter().all(|variant| variant.reward.is_none() && variant.judged == 0));
    assert_eq!(compared.differences.len(), 3, "nothing is said about reward");
    let broken = found.line(b"nonsense").unwrap_err().to_string();
    assert!(broken.starts_with("line 6: "), "{broken}");
    let odd = line("race", 0.5).replace("\"usd\":0", "\"usd\":-1");
    assert!(found.line(odd.as_bytes()).is_err());
}
