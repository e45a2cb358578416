//! The extractors against their contract, and the classifier against sentences with labels.

use proptest::prelude::*;

use super::intent::classify;
use super::{EmbeddingFeatures, Encoder, FeatureExtractor, LengthFeatures, WithSignals, contract};
use crate::domain::chat::ChatRequest;
use crate::domain::context::Intent::{self, Coding, Other, Reasoning, Retrieval, Writing};

proptest! {
    #[test]
    fn the_length_features_keep_the_contract(prompt in any::<String>(), threshold in 0..5_000_usize) {
        let features = LengthFeatures::new(threshold);
        contract::holds_for(&features, &ChatRequest::from_prompt(&prompt));
        let x = features.compute(&ChatRequest::from_prompt(&prompt)).x;
        prop_assert!((x[5..].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn case_and_control_characters_do_not_matter(at in 0..SENTENCES.len()) {
        let (text, _) = SENTENCES[at];
        if text.is_ascii() && !text.contains('`') {
            prop_assert_eq!(classify(&format!("\u{1b}\u{0} {text}\u{7}")), classify(text));
        }
    }
}

proptest! {
    #[test]
    fn signals_keep_the_contract_and_follow_the_rest(prompt in any::<String>(), endpoint in any::<bool>()) {
        let plain: std::sync::Arc<dyn FeatureExtractor> = if endpoint {
            let encoder = Encoder::Endpoint { model: "m".to_owned() };
            std::sync::Arc::new(EmbeddingFeatures::new(LengthFeatures::new(2_000), encoder, 16))
        } else {
            std::sync::Arc::new(LengthFeatures::new(2_000))
        };
        let features = WithSignals::new(std::sync::Arc::clone(&plain));
        let request = ChatRequest::from_prompt(&prompt);
        contract::holds_for(&features, &request);
        let (context, below) = (features.compute(&request), plain.compute(&request));
        prop_assert_eq!(context.shared(), below.x.as_slice());
        prop_assert_eq!(&context.x[below.x.len()..], &[0.0; 3]);
        prop_assert_eq!(features.slots(), plain.slots());
        prop_assert_ne!(&features.schema().version, &plain.schema().version);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_embedding_features_keep_the_contract(prompt in any::<String>(), slots in 16..33_usize, endpoint in any::<bool>()) {
        let encoder = if endpoint { Encoder::Endpoint { model: "m".to_owned() } } else { Encoder::Hashed };
        let features = EmbeddingFeatures::new(LengthFeatures::new(2_000), encoder, slots);
        contract::holds_for(&features, &ChatRequest::from_prompt(&prompt));
        let x = features.compute(&ChatRequest::from_prompt(&prompt)).x;
        let plain = LengthFeatures::new(2_000).compute(&ChatRequest::from_prompt(&prompt)).x;
        prop_assert_eq!(&x[..5], &plain[..5]);
        prop_assert_eq!(&x[5 + slots..], &plain[5..]);
        prop_assert!(x[5..5 + slots].iter().all(|z| !endpoint || *z == 0.0));
        prop_assert_eq!(features.slots(), endpoint.then_some(5..5 + slots));
    }
}

#[test]
fn another_kind_model_or_dimension_is_another_version() {
    let of =
        |encoder, slots| EmbeddingFeatures::new(LengthFeatures::new(2_000), encoder, slots).schema().version.clone();
    let model = |model: &str| Encoder::Endpoint { model: model.to_owned() };
    let versions = [
        LengthFeatures::new(2_000).schema().version.clone(),
        of(Encoder::Hashed, 16),
        of(Encoder::Hashed, 17),
        of(model("a"), 16),
        of(model("b"), 16),
    ];
    let all: std::collections::BTreeSet<&String> = versions.iter().collect();
    assert_eq!(all.len(), versions.len());
    let scaled = EmbeddingFeatures::new(LengthFeatures::new(2_000), Encoder::Hashed, 32);
    let x = scaled.compute(&ChatRequest::from_prompt("Write a poem about the sea")).x;
    assert!(x[5..37].iter().map(|z| z * z).sum::<f64>() > 4.0, "the slots say something");
}

#[test]
fn every_extractor_keeps_the_contract() {
    contract::holds(&|| LengthFeatures::new(2_000));
    contract::holds(&|| LengthFeatures::new(0));
    contract::holds(&|| EmbeddingFeatures::new(LengthFeatures::new(2_000), Encoder::Hashed, 24));
    let endpoint = || Encoder::Endpoint { model: "m".to_owned() };
    contract::holds(&|| EmbeddingFeatures::new(LengthFeatures::new(2_000), endpoint(), 16));
    contract::holds(&|| WithSignals::new(std::sync::Arc::new(LengthFeatures::new(2_000))));
}

#[test]
fn names_and_values() {
    let features = LengthFeatures::new(200);
    let names: Vec<&str> = features.schema().names.iter().map(String::as_str).collect();
    assert_eq!(names[..6], ["bias", "length", "words", "choices", "numbers", "intent_reasoning"]);
    let context = features.compute(&ChatRequest::from_prompt("Write a Python function that reverses a list."));
    assert_eq!(context.intent, Coding);
    assert_eq!(context.x, [1.0, 45.0 / 200.0, 0.08, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    let form = features.compute(&ChatRequest::from_prompt("Is 2 + 3 = 6?\nA. yes\nB. no")).x;
    assert_eq!(form[3..5], [1.0, 0.3]);
    assert_ne!(features.schema().version, LengthFeatures::new(201).schema().version);
    assert_eq!(features.schema().version, LengthFeatures::new(200).schema().version);
}

#[test]
fn parts_and_empty_conversations_have_a_context() {
    let parts = r#"{"messages":[{"role":"system","content":"x"},{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{}}]}]}"#;
    let features = LengthFeatures::new(2_000);
    let request: ChatRequest = serde_json::from_str(parts).unwrap();
    assert_eq!(features.compute(&request).intent, Other);
    assert_eq!(features.compute(&ChatRequest::default()).x[1].to_bits(), 0.0_f64.to_bits());
}

#[test]
fn huge_prompts_take_bounded_time() {
    let features = LengthFeatures::new(2_000);
    for unit in ["a", "word ", "é\u{0}", "\n", "```", "SELECT 1;\n", "1 + 1 = ? ", "写"] {
        let request = ChatRequest::from_prompt(&unit.repeat(5_000_000 / unit.len()));
        let context = features.compute(&request);
        assert!((context.x[1] - 1.0).abs() < 1e-12);
    }
}

const SENTENCES: &[(&str, Intent)] = &[
    ("Write a Python function that merges two sorted lists.", Coding),
    ("Why does this Rust code not pass the borrow checker?\n```rust\nlet x = &mut v;\n```", Coding),
    ("Fix the bug: TypeError: 'NoneType' object is not subscriptable in my script", Coding),
    ("Give me a SQL query that returns the ten customers with the most orders.", Coding),
    ("Refactor this class so that it can be unit tested.", Coding),
    ("def add(a, b):\n    return a - b\n\nassert add(1, 2) == 3\nWhat is wrong?", Coding),
    ("Implement binary search in Go and explain its time complexity.", Coding),
    ("How do I center a div with CSS?", Coding),
    ("Write a regex that matches ISO dates.", Coding),
    ("What does `git rebase --onto` do and when should I use it in a pull request?", Coding),
    ("Schreibe eine Funktion in Python, die eine Liste umkehrt.", Coding),
    ("写一个函数，把列表反转", Coding),
    ("Convert this bash script to PowerShell", Coding),
    ("Explain what a mutex is with a C++ example", Coding),
    ("If all bloops are razzies and all razzies are lazzies, are all bloops lazzies?", Reasoning),
    ("A train leaves at 3 pm at 60 km/h and another at 4 pm at 80 km/h. When do they meet?", Reasoning),
    ("Prove that the square root of 2 is irrational.", Reasoning),
    ("Solve for x: 3x + 7 = 22", Reasoning),
    ("What is 17 * 23?", Reasoning),
    ("Tom has 12 apples, gives away a third of them and buys 5 more. How many apples does he have?", Reasoning),
    ("What is the probability of rolling two sixes with three dice?", Reasoning),
    (
        "Three people check into a hotel that costs 30 dollars. Where did the missing dollar go? Think step by step.",
        Reasoning,
    ),
    ("Compute the integral of x^2 from 0 to 3.", Reasoning),
    ("Plan a schedule for four meetings so that no two people have to be in two places at once.", Reasoning),
    ("Anna is older than Ben, Ben is older than Cleo. Who is the youngest?", Reasoning),
    ("Evaluate \\frac{d}{dx} \\sin(x^2)", Reasoning),
    ("Berechne, wie viele Minuten 3,5 Stunden sind.", Reasoning),
    ("Combien de jours y a-t-il entre le 3 mars et le 9 mai ?", Reasoning),
    ("Which option is cheapest over five years: buying at 900 or renting at 20 a month?", Reasoning),
    ("According to the attached report, what was revenue in the third quarter?", Retrieval),
    ("Based on the following passage, who discovered the island?", Retrieval),
    ("Who wrote The Brothers Karamazov?", Retrieval),
    ("What is the capital of Mongolia?", Retrieval),
    ("When did the Berlin Wall fall?", Retrieval),
    ("Context: The bridge was opened in 1932 by the king. Question: who opened the bridge?", Retrieval),
    ("List the side effects of ibuprofen and cite your sources.", Retrieval),
    ("In what year was the transistor invented, and by whom?", Retrieval),
    ("Does the document mention a termination clause?", Retrieval),
    ("What is the atomic number of tungsten?", Retrieval),
    ("Quelle est la capitale de l'Australie ?", Retrieval),
    ("Laut dem Vertrag unten: wann endet die Probezeit?", Retrieval),
    ("Which country has the largest population in Africa?", Retrieval),
    ("Write an essay about the causes of the French Revolution.", Writing),
    ("Draft a friendly email to my landlord about the broken heating.", Writing),
    ("Write a haiku about autumn rain.", Writing),
    ("Rewrite this paragraph in a more formal tone: we kinda messed up", Writing),
    ("Summarize the following text in two sentences.", Writing),
    ("Come up with a slogan for a bakery.", Writing),
    ("Write a short story about a lighthouse keeper who finds a letter.", Writing),
    ("Proofread my cover letter.", Writing),
    ("Compose a toast for my sister's wedding.", Writing),
    ("Écris un poème sur la mer.", Writing),
    ("Escribe una carta de agradecimiento a mi profesora.", Writing),
    ("写一首关于春天的诗", Writing),
    ("Describe a sunset over the harbour in the style of Hemingway", Writing),
    ("Hi there!", Other),
    ("Thanks, that was helpful.", Other),
    ("Tell me a joke", Other),
    ("What should I have for dinner tonight?", Other),
    ("How are you today?", Other),
    ("I feel a bit down today.", Other),
    ("Recommend a gift for my dad, he likes fishing", Other),
    ("asdf", Other),
    ("", Other),
];

/// Prompts with labels, by part: see the file's head.
fn labelled(part: &str) -> Vec<(Intent, String)> {
    let lines = include_str!("../../tests/fixtures/intents.txt").lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| line.splitn(4, '|').collect::<Vec<_>>());
    let intent = |name: &str| Intent::ALL.into_iter().find(|intent| intent.name() == name).unwrap();
    parsed.filter(|f| f[0] == part).map(|f| (intent(f[1]), f[3].replace("\\n", "\n"))).collect()
}

/// Rows: as labelled; columns: as recognised.
fn confusion(prompts: &[(Intent, String)]) -> ([[u32; 5]; 5], f64) {
    let mut table = [[0; 5]; 5];
    for (label, prompt) in prompts {
        table[*label as usize][classify(prompt) as usize] += 1;
    }
    let right: u32 = (0..5).map(|i| table[i][i]).sum();
    (table, f64::from(right) / prompts.len() as f64)
}

#[test]
fn prompts_of_many_styles_and_languages_are_recognised() {
    // As measured: 0.959 where it was improved, 0.833 on prompts that nobody looked at to improve it
    // (0.666 and 0.633 before).
    for (part, least) in [("tune", 0.94), ("held", 0.80)] {
        let prompts = labelled(part);
        let (table, accuracy) = confusion(&prompts);
        assert!(accuracy >= least, "{part}: {accuracy:.3} of {}: {table:?}", prompts.len());
    }
}

#[test]
fn sentences_are_recognised() {
    let wrong: Vec<_> =
        SENTENCES.iter().map(|(text, label)| (text, label, classify(text))).filter(|(_, l, f)| *l != f).collect();
    let accuracy = 1.0 - wrong.len() as f64 / SENTENCES.len() as f64;
    assert!(accuracy >= 0.93, "{accuracy:.3} of {}: {wrong:#?}", SENTENCES.len());
}
