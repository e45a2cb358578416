//! The console's state. Plain data that `views` read; only `update` changes it. The engine's numbers
//! are not copied into it: it holds the newest snapshot, and the one shown where the view is frozen.

pub(crate) mod dialog;
pub(crate) mod prompt;
pub(crate) mod race;
pub(crate) mod runs;
pub(crate) mod status;
pub(crate) mod table;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dialog::Dialog;
use prompt::Prompt;
use race::{Conversation, OwnRun};
use runs::Runs;
use status::Statuses;
use table::Table;
use tui_logger::TuiWidgetState;

use super::message::Step;
use crate::domain::action::{Action, Danger, KeyBindings, Scope};
use crate::domain::alarm::Alarm;
use crate::domain::clock::Timestamp;
use crate::domain::snapshot::{ArmRow, EngineSnapshot, Series};
use crate::domain::traffic::TrafficStatus;

/// What fills the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Screen {
    /// The arms, their shares, alarms.
    #[default]
    Overview,
    /// Prompting with the race in view.
    Race,
    /// The history of runs.
    Runs,
    /// The log.
    Logs,
}

impl Screen {
    /// All screens in the order of `Tab`, with name and scope.
    pub(crate) const ALL: [(Self, &'static str); 4] =
        [(Self::Overview, "Overview"), (Self::Race, "Race"), (Self::Runs, "Runs"), (Self::Logs, "Logs")];

    /// The scope of its keys.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Overview => Scope::Overview,
            Self::Race => Scope::Race,
            Self::Runs => Scope::Runs,
            Self::Logs => Scope::Global,
        }
    }

    /// The next one.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Overview => Self::Race,
            Self::Race => Self::Runs,
            Self::Runs => Self::Logs,
            Self::Logs => Self::Overview,
        }
    }

    /// Its name on screen.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(screen, _)| *screen == self).map_or("", |(_, name)| name)
    }
}

/// Who sits here and what they may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// Which key does what.
    pub(crate) keys: KeyBindings,
    /// The name in the journal.
    pub(crate) operator: String,
    /// What is watched: `LIVE`, `DEMO seed 7`.
    pub(crate) source: String,
    /// Whether changes are refused.
    pub(crate) read_only: bool,
    /// The directory of an engine that another process has.
    pub(crate) attached_to: Option<String>,
    /// Prompts above so many bytes are refused here.
    pub(crate) max_prompt_bytes: usize,
}

/// The view that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    /// What is shown.
    pub(crate) snapshot: Arc<EngineSnapshot>,
    /// Since when.
    pub(crate) at: Timestamp,
}

/// Ranges of the charts' axes: they widen at once and shrink only after a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axes {
    /// Reward, in tenths.
    pub(crate) reward: (f64, f64),
    /// The top of the fallback rate.
    pub(crate) fallback: f64,
    /// Since when the data would fit into less.
    smaller_since: Option<Timestamp>,
    /// Whether any data was seen: the first is followed at once.
    is_settled: bool,
}

impl Default for Axes {
    fn default() -> Self {
        Self { reward: (0.0, 1.0), fallback: 0.1, smaller_since: None, is_settled: false }
    }
}

impl Axes {
    /// How long the data must fit into less before an axis shrinks.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Follows the data of `series`.
    pub(crate) fn follow(&mut self, series: &Series, now: Timestamp) {
        let rewards = series.arms.iter().flat_map(|arm| arm.reward.iter()).flatten().map(|r| r.get());
        let (low, high) = rewards.fold((f64::INFINITY, 0.0_f64), |(low, high), r| (low.min(r), high.max(r)));
        let worst = series.fallback_rate.iter().flatten().map(|r| r.get()).fold(0.0, f64::max);
        if low > high {
            return;
        }
        let reward =
            ((low * 10.0).floor() / 10.0, ((high * 10.0).ceil() / 10.0).max((low * 10.0).floor() / 10.0 + 0.1));
        let fallback = [0.1, 0.2, 0.5].into_iter().find(|top| worst <= *top).unwrap_or(1.0);
        let fitting = Self { reward, fallback, smaller_since: None, is_settled: true };
        if !self.is_settled {
            *self = fitting;
            return;
        }
        let wider = Self {
            reward: (self.reward.0.min(reward.0), self.reward.1.max(reward.1)),
            fallback: self.fallback.max(fallback),
            ..*self
        };
        let fits = (wider.reward, wider.fallback) == (reward, fallback);
        *self = wider;
        match self.smaller_since {
            _ if fits => self.smaller_since = None,
            Some(since) if now.since(since) >= Self::PATIENCE => {
                *self = fitting;
            }
            Some(_) => {}
            None => self.smaller_since = Some(now),
        }
    }
}

