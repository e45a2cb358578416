//! The table of keys. To add a setting, add a field to the model and a row here; nothing else.

use std::time::Duration;

use crate::domain::observer::RecordPrompts;
use crate::domain::spec::{DriftReaction, Provider, RouterKind, Strategy};

use super::arms::EndpointDraft;
use super::draft::Draft;
use super::kind::{Kind, Scalar};
use super::model::{EncoderKind, FeatureKind, Theme};
use super::observing::LogFile;
use super::policies::{CacheKind, SearchKind};
use super::row::FlagForm::{self, FileOnly, None as NoFlag, Off, On, Value};
use super::row::KeyRow;
use super::spending::HedgeStart;

/// Any number of at least 0.
const POSITIVE: Kind = Kind::Number { min: 0.0, max: f64::MAX };
/// A share.
const SHARE: Kind = Kind::Number { min: 0.0, max: 1.0 };
/// Seconds that something may take.
const SECONDS: Kind = Kind::Number { min: 0.01, max: 86_400.0 };
/// Seconds from one time to the next.
const PERIOD: Kind = Kind::Number { min: 1.0, max: 31_536_000.0 };
/// Tokens of one call.
const TOKENS: Kind = Kind::Integer { min: 1, max: 1_000_000 };
/// Tokens of several calls.
const CEILING: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };
/// Dollars that may be spent.
const DOLLARS: Kind = Kind::Number { min: 1e-9, max: 1e9 };
/// A yes or no.
const BOOL: Kind = Kind::Bool;

const fn row(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    flag: FlagForm,
    help: &'static str,
    set: fn(&mut Draft, &Scalar),
) -> KeyRow<Draft> {
    KeyRow { name, kind, default, flag, help, set }
}

const fn endpoint(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
    set: fn(&mut EndpointDraft, &Scalar),
) -> KeyRow<EndpointDraft> {
    KeyRow { name, kind, default, flag: NoFlag, help, set }
}

