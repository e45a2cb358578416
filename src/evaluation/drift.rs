//! What changes while records are replayed: an arm answers worse for a while, its price moves, or it is
//! hot-added late. Positions are requests since the start of the replayed file, counted from 0; an interval
//! holds its start and not its end.

use super::problem::{Counting, Outcome, reward};
use crate::domain::ids::ArmId;

/// Whom a change befalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This arm.
    Arm(ArmId),
    /// The arm that served most over the last 50 requests before the change, decided then.
    MostUsed,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Whom it befalls.
    pub whom: Whom,
    /// The first request it holds for.
    pub from: usize,
    /// The first request it holds for no longer.
    pub to: usize,
    /// What changes.
    pub what: What,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// This much is taken off the quality, which stays in [0, 1].
    QualityDrop(f64),
    /// Dollars are multiplied by this.
    PriceFactor(f64),
}

/// Why a change cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChangeFault {
    /// Not of that form.
    #[error("{found:?} is no change, {wrong}: expected ARM:FROM:TO:{amount}, e.g. small:600:1200:{example}")]
    Form {
        /// Which part is wrong, and how.
        wrong: &'static str,
        /// As given.
        found: String,
        /// What the last part is.
        amount: &'static str,
        /// One that would do.
        example: &'static str,
    },
    /// No arm with the request it joins at.
    #[error("{found:?} says not who joins when: expected ARM:AT, e.g. small:600")]
    JoinForm {
        /// As given.
        found: String,
    },
    /// No such arm.
    #[error("no arm {found} in the records: expected one of {known}")]
    UnknownArm {
        /// As given.
        found: ArmId,
        /// All arms.
        known: String,
    },
}

impl ChangeFault {
    /// Where the most used arm can be named as well.
    fn or_top(self) -> Self {
        match self {
            Self::UnknownArm { found, known } => {
                Self::UnknownArm { found, known: format!("{known}, or `top` for the most used one") }
            }
            other => other,
        }
    }
}

impl Change {
    /// `ARM:FROM:TO:DELTA`, where ARM may be `top` for the most used one.
    ///
    /// # Errors
    /// [`ChangeFault::Form`] where it is none.
    pub fn degrade(text: &str) -> Result<Self, ChangeFault> {
        Self::parse(text, What::QualityDrop, "DELTA", "0.18")
    }

    /// `ARM:FROM:TO:FACTOR`, where ARM may be `top` for the most used one.
    ///
    /// # Errors
    /// [`ChangeFault::Form`] where it is none.
    pub fn price(text: &str) -> Result<Self, ChangeFault> {
        Self::parse(text, What::PriceFactor, "FACTOR", "0.1")
    }

    fn parse(
        text: &str,
        what: fn(f64) -> What,
        amount: &'static str,
        example: &'static str,
    ) -> Result<Self, ChangeFault> {
        let fault = |wrong| ChangeFault::Form { wrong, found: text.to_owned(), amount, example };
        if text.matches(':').count() < 3 {
            return Err(fault("which has not four parts"));
        }
        // An arm's name may hold colons (`llama3:8b`), the numbers cannot.
        let mut parts = text.rsplitn(4, ':');
        let mut next = || parts.next().ok_or_else(|| fault("which has not four parts"));
        let number: f64 = next()?.trim().parse().map_err(|_| fault("whose last part is no number"))?;
        let to: usize = next()?.trim().parse().map_err(|_| fault("whose TO is no number of requests"))?;
        let from: usize = next()?.trim().parse().map_err(|_| fault("whose FROM is no number of requests"))?;
        let arm = next()?;
        let is_price = matches!(what(0.0), What::PriceFactor(_));
        let faults = [
            (arm.is_empty(), "which names no arm"),
            (from >= to, "whose FROM is not below its TO"),
            (!number.is_finite(), "whose last part is not finite"),
            (is_price && number < 0.0, "whose FACTOR is below 0"),
        ];
        if let Some((_, wrong)) = faults.into_iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(fault(wrong));
        }
        let whom = if arm == "top" { Whom::MostUsed } else { Whom::Arm(ArmId::new(arm)) };
        Ok(Self { whom, from, to, what: what(number) })
    }
}

