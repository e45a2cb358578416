//! Reports and comparisons as tables for a person.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::super::output::counted;
use super::plot::{Curve, Pen, draw};
use crate::domain::text::one_line;
use crate::evaluation::{Comparison, Difference, Name, Report};

/// A report as lines.
pub(super) fn report(report: &Report, ascii: bool) -> String {
    let mut text = String::new();
    let title = format!("{}, {}", report.policy.text(), sizes(report));
    _ = writeln!(text, "{title}\n");
    let worst = report.worst_shuffle;
    _ = match report.ci95 {
        Some([_, hi]) => {
            let half = hi - report.mean_reward;
            writeln!(text, "mean reward       {:.4} ± {half:.4} (95 %), worst shuffle {worst:.4}", report.mean_reward)
        }
        None => writeln!(text, "mean reward       {:.4}, of one shuffle: no interval", report.mean_reward),
    };
    if let Some(log) = &report.logged {
        let (effective, rows) = (log.effective_rows, report.rows);
        _ = writeln!(
            text,
            "effective rows    {effective:.0} of {rows}: exported runs on which the policy's arm had been seen"
        );
        if log.lost_selections > 0 {
            let (lost, all) = (log.lost_selections, log.selections);
            _ = writeln!(text, "not judged        {lost} of {all} selections: their calls failed in passing");
        }
        if log.unsupported_rows > 0 {
            _ = writeln!(
                text,
                "without support   {} rows: a candidate could not have been seen there",
                log.unsupported_rows
            );
        }
        if log.left_out > 0 {
            _ = writeln!(text, "left out          {} rows: their propensities are not those of a choice", log.left_out);
        }
    } else {
        in_hindsight(&mut text, report);
    }
    if let Some(signals) = signals_at_zero(report) {
        _ = writeln!(text, "signals           {signals}");
    }
    if let (Some(answer), Some(race)) = (report.usd_per_request, report.usd_per_race) {
        let extra = if report.k > 1 { format!(", {race:.6} with all {} answers", report.k) } else { String::new() };
        _ = writeln!(text, "dollars           {answer:.6} a request{extra}");
    }
    text.push_str(&ceiling(report));
    if let Some(speed) = report.decisions_per_s {
        _ = writeln!(text, "speed             {speed:.0} decisions/s");
    }
    _ = write!(text, "\n{}", shares(report, ascii));
    text
}

/// What only all arms together tell.
fn in_hindsight(text: &mut String, report: &Report) {
    _ = writeln!(text, "oracle            {:.4}, missed in sum {:.1} a pass", report.oracle, report.regret);
    let single = &report.best_single;
    _ = writeln!(text, "best single arm   {:.4}  {}", single.mean, one_line(single.arm.as_str()));
    if let Some(set) = &report.best_fixed_set {
        let names: Vec<String> = set.arms.iter().map(|arm| one_line(arm.as_str())).collect();
        _ = writeln!(text, "best fixed set    {:.4}  {}", set.mean, names.join(", "));
    }
    _ = writeln!(text, "random arm        {:.4}", report.random);
    _ = writeln!(text, "routing accuracy  {:.1} %", 100.0 * report.routing_accuracy);
}

/// Shares from 0 to 1 as small bars, or as digits from 0 to 9.
fn sparkline(shares: impl Iterator<Item = f64>, ascii: bool) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "of a share, clamped")]
    let level = |share: f64, levels: usize| (share.clamp(0.0, 1.0) * (levels - 1) as f64).round() as usize;
    let digit = |share: f64| char::from_digit(u32::try_from(level(share, 10)).unwrap_or(0), 10).unwrap_or('0');
    shares.map(|share| if ascii { digit(share) } else { BARS[level(share, BARS.len())] }).collect()
}

