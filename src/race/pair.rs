//! Two full answers beside each other: the second is started when `hedge.rs` says so and the budgets allow
//! it, the loser is cancelled at the moment at which there is a clear winner, and the reader sees one text.
//! Both are polled in one task, so neither leaves anything behind; and that task waits for nothing else while one
//! of them goes on: what a slow reader has no room for is kept, in order, or the timers of both would stand still.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::select;
use tokio::sync::Notify;
use tokio::sync::mpsc::Permit;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::events::Wire;
use super::extra::Endpoint;
use super::flags::{Extent, flags};
use super::full::{Ended, FullStage, Tried};
use super::hedge::{Outcome, Stand, winner};
use super::outlet::Lane;
use crate::domain::event::RunEvent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;

/// Tokens after which an answer that is ahead is looked at for flags again.
const LOOK_AGAIN: u32 = 16;

/// One of two answers, as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// Cancelled when its text may be shown.
    shown: CancellationToken,
    come: Mutex<Come>,
    /// Told when anything has come.
    moved: Notify,
}

#[derive(Debug, Default)]
struct Come {
    text: String,
    tokens: u32,
    /// What was not sent when the answer ended.
    unsent: String,
    /// At how many tokens it was looked at for flags, and whether there were any.
    looked: Option<(u32, bool)>,
}

impl Track {
    /// A piece of text has come, `tokens` so far.
    pub(super) fn note(&self, piece: &str, tokens: u32) {
        let mut come = self.come();
        come.text.push_str(piece);
        come.tokens = tokens;
        drop(come);
        self.moved.notify_one();
    }

    /// Whether its text may be shown.
    pub(super) fn is_shown(&self) -> bool {
        self.shown.is_cancelled()
    }

    /// Resolves when its text may be shown.
    pub(super) async fn showing(&self) {
        self.shown.cancelled().await;
    }

    /// Keeps what could not be sent before the answer ended.
    pub(super) fn leave(&self, unsent: String) {
        self.come().unsent = unsent;
    }

    fn tokens(&self) -> u32 {
        self.come().tokens
    }

    /// Never held across a wait.
    fn come(&self) -> MutexGuard<'_, Come> {
        self.come.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the reader had no room for yet.
enum Unsaid {
    /// An event.
    Event(Box<RunEvent>),
    /// From here on that one's text may be shown.
    Show(usize),
}

/// The two, as they stand.
struct Pair<'a> {
    stage: &'a FullStage<'a>,
    arms: [&'a ArmId; 2],
    tracks: &'a [Track; 2],
    stops: &'a [CancellationToken; 2],
    ended: [Option<Ended>; 2],
    /// Whose text the reader was last told to expect.
    announced: usize,
    /// Whose text is shown.
    shown: Option<usize>,
    /// Cancelled for the other's sake, or complete and not taken.
    lost: [bool; 2],
    unsaid: VecDeque<Unsaid>,
    wire: Wire<'a>,
}

impl FullStage<'_> {
    /// The answers of two arms, the second started after `delay` where the first is silent until then. Says
    /// everything about both; what was tried is in the order of the arms.
    pub(super) async fn pair(&self, arms: [&ArmId; 2], delay: Duration, wire: Wire<'_>) -> Vec<Tried> {
        wire.say(|| RunEvent::AttemptStarted { arm: arms[0].clone(), index: 0 }).await;
        let tracks = [Track::default(), Track::default()];
        let stops = [wire.stop.child_token(), wire.stop.child_token()];
        let lane = |place: usize| {
            let own = Wire { stop: &stops[place], ..wire };
            self.read(arms[place], index_of(place), Lane::Beside(arms[place], &tracks[place]), own)
        };
        let mut pair = Pair {
            stage: self,
            arms,
            tracks: &tracks,
            stops: &stops,
            ended: [None, None],
            announced: 0,
            shown: None,
            lost: [false; 2],
            unsaid: VecDeque::new(),
            wire,
        };
        let mut first = pin!(lane(0));
        let is_silent = delay.is_zero() || pair.is_silent_for(first.as_mut(), delay).await;
        let denied = if is_silent { self.may_hedge(arms[1], wire).err() } else { None };
        if !is_silent || denied.is_some() {
            if pair.ended[0].is_none() {
                pair.show(0);
                pair.ended[0] = Some(first.await);
            }
            if let Some(ended) = &mut pair.ended[0] {
                ended.report.handling.unhedged = denied.map(Cow::Owned);
            }
            return pair.close().await;
        }
        pair.say(|| RunEvent::HedgeStarted { arm: arms[1].clone(), index: 1 });
        let mut second = pin!(lane(1));
        let won = loop {
            select! {
                biased;
                ended = first.as_mut(), if pair.ended[0].is_none() => pair.ended[0] = Some(ended),
                ended = second.as_mut(), if pair.ended[1].is_none() => pair.ended[1] = Some(ended),
                () = tracks[0].moved.notified() => {}
                () = tracks[1].moved.notified() => {}
                room = wire.events.room(), if !pair.unsaid.is_empty() => pair.say_in(room),
            }
            match pair.outcome() {
                Outcome::Open => pair.show_who_speaks(),
                Outcome::Won(place) => break Some(place),
                Outcome::Lost => break None,
            }
        };
        if let Some(won) = won {
            pair.cancel_other(won);
            // The loser is let go of before anything else is waited for.
            match (won, pair.ended[1 - won].is_none()) {
                (0, true) => pair.ended[1] = Some(second.as_mut().await),
                (_, true) => pair.ended[0] = Some(first.as_mut().await),
                _ => {}
            }
            pair.show(won);
        }
        while pair.ended.iter().any(Option::is_none) {
            select! {
                biased;
                ended = first.as_mut(), if pair.ended[0].is_none() => pair.ended[0] = Some(ended),
                ended = second.as_mut(), if pair.ended[1].is_none() => pair.ended[1] = Some(ended),
                room = wire.events.room(), if !pair.unsaid.is_empty() => pair.say_in(room),
            }
        }
        pair.close().await
    }

