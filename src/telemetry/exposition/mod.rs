//! A picture as Prometheus reads it. Each figure is read off the picture (or off our own counters of what
//! was dropped); nothing is counted here. Labels are arms, phases, classes, intents and configured names:
//! never a prompt, never a text that a client chose. Units are base units, every family says what it is.

mod arms;

use prometheus::{Encoder, TextEncoder};

use super::families::Families;
use super::queue::SinkFigures;
use crate::domain::alarm::Severity;
use crate::domain::command::Durability;
use crate::domain::context::Intent;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::tally::{Calls, Phase, SECONDS, Tally, WRITES};
use crate::domain::terms::Term;
use arms::{arms_counted, arms_now, helpers};

/// What the text is, for its header.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The text format, with what our own sinks did.
///
/// # Errors
/// Where a family is malformed, which would be a fault of this file.
pub fn render(snapshot: &EngineSnapshot, sinks: &[SinkFigures]) -> Result<String, String> {
    let mut families = Families::default();
    runs(&mut families, snapshot);
    window(&mut families, snapshot);
    calls(&mut families, &snapshot.tally);
    searches(&mut families, &snapshot.tally);
    embeddings(&mut families, &snapshot.tally.embeddings);
    arms_counted(&mut families, &snapshot.tally);
    arms_now(&mut families, &snapshot.arms);
    helpers(&mut families, snapshot);
    router(&mut families, snapshot);
    state(&mut families, snapshot);
    objectives(&mut families, snapshot);
    own(&mut families, sinks);
    let mut text = Vec::with_capacity(32 << 10);
    TextEncoder::new().encode(&families.into_inner(), &mut text).map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn runs(f: &mut Families, snapshot: &EngineSnapshot) {
    let (totals, tally) = (&snapshot.totals, &snapshot.tally);
    f.counter("runs_total", "Runs that have ended, by strategy and outcome.").each(
        &tally.runs,
        |family, (strategy, outcome, count)| {
            family.count(&[("outcome", outcome.name()), ("strategy", strategy.name())], *count);
        },
    );
    f.counter("runs_by_intent_total", "Runs that have ended, by recognised intent.").each(
        tally.intents.iter().zip(Intent::ALL),
        |family, (count, intent)| {
            family.count(&[("intent", intent.name())], *count);
        },
    );
    f.counter("gate_decisions_total", "Runs by who chose their arms: bandit, baseline or explore.").each(
        &tally.gates,
        |family, (decision, count)| {
            family.count(&[("decision", decision.name())], *count);
        },
    );
    let told = tally.conversations;
    f.counter(
        "conversation_runs_total",
        "Runs of conversations, by what became of the conversation's arm: begun, kept or left.",
    )
    .each([("begun", told.begun), ("kept", told.kept), ("left", told.left)], |family, (arm, count)| {
        family.count(&[("state", arm)], count);
    });
    f.counter("ratings_total", "Ratings by people.").each(
        tally.ratings.iter().zip(["good", "bad"]),
        |family, (count, rating)| {
            family.count(&[("rating", rating)], *count);
        },
    );
    f.counter("runs_first_try_total", "Runs served by the first arm in order.").is(tally.first_try as f64);
    f.counter("fallbacks_total", "Full answers tried after the first.").is(tally.fallbacks as f64);
    f.counter("retries_total", "Calls that were made again.").is(tally.retries as f64);
    f.counter("run_cost_usd_total", "Dollars of all runs; what has no known price counts as 0.").is(totals.usd_total);
    f.counter("clamped_total", "Terms and rewards that had to be clamped into [0, 1].").is(totals.clamped as f64);
    f.counter("dropped_events_total", "Events that a slow reader lost.").is(totals.dropped_events as f64);
    f.gauge(
        "resolved_runs",
        "Runs since the state began that served an answer without a flag which nobody rated as bad.",
    )
    .is(totals.resolved as f64);
    f.gauge("cost_usd_per_resolved_run", "Dollars since the state began for each resolved run.")
        .may_be(totals.usd_per_resolved_run);
    f.gauge("runs_in_flight", "Runs in flight.").is(totals.in_flight as f64);
    f.histogram("run_duration_seconds", "Seconds of runs that were not cancelled, start to end.").distribution(
        &[],
        &tally.end_to_end,
        SECONDS,
    );
}

/// The rates of the header line, over its window.
fn window(f: &mut Families, snapshot: &EngineSnapshot) {
    let totals = &snapshot.totals;
    let ratio = |ratio: Option<Ratio>| ratio.map(Ratio::get);
    f.gauge("window_runs", "Runs in the window that the console's rates are over.").is(totals.window_runs as f64);
    f.gauge("window_first_try_ratio", "Share of runs in the window served at the first try.")
        .may_be(ratio(totals.first_try));
    f.gauge("window_fallback_ratio", "Share of runs in the window with a fallback.")
        .may_be(ratio(totals.fallback_rate));
    f.gauge("window_exploration_ratio", "Share of runs in the window that explored.")
        .may_be(ratio(totals.explore_rate));
    f.gauge("window_cost_usd_per_run", "Mean dollars of a run in the window.").may_be(totals.usd_per_run);
    f.gauge("runs_per_second", "Runs that ended, a second, over the last ten seconds.").may_be(totals.runs_per_s);
    f.gauge("window_run_duration_seconds", "End-to-end seconds over the window, by quantile.").each(
        [("0.5", totals.p50_s), ("0.95", totals.p95_s), ("0.99", totals.p99_s)],
        |family, (quantile, value)| {
            if let Some(value) = value {
                family.with(&[("q", quantile)], value);
            }
        },
    );
}

/// Calls of every phase, by who was asked.
fn phases(tally: &Tally) -> impl Iterator<Item = (&str, Phase, &Calls)> {
    let arms = tally.arms.iter().flat_map(|(arm, counted)| {
        [(arm.as_str(), Phase::Preview, &counted.preview), (arm.as_str(), Phase::Answer, &counted.answer)]
    });
    arms.chain(tally.judges.iter().map(|(judge, calls)| (judge.as_str(), Phase::Judge, calls)))
}

fn calls(f: &mut Families, tally: &Tally) {
    f.counter("calls_total", "Calls to models, by arm (or judge) and phase.").each(
        phases(tally),
        |family, (arm, phase, calls)| {
            family.count(&[("arm", arm), ("phase", phase.name())], calls.made);
        },
    );
    f.counter(
        "call_failures_total",
        "Calls that failed, by arm, phase and class of failure; those of the class budget may never have been made.",
    )
    .each(phases(tally), |family, (arm, phase, calls)| {
        for (class, count) in &calls.failed {
            family.count(&[("arm", arm), ("class", class.name()), ("phase", phase.name())], *count);
        }
    });
    f.counter("tokens_total", "Tokens, by arm, phase and direction.").each(
        phases(tally),
        |family, (arm, phase, calls)| {
            for (direction, count) in [("input", calls.tokens_in), ("output", calls.tokens_out)] {
                family.count(&[("arm", arm), ("direction", direction), ("phase", phase.name())], count);
            }
        },
    );
    f.counter("cost_usd_total", "Dollars, by arm and phase; what has no known price counts as 0.").each(
        phases(tally),
        |family, (arm, phase, calls)| {
            family.with(&[("arm", arm), ("phase", phase.name())], calls.usd());
        },
    );
    f.histogram("call_duration_seconds", "Seconds of calls that did not fail, by arm and phase.").each(
        phases(tally),
        |family, (arm, phase, calls)| {
            family.distribution(&[("arm", arm), ("phase", phase.name())], &calls.seconds, SECONDS);
        },
    );
    f.histogram("first_token_seconds", "Seconds to the first token, by arm and phase.").each(
        phases(tally),
        |family, (arm, phase, calls)| {
            family.distribution(&[("arm", arm), ("phase", phase.name())], &calls.first_token, SECONDS);
        },
    );
    f.counter("local_verdicts_total", "Verdicts that the local judge had to give.").is(tally.local_verdicts as f64);
}

fn searches(f: &mut Families, tally: &Tally) {
    let all = &tally.searches;
    f.counter("searches_total", "Web searches, by who was asked.").each(all, |family, (who, calls)| {
        family.count(&[("provider", who)], calls.made);
    });
    f.counter("search_failures_total", "Web searches that failed, by class of failure.").each(
        all,
        |family, (who, calls)| {
            calls.failed.iter().for_each(|(class, n)| family.count(&[("class", class.name()), ("provider", who)], *n));
        },
    );
    f.counter("search_cost_usd_total", "Dollars of web searches, which are in the runs' dollars too.").each(
        all,
        |family, (who, calls)| {
            family.with(&[("provider", who)], calls.usd());
        },
    );
    f.histogram("search_duration_seconds", "Seconds of web searches that did not fail.").each(
        all,
        |family, (who, calls)| {
            family.distribution(&[("provider", who)], &calls.seconds, SECONDS);
        },
    );
}

fn embeddings(f: &mut Families, calls: &Calls) {
    f.counter("embeddings_total", "Embeddings of prompts that an endpoint was asked for.").is(calls.made as f64);
    f.counter("embedding_failures_total", "Embeddings that runs went without, by class of failure.")
        .each(&calls.failed, |family, (class, n)| family.count(&[("class", class.name())], *n));
    f.counter("embedding_tokens_total", "Tokens of prompts that were embedded.").is(calls.tokens_in as f64);
    f.counter("embedding_cost_usd_total", "Dollars of embeddings, which are in the runs' dollars too.").is(calls.usd());
    f.histogram("embedding_duration_seconds", "Seconds that runs waited for embeddings that came.").distribution(
        &[],
        &calls.seconds,
        SECONDS,
    );
}

fn router(f: &mut Families, snapshot: &EngineSnapshot) {
    f.gauge("router_alpha", "Exploration in units of uncertainty.").is(snapshot.alpha);
    f.gauge("router_explore_share_ratio", "Configured share of runs that explore.").is(snapshot.explore_share);
    f.gauge("router_budget_usd_per_run", "The ceiling of dollars per run.").may_be(snapshot.budget_per_request_usd);
    f.gauge("spend_today_usd", "Dollars spent today (UTC): by runs, probes and verdicts that came later.")
        .is(snapshot.totals.usd_today);
    f.gauge("budget_usd_per_day", "The ceiling of dollars per day.").may_be(snapshot.budget_per_day_usd);
    let account = snapshot.account.as_ref();
    f.gauge("router_budget_requests", "Runs since the ceiling was set.").may_be(account.map(|a| a.requests as f64));
    f.gauge("router_budget_spent_usd", "Dollars spent since the ceiling was set.").may_be(account.map(|a| a.spent_usd));
    f.gauge("router_budget_allowed_usd", "Dollars that the ceiling has allowed.")
        .may_be(account.map(|a| a.allowed_usd));
    f.gauge("router_budget_lambda", "Reward given up for what one request may cost: the price in force.")
        .may_be(account.map(|a| a.lambda));
    f.gauge("reward_weight", "Weight of a term of the reward; they sum to 1.").each(Term::ALL, |family, term| {
        family.with(&[("term", term.name())], snapshot.weights.get(term));
    });
}

fn state(f: &mut Families, snapshot: &EngineSnapshot) {
    f.gauge("journal_position", "The place in the command log that is applied.").is(snapshot.sequence as f64);
    let is_durable = f64::from(u8::from(snapshot.store.durability == Durability::Durable));
    f.gauge("store_durable", "1 where a command would be on disk, 0 where it would be in memory only.").is(is_durable);
    f.histogram("store_write_seconds", "Seconds of writes to the store; synced ones are waited for.").each(
        snapshot.tally.writes.iter().zip(["false", "true"]),
        |family, (values, synced)| {
            family.distribution(&[("synced", synced)], values, WRITES);
        },
    );
    f.gauge("arm_drift_alarm", "1 where an alarm says that an arm is no longer what it was.").each(
        &snapshot.arms,
        |family, arm| {
            let has =
                snapshot.alarms.iter().any(|a| a.subject.starts_with("drift:") && a.arm.as_ref() == Some(&arm.arm));
            family.with(&[("arm", arm.arm.as_str())], f64::from(u8::from(has)));
        },
    );
    f.gauge("alarms", "Open alarms by severity.").each(
        [(Severity::Notice, "notice"), (Severity::Warning, "warning"), (Severity::Critical, "critical")],
        |family, (severity, name)| {
            let open = snapshot.alarms.iter().filter(|alarm| alarm.severity == severity).count();
            family.with(&[("severity", name)], open as f64);
        },
    );
}

fn objectives(f: &mut Families, snapshot: &EngineSnapshot) {
    let slos = &snapshot.objectives;
    f.gauge("slo_limit", "What an objective wants, in the unit of its indicator.").each(slos, |family, slo| {
        family.with(&[("slo", &slo.name)], slo.limit);
    });
    f.gauge("slo_value", "What was found over the long window, in the same unit.").each(slos, |family, slo| {
        if let Some(value) = slo.found {
            family.with(&[("slo", &slo.name)], value);
        }
    });
    f.gauge("slo_burn_rate", "How many times faster than allowed the error budget goes.").each(slos, |family, slo| {
        for (rate, window) in slo.burn.iter().zip(["long", "short"]) {
            if let Some(rate) = rate {
                family.with(&[("slo", &slo.name), ("window", window)], *rate);
            }
        }
    });
    f.gauge("slo_error_budget_remaining_ratio", "What is left of the error budget; below 0: overdrawn.").each(
        slos.iter().filter_map(|slo| Some((slo, slo.budget_left?))),
        |family, (slo, left)| {
            family.with(&[("slo", &slo.name)], left);
        },
    );
    f.gauge("slo_burning", "1 where both windows burn fast enough for an alarm.").each(slos, |family, slo| {
        family.with(&[("slo", &slo.name)], f64::from(u8::from(slo.is_burning)));
    });
}

fn own(f: &mut Families, sinks: &[SinkFigures]) {
    f.counter("telemetry_sent_total", "What a sink of telemetry delivered.").each(sinks, |family, sink| {
        family.count(&[("sink", sink.name)], sink.sent);
    });
    f.counter("telemetry_dropped_total", "What a sink of telemetry could not deliver and dropped.").each(
        sinks,
        |family, sink| {
            family.count(&[("sink", sink.name)], sink.dropped);
        },
    );
    let version = env!("CARGO_PKG_VERSION");
    f.gauge("build_info", "Always 1; the version is a label.").with(&[("version", version)], 1.0);
}
