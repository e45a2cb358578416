//! What lies on top of a screen and wants an answer: a change of learning with what it would do, or a
//! question. A dialog is data; turning a value changes it, `Enter` makes a command of it.

use crate::domain::command::{JournalEntry, RouterCommand};
use crate::domain::engine::WhatIf;
use crate::domain::ids::ArmId;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::terms::{Term, Weights, WeightsFault};

/// Above this share of traffic a change asks once more.
pub(crate) const MUCH_TRAFFIC: f64 = 0.20;

/// What the dialog is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    /// Forget.
    Decay {
        /// Of these arms; empty means all.
        arms: Vec<ArmId>,
        /// Share of the data that is kept.
        factor: f64,
    },
    /// Take out by record.
    Prune {
        /// At least so many trials.
        min_trials: u64,
        /// A lower win rate goes.
        min_win_rate: f64,
        /// Which of the two is being turned.
        field: usize,
    },
    /// Switch off.
    Deactivate {
        /// These.
        arms: Vec<ArmId>,
    },
    /// Bring back.
    Reactivate {
        /// These.
        arms: Vec<ArmId>,
    },
    /// Reward weights.
    Weights {
        /// By term as turned, then the fallback penalty; normalised when shown and sent.
        draft: [f64; 7],
        /// Which is being turned.
        field: usize,
    },
    /// The ceiling of mean dollars per run.
    Budget {
        /// As turned; `None` lifts it.
        dollars: Option<f64>,
    },
    /// Undo, or redo, that journal line.
    Undo {
        /// The line that is undone; for a redo the undo itself.
        entry: Box<JournalEntry>,
        /// What is taken back, or done again, in words.
        what: String,
        /// Whether it is a redo.
        redo: bool,
    },
    /// Start the traffic generator although models outside this process would answer it.
    Traffic {
        /// Runs a second.
        rate_per_s: f64,
    },
    /// Leave although something is under way.
    Quit {
        /// What is under way.
        what: String,
    },
}

/// The answer to what a change would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Forecasting {
    /// Not answered yet.
    #[default]
    Waiting,
    /// So.
    Known(Box<WhatIf>),
    /// The command would be rejected, and why.
    Refused(String),
}

/// A dialog.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dialog {
    /// What it is about.
    pub(crate) subject: Subject,
    /// What it would do.
    pub(crate) forecast: Forecasting,
    /// The last forecast, shown while a newer one is awaited, so that the figures do not flicker.
    pub(crate) last: Option<Box<WhatIf>>,
    /// Whether `Enter` was pressed once and is wanted again.
    pub(crate) armed: bool,
}

impl Dialog {
    /// A dialog about `subject`.
    pub(crate) fn new(subject: Subject) -> Self {
        Self { subject, forecast: Forecasting::Waiting, last: None, armed: false }
    }

    /// The command it stands for.
    ///
    /// # Errors
    /// In words, where the values make none.
    pub(crate) fn command(&self) -> Result<RouterCommand, String> {
        match &self.subject {
            Subject::Decay { arms, factor } => Ok(RouterCommand::Decay { factor: *factor, arms: arms.clone() }),
            Subject::Prune { min_trials, min_win_rate, .. } => {
                Ok(RouterCommand::Prune { min_trials: *min_trials, min_win_rate: *min_win_rate, victims: Vec::new() })
            }
            Subject::Deactivate { arms } => Ok(RouterCommand::Deactivate { arms: arms.clone() }),
            Subject::Reactivate { arms } => Ok(RouterCommand::Reactivate { arms: arms.clone() }),
            Subject::Weights { draft, .. } => {
                let weights = weights_of(draft).map_err(|fault| fault.to_string())?;
                Ok(RouterCommand::SetWeights { weights })
            }
            Subject::Budget { dollars } => Ok(RouterCommand::SetBudget { dollars: *dollars }),
            Subject::Undo { entry, .. } => Ok(RouterCommand::Undo { target: entry.sequence }),
            Subject::Traffic { .. } | Subject::Quit { .. } => Err("this is no command".to_owned()),
        }
    }

    /// Whether it changes learning, and so can be forecast.
    pub(crate) fn is_change(&self) -> bool {
        !matches!(self.subject, Subject::Quit { .. } | Subject::Traffic { .. })
    }

    /// What it does, for the status line: `decay ×0.90 of all arms`.
    pub(crate) fn phrase(&self) -> String {
        match &self.subject {
            Subject::Decay { arms, factor } => format!("decay to {factor:.2} of {}", names(arms)),
            Subject::Prune { min_trials, min_win_rate, .. } => {
                format!("prune below {:.0}% wins after {min_trials} trials", min_win_rate * 100.0)
            }
            Subject::Deactivate { arms } => format!("switch off {}", names(arms)),
            Subject::Reactivate { arms } => format!("bring back {}", names(arms)),
            Subject::Weights { draft, .. } => {
                weights_of(draft).map_or_else(|_| "weights".to_owned(), |w| format!("weights {}", weights_text(&w)))
            }
            Subject::Budget { dollars } => budget_text(*dollars),
            Subject::Undo { entry, what, redo: false } => format!("undo #{} {what}", entry.sequence),
            Subject::Undo { what, redo: true, .. } => format!("redo {what}"),
            Subject::Traffic { .. } => "traffic".to_owned(),
            Subject::Quit { .. } => "quit".to_owned(),
        }
    }