    /// Whether a second answer may be started now: its prompt can be paid for, and retries and hedges have
    /// not had their share of the traffic.
    ///
    /// # Errors
    /// Why not.
    fn may_hedge(&self, arm: &ArmId, wire: Wire<'_>) -> Result<(), String> {
        let affords = self.affords(arm, wire).map_err(|failure| failure.to_string());
        let taken = affords
            .and_then(|()| self.retry.take_hedge(&Endpoint::Arm(arm.clone())).map_err(|denied| denied.to_string()));
        taken.inspect_err(|reason| tracing::debug!(%arm, reason, "no second answer beside the first"))
    }
}

impl Pair<'_> {
    /// Whether the first says nothing for that long; it may have ended by then.
    async fn is_silent_for(&mut self, first: Pin<&mut impl Future<Output = Ended>>, delay: Duration) -> bool {
        select! {
            biased;
            ended = first => {
                self.ended[0] = Some(ended);
                false
            }
            () = self.tracks[0].moved.notified() => false,
            () = sleep(delay) => true,
        }
    }

    fn outcome(&self) -> Outcome {
        let margin = self.stage.config.hedge.margin_tokens;
        let stands = [self.stand(0), self.stand(1)];
        // Flags are looked for only where they would decide.
        match (winner(stands, margin), stands) {
            (Outcome::Won(0), [Stand::Going { tokens, .. }, other]) => {
                winner([Stand::Going { tokens, flagged: self.is_flagged(0, tokens) }, other], margin)
            }
            (Outcome::Won(1), [other, Stand::Going { tokens, .. }]) => {
                winner([other, Stand::Going { tokens, flagged: self.is_flagged(1, tokens) }], margin)
            }
            (outcome, _) => outcome,
        }
    }

    fn stand(&self, place: usize) -> Stand {
        match &self.ended[place] {
            Some(ended) if ended.report.failure.is_some() => Stand::Failed,
            Some(ended) => Stand::Complete { flagged: !ended.flags.is_empty() },
            None => Stand::Going { tokens: self.tracks[place].tokens(), flagged: false },
        }
    }

    fn is_flagged(&self, place: usize, tokens: u32) -> bool {
        let mut come = self.tracks[place].come();
        match come.looked {
            Some((at, found)) if tokens < at.saturating_add(LOOK_AGAIN) => found,
            _ => {
                let found = !flags(self.stage.request, &come.text, None, Extent::Beginning).is_empty();
                come.looked = Some((tokens, found));
                found
            }
        }
    }

    /// Shows the first of the two that has anything to say; one that failed says nothing any more.
    fn show_who_speaks(&mut self) {
        self.shown = self.shown.filter(|place| self.stand(*place) != Stand::Failed);
        if self.shown.is_none() {
            let speaks = |place: &usize| self.stand(*place) != Stand::Failed && self.tracks[*place].tokens() > 0;
            if let Some(place) = [0, 1].into_iter().find(speaks) {
                self.show(place);
            }
        }
    }

    /// Shows the text of that one from here on, all of it: what was shown of the other is void.
    fn show(&mut self, place: usize) {
        if self.shown == Some(place) {
            return;
        }
        if self.announced != place {
            let (arm, index) = (self.arms[place], index_of(place));
            self.announced = place;
            self.say(|| RunEvent::AttemptStarted { arm: arm.clone(), index });
        }
        self.shown = Some(place);
        self.unsaid.push_back(Unsaid::Show(place));
        self.say_what_fits();
    }

    /// Says it where there is room, behind what waits already.
    fn say(&mut self, event: impl FnOnce() -> RunEvent) {
        if self.wire.events.is_read() {
            self.unsaid.push_back(Unsaid::Event(Box::new(event())));
            self.say_what_fits();
        }
    }

    fn say_what_fits(&mut self) {
        while let Some(next) = self.unsaid.front() {
            let room = match next {
                Unsaid::Show(_) => None,
                Unsaid::Event(_) => match self.wire.events.try_room() {
                    Some(room) => Some(room),
                    None => return,
                },
            };
            self.say_next(room);
        }
    }

    fn say_in(&mut self, room: Permit<'_, RunEvent>) {
        self.say_next(Some(room));
        self.say_what_fits();
    }

    /// `room` for an event.
    fn say_next(&mut self, room: Option<Permit<'_, RunEvent>>) {
        match (self.unsaid.pop_front(), room) {
            (Some(Unsaid::Show(place)), _) => self.tracks[place].shown.cancel(),
            (Some(Unsaid::Event(event)), Some(room)) => room.send(*event),
            _ => {}
        }
    }

    /// Both are at an end: the reader may be waited for.
    async fn say_all(&mut self) {
        for next in std::mem::take(&mut self.unsaid) {
            match next {
                Unsaid::Show(place) => self.tracks[place].shown.cancel(),
                Unsaid::Event(event) => self.wire.say(|| *event).await,
            }
        }
    }

    /// That one is the clear winner.
    fn cancel_other(&mut self, won: usize) {
        let other = 1 - won;
        self.lost[other] = self.stand(other) != Stand::Failed;
        self.stops[other].cancel();
    }

    /// Says how both ended.
    async fn close(mut self) -> Vec<Tried> {
        self.say_all().await;
        let ended = std::mem::take(&mut self.ended);
        // The winner last, so that the last thing that is said is what is served.
        let mut tried: Vec<(usize, Tried)> = Vec::new();
        let is_served = |ended: &Option<Ended>| ended.as_ref().is_some_and(|ended| ended.report.failure.is_none());
        let mut places: Vec<(usize, Option<Ended>)> = ended.into_iter().enumerate().collect();
        places.sort_by_key(|(place, ended)| is_served(ended) && !self.lost[*place]);
        for (place, ended) in places {
            let Some(mut ended) = ended else { continue };
            let is_lost = self.lost[place];
            if is_lost {
                ended.report.failure = Some(self.silent(place, &ended).unwrap_or_else(lost));
            } else if ended.report.failure.is_none() {
                self.show(place);
                self.say_all().await;
                self.say_rest(place).await;
            }
            let mut one = self.stage.tried(self.arms[place], ended, is_lost, self.wire);
            (one.attempt.lost, one.attempt.hedge) = (is_lost, place == 1);
            self.wire.say(|| RunEvent::AttemptDone { attempt: one.attempt.clone() }).await;
            tried.push((place, one));
        }
        tried.sort_by_key(|(place, _)| *place);
        tried.into_iter().map(|(_, one)| one).collect()
    }

    /// What is wrong with a loser that gave no token by when nearly all of its answers had: were it merely the loser, an
    /// arm that hangs would look well for as long as somebody answers beside it.
    fn silent(&self, place: usize, ended: &Ended) -> Option<Failure> {
        let report = &ended.report;
        let usual = self.stage.timers.nearly_all_first_tokens(self.arms[place])?.as_secs_f64();
        (!report.has_content && report.latency_s > usual).then(|| {
            let (waited, usual) = (report.latency_s, usual);
            let message =
                format!("no token within {waited:.1} s, where 99 % came within {usual:.1} s; another answered");
            Failure::new(FailureClass::Transient, "silent", message)
        })
    }

    /// What the reader had no room for before the answer ended.
    async fn say_rest(&self, place: usize) {
        let unsent = std::mem::take(&mut self.tracks[place].come().unsent);
        if !unsent.is_empty() {
            let arm = self.arms[place].clone();
            self.wire.say(|| RunEvent::AnswerText { arm, text: unsent }).await;
        }
    }
}

/// Both are the first two attempts of a run.
fn index_of(place: usize) -> u32 {
    u32::from(place == 1)
}

fn lost() -> Failure {
    Failure::new(FailureClass::Cancelled, "lost", "the answer beside it was the clear winner")
}
