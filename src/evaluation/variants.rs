//! Variants of an experiment side by side: runs that were assigned at random, as `export runs` wrote them, and
//! how sure one can be that one variant does better. Each run counts once. Where nearly every prompt was met
//! under both variants the difference is that of the same prompts, paired; else it is that of the two groups.
//! All p-values are corrected together by Holm's method.
//!
//! Reward is known only of runs whose answer was judged; the others have none, and are not guessed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::statistics::{Interval, bootstrap_interval, holm, mean, mean_interval, permutation_p, quantile};
use super::two_samples::{difference, relabelled_p};

/// Resamples and permutations.
const DRAWS: usize = 2_000;
/// Prompts that both variants met, from which a difference is told of pairs.
const LEAST_PAIRS: usize = 8;
/// The share of the runs of either that pairs must cover.
const PAIRED_SHARE: f64 = 0.8;

/// A run that was assigned to a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// The variant: the strategy.
    pub variant: String,
    /// The probability with which it was, in (0, 1].
    pub share: f64,
    /// The reward of who answered, in [0, 1]; absent where the answer was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// Whether an answer was served without a flag and without a bad rating.
    pub resolved: bool,
    /// Dollars of the whole run.
    pub usd: f64,
    /// Seconds from the prompt to the end of the answer.
    pub seconds: f64,
}

/// One line of an export, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    experiment: Option<Assigned>,
}

/// The runs of an experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiment {
    runs: Vec<(String, Assigned)>,
    unassigned: usize,
    lines: usize,
}

/// Why runs are no experiment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentFault {
    /// A line that cannot be read.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to compare.
    #[error("{runs} runs of {variants} variants: two variants are needed to be compared")]
    TooFew {
        /// Runs that were assigned.
        runs: usize,
        /// Variants among them.
        variants: usize,
    },
}

/// What of a run is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The reward of who answered.
    Reward,
    /// The share of resolved runs.
    Resolved,
    /// Dollars of a run.
    Usd,
    /// Seconds of a run.
    Seconds,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 4] = [Self::Reward, Self::Resolved, Self::Usd, Self::Seconds];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reward => "reward",
            Self::Resolved => "resolved",
            Self::Usd => "$/run",
            Self::Seconds => "seconds",
        }
    }

    fn of(self, run: &Assigned) -> Option<f64> {
        match self {
            Self::Reward => run.reward,
            Self::Resolved => Some(f64::from(u8::from(run.resolved))),
            Self::Usd => Some(run.usd),
            Self::Seconds => Some(run.seconds),
        }
    }
}

/// Variants side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideBySide {
    /// Runs that were assigned.
    pub runs: usize,
    /// Runs that were not: before the experiment, or where an operator's strategy came first.
    pub unassigned: usize,
    /// Whether a variant's share changed in these runs: then a difference may be one of the time.
    pub shares_changed: bool,
    /// One a variant, by name.
    pub variants: Vec<VariantReport>,
    /// Every pair of variants by every measure.
    pub differences: Vec<VariantDifference>,
}

/// What one variant did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantReport {
    /// The variant.
    pub variant: String,
    /// The mean probability with which runs were assigned to it.
    pub share: f64,
    /// Its runs.
    pub n: usize,
    /// Those whose reward is known.
    pub judged: usize,
    /// Mean reward of those with Student's 95 % interval.
    pub reward: Option<Interval>,
    /// Share of resolved runs with its 95 % interval.
    pub resolved: Option<Interval>,
    /// Dollars a run with their 95 % interval.
    pub usd: Option<Interval>,
    /// Seconds of a run with their 95 % interval.
    pub seconds: Option<Interval>,
    /// The 95th percentile of the seconds.
    pub p95_s: Option<f64>,
}

/// One variant against another by one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantDifference {
    /// The one.
    pub variant: String,
    /// The other.
    pub against: String,
    /// What is compared.
    pub measure: Measure,
    /// Mean of the one less that of the other.
    pub mean: f64,
    /// Its 95 % bootstrap interval.
    pub ci95: [f64; 2],
    /// Prompts that both met, where the difference is told of pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Two-sided p-value of a permutation test.
    pub p: f64,
    /// The same, corrected for all differences of this comparison.
    pub p_holm: f64,
    /// Whether the corrected p-value is at most 0.05.
    pub significant: bool,
}

impl Experiment {
    /// Takes the next line of an export; blank ones count but say nothing.
    ///
    /// # Errors
    /// Where it is no run.
    pub fn line(&mut self, line: &[u8]) -> Result<(), ExperimentFault> {
        self.lines += 1;
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let fault = |problem: String| ExperimentFault::Line { line: self.lines, problem };
        let found: Line = serde_json::from_slice(line)
            .map_err(|error| fault(error.to_string().replace("line 1 column", "column")))?;
        let Some(run) = found.experiment else {
            self.unassigned += 1;
            return Ok(());
        };
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        let is_amount = |value: f64| value.is_finite() && value >= 0.0;
        if run.reward.is_some_and(|reward| !is_share(reward)) || !is_share(run.share) {
            return Err(fault("`experiment`: reward and share are in [0, 1]".to_owned()));
        }
        if !is_amount(run.usd) || !is_amount(run.seconds) {
            return Err(fault("`experiment`: usd and seconds are at least 0".to_owned()));
        }
        self.runs.push((found.prompt, run));
        Ok(())
    }

