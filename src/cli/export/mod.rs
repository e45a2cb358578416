//! `banditop export runs`: what was seen, run by run, for other programs: JSON Lines in the form that
//! `replay`, `off-policy` and `priors fit` read (as `state export --runs` writes it), the same as a table of
//! comma-separated values, or an offline run that Weights & Biases' own package reads.

mod csv;
mod pages;
mod wandb;

use std::path::PathBuf;

pub(super) use pages::Pages;

use clap::{Args, Subcommand, ValueEnum};

use super::context::Context;
use super::failure::Outcome;
use super::session::Need;
use super::state;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// What.
    #[command(subcommand)]
    pub(super) what: ExportWhat,
}

#[derive(Debug, Subcommand)]
pub(super) enum ExportWhat {
    /// Write what was seen, run by run, with the probability of every choice
    ///
    /// JSON Lines are what `replay`, `off-policy` and `priors fit` read; of a race only the arms that were
    /// judged have a quality. The table has one column a number.
    Runs(RunsArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// Where; standard output where absent or `-`
    file: Option<PathBuf>,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Jsonl)]
    format: Form,
    /// At most so many of the newest runs [default: all that are retained]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write an offline Weights & Biases run into this directory instead; `wandb sync` uploads it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "format"])]
    wandb: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a head
    Csv,
}

/// Runs `export …`.
pub(super) async fn run(context: &Context, args: ExportArgs) -> Outcome {
    let ExportWhat::Runs(args) = args.what;
    let session = context.open(Need::Store).await?;
    let desk = state::desk(context, session.engine(), false);
    let limit = args.limit.unwrap_or(desk.retained());
    let done = match (&args.wandb, args.format) {
        (Some(dir), _) => wandb::export(session.engine(), dir, limit).await,
        (None, Form::Jsonl) => state::export_runs(&desk, args.file.as_deref(), limit).await,
        (None, Form::Csv) => csv::export(&desk, args.file.as_deref(), limit).await,
    };
    let closed = session.close().await;
    done.and(closed)
}
