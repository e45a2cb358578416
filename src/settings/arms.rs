//! Arms as a whole: what a table must hold besides values that fit, and that no two share a name.

use std::collections::BTreeMap;

use crate::domain::ids::ArmId;
use crate::domain::money::Price;
use crate::domain::spec::{ArmSpec, Provider};

use super::fault::{Origin, SettingsFault};
use super::model::Expectation;

/// What an arm's table (or the judge's) said, before it is checked as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EndpointDraft {
    pub(super) name: Option<String>,
    pub(super) provider: Option<Provider>,
    pub(super) base_url: Option<String>,
    pub(super) model: Option<String>,
    pub(super) api_key_env: Option<String>,
    pub(super) price_input: Option<f64>,
    pub(super) price_output: Option<f64>,
    pub(super) price_cached: Option<f64>,
    pub(super) disabled: bool,
    pub(super) expect_quality: Option<f64>,
    pub(super) expect_latency_s: Option<f64>,
    pub(super) expect_usd: Option<f64>,
    pub(super) expect_n: Option<f64>,
}

impl EndpointDraft {
    /// What is expected of it, where anything is.
    pub(super) fn expectation(&self) -> Option<Expectation> {
        /// Enough to be heard, little enough to be overruled soon.
        const WORTH: f64 = 5.0;
        let (quality, latency_s, usd) = (self.expect_quality, self.expect_latency_s, self.expect_usd);
        let is_any = quality.is_some() || latency_s.is_some() || usd.is_some();
        let n = self.expect_n.unwrap_or(WORTH);
        let arm = self.name.clone().filter(|_| is_any)?;
        Some(Expectation { arm, quality, latency_s, usd, n })
    }

    pub(super) fn price(&self) -> Option<Price> {
        Some(Price { input: self.price_input?, output: self.price_output?, cached: self.price_cached })
    }
}

/// One `[[arms]]` table.
pub(super) struct ArmDraft {
    /// What it said.
    pub(super) endpoint: EndpointDraft,
    /// Where it begins.
    pub(super) origin: Origin,
    /// Keys that were there, fit or not: what did not fit has been reported and is not missing.
    pub(super) seen: Vec<&'static str>,
}

/// The arms that are whole, and what is wrong with the others.
pub(super) fn check(drafts: &[ArmDraft]) -> (Vec<ArmSpec>, Vec<SettingsFault>) {
    let mut specs: Vec<ArmSpec> = Vec::new();
    let mut faults = Vec::new();
    let mut first_lines: BTreeMap<&str, &Origin> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let path = format!("arms[{index}]");
        if let Some(name) = &draft.endpoint.name {
            if let Some(first) = first_lines.insert(name, &draft.origin) {
                let found = format!("{name:?} again (first at {first})");
                faults.push(fault(
                    &draft.origin,
                    format!("{path}.name"),
                    "a name of its own",
                    found,
                    "rename one of them",
                ));
                continue;
            }
        } else if !draft.seen.contains(&"name") {
            let mend = "add name = \"…\", by which it is known on screen";
            faults.push(fault(&draft.origin, format!("{path}.name"), "a name", "none".into(), mend));
        }
        let (spec, more) = endpoint(&draft.endpoint, draft.endpoint.name.clone(), &path, &draft.origin);
        // Under an unknown provider nobody knows what is missing.
        let is_clear = draft.endpoint.provider.is_some() || !draft.seen.contains(&"provider");
        faults.extend(more.into_iter().filter(|fault| is_clear && !is_reported(fault, &path, &draft.seen)));
        specs.extend(spec);
    }
    (specs, faults)
}

/// Whether a fault about an absent key is about one that was there but did not fit.
fn is_reported(fault: &SettingsFault, path: &str, seen: &[&'static str]) -> bool {
    let key = fault.key.strip_prefix(path).and_then(|key| key.strip_prefix('.'));
    key.is_some_and(|key| seen.contains(&key))
}

/// The endpoint that a draft declares, where it is whole. Without a `name` there are faults but no spec.
pub(super) fn endpoint(
    draft: &EndpointDraft,
    name: Option<String>,
    path: &str,
    origin: &Origin,
) -> (Option<ArmSpec>, Vec<SettingsFault>) {
    let mut faults = Vec::new();
    let mut missing = |key: &str, expected: &str, mend: &str| {
        faults.push(fault(origin, format!("{path}.{key}"), expected, "none".into(), mend));
    };
    let provider = draft.provider.unwrap_or(Provider::Openai);
    let is_simulated = provider == Provider::Simulated;
    let base_url = draft.base_url.clone().or_else(|| provider.usual_base_url().map(str::to_owned));
    if !is_simulated && base_url.is_none() {
        missing("base_url", "the endpoint's address", "add base_url = \"https://host/v1\"");
    }
    let model = draft.model.clone().or_else(|| name.clone().filter(|_| is_simulated));
    if model.is_none() && !is_simulated {
        missing("model", "the model's name at the endpoint", "add model = \"…\"");
    }
    match (draft.price_input, draft.price_output) {
        (Some(_), None) => missing("price_per_million.output", "a price for output too", "add output = …"),
        (None, Some(_)) => missing("price_per_million.input", "a price for input too", "add input = …"),
        (None, None) if draft.price_cached.is_some() => {
            missing("price_per_million.input", "a price for input and output too", "add input = … and output = …");
        }
        _ => {}
    }
    if is_simulated && draft.base_url.is_some() {
        let mend = "remove it, or set provider = \"openai\"";
        let found = "one beside provider = \"simulated\"".to_owned();
        faults.push(fault(origin, format!("{path}.base_url"), "no address", found, mend));
    }
    let spec = name.filter(|_| faults.is_empty()).map(|name| ArmSpec {
        name: ArmId::new(&name),
        provider,
        base_url: base_url.unwrap_or_default(),
        model: model.unwrap_or_default(),
        api_key_env: draft.api_key_env.clone(),
        price: draft.price(),
        enabled: !draft.disabled,
    });
    (spec, faults)
}

fn fault(origin: &Origin, key: String, expected: &str, found: String, mend: &str) -> SettingsFault {
    SettingsFault { origin: origin.clone(), key, expected: expected.to_owned(), found, mend: mend.to_owned() }
}
