//! The words in which the journal says what a command acted on: short, as a person would note it. Read off
//! the state before and after; nothing is decided here.

use super::state::RouterState;
use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::spec::{Mode, ShareLimits};
use crate::domain::terms::Weights;

impl RouterState {
    /// What `command` acts on, as it is in this state, in a few words: `q.70 l.20 c.10`, `orbit active`.
    #[must_use]
    pub fn before_after(&self, command: &RouterCommand) -> String {
        match command {
            RouterCommand::Prune { victims, .. } => self.states_of(victims),
            RouterCommand::Deactivate { arms } | RouterCommand::Reactivate { arms } => self.states_of(arms),
            RouterCommand::Eject { arm, .. } | RouterCommand::Reinstate { arm } | RouterCommand::RemoveArm { arm } => {
                self.states_of(std::slice::from_ref(arm))
            }
            RouterCommand::AddArm { spec } => self.states_of(std::slice::from_ref(&spec.name)),
            RouterCommand::ResetArm { arm } => self.weights_of(std::slice::from_ref(arm)),
            RouterCommand::Decay { arms, .. } => self.weights_of(arms),
            RouterCommand::SetWeights { .. } => weights_text(&self.weights),
            RouterCommand::SetExploration { .. } => {
                format!("alpha {:.2} explore {:.1}%", self.alpha, self.explore_share * 100.0)
            }
            RouterCommand::SetBudget { .. } => budget_text(self.budget_per_request()),
            RouterCommand::SetMode { .. } => mode_text(&self.mode),
            RouterCommand::SetShareLimits { arm, .. } => {
                let limits = self.arm(arm.as_str()).and_then(|view| view.share_limits);
                format!(
                    "{arm} {}",
                    limits.map_or_else(|| "without limits".to_owned(), |(limits, _)| share_text(&limits))
                )
            }
            RouterCommand::SetPrior { arms, .. } => self.priors_of(arms),
            RouterCommand::SetNormaliser { .. } => self.normaliser.as_ref().map_or_else(
                || "not normalised".to_owned(),
                |n| format!("{} slots normalised on {} prompts", n.mean.len(), n.prompts),
            ),
            RouterCommand::NewFeatures { .. } => format!("features {}", self.config().feature_version),
            _ => format!("{} runs", self.steps),
        }
    }

    fn states_of(&self, arms: &[ArmId]) -> String {
        let state = |arm: &ArmId| self.arm(arm.as_str()).map_or("absent", |view| view.lifecycle.shown(view.reason));
        let text = |arm: &ArmId| format!("{arm} {}", state(arm));
        arms.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    fn weights_of(&self, arms: &[ArmId]) -> String {
        let chosen = self.arms().filter(|arm| arms.is_empty() || arms.contains(&arm.spec.name));
        let text: Vec<String> = chosen.map(|arm| format!("{} n {:.0}", arm.spec.name, arm.effective_n)).collect();
        text.join(", ")
    }
}

/// Weights as the journal and the header write them: `q.70 l.20 c.10`.
fn weights_text(weights: &Weights) -> String {
    let letters = ["q", "l", "c", "s", "t", "st"];
    let shown = letters.iter().zip(weights.by_term()).enumerate().filter(|(i, (_, weight))| *i < 3 || *weight > 0.0);
    let mut parts: Vec<String> = shown
        .map(|(_, (letter, weight))| {
            let digits = format!("{weight:.2}");
            format!("{letter}{}", digits.strip_prefix('0').unwrap_or(&digits))
        })
        .collect();
    if (weights.fallback_penalty() - Weights::default().fallback_penalty()).abs() > 1e-12 {
        parts.push(format!("penalty {:.2}", weights.fallback_penalty()));
    }
    parts.join(" ")
}

/// A ceiling as the journal writes it.
fn budget_text(dollars: Option<f64>) -> String {
    dollars.map_or_else(|| "no ceiling".to_owned(), |dollars| format!("${dollars}/run"))
}

/// Bounds of a share as the journal writes them.
fn share_text(limits: &ShareLimits) -> String {
    let ramp = if limits.ramp_s > 0.0 { format!(", over {:.0} s", limits.ramp_s) } else { String::new() };
    format!("share {:.1} to {:.1} %{ramp}", limits.min * 100.0, limits.max * 100.0)
}

fn mode_text(mode: &Mode) -> String {
    let mut parts = vec![mode.strategy.map_or("configured strategy", crate::domain::spec::Strategy::name).to_owned()];
    parts.extend(mode.pinned.iter().map(|arm| format!("pinned to {arm}")));
    parts.extend(mode.learning_paused.then(|| "learning paused".to_owned()));
    parts.extend(mode.expires.map(|at| format!("until {}", at.clock_text())));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_read_as_a_person_writes_them() {
        assert_eq!(weights_text(&Weights::default()), "q.70 l.20 c.10");
        let all = Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.2).unwrap();
        assert_eq!(weights_text(&all), "q1.00 l.00 c.00 penalty 0.20");
    }
}
