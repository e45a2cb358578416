//! What is decided before a command enters the log: whether it may, and who a rule's victims are.
//! Reads the state, changes nothing.

use super::fold::can_answer;
use super::state::RouterState;
use crate::domain::command::{ArmObservation, RouterCommand};
use crate::domain::context::{FeatureBlock, Normaliser};
use crate::domain::ids::{ArmId, RunId};
use crate::domain::spec::{Lifecycle, ShareLimits};

/// No context or response of a real run is larger than this; sums of squares stay far from overflow.
const LARGEST: f64 = 1e6;
/// The largest α that is taken, as in the configuration.
const MOST_ALPHA: f64 = 100.0;

/// Why a command is refused: what was expected, what was found, what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// No arm of that name.
    #[error("there is no arm {arm:?}: the pool has {known}")]
    UnknownArm {
        /// The name given.
        arm: ArmId,
        /// The names there are.
        known: String,
    },
    /// An empty list where arms are needed.
    #[error("no arm was named: name at least one")]
    NoArm,
    /// It would leave nobody to answer.
    #[error("{arms} would leave no arm that can answer: bring another back first")]
    LastArm {
        /// Who was to go.
        arms: String,
    },
    /// Already as asked.
    #[error("{arm:?} is already {state}: nothing to do")]
    NothingToDo {
        /// The arm.
        arm: ArmId,
        /// Its state.
        state: &'static str,
    },
    /// The pruning rule finds nobody.
    #[error(
        "nobody would go: no active arm has at least {min_trials} trials and wins fewer than {percent:.0} % of them"
    )]
    NobodyToPrune {
        /// Arms with fewer trials are left alone.
        min_trials: u64,
        /// Arms that win less go.
        percent: f64,
    },
    /// A number outside its range.
    #[error("`{what}` is {found}: expected {expected}")]
    OutOfRange {
        /// What it stands for.
        what: &'static str,
        /// What was given.
        found: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A context of another schema.
    #[error("a context has {found} numbers and this router has {expected}: it was computed under another schema")]
    Dimension {
        /// Numbers in the command.
        found: usize,
        /// Numbers expected.
        expected: usize,
    },
    /// Nothing there to undo or discard.
    #[error("there is nothing at sequence {target}: the log ends at {end}")]
    NotInLog {
        /// What was asked for.
        target: u64,
        /// The newest sequence number.
        end: u64,
    },
    /// Feedback about a run that is not in the statistics: amending it would take away what was never there.
    #[error(
        "nothing is known of what this run taught about {arm:?}: it was discarded, or the arm began anew, or learning was paused"
    )]
    NotLearned {
        /// The run.
        run: RunId,
        /// The arm.
        arm: ArmId,
    },
    /// A prior of another schema.
    #[error("the priors were fitted with features {found}, this router has {expected}: fit them again")]
    OtherFeatures {
        /// The schema version in the command.
        found: String,
        /// The router's.
        expected: String,
    },
    /// Sums that no outcomes could have had.
    #[error("the prior of {arm:?} cannot be: {problem}")]
    BadPrior {
        /// Of which arm.
        arm: ArmId,
        /// What is wrong.
        problem: String,
    },
    /// A scale that cannot be used.
    #[error("the scale of the embedding cannot be set: {problem}")]
    BadNormaliser {
        /// What is wrong.
        problem: String,
    },
    /// More than one of them.
    #[error("{}", joined(.0))]
    Several(Vec<Rejection>),
    /// An interval that ends before it begins.
    #[error("the interval {from} to {to} is empty: give the earlier sequence number first")]
    EmptyInterval {
        /// Its start.
        from: u64,
        /// Its end.
        to: u64,
    },
}

