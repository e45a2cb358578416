//! What any [`FeatureExtractor`] must keep, as functions that each implementation's tests call: over prompts
//! chosen to be awkward ([`holds`]) and for one request ([`holds_for`], under a property test).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::FeatureExtractor;
use crate::domain::chat::ChatRequest;
use crate::domain::context::{Context, FeatureBlock};

/// Nothing, next to nothing, what is no word, scripts and directions, what combines and joins, and what looks like a
/// number that is none.
const AWKWARD: [&str; 22] = [
    "",
    " ",
    "\n\n\t",
    "\u{0}",
    "\u{1b}[31mred\u{7}",
    "a",
    "?",
    "NaN inf -inf 1e999 0x1p-1074",
    "99999999999999999999999999999999999999999999",
    "naïve café, and e\u{301}\u{301}\u{301}\u{301}",
    "写一首关于春天的诗",
    "اكتب قصيدة عن الربيع",
    "\u{202e}tfel ot thgir\u{202c}",
    "\u{200b}\u{200d}\u{feff}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪",
    "ß ẞ İ ı ſ ﬀ",
    "\u{10ffff}\u{e000}",
    "```",
    "A. B. C. D. (a) (b) 1) 2)",
    "Write a Python function that reverses a list.",
    "What is 17 * 23?",
    "\\u0000 \\ud800 %s {} <script> ${jndi:x}",
];

/// Over all awkward prompts, alone, repeated to megabytes and as conversations. `build` builds it anew: whoever builds
/// it gets the same schema and the same numbers.
///
/// # Panics
/// Where the contract is broken.
pub(crate) fn holds<F: FeatureExtractor>(build: &dyn Fn() -> F) {
    let (one, other) = (build(), build());
    assert_eq!(one.schema(), other.schema(), "the version is the configuration's, not the instance's");
    assert!(!one.schema().version.is_empty() && !one.kind().is_empty());
    let check = |request: &ChatRequest| {
        holds_for(&one, request);
        assert_eq!(bits(&one.compute(request)), bits(&other.compute(request)), "two instances differ");
    };
    check(&ChatRequest::default());
    for prompt in AWKWARD {
        check(&ChatRequest::from_prompt(prompt));
        if !prompt.is_empty() {
            check(&ChatRequest::from_prompt(&prompt.repeat(2_000_000 / prompt.len())));
        }
    }
    for conversation in CONVERSATIONS {
        let request = serde_json::from_str(conversation).unwrap();
        check(&request);
    }
}

const CONVERSATIONS: [&str; 4] = [
    r#"{"messages":[{"role":"system","content":"be brief"}]}"#,
    r#"{"messages":[{"role":"user","content":[]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}},{"type":"text","text":"what is it?"}]}]}"#,
    r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":""}]}"#,
];

/// For one request: as many finite numbers as the schema says, in the bounds of their blocks, the intercept first and
/// 1; the same numbers again, whatever came between.
///
/// # Panics
/// Where the contract is broken.
pub(crate) fn holds_for(features: &dyn FeatureExtractor, request: &ChatRequest) {
    let context = features.compute(request);
    let schema = features.schema();
    assert!(Arc::ptr_eq(&context.schema, schema) || context.schema == *schema);
    assert_eq!((context.x.len(), schema.blocks.len()), (schema.len(), schema.names.len()));
    assert_eq!(schema.names.iter().collect::<BTreeSet<_>>().len(), schema.len(), "names are told apart");
    assert_eq!((schema.blocks[0], context.x[0].to_bits()), (FeatureBlock::Intercept, 1.0_f64.to_bits()));
    for ((value, block), name) in context.x.iter().zip(&schema.blocks).zip(&schema.names) {
        let bounds = match block {
            FeatureBlock::Embedding => -4.0..=4.0,
            _ => 0.0..=1.0,
        };
        assert!(bounds.contains(value), "{name} is {value}");
    }
    features.compute(&ChatRequest::from_prompt("something else"));
    assert_eq!(bits(&context), bits(&features.compute(request)), "the same request, other numbers");
}

fn bits(context: &Context) -> Vec<u64> {
    context.x.iter().map(|value| value.to_bits()).collect()
}
