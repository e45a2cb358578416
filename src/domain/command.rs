//! Everything that changes the router's state, as data. The state is a fold over these in the order
//! of their sequence numbers; there is no other way to change it. A command carries who, when, and an
//! idempotency id; whatever a rule or a draw decided is stored in it, so that replaying decides nothing.

use serde::{Deserialize, Serialize};

pub use super::acknowledgement::{Acknowledgement, Durability};
use super::clock::Timestamp;
use super::context::Normaliser;
use super::ids::{ArmId, CommandId, RunId, Sequence};
use super::prior::ArmPrior;
use super::spec::{ArmSpec, COOLING, Mode, ShareLimits};
use super::terms::{Column, Weights};

/// Who caused a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person, by the operator's name.
    Person(String),
    /// An edit of the configuration, at start.
    Config,
    /// A rule: health, automatic pruning, an expiry.
    Rule(String),
    /// A completed run.
    Run,
}

impl Actor {
    /// The name in the journal.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Person(name) => name,
            Self::Config => "config",
            Self::Rule(_) => "rule",
            Self::Run => "run",
        }
    }
}

/// A command with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Position in the log.
    pub sequence: Sequence,
    /// Applying the same id again is refused as a duplicate.
    pub id: CommandId,
    /// Who.
    pub actor: Actor,
    /// When, by the owner's wall clock.
    pub at: Timestamp,
    /// What.
    pub command: RouterCommand,
}

/// What one run taught about one arm. Each part is present only where it was observed: a losing
/// preview has no answer, an unjudged one no quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmObservation {
    /// The arm.
    pub arm: ArmId,
    /// Values of the per-arm dimensions at the end of `x`, where the schema has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<f64>,
    /// Group *judged*: quality in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// Group *preview*: the other terms in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewTerms>,
    /// Group *answer*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerOutcome>,
    /// Whether it took part in a judged race of two or more previews.
    #[serde(default)]
    pub trial: bool,
    /// Whether it was judged best there.
    #[serde(default)]
    pub win: bool,
    /// Whether its answer was the one served.
    #[serde(default)]
    pub served: bool,
}

/// The terms that every completed preview (or direct answer) gives, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewTerms {
    /// See [`Column::Latency`].
    pub latency: f64,
    /// See [`Column::Cost`].
    pub cost: f64,
    /// See [`Column::Speed`].
    pub speed: f64,
    /// See [`Column::TokenEfficiency`].
    pub token_efficiency: f64,
    /// See [`Column::Stability`].
    pub stability: f64,
}

/// What a full answer gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerOutcome {
    /// Dollars of the full answer.
    pub dollars: f64,
    /// 1 where this arm's content failed and another had to answer, else 0.
    pub fallback: f64,
}

/// What one run taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The run.
    pub run: RunId,
    /// The shared context, without per-arm signals.
    pub x: Vec<f64>,
    /// One entry per arm that taught something.
    pub arms: Vec<ArmObservation>,
    /// Everything that the run cost, in dollars: previews, judge and failed answers included. Absent in older
    /// logs, where the answers count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<f64>,
}

