//! The console's own runs: one at a time, each a fold over its events, together a conversation.

use std::sync::Arc;
use std::time::Duration;

use super::super::message::Ticket;
use crate::domain::chat::{ChatRequest, Message};
use crate::domain::clock::Timestamp;
use crate::domain::event::RunEvent;
use crate::domain::handling::Retried;
use crate::domain::ids::{ArmId, CommandId, RunId};
use crate::domain::judging::Verdict;
use crate::domain::record::{ArmScore, AttemptRecord, Gate, PreviewRecord, RunOutcome, RunRecord};
use crate::domain::snapshot::RunSummary;
use crate::domain::spec::Strategy;
use crate::domain::tally::Phase;

/// So long after its beginning a run may still be judged.
const LATE: Duration = Duration::from_mins(10);
/// Between two readings of the same record.
const BETWEEN_READINGS: Duration = Duration::from_secs(3);

/// How an own run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Sent, nothing came back yet.
    #[default]
    Sent,
    /// Previews stream.
    Previews,
    /// The judge reads them.
    Judging,
    /// The web is searched.
    Searching,
    /// The full answer streams.
    Answering,
    /// An answer was served.
    Served,
    /// Nothing could be served, and why.
    Failed(String),
    /// Stopped by a person.
    Cancelled,
}

impl Standing {
    /// Whether more may come.
    pub(crate) fn is_going(&self) -> bool {
        matches!(self, Self::Sent | Self::Previews | Self::Judging | Self::Searching | Self::Answering)
    }

    /// The word on screen.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Previews => "previews",
            Self::Judging => "judging",
            Self::Searching => "searching",
            Self::Answering => "answering",
            Self::Served => "served",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One selected arm's preview.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lane {
    /// The arm.
    pub(crate) arm: ArmId,
    /// What came so far.
    pub(crate) text: String,
    /// Tokens so far.
    pub(crate) tokens: u32,
    /// Seconds so far.
    pub(crate) elapsed_s: f64,
    /// Seconds to the first text.
    pub(crate) first_s: Option<f64>,
    /// The end of it.
    pub(crate) done: Option<PreviewRecord>,
}

/// One own run.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnRun {
    /// Ours.
    pub(crate) ticket: Ticket,
    /// The engine's.
    pub(crate) run: Option<RunId>,
    /// What was asked.
    pub(crate) prompt: String,
    /// When.
    pub(crate) sent_at: Timestamp,
    /// How it stands.
    pub(crate) standing: Standing,
    /// How it goes.
    pub(crate) strategy: Option<Strategy>,
    /// Who decided.
    pub(crate) gate: Option<Gate>,
    /// Every candidate's numbers.
    pub(crate) scores: Vec<ArmScore>,
    /// Tokens wanted of each preview.
    pub(crate) target: u32,
    /// The previews.
    pub(crate) lanes: Vec<Lane>,
    /// Whether the web search found nothing out.
    pub(crate) search_failed: bool,
    /// Who judges.
    pub(crate) judge: Option<String>,
    /// What the judge said.
    pub(crate) verdict: Option<Verdict>,
    /// Who is to answer.
    pub(crate) order: Vec<ArmId>,
    /// Full answers that ended.
    pub(crate) attempts: Vec<AttemptRecord>,
    /// Calls that were made again: what for, to whom, and why.
    pub(crate) retries: Vec<(Phase, String, Retried)>,
    /// Who answers now, and at which attempt.
    pub(crate) answering: Option<(ArmId, u32)>,
    /// Who answers beside that one, unseen.
    pub(crate) beside: Option<ArmId>,
    /// The answer so far.
    pub(crate) answer: String,
    /// The whole record.
    pub(crate) record: Option<Arc<RunRecord>>,
    /// What the person thought of it.
    pub(crate) rating: Option<f64>,
    /// The rating that is not acknowledged yet.
    pub(crate) rating_sent: Option<CommandId>,
    /// Lines that the answer is scrolled up from its end, which it follows at 0.
    pub(crate) scroll: u16,
    /// Rows that the whole of the reasons is scrolled down, while it is shown.
    pub(crate) zoom: Option<u16>,
    /// When its record was last asked for.
    read_at: Option<Timestamp>,
}