/// An arm that is not there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Which.
    pub arm: ArmId,
    /// The first request it can answer.
    pub at: usize,
}

impl Join {
    /// `ARM:AT`.
    ///
    /// # Errors
    /// [`ChangeFault::JoinForm`] where it is none.
    pub fn parse(text: &str) -> Result<Self, ChangeFault> {
        let fault = || ChangeFault::JoinForm { found: text.to_owned() };
        // An arm's name may hold colons.
        let (arm, at) = text.rsplit_once(':').filter(|(arm, _)| !arm.is_empty()).ok_or_else(fault)?;
        Ok(Self { arm: ArmId::new(arm), at: at.trim().parse().map_err(|_| fault())? })
    }
}

fn place(arm: &ArmId, arms: &[ArmId]) -> Result<usize, ChangeFault> {
    arms.iter().position(|known| known == arm).ok_or_else(|| {
        let known: Vec<&str> = arms.iter().map(ArmId::as_str).collect();
        ChangeFault::UnknownArm { found: arm.clone(), known: known.join(", ") }
    })
}

/// Changes with their arms found, as a replay goes along.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drift {
    changes: Vec<Active>,
    /// Arms that join, and the request they join at.
    late: Vec<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Active {
    /// `None` until the most used arm is decided.
    arm: Option<usize>,
    from: usize,
    to: usize,
    what: What,
}

impl Drift {
    /// Finds the arms.
    pub(super) fn new(changes: &[Change], joins: &[Join], arms: &[ArmId]) -> Result<Self, ChangeFault> {
        let find = |change: &Change| {
            let arm = match &change.whom {
                Whom::MostUsed => None,
                Whom::Arm(arm) => Some(place(arm, arms).map_err(ChangeFault::or_top)?),
            };
            Ok(Active { arm, from: change.from, to: change.to, what: change.what })
        };
        let changes = changes.iter().map(find).collect::<Result<_, _>>()?;
        let late = joins.iter().map(|join| Ok((place(&join.arm, arms)?, join.at)));
        Ok(Self { changes, late: late.collect::<Result<_, _>>()? })
    }