/// A change of the router's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum RouterCommand {
    /// A run was completed: one step.
    Observe(Observation),
    /// A response of a past run changed (a rating, a late verdict): applied with that run's context.
    Amend {
        /// The run.
        run: RunId,
        /// The arm.
        arm: ArmId,
        /// The run's context for that arm.
        x: Vec<f64>,
        /// The column.
        column: Column,
        /// The value it had in that run, absent where it had none.
        old: Option<f64>,
        /// The value it has now.
        new: f64,
        /// The arm's other terms in that run, where they were observed: with them the amendment is exact
        /// in the covariance of the terms too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preview: Option<PreviewTerms>,
    },
    /// Forget: keep `factor` of the data of these arms (of all where empty).
    Decay {
        /// In (0, 1].
        factor: f64,
        /// Empty means every arm.
        #[serde(default)]
        arms: Vec<ArmId>,
    },
    /// Take arms out by record. The victims are decided when the command is accepted, and stored.
    Prune {
        /// Arms with fewer trials are left alone.
        min_trials: u64,
        /// Arms with a lower win rate go, in [0, 1].
        min_win_rate: f64,
        /// Who went.
        #[serde(default)]
        victims: Vec<ArmId>,
    },
    /// Switch arms off.
    Deactivate {
        /// Which.
        arms: Vec<ArmId>,
    },
    /// Bring arms back, on probation.
    Reactivate {
        /// Which.
        arms: Vec<ArmId>,
    },
    /// Health takes an arm out for a time.
    Eject {
        /// Which.
        arm: ArmId,
        /// When it is probed again.
        until: Timestamp,
        /// Why, for a person.
        reason: String,
        /// Whether it counts: the next one that does lasts longer, until the arm has recovered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        grows: bool,
    },
    /// An arm has answered often enough since its last ejection: the next one is a first one again.
    Recovered {
        /// Which.
        arm: ArmId,
    },
    /// Health lets an arm back.
    Reinstate {
        /// Which.
        arm: ArmId,
    },
    /// New reward weights; at once and exactly on all history.
    SetWeights {
        /// The weights.
        weights: Weights,
    },
    /// How much is explored.
    SetExploration {
        /// In units of uncertainty, at least 0; unchanged where absent.
        alpha: Option<f64>,
        /// The share of runs that explore uniformly, in [0, 1]; unchanged where absent.
        explore_share: Option<f64>,
    },
    /// A ceiling of mean dollars per request, with a new account; none where absent.
    SetBudget {
        /// Dollars per request, above 0.
        dollars: Option<f64>,
    },
    /// Something cost money and taught nothing.
    Spend {
        /// The run; of what belongs to none, an id of its own.
        run: RunId,
        /// Dollars, at least 0.
        dollars: f64,
        /// Whether it is beside the requests that a ceiling allows for: a probe, a verdict that came later.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        beside: bool,
    },
    /// Strategy, pinned arm, learning paused.
    SetMode {
        /// The mode.
        mode: Mode,
    },
    /// Bounds of the share of runs that an arm takes part in; none where absent.
    SetShareLimits {
        /// Which.
        arm: ArmId,
        /// The bounds.
        #[serde(default)]
        limits: Option<ShareLimits>,
    },
    /// The scale of an embedding's slots, fitted on the first prompts and frozen from here on.
    SetNormaliser {
        /// The scale.
        normaliser: Normaliser,
    },
    /// Prompts become other numbers from here on: statistics start afresh, everything else stays. A fold
    /// cannot cross it.
    NewFeatures {
        /// The schema's version before.
        from: String,
        /// The schema's version now.
        to: String,
    },
    /// A new arm (or a changed declaration of a known one, whose statistics stay).
    AddArm {
        /// The declaration.
        spec: ArmSpec,
    },
    /// Take an arm and its statistics out of the pool.
    RemoveArm {
        /// Which.
        arm: ArmId,
    },
    /// Forget everything about an arm but its place in the pool.
    ResetArm {
        /// Which.
        arm: ArmId,
    },
    /// What is believed of arms beside their data; it takes the place of what was believed before.
    SetPrior {
        /// The feature schema that it speaks of.
        feature_version: String,
        /// One an arm.
        arms: Vec<ArmPrior>,
    },
    /// As if the observations of this interval had never been made.
    Discard {
        /// The first sequence number.
        from: Sequence,
        /// The last sequence number.
        to: Sequence,
    },
    /// As if that operator action had never been done; undoing an undo is a redo.
    Undo {
        /// The sequence number of the action.
        target: Sequence,
    },
    /// A judge that is out is asked by the next run. Inert in the fold: whether it is out is not of the state.
    AskJudge,
    /// The whole state was replaced by an exported one, which the snapshot of the same batch holds. Inert in
    /// the fold: what came before it cannot be refolded across it.
    Import {
        /// The place in its own log that the exported state shows.
        sequence: Sequence,
        /// When it was exported.
        exported: Timestamp,
    },
}

impl RouterCommand {
    /// The name in the journal and in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Amend { .. } => "amend",
            Self::Decay { .. } => "decay",
            Self::Prune { .. } => "prune",
            Self::Deactivate { .. } => "deactivate",
            Self::Reactivate { .. } => "reactivate",
            Self::Eject { reason, .. } if reason.starts_with(COOLING) => "cool",
            Self::Eject { .. } => "eject",
            Self::Reinstate { .. } => "reinstate",
            Self::Recovered { .. } => "recovered",
            Self::SetWeights { .. } => "weights",
            Self::SetExploration { .. } => "exploration",
            Self::SetBudget { .. } => "budget",
            Self::Spend { .. } => "spend",
            Self::SetMode { .. } => "mode",
            Self::SetShareLimits { .. } => "limits",
            Self::SetNormaliser { .. } => "normaliser",
            Self::NewFeatures { .. } => "features",
            Self::AddArm { .. } => "add-arm",
            Self::RemoveArm { .. } => "remove-arm",
            Self::ResetArm { .. } => "reset-arm",
            Self::SetPrior { .. } => "prior",
            Self::Discard { .. } => "discard",
            Self::Undo { .. } => "undo",
            Self::AskJudge => "judge",
            Self::Import { .. } => "import",
        }
    }

    /// Whether it belongs in the journal of operator actions (everything but what runs do by themselves).
    #[must_use]
    pub const fn is_operator_action(&self) -> bool {
        !matches!(self, Self::Observe(_) | Self::Amend { .. } | Self::Spend { .. } | Self::Recovered { .. })
    }

    /// Whether an operator action can be taken back: one that left the state as it was cannot.
    #[must_use]
    pub const fn can_be_undone(&self) -> bool {
        self.is_operator_action() && !matches!(self, Self::AskJudge)
    }
}

/// One line of the journal: an operator action with what it changed, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Position in the log.
    pub sequence: Sequence,
    /// The command's id.
    pub id: CommandId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The command.
    pub command: RouterCommand,
    /// What it acted on, before: `q.70 l.20 c.10`, `active`, …
    pub before: String,
    /// The same, after.
    pub after: String,
    /// Set where a later entry undid this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<Sequence>,
}
