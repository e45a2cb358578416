//! What became of each press: pending, applied (where, how durable), or refused with the reason. A
//! refusal outlives an ordinary message, so that one is never lost behind another.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::ids::CommandId;

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// Good to know.
    Info,
    /// Done.
    Good,
    /// Not yet answered.
    Pending,
    /// Not done.
    Bad,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// How it is meant.
    pub(crate) tone: Tone,
    /// What it says.
    pub(crate) text: String,
    until: Timestamp,
}

/// A command that was sent and not yet answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Its id; the press's own.
    pub(crate) id: CommandId,
    /// What it is, in words.
    pub(crate) what: String,
}

/// All messages and all that is pending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statuses {
    messages: Vec<Status>,
    pending: Vec<Pending>,
}

impl Statuses {
    /// Says something for a while: longer where it is bad news.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>, now: Timestamp) {
        let seconds = match tone {
            Tone::Bad => 20,
            Tone::Good => 10,
            Tone::Info | Tone::Pending => 5,
        };
        self.messages.push(Status { tone, text: text.into(), until: now.plus(Duration::from_secs(seconds)) });
        // A person reads one line; what was said before the last few is in the journal and the log.
        let surplus = self.messages.len().saturating_sub(8);
        self.messages.drain(..surplus);
    }

    /// Notes a command as sent.
    pub(crate) fn sent(&mut self, id: CommandId, what: String) {
        self.pending.push(Pending { id, what });
    }

    /// The command is answered; what it was, where it was pending.
    pub(crate) fn answered(&mut self, id: CommandId) -> Option<String> {
        let at = self.pending.iter().position(|pending| pending.id == id)?;
        Some(self.pending.remove(at).what)
    }

    /// Commands that are not answered yet.
    pub(crate) fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.pending.is_empty()
    }

    /// Takes out what has been said long enough; whether anything went.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.messages.len();
        self.messages.retain(|message| message.until > now);
        self.messages.len() != before
    }

    /// Takes out what was good to know before, and no longer is.
    pub(crate) fn move_on(&mut self) {
        self.messages.retain(|message| message.tone != Tone::Info);
    }

    /// Takes out all messages; whether there was one.
    pub(crate) fn dismiss(&mut self) -> bool {
        let had = !self.messages.is_empty();
        self.messages.clear();
        had
    }

    /// The one line to show, and how many more there are.
    pub(crate) fn line(&self) -> Option<(Tone, String, usize)> {
        let newest_of = |tone| self.messages.iter().rev().find(|m| m.tone == tone);
        // What a person has not been able to read yet: older good news was on this line before.
        let refused = self.messages.iter().filter(|m| m.tone == Tone::Bad).count();
        let newer = |tone| self.messages.iter().rev().take_while(|m| m.tone != tone).count();
        let hidden = if refused > 0 { refused - 1 + newer(Tone::Bad) } else { 0 };
        let waiting = if refused > 0 { self.pending.len() } else { self.pending.len().saturating_sub(1) };
        let more = |tone, text: &str| Some((tone, text.to_owned(), hidden + waiting));
        if let Some(bad) = newest_of(Tone::Bad) {
            return more(Tone::Bad, &bad.text);
        }
        if let Some(pending) = self.pending.last() {
            return more(Tone::Pending, &format!("{}: pending", pending.what));
        }
        self.messages.last().and_then(|m| more(m.tone, &m.text))
    }
}
