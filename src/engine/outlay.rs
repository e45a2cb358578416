//! What a run cost beside the answer that was served, and the means of that over runs: what a forecast of whole
//! runs adds to the answers that are learned.

use std::collections::BTreeMap;

use crate::bandit::Outlays;
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;

/// Dollars of one run but for its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outlay {
    /// Of previews; one that was made before costs nothing.
    previews: Vec<(ArmId, f64)>,
    /// Of everything else: judge, failed attempts and hedges, search, embedding.
    beside: f64,
}

impl Outlay {
    pub(super) fn of(record: &RunRecord) -> Self {
        let previews: Vec<(ArmId, f64)> =
            record.previews.iter().map(|preview| (preview.arm.clone(), preview.cost_usd.unwrap_or(0.0))).collect();
        let is_served = |arm: &ArmId| record.winner.as_ref() == Some(arm);
        let answers = record.attempts.iter().filter(|attempt| attempt.ok && !attempt.lost && is_served(&attempt.arm));
        let known = answers.filter_map(|attempt| attempt.cost_usd).chain(previews.iter().map(|(_, usd)| *usd));
        Self { beside: (record.cost_usd - known.sum::<f64>()).max(0.0), previews }
    }
}

/// Their means. Runs of a kind that there were none of cost nothing beside.
pub(super) fn outlays<'a>(runs: impl Iterator<Item = &'a Outlay>) -> Outlays {
    let mut previews: BTreeMap<&ArmId, Mean> = BTreeMap::new();
    let (mut race, mut direct) = (Mean::default(), Mean::default());
    for run in runs {
        for (arm, usd) in &run.previews {
            previews.entry(arm).or_default().add(*usd);
        }
        if run.previews.is_empty() { &mut direct } else { &mut race }.add(run.beside);
    }
    Outlays {
        preview_usd: previews.into_iter().map(|(arm, mean)| (arm.clone(), mean.value())).collect(),
        race_share: if race.count > 0.0 { race.count / (race.count + direct.count) } else { 0.0 },
        beside_race_usd: race.value(),
        beside_direct_usd: direct.value(),
        p95_s: BTreeMap::new(),
    }
}

/// A mean as it grows; 0 of nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::record::AttemptRecord;
    use crate::engine::testing::record;

    #[test]
    fn what_is_neither_preview_nor_answer_stands_beside() {
        let mut raced = record(Timestamp::from_millis(1), 1).served_by("a").attempt("a", None).build();
        let template = raced.attempts[0].clone();
        raced.attempts[0].cost_usd = Some(0.5);
        raced.attempts.push(AttemptRecord { ok: false, cost_usd: Some(0.25), ..template });
        raced.previews.clear();
        raced.cost_usd = 1.0;
        let direct = Outlay::of(&raced);
        assert_eq!(direct, Outlay { previews: vec![], beside: 0.5 }, "the failed attempt and the rest");
        let race = |usd: f64| Outlay { previews: vec![("a".into(), usd), ("b".into(), 0.0)], beside: 0.25 };
        let found = outlays([direct, race(0.1), race(0.3)].iter());
        assert_eq!((found.beside_direct_usd, found.beside_race_usd), (0.5, 0.25));
        assert!(
            (found.preview_usd[&ArmId::new("a")] - 0.2).abs() < 1e-12 && found.preview_usd[&ArmId::new("b")] == 0.0
        );
        assert!((found.race_share - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(outlays(std::iter::empty()), Outlays::default());
    }
}
