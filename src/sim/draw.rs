//! Seeded chance. Every draw of a call comes from a generator seeded with a hash of what identifies the
//! call, so that no draw depends on what other calls happen to run beside it.
//!
//! Noise around a quality is triangular with a half-width that shrinks near 0 and 1: symmetric and never
//! clipped, so the expectation is exactly the declared figure and the known optimum is exact.

use fastrand::Rng;

use super::scenario::{FailureRates, FirstToken, Length};

/// FNV-1a over the parts, each ended by a byte that no UTF-8 text holds, then a splitmix finaliser.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A generator for what `parts` identify.
pub(super) fn generator(parts: &[&[u8]]) -> Rng {
    Rng::with_seed(hash(parts))
}

/// `mean` with symmetric noise of at most `spread`, within [0, 1], of expectation exactly `mean`.
pub(super) fn around(mean: f64, spread: f64, rng: &mut Rng) -> f64 {
    let mean = mean.clamp(0.0, 1.0);
    let width = spread.min(mean).min(1.0 - mean);
    (mean + width * (rng.f64() + rng.f64() - 1.0)).clamp(0.0, 1.0)
}

/// A standard normal draw (Box and Muller 1958).
pub(super) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Seconds to the first token; tails are cut at three standard deviations.
pub(super) fn first_token_s(spec: &FirstToken, rng: &mut Rng) -> f64 {
    spec.median_s * (spec.sigma * normal(rng).clamp(-3.0, 3.0)).exp()
}

/// Tokens of an answer, at least 8; tails are cut at two standard deviations.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped into the range of the type")]
pub(super) fn answer_tokens(spec: &Length, rng: &mut Rng) -> u32 {
    let tokens = spec.median_tokens * (spec.sigma * normal(rng).clamp(-2.0, 2.0)).exp();
    tokens.clamp(8.0, 20_000.0) as u32
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    RateLimited,
    Stall,
    Truncated,
    Reset,
    Refusal,
    ContentFilter,
    Empty,
}

impl Fault {
    /// In the order of [`FailureRates::named`].
    const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::RateLimited,
        Self::Stall,
        Self::Truncated,
        Self::Reset,
        Self::Refusal,
        Self::ContentFilter,
        Self::Empty,
    ];

    /// One draw against the rates: at most one fault.
    pub(super) fn draw(rates: &FailureRates, rng: &mut Rng) -> Option<Self> {
        let at = rng.f64();
        let mut sum = 0.0;
        rates.named().iter().zip(Self::ALL).find_map(|((_, rate), fault)| {
            sum += rate;
            (at < sum).then_some(fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_unbiased_and_stays_inside() {
        for mean in [0.0, 0.03, 0.5, 0.93, 1.0] {
            let mut rng = Rng::with_seed(1);
            let draws: Vec<f64> = (0..20_000).map(|_| around(mean, 0.2, &mut rng)).collect();
            assert!(draws.iter().all(|q| (0.0..=1.0).contains(q)));
            let average = draws.iter().sum::<f64>() / 20_000.0;
            assert!((average - mean).abs() < 0.003, "{mean}: {average}");
        }
    }

    #[test]
    fn faults_happen_at_the_stated_rates() {
        let rates = FailureRates {
            unavailable: 0.05,
            rate_limited: 0.04,
            stall: 0.03,
            truncated: 0.02,
            reset: 0.01,
            refusal: 0.06,
            content_filter: 0.02,
            empty: 0.015,
        };
        let calls = 50_000_u32;
        let mut counts = [0_u32; 8];
        for call in 0..calls {
            let mut rng = generator(&[b"rates", &call.to_le_bytes()]);
            if let Some(fault) = Fault::draw(&rates, &mut rng) {
                counts[fault as usize] += 1;
            }
        }
        for ((name, rate), count) in rates.named().iter().zip(counts) {
            let found = f64::from(count) / f64::from(calls);
            assert!((found - rate).abs() < 4.0 * (rate * (1.0 - rate) / f64::from(calls)).sqrt(), "{name}: {found}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    #[test]
    fn times_are_log_normal_around_their_median() {
        let spec = FirstToken { median_s: 0.3, sigma: 0.5 };
        let mut rng = Rng::with_seed(3);
        let mut draws: Vec<f64> = (0..9_999).map(|_| first_token_s(&spec, &mut rng)).collect();
        draws.sort_by(f64::total_cmp);
        assert!((draws[4_999] - 0.3).abs() < 0.01, "{}", draws[4_999]);
        assert!((draws[8_412] / 0.3).ln() > 0.45 && (draws[8_412] / 0.3).ln() < 0.55, "one deviation above");
    }
}
