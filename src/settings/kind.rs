//! What a value may be: the kinds of scalar that a key can hold, each with its range. The same check
//! serves the file, environment variables and flags, so that a value is right or wrong everywhere alike.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A whole number, `min ..= max`.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A finite number, `min ..= max`.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// True or false.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A text that is not blank.
    Text,
    /// A name that can stand in lists and tables: no blanks, commas or `=`, at most 64 characters.
    Name,
    /// An `http://` or `https://` address without credentials.
    Url,
    /// A `redis://` address without credentials.
    Redis,
    /// An address to listen at, or `off`.
    Listen,
    /// The name of an environment variable. What was given instead is never repeated: it may be a key.
    VariableName,
}

/// A checked value. Which variant it is follows from the [`Kind`] that it was checked against.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of every other kind.
    Text(String),
}

impl Scalar {
    /// The whole number; 0 where it is none.
    pub(super) fn integer(&self) -> u64 {
        if let Self::Integer(value) = self { *value } else { 0 }
    }

    /// The whole number as a size, cut to what fits.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.integer()).unwrap_or(usize::MAX)
    }

    /// The whole number as a count, cut to what fits.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.integer()).unwrap_or(u32::MAX)
    }

    /// The number; 0 where it is none.
    pub(super) fn number(&self) -> f64 {
        if let Self::Number(value) = self { *value } else { 0.0 }
    }

    /// The number as a span; the kind keeps it within what a span can hold.
    pub(super) fn seconds(&self) -> Duration {
        Duration::try_from_secs_f64(self.number()).unwrap_or_default()
    }

    /// Whether it is `true`.
    pub(super) fn truth(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// The text; empty where it is none.
    pub(super) fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }
}

/// Why a value does not fit: what was found, fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// What was found.
    pub(super) found: String,
}

/// Any number of at least 0.
pub(super) const POSITIVE: Kind = Kind::Number { min: 0.0, max: f64::MAX };
/// A share.
pub(super) const SHARE: Kind = Kind::Number { min: 0.0, max: 1.0 };
/// Seconds that something may take.
pub(super) const SECONDS: Kind = Kind::Number { min: 0.01, max: 86_400.0 };
/// Seconds from one time to the next.
pub(super) const PERIOD: Kind = Kind::Number { min: 1.0, max: 31_536_000.0 };
/// Tokens of one call.
pub(super) const TOKENS: Kind = Kind::Integer { min: 1, max: 1_000_000 };
/// Tokens of several calls.
pub(super) const CEILING: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };
/// Dollars that may be spent.
pub(super) const DOLLARS: Kind = Kind::Number { min: 1e-9, max: 1e9 };
/// A yes or no.
pub(super) const BOOL: Kind = Kind::Bool;

impl Kind {
    /// Checks a value of the file.
    pub(super) fn of_toml(self, value: &DeValue<'_>) -> Result<Scalar, Misfit> {
        let misfit = || Misfit { found: self.shown(value) };
        match (self, value) {
            (Self::Integer { .. }, DeValue::Integer(i)) if i.radix() == 10 => self.of_text(i.as_str()),
            (Self::Integer { .. }, DeValue::Integer(i)) => {
                let parsed = u64::from_str_radix(i.as_str(), i.radix()).map_err(|_| misfit())?;
                self.of_text(&parsed.to_string())
            }
            (Self::Number { .. }, DeValue::Integer(i)) => self.of_text(i.as_str()),
            (Self::Number { .. }, DeValue::Float(x)) => self.of_text(x.as_str()),
            (Self::Bool, DeValue::Boolean(value)) => Ok(Scalar::Bool(*value)),
            (
                Self::OneOf(_) | Self::Text | Self::Name | Self::Url | Self::Redis | Self::Listen | Self::VariableName,
                DeValue::String(text),
            ) => self.of_text(text),
            _ => Err(misfit()),
        }
    }

    /// Checks a value as it is written in a variable or after a flag.
    pub(super) fn of_text(self, text: &str) -> Result<Scalar, Misfit> {
        let scalar = match self {
            Self::Integer { min, max } => {
                let parsed = text.trim().replace('_', "").parse::<u64>().ok();
                parsed.filter(|value| (min..=max).contains(value)).map(Scalar::Integer)
            }
            Self::Number { min, max } => {
                let parsed = text.trim().replace('_', "").parse::<f64>().ok();
                parsed.filter(|value| value.is_finite() && (min..=max).contains(value)).map(Scalar::Number)
            }
            Self::Bool => match text.trim() {
                "true" | "1" | "yes" | "on" => Some(Scalar::Bool(true)),
                "false" | "0" | "no" | "off" => Some(Scalar::Bool(false)),
                _ => None,
            },
            Self::OneOf(words) => words.contains(&text).then(|| Scalar::Text(text.to_owned())),
            Self::Text => (!text.trim().is_empty()).then(|| Scalar::Text(text.to_owned())),
            Self::Name => is_name(text).then(|| Scalar::Text(text.to_owned())),
            Self::Url => is_endpoint(text).then(|| Scalar::Text(text.trim_end_matches('/').to_owned())),
            Self::Redis => is_redis(text).then(|| Scalar::Text(text.to_owned())),
            Self::Listen => is_listen(text.trim()).then(|| Scalar::Text(text.trim().to_owned())),
            Self::VariableName => is_variable_name(text).then(|| Scalar::Text(text.to_owned())),
        };
        scalar.ok_or_else(|| Misfit { found: self.shown_text(text) })
    }