impl OwnRun {
    /// The numbers of one arm.
    pub(crate) fn score(&self, arm: &ArmId) -> Option<&ArmScore> {
        self.scores.iter().find(|score| score.arm == *arm)
    }

    /// Who answered, or is about to.
    pub(crate) fn leader(&self) -> Option<&ArmId> {
        let recorded = self.record.as_ref().and_then(|record| record.winner.as_ref());
        recorded.or_else(|| self.answering.as_ref().map(|(arm, _)| arm)).or_else(|| self.order.first())
    }

    /// A run that has ended, as it would stand here had it been followed.
    pub(crate) fn of_record(record: Arc<RunRecord>) -> Self {
        let lane = |preview: &PreviewRecord| Lane {
            arm: preview.arm.clone(),
            text: preview.text.clone(),
            tokens: preview.tokens,
            elapsed_s: preview.latency_s,
            first_s: preview.ttft_s,
            done: Some(preview.clone()),
        };
        let mut own = Self {
            prompt: record.request.prompt(),
            sent_at: record.at,
            lanes: record.previews.iter().map(lane).collect(),
            judge: record.verdict.as_ref().map(|verdict| verdict.judge.clone()),
            ..Self::default()
        };
        own.finish(record);
        own
    }

    /// The record is another one now: it was judged, or rated, after its end.
    pub(crate) fn refresh(&mut self, record: Arc<RunRecord>) {
        self.verdict.clone_from(&record.verdict);
        self.finish(record);
    }

    /// Whether its record is to be read anew: the picture says that it was judged after its end, or no longer says
    /// anything of it though that may have come. Once in a while, for as long as it may come.
    pub(crate) fn wants_reading(&mut self, recent: &[RunSummary], now: Timestamp) -> Option<RunId> {
        let record = self.record.as_ref()?;
        let may_come = record.verdict.is_none() && self.standing == Standing::Served && self.policies_say_nothing();
        let run = record.run_id;
        let shown = recent.iter().find(|shown| shown.run == run);
        let is_due = match shown {
            Some(shown) => shown.afterwards.is_some(),
            None => now.since(record.at) < LATE,
        };
        let rested = self.read_at.is_none_or(|at| now.since(at) >= BETWEEN_READINGS);
        (may_come && is_due && rested).then(|| {
            self.read_at = Some(now);
            run
        })
    }

    fn policies_say_nothing(&self) -> bool {
        self.record.as_ref().is_none_or(|record| record.policies.afterwards.is_none())
    }

