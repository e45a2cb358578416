//! `banditop features`: the context vector of a prompt, by name. An endpoint is asked for its embedding as a
//! run would ask it, and waited for longer; the scale of its slots is part of a router's state, so here they are shown
//! unscaled.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::FeaturesArgs;
use super::context::Context;
use super::factory::Factory;
use super::failure::{CliError, Outcome};
use super::output::Output;
use super::simulation::Simulation;
use super::{parts, prompt};
use crate::domain::chat::ChatRequest;
use crate::features::{FeatureExtractor, embedded_text};
use crate::providers::HttpClient;
use crate::race::Retry;

/// Runs `features`.
pub(super) async fn run(context: &Context, args: &FeaturesArgs) -> Outcome {
    let settings = context.settings();
    let prompt = prompt::read(args.prompt.as_deref(), settings.run.max_prompt_bytes)?;
    let features = parts::features(&settings.features);
    parts::check_version(&settings.features, features.as_ref()).map_err(CliError::usage)?;
    let request = ChatRequest::from_prompt(&prompt);
    let mut computed = features.compute(&request);
    let slots = schema_slots(features.as_ref());
    let mut normalised = slots > 0;
    if let Some(own) = features.slots() {
        normalised = false;
        match embedding(context, &request, args.wait).await? {
            Ok(projected) => {
                computed.x.splice(own, projected);
            }
            Err(reason) => computed.degraded = Some(reason),
        }
    }
    let schema = features.schema();
    let shared = schema.shared();
    let out = Output::new();
    if args.json {
        let mut shown = json!({
            "kind": features.kind(),
            "feature_version": schema.version,
            "d": schema.len(),
            "intent": computed.intent,
            "names": schema.names,
            "x": computed.x,
        });
        if slots > 0 {
            shown["embedding"] = json!({ "slots": slots, "normalised": normalised, "degraded": computed.degraded });
        }
        if shared < schema.len() {
            shown["signals"] = json!(schema.names[shared..]);
        }
        return Ok(out.json(&shown)?);
    }
    let mut text = String::new();
    for (name, value) in schema.names.iter().zip(&computed.x) {
        _ = writeln!(text, "{name:20} {value:.4}");
    }
    let (kind, d, version) = (features.kind(), schema.len(), &schema.version);
    _ = write!(text, "{kind} features, d {d}, version {version}, intent {}", computed.intent.name());
    _ = match (&computed.degraded, normalised) {
        (Some(reason), _) => write!(text, "\nembedding slots at their mean: {reason}"),
        (None, true) => write!(text, "\nembedding slots are normalised with statistics that ship with the encoder"),
        (None, false) if slots > 0 => {
            write!(text, "\nembedding slots are not normalised here: their scale is part of the router's state")
        }
        (None, false) => Ok(()),
    };
    if shared < schema.len() {
        _ = write!(text, "\nsignals are each arm's own: 0 here, in a run from what is known about it");
    }
    Ok(out.line(&text)?)
}

fn schema_slots(features: &dyn FeatureExtractor) -> usize {
    features.schema().names.iter().filter(|name| name.starts_with("embedding_")).count()
}

/// The projected embedding of the prompt, or why there is none in time.
///
/// Whoever asks on the command line waits for it longer than a run would.
async fn embedding(context: &Context, request: &ChatRequest, wait: Duration) -> Outcome<Result<Vec<f64>, String>> {
    let settings = context.settings();
    let mut wanted = settings.features.clone();
    wanted.embedding.patience = wait;
    let simulation = Arc::new(Simulation::new(&settings.simulation, context.clock())?);
    let http = HttpClient::new(settings.timeouts.connect, context.clock()).map_err(CliError::failed)?;
    let factory = Factory::new(http, Arc::clone(&simulation));
    let found = match parts::embedding(&wanted, &factory) {
        Some(source) => {
            source.of(embedded_text(request), &Retry::default()).await.map(|sample| sample.projected.clone())
        }
        None => Err("no endpoint is configured".to_owned()),
    };
    simulation.shutdown().await;
    Ok(found)
}