    /// The variants side by side; `draw` gives uniforms in [0, 1).
    ///
    /// # Errors
    /// Where there are fewer than two variants.
    pub fn compare(&self, draw: &mut dyn FnMut() -> f64) -> Result<SideBySide, ExperimentFault> {
        let mut groups: BTreeMap<&str, Vec<&(String, Assigned)>> = BTreeMap::new();
        for run in &self.runs {
            groups.entry(&run.1.variant).or_default().push(run);
        }
        if groups.len() < 2 {
            return Err(ExperimentFault::TooFew { runs: self.runs.len(), variants: groups.len() });
        }
        let shares_changed =
            groups.values().any(|runs| runs.iter().any(|run| (run.1.share - runs[0].1.share).abs() > 1e-9));
        let mut differences = Vec::new();
        for (i, (variant, one)) in groups.iter().enumerate() {
            for (against, other) in groups.iter().skip(i + 1) {
                let of =
                    |measure: Measure| compared(one, other, measure, draw).map(|found| found.named(variant, against));
                differences.extend(Measure::ALL.into_iter().filter_map(of));
            }
        }
        let p_values: Vec<f64> = differences.iter().map(|difference: &VariantDifference| difference.p).collect();
        for (difference, corrected) in differences.iter_mut().zip(holm(&p_values)) {
            difference.p_holm = corrected;
            difference.significant = corrected <= 0.05;
        }
        let variants = groups.iter().map(|(variant, runs)| report(variant, runs)).collect();
        let (runs, unassigned) = (self.runs.len(), self.unassigned);
        Ok(SideBySide { runs, unassigned, shares_changed, variants, differences })
    }
}

impl VariantDifference {
    fn named(mut self, variant: &str, against: &str) -> Self {
        (self.variant, self.against) = (variant.to_owned(), against.to_owned());
        self
    }
}

fn report(variant: &str, runs: &[&(String, Assigned)]) -> VariantReport {
    let values = |measure: Measure| runs.iter().filter_map(|run| measure.of(&run.1)).collect::<Vec<f64>>();
    let shares: Vec<f64> = runs.iter().map(|run| run.1.share).collect();
    let mut seconds = values(Measure::Seconds);
    let reward = values(Measure::Reward);
    let mean_seconds = mean_interval(&seconds);
    seconds.sort_by(f64::total_cmp);
    VariantReport {
        variant: variant.to_owned(),
        share: mean(&shares).unwrap_or(0.0),
        n: runs.len(),
        judged: reward.len(),
        reward: mean_interval(&reward),
        resolved: mean_interval(&values(Measure::Resolved)),
        usd: mean_interval(&values(Measure::Usd)),
        seconds: mean_seconds,
        p95_s: quantile(&seconds, 0.95),
    }
}

/// `None` where one of them has no such figure.
fn compared(
    one: &[&(String, Assigned)],
    other: &[&(String, Assigned)],
    measure: Measure,
    draw: &mut dyn FnMut() -> f64,
) -> Option<VariantDifference> {
    let paired = paired(one, other, measure);
    let (interval, p) = if let Some(pairs) = &paired {
        (bootstrap_interval(pairs, DRAWS, draw)?, permutation_p(pairs, DRAWS, draw))
    } else {
        let values = |runs: &[&(String, Assigned)]| runs.iter().filter_map(|run| measure.of(&run.1)).collect();
        let (a, b): (Vec<f64>, Vec<f64>) = (values(one), values(other));
        (difference(&a, &b, DRAWS, draw)?, relabelled_p(&a, &b, DRAWS, draw))
    };
    Some(VariantDifference {
        variant: String::new(),
        against: String::new(),
        measure,
        mean: interval.mean,
        ci95: [interval.lo, interval.hi],
        pairs: paired.map(|pairs| pairs.len()),
        p,
        p_holm: 1.0,
        significant: false,
    })
}

/// Differences by prompt, where nearly all runs of both have a prompt that the other met, too.
fn paired(one: &[&(String, Assigned)], other: &[&(String, Assigned)], measure: Measure) -> Option<Vec<f64>> {
    let by_prompt = |runs: &[&(String, Assigned)]| {
        let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (prompt, run) in runs.iter().map(|run| (&run.0, &run.1)).filter(|(prompt, _)| !prompt.is_empty()) {
            if let Some(value) = measure.of(run) {
                found.entry(prompt.clone()).or_default().push(value);
            }
        }
        found
    };
    let known = |runs: &[&(String, Assigned)]| runs.iter().filter(|run| measure.of(&run.1).is_some()).count();
    let (mut covered, mut pairs) = ([0, 0], Vec::new());
    let others = by_prompt(other);
    for (prompt, values) in by_prompt(one) {
        let Some(against) = others.get(&prompt) else { continue };
        covered = [covered[0] + values.len(), covered[1] + against.len()];
        pairs.push(mean(&values)? - mean(against)?);
    }
    let is_most = |covered: usize, all: usize| covered as f64 >= PAIRED_SHARE * all as f64;
    let is_paired = pairs.len() >= LEAST_PAIRS && is_most(covered[0], known(one)) && is_most(covered[1], known(other));
    is_paired.then_some(pairs)
}

#[cfg(test)]
mod tests;
