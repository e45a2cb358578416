//! The metrics that the conventions ask of a client of models, and what a run cost and earned. Recorded from
//! records by the exporting thread; read out and sent by the SDK's own periodic reader.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::calls::{Times, calls};
use super::names;
use crate::domain::ids::ArmId;
use crate::domain::record::{RunOutcome, RunRecord};
use crate::domain::spec::ArmSpec;

/// The instruments.
pub(super) struct Meters {
    duration: Histogram<f64>,
    tokens: Histogram<u64>,
    first_chunk: Histogram<f64>,
    workflow: Histogram<f64>,
    cost: Counter<f64>,
    reward: Histogram<f64>,
}

impl Meters {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, what: &'static str| {
            let builder = meter.f64_histogram(name).with_unit("s").with_description(what);
            builder.with_boundaries(names::SECONDS.to_vec()).build()
        };
        let tokens = meter.u64_histogram(names::TOKEN_USAGE).with_unit("{token}");
        let tokens = tokens.with_description("Tokens of a call.").with_boundaries(names::TOKENS.to_vec()).build();
        let cost = meter.f64_counter(names::COST).with_unit("{usd}").with_description("Dollars of runs.").build();
        let reward = meter.f64_histogram(names::REWARD).with_unit("1").with_description("Rewards by arm.");
        Self {
            duration: seconds(names::OPERATION_DURATION, "Seconds of a call."),
            tokens,
            first_chunk: seconds(names::TIME_TO_FIRST_CHUNK, "Seconds to the first chunk of a call."),
            workflow: seconds(names::WORKFLOW_DURATION, "Seconds of a run, start to end."),
            cost,
            reward: reward.with_boundaries(crate::domain::tally::UNIT.to_vec()).build(),
        }
    }

    /// Takes in a run that ended, or the late verdict of one that was taken in before.
    pub(super) fn record(&self, record: &RunRecord, specs: &dyn Fn(&ArmId) -> Option<ArmSpec>) {
        for call in calls(record, &Times::of(record)) {
            let mut identity = call.identity(specs);
            self.duration.record(call.seconds, &identity);
            if let Some(seconds) = call.first_s {
                self.first_chunk.record(seconds, &identity);
            }
            if !call.is_estimated {
                for (kind, count) in [("input", call.tokens.0), ("output", call.tokens.1)] {
                    identity.push(KeyValue::new(names::TOKEN_TYPE, kind));
                    self.tokens.record(u64::from(count), &identity);
                    identity.pop();
                }
            }
        }
        if record.policies.afterwards.is_some() {
            self.cost.add(record.judging.as_ref().map_or(0.0, |judging| judging.cost_usd).max(0.0), &[]);
            return;
        }
        let mut run = vec![KeyValue::new(names::WORKFLOW, "banditop")];
        if matches!(record.outcome, RunOutcome::Failed { .. }) {
            run.push(KeyValue::new(names::ERROR_TYPE, "no_answer"));
        }
        self.workflow.record(record.timings_s.total, &run);
        self.cost.add(record.cost_usd.max(0.0), &[]);
        for (arm, reward) in &record.rewards {
            self.reward.record(reward.total, &[KeyValue::new("banditop.arm", arm.as_str().to_owned())]);
        }
    }
}
