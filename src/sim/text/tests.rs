use std::collections::HashSet;

use super::super::draw;
use super::*;

const PROMPTS: [(Intent, &str); 6] = [
    (
        Intent::Reasoning,
        "A tank holds 240 litres and drains at 16 litres a minute. How long until it is a quarter full?",
    ),
    (Intent::Coding, "Write a Rust function that merges two sorted slices without allocating twice."),
    (Intent::Coding, "Given tables customers and orders, write an SQL query for the newest order of each customer."),
    (
        Intent::Retrieval,
        "Passage: The mill was built in 1871 by two brothers. It burned down in 1904. The river still turns a wheel \
         that belongs to the museum. Visitors may see it on Sundays.\nQuestion: When did the mill burn down?",
    ),
    (Intent::Writing, "Draft a short farewell note for a colleague who repaired old clocks in the office."),
    (Intent::Other, "Which vegetables grow well on a shady balcony?"),
];

fn answer(intent: Intent, prompt: &str, quality: f64, model: &str, seed: u64) -> String {
    let mut rng = draw::generator(&[b"test", model.as_bytes(), &seed.to_le_bytes()]);
    compose(&Brief { prompt, intent, quality, model, tokens: 140 }, &mut rng)
}

#[test]
fn answers_speak_of_the_prompt_and_have_the_length_that_was_asked_for() {
    for (intent, prompt) in PROMPTS {
        let topic = Topic::of(prompt);
        for seed in 0..20 {
            let text = answer(intent, prompt, 0.9, "atlas", seed);
            let named = topic.words().iter().filter(|word| text.contains(word.as_str())).count();
            assert!(named >= 2, "{intent:?}: {text}");
            assert!(!text.contains("{t}") && !text.contains("{a}") && !text.contains('@'), "{text}");
            assert!((250..1400).contains(&text.len()), "{intent:?}, {} bytes: {text}", text.len());
        }
    }
}

#[test]
fn answers_differ_by_seed_and_model_and_repeat_otherwise() {
    for (intent, prompt) in PROMPTS {
        let texts: HashSet<String> = ["atlas", "swift", "scribe", "penny"]
            .iter()
            .flat_map(|model| (0..10).map(move |seed| answer(intent, prompt, 0.7, model, seed)))
            .collect();
        assert!(texts.len() >= 39, "{intent:?}: {}", texts.len());
        assert_eq!(answer(intent, prompt, 0.7, "atlas", 3), answer(intent, prompt, 0.7, "atlas", 3));
    }
}

/// The judge tells answers apart by their beginnings.
#[test]
fn two_models_hardly_ever_begin_alike() {
    for (intent, prompt) in PROMPTS {
        let head =
            |model: &str, seed: u64| answer(intent, prompt, 0.7, model, seed).chars().take(200).collect::<String>();
        let alike = (0..200).filter(|seed| head("atlas", *seed) == head("coder", *seed)).count();
        assert!(alike <= 1, "{intent:?}: {alike}");
    }
}

#[test]
fn poor_answers_are_idle_and_good_ones_are_not() {
    let idle = |text: &str| bank::IDLE.iter().chain(bank::HEDGES).filter(|s| text.contains(**s)).count();
    for (intent, prompt) in PROMPTS {
        let count = |quality: f64| (0..60).map(|seed| idle(&answer(intent, prompt, quality, "m", seed))).sum::<usize>();
        assert!(count(0.25) > 3 * count(0.93).max(5), "{intent:?}: {} {}", count(0.25), count(0.93));
    }
}

#[test]
fn code_comes_in_a_closed_fence_of_the_language_that_was_named() {
    let rows = [
        ("in Rust", "```rust\n"),
        ("as an SQL query", "```sql\n"),
        ("in TypeScript", "```typescript\n"),
        ("", "```python\n"),
    ];
    for (words, fence) in rows {
        let text = answer(Intent::Coding, &format!("Count duplicate invoices {words}"), 0.9, "coder", 1);
        assert!(text.contains(fence), "{words}: {text}");
        assert_eq!(text.matches("```").count(), 2);
    }
}

#[test]
fn a_good_answer_quotes_the_line_that_was_asked_for() {
    let (intent, prompt) = PROMPTS[3];
    let hits =
        (0..50).filter(|seed| answer(intent, prompt, 0.9, "orbit", *seed).contains("burned down in 1904")).count();
    assert_eq!(hits, 50);
}

#[test]
fn strange_prompts_are_answered_too() {
    let long = "word ".repeat(5000);
    for prompt in ["", "?", "…", "\u{1b}[2J", "数える", "12 12 12", "```", long.as_str()] {
        for intent in Intent::ALL {
            for quality in [0.0, 0.5, 1.0] {
                assert!(!answer(intent, prompt, quality, "m", 9).is_empty(), "{prompt:?} {intent:?}");
            }
        }
    }
}

#[test]
#[ignore = "prints samples for a person to read"]
fn samples() {
    for (intent, prompt) in PROMPTS {
        for (model, quality) in [("atlas-70b", 0.93), ("coder-32b", 0.7), ("penny", 0.3)] {
            println!("=== {} {model} {quality}\n{}\n", intent.name(), answer(intent, prompt, quality, model, 11));
        }
    }
}
