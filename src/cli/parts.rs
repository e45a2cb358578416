//! From settings to the parts of an engine: the one place where a key of the configuration meets the
//! field of a room. A test holds the defaults of both together.

use std::path::Path;
use std::sync::Arc;

use super::factory::{Factory, Unavailable};
use crate::bandit::RouterConfig;
use crate::domain::answer::ModelFactory;
use crate::domain::cache::{CacheBounds, PreviewCache};
use crate::domain::clock::Clock;
use crate::engine::HealthRules;
use crate::engine::{AutomaticPrune, PeriodicDecay, PeriodicRules};
use crate::features::{EmbeddingFeatures, Encoder, FeatureExtractor, LengthFeatures, WithSignals};
use crate::race::{
    BudgetRules, EmbeddingSource, GateRules, HedgeRules, HedgeStart, JudgeChoice, JudgeConfig, JudgeOutages,
    ModelRegistry, PhaseTimeouts, PolicyRules, Race, RaceConfig, RaceParts, SearchSource, SessionRules,
};
use crate::race::{ExtraRules, FollowRules, RetryRules};
use crate::reward::{QualityLatencyCostPolicy, References};
use crate::settings::{
    CacheKind, CacheSettings, DecaySettings, EmbeddingSettings, EncoderKind, FeatureKind, FeatureSettings,
    GateSettings, JudgeSettings, PruneSettings, RewardSettings, RouterSettings, SearchSettings, SessionSettings,
    Settings,
};
use crate::settings::{HealthSettings, TimeoutSettings};
use crate::store::{MemoryPreviewCache, SledPreviewCache};

/// How prompts become numbers.
pub(super) fn features(settings: &FeatureSettings) -> Arc<dyn FeatureExtractor> {
    let length = LengthFeatures::new(settings.length_threshold);
    let encoder = match settings.embedding.encoder {
        EncoderKind::Hashed => Encoder::Hashed,
        EncoderKind::Endpoint => Encoder::Endpoint { model: settings.embedding.model.clone() },
        EncoderKind::Simulated => Encoder::Endpoint { model: "simulated".to_owned() },
    };
    let features: Arc<dyn FeatureExtractor> = match settings.kind {
        FeatureKind::Length => Arc::new(length),
        FeatureKind::Embedding => Arc::new(EmbeddingFeatures::new(length, encoder, settings.embedding.dimensions)),
    };
    if settings.signals { Arc::new(WithSignals::new(features)) } else { features }
}

/// Refuses features of another version than the one that is insisted on.
pub(super) fn check_version(settings: &FeatureSettings, features: &dyn FeatureExtractor) -> Result<(), String> {
    let found = &features.schema().version;
    match &settings.version {
        Some(expected) if expected != found => Err(format!(
            "`features.version` (--bandit-feature-version) insists on {expected}, these features are {found}: another kind, model, dimension, threshold or program; `banditop features` shows them"
        )),
        _ => Ok(()),
    }
}

/// The orchestrator; its registry is filled by the engine.
pub(super) fn race(settings: &Settings, factory: &Factory, clock: Arc<dyn Clock>) -> Race {
    let race = Race::new(RaceParts {
        config: race_config(settings),
        models: Arc::new(ModelRegistry::new()),
        judge: judge(settings, factory),
        features: features(&settings.features),
        embedding: embedding(&settings.features, factory),
        reward: Arc::new(QualityLatencyCostPolicy::new(references(&settings.reward))),
        router: settings.router.policy,
        clock,
    });
    match search(&settings.search, factory) {
        Some(search) => race.with_search(search),
        None => race,
    }
}

/// Where previews are kept, where they are; `dir` is for those on disk. One that cannot be opened is no reason
/// not to start.
pub(super) fn cache(settings: &CacheSettings, dir: &Path) -> Option<Arc<dyn PreviewCache>> {
    let bounds = CacheBounds { ttl: settings.ttl, max: settings.max };
    match settings.kind {
        CacheKind::Off => None,
        CacheKind::Memory => Some(Arc::new(MemoryPreviewCache::new(bounds))),
        CacheKind::Sled => Some(match SledPreviewCache::open(dir, bounds) {
            Ok(cache) => Arc::new(cache),
            Err(fault) => {
                tracing::warn!(%fault, "previews are kept in memory alone");
                Arc::new(MemoryPreviewCache::new(bounds))
            }
        }),
        CacheKind::Redis => Some(redis(settings, bounds)),
    }
}

