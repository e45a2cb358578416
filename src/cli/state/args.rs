//! What can be typed after `banditop state`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::domain::ids::Sequence;

/// Arguments of `state`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StateArgs {
    /// What about it.
    #[command(subcommand)]
    pub(super) action: StateAction,

    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum StateAction {
    /// Show arms, weights and versions
    Show,
    /// Forget a share of the history
    Decay {
        /// What is kept, above 0 and at most 1
        #[arg(long, allow_negative_numbers = true, default_value_t = 0.9, value_name = "SHARE")]
        factor: f64,
        /// Of which arms; of all where none is named
        arms: Vec<String>,
    },
    /// Take out arms that rarely win; never the last one
    Prune {
        /// Arms with fewer judged races are left alone
        #[arg(long, allow_negative_numbers = true, default_value_t = 50, value_name = "N", value_parser = count_of_trials)]
        min_trials: u64,
        /// Arms that won a smaller share of them go
        #[arg(long, allow_negative_numbers = true, default_value_t = 0.05, value_name = "SHARE")]
        min_win_rate: f64,
    },
    /// Switch arms off
    Deactivate {
        /// Which
        #[arg(required = true)]
        arms: Vec<String>,
    },
    /// Bring arms back, on probation, or a judge that is out: `reactivate judge`
    Reactivate {
        /// Which; `judge` is the judge, where no arm is called so
        #[arg(required_unless_present = "judge", conflicts_with = "judge")]
        arms: Vec<String>,
        /// The judge, whatever arms are called
        #[arg(long)]
        judge: bool,
    },
    /// Change reward weights, at once and on all history: `weights quality=0.6 cost=0.2`
    Weights {
        /// A term of the reward, or `fallback_penalty`, with its value
        #[arg(required = true, value_name = "TERM=WEIGHT", value_parser = weight)]
        changes: Vec<(String, f64)>,
    },
    /// Change how much is explored
    Exploration {
        /// In units of an arm's own uncertainty
        #[arg(long, allow_negative_numbers = true, value_name = "NUMBER")]
        alpha: Option<f64>,
        /// Share of runs whose arms are drawn uniformly
        #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
        share: Option<f64>,
    },
    /// Hold mean dollars per run under a ceiling, previews and judge included: `budget 0.002`, `budget off`
    Budget {
        /// Dollars per run, or `off`
        #[arg(allow_negative_numbers = true, value_name = "DOLLARS|off", value_parser = budget)]
        dollars: Ceiling,
    },
    /// Bound the share of runs that an arm takes part in, as for a canary
    Limits {
        /// Which
        arm: String,
        /// At least this share, 0 to 1 [default: 0]
        #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
        min: Option<f64>,
        /// At most this share, 0 to 1 [default: 1]
        #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
        max: Option<f64>,
        /// The upper bound rises from the lower one over so long: 90s, 10m, 2h, 1d
        #[arg(long, value_name = "DURATION", value_parser = super::duration::parse)]
        over: Option<Duration>,
        /// No bounds any more
        #[arg(long, conflicts_with_all = ["min", "max", "over"])]
        off: bool,
    },
    /// Set a mode over what the configuration says; `mode normal` ends it
    Mode(ModeArgs),
    /// Add an arm, or change the declaration of one; what it learned stays
    AddArm(AddArmArgs),
    /// Take an arm and its statistics out of the pool
    RemoveArm {
        /// Which
        arm: String,
    },
    /// Forget everything about an arm but its place in the pool
    ResetArm {
        /// Which
        arm: String,
    },
    /// Take back what was learned in an interval of the log, for example under a broken judge
    Discard {
        /// The first sequence number
        #[arg(allow_negative_numbers = true, value_parser = sequence)]
        from: Sequence,
        /// The last sequence number
        #[arg(allow_negative_numbers = true, value_parser = sequence)]
        to: Sequence,
    },
    /// Undo an operator action, exactly; undoing an undo is a redo
    Undo {
        /// Its sequence number; your newest action where absent
        #[arg(allow_negative_numbers = true, value_parser = sequence)]
        sequence: Option<Sequence>,
    },
    /// List operator actions, newest first
    Journal {
        /// At most so many
        #[arg(long, allow_negative_numbers = true, default_value_t = 50, value_name = "N", value_parser = count)]
        limit: usize,
    },
    /// Write the whole state as text, or with --runs what was seen as recorded outcomes
    Export {
        /// Where; standard output where absent or `-`
        file: Option<PathBuf>,
        /// Write judged runs as JSON Lines with propensities, for `off-policy`, `replay` and `priors fit`
        #[arg(long)]
        runs: bool,
        /// At most so many of the newest runs [default: all that are retained]
        #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "runs", value_parser = count)]
        limit: Option<usize>,
    },
    /// Replace the state by an exported one; what was there is kept aside
    Import {
        /// What `export` wrote; `-` reads standard input
        file: PathBuf,
    },
}

