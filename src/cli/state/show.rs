//! `state show`: one picture, as a table or in the fixed shape of `--json`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Desk;
use crate::cli::failure::Outcome;
use crate::domain::clock::Timestamp;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmLimits, ArmRow, EngineSnapshot};
use crate::domain::tally::Conversations;
use crate::domain::terms::Term;

/// Shows the newest picture.
pub(super) fn show(desk: &Desk<'_>) -> Outcome {
    let snapshot = desk.engine.snapshot();
    let shown = if desk.json { desk.out.json(&shape(&snapshot)) } else { desk.out.line(table(&snapshot).trim_end()) };
    Ok(shown?)
}

/// The shape that programs may rely on; fields may be added, none renamed.
fn shape(snapshot: &EngineSnapshot) -> Value {
    let weights: Map<String, Value> =
        Term::ALL.into_iter().map(|term| (term.name().to_owned(), json!(snapshot.weights.get(term)))).collect();
    let arms: Vec<Value> = snapshot.arms.iter().map(arm_shape).collect();
    json!({
        "version": snapshot.version,
        "feature_version": snapshot.feature_version,
        "features": snapshot.features,
        "d": snapshot.d,
        "sequence": snapshot.sequence,
        "router": snapshot.router,
        "strategy": snapshot.strategy,
        "mode": snapshot.mode,
        "k": snapshot.k,
        "alpha": snapshot.alpha,
        "explore_share": snapshot.explore_share,
        "window": snapshot.window,
        "weights": weights,
        "fallback_penalty": snapshot.weights.fallback_penalty(),
        "budget_per_request_usd": snapshot.budget_per_request_usd,
        "budget_per_day_usd": snapshot.budget_per_day_usd,
        "spent_today_usd": snapshot.totals.usd_today,
        "account": snapshot.account,
        "arms": arms,
        "endpoints": snapshot.helpers,
        "conversations": snapshot.tally.conversations,
        "totals": snapshot.totals,
        "objectives": snapshot.objectives,
        "store": snapshot.store,
        "alarms": snapshot.alarms,
    })
}

fn arm_shape(row: &ArmRow) -> Value {
    json!({
        "arm": row.arm,
        "state": row.state,
        "state_reason": row.state_reason,
        "trials": row.trials,
        "wins": row.wins,
        "share": row.share,
        "share_delta": row.share_delta,
        "preview_share": row.preview_share,
        "mean": row.mean,
        "mean_reward": row.mean_reward,
        "uncertainty": row.uncertainty,
        "p95_preview_s": row.p95_preview_s,
        "error_rate": row.error_rate,
        "cost_usd_per_run": row.cost_usd_per_run,
        "effective_n": row.effective_n,
        "places": row.places,
        "served_by_intent": row.served_by_intent,
        "until": row.until,
        "limits": row.limits,
        "extras": row.extras,
    })
}

const COLUMNS: [&str; 11] =
    ["state", "share", "mean ± unc.", "p95 s", "reward", "err", "$/run", "trials", "wins", "best", "1st/2nd/3rd"];

fn table(snapshot: &EngineSnapshot) -> String {
    let mut text = head(snapshot);
    let names = snapshot.arms.iter().map(|row| row.arm.as_str().chars().count());
    let width = names.max().unwrap_or(0).max(3);
    let [state, share, mean, p95, reward, err, dollars, trials, wins, best, places] = COLUMNS;
    _ = writeln!(
        text,
        "{:width$}  {state:11} {share:>6} {mean:>13} {p95:>6} {reward:>7} {err:>6} {dollars:>9} {trials:>7} {wins:>6} {best:>6}  {places}",
        "arm"
    );
    for row in &snapshot.arms {
        let percent = |ratio: Option<Ratio>| number(ratio.map(|ratio| 100.0 * ratio.get()), |p| format!("{p:.1}%"));
        let mean = number(row.mean.zip(row.uncertainty), |(mean, unc)| format!("{mean:.3} ±{unc:.3}"));
        let p95 = number(row.p95_preview_s, |seconds| format!("{seconds:.2}"));
        let reward = number(row.mean_reward, |reward| format!("{reward:.3}"));
        let dollars = number(row.cost_usd_per_run, |dollars| format!("{dollars:.5}"));
        let (arm, state, share, err) = (
            row.arm.as_str(),
            row.state.shown(row.state_reason.as_deref()),
            percent(row.share),
            percent(row.error_rate),
        );
        let (trials, wins) = (row.trials, row.wins);
        let best = percent(row.places.best_share());
        let places = row.places.first_three.map(|count| count.to_string()).join("/");
        _ = writeln!(
            text,
            "{arm:width$}  {state:11} {share:>6} {mean:>13} {p95:>6} {reward:>7} {err:>6} {dollars:>9} {trials:>7} {wins:>6} {best:>6}  {places}"
        );
    }
    for row in &snapshot.arms {
        for said in [out(row), row.limits.as_ref().map(|limits| held(limits, snapshot.at))].into_iter().flatten() {
            _ = writeln!(text, "{}: {}", row.arm, crate::domain::text::one_line(&said));
        }
    }
    for alarm in &snapshot.alarms {
        _ = writeln!(text, "! {}", crate::domain::text::one_line(&alarm.message));
    }
    text
}