#[cfg(feature = "redis")]
fn redis(settings: &CacheSettings, bounds: CacheBounds) -> Arc<dyn PreviewCache> {
    let password = settings.password_env.as_deref().map(super::factory::password).transpose();
    let url = settings.url.as_deref().unwrap_or_default();
    let opened = password.and_then(|password| {
        crate::store::RedisPreviewCache::new(url, password.as_deref(), bounds).map_err(|fault| fault.to_string())
    });
    match opened {
        Ok(cache) => Arc::new(cache),
        Err(fault) => {
            tracing::warn!(fault, "previews are kept in memory alone");
            Arc::new(MemoryPreviewCache::new(bounds))
        }
    }
}

/// The settings refuse Redis where the program was built without.
#[cfg(not(feature = "redis"))]
fn redis(_: &CacheSettings, bounds: CacheBounds) -> Arc<dyn PreviewCache> {
    Arc::new(MemoryPreviewCache::new(bounds))
}

/// What is looked up on the web before answering.
fn search(settings: &SearchSettings, factory: &Factory) -> Option<SearchSource> {
    Some(SearchSource {
        port: factory.search(settings)?,
        name: settings.kind.name().to_owned(),
        results: settings.results,
        patience: settings.timeout,
        usd_per_query: settings.usd_per_1000.map(|usd| usd / 1000.0),
        previews: settings.previews,
    })
}

/// Where embeddings come from, where the features want one.
pub(super) fn embedding(settings: &FeatureSettings, factory: &Factory) -> Option<EmbeddingSource> {
    let EmbeddingSettings { encoder, dimensions, patience, cache, price, .. } = settings.embedding;
    // Simulated models embed for nothing.
    let price = price.or((encoder == EncoderKind::Simulated).then_some(0.0));
    let wanted = settings.kind == FeatureKind::Embedding;
    let embedder = wanted.then(|| factory.embedder(&settings.embedding)).flatten()?;
    Some(EmbeddingSource::new(embedder, dimensions, patience, cache).priced(price))
}

/// The router's mathematics for the schema of `features`.
pub(super) fn router_config(settings: &RouterSettings, features: &dyn FeatureExtractor) -> RouterConfig {
    let mut config = RouterConfig::for_schema(features.schema());
    let prior = &mut config.prior;
    for lambda in [
        &mut prior.lambda_intercept,
        &mut prior.lambda_length,
        &mut prior.lambda_intent,
        &mut prior.lambda_embedding,
        &mut prior.lambda_signal,
    ] {
        *lambda *= settings.ridge;
    }
    config.forgetting = settings.forgetting;
    config.window = settings.window;
    config.drift.reaction = settings.drift.reaction;
    config.drift.probe_share = settings.drift.probe_share;
    config
}

/// What time asks for.
pub(super) fn periodic(settings: &Settings) -> PeriodicRules {
    let DecaySettings { every, factor } = settings.decay;
    let PruneSettings { every: look_every, min_trials, min_win_rate } = settings.prune;
    PeriodicRules {
        decay: every.map(|every| PeriodicDecay { every, factor }),
        prune: look_every.map(|every| AutomaticPrune { every, min_trials, min_win_rate }),
    }
}

/// A judge that cannot be built is asked all the same, and says why: the local judge then stands in,
/// marked as such, and teaches nothing.
fn judge(settings: &Settings, factory: &dyn ModelFactory) -> Option<JudgeChoice> {
    Some(match settings.judge.as_ref()? {
        JudgeSettings::Arm(arm) => JudgeChoice::Arm(arm.clone()),
        JudgeSettings::Model(spec) => {
            let model = factory.build(spec).unwrap_or_else(|reason| {
                tracing::warn!(judge = %spec.name, reason, "the judge cannot be asked");
                Arc::new(Unavailable(reason))
            });
            JudgeChoice::Model { name: spec.name.as_str().to_owned(), model, price: spec.price }
        }
    })
}

