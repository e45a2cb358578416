//! Values computed by others: two public implementations and a closed form.

use super::super::policies::LinUcb;
use super::super::router::Router;
use super::{Log, data, quality, quality_only, textbook};
use crate::domain::command::RouterCommand;
use crate::domain::record::ArmScore;

fn ucb(log: &Log, arm: &str, x: &[f64]) -> f64 {
    let estimate = log.state.estimate(arm, x).unwrap();
    log.state.alpha().mul_add(estimate.uncertainty, estimate.mean)
}

#[test]
fn mabwisers_public_tests_are_reproduced() {
    let rows: [(usize, f64, [f64; 5]); 10] = [
        (1, 0.0, [0.0, 1.0, 2.0, 3.0, 5.0]),
        (1, 0.0, [1.0, 1.0, 1.0, 1.0, 1.0]),
        (1, 1.0, [0.0, 0.0, 1.0, 0.0, 0.0]),
        (2, 0.0, [0.0, 2.0, 2.0, 3.0, 5.0]),
        (2, 0.0, [1.0, 3.0, 1.0, 1.0, 1.0]),
        (3, 0.0, [0.0, 0.0, 0.0, 0.0, 0.0]),
        (3, 0.0, [0.0, 1.0, 4.0, 3.0, 5.0]),
        (3, 1.0, [0.0, 1.0, 2.0, 4.0, 5.0]),
        (3, 1.0, [1.0, 2.0, 1.0, 1.0, 3.0]),
        (3, 1.0, [0.0, 2.0, 1.0, 0.0, 0.0]),
    ];
    let mut log = Log::new(textbook(5, 1.0), quality_only(), &["1", "2", "3"]);
    for (arm, reward, x) in rows {
        log.observe(&x, vec![quality(&arm.to_string(), reward)]);
    }
    let known = [
        ([0.0, 1.0, 2.0, 3.0, 5.0], [0.979_031_245_895_439_1, 1.161_770_623_943_883_2, 1.424_705_622_987_170_2]),
        ([1.0, 1.0, 1.0, 1.0, 1.0], [0.889_647_580_935_305_3, 0.923_364_043_088_837, 1.457_085_577_251_709]),
    ];
    for (x, expected) in known {
        for (arm, expected) in ["1", "2", "3"].into_iter().zip(expected) {
            assert!((ucb(&log, arm, &x) - expected).abs() < 1e-9, "{arm} at {x:?}");
        }
    }
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn rows(value: &serde_json::Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[test]
fn the_known_values_file_is_reproduced() {
    let Some(bytes) = data("linucb_known_values.json.gz") else { return };
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let d = usize::try_from(case["d"].as_u64().unwrap()).unwrap();
        let names: Vec<String> = (0..case["K"].as_u64().unwrap()).map(|arm| arm.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (gamma, expected) in [(1.0, case), (case["discount"]["gamma"].as_f64().unwrap(), &case["discount"])] {
            let mut config = textbook(d, case["l2_lambda"].as_f64().unwrap());
            config.forgetting = gamma;
            let mut log = Log::new(config, quality_only(), &names);
            log.state.alpha = case["alpha"].as_f64().unwrap();
            let arms = numbers(&case["arms"]);
            for ((x, arm), reward) in rows(&case["X"]).iter().zip(arms).zip(numbers(&case["rewards"])) {
                log.observe(x, vec![quality(&format!("{arm}"), reward)]);
            }
            // Forgetting nothing brings what is derived up to the last step.
            log.push(RouterCommand::Decay { factor: 1.0, arms: Vec::new() });
            for (x, ucbs) in rows(&case["queries"]).iter().zip(rows(&expected["ucb"])) {
                for (arm, known) in names.iter().zip(&ucbs) {
                    assert!((ucb(&log, arm, x) - known).abs() < 1e-9, "d {d} γ {gamma} {arm}");
                }
                let candidates = log.state.candidates();
                let chosen = LinUcb.select(&log.state, x, &candidates, 1, &mut || 0.5);
                let best = ucbs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let ArmScore { arm, score, .. } = &chosen.scores[0];
                assert!((score - best).abs() < 1e-9 && candidates.contains(arm));
            }
            for (arm, theta) in names.iter().zip(rows(&expected["theta"])) {
                for (i, known) in theta.iter().enumerate() {
                    let mut unit = vec![0.0; d];
                    unit[i] = 1.0;
                    assert!((log.state.estimate(arm, &unit).unwrap().mean - known).abs() < 1e-9);
                }
            }
        }
    }
}
