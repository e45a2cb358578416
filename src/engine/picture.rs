//! What a screen sees, from what the owner knows: one immutable picture, built in well under a
//! millisecond. Nothing is decided here, and nothing that is not known is shown as zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::bandit::ArmView;
use crate::domain::clock::Timestamp;
use crate::domain::handling::{ExtraCount, Helper};
use crate::domain::ids::{ArmId, Sequence};
use crate::domain::observer::Objective;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmLimits, ArmRow, EngineSnapshot, Series, SpendAccount, StoreStatus, Totals};
use crate::domain::spec::{ShareLimits, Strategy};
use crate::race::{Endpoint, Race, Signals};

use super::folds::Folds;
use super::owner::Owner;
use super::recent::Point;

/// The form of the stored state.
pub(super) const STATE_VERSION: u32 = 1;
/// Contexts that expectations on screen are averaged over.
const SAMPLE: usize = 50;

/// What a picture needs beside the folds.
pub(super) struct View<'a> {
    pub race: &'a Race,
    pub strategy: Strategy,
    pub in_flight: u64,
    /// Recent contexts; empty where there are none.
    pub sample: Vec<Point>,
    pub store: StoreStatus,
    pub now: Timestamp,
    pub revision: u64,
    pub objectives: Vec<Objective>,
}

impl Owner {
    /// The picture at this moment.
    pub(super) fn picture(&mut self, revision: u64) -> EngineSnapshot {
        let now = self.shared.now();
        self.review_alarms(now);
        let view = View {
            race: &self.shared.race,
            strategy: self.shared.strategy,
            in_flight: self.shared.in_flight.load(std::sync::atomic::Ordering::SeqCst),
            sample: self.shared.recent().sample(SAMPLE),
            store: self.ledger.status(),
            now,
            revision,
            objectives: self.shared.observer.objectives(),
        };
        self.folds.picture(view)
    }
}

/// Extra calls of endpoints that are no arms, of those that were ever called.
fn helpers(race: &Race) -> BTreeMap<Helper, ExtraCount> {
    let count = |helper| race.extras().count(&Endpoint::Helper(helper), Instant::now());
    Helper::ALL.into_iter().filter_map(|helper| Some((helper, count(helper)?))).collect()
}

impl Folds {
    /// The picture that `view` completes.
    pub(super) fn picture(&mut self, view: View<'_>) -> EngineSnapshot {
        let pool: Vec<ArmId> = self.state.arms().map(|arm| arm.spec.name.clone()).collect();
        let series = self.stats.series(&pool, view.now);
        let signals = self.signals.summary();
        let arms = self.state.arms().map(|arm| self.row(&arm, &view, &signals, &series)).collect();
        let (config, parts) = (self.state.config(), view.race.parts());
        let sequence: Sequence = self.end;
        EngineSnapshot {
            revision: view.revision,
            at: view.now,
            sequence,
            version: STATE_VERSION,
            feature_version: config.feature_version.clone(),
            d: config.d,
            features: parts.features.kind().to_owned(),
            router: parts.router,
            strategy: self.state.mode().strategy.unwrap_or(view.strategy),
            mode: self.state.mode().clone(),
            k: parts.config.k,
            alpha: self.state.alpha(),
            explore_share: self.state.explore_share(),
            window: self.state.config().window,
            weights: *self.state.weights(),
            budget_per_request_usd: self.state.budget_per_request(),
            budget_per_day_usd: view.race.day().map(|day| day.ceiling_usd()),
            account: self.state.account().map(|account| SpendAccount {
                requests: account.requests,
                spent_usd: account.spent_usd,
                allowed_usd: account.allowed_usd,
                utilisation: account.utilisation(),
                lambda: account.lambda,
            }),
            arms,
            totals: Totals { in_flight: view.in_flight, ..self.stats.totals(view.now) },
            tally: self.stats.tally(),
            objectives: view.objectives,
            helpers: helpers(view.race),
            series,
            alarms: self.alarms.list(),
            store: view.store,
            recent_runs: self.summaries.iter().cloned().collect(),
            journal: self.journal.iter().cloned().collect(),
        }
    }

    fn row(&self, arm: &ArmView<'_>, view: &View<'_>, signals: &Signals, series: &Series) -> ArmRow {
        let name = &arm.spec.name;
        let figures = self.stats.arm(name);
        let signal = signals.get(name);
        let expected = self.expected(name, &view.sample);
        let history = series.arms.iter().find(|charts| charts.arm == *name);
        ArmRow {
            arm: name.clone(),
            spec: arm.spec.clone(),
            state: arm.lifecycle,
            state_reason: arm.reason.map(str::to_owned).or_else(|| self.unavailable.get(name).cloned()),
            until: arm.until,
            share: figures.share,
            share_delta: figures.share_delta,
            preview_share: figures.preview_share,
            mean: expected.map(|(mean, _)| mean),
            uncertainty: expected.map(|(_, uncertainty)| uncertainty),
            p95_preview_s: signal.and_then(|signal| signal.p95_preview_s),
            mean_reward: figures.mean_reward,
            reward_history: history.map(|charts| charts.reward.clone()).unwrap_or_default(),
            error_rate: signal.and_then(|signal| signal.error_rate).and_then(Ratio::new),
            cost_usd_per_run: figures.usd_per_run,
            trials: arm.trials,
            wins: arm.wins,
            places: self.stats.places(name),
            effective_n: arm.effective_n,
            served_by_intent: figures.served_by_intent,
            limits: arm.share_limits.map(|(set, since)| self.limits(name, set, since, view.now)),
            extras: view.race.extras().count(&Endpoint::Arm(name.clone()), Instant::now()),
        }
    }

    fn limits(&self, arm: &ArmId, set: ShareLimits, since: Timestamp, now: Timestamp) -> ArmLimits {
        let (runs, with) = self.stats.chosen_since(arm, since);
        ArmLimits { set, since, now: set.after(now.since(since)), taken: Ratio::of(with, runs), runs }
    }

    /// Mean and uncertainty over recent contexts; before there are any, at a prompt of no size and no
    /// intent.
    fn expected(&self, arm: &ArmId, sample: &[Point]) -> Option<(f64, f64)> {
        let mut neutral = vec![0.0; self.state.config().d];
        neutral.first_mut().into_iter().for_each(|bias| *bias = 1.0);
        let neutral: [Point; 1] = [Arc::new(neutral.into())];
        let points = if sample.is_empty() { neutral.as_slice() } else { sample };
        let mut sums = (0.0, 0.0);
        for point in points {
            let estimate = self.state.estimate(arm.as_str(), &point.of(arm))?;
            sums = (sums.0 + estimate.mean, sums.1 + estimate.uncertainty);
        }
        let count = points.len() as f64;
        let expected = (sums.0 / count, sums.1 / count);
        (expected.0.is_finite() && expected.1.is_finite()).then_some(expected)
    }
}
