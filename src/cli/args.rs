//! What can be typed. Doc comments here are the help. Flags that set a key of the configuration are not
//! listed: they are read off the settings' table of keys, see `setting_flags`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::evaluate::{CompareArgs, OffPolicyArgs, ReplayArgs};
use super::export::ExportArgs;
use super::priors_command::PriorsArgs;
use super::setting_flags::SettingFlags;
use super::state::StateArgs;
use super::state::duration;

/// A terminal operations console for LLM routing: race models, judge them, learn, steer.
///
/// Without a command it opens the console (as `banditop run`). The shipped configuration races simulated
/// models: no key and no network are needed.
#[derive(Debug, Parser)]
#[command(name = "banditop", version, max_term_width = 100, infer_long_args = false)]
pub(super) struct Cli {
    /// What to do; the console where absent.
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// The configuration [default: ./config.toml, the user's configuration folder, the built-in one]
    #[arg(long, global = true, value_name = "FILE", env = "BANDITOP_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,

    #[command(flatten)]
    pub(super) settings: SettingFlags,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open the console
    Run,
    /// Run one prompt and print the answer
    ///
    /// The answer streams to standard output. Where a console holds the store, the run goes through it,
    /// with the same result.
    Ask(AskArgs),
    /// Look at what was learned, and steer it
    State(StateArgs),
    /// Print the context vector of a prompt, named
    Features(FeaturesArgs),
    /// Put recorded outcomes through a router and see what it would have earned
    ///
    /// Recorded outcomes are JSON Lines with an id, a task, a prompt, and by arm the quality (0 to 1), the
    /// dollars and the seconds of a full answer; all but prompt and quality may be missing. What counts is
    /// quality alone, unless a weight is given as a flag; dollars then weigh on a logarithmic scale from
    /// the 1 % to the 99 % quantile of the file. Signals about arms (features.signals) count as 0: records hold no
    /// history of an arm's latency and errors.
    Replay(Box<ReplayArgs>),
    /// Put recorded outcomes through several routers and references, side by side, with significance
    ///
    /// Every policy meets the same prompts in the same orders. A difference is significant (*) where neither
    /// the choice of prompts nor their order explains it at 5 %, corrected for all differences shown.
    ///
    /// Signals about arms (features.signals) count as 0, as in `replay`.
    ///
    /// In place of a file, a suite (blind-spots, complementary, mostly-code, or a TOML file) is put to the simulated
    /// arms through the real race: previews, judge, full answers, learning. Time is compressed, and no faults are
    /// played.
    Compare(Box<CompareArgs>),
    /// Estimate what other policies would have earned on exported runs
    ///
    /// Exported runs (`banditop state export --runs`) hold what was judged and the probability with which each
    /// candidate was selected. From these, IPS, self-normalised IPS and a doubly robust estimate follow for policies
    /// that answer with one arm; what is learned (routers, the best arm, the model) is judged on the half of the
    /// log that it did not see. A policy that the log does not support is refused with the reason.
    OffPolicy(Box<OffPolicyArgs>),
    /// Fit priors to recorded outcomes, and tell the router
    Priors(PriorsArgs),
    /// Write what was seen for other programs
    Export(ExportArgs),
    /// Check the configuration, or print what can be in it
    Config {
        /// What about it.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Print a completion script for a shell
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// As it is typed.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ask(_) => "ask",
            Self::State(_) => "state",
            Self::Features(_) => "features",
            Self::Replay(_) => "replay",
            Self::Compare(_) => "compare",
            Self::OffPolicy(_) => "off-policy",
            Self::Priors(_) => "priors",
            Self::Export(_) => "export",
            Self::Config { .. } => "config",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The prompt; `-` or nothing reads standard input
    pub(super) prompt: Option<String>,

    /// Print the whole run as JSON instead of the answer
    #[arg(long)]
    pub(super) json: bool,

    /// A system message before the prompt
    #[arg(long, value_name = "TEXT")]
    pub(super) system: Option<String>,

    /// The conversation that the prompt belongs to, by any name: its prompts keep their arm unless another is clearly better
    #[arg(long, value_name = "NAME")]
    pub(super) session: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct FeaturesArgs {
    /// The prompt; `-` or nothing reads standard input
    pub(super) prompt: Option<String>,

    /// Wait so long for an embedding's endpoint; a run waits for `features.embedding.timeout_ms` only
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub(super) wait: std::time::Duration,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Report every problem of the configuration at once, and what is worth knowing
    Check,
    /// Print a configuration that documents every key
    Template,
    /// List every key with its default, flag and variable
    Keys,
}
