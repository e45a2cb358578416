//! `banditop off-policy`: what policies would have earned on exported runs, with how much the log can say
//! about each. A policy that the log does not support gets the reason in place of a number.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::args::{self};
use super::{configured_beliefs, counting, input, source, uniforms};
use crate::cli::context::Context;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::Output;
use crate::cli::parts;
use crate::domain::ids::ArmId;
use crate::domain::spec::{RouterKind, SetChoice};
use crate::domain::text::one_line;
use crate::evaluation::logged::{Figure, Log, Target, Worth};
use crate::evaluation::off_policy::NoEstimate;
use crate::evaluation::{Problem, RouterSetup};

/// `off-policy`.
#[derive(Debug, Args)]
pub(in crate::cli) struct OffPolicyArgs {
    /// Exported runs (`banditop state export --runs`), also gzipped; `-` reads standard input
    file: std::path::PathBuf,
    /// Whose worth: router (as configured), linucb, lints, best-arm, baseline (pool order), uniform, or arm:NAME; may be repeated
    /// [default: all of them, and every arm]
    #[arg(long, value_name = "POLICY")]
    policy: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Exploration, in units of an arm's own uncertainty [default: the configured one]
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", value_parser = args::at_least_zero)]
    alpha: Option<f64>,
    /// Take the recorded contexts (`x`) instead of making them of the prompts
    #[arg(long)]
    x: bool,
}

type Found = (String, Result<Worth, NoEstimate>);

/// Runs `off-policy`.
pub(in crate::cli) fn run(context: &Context, args: &OffPolicyArgs) -> Outcome {
    let settings = context.settings();
    let records = input::records(&args.file)?;
    let features = parts::features(&settings.features);
    let source = source(args.x, features.as_ref())?;
    let problem = Problem::new(&records, source, counting(context, &records)?).map_err(CliError::usage)?;
    let beliefs = configured_beliefs(context, features.as_ref(), &problem)?;
    let setup = |kind: RouterKind| RouterSetup {
        kind,
        alpha: args.alpha.unwrap_or_else(|| settings.router.alpha_for(kind)),
        explore_share: settings.router.explore,
        config: parts::router_config(&settings.router, features.as_ref()),
        set: SetChoice::ExpectedBest,
        budget: None,
        priors: beliefs.clone(),
    };
    let targets = targets(&args.policy, problem.arms(), settings.router.policy, &setup)?;
    let model = RouterSetup { priors: Vec::new(), ..setup(RouterKind::Linucb) };
    let log = Log { problem: &problem, model: &model, seed: settings.simulation.seed, generator: &uniforms };
    let found: Vec<Found> = targets.iter().map(|(name, target)| (name.clone(), log.worth(target))).collect();
    // What is wrong with the log itself is wrong for every policy.
    if let [(_, Err(reason)), ..] = found.as_slice()
        && found.iter().all(|(_, worth)| worth.is_err())
    {
        return Err(CliError::failed(format!("{}: {reason}", args.file.display())));
    }
    let served = served_mean(&records);
    let out = Output::new();
    let printed = if args.json {
        out.json(&json!({
            "rows": problem.rows(),
            "arms": problem.arms(),
            "d": problem.dimensions(),
            "seed": settings.simulation.seed,
            "served_mean_quality": served,
            "lost": problem.lost(),
            "left_out": problem.left_out(),
            "policies": found.iter().map(shape).collect::<Vec<Value>>(),
        }))
    } else {
        out.line(&table(&problem, served, &found))
    };
    Ok(printed?)
}