    /// Whether nothing ever changes.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.late.is_empty()
    }

    /// The same before anything changed: those that join are not there.
    pub(super) fn before(&self) -> Self {
        Self { changes: Vec::new(), late: self.late.iter().map(|(arm, _)| (*arm, usize::MAX)).collect() }
    }

    /// Those that join at some request.
    pub(super) fn late(&self) -> impl Iterator<Item = usize> {
        self.late.iter().map(|(arm, _)| *arm)
    }

    /// Those that join at this request.
    pub(super) fn joining(&self, step: usize) -> impl Iterator<Item = usize> {
        self.late.iter().filter(move |(_, at)| *at == step).map(|(arm, _)| *arm)
    }

    /// Whether an arm can answer at this request.
    pub(super) fn is_there(&self, step: usize, arm: usize) -> bool {
        self.late.iter().all(|(late, at)| *late != arm || step >= *at)
    }

    /// Whether anything is different at this request.
    pub(super) fn is_active(&self, step: usize) -> bool {
        self.changes.iter().any(|change| (change.from..change.to).contains(&step))
    }

    /// Decides who the most used arm is, where a change that asks for it begins.
    pub(super) fn begin(&mut self, step: usize, most_used: &dyn Fn() -> Option<usize>) {
        for change in &mut self.changes {
            if change.arm.is_none() && change.from == step {
                change.arm = most_used();
            }
        }
    }

    /// What an arm is worth at this request.
    pub(super) fn bend(&self, step: usize, arm: usize, outcome: &Outcome, counting: &Counting) -> Outcome {
        let mut bent = *outcome;
        for change in &self.changes {
            if change.arm == Some(arm) && (change.from..change.to).contains(&step) {
                match change.what {
                    What::QualityDrop(delta) => bent.quality = (bent.quality - delta).clamp(0.0, 1.0),
                    What::PriceFactor(factor) => bent.dollars = bent.dollars.map(|dollars| dollars * factor),
                }
            }
        }
        if let (Some(terms), Some(dollars)) = (&mut bent.terms, bent.dollars) {
            terms.cost = super::problem::cost_term(dollars, counting);
        }
        bent.reward = reward(bent.quality, bent.terms.as_ref(), &counting.weights);
        bent
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::graded;
    use super::*;
    use crate::domain::terms::Weights;

    #[test]
    fn changes_are_read_from_the_right() {
        let change = Change::degrade("llama3:8b:600:1200:0.18").unwrap();
        assert_eq!(change.whom, Whom::Arm(ArmId::new("llama3:8b")));
        assert_eq!((change.from, change.to, change.what), (600, 1200, What::QualityDrop(0.18)));
        assert_eq!(Change::price("top:0:5:0.1").unwrap().whom, Whom::MostUsed);
        for text in ["", "a:1:2", "a:2:2:0.1", "a:x:2:0.1", ":1:2:0.1", "a:1:2:inf"] {
            assert!(Change::degrade(text).is_err(), "{text}");
        }
        assert_eq!(Join::parse("llama3:8b:600").unwrap(), Join { arm: ArmId::new("llama3:8b"), at: 600 });
        assert!(["", "a", ":5", "a:b"].iter().all(|text| Join::parse(text).is_err()));
        for (text, wrong) in [
            ("top:600:500:0.1", "whose FROM is not below its TO"),
            ("top:1:5:nan", "whose last part is not finite"),
            ("top:1:5", "which has not four parts"),
            ("top:1:5:-1", "whose FACTOR is below 0"),
        ] {
            let found = Change::price(text).unwrap_err().to_string();
            assert!(found.contains(&format!("is no change, {wrong}: expected ARM:FROM:TO:FACTOR")), "{found}");
        }
        let top = Drift::new(&[], &[Join::parse("top:5").unwrap()], &[ArmId::new("a")]).unwrap_err().to_string();
        assert!(top.ends_with("no arm top in the records: expected one of a"), "{top}");
        assert!(Change::price("a:1:2:-3").is_err() && Change::degrade("a:1:2:-0.1").is_ok());
    }

    #[test]
    fn a_change_holds_for_its_interval_and_its_arm() {
        let arms = [ArmId::new("a"), ArmId::new("b")];
        let weights = Weights::new([0.5, 0.0, 0.5, 0.0, 0.0, 0.0], 0.0).unwrap();
        let counting = Counting { weights, ..Counting::quality_alone() };
        let changes = [Change::degrade("a:10:20:0.3").unwrap(), Change::price("top:10:20:0.1").unwrap()];
        let mut drift = Drift::new(&changes, &[], &arms).unwrap();
        drift.begin(10, &|| Some(1));
        let plain = graded(0.8, Some(1e-3), None, &counting);
        assert!(!drift.is_active(9) && drift.is_active(10) && drift.is_active(19) && !drift.is_active(20));
        assert_eq!(drift.bend(9, 0, &plain, &counting), plain);
        let worse = drift.bend(10, 0, &plain, &counting);
        assert!((worse.quality - 0.5).abs() < 1e-12 && (plain.reward - worse.reward - 0.15).abs() < 1e-12);
        let cheaper = drift.bend(10, 1, &plain, &counting);
        assert!((cheaper.dollars.unwrap() - 1e-4).abs() < 1e-12 && cheaper.reward > plain.reward);
        let unknown = Drift::new(&[Change::degrade("c:1:2:0.1").unwrap()], &[], &arms).unwrap_err();
        assert!(unknown.to_string().contains("expected one of a, b"));
    }
}