/// Why an arm is where it is, and when it is asked again.
fn out(row: &ArmRow) -> Option<String> {
    let reason = row.state_reason.as_deref()?;
    let again = if row.state.shown(Some(reason)) == "cooling" { "back" } else { "next probe" };
    Some(row.until.map_or_else(|| reason.to_owned(), |until| format!("{reason}; {again} {}", until.rfc3339())))
}

/// The bounds of an arm's share, and how near it is to them.
fn held(limits: &ArmLimits, now: Timestamp) -> String {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let taken = number(limits.taken, |taken| percent(taken.get()));
    let note = if limits.is_held() { "" } else { " (outside them)" };
    let (least, most) = limits.now;
    let mut text =
        format!("takes part in {taken} of {} runs{note}, limits {} to {}", limits.runs, percent(least), percent(most));
    if let Some(end) = limits.rises_until(now) {
        _ = write!(text, ", rising to {} until {}", percent(limits.set.max), end.rfc3339());
    }
    text
}

fn head(snapshot: &EngineSnapshot) -> String {
    let terms = Term::ALL.into_iter().filter(|term| snapshot.weights.get(*term) > 0.0);
    let weights: Vec<String> = terms.map(|term| format!("{} {:.2}", term.name(), snapshot.weights.get(term))).collect();
    let mut text = format!(
        "sequence {} · {} · {} · k {} · {} features, d {} · version {}\nweights {} · α {} · explore {:.1}% · {} ({})\n",
        snapshot.sequence,
        snapshot.strategy.name(),
        snapshot.router.name(),
        snapshot.k,
        snapshot.features,
        snapshot.d,
        snapshot.feature_version,
        weights.join(", "),
        snapshot.alpha,
        100.0 * snapshot.explore_share,
        snapshot.store.kind,
        snapshot.store.durability.name(),
    );
    if let Some((ceiling, account)) = snapshot.budget_per_request_usd.zip(snapshot.account) {
        let used = number(account.utilisation, |used| format!("{:.1}%", 100.0 * used));
        let (spent, allowed, lambda) = (account.spent_usd, account.allowed_usd, account.lambda);
        _ = writeln!(
            text,
            "ceiling ${ceiling}/run · spent ${spent:.6} of ${allowed:.6} allowed ({used}) · λ {lambda:.4}"
        );
    }
    if let Some(ceiling) = snapshot.budget_per_day_usd {
        _ = writeln!(text, "today (UTC) ${:.6} of ${ceiling} is spent", snapshot.totals.usd_today);
    }
    if let Some(notice) = &snapshot.store.notice {
        _ = writeln!(text, "store: {}", crate::domain::text::one_line(notice));
    }
    let Conversations { begun, kept, left } = snapshot.tally.conversations;
    if begun + kept + left > 0 {
        _ = writeln!(text, "conversations: {begun} begun, {kept} turns kept their arm, {left} left it");
    }
    if snapshot.mode.pinned.is_some() || snapshot.mode.learning_paused || snapshot.mode.strategy.is_some() {
        text.push_str("mode:");
        if let Some(strategy) = snapshot.mode.strategy {
            _ = write!(text, " {}", strategy.name());
        }
        if let Some(arm) = &snapshot.mode.pinned {
            _ = write!(text, " pinned to {arm}");
        }
        if snapshot.mode.learning_paused {
            text.push_str(" learning paused");
        }
        if let Some(until) = snapshot.mode.expires {
            _ = write!(text, " until {}", until.rfc3339());
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

/// No data is `--`, never 0.
fn number<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "--".to_owned(), show)
}
