//! The policy against its contract, and the terms against known points.

use proptest::prelude::*;

use super::*;
use crate::domain::command::PreviewTerms;
use crate::domain::terms::{Term, Weights};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => -0.5..1.5_f64, 1 => any::<f64>(), 1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, 1.0])]
}

fn terms() -> impl Strategy<Value = PreviewTerms> {
    prop::array::uniform5(number()).prop_map(|[latency, cost, speed, token_efficiency, stability]| PreviewTerms {
        latency,
        cost,
        speed,
        token_efficiency,
        stability,
    })
}

fn weights() -> impl Strategy<Value = Weights> {
    (prop::array::uniform6(0.0..1.0_f64), 0.0..0.5_f64)
        .prop_filter_map("some weight", |(by_term, penalty)| Weights::new(by_term, penalty).ok())
}

fn measured() -> impl Strategy<Value = CandidateStats> {
    let positive = || prop_oneof![0.0..20.0_f64, any::<f64>()];
    (
        (prop::option::of(positive()), positive(), prop::option::of(positive())),
        (any::<u32>(), prop::option::of(positive()), number(), number()),
    )
        .prop_map(|((p95_s, latency_s, ttft_s), (tokens, cost_usd, error_rate, length_norm))| CandidateStats {
            p95_s,
            latency_s,
            ttft_s,
            tokens,
            cost_usd,
            error_rate,
            length_norm,
        })
}

fn all(terms: &PreviewTerms) -> [f64; 5] {
    [terms.latency, terms.cost, terms.speed, terms.token_efficiency, terms.stability]
}

fn set(terms: &mut PreviewTerms, which: usize, value: f64) {
    match which {
        0 => terms.latency = value,
        1 => terms.cost = value,
        2 => terms.speed = value,
        3 => terms.token_efficiency = value,
        _ => terms.stability = value,
    }
}

/// What `RewardPolicy` promises, for one input: any further implementation must pass it.
fn keeps_the_contract(
    policy: &dyn RewardPolicy,
    quality: Option<f64>,
    preview: Option<PreviewTerms>,
    fallbacks: u32,
    weights: &Weights,
    stats: &CandidateStats,
) {
    let graded = policy.preview_terms(stats);
    assert_eq!(graded, policy.preview_terms(stats));
    assert!(all(&graded.terms).iter().all(|term| (0.0..=1.0).contains(term)), "{graded:?}");
    assert!(usize::try_from(graded.clamped).unwrap() <= all(&graded.terms).len(), "a term is clamped once: {graded:?}");
    let compose = |quality, preview: Option<PreviewTerms>, fallbacks| {
        policy.compose(quality, preview.as_ref(), fallbacks, weights)
    };
    let record = compose(quality, preview, fallbacks);
    assert!((0.0..=1.0).contains(&record.total), "{record:?}");
    assert!(record.terms.values().all(|term| (0.0..=1.0).contains(&term.value)));
    let sum: f64 = record.terms.values().map(|term| term.contribution).sum();
    assert!(((sum - record.penalty).clamp(0.0, 1.0) - record.total).abs() < 1e-12);
    assert_eq!(clamp_bites(&record), (sum - record.penalty - record.total).abs() > 1e-12, "{record:?}");
    let whole: f64 = record.terms.values().map(|term| term.weight).sum();
    assert!(whole.abs() < 1e-12 || (whole - 1.0).abs() < 1e-12, "shares of what was observed: {record:?}");
    for term in record.terms.values() {
        assert!((term.contribution - term.value * term.weight).abs() < 1e-12, "{record:?}");
    }
    assert_eq!(record, compose(quality, preview, fallbacks));
    assert!(compose(quality, preview, fallbacks + 1).total <= record.total);
    let at_least = |better: f64| assert!(better >= record.total - 1e-12, "{better} < {record:?}");
    if let Some(quality) = quality.filter(|q| q.is_finite()) {
        at_least(compose(Some(quality + 0.1), preview, fallbacks).total);
    }
    for which in 0..5 {
        if let Some(mut better) = preview.filter(|preview| all(preview)[which].is_finite()) {
            let raised = all(&better)[which] + 0.1;
            set(&mut better, which, raised);
            at_least(compose(quality, Some(better), fallbacks).total);
        }
    }
}

