//! An API key that cannot be printed by accident, and the scrubbing of texts that came back from
//! wherever the key was sent. Endpoints do echo keys, whole or in part, in their error messages.

use std::borrow::Cow;
use std::fmt;

use reqwest::header::HeaderValue;

use super::openai::ProviderFault;
use super::{encoded, spelled};
use crate::domain::text::without_keys;

/// What a reader sees in place of a key.
pub(super) const REDACTED: &str = "[redacted]";
/// A shorter key than this is not looked for in texts: it would be found everywhere.
const SCRUBBED_FROM: usize = 6;

/// An API key. `Debug` and `Display` never show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key, without the white space that files and shells leave around it.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// The key as the whole value of a header, marked as one that is never printed.
    pub(super) fn header(&self) -> Result<HeaderValue, ProviderFault> {
        header(&self.0, &self.0)
    }

    /// The key as a bearer token.
    pub(super) fn bearer(&self) -> Result<HeaderValue, ProviderFault> {
        header(&self.0, &format!("Bearer {}", self.0))
    }

    /// The key as it is looked for in texts, where it is long enough for that.
    pub(super) fn sought(&self) -> Option<&str> {
        (self.0.len() >= SCRUBBED_FROM && self.0.is_ascii()).then_some(&*self.0)
    }

    /// `text` without this key, however it is spelled, or in base64.
    pub(super) fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(key) = self.sought() else { return Cow::Borrowed(text) };
        let without_key = spelled::without(text, key.as_bytes(), REDACTED);
        match encoded::without(&without_key, key.as_bytes(), REDACTED) {
            Cow::Borrowed(_) => without_key,
            Cow::Owned(safe) => Cow::Owned(safe),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

fn header(key: &str, text: &str) -> Result<HeaderValue, ProviderFault> {
    if key.is_empty() {
        return Err(ProviderFault::Key);
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| ProviderFault::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `text` without `key`, and without anything else that looks like one (a masked echo such as
/// `sk-ab***yz`).
pub(super) fn scrub(text: &str, key: Option<&Secret>) -> String {
    let without_key = key.map_or(Cow::Borrowed(text), |key| key.scrub(text));
    without_keys(&without_key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_prints() {
        let key = Secret::new(" sk-secret-123\n");
        assert_eq!(format!("{key:?} {key}"), "[redacted] [redacted]");
        assert_eq!(key.header().unwrap(), "sk-secret-123");
        assert!(!format!("{:?}", key.bearer().unwrap()).contains("secret"));
    }

    #[test]
    fn texts_lose_keys_whole_and_masked() {
        let key = Secret::new("topsecretkey");
        let rows = [
            ("bad key topsecretkey.", "bad key [redacted]."),
            ("Incorrect API key provided: sk-abc***wxyz. Get one", "Incorrect API key provided: [redacted]. Get one"),
            ("key=\"sk-proj-1\", see", "key=\"[redacted]\", see"),
            ("a disk-bound task", "a disk-bound task"),
            ("see /login?key=%74opsecret%6Bey&x=1", "see /login?key=[redacted]&x=1"),
            ("no user dG9wc2VjcmV0a2V5", "no user [redacted]"),
            ("bad header: Basic dXNlcjp0b3BzZWNyZXRrZXk=.", "bad header: Basic [redacted]."),
        ];
        for (text, expected) in rows {
            assert_eq!(scrub(text, Some(&key)), expected);
        }
        assert_eq!(scrub("x", Some(&Secret::new("x"))), "x");
        assert_eq!(scrub("bG9jYWw= and local", Some(&Secret::new("local"))), "bG9jYWw= and local", "too short to tell");
    }
}
