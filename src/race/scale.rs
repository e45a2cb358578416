//! The scale of an embedding's slots, fitted on the first prompts: running mean and variance by slot
//! (Welford 1962). What it gives is frozen by a command; until then slots are 0.

use serde::{Deserialize, Serialize};

use super::embedding::EmbeddingSample;
use crate::domain::context::Normaliser;

/// Prompts that a scale is fitted on.
pub(crate) const PROMPTS: u32 = 64;
/// The least deviation: a slot that never moved must not blow up later.
const LEAST: f64 = 1e-3;

/// See above. Other features begin it anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScaleFit {
    feature_version: String,
    inputs: u32,
    prompts: u32,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl ScaleFit {
    /// Takes one prompt in; the scale, when there were enough. Another model's embedding starts afresh.
    pub fn add(&mut self, sample: &EmbeddingSample, feature_version: &str) -> Option<Normaliser> {
        let slots = sample.projected.len();
        let fits = self.mean.len() == slots && self.squares.len() == slots;
        if self.inputs != sample.inputs || self.feature_version != feature_version || !fits {
            let (zeros, feature_version) = (vec![0.0; slots], feature_version.to_owned());
            *self = Self { feature_version, inputs: sample.inputs, prompts: 0, mean: zeros.clone(), squares: zeros };
        }
        self.prompts += 1;
        for ((value, mean), squares) in sample.projected.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let off = value - *mean;
            *mean += off / f64::from(self.prompts);
            *squares += off * (value - *mean);
        }
        (self.prompts >= PROMPTS).then(|| {
            let fitted = std::mem::take(self);
            let sd = |squares: &f64| (squares / f64::from(fitted.prompts)).sqrt().max(LEAST);
            Normaliser {
                feature_version: fitted.feature_version,
                inputs: fitted.inputs,
                prompts: fitted.prompts,
                sd: fitted.squares.iter().map(sd).collect(),
                mean: fitted.mean,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_that_of_the_first_prompts() {
        let mut fit = ScaleFit::default();
        let sample = |value: f64| EmbeddingSample { inputs: 4, projected: vec![value, 7.0], direction: Vec::new() };
        let mut found = None;
        for i in 0..PROMPTS {
            assert!(found.is_none());
            found = fit.add(&sample(f64::from(i % 2) * 2.0), "v");
            // Every prompt may be asked of another process.
            fit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        }
        let scale = found.unwrap();
        assert_eq!((scale.inputs, scale.prompts, scale.feature_version.as_str()), (4, PROMPTS, "v"));
        assert!((scale.mean[0] - 1.0).abs() < 1e-12 && (scale.sd[0] - 1.0).abs() < 1e-12);
        assert_eq!(scale.apply(&[2.0, 7.0]), [1.0, 0.0]);
        assert_eq!(scale.apply(&[1e9, -1e9]), [4.0, -4.0], "one odd prompt is cut");
    }
}
