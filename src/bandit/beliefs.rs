//! What is checked of a prior before it enters the log. It comes from a file that anybody may have written,
//! so its sums must be ones that some outcomes could have had: a design that is positive semi-definite with
//! the intercept first, and squares that no mean exceeds. What passes can be added to any arm's statistics
//! without making them singular or a variance negative.

use nalgebra::DMatrix;

use super::kernels::packed_len;
use super::prepare::Rejection;
use super::state::RouterState;
use crate::domain::prior::{ArmPrior, ResponsePrior};

/// No sum of a prior is larger than this.
const LARGEST: f64 = 1e12;
/// No prior is worth more observations than this.
const MOST: f64 = 1e6;

impl RouterState {
    /// # Errors
    /// [`Rejection`], naming the arm and what is wrong.
    pub(super) fn check_prior(&self, feature_version: &str, arms: &[ArmPrior]) -> Result<(), Rejection> {
        let config = self.config();
        if feature_version != config.feature_version {
            let (found, expected) = (feature_version.to_owned(), config.feature_version.clone());
            return Err(Rejection::OtherFeatures { found, expected });
        }
        if arms.is_empty() {
            return Err(Rejection::NoArm);
        }
        for (at, belief) in arms.iter().enumerate() {
            self.known(&belief.arm)?;
            let twice = arms[..at].iter().any(|other| other.arm == belief.arm);
            let fault = if twice { Some("it is there twice".to_owned()) } else { prior_fault(belief, config.d) };
            if let Some(problem) = fault {
                return Err(Rejection::BadPrior { arm: belief.arm.clone(), problem });
            }
        }
        Ok(())
    }

    /// `orbit n 50, mini none`: what each prior is worth now.
    pub(super) fn priors_of(&self, arms: &[ArmPrior]) -> String {
        let worth = |belief: &ArmPrior| match self.arm(belief.arm.as_str()) {
            Some(arm) if arm.prior_n > 0.0 => format!("{} n {:.0}", belief.arm, arm.prior_n),
            _ => format!("{} none", belief.arm),
        };
        arms.iter().map(worth).collect::<Vec<_>>().join(", ")
    }
}

/// What is wrong with a prior for contexts of `d` values; `None` where some outcomes could have had its sums.
#[must_use]
pub fn prior_fault(belief: &ArmPrior, d: usize) -> Option<String> {
    let n = belief.n;
    if !(0.0..=MOST).contains(&n) {
        return Some(format!("`n` is {n}: expected a number from 0 to a million"));
    }
    if n == 0.0 {
        let is_empty = belief.data.is_empty() && belief.responses().next().is_none();
        return (!is_empty).then(|| "`n` is 0 and there are sums: leave them out".to_owned());
    }
    let (found, expected) = (belief.data.len(), packed_len(d));
    if found != expected {
        return Some(format!("`data` has {found} numbers: expected {expected}"));
    }
    if belief.data.iter().any(|v| !v.is_finite() || v.abs() > LARGEST) {
        return Some("`data` holds a number that is not finite or absurd".to_owned());
    }
    if (belief.data[0] - n).abs() > 1e-6 * n {
        return Some(format!("`data` begins with {}: expected `n`, {n}, for the intercept is 1", belief.data[0]));
    }
    if !is_semi_definite(&belief.data, d) {
        return Some("`data` is no sum of squares: a part of it is negative".to_owned());
    }
    belief.responses().find_map(|(name, response)| response_fault(name, response, n, d))
}

fn response_fault(name: &str, response: &ResponsePrior, n: f64, d: usize) -> Option<String> {
    if response.sums.len() != d {
        return Some(format!("`{name}.sums` has {} numbers: expected {d}", response.sums.len()));
    }
    let all = response.sums.iter().chain([&response.squares]);
    if all.into_iter().any(|v| !v.is_finite() || v.abs() > LARGEST) {
        return Some(format!("`{name}` holds a number that is not finite or absurd"));
    }
    let mean = response.sums[0] / n;
    let most = if name == "dollars" { f64::INFINITY } else { 1.0 };
    if !(-1e-9..=most + 1e-9).contains(&mean) {
        return Some(format!("`{name}` has the mean {mean}: expected a number from 0 to {most}"));
    }
    (response.squares < n * mean * mean * (1.0 - 1e-6) - 1e-12)
        .then(|| format!("`{name}.squares` is {}: less than its mean allows", response.squares))
}

/// Whether the packed matrix has no negative eigenvalue but for rounding.
fn is_semi_definite(packed: &[f64], d: usize) -> bool {
    let matrix = DMatrix::from_fn(d, d, |i, j| packed[packed_len(i.max(j)) + i.min(j)]);
    let ridge = matrix.diagonal().amax() * 1e-9;
    (matrix + DMatrix::identity(d, d) * ridge).cholesky().is_some()
}
