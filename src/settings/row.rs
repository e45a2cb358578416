//! One row of the table of keys. The row of a key says everything about it once: its name, kind and
//! range, default, flag, help, and where its value goes. Parsing of the file, of `BANDITOP_*` variables
//! and of flags, the template and `config keys` are all read off the rows, so they cannot drift apart.

use super::kind::{Kind, Scalar};

/// How a key appears on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagForm {
    /// Not at all, and as no variable either.
    FileOnly,
    /// As a variable only.
    None,
    /// `--name VALUE`.
    Value(&'static str),
    /// `--name` sets it.
    On(&'static str),
    /// `--name` clears it.
    Off(&'static str),
}

impl<T> Clone for KeyRow<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for KeyRow<T> {}

/// One key, whose value goes into a `T`.
pub(super) struct KeyRow<T> {
    /// The dotted name.
    pub(super) name: &'static str,
    /// What it may hold.
    pub(super) kind: Kind,
    /// The default as it is written; `None` where there is none.
    pub(super) default: Option<&'static str>,
    /// Its flag.
    pub(super) flag: FlagForm,
    /// One line for help and template.
    pub(super) help: &'static str,
    /// Stores a checked value.
    pub(super) set: fn(&mut T, &Scalar),
}

impl<T> KeyRow<T> {
    /// The table that the key is in; empty at the top.
    pub(super) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name of the flag without its dashes.
    pub(super) fn flag_name(&self) -> Option<&'static str> {
        match self.flag {
            FlagForm::FileOnly | FlagForm::None => None,
            FlagForm::Value(name) | FlagForm::On(name) | FlagForm::Off(name) => Some(name),
        }
    }

    /// The environment variable: `BANDITOP_` and the flag's name, or the key's where it has no flag.
    pub(super) fn variable(&self) -> Option<String> {
        let name = self.flag_name().unwrap_or(self.name);
        let variable = || format!("BANDITOP_{}", name.to_uppercase().replace(['-', '.'], "_"));
        (self.flag != FlagForm::FileOnly).then(variable)
    }

    /// The default as it stands in TOML.
    pub(super) fn default_toml(&self) -> Option<String> {
        self.default.map(|text| if self.kind.is_quoted() { format!("{text:?}") } else { text.to_owned() })
    }

    /// The value that the variable or flag with this text stands for, as the key spells it.
    pub(super) fn keyed_text<'a>(&self, text: &'a str) -> &'a str {
        match (self.flag, Kind::Bool.of_text(text)) {
            (FlagForm::Off(_), Ok(Scalar::Bool(true))) => "false",
            (FlagForm::Off(_), Ok(Scalar::Bool(false))) => "true",
            _ => text,
        }
    }
}