/// The state of tui-logger's widget, which it changes by itself through `transition`.
#[derive(Default)]
pub(crate) struct LogView {
    /// The widget's own.
    pub(crate) state: TuiWidgetState,
    /// Whether the targets are hidden: the widget knows it too, and does not tell.
    pub(crate) hides_targets: bool,
}

impl fmt::Debug for LogView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogView")
    }
}

/// How the traffic generator holds runs back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldBack {
    /// When it last did.
    pub(crate) last: Option<Timestamp>,
    /// Whether it does just now, and so makes fewer runs than it should.
    pub(crate) is_now: bool,
}

/// What the session did, for the line after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Prompts sent.
    pub(crate) prompts: u64,
    /// Commands applied.
    pub(crate) applied: u64,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct Model {
    /// Who sits here.
    pub(crate) identity: Identity,
    /// The moment of the last event.
    pub(crate) now: Timestamp,
    /// When the console opened.
    pub(crate) started: Timestamp,
    /// The newest picture.
    pub(crate) live: Arc<EngineSnapshot>,
    /// The picture that is shown instead.
    pub(crate) frozen: Option<Frozen>,
    /// What fills the screen.
    pub(crate) screen: Screen,
    /// Whether keys go into the prompt.
    pub(crate) typing: bool,
    /// The prompt.
    pub(crate) prompt: Prompt,
    /// Whether help lies on top, scrolled by so many lines.
    pub(crate) help: Option<u16>,
    /// Columns and rows of the terminal when it was last drawn.
    pub(crate) size: (u16, u16),
    /// What lies on top and wants an answer.
    pub(crate) dialog: Option<Dialog>,
    /// Identifies the newest question of what a change would do.
    pub(crate) question: u64,
    /// The arms table.
    pub(crate) table: Table,
    /// The own runs.
    pub(crate) conversation: Conversation,
    /// The history.
    pub(crate) runs: Runs,
    /// Commands under way and what became of them.
    pub(crate) statuses: Statuses,
    /// The traffic generator, where there is one.
    pub(crate) traffic: Option<TrafficStatus>,
    /// Whether it holds runs back.
    pub(crate) held_back: HeldBack,
    /// Alarms that a person has seen, by subject and time.
    pub(crate) seen_alarms: BTreeSet<(String, Timestamp)>,
    /// A background task panicked, or the engine went: shown until the end.
    pub(crate) fault: Option<String>,
    /// Whether the engine has gone.
    pub(crate) engine_gone: bool,
    /// When a dialog did what was asked: an `Enter` right after it is one too many.
    pub(crate) acted_at: Option<Timestamp>,
    /// The logs.
    pub(crate) logs: LogView,
    /// Axes of the charts.
    pub(crate) axes: Axes,
    /// What the session did.
    pub(crate) tally: Tally,
    /// Whether the screen no longer shows this.
    pub(crate) dirty: bool,
}

impl Model {
    /// A console that has just opened on `live`.
    pub(crate) fn new(
        identity: Identity,
        live: Arc<EngineSnapshot>,
        traffic: Option<TrafficStatus>,
        step: Step,
    ) -> Self {
        let mut model = Self {
            identity,
            now: step.now,
            started: step.now,
            frozen: None,
            screen: Screen::default(),
            typing: false,
            prompt: Prompt::default(),
            help: None,
            size: (0, 0),
            dialog: None,
            question: 0,
            table: Table::default(),
            conversation: Conversation::default(),
            runs: Runs::default(),
            statuses: Statuses::default(),
            traffic,
            held_back: HeldBack::default(),
            seen_alarms: BTreeSet::new(),
            fault: None,
            engine_gone: false,
            acted_at: None,
            logs: LogView::default(),
            axes: Axes::default(),
            tally: Tally::default(),
            dirty: true,
            live,
        };
        model.follow();
        model
    }

