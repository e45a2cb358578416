//! What is wrong with the settings, said so that a person can mend it: where, which key, what was
//! expected, what was found, what to change. All problems are collected; none stops the search for others.
//!
//! A fault never repeats a value that may be a secret: `found` is filled by code that knows the key's kind.

use std::fmt;
use std::sync::Arc;

use crate::domain::text::without_keys;

/// Where a value came from; later variants beat earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the file; the first line is 1.
    File {
        /// The file as it is shown to the person.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, with its dashes.
    Flag(String),
    /// Another argument of the command line, by what it is.
    Argument(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Argument(name) => f.write_str(name),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFault {
    /// Where.
    pub origin: Origin,
    /// The key, dotted; empty where the file as a whole is at fault.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to change.
    pub mend: String,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        // A key may have been pasted anywhere.
        if !self.key.is_empty() {
            write!(f, "`{}`: ", without_keys(&self.key))?;
        }
        let (found, mend) = (without_keys(&self.found), without_keys(&self.mend));
        write!(f, "expected {}, found {found}; {mend}", self.expected)
    }
}

/// Every problem that was found, in the order of the file, then variables, then flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsFaults(Vec<SettingsFault>);

impl SettingsFaults {
    /// Sorted by origin.
    pub(super) fn new(mut faults: Vec<SettingsFault>) -> Self {
        faults.sort_by(|a, b| a.origin.cmp(&b.origin));
        Self(faults)
    }

    /// The problems.
    #[must_use]
    pub fn all(&self) -> &[SettingsFault] {
        &self.0
    }
}

impl fmt::Display for SettingsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_typed = |fault: &SettingsFault| matches!(fault.origin, Origin::Flag(_) | Origin::Argument(_));
        let place = if self.0.iter().all(is_typed) { "on the command line" } else { "in the settings" };
        match self.0.len() {
            1 => write!(f, "1 problem {place}")?,
            n => write!(f, "{n} problems {place}")?,
        }
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// The name among `known` that `found` was probably meant to be.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase().replace('-', "_");
    let scored = known.into_iter().map(|name| {
        let plain = name.to_lowercase().replace('-', "_");
        let is_part = found.len() >= 3 && (plain.starts_with(&found) || found.starts_with(&plain));
        let likeness = strsim::normalized_damerau_levenshtein(&found, &plain);
        (if is_part { likeness.max(0.6) } else { likeness }, name)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.55).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_where_what_and_what_to_do() {
        let fault = SettingsFault {
            origin: Origin::File { file: "config.toml".into(), line: 3 },
            key: "router.k".into(),
            expected: "an integer from 1 to 16".into(),
            found: "0".into(),
            mend: "the default is 3".into(),
        };
        let text = SettingsFaults::new(vec![fault]).to_string();
        assert_eq!(
            text,
            "1 problem in the settings\n  config.toml:3: `router.k`: expected an integer from 1 to 16, found 0; the default is 3"
        );
    }

    #[test]
    fn a_key_that_was_pasted_somewhere_is_not_shown() {
        let [key, found, mend] = ["judge.sk-proj-abc", "\"sk-proj-0123abcd\"", "did you mean gsk_0123456789abcdef?"];
        let fault = SettingsFault {
            origin: Origin::Variable("BANDITOP_X".into()),
            key: key.into(),
            expected: "one of openai, anthropic".into(),
            found: found.into(),
            mend: mend.into(),
        };
        let shown = fault.to_string();
        assert!(!shown.contains("abc") && shown.matches("[redacted]").count() == 3, "{shown}");
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(nearest("prise", ["price", "name"]), Some("price"));
        assert_eq!(nearest("length-threshold", ["length_threshold"]), Some("length_threshold"));
        assert_eq!(nearest("zzz", ["price", "name"]), None);
    }
}
