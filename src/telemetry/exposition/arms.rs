//! Families of arms: what was counted since the state began, and how each stands now; and of the endpoints that are no
//! arms, which are asked for runs as well.

use super::Families;
use crate::domain::context::Intent;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmRow, EngineSnapshot};
use crate::domain::spec::Lifecycle;
use crate::domain::tally::{ArmTally, Tally, UNIT};

/// Name, help, and where a count of an arm is.
type Count = (&'static str, &'static str, fn(&ArmTally) -> u64);
/// Name, help, and where a figure of an arm is, as it stands.
type Now<'a> = (&'static str, &'static str, &'a dyn Fn(&ArmRow) -> Option<f64>);

const LIFECYCLES: [Lifecycle; 5] =
    [Lifecycle::Active, Lifecycle::Probation, Lifecycle::Deactivated, Lifecycle::Pruned, Lifecycle::Ejected];

pub(super) fn arms_counted(f: &mut Families, tally: &Tally) {
    let counters: [Count; 7] = [
        ("arm_selected_total", "Runs that an arm was selected for.", |arm| arm.selected),
        ("arm_served_total", "Answers of an arm that were served.", |arm| arm.served),
        ("arm_ejections_total", "Times that health took an arm out.", |arm| arm.ejections),
        ("arm_retries_total", "Calls of an arm that were made again.", |arm| arm.retries),
        ("hedges_total", "Answers of an arm that were started beside another's.", |arm| arm.hedges),
        ("hedges_won_total", "Those of them that were served.", |arm| arm.hedges_won),
        ("wasted_tokens_total", "Tokens of answers that were cancelled as the loser of two.", |arm| arm.wasted_tokens),
    ];
    for (name, help, read) in counters {
        f.counter(name, help).each(&tally.arms, |family, (arm, counted)| {
            family.count(&[("arm", arm.as_str())], read(counted));
        });
    }
    f.counter("wasted_cost_usd_total", "Dollars of answers that were cancelled as the loser of two.").each(
        &tally.arms,
        |family, (arm, counted)| {
            family.with(&[("arm", arm.as_str())], counted.wasted_nano as f64 / 1e9);
        },
    );
    places(f, tally);
    f.counter("flags_total", "Guardrail signals of previews and answers, by arm and flag.").each(
        &tally.arms,
        |family, (arm, counted)| {
            for (flag, count) in &counted.flags {
                family.count(&[("arm", arm.as_str()), ("flag", flag.name())], *count);
            }
        },
    );
    f.counter("preview_cache_total", "Previews of an arm that the cache had, or was asked for in vain.").each(
        &tally.arms,
        |family, (arm, counted)| {
            let counts = [("hit", counted.cache_hits), ("miss", counted.cache_misses)];
            // Both or neither: a share of them is a share from the first on.
            for (result, count) in counts.into_iter().filter(|_| counted.cache_hits + counted.cache_misses > 0) {
                family.count(&[("arm", arm.as_str()), ("result", result)], count);
            }
        },
    );
    f.histogram("reward", "Rewards of an arm as known when its run ended, in [0, 1], those of judged previews too.")
        .each(&tally.arms, |family, (arm, counted)| {
            family.distribution(&[("arm", arm.as_str())], &counted.reward, UNIT);
        });
    f.histogram("served_reward", "Rewards of an arm's served answers as known when the run ended, in [0, 1].").each(
        &tally.arms,
        |family, (arm, counted)| {
            family.distribution(&[("arm", arm.as_str())], &counted.served_reward, UNIT);
        },
    );
    f.histogram("reward_term", "Terms of the rewards of an arm, in [0, 1], 1 is best.").each(
        &tally.arms,
        |family, (arm, counted)| {
            for (term, values) in &counted.terms {
                family.distribution(&[("arm", arm.as_str()), ("term", term.name())], values, UNIT);
            }
        },
    );
    f.histogram("selection_propensity", "Probability of the selections of an arm.").each(
        &tally.arms,
        |family, (arm, counted)| {
            family.distribution(&[("arm", arm.as_str())], &counted.propensity, UNIT);
        },
    );
}

/// Where arms came in, in judged races.
fn places(f: &mut Families, tally: &Tally) {
    f.counter("arm_races_total", "Judged races that an arm took part in, since the state began.").each(
        &tally.arms,
        |family, (arm, counted)| {
            family.count(&[("arm", arm.as_str())], counted.places.races);
        },
    );
    f.counter("arm_places_total", "Judged races in which an arm came in first, second, third.").each(
        &tally.arms,
        |family, (arm, counted)| {
            for (place, count) in ["1", "2", "3"].into_iter().zip(counted.places.first_three) {
                family.count(&[("arm", arm.as_str()), ("place", place)], count);
            }
        },
    );
    f.counter("arm_among_best_total", "Judged races in which an arm was within a tie of the best.").each(
        &tally.arms,
        |family, (arm, counted)| {
            family.count(&[("arm", arm.as_str())], counted.places.among_best);
        },
    );
}

