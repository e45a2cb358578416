//! A judge that is out: the alarm that says so, and whoever says that it is mended. When it is out, and for how long,
//! the race decides; that somebody had it asked again is in the journal like any other action.
//!
//! A name means an arm first. `judge`, and the judge's own name, mean the judge where no arm has that name.

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::domain::command::{JournalEntry, RouterCommand};
use crate::domain::engine::CommandRequest;
use crate::domain::ids::ArmId;
use crate::race::JudgeChoice;

use super::alarms::Notice;
use super::owner::Owner;

/// The subject of the alarm, and what the judge is called where no arm is.
const JUDGE: &str = "judge";

impl Owner {
    /// Raises or clears the alarm about a judge that is asked no more; whether anything changed.
    pub(super) fn review_judge(&mut self, now: Timestamp) -> bool {
        let notice = self.shared.race.judge_out().map(|(name, out)| {
            let is_due = out.left.is_zero();
            let again = if is_due {
                "the next run tries it".to_owned()
            } else {
                format!("tried at {}", now.plus(out.left).clock_text())
            };
            let severity = if out.needs_somebody { Severity::Critical } else { Severity::Warning };
            let mend = if out.needs_somebody { "; see `[judge]` in the configuration" } else { "" };
            let message = format!(
                "judge {name} is out, {again}: {}{mend}; the local judge orders, and no quality is learned",
                out.finding
            );
            let notice = Notice::new(JUDGE, severity, message);
            if is_due { notice } else { notice.remedy("judge") }
        });
        self.folds.alarms.set(now, JUDGE, notice)
    }

    /// Whether who is to be brought back is the judge.
    pub(super) fn mean_the_judge(&self, names: &[ArmId]) -> bool {
        let [name] = names else { return false };
        let is_its = |judge: &JudgeChoice| name.as_str() == JUDGE || name.as_str() == judge.name();
        let is_no_arm = self.folds.state.arm(name.as_str()).is_none();
        is_no_arm && self.shared.race.parts().judge.as_ref().is_some_and(is_its)
    }

    /// Has the next run ask a judge that is out.
    pub(super) fn ask_judge(&mut self, request: CommandRequest) -> Result<JournalEntry, String> {
        let judge = self.shared.race.parts().judge.as_ref().map(JudgeChoice::name);
        let name = judge.ok_or("there is no judge but the local one: `[judge]` names none")?;
        let Some((_, out)) = self.shared.race.ask_judge_again() else {
            return Err(format!("judge {name} is not out: there is nothing to do"));
        };
        let until = self.shared.now().plus(out.left).clock_text();
        let before = format!("{name} out until {until} UTC: {}", out.finding);
        let entry = self.entry(request.id, request.actor, RouterCommand::AskJudge);
        self.folds.state.apply(&entry);
        Ok(self.log(entry, before, "asked by the next run".to_owned()))
    }

    /// Where the judge is one of these arms, which somebody has brought back or declared anew, it is asked again.
    pub(super) fn ask_judge_among(&self, arms: &[ArmId]) {
        if let Some(JudgeChoice::Arm(judge)) = &self.shared.race.parts().judge
            && arms.contains(judge)
            && self.shared.race.ask_judge_again().is_some()
        {
            tracing::info!(%judge, "the judge is asked again: its arm was brought back");
        }
    }
}
