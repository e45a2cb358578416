//! One finished run, as far as rates and charts need it: a few dozen bytes. Rewards, seconds and
//! dollars are whole small units here (millionths, milliseconds, billionths), so that taking an old
//! run out of a running sum is exact and a restart gives the same figures to the bit.

use serde::{Deserialize, Serialize};

use crate::domain::context::Intent;
use crate::domain::record::{GateDecision, RunOutcome, RunRecord};

use super::names::Names;

/// Units of a reward in 1.
pub(super) const REWARD_UNITS: f64 = 1e6;
/// Units of a dollar in 1.
pub(super) const DOLLAR_UNITS: f64 = 1e9;

/// How a run ended, as far as rates are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    #[serde(rename = "s")]
    Served,
    #[serde(rename = "f")]
    Failed,
    #[serde(rename = "c")]
    Cancelled,
}

/// One arm's part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Position in [`Names`].
    pub arm: u16,
    /// Whether it was chosen for the run, rather than asked because another had failed or was slow.
    pub chosen: bool,
    /// Whether it was asked for a preview.
    pub previewed: bool,
    /// Its reward, where it had one, in millionths.
    pub reward: Option<u32>,
}

/// One finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", from = "Form")]
pub(super) struct Entry {
    /// When it ended, in milliseconds since the epoch.
    pub at: u64,
    pub end: End,
    /// Who answered.
    pub winner: Option<u16>,
    /// Position in [`Intent::ALL`].
    pub intent: u8,
    pub explored: bool,
    pub fallbacks: u32,
    pub total_ms: u32,
    pub cost_nano: u64,
    pub parts: Box<[Part]>,
}

/// The stored form: a row without names, since thousands of them are stored.
type Form = (u64, End, Option<u16>, u8, bool, u32, u32, u64, Vec<(u16, Role, Option<u32>)>);

/// What an arm was asked for, as stored: a sum of [`PREVIEWED`] and [`CHOSEN`]. Earlier versions knew of previews
/// alone.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Role {
    Of(u8),
    Previewed(bool),
}

const PREVIEWED: u8 = 1;
const CHOSEN: u8 = 2;

impl Role {
    /// Chosen, previewed; where that was not stored, who previewed or answered counts as chosen.
    const fn read(self, has_answered: bool) -> (bool, bool) {
        match self {
            Self::Of(role) => (role & CHOSEN > 0, role & PREVIEWED > 0),
            Self::Previewed(previewed) => (previewed || has_answered, previewed),
        }
    }
}

impl From<Entry> for Form {
    fn from(e: Entry) -> Self {
        let role = |p: &Part| Role::Of(u8::from(p.previewed) * PREVIEWED + u8::from(p.chosen) * CHOSEN);
        let parts = e.parts.iter().map(|p| (p.arm, role(p), p.reward)).collect();
        (e.at, e.end, e.winner, e.intent, e.explored, e.fallbacks, e.total_ms, e.cost_nano, parts)
    }
}

impl From<Form> for Entry {
    fn from((at, end, winner, intent, explored, fallbacks, total_ms, cost_nano, parts): Form) -> Self {
        let part = |(arm, role, reward): (u16, Role, _)| {
            let (chosen, previewed) = role.read(winner == Some(arm));
            Part { arm, chosen, previewed, reward }
        };
        let parts = parts.into_iter().map(part).collect();
        let intent = intent.min(4);
        Self { at, end, winner, intent, explored, fallbacks, total_ms, cost_nano, parts }
    }
}

impl Entry {
    /// What `record` comes to.
    pub(super) fn of(record: &RunRecord, names: &mut Names) -> Self {
        let total_ms = whole(record.timings_s.total, 1e3);
        let winner = record.winner.as_ref().map(|arm| names.index(arm));
        let mut parts: Vec<Part> = Vec::with_capacity(record.previews.len().max(record.rewards.len()));
        for score in record.arms.iter().filter(|score| score.selected) {
            part_of(&mut parts, names.index(&score.arm)).chosen = true;
        }
        for preview in &record.previews {
            let part = part_of(&mut parts, names.index(&preview.arm));
            part.previewed = true;
        }
        for (arm, reward) in &record.rewards {
            let part = part_of(&mut parts, names.index(arm));
            part.reward = Some(small(whole(reward.total.min(1.0), REWARD_UNITS)));
        }
        Self {
            at: record.at.millis().saturating_add(total_ms),
            end: match &record.outcome {
                RunOutcome::Served => End::Served,
                RunOutcome::Failed { .. } => End::Failed,
                RunOutcome::Cancelled => End::Cancelled,
            },
            winner,
            intent: intent_index(record.context.intent),
            explored: record.gate.decision == GateDecision::Explore,
            fallbacks: record.fallbacks,
            total_ms: small(total_ms),
            cost_nano: whole(record.cost_usd, DOLLAR_UNITS),
            parts: parts.into_boxed_slice(),
        }
    }

    /// Who answered, where an answer was served.
    pub(super) fn server(&self) -> Option<u16> {
        self.winner.filter(|_| self.end == End::Served)
    }

    /// Whether `arm` was chosen for it.
    pub(super) fn chose(&self, arm: u16) -> bool {
        self.parts.iter().any(|part| part.arm == arm && part.chosen)
    }

    /// When it began, in milliseconds since the epoch.
    pub(super) fn began(&self) -> u64 {
        self.at.saturating_sub(u64::from(self.total_ms))
    }

    /// The reward of who answered.
    pub(super) fn served_reward(&self) -> Option<u32> {
        let server = self.server()?;
        self.parts.iter().find(|part| part.arm == server)?.reward
    }
}

fn part_of(parts: &mut Vec<Part>, arm: u16) -> &mut Part {
    let at = parts.iter().position(|part| part.arm == arm).unwrap_or_else(|| {
        parts.push(Part { arm, chosen: false, previewed: false, reward: None });
        parts.len() - 1
    });
    &mut parts[at]
}

fn intent_index(intent: Intent) -> u8 {
    let at = Intent::ALL.iter().position(|each| *each == intent).unwrap_or(4);
    u8::try_from(at).unwrap_or(4)
}

/// `value` in whole units; 0 where it is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, which is what a figure out of range should do"
)]
pub(super) fn whole(value: f64, units: f64) -> u64 {
    (value * units).round() as u64
}

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