fn race_config(settings: &Settings) -> RaceConfig {
    let defaults = RaceConfig::default();
    RaceConfig {
        k: settings.router.k,
        preview_tokens: settings.preview.min_tokens,
        max_preview_tokens: settings.preview.max_tokens,
        cache_threshold: settings.cache.threshold,
        policies: policies(settings),
        timeouts: timeouts(&settings.timeouts),
        retry: RetryRules {
            attempts: settings.retry.attempts,
            base: settings.retry.base,
            longest: settings.retry.longest,
            patience: settings.retry.patience,
            company: settings.retry.preview_patience,
        },
        extras: ExtraRules {
            retry_share: settings.retry.share,
            extra_share: settings.retry.extra_share,
            trickle_per_s: settings.retry.trickle_per_s,
            ..defaults.extras
        },
        max_fallbacks: settings.run.max_fallbacks,
        max_prompt_bytes: settings.run.max_prompt_bytes,
        answer_max_tokens: settings.run.answer_max_tokens,
        max_answer_bytes: settings.run.max_answer_bytes,
        judge: JudgeConfig { outages: outages(&settings.health), ..defaults.judge },
        hedge: HedgeRules {
            start: match settings.hedge.start {
                crate::settings::HedgeStart::P95 => HedgeStart::P95,
                crate::settings::HedgeStart::Immediate => HedgeStart::Immediate,
                crate::settings::HedgeStart::Off => HedgeStart::Off,
            },
            prompt_chars: settings.hedge.prompt_chars,
            margin_tokens: settings.hedge.margin_tokens,
        },
        budget: BudgetRules {
            tokens: [settings.budget.preview_tokens, settings.budget.judge_tokens, settings.budget.answer_tokens],
            run_usd: settings.budget.per_run_usd,
            day_usd: settings.budget.per_day_usd,
        },
        propagate_trace: settings.telemetry.propagate,
        ..defaults
    }
}

fn policies(settings: &Settings) -> PolicyRules {
    let GateSettings { auto, novelty, novelty_share, cheap_share, low_fallback } = settings.gate;
    let SessionSettings { margin, ttl, max } = settings.session;
    PolicyRules {
        gate: GateRules { auto, novelty, novelty_share, cheap_share, low_fallback },
        session: SessionRules { margin, ttl, max },
        experiment: settings.experiment.shares(),
        afterwards: settings.direct_share,
    }
}

/// What is set holds; what is not follows each arm.
fn timeouts(settings: &TimeoutSettings) -> PhaseTimeouts {
    let defaults = PhaseTimeouts::default();
    let TimeoutSettings { first_token, between_tokens, preview, full, judge, .. } = *settings;
    PhaseTimeouts {
        first_token: first_token.unwrap_or(defaults.first_token),
        between_tokens: between_tokens.unwrap_or(defaults.between_tokens),
        preview: preview.unwrap_or(defaults.preview),
        judge: judge.unwrap_or(defaults.judge),
        full: full.unwrap_or(defaults.full),
        follow: FollowRules {
            least_calls: settings.least_calls,
            multiplier: settings.multiplier,
            floor: settings.floor,
            ceiling: settings.ceiling,
            fixed: [first_token, between_tokens, preview, full, judge].map(|set| set.is_some()),
        },
    }
}

/// When an arm is taken out.
pub(super) fn health(settings: &HealthSettings) -> HealthRules {
    HealthRules {
        consecutive: settings.consecutive,
        share: settings.share,
        volume: settings.volume,
        first: settings.first,
        longest: settings.longest.max(settings.first),
        cooling: settings.cooling,
        ..HealthRules::default()
    }
}

/// The judge is taken out by the same numbers as an arm.
fn outages(settings: &HealthSettings) -> JudgeOutages {
    let (arms, defaults) = (health(settings), JudgeOutages::default());
    JudgeOutages {
        consecutive: arms.consecutive,
        first: arms.first,
        longest: arms.longest,
        cooling: arms.cooling,
        ..defaults
    }
}

pub(super) fn references(settings: &RewardSettings) -> References {
    References {
        latency_s: settings.latency_reference_s,
        latency_per_length_s: settings.latency_per_length_s,
        ttft_s: settings.ttft_reference_s,
        token_target: f64::from(settings.token_target),
        cost_floor_usd: settings.cost_floor_usd,
        cost_ceiling_usd: settings.cost_ceiling_usd,
        linear_cost: settings.linear_cost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ConfigText, Sources, load};

    #[test]
    fn the_defaults_of_the_settings_are_those_of_the_rooms() {
        let text = "[[arms]]\nname = \"a\"\nprovider = \"simulated\"\n".to_owned();
        let file = ConfigText { name: "c.toml".into(), text };
        let settings = load(&Sources { file, ..Sources::default() }).unwrap();
        assert_eq!(race_config(&settings), RaceConfig::default());
        assert_eq!(references(&settings.reward), References::default());
        let features = features(&settings.features);
        let config = router_config(&settings.router, features.as_ref());
        assert_eq!(config, RouterConfig::for_schema(features.schema()));
        assert_eq!(periodic(&settings), PeriodicRules::default());
        assert_eq!(race_config(&settings).preview_target(1.0 / 3.0, 0.0), settings.preview.min_tokens);
    }
}
