//! `banditop compare --experiment`: the variants of an experiment, told from exported runs. Reads the file,
//! brings the generator, prints; the figures are `evaluation`'s.

use std::fmt::Write as _;

use super::args::CompareArgs;
use super::{input, uniforms};
use crate::cli::context::Context;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::Output;
use crate::domain::text::one_line;
use crate::evaluation::statistics::Interval;
use crate::evaluation::variants::{Experiment, ExperimentFault, Measure, SideBySide, VariantDifference, VariantReport};

/// Runs it.
pub(super) fn run(context: &Context, args: &CompareArgs) -> Outcome {
    let name = args.how.file.display().to_string();
    let mut experiment = Experiment::default();
    input::lines(&args.how.file, &mut |line| {
        experiment.line(line).map(|()| true).map_err(|fault| CliError::usage(format!("{name}: {fault}")))
    })?;
    let mut draw = uniforms(context.settings().simulation.seed);
    let found = experiment.compare(&mut draw).map_err(|fault| {
        let refused = CliError::usage(format!("{name}: {fault}"));
        let is_none = matches!(fault, ExperimentFault::TooFew { .. });
        if is_none { refused.hint("runs are assigned by [experiment]: race = 1, direct = 1") } else { refused }
    })?;
    let out = Output::new();
    if args.how.json {
        return Ok(out.json(&found)?);
    }
    Ok(out.line(&table(&found))?)
}

fn table(found: &SideBySide) -> String {
    let names = found.variants.iter().map(|variant| variant.variant.chars().count());
    let width = names.max().unwrap_or(0).max(8);
    let mut text = format!("{} runs of {} variants", found.runs, found.variants.len());
    if found.unassigned > 0 {
        _ = write!(text, "; {} more were not assigned", found.unassigned);
    }
    let pad = " ".repeat(width - 7);
    _ = write!(text, "\n\nvariant{pad}  share       n  judged  reward ± 95 %   resolved     $/run  seconds     p95");
    for variant in &found.variants {
        _ = write!(text, "\n{}", variant_line(variant, width));
    }
    let pad = " ".repeat((2 * width).saturating_sub(7));
    _ = write!(text, "\n\ndifference{pad}  measure        mean     95 % interval          told of    p (Holm)");
    for difference in &found.differences {
        _ = write!(text, "\n{}", difference_line(difference, width));
    }
    if found.shares_changed {
        text.push_str(
            "\n\nshares changed in these runs, so a difference may be one of the time: compare one share at a time",
        );
    }
    if found.variants.iter().any(|variant| variant.judged < variant.n) {
        text.push_str("\n\nreward is told of judged runs alone; judge.direct_share has more of the direct ones judged");
    }
    text
}

fn variant_line(variant: &VariantReport, width: usize) -> String {
    let reward = variant
        .reward
        .map_or_else(|| format!("{:>15}", "–"), |Interval { mean, hi, .. }| format!("{mean:.4} ± {:.4}", hi - mean));
    let figure = |interval: Option<Interval>, digits: usize, scale: f64| {
        interval.map_or_else(|| "–".to_owned(), |interval| format!("{:.digits$}", scale * interval.mean))
    };
    let p95 = variant.p95_s.map_or_else(|| "–".to_owned(), |p95| format!("{p95:.2}"));
    format!(
        "{:width$}  {:>3.0} %  {:>6}  {:>6}  {reward}  {:>6} %  {:>8}  {:>7}  {p95:>6}",
        one_line(&variant.variant),
        100.0 * variant.share,
        variant.n,
        variant.judged,
        figure(variant.resolved, 1, 100.0),
        figure(variant.usd, 6, 1.0),
        figure(variant.seconds, 2, 1.0),
    )
}

fn difference_line(difference: &VariantDifference, width: usize) -> String {
    let digits = if difference.measure == Measure::Usd { 6 } else { 4 };
    let [lo, hi] = difference.ci95;
    let told = difference.pairs.map_or_else(|| "runs".to_owned(), |pairs| format!("{pairs} prompts"));
    let interval = format!("[{lo:+.digits$}, {hi:+.digits$}]");
    format!(
        "{:width$} − {:width$}  {:<8}  {:>+9.digits$}  {interval:<22}  {told:<9}  {:.4}{}",
        one_line(&difference.variant),
        one_line(&difference.against),
        difference.measure.name(),
        difference.mean,
        difference.p_holm,
        if difference.significant { " *" } else { "" }
    )
}