/// The regret of a policy beside that of the best single arm and of any arm.
pub(super) fn regret_of_one(report: &Report, pen: Pen) -> String {
    if report.logged.is_some() {
        return "regret: of exported runs nobody knows what the arms that did not race would have earned".to_owned();
    }
    let straight = |name: &str, mean: f64| Curve {
        name: name.to_owned(),
        points: report
            .regret_curve
            .iter()
            .map(|(n, _)| (*n as f64, *n as f64 * (report.oracle - mean).max(0.0)))
            .collect(),
    };
    let others = [straight("best single", report.best_single.mean), straight("random", report.random)];
    let curves: Vec<Curve> = std::iter::once(curve(report)).chain(others).collect();
    draw("regret against the best arm of every prompt, mean of a pass", "requests", &curves, pen)
}

/// The regrets of all policies.
pub(super) fn regret_of_all(found: &Comparison, pen: Pen) -> String {
    let curves: Vec<Curve> = found.policies.iter().map(curve).collect();
    draw("regret against the best arm of every prompt, mean of a pass", "requests", &curves, pen)
}

fn curve(report: &Report) -> Curve {
    let name = if report.policy == Name::EpsilonGreedy { "e-greedy 0.1" } else { report.policy.text() };
    Curve {
        name: name.to_owned(),
        points: report.regret_curve.iter().map(|(n, regret)| (*n as f64, *regret)).collect(),
    }
}

/// How the ceiling was kept, and what a fixed mixture of arms reaches under it.
fn ceiling(report: &Report) -> String {
    let (Some(ceiling), Some(used)) = (report.budget_per_request_usd, report.utilisation) else { return String::new() };
    let most = report.utilisation_per_shuffle.iter().copied().fold(0.0, f64::max);
    let (used, most) = (100.0 * used, 100.0 * most);
    let mut text = format!("ceiling           {ceiling:.6} a request, {used:.2} % of it used, at most {most:.2} %\n");
    if let Some(race) = report.usd_per_race.filter(|_| report.k > 1) {
        let all = 100.0 * race / ceiling;
        _ = writeln!(
            text,
            "                  of what was served: all {} answers in full would be {all:.2} %, the mix is of one each",
            report.k
        );
    }
    match &report.best_fixed_mixture {
        Some(best) => {
            let share = |(arm, share): (&_, &f64)| {
                format!("{:.1} % {}", 100.0 * share, one_line(crate::domain::ids::ArmId::as_str(arm)))
            };
            let arms: Vec<String> = best.share.iter().map(share).collect();
            _ = writeln!(text, "best fixed mix    {:.4}  {}", best.mean, arms.join(", "));
        }
        None => text.push_str(
            "best fixed mix    none: even the cheapest arm is above the ceiling, or none is there on every request\n",
        ),
    }
    text
}

fn shares(report: &Report, ascii: bool) -> String {
    let names: Vec<String> = report.arms.iter().map(|arm| one_line(arm.as_str())).collect();
    let width = names.iter().map(|name| name.width()).max().unwrap_or(0).max(3);
    let last = report.share_curve.last().map_or(0, |point| point.n);
    let mut text = format!("arm{}  served   raced  served over {last} requests", " ".repeat(width - 3));
    for (arm, name) in report.arms.iter().zip(&names) {
        let share = |of: &std::collections::BTreeMap<_, f64>| 100.0 * of.get(arm).copied().unwrap_or(0.0);
        let pad = " ".repeat(width - name.width());
        // Two points a cell: fifty points are a line of a narrow terminal.
        let over_time = report.share_curve.chunks(2).map(|points| {
            points.iter().map(|point| point.share.get(arm).copied().unwrap_or(0.0)).sum::<f64>() / points.len() as f64
        });
        let line = sparkline(over_time, ascii);
        let (served, raced) = (share(&report.share), share(&report.preview_share));
        let row = format!("{name}{pad} {served:5.1} % {raced:5.1} %  {line}");
        _ = write!(text, "\n{}", row.trim_end());
    }
    text
}

/// What was run, in numbers.
fn sizes(report: &Report) -> String {
    format!(
        "k {}, {} × {}, d {}, {}, seed {}",
        report.k,
        counted(report.rows, "row"),
        counted(report.arms.len(), "arm"),
        report.d,
        counted(report.shuffles, "shuffle"),
        report.seed
    )
}