fn targets(
    names: &[String],
    arms: &[ArmId],
    configured: RouterKind,
    setup: &dyn Fn(RouterKind) -> RouterSetup,
) -> Outcome<Vec<(String, Target)>> {
    let router = |kind| Target::Router(Box::new(setup(kind)));
    if names.is_empty() {
        let routers = [("linucb", router(RouterKind::Linucb)), ("lints", router(RouterKind::Lints))];
        let others = [("best-arm", Target::BestArm), ("uniform", Target::Uniform)];
        let singles = arms.iter().map(|arm| (format!("arm:{}", one_line(arm.as_str())), Target::Arm(arm.clone())));
        let common = routers.into_iter().chain(others).map(|(name, target)| (name.to_owned(), target));
        return Ok(common.chain(singles).collect());
    }
    let target = |name: &String| match name.as_str() {
        "router" => Ok(router(configured)),
        "linucb" => Ok(router(RouterKind::Linucb)),
        "lints" => Ok(router(RouterKind::Lints)),
        "best-arm" => Ok(Target::BestArm),
        "baseline" => Ok(Target::Baseline),
        "uniform" => Ok(Target::Uniform),
        other => {
            other.strip_prefix("arm:").map(ArmId::new).filter(|arm| arms.contains(arm)).map(Target::Arm).ok_or_else(
                || {
                    let known: Vec<&str> = arms.iter().map(ArmId::as_str).collect();
                    let expected = "router, linucb, lints, best-arm, baseline, uniform or arm:NAME";
                    CliError::usage(format!("no policy {other:?}: expected {expected}"))
                        .hint(format!("the arms of the file are {}", known.join(", ")))
                },
            )
        }
    };
    names.iter().map(|name| Ok((name.clone(), target(name)?))).collect()
}

/// What was earned when the log was written.
fn served_mean(records: &crate::evaluation::Records) -> Option<f64> {
    let served = |row: &crate::evaluation::records::Row| row.quality.get(row.served?).copied().flatten();
    let values: Vec<f64> = records.rows().iter().filter_map(served).collect();
    crate::evaluation::statistics::mean(&values)
}

fn shape((name, worth): &Found) -> Value {
    match worth {
        Ok(worth) => {
            let mut shape = json!(worth);
            if let Some(fields) = shape.as_object_mut() {
                fields.insert("policy".to_owned(), json!(name));
                fields.insert("refused".to_owned(), Value::Null);
            }
            shape
        }
        Err(reason) => json!({ "policy": name, "refused": reason.to_string() }),
    }
}

fn table(problem: &Problem, served: Option<f64>, found: &[Found]) -> String {
    let mut text =
        format!("{} logged runs × {} arms, d {}", problem.rows(), problem.arms().len(), problem.dimensions());
    if let Some(served) = served {
        _ = write!(text, "; what was served had quality {served:.4}");
    }
    let width = found.iter().map(|(name, _)| name.width()).max().unwrap_or(0).max(6);
    let head = ["doubly robust ± 95 %", "SNIPS", "IPS", "model", "worth", "max w"];
    let [dr, snips, ips, dm, ess, largest] = head;
    _ = write!(
        text,
        "\n\npolicy{}  {dr:>20}  {snips:>15}  {ips:>7}  {dm:>6}  {ess:>6}  {largest:>6}",
        " ".repeat(width - 6)
    );
    let half = |figure: &Figure| figure.ci95[1] - figure.value;
    for (name, worth) in found {
        let pad = " ".repeat(width - name.width());
        match worth {
            Ok(w) => {
                let (dr, snips) = (
                    format!("{:.4} ± {:.4}", w.dr.value, half(&w.dr)),
                    format!("{:.4} ± {:.4}", w.snips.value, half(&w.snips)),
                );
                _ = write!(
                    text,
                    "\n{name}{pad}  {dr:>20}  {snips:>15}  {:>7.4}  {:.4}  {:>6.0}  {:>6.1}",
                    w.ips.value, w.dm.value, w.effective_sample_size, w.largest_weight
                );
            }
            Err(reason) => _ = write!(text, "\n{name}{pad}  {reason}"),
        }
    }
    for lost in problem.lost() {
        let (arm, n, all) = (one_line(lost.arm.as_str()), lost.lost, lost.selected);
        _ = write!(text, "\n{n} of {all} selections of {arm} were not judged: its others weigh as much more");
    }
    if problem.left_out() > 0 {
        let n = problem.left_out();
        _ = write!(
            text,
            "\n{n} runs are left out: their propensities sum to no number of arms, so they are not those of a choice"
        );
    }
    text.push_str(
        "\n\nworth: decisions of the policy that the log is worth (effective sample size); max w: its largest weight",
    );
    text
}