/// What is wrong with a command whatever the state: numbers outside their ranges, nobody named. All of it.
#[must_use]
pub fn faults_of(command: &RouterCommand) -> Vec<Rejection> {
    let found = match command {
        RouterCommand::Decay { factor, .. } => {
            vec![range("factor", *factor, *factor > 0.0 && *factor <= 1.0, "a number above 0 and at most 1")]
        }
        RouterCommand::Prune { min_win_rate, .. } => {
            vec![range("min_win_rate", *min_win_rate, (0.0..=1.0).contains(min_win_rate), "a number from 0 to 1")]
        }
        RouterCommand::Deactivate { arms } | RouterCommand::Reactivate { arms } if arms.is_empty() => {
            vec![Err(Rejection::NoArm)]
        }
        RouterCommand::SetExploration { alpha, explore_share } => {
            let (a, e) = (alpha.unwrap_or(0.0), explore_share.unwrap_or(0.0));
            vec![
                range("alpha", a, (0.0..=MOST_ALPHA).contains(&a), "a number from 0 to 100"),
                range("explore_share", e, (0.0..=1.0).contains(&e), "a number from 0 to 1"),
            ]
        }
        RouterCommand::SetBudget { dollars: Some(b) } => {
            vec![range("budget", *b, *b > 0.0 && *b <= LARGEST, "dollars per request above 0, or `off`")]
        }
        RouterCommand::Spend { dollars, .. } => {
            vec![range("dollars", *dollars, (0.0..=LARGEST).contains(dollars), "a number of at least 0")]
        }
        RouterCommand::SetShareLimits { limits: Some(ShareLimits { min, max, ramp_s }), .. } => {
            let is_above = max >= min || !(0.0..=1.0).contains(min);
            vec![
                range("min", *min, (0.0..=1.0).contains(min), "a share from 0 to 1"),
                range("max", *max, (0.0..=1.0).contains(max) && is_above, "a share from `min` to 1"),
                range("ramp_s", *ramp_s, (0.0..=LARGEST * 100.0).contains(ramp_s), "seconds of at least 0"),
            ]
        }
        RouterCommand::Discard { from, to } if from > to => {
            vec![Err(Rejection::EmptyInterval { from: *from, to: *to })]
        }
        _ => Vec::new(),
    };
    found.into_iter().filter_map(Result::err).collect()
}

impl RouterState {
    /// The command as it is to be logged: validated, and with every decision that it leaves open made.
    ///
    /// # Errors
    /// [`Rejection`], in words for a person; the state is unchanged either way.
    pub fn prepare(&self, command: RouterCommand) -> Result<RouterCommand, Rejection> {
        one_of(faults_of(&command))?;
        match &command {
            RouterCommand::Observe(observation) => {
                for seen in &observation.arms {
                    self.check_context(observation.x.len() + seen.signals.len())?;
                    check_numbers(&observation.x)?;
                    check_numbers(&seen.signals)?;
                    check_responses(seen)?;
                }
                let spent = observation.spent_usd.unwrap_or(0.0);
                range("spent_usd", spent, (0.0..=LARGEST).contains(&spent), "a number of at least 0")?;
            }
            RouterCommand::Amend { run, arm, x, old, new, preview, .. } => {
                self.known(arm)?;
                self.check_learned(*run, arm)?;
                self.check_context(x.len())?;
                check_numbers(x)?;
                let terms = preview.as_ref().map(super::stats::preview_columns);
                check_numbers(&[old.unwrap_or(0.0), *new])?;
                check_numbers(terms.as_ref().map_or(&[], |terms| terms.as_slice()))?;
            }
            RouterCommand::Decay { arms, .. } => self.all_known(arms)?,
            RouterCommand::Prune { min_trials, min_win_rate, .. } => {
                return self.prepare_prune(*min_trials, *min_win_rate);
            }
            RouterCommand::Deactivate { arms } => self.check_deactivate(arms)?,
            RouterCommand::Reactivate { arms } => self.check_reactivate(arms)?,
            RouterCommand::Eject { arm, .. }
            | RouterCommand::Reinstate { arm }
            | RouterCommand::Recovered { arm }
            | RouterCommand::ResetArm { arm } => {
                self.known(arm)?;
            }
            RouterCommand::RemoveArm { arm } => {
                self.known(arm)?;
                self.check_others(std::slice::from_ref(arm), Lifecycle::Deactivated)?;
            }
            RouterCommand::SetMode { mode } => mode.pinned.iter().try_for_each(|arm| self.known(arm))?,
            RouterCommand::SetShareLimits { arm, limits } => self.check_limits(arm, limits.as_ref())?,
            RouterCommand::Discard { from, .. } => self.in_log(*from)?,
            RouterCommand::Undo { target } => self.in_log(*target)?,
            RouterCommand::SetNormaliser { normaliser } => self.check_normaliser(normaliser)?,
            RouterCommand::SetPrior { feature_version, arms } => self.check_prior(feature_version, arms)?,
            _ => {}
        }
        Ok(command)
    }

