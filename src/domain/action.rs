//! The registry of actions: one table drives dispatch, hints, help, the key bindings of the
//! configuration and the README's key table. An action is data; what it does is the console's `update`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything that a key can do outside dialogs and text boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Open the Overview.
    Overview,
    /// Open the Race screen.
    Race,
    /// Open the history of runs.
    Runs,
    /// Open the logs.
    Logs,
    /// The next screen.
    NextScreen,
    /// Into the prompt.
    Prompt,
    /// Start a new conversation.
    NewConversation,
    /// Stop the run that is shown.
    CancelRun,
    /// Rate the answer as good.
    RateUp,
    /// Rate the answer as bad.
    RateDown,
    /// Show all of the reasons of the run that is shown.
    Zoom,
    /// Open the selected run.
    OpenRun,
    /// Back to the list of runs.
    CloseRun,
    /// Forget a share of the history.
    Decay,
    /// Take arms out by record.
    Prune,
    /// Switch arms off.
    Deactivate,
    /// Bring arms back.
    Reactivate,
    /// Have a judge that is out asked again.
    AskJudge,
    /// Change the reward weights.
    Weights,
    /// Change the ceiling of dollars per run.
    Budget,
    /// Undo the last operator action.
    Undo,
    /// Redo what was undone.
    Redo,
    /// Switch the traffic generator.
    Traffic,
    /// Less traffic.
    TrafficSlower,
    /// More traffic.
    TrafficFaster,
    /// Freeze the view.
    Freeze,
    /// Change the order of the table.
    Sort,
    /// Mark the selected arm.
    Mark,
    /// Move the selection up.
    Up,
    /// Move the selection down.
    Down,
    /// Scroll up by a page.
    PageUp,
    /// Scroll down by a page.
    PageDown,
    /// Acknowledge an alarm.
    AcknowledgeAlarm,
    /// Draw everything again.
    Redraw,
    /// Leave the screen to the shell for a while.
    Suspend,
    /// Help for this screen.
    Help,
    /// Leave.
    Quit,
}

/// On which screens an action means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// On the Overview.
    Overview,
    /// On the Race screen.
    Race,
    /// On the Runs screen.
    Runs,
    /// Where a run is shown: on the Race and the Runs screen.
    Run,
}

impl Scope {
    /// Where that is, in help and in the README.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "everywhere",
            Self::Overview => "Overview",
            Self::Race => "Race",
            Self::Runs => "Runs",
            Self::Run => "Race, Runs",
        }
    }

    /// Whether an action of this scope means something where one of `other` does.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        let shows_a_run = |scope| matches!(scope, Self::Race | Self::Runs);
        let is_run = |a: Self, b: Self| a == Self::Run && shows_a_run(b);
        self == other || self == Self::Global || other == Self::Global || is_run(self, other) || is_run(other, self)
    }
}

/// What stands between the key and the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Changes nothing outside the screen.
    None,
    /// Changes learning or traffic: a dialog with what it would do, undo afterwards.
    WhatIf,
    /// As above, and asks once more where it moves much traffic.
    Confirm,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct ActionRow {
    /// The action.
    pub action: Action,
    /// Its name in the configuration's `[keys]`, in alarms and in the palette.
    pub name: &'static str,
    /// Its default keys, in the notation of [`KeyName`].
    pub keys: &'static [&'static str],
    /// Where it means something.
    pub scope: Scope,
    /// What stands before it.
    pub danger: Danger,
    /// One or two words for the hint line; empty where it is not hinted.
    pub hint: &'static str,
    /// One line for the help.
    pub help: &'static str,
}

macro_rules! row {
    ($action:ident, $name:literal, [$($key:literal),+], $scope:ident, $danger:ident, $hint:literal, $help:literal) => {
        ActionRow { action: Action::$action, name: $name, keys: &[$($key),+], scope: Scope::$scope,
                    danger: Danger::$danger, hint: $hint, help: $help }
    };
}

