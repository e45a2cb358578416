//! `banditop priors`: what recorded outcomes say about arms, worth as many observations as one grants them;
//! and how a running router is told. Also what the configuration believes (`router.priors`, `expect`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::evaluate;
use super::failure::{CliError, Outcome};
use super::output::{Output, say};
use super::{parts, state};
use crate::bandit::RouterConfig;
use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::money::Usage;
use crate::domain::prior::{ArmPrior, ResponsePrior};
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::spec::ConfigPriors;
use crate::domain::text::one_line;
use crate::evaluation::priors::Priors;
use crate::reward::CandidateStats;
use crate::settings::{Expectation, Settings};

/// Tokens of a prompt, where a price has to become the dollars of a preview.
const PROMPT_TOKENS: u32 = 100;

/// Arguments of `priors`.
#[derive(Debug, Args)]
pub(super) struct PriorsArgs {
    /// What about them.
    #[command(subcommand)]
    action: PriorsAction,
}

#[derive(Debug, Subcommand)]
enum PriorsAction {
    /// Fit priors to recorded outcomes
    ///
    /// Shows what they say of each arm; --out keeps them in a file for `priors apply`, `replay --priors` and the
    /// key `router.priors`. They hold for the features they were fitted with (see --bandit-features).
    Fit(FitArgs),
    /// Tell the router priors that were fitted; undone like any other action
    Apply {
        /// What `priors fit --out` wrote; `-` reads standard input
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take the priors of arms back
    Clear {
        /// Which; all where none is named
        arms: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct FitArgs {
    /// Recorded outcomes, one JSON object a line, also gzipped; `-` reads standard input
    file: PathBuf,
    /// Observations that each arm's prior is worth, at most as many as there are rows
    #[arg(long, value_name = "N", default_value_t = 50.0, value_parser = evaluate::above_zero)]
    n_effective: f64,
    /// Take the recorded contexts (`x`) instead of making them of the prompts
    #[arg(long)]
    x: bool,
    /// Write them to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

impl PriorsArgs {
    /// Whether an engine is needed.
    pub(super) const fn needs_engine(&self) -> bool {
        !matches!(self.action, PriorsAction::Fit(_))
    }
}

/// Runs `priors fit`, which needs no engine.
pub(super) fn fit(context: &Context, args: &PriorsArgs) -> Outcome {
    let PriorsAction::Fit(args) = &args.action else { return Ok(()) };
    let priors = evaluate::fitted(context, &args.file, args.x, args.n_effective)?;
    let text = priors.text().map_err(CliError::failed)?;
    let out = Output::new();
    if let Some(path) = &args.out {
        state::replace(path, &format!("{text}\n"))?;
    }
    if args.json {
        return Ok(out.line(&text)?);
    }
    out.line(&table(&priors))?;
    match &args.out {
        Some(path) => say(&format!("written to {0}: banditop priors apply {0}", path.display())),
        None => say("note: nothing was written: --out FILE keeps them"),
    }
    Ok(())
}

fn table(priors: &Priors) -> String {
    let mut text = format!("d {}, version {}\n\n", priors.d, priors.feature_version);
    let names: Vec<String> = priors.arms.iter().map(|arm| one_line(arm.prior.arm.as_str())).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(3);
    _ = write!(text, "{:width$}  {:>7}  {:>7}  {:>7}  {:>10}", "arm", "rows", "worth", "quality", "$/answer");
    for (arm, name) in priors.arms.iter().zip(&names) {
        let dollars = arm.mean_usd.map_or_else(|| "--".to_owned(), |dollars| format!("{dollars:.6}"));
        _ = write!(
            text,
            "\n{name:width$}  {:>7}  {:>7.1}  {:>7.4}  {dollars:>10}",
            arm.rows, arm.prior.n, arm.mean_quality
        );
    }
    text
}

/// Runs `priors apply` and `priors clear`.
pub(super) async fn tell(context: &Context, args: PriorsArgs) -> Outcome {
    match args.action {
        PriorsAction::Fit(_) => Ok(()),
        PriorsAction::Apply { file, json } => {
            let priors = read(&file)?;
            state::send(context, json, &|snapshot| applied(&priors, snapshot)).await
        }
        PriorsAction::Clear { arms, json } => {
            let cleared = |snapshot: &EngineSnapshot| {
                let all = snapshot.arms.iter().map(|row| row.arm.clone());
                let named = arms.iter().map(|name| ArmId::new(name));
                let arms = if arms.is_empty() { all.collect() } else { named.collect::<Vec<_>>() };
                let arms = arms.into_iter().map(ArmPrior::none).collect();
                Ok(RouterCommand::SetPrior { feature_version: snapshot.feature_version.clone(), arms })
            };
            state::send(context, json, &cleared).await
        }
    }
}

/// The priors of arms that are in the pool; who is not is said.
fn applied(priors: &Priors, snapshot: &EngineSnapshot) -> Outcome<RouterCommand> {
    let is_there = |belief: &ArmPrior| snapshot.arms.iter().any(|row| row.arm == belief.arm);
    let (arms, others): (Vec<_>, Vec<_>) = priors.beliefs().into_iter().partition(is_there);
    let others: Vec<String> = others.iter().map(|belief| one_line(belief.arm.as_str())).collect();
    if arms.is_empty() {
        let pool: Vec<&str> = snapshot.arms.iter().map(|row| row.arm.as_str()).collect();
        let message = format!("no arm of the file ({}) is in the pool ({})", others.join(", "), pool.join(", "));
        return Err(CliError::usage(message));
    }
    if !others.is_empty() {
        say(&format!("note: not in the pool, left out: {}", others.join(", ")));
    }
    Ok(RouterCommand::SetPrior { feature_version: priors.feature_version.clone(), arms })
}

/// Reads a file of priors.
pub(super) fn read(file: &Path) -> Outcome<Priors> {
    let text = state::text_of(file, "banditop priors fit --out")?;
    Priors::read(&text).map_err(|fault| CliError::usage(format!("{}: {fault}", file.display())))
}

/// What the configuration believes of arms: its file of priors, and what it expects of arms that are not in it.
pub(super) fn configured(settings: &Settings, config: &RouterConfig) -> Outcome<ConfigPriors> {
    let mut arms = Vec::new();
    if let Some(path) = &settings.router.priors {
        let priors = read(path)?;
        if priors.feature_version != config.feature_version {
            let (found, expected) = (&priors.feature_version, &config.feature_version);
            let message =
                format!("{}: fitted with features {found}, this configuration has {expected}", path.display());
            return Err(CliError::usage(message).hint("fit them again, or leave out `router.priors`"));
        }
        let is_ours = |belief: &ArmPrior| settings.arms.iter().any(|arm| arm.name == belief.arm);
        arms.extend(priors.beliefs().into_iter().filter(is_ours));
    }
    for expected in &settings.expectations {
        if arms.iter().all(|belief| belief.arm.as_str() != expected.arm) {
            arms.push(belief(expected, settings, config));
        }
    }
    Ok(ConfigPriors { feature_version: config.feature_version.clone(), arms })
}

/// An expectation as a prior on the level alone: it says nothing about which prompts an arm is good at.
fn belief(expected: &Expectation, settings: &Settings, config: &RouterConfig) -> ArmPrior {
    let name = ArmId::new(&expected.arm);
    let (d, n) = (config.d, expected.n);
    let references = parts::references(&settings.reward);
    let price = settings.arms.iter().find(|arm| arm.name == name).and_then(|arm| arm.price);
    let preview = Usage {
        input_tokens: PROMPT_TOKENS,
        output_tokens: settings.preview.min_tokens,
        estimated: true,
        ..Usage::default()
    };
    let terms = |stats: CandidateStats| references.grade(&stats).terms;
    let latency = |seconds: f64| terms(CandidateStats { p95_s: Some(seconds), ..CandidateStats::default() }).latency;
    let cost = |dollars: f64| terms(CandidateStats { cost_usd: Some(dollars), ..CandidateStats::default() }).cost;
    // It says nothing about the scatter either: that stays what the router believes of any arm.
    let level = |mean: f64| ResponsePrior::of_level(d, n, mean, config.prior.noise_prior);
    ArmPrior {
        quality: expected.quality.map(level),
        latency: expected.latency_s.map(|seconds| level(latency(seconds))),
        cost: price.map(|price| level(cost(price.cost(&preview)))),
        dollars: expected.usd.map(|usd| ResponsePrior::of_level(d, n, usd, 0.0)),
        ..ArmPrior::of_level(name, d, n)
    }
}