    /// The forecast to show: the newest, or the last while a newer one is awaited.
    pub(crate) fn shown_forecast(&self) -> Option<&WhatIf> {
        match &self.forecast {
            Forecasting::Known(known) => Some(known),
            Forecasting::Waiting => self.last.as_deref(),
            Forecasting::Refused(_) => None,
        }
    }

    /// The share of traffic that it moves from one arm to another: as forecast, else what the arms
    /// that would go serve now.
    pub(crate) fn moves(&self, snapshot: &EngineSnapshot) -> Option<f64> {
        if let Forecasting::Known(known) = &self.forecast {
            let now = |arm: &ArmId| known.now.share.iter().find(|(a, _)| a == arm).map_or(0.0, |(_, s)| *s);
            let gained: f64 = known.then.share.iter().map(|(arm, share)| (share - now(arm)).max(0.0)).sum();
            return Some(gained);
        }
        match &self.subject {
            Subject::Deactivate { arms } => {
                let shares = snapshot.arms.iter().filter(|row| arms.contains(&row.arm)).filter_map(|row| row.share);
                Some(shares.map(crate::domain::ratio::Ratio::get).sum())
            }
            _ => None,
        }
    }

    /// Whether `Enter` would take somebody out whom nobody has been shown yet.
    pub(crate) fn is_blind(&self) -> bool {
        matches!((&self.subject, &self.forecast), (Subject::Prune { .. }, Forecasting::Waiting))
    }

    /// Whether it must be confirmed once more, and with which words.
    pub(crate) fn objection(&self, snapshot: &EngineSnapshot) -> Option<String> {
        let asks = matches!(self.subject, Subject::Deactivate { .. } | Subject::Prune { .. });
        let moved = self.moves(snapshot).filter(|_| asks)?;
        (moved > MUCH_TRAFFIC).then(|| format!("this moves {:.0}% of traffic", moved * 100.0))
    }
}

/// Normalised weights of a draft.
///
/// # Errors
/// The first fault.
pub(crate) fn weights_of(draft: &[f64; 7]) -> Result<Weights, WeightsFault> {
    let [by_term @ .., penalty] = *draft;
    Weights::new(by_term, penalty).map_err(|mut faults| faults.remove(0))
}

/// Weights in a few characters: `q.70 l.20 c.10`.
pub(crate) fn weights_text(weights: &Weights) -> String {
    let short = |term: Term| match term {
        Term::Quality => "q",
        Term::Latency => "l",
        Term::Cost => "c",
        Term::Speed => "s",
        Term::TokenEfficiency => "t",
        Term::Stability => "st",
    };
    let shown = Term::ALL.into_iter().filter(|term| weights.get(*term) > 0.0);
    let parts: Vec<String> = shown
        .map(|term| format!("{}{}", short(term), super::super::widgets::number::unit(weights.get(term))))
        .collect();
    parts.join(" ")
}

/// A command in a few words, for the journal lines that undo names.
pub(crate) fn describe(command: &RouterCommand) -> String {
    match command {
        RouterCommand::Decay { factor, arms } => format!("decay to {factor:.2} of {}", names(arms)),
        RouterCommand::Prune { victims, .. } if victims.is_empty() => "prune of nobody".to_owned(),
        RouterCommand::Prune { victims, .. } => format!("prune of {}", names(victims)),
        RouterCommand::Deactivate { arms } => format!("switching off {}", names(arms)),
        RouterCommand::Reactivate { arms } => format!("bringing back {}", names(arms)),
        RouterCommand::SetWeights { weights } => format!("weights {}", weights_text(weights)),
        RouterCommand::SetBudget { dollars } => budget_text(*dollars),
        RouterCommand::Undo { target } => format!("undo of #{target}"),
        RouterCommand::AskJudge => "asking the judge again".to_owned(),
        RouterCommand::RemoveArm { arm } | RouterCommand::ResetArm { arm } => format!("{} {arm}", command.name()),
        RouterCommand::AddArm { spec } => format!("add-arm {}", spec.name),
        other => other.name().to_owned(),
    }
}

/// A ceiling in words.
pub(crate) fn budget_text(dollars: Option<f64>) -> String {
    dollars.map_or_else(|| "no ceiling".to_owned(), |dollars| format!("ceiling ${}/run", ceiling(dollars)))
}

/// Dollars of one run, three digits of them: they may be hundredths of a cent.
pub(crate) fn ceiling(dollars: f64) -> String {
    let places = (2.0 - dollars.max(1e-12).log10().floor()).clamp(2.0, 12.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 2 to 12")]
    let places = places as usize;
    format!("{dollars:.places$}")
}

/// Arms in words.
pub(crate) fn names(arms: &[ArmId]) -> String {
    match arms {
        [] => "all arms".to_owned(),
        [first] => first.to_string(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}