    /// The least shares of all arms together are no more than everything.
    fn check_limits(&self, arm: &ArmId, limits: Option<&ShareLimits>) -> Result<(), Rejection> {
        self.known(arm)?;
        let Some(ShareLimits { min, .. }) = limits else { return Ok(()) };
        let others = self.arms.iter().filter(|other| other.spec.name != *arm);
        let sum: f64 = others.filter_map(|other| other.pool.share).map(|(limits, _)| limits.min).sum();
        range("min", *min, sum + min <= 1.0 + 1e-9, "that the least shares of all arms sum to at most 1")
    }

    fn check_normaliser(&self, normaliser: &Normaliser) -> Result<(), Rejection> {
        let config = self.config();
        let slots = config.blocks.iter().filter(|block| **block == FeatureBlock::Embedding).count();
        let refuse = |problem: String| Err(Rejection::BadNormaliser { problem });
        if normaliser.feature_version != config.feature_version {
            let (found, expected) = (&normaliser.feature_version, &config.feature_version);
            return refuse(format!("it is of features {found}, this router has {expected}"));
        }
        if self.normaliser.is_some() {
            return refuse("it is frozen already; undo that first".to_owned());
        }
        let (means, sds) = (normaliser.mean.len(), normaliser.sd.len());
        if slots == 0 || means != slots || sds != slots {
            return refuse(format!("it has {means} means and {sds} deviations for {slots} slots"));
        }
        check_numbers(&normaliser.mean)?;
        let odd = normaliser.sd.iter().find(|sd| !(**sd > 0.0 && **sd < LARGEST));
        odd.map_or(Ok(()), |sd| refuse(format!("a deviation is {sd}: expected a number above 0")))
    }

