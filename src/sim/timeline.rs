//! How a model stands at a moment: a pure fold over the changes that have happened by then. Nothing is
//! switched by a timer, so asking about any moment gives the same answer at any time.

use crate::domain::context::Intent;

use super::scenario::{ChangeSpec, ScenarioSpec};

/// One change of the timeline that has happened, for marks on a time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Seconds since the start of the server.
    pub at_s: f64,
    /// To whom.
    pub model: String,
    /// In a few words.
    pub label: String,
}

/// What is different from the model's declaration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Conditions {
    quality_change: [f64; 5],
    pub(super) slowdown: f64,
    outage_until_s: f64,
    pub(super) outage: bool,
    pub(super) price_factor: f64,
}

impl Conditions {
    const AS_DECLARED: Self =
        Self { quality_change: [0.0; 5], slowdown: 1.0, outage_until_s: 0.0, outage: false, price_factor: 1.0 };

    pub(super) fn quality_change(&self, intent: Intent) -> f64 {
        let index = Intent::ALL.iter().position(|i| *i == intent).unwrap_or(4);
        self.quality_change[index]
    }

    fn apply(&mut self, change: &ChangeSpec) {
        if change.recover {
            *self = Self { price_factor: self.price_factor, ..Self::AS_DECLARED };
        }
        if let Some(by) = change.quality_change {
            for (slot, intent) in self.quality_change.iter_mut().zip(Intent::ALL) {
                if change.intents.is_empty() || change.intents.contains(&intent) {
                    *slot += by;
                }
            }
        }
        self.slowdown = change.slowdown.unwrap_or(self.slowdown);
        self.price_factor = change.price_factor.unwrap_or(self.price_factor);
        if let Some(outage_s) = change.outage_s {
            self.outage_until_s = change.at_s + outage_s;
        }
    }
}

/// Seconds into the current round of the timeline, and how many rounds went before.
fn phase(scenario: &ScenarioSpec, elapsed_s: f64) -> (f64, f64) {
    match scenario.repeat_s {
        Some(repeat_s) if repeat_s > 0.0 => (elapsed_s % repeat_s, (elapsed_s / repeat_s).floor()),
        _ => (elapsed_s, 0.0),
    }
}

/// How `model` stands `elapsed_s` seconds after the start. The timeline must be sorted by time.
pub(super) fn conditions(scenario: &ScenarioSpec, model: &str, elapsed_s: f64) -> Conditions {
    let (now_s, _) = phase(scenario, elapsed_s);
    let mut conditions = Conditions::AS_DECLARED;
    for change in scenario.timeline.iter().filter(|c| c.model == model && c.at_s <= now_s) {
        conditions.apply(change);
    }
    conditions.outage = now_s < conditions.outage_until_s;
    conditions
}

/// The changes in `(after_s, until_s]` seconds since the start, oldest first, at most 1,000.
pub(super) fn changes(scenario: &ScenarioSpec, after_s: f64, until_s: f64) -> Vec<Change> {
    let (_, last_round) = phase(scenario, until_s);
    let (_, first_round) = phase(scenario, after_s.max(0.0));
    let mut found = Vec::new();
    let mut round = first_round;
    while round <= last_round && found.len() < 1000 {
        let offset = round * scenario.repeat_s.unwrap_or(0.0);
        let due = scenario.timeline.iter().map(|change| (offset + change.at_s, change));
        let within_round = |change: &ChangeSpec| scenario.repeat_s.is_none_or(|repeat_s| change.at_s < repeat_s);
        found.extend(
            due.filter(|(at_s, change)| *at_s > after_s && *at_s <= until_s && within_round(change))
                .map(|(at_s, change)| Change { at_s, model: change.model.clone(), label: label(change) }),
        );
        round += 1.0;
    }
    found.truncate(1000);
    found
}

fn label(change: &ChangeSpec) -> String {
    if change.label.is_empty() { format!("{} changes", change.model) } else { change.label.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(repeat_s: Option<f64>, timeline: Vec<ChangeSpec>) -> ScenarioSpec {
        ScenarioSpec { name: "t".into(), description: String::new(), repeat_s, models: Vec::new(), timeline }
    }

    fn at(at_s: f64) -> ChangeSpec {
        ChangeSpec { at_s, model: "a".into(), label: format!("at {at_s}"), ..ChangeSpec::default() }
    }

    fn eventful() -> Vec<ChangeSpec> {
        vec![
            ChangeSpec { quality_change: Some(-0.3), intents: vec![Intent::Coding], ..at(10.0) },
            ChangeSpec { slowdown: Some(2.0), price_factor: Some(0.5), ..at(20.0) },
            ChangeSpec { outage_s: Some(5.0), ..at(30.0) },
            ChangeSpec { recover: true, ..at(40.0) },
        ]
    }

    #[test]
    fn changes_apply_from_their_moment_on_and_recovery_keeps_the_price() {
        let scenario = scenario(None, eventful());
        let coding = |s: f64| conditions(&scenario, "a", s).quality_change(Intent::Coding);
        assert_eq!((coding(9.9), coding(10.0), coding(40.0)), (0.0, -0.3, 0.0));
        let untouched = conditions(&scenario, "a", 10.0).quality_change(Intent::Writing);
        assert!(untouched.abs() < 1e-12, "only the intents named");
        let slow = |s: f64| conditions(&scenario, "a", s).slowdown;
        assert_eq!((slow(19.0), slow(20.0), slow(41.0)), (1.0, 2.0, 1.0));
        let out = |s: f64| conditions(&scenario, "a", s).outage;
        assert_eq!((out(29.9), out(30.0), out(34.9), out(35.0)), (false, true, true, false));
        assert!((conditions(&scenario, "a", 100.0).price_factor - 0.5).abs() < 1e-12);
        assert_eq!(conditions(&scenario, "b", 30.0), Conditions::AS_DECLARED, "only the model named");
    }

    #[test]
    fn a_repeated_timeline_starts_over() {
        let scenario = scenario(Some(50.0), eventful());
        assert_eq!(conditions(&scenario, "a", 55.0), Conditions::AS_DECLARED);
        assert_eq!(conditions(&scenario, "a", 75.0), conditions(&scenario, "a", 25.0));
        let times: Vec<f64> = changes(&scenario, 35.0, 71.0).iter().map(|c| c.at_s).collect();
        assert_eq!(times, [40.0, 60.0, 70.0]);
    }

    #[test]
    fn changes_are_told_once() {
        let scenario = scenario(None, eventful());
        assert_eq!(changes(&scenario, 0.0, 25.0).len(), 2);
        assert_eq!(changes(&scenario, 10.0, 25.0).len(), 1);
        assert_eq!(changes(&scenario, 25.0, 25.0), []);
    }
}
