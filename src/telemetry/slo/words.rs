//! Objectives in words, for the screen, alarms and what reads the picture.

use crate::domain::slo::Indicator;
use crate::domain::tally::Phase;

/// What is wanted, with its limit.
pub(super) fn wanted(indicator: Indicator, limit: f64) -> String {
    match indicator {
        Indicator::FirstTryRate => format!("first try >= {}", percent(limit)),
        Indicator::FallbackRate => format!("fallback <= {}", percent(limit)),
        Indicator::Percentile(p) => format!("p{p} <= {limit} s"),
        Indicator::RetriesPerRun => format!("retries a run <= {limit}"),
        Indicator::TokensPerRun(phase) => format!("{} tokens a run <= {limit}", noun(phase)),
        Indicator::UsdPerResolvedRun => format!("dollars a resolved run <= {limit}"),
    }
}

/// The limit in the unit of what is found: for a percentile the share of runs that must be within it.
pub(super) fn target(indicator: Indicator, limit: f64) -> f64 {
    match indicator {
        Indicator::Percentile(percent) => f64::from(percent) / 100.0,
        _ => limit,
    }
}

/// What was found.
pub(super) fn found(indicator: Indicator, found: f64) -> String {
    match indicator {
        Indicator::FirstTryRate | Indicator::FallbackRate => percent(found),
        Indicator::Percentile(_) => format!("{} within", percent(found)),
        Indicator::RetriesPerRun => format!("{found:.2}"),
        Indicator::TokensPerRun(_) => format!("{found:.0}"),
        Indicator::UsdPerResolvedRun => format!("${found:.4}"),
    }
}

/// The action that helps: take the arm out that fails or is slow, or make dollars and tokens weigh more.
pub(super) const fn remedy(indicator: Indicator) -> &'static str {
    match indicator {
        Indicator::UsdPerResolvedRun | Indicator::TokensPerRun(_) => "weights",
        _ => "deactivate",
    }
}

const fn noun(phase: Phase) -> &'static str {
    phase.name()
}

fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    format!("{tenths}%")
}