impl StateAction {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        matches!(self, Self::Show | Self::Journal { .. } | Self::Export { .. })
    }
}

#[derive(Debug, Args)]
pub(super) struct ModeArgs {
    /// The strategy, or `normal` for what the configuration says
    #[arg(value_enum)]
    pub(super) mode: Option<ModeName>,
    /// Every run is answered by this arm
    #[arg(long, value_name = "ARM")]
    pub(super) pin: Option<String>,
    /// Runs go on, nothing is learned
    #[arg(long)]
    pub(super) pause_learning: bool,
    /// Revert by itself after so long: 90s, 10m, 2h, 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) lasting: Option<Duration>,
}

/// What `mode` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeName {
    /// What the configuration says.
    Normal,
    /// Previews, judge, order, full answer.
    Race,
    /// One arm at once.
    Direct,
    /// Configured order.
    Baseline,
    /// Decided per run.
    Auto,
}

#[derive(Debug, Args)]
pub(super) struct AddArmArgs {
    /// Its name, unique in the pool
    pub(super) name: String,
    /// openai: any OpenAI-compatible endpoint; anthropic: Anthropic's messages; simulated: a model of this process
    #[arg(long, default_value = "openai", value_parser = ["openai", "anthropic", "simulated"])]
    pub(super) provider: String,
    /// The endpoint, up to and including /v1
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// The model's name there
    #[arg(long)]
    pub(super) model: Option<String>,
    /// The environment variable that holds the key
    #[arg(long, value_name = "VARIABLE")]
    pub(super) api_key_env: Option<String>,
    /// Dollars per million tokens of the prompt
    #[arg(long, allow_negative_numbers = true, requires = "price_output", value_name = "DOLLARS")]
    pub(super) price_input: Option<f64>,
    /// Dollars per million tokens of the answer
    #[arg(long, allow_negative_numbers = true, requires = "price_input", value_name = "DOLLARS")]
    pub(super) price_output: Option<f64>,
    /// Dollars per million tokens of the prompt that the endpoint had in its cache; absent: as the others
    #[arg(long, allow_negative_numbers = true, requires = "price_input", value_name = "DOLLARS")]
    pub(super) price_cached: Option<f64>,
}

/// What `budget` takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ceiling(pub(super) Option<f64>);

fn budget(text: &str) -> Result<Ceiling, String> {
    if text.trim() == "off" {
        return Ok(Ceiling(None));
    }
    let dollars = text.trim().trim_start_matches('$').parse().ok().filter(|d: &f64| d.is_finite() && *d > 0.0);
    dollars
        .map(|dollars| Ceiling(Some(dollars)))
        .ok_or_else(|| format!("expected dollars above 0, or `off`, found {text:?}"))
}

fn sequence(text: &str) -> Result<Sequence, String> {
    let number = text.trim().trim_start_matches('#').parse().ok().filter(|number: &Sequence| *number > 0);
    number.ok_or_else(|| "expected a sequence number, for example 9: `banditop state journal` lists them".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number: &usize| *number > 0);
    number.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

fn count_of_trials(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| "expected a whole number of at least 0".to_owned())
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected TERM=WEIGHT, for example quality=0.6")?;
    let value: f64 = value.trim().parse().map_err(|_| format!("expected a number after `=`, found {value:?}"))?;
    let short = match name.trim() {
        "q" => "quality",
        "l" => "latency",
        "c" => "cost",
        other => other,
    };
    Ok((short.to_owned(), value))
}
