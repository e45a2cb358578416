//! The prompt suite: what the traffic generator sends. Each prompt knows its intent, so that a simulated
//! model can have a skill for it without the classifier that the router uses: the two must be free to
//! disagree, as they would with real models. For any other prompt a few words decide.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::domain::context::Intent;

/// One prompt of the suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the key in the file, and the word that everyone uses")]
pub struct Prompt {
    /// Unique in the suite.
    pub id: String,
    /// What it asks for.
    pub intent: Intent,
    /// Something else that models are better or worse at, and that the wording does not show: see
    /// [`super::ModelSpec::hidden`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<String>,
    /// The text.
    pub prompt: String,
}

/// A file of prompts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSuite {
    /// In file order.
    pub prompts: Vec<Prompt>,
}

impl PromptSuite {
    /// Whether the suite can be sent.
    ///
    /// # Errors
    /// Every fault at once: no prompt, a blank one, an id or a text that is used twice.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        if self.prompts.is_empty() {
            faults.push("`prompts` is empty: expected at least one `[[prompts]]`".to_owned());
        }
        let (mut ids, mut texts) = (BTreeSet::new(), BTreeSet::new());
        for (index, prompt) in self.prompts.iter().enumerate() {
            let place = format!("prompts[{index}] `{}`", prompt.id);
            if prompt.id.trim().is_empty() {
                faults.push(format!("{place}: `id` is empty"));
            } else if !ids.insert(prompt.id.as_str()) {
                faults.push(format!("{place}: this id is used twice"));
            }
            if prompt.prompt.trim().is_empty() {
                faults.push(format!("{place}: `prompt` is empty"));
            } else if !texts.insert(prompt.prompt.trim()) {
                faults.push(format!("{place}: this text is used twice"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Intents of known prompts and what is hidden in them, with a guess for all others.
#[derive(Debug, Default)]
pub(super) struct Intents {
    known: HashMap<String, (Intent, Option<String>)>,
}

impl Intents {
    pub(super) fn new(prompts: &[Prompt]) -> Self {
        let known = prompts.iter().map(|p| (p.prompt.trim().to_owned(), (p.intent, p.hidden.clone())));
        Self { known: known.collect() }
    }

    pub(super) fn of(&self, prompt: &str) -> (Intent, Option<&str>) {
        match self.known.get(prompt.trim()) {
            Some((intent, hidden)) => (*intent, hidden.as_deref()),
            None => (guess(prompt), None),
        }
    }
}

/// Words that speak for an intent, asked in this order.
const SIGNS: [(Intent, &[&str]); 4] = [
    (
        Intent::Coding,
        &[
            "```",
            "code",
            "function",
            "python",
            "rust",
            "javascript",
            "typescript",
            "sql",
            "regex",
            "compile",
            "algorithm",
            "bug",
            "api",
            "bash",
            "script",
            "unit test",
            "struct",
            "class ",
        ],
    ),
    (
        Intent::Retrieval,
        &["passage", "document", "according to", "excerpt", "article", "context:", "source:", "the text", "the notes"],
    ),
    (
        Intent::Writing,
        &[
            "write",
            "draft",
            "rewrite",
            "poem",
            "story",
            "email",
            "letter",
            "essay",
            "headline",
            "tone",
            "edit ",
            "paragraph",
            "slogan",
            "speech",
        ],
    ),
    (
        Intent::Reasoning,
        &[
            "how many",
            "calculate",
            "prove",
            "solve",
            "probability",
            "why does",
            "step by step",
            "puzzle",
            "if ",
            "plan ",
            "logic",
            "percent",
            "compare",
            "trade-off",
        ],
    ),
];

fn guess(prompt: &str) -> Intent {
    let lower: String = prompt.chars().take(4000).flat_map(char::to_lowercase).collect();
    SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| lower.contains(sign))).map_or(Intent::Other, |(i, _)| *i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(id: &str, text: &str) -> Prompt {
        Prompt { id: id.to_owned(), intent: Intent::Writing, hidden: None, prompt: text.to_owned() }
    }

    #[test]
    fn every_fault_of_a_suite_is_reported() {
        let suite =
            PromptSuite { prompts: vec![prompt("a", "x"), prompt("a", "y"), prompt("", " "), prompt("b", "x ")] };
        let faults = suite.check().unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:#?}");
        assert!(PromptSuite::default().check().is_err());
    }

    #[test]
    fn a_known_prompt_keeps_its_intent_and_others_are_guessed() {
        let intents = Intents::new(&[prompt("a", "Fix this Python function")]);
        assert_eq!(intents.of("Fix this Python function\n"), (Intent::Writing, None));
        let recent = Prompt { hidden: Some("recent".to_owned()), ..prompt("b", "Fix this") };
        assert_eq!(Intents::new(&[recent]).of("Fix this"), (Intent::Writing, Some("recent")));
        let rows = [
            ("Fix that Python function", Intent::Coding),
            ("According to the passage, when was it built?", Intent::Retrieval),
            ("Draft a note to a neighbour", Intent::Writing),
            ("How many apples are left?", Intent::Reasoning),
            ("What should I cook tonight?", Intent::Other),
        ];
        for (text, expected) in rows {
            assert_eq!(intents.of(text), (expected, None), "{text}");
        }
    }
}