pub(super) fn arms_now(f: &mut Families, arms: &[ArmRow]) {
    let ratio = |ratio: Option<Ratio>| ratio.map(Ratio::get);
    let gauges: [Now<'_>; 17] = [
        ("arm_expected_reward", "Expected reward over recent contexts.", &|arm| arm.mean),
        ("arm_reward_uncertainty", "Uncertainty of the expected reward.", &|arm| arm.uncertainty),
        ("arm_mean_reward", "Mean realised reward over the window.", &|arm| arm.mean_reward),
        ("arm_traffic_share_ratio", "Share of served answers over the window.", &|arm| ratio(arm.share)),
        ("arm_traffic_share_change", "Its share less that over the window before.", &|arm| arm.share_delta),
        ("arm_preview_share_ratio", "Share of previews over the window.", &|arm| ratio(arm.preview_share)),
        ("arm_error_ratio", "Share of recent calls that failed, rate limits left out.", &|arm| ratio(arm.error_rate)),
        ("arm_preview_p95_seconds", "Rolling 95 % quantile of preview seconds.", &|arm| arm.p95_preview_s),
        ("arm_cost_usd_per_run", "Mean dollars of the runs in the window that it answered.", &|arm| {
            arm.cost_usd_per_run
        }),
        ("arm_trials", "Judged races that it took part in.", &|arm| Some(arm.trials as f64)),
        ("arm_wins", "Judged races that it won.", &|arm| Some(arm.wins as f64)),
        ("arm_effective_observations", "Weight of its data after forgetting.", &|arm| Some(arm.effective_n)),
        ("arm_retries_left", "Retries that its budget holds now.", &|arm| arm.extras.map(|extras| extras.left)),
        ("arm_share_limit_least", "Share of runs it takes part in at least.", &|arm| arm.limits.map(|l| l.now.0)),
        ("arm_share_limit_most", "Share of runs it takes part in at most.", &|arm| arm.limits.map(|l| l.now.1)),
        ("arm_share_limited_ratio", "Its share since its limits hold.", &|arm| ratio(arm.limits?.taken)),
        ("arm_selectable", "1 where it may be selected.", &|arm| Some(f64::from(u8::from(arm.state.is_candidate())))),
    ];
    for (name, help, read) in gauges {
        let mut family = f.gauge(name, help);
        for arm in arms {
            if let Some(value) = read(arm) {
                family.with(&[("arm", arm.arm.as_str())], value);
            }
        }
    }
    f.counter("arm_extras_denied_total", "Retries and hedges of an arm that a budget refused.").each(
        arms.iter().filter_map(|arm| Some((arm, arm.extras?))),
        |family, (arm, extras)| {
            family.count(&[("arm", arm.arm.as_str())], extras.denied);
        },
    );
    f.gauge("arm_served_runs", "Answers of an arm that were served in the window, by intent.").each(
        arms,
        |family, arm| {
            for (count, intent) in arm.served_by_intent.into_iter().zip(Intent::ALL) {
                family.count(&[("arm", arm.arm.as_str()), ("intent", intent.name())], count);
            }
        },
    );
    f.gauge("arm_state", "1 for the lifecycle state that an arm is in, 0 for the others.").each(arms, |family, arm| {
        for state in LIFECYCLES {
            let is_in = f64::from(u8::from(arm.state == state));
            family.with(&[("arm", arm.arm.as_str()), ("state", state.name())], is_in);
        }
    });
}

/// Endpoints that are no arms, under names of their own: an arm may be called `judge`.
pub(super) fn helpers(f: &mut Families, snapshot: &EngineSnapshot) {
    f.gauge("endpoint_retries_left", "Retries that the budget of an endpoint that is no arm holds now.").each(
        &snapshot.helpers,
        |family, (helper, extras)| {
            family.with(&[("endpoint", helper.name())], extras.left);
        },
    );
    f.counter("endpoint_extras_denied_total", "Retries of an endpoint that is no arm that a budget refused.").each(
        &snapshot.helpers,
        |family, (helper, extras)| {
            family.count(&[("endpoint", helper.name())], extras.denied);
        },
    );
}
