//! `banditop features`: the context vector of a prompt, by name.

use std::fmt::Write as _;

use serde_json::json;

use super::args::FeaturesArgs;
use super::context::Context;
use super::failure::Outcome;
use super::output::Output;
use super::{parts, prompt};
use crate::domain::chat::ChatRequest;

/// Runs `features`.
pub(super) fn run(context: &Context, args: &FeaturesArgs) -> Outcome {
    let settings = context.settings();
    let prompt = prompt::read(args.prompt.as_deref(), settings.run.max_prompt_bytes)?;
    let features = parts::features(&settings.features);
    let computed = features.compute(&ChatRequest::from_prompt(&prompt));
    let schema = features.schema();
    let out = Output::new();
    if args.json {
        return Ok(out.json(&json!({
            "kind": features.kind(),
            "feature_version": schema.version,
            "d": schema.len(),
            "intent": computed.intent,
            "names": schema.names,
            "x": computed.x,
        }))?);
    }
    let mut text = String::new();
    for (name, value) in schema.names.iter().zip(&computed.x) {
        _ = writeln!(text, "{name:20} {value:.4}");
    }
    let (kind, d, version) = (features.kind(), schema.len(), &schema.version);
    _ = write!(text, "{kind} features, d {d}, version {version}, intent {}", computed.intent.name());
    Ok(out.line(&text)?)
}