    fn prepare_prune(&self, min_trials: u64, min_win_rate: f64) -> Result<RouterCommand, Rejection> {
        let rate = |wins: u64, trials: u64| if trials == 0 { 0.0 } else { wins as f64 / trials as f64 };
        let open = || self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate());
        let mut victims: Vec<ArmId> = open()
            .filter(|arm| arm.pool.trials >= min_trials.max(1) && rate(arm.pool.wins, arm.pool.trials) < min_win_rate)
            .map(|arm| arm.spec.name.clone())
            .collect();
        if victims.len() == open().count() {
            // Somebody stays: who wins most often, the first among equals.
            let best = open().rev().max_by(|a, b| {
                let (a, b) = (&a.pool, &b.pool);
                rate(a.wins, a.trials).total_cmp(&rate(b.wins, b.trials))
            });
            victims.retain(|victim| best.is_none_or(|best| best.spec.name != *victim));
        }
        if victims.is_empty() {
            return Err(Rejection::NobodyToPrune { min_trials, percent: min_win_rate * 100.0 });
        }
        Ok(RouterCommand::Prune { min_trials, min_win_rate, victims })
    }

    fn check_deactivate(&self, arms: &[ArmId]) -> Result<(), Rejection> {
        self.all_known(arms)?;
        let off = |arm: &&ArmId| self.state_of(arm) == Some(Lifecycle::Deactivated);
        if let [arm] = arms
            && off(&arm)
        {
            return Err(Rejection::NothingToDo { arm: arm.clone(), state: Lifecycle::Deactivated.name() });
        }
        self.check_others(arms, Lifecycle::Deactivated)
    }

    fn check_reactivate(&self, arms: &[ArmId]) -> Result<(), Rejection> {
        self.all_known(arms)?;
        match arms {
            [arm] => match self.state_of(arm) {
                Some(state) if state.is_candidate() => {
                    Err(Rejection::NothingToDo { arm: arm.clone(), state: state.name() })
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn check_others(&self, going: &[ArmId], into: Lifecycle) -> Result<(), Rejection> {
        let mut others = self.arms.iter().filter(|arm| !going.contains(&arm.spec.name));
        if others.any(|arm| can_answer(arm.pool.lifecycle, into)) {
            Ok(())
        } else {
            Err(Rejection::LastArm { arms: names(going) })
        }
    }

    fn all_known(&self, arms: &[ArmId]) -> Result<(), Rejection> {
        one_of(arms.iter().filter_map(|arm| self.known(arm).err()).collect())
    }

    pub(super) fn known(&self, arm: &ArmId) -> Result<(), Rejection> {
        match self.find(arm.as_str()) {
            Some(_) => Ok(()),
            None if self.arms.is_empty() => {
                Err(Rejection::UnknownArm { arm: arm.clone(), known: "no arms".to_owned() })
            }
            None => {
                let known: Vec<ArmId> = self.arms.iter().map(|arm| arm.spec.name.clone()).collect();
                Err(Rejection::UnknownArm { arm: arm.clone(), known: names(&known) })
            }
        }
    }

    fn check_learned(&self, run: RunId, arm: &ArmId) -> Result<(), Rejection> {
        let learned = self.find(arm.as_str()).and_then(|i| self.learned_at(run, &self.arms[i]));
        learned.map(|_| ()).ok_or_else(|| Rejection::NotLearned { run, arm: arm.clone() })
    }

    fn check_context(&self, found: usize) -> Result<(), Rejection> {
        let expected = self.shared.config.d;
        if found == expected { Ok(()) } else { Err(Rejection::Dimension { found, expected }) }
    }

    fn in_log(&self, target: u64) -> Result<(), Rejection> {
        let end = self.sequence;
        if (1..=end).contains(&target) { Ok(()) } else { Err(Rejection::NotInLog { target, end }) }
    }

    pub(super) fn state_of(&self, arm: &ArmId) -> Option<Lifecycle> {
        self.find(arm.as_str()).map(|i| self.arms[i].pool.lifecycle)
    }
}

/// Them as one, where there are any.
fn one_of(mut faults: Vec<Rejection>) -> Result<(), Rejection> {
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.remove(0)),
        _ => Err(Rejection::Several(faults)),
    }
}

fn joined(faults: &[Rejection]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn names(arms: &[ArmId]) -> String {
    arms.iter().map(ArmId::as_str).collect::<Vec<_>>().join(", ")
}

fn range(what: &'static str, found: f64, ok: bool, expected: &'static str) -> Result<(), Rejection> {
    if ok { Ok(()) } else { Err(Rejection::OutOfRange { what, found, expected }) }
}

fn check_numbers(values: &[f64]) -> Result<(), Rejection> {
    let odd = values.iter().copied().find(|v| v.is_nan() || v.abs() > LARGEST);
    odd.map_or(Ok(()), |found| range("context or response", found, false, "a finite number of at most a million"))
}

fn check_responses(seen: &ArmObservation) -> Result<(), Rejection> {
    let unit = |v: f64| range("term", v, (0.0..=1.0).contains(&v), "a number from 0 to 1");
    seen.quality.map_or(Ok(()), unit)?;
    let terms = seen.preview.as_ref().map(super::stats::preview_columns);
    terms.iter().flatten().copied().try_for_each(unit)?;
    seen.answer.as_ref().map_or(Ok(()), |answer| check_numbers(&[answer.dollars, answer.fallback]))
}
