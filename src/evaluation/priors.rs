//! Priors from recorded outcomes: what every arm showed, worth as many observations as one says.
//!
//! ```text
//! s = N ÷ n      D = s Σ x xᵀ      B = s Σ x t      M = s Σ t²
//! ```
//!
//! over the n rows that have the arm, with N at most n: a prior is never surer than what it was fitted on.
//! These are the sufficient statistics that the router keeps, scaled, so that adding them to an empty arm
//! equals having seen the rows and then forgotten all but a share s of them; nothing is inverted here. The
//! mean that follows is the ridge solution under whatever prior the router itself has.

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::statistics::mean;
use crate::bandit::prior_fault;
use crate::domain::ids::ArmId;
use crate::domain::prior::{ArmPrior, ResponsePrior};

/// What the file says it is.
const FORMAT: &str = "banditop priors";
/// The form that is written, and the newest that is read.
const VERSION: u32 = 1;

/// Priors of all arms under one schema, as they are kept in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priors {
    format: String,
    version: u32,
    /// The schema's version: under another one they mean nothing.
    pub feature_version: String,
    /// The schema's names, for a person.
    pub features: Vec<String>,
    /// Values in a context.
    pub d: usize,
    /// Observations that each arm's prior is worth at most.
    pub n_effective: f64,
    /// One an arm that was recorded, in the order of the file.
    pub arms: Vec<FittedArm>,
}

/// One arm as it was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedArm {
    /// Rows that it was fitted on.
    pub rows: usize,
    /// Its mean quality there. Of a log of runs every row weighs 1 ÷ the probability with which the arm was seen on it,
    /// as it would otherwise be the mean of those prompts for which it was chosen.
    pub mean_quality: f64,
    /// Its mean dollars there; null where a row lacks them.
    pub mean_usd: Option<f64>,
    /// What a router is told.
    #[serde(flatten)]
    pub prior: ArmPrior,
}

/// Why no priors can be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PriorsFault {
    /// Worth nothing, or not a number.
    #[error("the effective sample size is {found}: expected a number above 0, of at most a million")]
    EffectiveSize {
        /// As given.
        found: f64,
    },
    /// The text is something else.
    #[error("these are no priors: {0}")]
    NoPriors(String),
    /// Written by a newer program.
    #[error("these priors have form {found}, this program reads up to {VERSION}: update banditop")]
    Newer {
        /// The form found.
        found: u32,
    },
    /// Sums that no outcomes could have had; one line an arm.
    #[error("{}", .0.join("\n"))]
    Impossible(Vec<String>),
}

/// What is looked at before anything else.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Priors {
    /// Reads what [`Priors::text`] wrote.
    ///
    /// # Errors
    /// [`PriorsFault`]: no priors, of a newer form, or every arm whose numbers cannot be.
    pub fn read(text: &str) -> Result<Self, PriorsFault> {
        let unread = |fault: serde_json::Error| PriorsFault::NoPriors(fault.to_string());
        let head: Head = serde_json::from_str(text).map_err(unread)?;
        if head.format != FORMAT {
            return Err(PriorsFault::NoPriors(format!("expected the format {FORMAT:?}, found {:?}", head.format)));
        }
        if head.version > VERSION {
            return Err(PriorsFault::Newer { found: head.version });
        }
        let priors: Self = serde_json::from_str(text).map_err(unread)?;
        let fault = |arm: &FittedArm| Some(format!("{}: {}", arm.prior.arm, prior_fault(&arm.prior, priors.d)?));
        let again = |at: usize| {
            let arm = &priors.arms[at].prior.arm;
            priors.arms[..at].iter().any(|other| other.prior.arm == *arm).then(|| format!("{arm}: is there twice"))
        };
        let mut faults: Vec<String> = priors.arms.iter().filter_map(fault).collect();
        faults.extend((0..priors.arms.len()).filter_map(again));
        if faults.is_empty() { Ok(priors) } else { Err(PriorsFault::Impossible(faults)) }
    }

    /// As they are kept in a file.
    ///
    /// # Errors
    /// Never, as plain data goes.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// What routers are told, by arm.
    #[must_use]
    pub fn beliefs(&self) -> Vec<ArmPrior> {
        self.arms.iter().map(|arm| arm.prior.clone()).collect()
    }
}

/// The priors of every recorded arm, each worth `n_effective` observations, or as many as there are rows.
///
/// # Errors
/// [`PriorsFault`] where `n_effective` is no number above 0.
pub fn fit(problem: &Problem, n_effective: f64) -> Result<Priors, PriorsFault> {
    if !(n_effective > 0.0 && n_effective <= 1e6) {
        return Err(PriorsFault::EffectiveSize { found: n_effective });
    }
    let arms = problem.arms().iter().enumerate();
    Ok(Priors {
        format: FORMAT.to_owned(),
        version: VERSION,
        feature_version: problem.schema().version.clone(),
        features: problem.schema().names.clone(),
        d: problem.dimensions(),
        n_effective,
        arms: arms.filter_map(|(at, arm)| fit_arm(problem, at, arm, n_effective)).collect(),
    })
}

