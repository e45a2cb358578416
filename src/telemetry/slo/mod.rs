//! Service level objectives: how fast error budgets burn, over a long window and a short one, and whether
//! that is worth an alarm. An alarm needs both windows to burn: the long one says that it matters, the
//! short one that it is still so (Beyer et al., *The Site Reliability Workbook*, 2018, chapter 5).
//!
//! Time is an argument and steady: a clock that jumps moves no window. A process begins with the newest runs
//! of the one before it, as far as they are retained. Memory is constant: [`BUCKETS`] sums an objective.

mod bucket;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use bucket::{Ring, Sum};

use crate::domain::alarm::Severity;
use crate::domain::observer::{Condition, Objective};
use crate::domain::record::{RunOutcome, RunRecord, is_bad};
use crate::domain::slo::{Indicator, SloSpec};
use crate::domain::tally::Phase;

/// Steps of the long window; the short one is a twelfth of them.
const BUCKETS: usize = 60;
/// Steps of the short window.
const SHORT: u64 = 5;
/// Runs in the long and in the short window below which no alarm is raised: a few runs say little.
const LEAST_RUNS: [u64; 2] = [20, 3];

/// Added to steady time, which begins with the process, so that the runs of an earlier one have a time as well;
/// beyond the longest window.
const BEFORE: Duration = Duration::from_hours(60 * 24);

/// Every objective with its windows.
#[derive(Debug, Default)]
pub(super) struct Slos(Vec<Slo>);

#[derive(Debug)]
struct Slo {
    spec: SloSpec,
    ring: Ring,
}

impl Slos {
    pub(super) fn new(specs: Vec<SloSpec>) -> Self {
        let slo = |spec: SloSpec| Slo { ring: Ring::new(spec.window), spec };
        Self(specs.into_iter().map(slo).collect())
    }

    /// Takes in a run that ended `ago` before `now`; a cancelled one says nothing.
    pub(super) fn absorb(&mut self, record: &RunRecord, now: Duration, ago: Duration) {
        let Some(then) = (now + BEFORE).checked_sub(ago) else { return };
        if record.outcome == RunOutcome::Cancelled {
            return;
        }
        for slo in &mut self.0 {
            let (spent, base) = spent(slo.spec.indicator, slo.spec.limit, record);
            slo.ring.add(then, Sum { spent, base, runs: 1 });
        }
    }

    /// Takes in that a run which ended `ago` before `now` was rated, and how it was rated `before`.
    pub(super) fn rated(&mut self, record: &RunRecord, before: Option<f64>, now: Duration, ago: Duration) {
        let was_resolved = record.is_clean() && !before.is_some_and(is_bad);
        let change = f64::from(u8::from(record.is_resolved())) - f64::from(u8::from(was_resolved));
        let Some(then) = (now + BEFORE).checked_sub(ago) else { return };
        for slo in self.0.iter_mut().filter(|slo| slo.spec.indicator == Indicator::UsdPerResolvedRun) {
            slo.ring.amend(then, 0.0, change);
        }
    }

    /// Takes in that a run which ended `ago` before `now` was judged after it was taken in.
    pub(super) fn judged(&mut self, record: &RunRecord, now: Duration, ago: Duration) {
        let Some((judging, then)) = record.judging.as_ref().zip((now + BEFORE).checked_sub(ago)) else { return };
        for slo in &mut self.0 {
            let more = match slo.spec.indicator {
                Indicator::UsdPerResolvedRun => judging.cost_usd,
                Indicator::TokensPerRun(Phase::Judge) => tokens(Phase::Judge, record),
                Indicator::RetriesPerRun => f64::from(judging.calls.saturating_sub(1)),
                _ => continue,
            };
            slo.ring.amend(then, more, 0.0);
        }
    }

    /// How they stand at `now`.
    pub(super) fn objectives(&self, now: Duration) -> Vec<Objective> {
        self.0.iter().map(|slo| slo.objective(now)).collect()
    }

    /// Those that burn.
    pub(super) fn conditions(&self, now: Duration) -> Vec<Condition> {
        let burning = self.0.iter().map(|slo| (slo, slo.objective(now))).filter(|(_, objective)| objective.is_burning);
        burning.map(|(slo, objective)| slo.condition(&objective)).collect()
    }
}

