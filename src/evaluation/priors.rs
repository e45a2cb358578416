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
use crate::domain::ids::ArmId;

/// Priors of all arms under one schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priors {
    /// The schema's version: under another one they mean nothing.
    pub feature_version: String,
    /// Values in a context.
    pub d: usize,
    /// One an arm that was recorded, in the order of the file.
    pub arms: Vec<ArmPrior>,
}

/// What is believed of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmPrior {
    /// Which.
    pub arm: ArmId,
    /// Rows that it was fitted on.
    pub rows: usize,
    /// Observations that it is worth.
    pub n_effective: f64,
    /// D, the lower triangle by rows: d(d+1)/2 values.
    pub data: Vec<f64>,
    /// Of the quality in [0, 1].
    pub quality: ResponsePrior,
    /// Of the dollars of a full answer; absent where a row lacks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dollars: Option<ResponsePrior>,
}

/// Sums of one response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponsePrior {
    /// Its mean over the rows.
    pub mean: f64,
    /// B: d values.
    pub sums: Vec<f64>,
    /// M.
    pub squares: f64,
}

/// Why no priors can be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PriorsFault {
    /// Worth nothing, or not a number.
    #[error("the effective sample size is {found}: expected a number above 0")]
    EffectiveSize {
        /// As given.
        found: f64,
    },
}

/// The priors of every recorded arm, each worth `n_effective` observations, or as many as there are rows.
///
/// # Errors
/// [`PriorsFault`] where `n_effective` is no number above 0.
pub fn fit(problem: &Problem, n_effective: f64) -> Result<Priors, PriorsFault> {
    if !n_effective.is_finite() || n_effective <= 0.0 {
        return Err(PriorsFault::EffectiveSize { found: n_effective });
    }
    let arms = problem.arms().iter().enumerate();
    Ok(Priors {
        feature_version: problem.schema().version.clone(),
        d: problem.dimensions(),
        arms: arms.filter_map(|(at, arm)| fit_arm(problem, at, arm, n_effective)).collect(),
    })
}

fn fit_arm(problem: &Problem, at: usize, arm: &ArmId, n_effective: f64) -> Option<ArmPrior> {
    let seen = (0..problem.rows()).filter_map(|row| Some((problem.context(row), problem.outcome(row, at)?)));
    let seen: Vec<_> = seen.collect();
    if seen.is_empty() {
        return None;
    }
    let n_effective = n_effective.min(seen.len() as f64);
    let scale = n_effective / seen.len() as f64;
    let d = problem.dimensions();
    let mut data = Vec::with_capacity(d * (d + 1) / 2);
    for i in 0..d {
        data.extend((0..=i).map(|j| scale * seen.iter().map(|(x, _)| x[i] * x[j]).sum::<f64>()));
    }
    let response = |values: Vec<f64>| {
        let over = |i: usize| scale * seen.iter().zip(&values).map(|((x, _), t)| x[i] * t).sum::<f64>();
        ResponsePrior {
            mean: super::statistics::mean(&values).unwrap_or(0.0),
            sums: (0..d).map(over).collect(),
            squares: scale * values.iter().map(|t| t * t).sum::<f64>(),
        }
    };
    let quality = response(seen.iter().map(|(_, outcome)| outcome.quality).collect());
    let dollars = seen.iter().map(|(_, outcome)| outcome.dollars).collect::<Option<Vec<f64>>>().map(response);
    Some(ArmPrior { arm: arm.clone(), rows: seen.len(), n_effective, data, quality, dollars })
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
        assert_eq!((a.rows, a.n_effective, a.data.as_slice()), (2, 1.0, [1.0, 3.0, 10.0].as_slice()));
        assert_eq!((a.quality.sums.as_slice(), a.quality.squares), ([0.75, 2.5].as_slice(), 0.625));
        assert!((a.quality.mean - 0.75).abs() < 1e-12 && (a.dollars.as_ref().unwrap().mean - 0.2).abs() < 1e-12);
        assert_eq!(found.arms[1].dollars, None, "b has no price");
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Priors>(&json).unwrap(), found);
    }

    #[test]
    fn a_prior_is_never_surer_than_its_rows() {
        let found = priors(1_000.0).unwrap();
        assert_eq!(found.arms.iter().map(|arm| arm.n_effective).collect::<Vec<_>>(), [2.0, 1.0]);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(priors(bad).is_err(), "{bad}");
        }
    }
}