    /// Whether a value of this kind is quoted in TOML.
    pub(super) const fn is_quoted(self) -> bool {
        !matches!(self, Self::Integer { .. } | Self::Number { .. } | Self::Bool)
    }

    fn shown(self, value: &DeValue<'_>) -> String {
        match value {
            DeValue::String(text) => self.shown_text(text),
            DeValue::Integer(i) => i.to_string(),
            DeValue::Float(x) => x.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            other => format!("a value of type {}", other.type_str()),
        }
    }

    fn shown_text(self, text: &str) -> String {
        let secret_in_url = matches!(self, Self::Url | Self::Redis) && text.contains(['@', '?']);
        match self {
            Self::VariableName => "a text that is no such name (not shown, it may be a key)".to_owned(),
            _ if secret_in_url => "an address that may hold a secret (not shown)".to_owned(),
            _ if text.trim().is_empty() => "an empty text".to_owned(),
            Self::Integer { .. } | Self::Number { .. } => crate::domain::text::one_line(text),
            _ => {
                let (shown, cut) = crate::domain::text::cut(text, 80);
                format!("{:?}{}", shown, if cut { "…" } else { "" })
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { min, max: u64::MAX } => write!(f, "an integer of at least {min}"),
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Number { min, max } if *max >= f64::MAX => write!(f, "a finite number of at least {min}"),
            Self::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Bool => f.write_str("true or false"),
            Self::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Self::Text => f.write_str("a text"),
            Self::Name => f.write_str("a name of 1 to 64 characters without blanks, commas or ="),
            Self::Url => f.write_str("an address like https://host/v1"),
            Self::Redis => f.write_str("an address like redis://host:6379/0, the password elsewhere"),
            Self::Listen => f.write_str("an address like 127.0.0.1:9464, or off"),
            Self::VariableName => f.write_str("the name of an environment variable"),
        }
    }
}

fn is_name(text: &str) -> bool {
    let count = text.chars().count();
    let fits = |c: char| !c.is_whitespace() && crate::domain::text::is_showable(c) && !matches!(c, ',' | '=' | '"');
    (1..=64).contains(&count) && !text.starts_with('-') && text.chars().all(fits)
}

fn is_listen(text: &str) -> bool {
    text == "off" || text.parse::<std::net::SocketAddr>().is_ok()
}

/// Scheme, host, optional port and number of a database; nothing else.
fn is_redis(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("redis://") else { return false };
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let is_number = database.is_empty() || database.parse::<u16>().is_ok();
    is_number && !rest.contains('?') && is_endpoint(&format!("http://{authority}"))
}

fn is_variable_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Scheme, host, optional port, and a query that holds no secret (`?api-version=…`); no credentials, no
/// fragment, and not the path of one operation.
fn is_endpoint(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let lower = query.to_lowercase();
    let is_open = !["key", "token", "secret", "sig", "pass"].iter().any(|word| lower.contains(word));
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let plain = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_clean = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '@' | '#'));
    is_open
        && rest.chars().chain(query.chars()).all(is_clean)
        && port_fits
        && (bracketed || plain)
        && !rest.trim_end_matches('/').ends_with("/chat/completions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "http://localhost:4000",
            "https://api.openai.com/v1/",
            "https://x.azure.com/openai?api-version=2024-10-21",
            "http://[::1]:8080/v1",
            "http://10.0.0.1/x",
        ] {
            assert!(Kind::Url.of_text(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "api.openai.com/v1",
            "ftp://host",
            "http://",
            "http://:80",
            "http://host:99999",
            "http://ho st/",
            "https://user:secret@host/v1",
            "http://host/v1?key=x",
            "https://host/v1/chat/completions",
        ];
        for bad in bad {
            assert!(Kind::Url.of_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_redis() {
        for good in ["redis://localhost", "redis://10.0.0.1:6379/3", "redis://[::1]:6379/"] {
            assert!(Kind::Redis.of_text(good).is_ok(), "{good}");
        }
        let bad =
            ["", "localhost", "rediss://host", "redis://", "redis://host/x", "redis://host?x=1", "redis://:pass@host"];
        for bad in bad {
            let misfit = Kind::Redis.of_text(bad).unwrap_err();
            assert!(!misfit.found.contains("pass"), "{bad}");
        }
    }

    #[test]
    fn numbers_are_finite_and_in_range() {
        let weight = Kind::Number { min: 0.0, max: f64::MAX };
        assert_eq!(weight.of_text("1_0.5"), Ok(Scalar::Number(10.5)));
        for bad in ["nan", "inf", "-0.1", "", "x"] {
            assert!(weight.of_text(bad).is_err(), "{bad}");
        }
        assert!(Kind::Integer { min: 1, max: 3 }.of_text("4").is_err());
    }

    #[test]
    fn what_may_be_a_secret_is_never_repeated() {
        let key = Kind::VariableName.of_text("sk-abcdef").unwrap_err();
        assert!(!key.found.contains("abcdef"));
        let url = Kind::Url.of_text("https://user:hunter2@host").unwrap_err();
        assert!(!url.found.contains("hunter2"));
    }
}
