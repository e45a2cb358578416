//! How much a prompt asks for, beside its length: several questions or list items, words that demand
//! reasoning, constraints, source code, a conversation that it continues. A guess by form, in a few languages,
//! good enough to decide how much of an answer a judge should see; it is no dimension of a context.
//!
//! ```text
//! complexity = 1 − exp(−load ÷ 3)     load = further parts + demands ÷ 2 + code + earlier turns ÷ 4
//! ```

use super::text::{Excerpt, prompt_text};
use crate::domain::chat::ChatRequest;

/// Words that ask for more than a line.
const DEMANDS: [&str; 40] = [
    "why",
    "explain",
    "compare",
    "prove",
    "derive",
    "design",
    "implement",
    "analyse",
    "analyze",
    "evaluate",
    "refactor",
    "debug",
    "optimise",
    "optimize",
    "step",
    "steps",
    "detail",
    "detailed",
    "must",
    "exactly",
    "least",
    "pros",
    "tradeoffs",
    "justify",
    "warum",
    "erkläre",
    "vergleiche",
    "beweise",
    "begründe",
    "schritt",
    "pourquoi",
    "expliquez",
    "explique",
    "comparez",
    "prouvez",
    "porqué",
    "explica",
    "compara",
    "demuestra",
    "why's",
];
/// Of each kind at most so many count.
const MOST: usize = 8;

/// In [0, 1): 0 for one plain question.
#[must_use]
pub fn complexity(request: &ChatRequest) -> f64 {
    let text = prompt_text(request);
    let excerpt = Excerpt::of(&text);
    let text = excerpt.as_str();
    let questions = text.chars().filter(|c| matches!(c, '?' | '？' | '؟')).count();
    let items = text.lines().filter(|line| is_item(line.trim_start())).count();
    let further = questions.max(items).saturating_sub(1).min(MOST);
    let lower = text.to_lowercase();
    let demands =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| DEMANDS.contains(word)).count();
    let code =
        text.contains("```") || text.lines().filter(|line| line.trim_end().ends_with([';', '{', '}'])).count() > 1;
    let earlier = request.messages.iter().filter(|message| message.role == "user").count().saturating_sub(1).min(MOST);
    let load = further as f64 + demands.min(MOST) as f64 / 2.0 + f64::from(u8::from(code)) + earlier as f64 / 4.0;
    1.0 - (-load / 3.0).exp()
}

/// `- x`, `* x`, `1. x`, `2) x`.
fn is_item(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..).unwrap_or_default();
    if digits == 0 {
        rest.starts_with("- ") || rest.starts_with("* ")
    } else {
        rest.starts_with(". ") || rest.starts_with(") ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Message;

    #[test]
    fn what_asks_for_more_is_more_complex() {
        let of = |text: &str| complexity(&ChatRequest::from_prompt(text));
        assert!(of("What is the capital of France?").abs() < 1e-12);
        let rows = [
            "hello",
            "Explain what a monad is.",
            "Explain why a monad is a functor, and compare it with an applicative.",
            "Explain each:\n- monads\n- functors\n- applicatives\n1. compare them\n2. prove the laws",
        ];
        let found: Vec<f64> = rows.iter().map(|row| of(row)).collect();
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
        assert!(of("fix this\n```\nlet x = 1;\n```") > of("fix this"));
        assert!(of(&"why? ".repeat(1_000_000)) < 1.0);
    }

    #[test]
    fn a_conversation_adds_to_it() {
        let mut request = ChatRequest::from_prompt("and then?");
        let alone = complexity(&request);
        request.messages.insert(0, Message::new("user", "tell me a story"));
        assert!(complexity(&request) > alone);
    }
}