    fn lane(&mut self, arm: &ArmId) -> &mut Lane {
        let at = self.lanes.iter().position(|lane| lane.arm == *arm).unwrap_or_else(|| {
            let lane =
                Lane { arm: arm.clone(), text: String::new(), tokens: 0, elapsed_s: 0.0, first_s: None, done: None };
            self.lanes.push(lane);
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: RunEvent) {
        match event {
            RunEvent::Selected { run, strategy, gate, arms, preview_tokens, .. } => {
                self.run = Some(run);
                self.strategy = Some(strategy);
                self.gate = Some(gate);
                self.target = preview_tokens;
                if preview_tokens > 0 {
                    self.standing = Standing::Previews;
                    for score in arms.iter().filter(|score| score.selected) {
                        self.lane(&score.arm);
                    }
                }
                self.scores = arms;
            }
            RunEvent::PreviewText { arm, text, tokens, elapsed_s } => {
                let lane = self.lane(&arm);
                lane.first_s.get_or_insert(elapsed_s);
                lane.text.push_str(&text);
                (lane.tokens, lane.elapsed_s) = (tokens, elapsed_s);
            }
            RunEvent::PreviewDone { preview } => {
                let lane = self.lane(&preview.arm);
                (lane.tokens, lane.elapsed_s) = (preview.tokens, preview.latency_s);
                lane.first_s = preview.ttft_s.or(lane.first_s);
                if lane.text.is_empty() {
                    lane.text.clone_from(&preview.text);
                }
                lane.done = Some(preview);
            }
            RunEvent::Retrying { phase, name, retried, .. } => self.retries.push((phase, name, retried)),
            RunEvent::Searching { .. } => self.standing = Standing::Searching,
            RunEvent::Searched { error, .. } => {
                // Previews or the answer are next, and say so themselves.
                self.standing = if self.lanes.is_empty() { Standing::Sent } else { Standing::Previews };
                self.search_failed = error.is_some();
            }
            RunEvent::Judging { judge } => {
                self.standing = Standing::Judging;
                self.judge = Some(judge);
            }
            RunEvent::Judged { verdict } => self.verdict = Some(verdict),
            RunEvent::Ordered { order } => self.order = order,
            RunEvent::AttemptStarted { arm, index } => {
                self.standing = Standing::Answering;
                // Where the one beside it takes over, the first goes on beside it, or has ended.
                self.beside = self.beside.take().filter(|beside| *beside != arm);
                self.answering = Some((arm, index));
                // Text of an earlier attempt is void: it failed, another arm starts over.
                self.answer.clear();
            }
            RunEvent::HedgeStarted { arm, .. } => self.beside = Some(arm),
            RunEvent::AnswerText { text, .. } => self.answer.push_str(&text),
            RunEvent::AttemptDone { attempt } => {
                self.beside = self.beside.take().filter(|beside| *beside != attempt.arm);
                self.attempts.push(attempt);
            }
            RunEvent::Finished { record } => self.finish(record),
        }
    }

    fn finish(&mut self, record: Arc<RunRecord>) {
        self.strategy = Some(record.strategy);
        self.gate = Some(record.gate.clone());
        self.order.clone_from(&record.order);
        self.attempts.clone_from(&record.attempts);
        if self.rating_sent.is_none() {
            self.rating = record.rating;
        }
        // The record has them all; the events only those that there was room for.
        self.retries =
            record.retried().map(|(phase, name, retried)| (phase, name.to_owned(), retried.clone())).collect();
        self.standing = match &record.outcome {
            RunOutcome::Served => Standing::Served,
            RunOutcome::Failed { message } => Standing::Failed(message.clone()),
            RunOutcome::Cancelled => Standing::Cancelled,
        };
        self.run = Some(record.run_id);
        if let Some(answer) = &record.answer {
            self.answer.clone_from(answer);
        }
        if self.verdict.is_none() {
            self.verdict.clone_from(&record.verdict);
        }
        if self.scores.is_empty() {
            self.scores.clone_from(&record.arms);
        }
        self.record = Some(record);
    }
}

/// The turns so far and the run that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    /// Turns that were answered, in order.
    pub(crate) turns: Vec<Message>,
    /// The run that is shown.
    pub(crate) own: Option<OwnRun>,
    /// The last ticket given.
    pub(crate) tickets: Ticket,
    /// The ticket of the first run, which names the conversation.
    first: Ticket,
}

impl Conversation {
    /// Whether a run of ours is going.
    pub(crate) fn is_running(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.standing.is_going())
    }

    /// Starts a run with the next turn; its ticket and its request.
    pub(crate) fn ask(&mut self, prompt: String, now: Timestamp) -> (Ticket, ChatRequest) {
        self.tickets += 1;
        if self.turns.is_empty() {
            self.first = self.tickets;
        }
        let mut messages = self.turns.clone();
        messages.push(Message::new("user", &prompt));
        self.own = Some(OwnRun { ticket: self.tickets, prompt, sent_at: now, ..OwnRun::default() });
        (self.tickets, ChatRequest { messages, ..ChatRequest::default() })
    }

    /// The conversation's name among those of this console, for the engine to keep its arm by.
    pub(crate) fn name(&self) -> Ticket {
        self.first
    }

    /// The run of that ticket, where it is the one that is shown.
    pub(crate) fn of(&mut self, ticket: Ticket) -> Option<&mut OwnRun> {
        self.own.as_mut().filter(|own| own.ticket == ticket)
    }

    /// Keeps the turn where it was answered, so that the next prompt continues it.
    pub(crate) fn keep_turn(&mut self) {
        if let Some(own) = self.own.as_ref().filter(|own| own.standing == Standing::Served) {
            self.turns.push(Message::new("user", &own.prompt));
            self.turns.push(Message::new("assistant", &own.answer));
        }
    }

    /// Number of turns that were answered.
    pub(crate) fn answered(&self) -> usize {
        self.turns.len() / 2
    }

    /// Starts over; tickets go on, so that a late event of the old one finds nothing.
    pub(crate) fn start_over(&mut self) {
        *self = Self { tickets: self.tickets, ..Self::default() };
    }
}