/// All actions, in the order of help and hints.
pub const ACTIONS: &[ActionRow] = &[
    row!(Overview, "overview", ["1"], Global, None, "", "the arms, their shares and alarms: what to keep open"),
    row!(Race, "race", ["2"], Global, None, "", "prompt, and watch the arms race"),
    row!(Runs, "runs", ["4"], Global, None, "", "the runs so far; open one to see why it went so"),
    row!(Logs, "logs", ["6"], Global, None, "", "the log, with levels and targets"),
    row!(NextScreen, "next-screen", ["tab"], Global, None, "", "the next screen"),
    row!(
        Prompt,
        "prompt",
        ["i", "enter"],
        Global,
        None,
        "ask",
        "into the prompt; Enter sends, Alt-Enter starts a line, Esc leaves"
    ),
    row!(NewConversation, "new-conversation", ["ctrl-n"], Race, None, "", "start a new conversation"),
    row!(CancelRun, "cancel-run", ["esc"], Race, None, "cancel", "stop the run that is shown"),
    row!(RateUp, "rate-up", ["+"], Race, None, "good", "rate the answer as good: what the run taught is amended"),
    row!(RateDown, "rate-down", ["-"], Race, None, "bad", "rate the answer as bad: what the run taught is amended"),
    row!(Zoom, "zoom", ["z"], Run, None, "zoom", "all the reasons of the shown run; once more goes back"),
    row!(OpenRun, "open-run", ["o", "right"], Runs, None, "open", "open the selected run, as Enter does"),
    row!(CloseRun, "close-run", ["esc", "left"], Runs, None, "back", "back to the list"),
    row!(Decay, "decay", ["d"], Global, WhatIf, "decay", "forget a share of the history, of marked arms or all"),
    row!(Prune, "prune", ["p"], Global, Confirm, "prune", "take out arms that rarely win; lists who would go"),
    row!(Deactivate, "deactivate", ["x"], Global, Confirm, "off", "switch off the selected or marked arms"),
    row!(Reactivate, "reactivate", ["r"], Global, WhatIf, "on", "bring the selected or marked arms back, on probation"),
    row!(AskJudge, "judge", ["J"], Global, None, "", "have a judge that is out asked again, by the next run"),
    row!(Weights, "weights", ["w"], Global, WhatIf, "weights", "change the reward weights; shares move as you turn"),
    row!(Budget, "budget", ["b"], Global, WhatIf, "", "hold mean dollars per run under a ceiling"),
    row!(Undo, "undo", ["u"], Global, WhatIf, "undo", "undo the last operator action, exactly"),
    row!(Redo, "redo", ["U"], Global, WhatIf, "", "redo what was undone"),
    row!(Traffic, "traffic", ["t"], Global, None, "traffic", "switch the traffic generator on or off"),
    row!(TrafficSlower, "traffic-slower", ["["], Global, None, "", "less traffic"),
    row!(TrafficFaster, "traffic-faster", ["]"], Global, None, "", "more traffic"),
    row!(Freeze, "freeze", ["f"], Global, None, "freeze", "freeze the view; data keeps flowing, the age is shown"),
    row!(Sort, "sort", ["s"], Overview, None, "", "sort the table by the next column"),
    row!(
        Mark,
        "mark",
        ["space"],
        Overview,
        None,
        "",
        "mark the selected arm for the next action, and go to the next row"
    ),
    row!(Up, "up", ["up", "k"], Global, None, "", "move up"),
    row!(Down, "down", ["down", "j"], Global, None, "", "move down"),
    row!(PageUp, "page-up", ["pageup"], Global, None, "", "scroll up by a page"),
    row!(PageDown, "page-down", ["pagedown"], Global, None, "", "scroll down by a page"),
    row!(AcknowledgeAlarm, "acknowledge", ["A"], Global, None, "", "acknowledge the newest alarm"),
    row!(Redraw, "redraw", ["ctrl-l"], Global, None, "", "draw the whole screen again"),
    row!(Suspend, "suspend", ["ctrl-z"], Global, None, "", "back to the shell for a while; `fg` returns"),
    row!(Help, "help", ["?"], Global, None, "help", "help for this screen"),
    row!(Quit, "quit", ["q", "ctrl-c"], Global, None, "quit", "leave; asks while your run is under way"),
];

impl Action {
    /// The action's row.
    #[must_use]
    pub fn row(self) -> &'static ActionRow {
        // Every action has a row: a test holds the table complete, so the first row is never reached as a fallback.
        ACTIONS.iter().find(|row| row.action == self).unwrap_or(&ACTIONS[0])
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ACTIONS.iter().find(|row| row.name == name).map(|row| row.action)
    }
}

/// A key as it is written in the configuration and shown on screen: `d`, `U`, `space`, `tab`, `esc`,
/// `enter`, `up`, `down`, `left`, `right`, `f1` … `f12`, with `ctrl-` or `alt-` before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyName(String);

const NAMED_KEYS: &[&str] = &[
    "space",
    "tab",
    "backtab",
    "esc",
    "enter",
    "up",
    "down",
    "left",
    "right",
    "home",
    "end",
    "pageup",
    "pagedown",
    "backspace",
    "delete",
];