    /// The picture that is shown.
    pub(crate) fn shown(&self) -> &EngineSnapshot {
        self.frozen.as_ref().map_or(&*self.live, |frozen| &frozen.snapshot)
    }

    /// Brings what is kept about the shown picture up to it.
    pub(crate) fn follow(&mut self) {
        let shown = self.frozen.as_ref().map_or_else(|| Arc::clone(&self.live), |frozen| Arc::clone(&frozen.snapshot));
        self.table.follow(&shown.arms, shown.at);
        self.axes.follow(&shown.series, shown.at);
        if self.screen == Screen::Runs {
            self.runs.follow(&shown.recent_runs);
        }
    }

    /// The run that the screen shows, where it shows one.
    pub(crate) fn run_in_view(&self) -> Option<&OwnRun> {
        match self.screen {
            Screen::Race => self.conversation.own.as_ref(),
            Screen::Runs => self.runs.opened.as_ref(),
            Screen::Overview | Screen::Logs => None,
        }
    }

    /// The same, to change how it is shown.
    pub(crate) fn run_in_view_mut(&mut self) -> Option<&mut OwnRun> {
        match self.screen {
            Screen::Race => self.conversation.own.as_mut(),
            Screen::Runs => self.runs.opened.as_mut(),
            Screen::Overview | Screen::Logs => None,
        }
    }

    /// The moment to which what is shown is counted down: after an engine has gone nothing is known of any later one.
    pub(crate) fn counted_to(&self) -> Timestamp {
        if self.engine_gone { self.live.at } else { self.now }
    }

    /// Whether something on screen is counted down to the moment at which it ends.
    pub(crate) fn counts_down(&self) -> bool {
        let (shown, now) = (self.shown(), self.now);
        let is_ahead = |moment: Option<Timestamp>| moment.is_some_and(|at| at > now);
        let rises = |row: &ArmRow| row.limits.and_then(|limits| limits.rises_until(now));
        let of_arms = || shown.arms.iter().any(|row| is_ahead(row.until) || is_ahead(rises(row)));
        if self.engine_gone {
            return false;
        }
        is_ahead(shown.mode.expires) || (self.screen == Screen::Overview && of_arms())
    }

    /// Open alarms, those that were acknowledged left out.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.shown().alarms.iter().filter(|alarm| !self.seen_alarms.contains(&(alarm.subject.clone(), alarm.at)))
    }

    /// Dollars spent, where any arm of those that `asked` picks has a price. What nobody has priced cost
    /// an unknown sum, and that is not 0.
    pub(crate) fn spent(&self, usd: f64, asked: impl Fn(&ArmRow) -> bool) -> Option<f64> {
        let is_priced = self.shown().arms.iter().any(|row| asked(row) && row.spec.price.is_some());
        (usd > 0.0 || is_priced).then_some(usd)
    }

    /// Whether this console must not do that: it is read-only, and learning or traffic would change.
    pub(crate) fn refuses(&self, action: Action) -> bool {
        self.identity.read_only && Self::asks_the_engine(action)
    }

    /// Whether the engine is to do it: that teaches, spends or changes something.
    pub(crate) fn asks_the_engine(action: Action) -> bool {
        let teaches = matches!(
            action,
            Action::Prompt
                | Action::RateUp
                | Action::RateDown
                | Action::AskJudge
                | Action::Traffic
                | Action::TrafficSlower
                | Action::TrafficFaster
        );
        teaches || action.row().danger != Danger::None
    }

    /// How long nothing may happen before `Tick` is due.
    pub(crate) fn patience(&self) -> Duration {
        if self.screen == Screen::Logs || self.conversation.is_running() || !self.statuses.is_empty() {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(1)
        }
    }
}
