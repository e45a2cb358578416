//! What can be typed after `replay` and `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::evaluation::{Change, Join};

/// `replay`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    #[command(flatten)]
    pub(super) how: HowArgs,

    /// Who chooses: the router of the configuration (see --router), or a reference
    #[arg(long, value_enum, default_value_t = PolicyChoice::Router, value_name = "POLICY")]
    pub(super) policy: PolicyChoice,

    /// Begin with these priors (`banditop priors fit --out`) [default: those of the configuration]
    #[arg(long, value_name = "FILE")]
    pub(super) priors: Option<PathBuf>,
}

/// `compare`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CompareArgs {
    #[command(flatten)]
    pub(super) how: HowArgs,

    /// FILE holds exported runs (`banditop export runs`): compare the variants of their `[experiment]`
    #[arg(long, conflicts_with_all = [
        "k", "shuffles", "alpha", "gamma", "window", "judge_noise", "degrade", "price", "add", "warm", "x", "plot",
    ])]
    pub(super) experiment: bool,
}

/// A policy to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyChoice {
    /// The router of the configuration
    Router,
    /// The best arm (or set of k) of the whole file, in hindsight
    BestFixed,
    /// Explores a tenth, else follows the mean; no context
    EpsilonGreedy,
    /// Any arm
    Uniform,
}

/// What both take.
#[derive(Debug, Args)]
pub(super) struct HowArgs {
    /// Recorded outcomes, one JSON object a line, also gzipped; `-` reads standard input. For `compare` also a suite
    pub(super) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Arms that race for each prompt [default: the configured previews per race]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) k: Option<u16>,

    /// Passes over the file, each in an order of its own [default: 20; over a suite 10]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) shuffles: Option<u32>,

    /// Exploration, in units of an arm's own uncertainty [default: the configured one]
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER", value_parser = at_least_zero)]
    pub(super) alpha: Option<f64>,

    /// What of an observation is kept at every request; 1 never forgets
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", value_parser = above_zero_up_to_one)]
    pub(super) gamma: Option<f64>,

    /// Keep observations of the last N requests alone (up to 5 % more); 0 keeps all [default: the configured one]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub(super) window: Option<u64>,

    /// Standard deviation of the judge's error; 0 takes verdicts as exact
    #[arg(long, allow_negative_numbers = true, value_name = "SD", default_value_t = 0.0, value_parser = at_least_zero)]
    pub(super) judge_noise: f64,

    /// An arm (`top`: the most used one) answers worse by DELTA from request FROM until TO
    #[arg(long, value_name = "ARM:FROM:TO:DELTA", value_parser = Change::degrade)]
    pub(super) degrade: Vec<Change>,

    /// An arm's (`top`: the most used one's) dollars are multiplied by FACTOR from request FROM until TO
    #[arg(long, value_name = "ARM:FROM:TO:FACTOR", value_parser = Change::price)]
    pub(super) price: Vec<Change>,

    /// An arm is not there until request AT, then hot-added without a prior
    #[arg(long, value_name = "ARM:AT", value_parser = Join::parse)]
    pub(super) add: Vec<Join>,

    /// Learn from this file first; all figures are of FILE alone
    #[arg(long, value_name = "FILE")]
    pub(super) warm: Option<PathBuf>,

    /// Take the recorded contexts (`x`) instead of making them of the prompts
    #[arg(long)]
    pub(super) x: bool,

    /// Draw the regret over the requests below the figures
    #[arg(long)]
    pub(super) plot: bool,
}

/// A number above 0.
pub(in crate::cli) fn above_zero(text: &str) -> Result<f64, String> {
    number(text, "a number above 0", |value| value > 0.0)
}

pub(super) fn at_least_zero(text: &str) -> Result<f64, String> {
    number(text, "a number of at least 0", |value| value >= 0.0)
}

fn above_zero_up_to_one(text: &str) -> Result<f64, String> {
    number(text, "a number above 0 and at most 1", |value| value > 0.0 && value <= 1.0)
}

fn number(text: &str, expected: &str, is_good: fn(f64) -> bool) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite() && is_good(*value));
    value.ok_or_else(|| format!("expected {expected}"))
}