impl Slo {
    fn objective(&self, now: Duration) -> Objective {
        let now = now + BEFORE;
        let long = self.ring.sum(now, BUCKETS as u64);
        let short = self.ring.sum(now, SHORT);
        let burn = [self.burn(&long), self.burn(&short)];
        let found = (long.runs > 0).then(|| self.found(&long));
        let has_enough = long.runs >= LEAST_RUNS[0] && short.runs >= LEAST_RUNS[1];
        let is_fast = burn.iter().all(|rate| rate.is_some_and(|rate| rate >= self.spec.alarm_burn));
        Objective {
            name: self.spec.name.clone(),
            wanted: words::wanted(self.spec.indicator, self.spec.limit),
            found,
            found_words: found.map(|found| words::found(self.spec.indicator, found)),
            limit: words::target(self.spec.indicator, self.spec.limit),
            windows_s: [self.spec.window.as_secs_f64(), self.ring.step().as_secs_f64() * SHORT as f64],
            burn,
            budget_left: burn[0].map(|rate| 1.0 - rate),
            is_burning: has_enough && is_fast,
        }
    }

    /// What was spent of what was allowed.
    fn burn(&self, sum: &Sum) -> Option<f64> {
        (sum.runs > 0).then(|| sum.mean() / self.allowed())
    }

    /// What a run may spend; above 0, which the settings have checked.
    fn allowed(&self) -> f64 {
        match self.spec.indicator {
            Indicator::FirstTryRate => 1.0 - self.spec.limit,
            Indicator::Percentile(percent) => 1.0 - f64::from(percent) / 100.0,
            _ => self.spec.limit,
        }
    }

    fn found(&self, sum: &Sum) -> f64 {
        match self.spec.indicator {
            Indicator::FirstTryRate | Indicator::Percentile(_) => 1.0 - sum.mean(),
            _ => sum.mean(),
        }
    }

    fn condition(&self, objective: &Objective) -> Condition {
        let [long, short] = objective.burn.map(Option::unwrap_or_default);
        let found = objective.found_words.as_deref().unwrap_or("nothing");
        let severity =
            if objective.budget_left.is_some_and(|left| left < -1.0) { Severity::Critical } else { Severity::Warning };
        Condition {
            subject: format!("slo:{}", self.spec.name),
            severity,
            message: format!(
                "SLO {}: {}, found {found}; burns {long:.1}x, now {short:.1}x",
                self.spec.name, objective.wanted
            ),
            remedy: Some(words::remedy(self.spec.indicator)),
        }
    }
}

/// What a run spent of the budget, and how much it counts.
fn spent(indicator: Indicator, limit: f64, record: &RunRecord) -> (f64, f64) {
    let one_if = |is_bad: bool| f64::from(u8::from(is_bad));
    let is_served = record.outcome == RunOutcome::Served;
    match indicator {
        Indicator::FirstTryRate => (one_if(!is_served || record.fallbacks > 0), 1.0),
        Indicator::FallbackRate => (one_if(record.fallbacks > 0), 1.0),
        // A run that failed fast is no fast run.
        Indicator::Percentile(_) => (one_if(!is_served || record.timings_s.total > limit), 1.0),
        Indicator::RetriesPerRun => (f64::from(record.retries()), 1.0),
        Indicator::TokensPerRun(phase) => (tokens(phase, record), 1.0),
        Indicator::UsdPerResolvedRun => (record.cost_usd, one_if(record.is_resolved())),
    }
}

fn tokens(phase: Phase, record: &RunRecord) -> f64 {
    let count = |tokens_in: u32, tokens_out: u32| u64::from(tokens_in) + u64::from(tokens_out);
    let tokens: u64 = match phase {
        Phase::Preview => record.previews.iter().filter(|p| !p.cached).map(|p| count(p.tokens_in, p.tokens)).sum(),
        Phase::Judge => record.judging.as_ref().map_or(0, |judging| count(judging.tokens_in, judging.tokens_out)),
        Phase::Answer => record.attempts.iter().map(|a| count(a.tokens_in, a.tokens_out)).sum(),
    };
    tokens as f64
}