proptest! {
    #[test]
    fn the_default_policy_keeps_the_contract(
        quality in prop::option::of(number()),
        preview in prop::option::of(terms()),
        fallbacks in 0..4_u32,
        weights in weights(),
        stats in measured(),
        linear_cost in any::<bool>(),
    ) {
        let policy = QualityLatencyCostPolicy::new(References { linear_cost, ..References::default() });
        keeps_the_contract(&policy, quality, preview, fallbacks, &weights, &stats);
    }

    #[test]
    fn worse_measurements_never_give_better_terms(stats in measured(), more in 0.0..5.0_f64) {
        let references = References::default();
        let base = all(&references.grade(&stats).terms);
        let worse = CandidateStats {
            p95_s: stats.p95_s.map(|p| p + more),
            latency_s: stats.latency_s + more,
            ttft_s: stats.ttft_s.map(|t| t + more),
            tokens: stats.tokens.saturating_add(10),
            cost_usd: stats.cost_usd.map(|c| c + more),
            error_rate: stats.error_rate + more,
            ..stats
        };
        for (base, worse) in base.iter().zip(all(&references.grade(&worse).terms)) {
            prop_assert!(worse <= *base + 1e-12);
        }
    }
}

#[test]
fn terms_at_known_points() {
    let references = References::default();
    let stats = CandidateStats {
        p95_s: Some(1.5),
        latency_s: 9.0,
        ttft_s: Some(0.5),
        tokens: 64,
        cost_usd: Some(1e-4),
        error_rate: 0.1,
        length_norm: 0.0,
    };
    let GradedTerms { terms, clamped } = references.grade(&stats);
    for (found, known) in all(&terms).into_iter().zip([0.5, 0.5, 0.75, 0.75, 0.9]) {
        assert!((found - known).abs() < 1e-12, "{terms:?}");
    }
    assert_eq!(clamped, 0);
    // A longer prompt is allowed more seconds; a free model is cheapest; no history is this preview's own.
    let long = references.grade(&CandidateStats { length_norm: 1.0, ..stats }).terms;
    assert!((long.latency - 0.75).abs() < 1e-12);
    let free = references.grade(&CandidateStats { cost_usd: Some(0.0), p95_s: None, ..stats });
    assert_eq!((free.terms.cost, free.terms.latency, free.clamped), (1.0, 0.0, 1));
    // Without a price, tokens stand for dollars.
    let unpriced = references.grade(&CandidateStats { cost_usd: None, ..stats }).terms;
    assert!((unpriced.cost - 0.75).abs() < 1e-12);
    let linear = References { linear_cost: true, ..references };
    assert!((linear.grade(&stats).terms.cost - (1.0 - (1e-4 - 1e-6) / (1e-2 - 1e-6))).abs() < 1e-12);
}

#[test]
fn weights_are_shares_of_what_was_observed() {
    let policy = QualityLatencyCostPolicy::default();
    let weights = Weights::default();
    let preview = PreviewTerms { latency: 1.0, cost: 0.5, speed: 0.0, token_efficiency: 0.0, stability: 0.0 };
    let whole = policy.compose(Some(0.8), Some(&preview), 1, &weights);
    assert!((whole.total - (0.7 * 0.8 + 0.2 + 0.1 * 0.5 - 0.05)).abs() < 1e-12);
    assert!((whole.terms[Term::Cost.name()].contribution - 0.05).abs() < 1e-12);
    let unjudged = policy.compose(None, Some(&preview), 0, &weights);
    assert!((unjudged.total - (0.2 + 0.05) / 0.3).abs() < 1e-12);
    let nothing = policy.compose(None, None, 1, &weights);
    assert!(nothing.total.abs() < 1e-12 && clamp_bites(&nothing) && !clamp_bites(&whole));
}
