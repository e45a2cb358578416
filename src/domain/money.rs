//! Tokens and dollars. A price is dollars per million tokens; a cost is dollars. Where an endpoint
//! reports no usage the count is an estimate and says so.

use serde::{Deserialize, Serialize};

/// Dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For tokens of the prompt.
    pub input: f64,
    /// For tokens of the answer.
    pub output: f64,
    /// For tokens of the prompt that the endpoint had in its cache; as the others of the prompt where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
}

impl Price {
    /// Dollars for `usage`.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> f64 {
        let whole = self.input.mul_add(f64::from(usage.input_tokens), self.output * f64::from(usage.output_tokens));
        let cached = f64::from(usage.cached_tokens.min(usage.input_tokens));
        let less = self.cached.map_or(0.0, |price| (self.input - price) * cached);
        (whole - less) / 1e6
    }
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, those in the endpoint's cache included.
    pub input_tokens: u32,
    /// Those of them that the endpoint had in its cache.
    #[serde(default)]
    pub cached_tokens: u32,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u32,
    /// True where the endpoint reported nothing and the counts are estimates (shown with `~`).
    #[serde(default)]
    pub estimated: bool,
}

/// Tokens in `text`, estimated at four characters a token, never 0 for a non-empty text.
#[must_use]
pub fn estimate_tokens(text: &str) -> u32 {
    u32::try_from(text.chars().count().div_ceil(4)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tokens_cost_the_price() {
        let price = Price { input: 0.25, output: 2.0, cached: None };
        let usage = Usage { input_tokens: 1_000_000, output_tokens: 500_000, ..Usage::default() };
        assert!((price.cost(&usage) - 1.25).abs() < 1e-12);
    }

    #[test]
    fn tokens_in_the_cache_have_a_price_of_their_own_or_that_of_the_prompt() {
        let usage = Usage { input_tokens: 1_000_000, cached_tokens: 600_000, ..Usage::default() };
        let cost = |cached| Price { input: 3.0, output: 15.0, cached }.cost(&usage);
        assert!((cost(Some(0.3)) - 1.38).abs() < 1e-12 && (cost(None) - 3.0).abs() < 1e-12);
        assert!((cost(Some(0.0)) - 1.2).abs() < 1e-12);
        let odd = Usage { input_tokens: 1_000_000, cached_tokens: u32::MAX, ..usage };
        assert!((Price { input: 3.0, output: 15.0, cached: Some(0.3) }.cost(&odd) - 0.3).abs() < 1e-12);
        let old: Price = serde_json::from_str(r#"{"input":1.0,"output":2.0}"#).unwrap();
        assert_eq!(old.cached, None);
    }

    #[test]
    fn an_estimate_rounds_up() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("a"), 1);
        assert_eq!(estimate_tokens("abcde"), 2);
    }
}
