//! The port to a web search, what it finds, and what a run keeps of it. What is found is data: pages that
//! anyone may have written, which are shown and cited and never obeyed.

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::failure::Failure;

/// One page that was found. Texts are plain, on one line and cut; never markup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResult {
    /// Its title.
    pub title: String,
    /// Its address, `http` or `https`.
    pub url: String,
    /// What it says about what was asked, by the search's own account.
    pub snippet: String,
}

/// A web search.
pub trait WebSearch: Send + Sync {
    /// At most `most` pages about `query`, best first; none is no failure. Nothing is sent again; how long to
    /// wait is the caller's business, and dropping the future ends the request.
    fn search<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<SearchResult>, Failure>>;
}

/// The search of one run, made once for all its calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// Who was asked: the configuration's name of the adapter.
    pub provider: String,
    /// Whether it was made before previews; else before the full answer.
    #[serde(default)]
    pub before_previews: bool,
    /// What for.
    pub query: String,
    /// What was found: `[1]` is the first.
    pub results: Vec<SearchResult>,
    /// Which of them the answer cites, from 1, ascending.
    #[serde(default)]
    pub cited: Vec<usize>,
    /// How long it took.
    pub seconds: f64,
    /// Dollars; absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Why nothing was found out; the run went on without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl SearchRecord {
    /// The same with what `answer` cites.
    #[must_use]
    pub fn of_answer(self, answer: &str) -> Self {
        Self { cited: cited(answer, self.results.len()), ..self }
    }

    /// The pages that the answer cites, with their numbers.
    pub fn sources(&self) -> impl Iterator<Item = (usize, &SearchResult)> {
        self.cited.iter().filter_map(|number| Some((*number, self.results.get(number.checked_sub(1)?)?)))
    }

    /// One line: what was found, how fast, for how much; or why nothing.
    #[must_use]
    pub fn summary(&self) -> String {
        if let Some(failure) = &self.error {
            return format!("web search failed after {:.1} s: {failure}", self.seconds);
        }
        let dollars = self.cost_usd.filter(|usd| *usd > 0.0).map_or_else(String::new, |usd| format!(", ${usd:.4}"));
        let cited = self.cited.len();
        format!("web search: {} found, {cited} cited, {:.1} s{dollars}", self.results.len(), self.seconds)
    }
}

/// Which of `most` numbered results `answer` cites: `[1]`, `[2, 3]`; not what stands in fenced code.
#[must_use]
pub fn cited(answer: &str, most: usize) -> Vec<usize> {
    let mut found = std::collections::BTreeSet::new();
    // Every other piece between fences is code.
    for prose in answer.split("```").step_by(2) {
        let brackets = prose.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
        for (inside, _) in brackets {
            let numbers: Option<Vec<usize>> = inside.split(',').map(|n| n.trim().parse().ok()).collect();
            found.extend(numbers.unwrap_or_default().into_iter().filter(|n| (1..=most).contains(n)));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_are_numbers_in_brackets_outside_of_code() {
        let rows: [(&str, &[usize]); 8] = [
            ("It rains [2] and shines[1].", &[1, 2]),
            ("Both [1, 3] say so [3].", &[1, 3]),
            ("[4] is not there, [0] neither, [x] nor [1 to 2]", &[]),
            ("```\na[1]\n```\nsee [2]", &[2]),
            ("[1](https://host) as a link", &[1]),
            ("[[2]] twice", &[2]),
            ("never closed [1", &[]),
            ("", &[]),
        ];
        for (answer, expected) in rows {
            assert_eq!(cited(answer, 3), expected, "{answer}");
        }
    }

    #[test]
    fn sources_are_what_is_cited_and_there() {
        let result = |url: &str| SearchResult { url: url.to_owned(), ..SearchResult::default() };
        let record =
            SearchRecord { results: vec![result("a"), result("b")], cited: vec![0, 2, 3], ..SearchRecord::default() };
        let sources: Vec<(usize, &str)> = record.sources().map(|(n, r)| (n, r.url.as_str())).collect();
        assert_eq!(sources, [(2, "b")]);
    }
}