/// A comparison as lines: the policies, then every difference.
pub(super) fn comparison(found: &Comparison) -> String {
    let mut text = String::new();
    if let Some(first) = found.policies.first() {
        let ceiling =
            first.budget_per_request_usd.map_or_else(String::new, |usd| format!(", ceiling {usd:.6} a request"));
        _ = writeln!(text, "{}{ceiling}\n", sizes(first));
    }
    _ = writeln!(text, "policy          mean   ± 95 %   worst   accuracy  $/request   $/race");
    for report in &found.policies {
        let usd = |dollars: Option<f64>| dollars.map_or_else(|| "–".to_owned(), |dollars| format!("{dollars:.6}"));
        _ = writeln!(
            text,
            "{} {:.4}  {:>6}  {:.4}  {:6.1} %  {:>9}  {:>9}",
            padded(report.policy.text()),
            report.mean_reward,
            report.ci95.map_or_else(|| "–".to_owned(), |[_, hi]| format!("{:.4}", hi - report.mean_reward)),
            report.worst_shuffle,
            100.0 * report.routing_accuracy,
            usd(report.usd_per_request),
            usd(report.usd_per_race)
        );
    }
    if let Some(first) = found.policies.first() {
        _ = writeln!(text, "{} {:.4}", padded("oracle"), first.oracle);
        _ = writeln!(text, "{} {:.4}", padded("best single"), first.best_single.mean);
        if let Some(best) = &first.best_fixed_mixture {
            _ = writeln!(text, "{} {:.4}", padded("best fixed mix"), best.mean);
        }
        for report in found.policies.iter().filter(|report| report.utilisation.is_some()) {
            let most = report.utilisation_per_shuffle.iter().copied().fold(0.0, f64::max);
            let used = report.utilisation.unwrap_or(0.0);
            let name = padded(report.policy.text());
            _ = writeln!(text, "{name} {:.1} % of the ceiling used, at most {:.1} %", 100.0 * used, 100.0 * most);
        }
    }
    _ = write!(text, "\ndifference                       mean     95 % interval       shuffles  p (Holm)");
    for difference in &found.differences {
        _ = write!(
            text,
            "\n{}",
            difference_line(difference, found.policies.first().map_or(0, |report| report.shuffles))
        );
    }
    // So many shuffles give no p-value much below 1 / 2ⁿ, which Holm's correction multiplies.
    let least = |shuffles: usize| found.differences.len() as f64 * 0.5_f64.powi(i32::try_from(shuffles).unwrap_or(99));
    if found.policies.first().is_some_and(|report| report.shuffles > 1 && least(report.shuffles) > 0.05) {
        text.push_str("\n\nwith so few shuffles a difference can hardly be significant: --shuffles 20");
    }
    if let Some(signals) = found.policies.first().and_then(signals_at_zero) {
        _ = write!(text, "\n\nof the context {signals}");
    }
    if let Some(first) = found.policies.first().filter(|first| first.k >= first.arms.len() && first.k > 1) {
        let arms = first.arms.len();
        _ = write!(text, "\n\nevery policy sees all {arms} arms of every prompt, so they can hardly differ: --k 1");
    }
    text
}

fn signals_at_zero(report: &Report) -> Option<String> {
    let signals = report.signals_at_zero;
    (signals > 0).then(|| format!("{signals} about each arm count as 0: records hold no history of them"))
}

fn difference_line(difference: &Difference, shuffles: usize) -> String {
    let [lo, hi] = difference.ci95;
    let sign = if difference.significant { " *" } else { "" };
    format!(
        "{} − {} {:+.4}  [{lo:+.4}, {hi:+.4}]  {:>3} of {shuffles}  {:.4}{sign}",
        padded(difference.policy.text()),
        padded(difference.against.text()),
        difference.mean,
        difference.shuffles_won,
        difference.p_holm
    )
}

fn padded(name: &str) -> String {
    format!("{name}{}", " ".repeat(14usize.saturating_sub(name.width())))
}