/// The keys outside `[[arms]]` and `[keys]`, in the order of the template.
#[rustfmt::skip]
pub(super) static KEYS: &[KeyRow<Draft>] = &[
    row("version", Kind::Integer { min: 1, max: u64::MAX }, Some("1"), FileOnly,
        "form of this file", |d, v| d.version = v.integer()),
    row("data_dir", Kind::Text, None, Value("data-dir"),
        "where state is kept; default: the user's data folder", |d, v| d.settings.data_dir = Some(v.text().into())),
    row("strategy", Kind::OneOf(&["race", "direct", "baseline", "auto"]), Some("race"), Value("strategy"),
        "race: previews and a judge; direct: one arm at once; baseline: configured order; auto: decided per run",
        |d, v| d.settings.strategy = named(&Strategy::ALL, v)),

    row("judge.arm", Kind::Name, None, NoFlag,
        "the arm that judges; or name a model of its own below", |d, v| d.judge_arm = Some(v.text().into())),
    row("judge.provider", Kind::OneOf(&["openai", "anthropic", "simulated"]), None, NoFlag,
        "wire format of the judge's endpoint", |d, v| d.judge.provider = Some(named(&Provider::ALL, v))),
    row("judge.base_url", Kind::Url, None, NoFlag,
        "the judge's endpoint, up to and including /v1", |d, v| d.judge.base_url = Some(v.text().into())),
    row("judge.model", Kind::Text, None, NoFlag,
        "the judge's model", |d, v| d.judge.model = Some(v.text().into())),
    row("judge.api_key_env", Kind::VariableName, None, NoFlag,
        "the environment variable that holds the judge's key", |d, v| d.judge.api_key_env = Some(v.text().into())),
    row("judge.price_per_million.input", POSITIVE, None, NoFlag,
        "dollars per million tokens of the judge's prompt", |d, v| d.judge.price_input = Some(v.number())),
    row("judge.price_per_million.output", POSITIVE, None, NoFlag,
        "dollars per million tokens of the judge's verdict", |d, v| d.judge.price_output = Some(v.number())),

    row("router.policy", Kind::OneOf(&["linucb", "lints", "baseline"]), Some("linucb"), Value("router"),
        "how arms are chosen", |d, v| d.settings.router.policy = named(&RouterKind::ALL, v)),
    row("router.k", Kind::Integer { min: 1, max: 16 }, Some("3"), Value("router-k"),
        "previews per race", |d, v| d.settings.router.k = v.size()),
    row("router.alpha", Kind::Number { min: 0.0, max: 100.0 }, None, Value("bandit-alpha"),
        "exploration, in units of an arm's own uncertainty; default: 0.5 for linucb, 0.3 for lints",
        |d, v| d.settings.router.alpha = Some(v.number())),
    row("router.ridge", Kind::Number { min: 1e-6, max: 1e6 }, Some("1"), Value("bandit-ridge"),
        "strength of the prior (ridge), a factor on every block's own", |d, v| d.settings.router.ridge = v.number()),
    row("router.explore", SHARE, Some("0.001"), NoFlag,
        "share of runs whose arms are drawn uniformly", |d, v| d.settings.router.explore = v.number()),
    row("router.priors", Kind::Text, None, NoFlag,
        "a file of priors that `banditop priors fit --out` wrote", |d, v| d.settings.router.priors = Some(v.text().into())),
    row("router.budget_per_request", Kind::Number { min: 1e-9, max: 1e6 }, None, Value("budget-per-request"),
        "ceiling of mean dollars per request, previews and judge included; default: none",
        |d, v| d.settings.router.budget_per_request = Some(v.number())),
    row("router.forgetting", Kind::Number { min: 1e-3, max: 1.0 }, Some("1"), NoFlag,
        "what of an observation is kept at every run; 1 never forgets",
        |d, v| d.settings.router.forgetting = v.number()),
    row("router.window", Kind::Integer { min: 0, max: 1_000_000 }, Some("0"), NoFlag,
        "of how many of the last runs observations are kept (up to 5 % more); 0 keeps all",
        |d, v| d.settings.router.window = v.integer()),

    row("drift.reaction", Kind::OneOf(&["forget", "alarm", "off"]), Some("forget"), NoFlag,
        "when an arm's quality changes: forget what was learned before, only raise an alarm, or do not look",
        |d, v| d.settings.router.drift.reaction = named(&DriftReaction::ALL, v)),
    row("drift.probe_share", SHARE, Some("0.04"), NoFlag,
        "share of runs in which an arm that fell is asked again, less after 600 runs, none after 5000",
        |d, v| d.settings.router.drift.probe_share = v.number()),

    row("decay.every_s", PERIOD, None, NoFlag,
        "seconds after which a share of what was learned is forgotten, again and again; default: never",
        |d, v| d.settings.decay.every = Some(v.seconds())),
    row("decay.factor", Kind::Number { min: 1e-3, max: 1.0 }, Some("0.9"), NoFlag,
        "what is kept then", |d, v| d.settings.decay.factor = v.number()),

    row("prune.every_s", PERIOD, None, NoFlag,
        "seconds after which arms that hardly ever win are taken out, again and again; default: never",
        |d, v| d.settings.prune.every = Some(v.seconds())),
    row("prune.min_trials", Kind::Integer { min: 1, max: u64::MAX }, Some("100"), NoFlag,
        "judged races before an arm may be taken out", |d, v| d.settings.prune.min_trials = v.integer()),
    row("prune.min_win_rate", SHARE, Some("0.05"), NoFlag,
        "an arm that wins a smaller share of them goes", |d, v| d.settings.prune.min_win_rate = v.number()),

    row("features.kind", Kind::OneOf(&["length", "embedding"]), Some("length"), Value("bandit-features"),
        "how a prompt becomes numbers; a change starts learning afresh",
        |d, v| d.settings.features.kind = if v.text() == "embedding" { FeatureKind::Embedding } else { FeatureKind::Length }),
    row("features.length_threshold", Kind::Integer { min: 1, max: 10_000_000 }, Some("2000"),
        Value("bandit-length-threshold"),
        "characters at which the length feature reaches 1", |d, v| d.settings.features.length_threshold = v.size()),
    row("features.version", Kind::Name, None, Value("bandit-feature-version"),
        "the version that `banditop features` shows, to refuse to start under any other",
        |d, v| d.settings.features.version = Some(v.text().into())),
    row("features.signals", BOOL, Some("false"), NoFlag,
        "whether an arm's own latency, errors and hallucination risk are part of its context; a change starts afresh",
        |d, v| d.settings.features.signals = v.truth()),
    row("features.embedding.encoder", Kind::OneOf(&["hashed", "endpoint", "simulated"]), Some("hashed"), NoFlag,
        "hashed: built in; endpoint: OpenAI-compatible /v1/embeddings; simulated: that of the simulated models",
        |d, v| d.settings.features.embedding.encoder = match v.text() {
            "endpoint" => EncoderKind::Endpoint,
            "simulated" => EncoderKind::Simulated,
            _ => EncoderKind::Hashed,
        }),
    row("features.embedding.base_url", Kind::Url, Some("https://api.openai.com/v1"), NoFlag,
        "the endpoint of embeddings, up to and including /v1",
        |d, v| d.settings.features.embedding.base_url = v.text().into()),
    row("features.embedding.model", Kind::Text, Some("text-embedding-3-small"), NoFlag,
        "the model that embeds", |d, v| d.settings.features.embedding.model = v.text().into()),
    row("features.embedding.api_key_env", Kind::VariableName, None, NoFlag,
        "the environment variable that holds its key",
        |d, v| d.settings.features.embedding.api_key_env = Some(v.text().into())),
    row("features.embedding.dimensions", Kind::Integer { min: 16, max: 32 }, Some("16"), NoFlag,
        "numbers that an embedding is projected to", |d, v| d.settings.features.embedding.dimensions = v.size()),
    row("features.embedding.timeout_ms", Kind::Integer { min: 1, max: 60_000 }, Some("150"), NoFlag,
        "milliseconds that a run waits for its embedding; then it goes without",
        |d, v| d.settings.features.embedding.patience = Duration::from_millis(v.integer())),
    row("features.embedding.cache", Kind::Integer { min: 0, max: 1_000_000 }, Some("4096"), NoFlag,
        "embeddings that are kept in memory", |d, v| d.settings.features.embedding.cache = v.size()),

    row("reward.quality", POSITIVE, Some("0.7"), Value("bandit-quality-weight"),
        "weight of the judge's overall score", |d, v| d.weights[0] = v.number()),
    row("reward.latency", POSITIVE, Some("0.2"), Value("bandit-latency-weight"),
        "weight of a low preview p95", |d, v| d.weights[1] = v.number()),
    row("reward.cost", POSITIVE, Some("0.1"), Value("bandit-cost-weight"),
        "weight of a low price", |d, v| d.weights[2] = v.number()),
    row("reward.speed", POSITIVE, Some("0"), NoFlag,
        "weight of an early first token", |d, v| d.weights[3] = v.number()),
    row("reward.token_efficiency", POSITIVE, Some("0"), NoFlag,
        "weight of few tokens", |d, v| d.weights[4] = v.number()),
    row("reward.stability", POSITIVE, Some("0"), NoFlag,
        "weight of a low error rate", |d, v| d.weights[5] = v.number()),
    row("reward.fallback_penalty", SHARE, Some("0.05"), Value("bandit-fallback-penalty"),
        "what a fallback takes off the reward of the arm whose content failed", |d, v| d.penalty = v.number()),
    row("reward.latency_reference_s", SECONDS, Some("3"), NoFlag,
        "preview p95 in seconds at which the latency term is 0",
        |d, v| d.settings.reward.latency_reference_s = v.number()),
    row("reward.latency_per_length_s", Kind::Number { min: 0.0, max: 86_400.0 }, Some("3"), NoFlag,
        "seconds added to that reference for a prompt of full length",
        |d, v| d.settings.reward.latency_per_length_s = v.number()),
    row("reward.ttft_reference_s", SECONDS, Some("2"), NoFlag,
        "seconds to the first token at which the speed term is 0",
        |d, v| d.settings.reward.ttft_reference_s = v.number()),
    row("reward.token_target", TOKENS, Some("256"), NoFlag,
        "tokens at which the token efficiency term is 0", |d, v| d.settings.reward.token_target = v.count()),
    row("reward.cost_floor_usd", Kind::Number { min: 1e-12, max: 1e6 }, Some("0.000001"), NoFlag,
        "dollars of a preview at which the cost term is 1", |d, v| d.settings.reward.cost_floor_usd = v.number()),
    row("reward.cost_ceiling_usd", Kind::Number { min: 1e-12, max: 1e6 }, Some("0.01"), NoFlag,
        "dollars of a preview at which the cost term is 0", |d, v| d.settings.reward.cost_ceiling_usd = v.number()),
    row("reward.cost_scale", Kind::OneOf(&["log", "linear"]), Some("log"), NoFlag,
        "how dollars become the cost term", |d, v| d.settings.reward.linear_cost = v.text() == "linear"),

    row("preview.min_tokens", TOKENS, Some("48"), Value("min-preview-tokens"),
        "tokens of a preview of a short prompt", |d, v| d.settings.preview.min_tokens = v.count()),
    row("preview.max_tokens", TOKENS, Some("1024"), NoFlag,
        "tokens of a preview, whatever the size of the prompt", |d, v| d.settings.preview.max_tokens = v.count()),

    row("cache.kind", Kind::OneOf(&["off", "memory", "sled"]), Some("memory"), NoFlag,
        "where previews are kept for prompts that are nearly the same: nowhere, in memory, or on disk in the data directory",
        |d, v| d.settings.cache.kind = named(&CacheKind::ALL, v)),
    row("cache.threshold", Kind::Number { min: 0.5, max: 1.0 }, Some("0.98"), NoFlag,
        "cosine of two prompts from which one preview serves both; their numbers and negations are the same anyway",
        |d, v| d.settings.cache.threshold = v.number()),
    row("cache.ttl_s", PERIOD, Some("600"), NoFlag,
        "seconds after which a preview is asked for anew", |d, v| d.settings.cache.ttl = v.seconds()),
    row("cache.max", Kind::Integer { min: 1, max: 20_000 }, Some("2048"), NoFlag,
        "previews kept; of more, those that were used longest ago go", |d, v| d.settings.cache.max = v.size()),

    row("gate.auto", BOOL, Some("false"), On("bandit-auto"),
        "skip the bandit while previews are cheap and answers hardly ever fail, or let it only order full answers",
        |d, v| d.settings.gate.auto = v.truth()),
    row("gate.cheap_share", SHARE, Some("0.25"), NoFlag,
        "previews are cheap where they and the judge are at most this share of the dollars of recent races",
        |d, v| d.settings.gate.cheap_share = v.number()),
    row("gate.low_fallback", SHARE, Some("0.05"), NoFlag,
        "share of recent runs with a fallback up to which answers hardly ever fail",
        |d, v| d.settings.gate.low_fallback = v.number()),
    row("gate.novelty", SHARE, Some("0.6"), NoFlag,
        "distance (1 - cosine) to the nearest of the last 512 prompts from which a prompt may be new",
        |d, v| d.settings.gate.novelty = v.number()),
    row("gate.novelty_share", SHARE, Some("0.02"), NoFlag,
        "a prompt is new, and explores, where at most this share of them was as far from the others; 0: never",
        |d, v| d.settings.gate.novelty_share = v.number()),

    row("session.margin", SHARE, Some("0.05"), NoFlag,
        "a conversation keeps its arm unless another is expected, or judged, to be better by more than this",
        |d, v| d.settings.session.margin = v.number()),
    row("session.ttl_s", PERIOD, Some("3600"), NoFlag,
        "seconds of silence after which a conversation is forgotten", |d, v| d.settings.session.ttl = v.seconds()),
    row("session.max", Kind::Integer { min: 0, max: 1_000_000 }, Some("10000"), NoFlag,
        "conversations that are remembered; 0: none", |d, v| d.settings.session.max = v.size()),

    row("experiment.race", POSITIVE, Some("0"), NoFlag,
        "weight of the strategy race among runs that are assigned at random; all weights 0: no experiment",
        |d, v| d.settings.experiment.weights[0] = v.number()),
    row("experiment.direct", POSITIVE, Some("0"), NoFlag,
        "weight of the strategy direct", |d, v| d.settings.experiment.weights[1] = v.number()),
    row("experiment.baseline", POSITIVE, Some("0"), NoFlag,
        "weight of the strategy baseline", |d, v| d.settings.experiment.weights[2] = v.number()),
    row("experiment.auto", POSITIVE, Some("0"), NoFlag,
        "weight of the strategy auto", |d, v| d.settings.experiment.weights[3] = v.number()),

    row("search.provider", Kind::OneOf(&["off", "searxng", "brave"]), Some("off"), NoFlag,
        "who looks prompts up on the web: nobody, a SearXNG instance with JSON switched on, or Brave",
        |d, v| d.settings.search.kind = named(&SearchKind::ALL, v)),
    row("search.base_url", Kind::Url, None, NoFlag,
        "searxng: the instance; brave: default https://api.search.brave.com/res/v1",
        |d, v| d.settings.search.base_url = Some(v.text().into())),
    row("search.api_key_env", Kind::VariableName, None, NoFlag,
        "the environment variable that holds the key of the search",
        |d, v| d.settings.search.api_key_env = Some(v.text().into())),
    row("search.results", Kind::Integer { min: 1, max: 20 }, Some("5"), NoFlag,
        "pages that models are shown", |d, v| d.settings.search.results = v.size()),
    row("search.stages", Kind::OneOf(&["full", "all"]), Some("full"), NoFlag,
        "full: before full answers; all: before previews too, once for both",
        |d, v| d.settings.search.previews = v.text() == "all"),
    row("search.timeout_s", SECONDS, Some("3"), NoFlag,
        "seconds that a run waits for it; then it goes without", |d, v| d.settings.search.timeout = v.seconds()),
    row("search.usd_per_1000", POSITIVE, None, NoFlag,
        "dollars of a thousand queries, counted in what runs cost",
        |d, v| d.settings.search.usd_per_1000 = Some(v.number())),

    row("timeouts.connect_s", SECONDS, Some("5"), NoFlag,
        "seconds until a connection stands", |d, v| d.settings.timeouts.connect = v.seconds()),
    row("timeouts.first_token_s", SECONDS, Some("10"), NoFlag,
        "seconds until the first token", |d, v| d.settings.timeouts.first_token = v.seconds()),
    row("timeouts.between_tokens_s", SECONDS, Some("10"), NoFlag,
        "seconds between two tokens", |d, v| d.settings.timeouts.between_tokens = v.seconds()),
    row("timeouts.preview_s", SECONDS, Some("20"), NoFlag,
        "seconds for all previews", |d, v| d.settings.timeouts.preview = v.seconds()),
    row("timeouts.judge_s", SECONDS, Some("20"), NoFlag,
        "seconds for a verdict", |d, v| d.settings.timeouts.judge = v.seconds()),
    row("timeouts.full_s", SECONDS, Some("120"), NoFlag,
        "seconds for one full answer", |d, v| d.settings.timeouts.full = v.seconds()),

    row("run.max_prompt_bytes", Kind::Integer { min: 1, max: 1 << 26 }, Some("2000000"), NoFlag,
        "bytes of all turns of a prompt", |d, v| d.settings.run.max_prompt_bytes = v.size()),
    row("run.max_fallbacks", Kind::Integer { min: 0, max: 64 }, Some("3"), NoFlag,
        "full answers tried after the first one failed", |d, v| d.settings.run.max_fallbacks = v.count()),
    row("run.max_in_flight", Kind::Integer { min: 1, max: 100_000 }, Some("256"), NoFlag,
        "runs at the same time", |d, v| d.settings.run.max_in_flight = v.size()),
    row("run.answer_max_tokens", TOKENS, None, NoFlag,
        "tokens of a full answer; default: the endpoint's own limit",
        |d, v| d.settings.run.answer_max_tokens = Some(v.count())),
    row("run.max_answer_bytes", Kind::Integer { min: 1024, max: 1 << 26 }, Some("1000000"), NoFlag,
        "bytes of a full answer", |d, v| d.settings.run.max_answer_bytes = v.size()),

    row("budget.preview_tokens", CEILING, None, NoFlag,
        "tokens of all previews of a run together, prompts included; default: no ceiling",
        |d, v| d.settings.budget.preview_tokens = Some(v.integer())),
    row("budget.judge_tokens", CEILING, None, NoFlag,
        "tokens of the judge in a run, prompts included; default: no ceiling",
        |d, v| d.settings.budget.judge_tokens = Some(v.integer())),
    row("budget.answer_tokens", CEILING, None, NoFlag,
        "tokens of all full answers of a run together, prompts included; default: no ceiling",
        |d, v| d.settings.budget.answer_tokens = Some(v.integer())),
    row("budget.per_run_usd", DOLLARS, None, NoFlag,
        "dollars of one run, previews and judge included; what would exceed it is stopped; default: no ceiling",
        |d, v| d.settings.budget.per_run_usd = Some(v.number())),
    row("budget.per_day_usd", DOLLARS, None, NoFlag,
        "dollars of all runs of a day (UTC); when they are spent, runs are refused; default: no ceiling",
        |d, v| d.settings.budget.per_day_usd = Some(v.number())),

    row("hedge.start", Kind::OneOf(&["p95", "immediate", "off"]), Some("p95"), NoFlag,
        "when the next arm answers a long prompt beside the first: where that is silent for longer than the p95 of its first tokens, at once, or never",
        |d, v| d.settings.hedge.start = named(&HedgeStart::ALL, v)),
    row("hedge.prompt_chars", Kind::Integer { min: 0, max: 1 << 26 }, Some("4000"), NoFlag,
        "characters of all turns from which a prompt is long", |d, v| d.settings.hedge.prompt_chars = v.size()),
    row("hedge.margin_tokens", TOKENS, Some("48"), NoFlag,
        "tokens by which one of the two must be ahead to be the clear winner before it is complete",
        |d, v| d.settings.hedge.margin_tokens = v.count()),

    row("store.retain_runs", Kind::Integer { min: 1, max: 10_000_000 }, Some("10000"), NoFlag,
        "run records kept", |d, v| d.settings.store.retain_runs = v.size()),

    row("simulation.scenario", Kind::Text, None, NoFlag,
        "a scenario file, or the name of a built-in one (default, drift, outage, price-cut)",
        |d, v| d.settings.simulation.scenario = Some(v.text().into())),
    row("simulation.seed", Kind::Integer { min: 0, max: u64::MAX }, Some("7"), Value("seed"),
        "seed of simulated models, traffic and the router's draws", |d, v| d.settings.simulation.seed = v.integer()),
    row("simulation.traffic_rate", Kind::Number { min: 0.01, max: 1000.0 }, Some("5"), NoFlag,
        "runs a second of the traffic generator", |d, v| d.settings.simulation.traffic_rate = v.number()),

    row("console.theme", Kind::OneOf(&["dark", "light"]), Some("dark"), NoFlag,
        "for which background colours are chosen", |d, v| {
            d.settings.console.theme = if v.text() == "light" { Theme::Light } else { Theme::Dark };
        }),
    row("console.ascii", BOOL, Some("false"), On("ascii"),
        "draw with ASCII characters only", |d, v| d.settings.console.ascii = v.truth()),
    row("console.color", BOOL, Some("true"), Off("no-color"),
        "use colour (NO_COLOR in the environment switches it off too)", |d, v| d.settings.console.color = v.truth()),
    row("console.read_only", BOOL, Some("false"), On("read-only"),
        "refuse everything that changes learning or traffic", |d, v| d.settings.console.read_only = v.truth()),
    row("console.mouse", BOOL, Some("false"), NoFlag,
        "let the console have the mouse (takes text selection away from the terminal)",
        |d, v| d.settings.console.mouse = v.truth()),
    row("console.operator", Kind::Text, None, Value("operator"),
        "your name in the journal; default: the login name", |d, v| d.settings.console.operator = Some(v.text().into())),

    row("log.level", Kind::OneOf(&["error", "warn", "info", "debug", "trace"]), None, Value("log-level"),
        "how much is logged; default: info in the console, warn elsewhere",
        |d, v| d.settings.log.level = Some(v.text().into())),
    row("log.file", Kind::Text, None, Value("log-file"),
        "where the console's log is written, or off; default: banditop.log in the data directory", |d, v| {
            d.settings.log.file = if v.text() == "off" { LogFile::Off } else { LogFile::At(v.text().into()) };
        }),
    row("log.format", Kind::OneOf(&["json", "text"]), Some("json"), NoFlag,
        "how a line of the file is written", |d, v| d.settings.log.json = v.text() == "json"),
    row("log.max_bytes", Kind::Integer { min: 10_000, max: 1 << 40 }, Some("10000000"), NoFlag,
        "bytes of one log file; then the next one begins", |d, v| d.settings.log.max_bytes = v.integer()),
    row("log.keep", Kind::Integer { min: 1, max: 100 }, Some("4"), NoFlag,
        "log files kept, the newest included", |d, v| d.settings.log.keep = v.count()),
    row("log.record_prompts", Kind::OneOf(&["off", "hash", "full"]), Some("off"), NoFlag,
        "what of a prompt is logged: nothing, a digest, the text",
        |d, v| d.settings.log.prompts = named(&RecordPrompts::ALL, v)),

    row("telemetry.listen", Kind::Listen, Some("127.0.0.1:9464"), Value("telemetry-listen"),
        "where /metrics, /healthz and /readyz are served while the console runs, or off",
        |d, v| d.settings.telemetry.listen = v.text().parse().ok()),
    row("telemetry.otlp_endpoint", Kind::Url, None, Value("otlp-endpoint"),
        "an OpenTelemetry collector (http/protobuf), without /v1/traces; default: the OTEL_… variables",
        |d, v| d.settings.telemetry.otlp_endpoint = Some(v.text().into())),
    row("telemetry.otlp_content", BOOL, Some("false"), NoFlag,
        "let spans hold prompts and answers", |d, v| d.settings.telemetry.otlp_content = v.truth()),
    row("telemetry.propagate", BOOL, Some("false"), NoFlag,
        "tell endpoints the trace of a call (W3C traceparent)", |d, v| d.settings.telemetry.propagate = v.truth()),

    row("alarms.bell", BOOL, Some("true"), NoFlag,
        "ring the terminal's bell for a new alarm", |d, v| d.settings.alarms.bell = v.truth()),
    row("alarms.webhook", Kind::Url, None, NoFlag,
        "post alarms there as JSON, when they open and when they close",
        |d, v| d.settings.alarms.webhook = Some(v.text().into())),
    row("alarms.webhook_env", Kind::VariableName, None, NoFlag,
        "the environment variable that holds that address, where it is a secret",
        |d, v| d.settings.alarms.webhook_env = Some(v.text().into())),
];

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

/// The value of that name; the table's kind has refused every other.
fn named<T: Copy, const N: usize>(all: &[(T, &'static str); N], value: &Scalar) -> T {
    all.iter().find(|(_, name)| *name == value.text()).map_or(all[0].0, |(value, _)| *value)
}