fn fit_arm(problem: &Problem, at: usize, arm: &ArmId, n_effective: f64) -> Option<FittedArm> {
    let seen = (0..problem.rows()).filter_map(|row| Some((problem.context(row), problem.outcome(row, at)?)));
    let seen: Vec<_> = seen.collect();
    if seen.is_empty() {
        return None;
    }
    let n = n_effective.min(seen.len() as f64);
    let scale = n / seen.len() as f64;
    let d = problem.dimensions();
    let mut data = Vec::with_capacity(d * (d + 1) / 2);
    for i in 0..d {
        data.extend((0..=i).map(|j| scale * seen.iter().map(|(x, _)| x[i] * x[j]).sum::<f64>()));
    }
    let response = |values: &[f64]| {
        let over = |i: usize| scale * seen.iter().zip(values).map(|((x, _), t)| x[i] * t).sum::<f64>();
        ResponsePrior { sums: (0..d).map(over).collect(), squares: scale * values.iter().map(|t| t * t).sum::<f64>() }
    };
    let qualities: Vec<f64> = seen.iter().map(|(_, outcome)| outcome.quality).collect();
    let dollars = seen.iter().map(|(_, outcome)| outcome.dollars).collect::<Option<Vec<f64>>>();
    let prior = ArmPrior {
        n,
        data,
        quality: Some(response(&qualities)),
        dollars: dollars.as_deref().map(response),
        ..ArmPrior::none(arm.clone())
    };
    let mean_quality = mean_of_any_prompt(problem, at).or_else(|| mean(&qualities)).unwrap_or(0.0);
    Some(FittedArm { rows: seen.len(), mean_quality, mean_usd: dollars.as_deref().and_then(mean), prior })
}

/// The self-normalised mean over a log; `None` where it is none, or no row says with which chance the arm was seen.
fn mean_of_any_prompt(problem: &Problem, arm: usize) -> Option<f64> {
    let weighed = (0..problem.rows()).filter_map(|row| {
        let chance = problem.propensities(row).get(arm).copied().flatten().filter(|chance| *chance > 0.0)?;
        Some((problem.outcome(row, arm)?.quality, 1.0 / chance))
    });
    let (sum, weight) = weighed.fold((0.0, 0.0), |(sum, n), (quality, w)| (sum + w * quality, n + w));
    (weight > 0.0).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use super::super::{ContextSource, Counting, Records};
    use super::*;

    const ROWS: [&str; 2] = [
        r#"{"prompt":"p","x":[1,2],"quality":{"a":0.5,"b":1},"cost_usd":{"a":0.1}}"#,
        r#"{"prompt":"q","x":[1,4],"quality":{"a":1},"cost_usd":{"a":0.3}}"#,
    ];

    fn priors(n_effective: f64) -> Result<Priors, PriorsFault> {
        let records = Records::parse(ROWS.join("\n").as_bytes()).unwrap();
        fit(&Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap(), n_effective)
    }

    #[test]
    fn a_prior_is_the_scaled_sums() {
        let found = priors(1.0).unwrap();
        let a = &found.arms[0];
        // Half of Σxxᵀ = [2; 6 20], Σxq = [1.5, 5], Σq² = 1.25.
        assert_eq!((a.rows, a.prior.n, a.prior.data.as_slice()), (2, 1.0, [1.0, 3.0, 10.0].as_slice()));
        let quality = a.prior.quality.as_ref().unwrap();
        assert_eq!((quality.sums.as_slice(), quality.squares), ([0.75, 2.5].as_slice(), 0.625));
        assert!((a.mean_quality - 0.75).abs() < 1e-12 && (a.mean_usd.unwrap() - 0.2).abs() < 1e-12);
        assert_eq!((&found.arms[1].prior.dollars, found.arms[1].mean_usd), (&None, None), "b has no price");
        assert_eq!(Priors::read(&found.text().unwrap()).unwrap(), found);
    }

    #[test]
    fn the_mean_of_a_log_is_that_of_any_prompt() {
        // `a` is chosen nine times in ten where it is good, once in ten where it is not.
        let row = |x: u8, arm: &str, quality: f64, p: f64| {
            format!(r#"{{"x":[1,{x}],"quality":{{"{arm}":{quality}}},"propensity":{{"a":{p},"b":{}}}}}"#, 1.0 - p)
        };
        let mut rows = vec![row(0, "b", 0.5, 0.9), row(1, "a", 0.2, 0.1)];
        rows.extend((0..9).flat_map(|_| [row(0, "a", 1.0, 0.9), row(1, "b", 0.5, 0.1)]));
        let records = Records::parse(rows.join("\n").as_bytes()).unwrap();
        let problem = Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap();
        let found = fit(&problem, 10.0).unwrap();
        assert!((found.arms[0].mean_quality - 0.6).abs() < 1e-9, "{}", found.arms[0].mean_quality);
    }

    #[test]
    fn a_prior_is_never_surer_than_its_rows() {
        let found = priors(1_000.0).unwrap();
        assert_eq!(found.arms.iter().map(|arm| arm.prior.n).collect::<Vec<_>>(), [2.0, 1.0]);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(priors(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_is_refused_with_every_reason() {
        let good = priors(1.0).unwrap();
        let text = good.text().unwrap();
        for (bad, words) in [
            ("{".to_owned(), "these are no priors: EOF"),
            (text.replace(FORMAT, "soup"), "found \"soup\""),
            (text.replace("\"version\": 1", "\"version\": 2"), "form 2"),
        ] {
            let found = Priors::read(&bad).unwrap_err().to_string();
            assert!(found.contains(words), "{found}");
        }
        let mut twice = good.clone();
        twice.arms.push(twice.arms[0].clone());
        assert_eq!(Priors::read(&twice.text().unwrap()).unwrap_err().to_string(), "a: is there twice");
        let mut odd = good;
        odd.arms[0].prior.n = -1.0;
        odd.arms[1].prior.data.clear();
        let found = Priors::read(&odd.text().unwrap()).unwrap_err().to_string();
        assert!(found.contains("a: `n` is -1") && found.contains("\nb: `data` has 0 numbers"), "{found}");
    }
}
