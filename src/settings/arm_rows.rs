//! The table of the keys of one `[[arms]]` table, and of a judge of its own. To add one, add a field to the
//! draft of an endpoint and a row here.

use crate::domain::spec::Provider;

use super::arms::EndpointDraft;
use super::kind::{BOOL, Kind, POSITIVE, SECONDS, SHARE, Scalar};
use super::row::FlagForm::None as NoFlag;
use super::row::KeyRow;
use super::rows::named;

const fn endpoint(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
    set: fn(&mut EndpointDraft, &Scalar),
) -> KeyRow<EndpointDraft> {
    KeyRow { name, kind, default, flag: NoFlag, help, set }
}

/// The keys of one `[[arms]]` table.
#[rustfmt::skip]
pub(super) static ARM_KEYS: &[KeyRow<EndpointDraft>] = &[
    endpoint("name", Kind::Name, None, "its name, unique in the pool", |d, v| d.name = Some(v.text().into())),
    endpoint("provider", Kind::OneOf(&["openai", "anthropic", "simulated"]), Some("openai"),
        "openai: any OpenAI-compatible endpoint; anthropic: Anthropic's messages; simulated: a model of this process",
        |d, v| d.provider = Some(named(&Provider::ALL, v))),
    endpoint("base_url", Kind::Url, None,
        "the endpoint, up to and including /v1; anthropic: default https://api.anthropic.com/v1",
        |d, v| d.base_url = Some(v.text().into())),
    endpoint("model", Kind::Text, None,
        "the model's name at that endpoint; simulated: default its name", |d, v| d.model = Some(v.text().into())),
    endpoint("api_key_env", Kind::VariableName, None,
        "the environment variable that holds the key; leave out where none is needed",
        |d, v| d.api_key_env = Some(v.text().into())),
    endpoint("price_per_million.input", POSITIVE, None,
        "dollars per million tokens of the prompt", |d, v| d.price_input = Some(v.number())),
    endpoint("price_per_million.output", POSITIVE, None,
        "dollars per million tokens of the answer", |d, v| d.price_output = Some(v.number())),
    endpoint("price_per_million.cached", POSITIVE, None,
        "dollars per million tokens of the prompt that the endpoint had in its cache; absent: as input",
        |d, v| d.price_cached = Some(v.number())),
    endpoint("expect.quality", SHARE, None,
        "quality expected of it before it was ever asked", |d, v| d.expect_quality = Some(v.number())),
    endpoint("expect.latency_s", SECONDS, None,
        "seconds expected of its preview p95", |d, v| d.expect_latency_s = Some(v.number())),
    endpoint("expect.usd", POSITIVE, None,
        "dollars expected of a full answer", |d, v| d.expect_usd = Some(v.number())),
    endpoint("expect.n", Kind::Number { min: 0.1, max: 1e6 }, Some("5"),
        "observations that these expectations are worth", |d, v| d.expect_n = Some(v.number())),
    endpoint("enabled", BOOL, Some("true"), "false keeps what was learned and asks it nothing",
        |d, v| d.disabled = !v.truth()),
];
