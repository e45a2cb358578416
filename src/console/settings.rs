//! What a person may choose about the console, as plain data: `cli` fills it from the settings. The
//! console reads no file and no flag. The one thing it looks up by itself is what the terminal can
//! show, and even there the environment is an argument.

use crate::domain::action::KeyBindings;

/// The background that the colours are chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Light text on a dark background.
    #[default]
    Dark,
    /// Dark text on a light background.
    Light,
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorDepth {
    /// None: glyphs, reverse video and bold carry everything.
    None,
    /// The 16 named colours.
    Sixteen,
    /// The 256 indexed colours.
    #[default]
    Indexed,
    /// 24 bits.
    True,
}

impl ColorDepth {
    /// What the terminal says about itself through `NO_COLOR`, `COLORTERM` and `TERM`, read by `variable`.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::None;
        }
        let says = |name: &str, words: &[&str]| {
            variable(name).is_some_and(|value| words.iter().any(|word| value.to_ascii_lowercase().contains(word)))
        };
        if says("COLORTERM", &["truecolor", "24bit"]) || says("TERM", &["direct", "truecolor"]) {
            Self::True
        } else if says("TERM", &["256", "kitty", "alacritty", "ghostty", "wezterm"]) {
            Self::Indexed
        } else if says("TERM", &["dumb"]) {
            Self::None
        } else {
            Self::Sixteen
        }
    }
}

/// Whether the locale says that the terminal shows nothing outside ASCII: the first of its variables that is set names a
/// character set, or `C`, and that is not UTF-8. Where none is set, nothing is said.
pub(super) fn speaks_ascii(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    set.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8")
            && !locale.contains("utf8")
            && (locale.contains('.') || locale == "c" || locale == "posix")
    })
}

/// Choices about the console.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ConsoleSettings {
    /// Which key does what.
    pub keys: KeyBindings,
    /// The background that the colours are chosen for.
    pub background: Background,
    /// How many colours to use; `None` asks the environment.
    pub colors: Option<ColorDepth>,
    /// No colour at all, whatever the environment says.
    pub no_color: bool,
    /// No character outside ASCII anywhere on the screen.
    pub ascii: bool,
    /// Whether the terminal reports the mouse (which takes text selection away from it).
    pub mouse: bool,
    /// Whether the terminal's bell rings for a new alarm.
    pub bell: bool,
    /// Prompts above this many bytes are refused before they are sent.
    pub max_prompt_bytes: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_whether_letters_alone_are_shown() {
        let rows: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[("LANG", "C")], true),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "de_DE.utf8")], false),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LANG", "en_US")], false),
            (&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")], true),
            (&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")], false),
        ];
        for (environment, is_ascii) in rows {
            let lookup = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(speaks_ascii(lookup), *is_ascii, "{environment:?}");
        }
    }

    #[test]
    fn the_environment_says_how_many_colours() {
        let rows: &[(&[(&str, &str)], ColorDepth)] = &[
            (&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")], ColorDepth::None),
            (&[("NO_COLOR", ""), ("COLORTERM", "truecolor")], ColorDepth::True),
            (&[("TERM", "xterm-256color")], ColorDepth::Indexed),
            (&[("TERM", "linux")], ColorDepth::Sixteen),
            (&[("TERM", "dumb")], ColorDepth::None),
            (&[], ColorDepth::Sixteen),
        ];
        for (environment, depth) in rows {
            let lookup = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(ColorDepth::detect(lookup), *depth, "{environment:?}");
        }
    }
}