impl KeyName {
    /// A key from its written form.
    ///
    /// # Errors
    /// [`KeyFault::NotAKey`] where it is none.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let bare = text.strip_prefix("ctrl-").or_else(|| text.strip_prefix("alt-")).unwrap_or(text);
        let single = bare.chars().count() == 1 && !bare.chars().any(|c| c.is_whitespace() || c.is_control());
        let function = bare.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=12).contains(&n));
        if single || function || NAMED_KEYS.contains(&bare) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyFault::NotAKey { found: text.to_owned() })
        }
    }

    /// The written form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why key bindings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not a key.
    #[error(
        "{found:?} is no key: expected one character, or one of space tab esc enter up down left right home end pageup pagedown f1–f12, with ctrl- or alt- before it where wanted"
    )]
    NotAKey {
        /// What was given.
        found: String,
    },
    /// Two actions on one key.
    #[error("key {key:?} is bound to both `{first}` and `{second}`: give one of them another key")]
    Clash {
        /// The key.
        key: String,
        /// The one action.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBindings(BTreeMap<KeyName, Vec<Action>>);

impl KeyBindings {
    /// The defaults with some actions' keys replaced.
    ///
    /// # Errors
    /// Every clash: two actions whose scopes overlap on one key.
    pub fn with(changes: &BTreeMap<Action, Vec<KeyName>>) -> Result<Self, Vec<KeyFault>> {
        let mut bindings: BTreeMap<KeyName, Vec<Action>> = BTreeMap::new();
        let mut faults = Vec::new();
        for row in ACTIONS {
            let defaults = || row.keys.iter().map(|key| KeyName((*key).to_owned())).collect();
            let keys: Vec<KeyName> = changes.get(&row.action).cloned().unwrap_or_else(defaults);
            for key in keys {
                let holders = bindings.entry(key.clone()).or_default();
                if let Some(other) = holders.iter().find(|other| other.row().scope.meets(row.scope)) {
                    faults.push(KeyFault::Clash { key: key.0, first: other.row().name, second: row.name });
                } else {
                    holders.push(row.action);
                }
            }
        }
        if faults.is_empty() { Ok(Self(bindings)) } else { Err(faults) }
    }

    /// The action of `key` on a screen of that scope.
    #[must_use]
    pub fn action(&self, key: &KeyName, screen: Scope) -> Option<Action> {
        let is_here = |scope: Scope| scope == Scope::Global || (screen != Scope::Global && scope.meets(screen));
        self.0.get(key)?.iter().copied().find(|action| is_here(action.row().scope))
    }

    /// The keys of `action`, the first being the one to show.
    #[must_use]
    pub fn keys(&self, action: Action) -> Vec<&KeyName> {
        let mut keys: Vec<&KeyName> =
            self.0.iter().filter(|(_, actions)| actions.contains(&action)).map(|(key, _)| key).collect();
        let default_rank = |key: &KeyName| action.row().keys.iter().position(|k| *k == key.as_str());
        keys.sort_by_key(|key| default_rank(key).unwrap_or(usize::MAX));
        keys
    }

    /// The key to show for an alarm's remedy, which is an action's name.
    #[must_use]
    pub fn key_of(&self, remedy: &str) -> Option<&KeyName> {
        self.keys(Action::from_name(remedy)?).into_iter().next()
    }
}

impl Default for KeyBindings {
    fn default() -> Self {
        // The shipped table has no clash (a test), so this is always the `Ok`.
        Self::with(&BTreeMap::new()).unwrap_or_else(|_| Self(BTreeMap::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_table_is_complete_and_has_no_clash() {
        assert_eq!(KeyBindings::with(&BTreeMap::new()), Ok(KeyBindings::default()));
        for row in ACTIONS {
            assert_eq!(row.action.row().name, row.name);
            assert_eq!(Action::from_name(row.name), Some(row.action));
            assert_eq!(serde_json::to_value(row.action).unwrap().as_str().map(|_| ()), Some(()));
            assert!(!row.help.is_empty());
            for key in row.keys {
                assert!(KeyName::parse(key).is_ok(), "{key}");
            }
        }
    }

    #[test]
    fn a_clash_names_both() {
        let key = KeyName::parse("d").unwrap();
        let faults = KeyBindings::with(&BTreeMap::from([(Action::Quit, vec![key])])).unwrap_err();
        assert_eq!(faults, vec![KeyFault::Clash { key: "d".into(), first: "decay", second: "quit" }]);
    }

    #[test]
    fn rebinding_moves_the_key() {
        let bindings =
            KeyBindings::with(&BTreeMap::from([(Action::Quit, vec![KeyName::parse("ctrl-q").unwrap()])])).unwrap();
        assert_eq!(bindings.action(&KeyName::parse("ctrl-q").unwrap(), Scope::Race), Some(Action::Quit));
        assert_eq!(bindings.action(&KeyName::parse("q").unwrap(), Scope::Race), None);
        assert!(KeyName::parse("ctrl-shift-banana").is_err());
    }
}
