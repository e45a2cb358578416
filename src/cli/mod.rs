//! Arguments, subcommands and the composition root: the only room that knows every other, and the place
//! where they are put together. Each command is one function from what was typed to an outcome; errors
//! become one line on standard error and the exit code here, and nowhere else.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod args;
mod ask;
mod config_command;
mod console_command;
mod context;
mod documents;
mod endings;
mod evaluate;
mod export;
mod factory;
mod failure;
mod features_command;
mod local;
mod logging;
mod output;
mod parts;
mod paths;
mod priors_command;
mod prompt;
mod remembered;
mod session;
mod setting_flags;
mod simulation;
mod state;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, ConfigAction};
use context::Context;
use failure::{CliError, Outcome};
use output::say;
use telemetry::LogOutput;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_quiet {
                say(&format!("error: {}", error.message));
                if let Some(hint) = &error.hint {
                    say(&format!("hint: {hint}"));
                }
            }
            ExitCode::from(error.code())
        }
    }
}

/// What clap has to say: help and version are no errors, and a closed pipe is no panic.
fn refused(error: &clap::Error) -> ExitCode {
    _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn run(cli: Cli) -> Outcome {
    match &cli.command {
        Some(Command::Completions { shell }) => return documents::completions(*shell),
        Some(Command::Man) => return documents::man(),
        Some(Command::Config { action }) => {
            if let Some(done) = config_command::document(*action) {
                return done;
            }
        }
        _ => {}
    }
    let context = Context::load(&cli)?;
    match cli.command {
        Some(Command::Config { action: ConfigAction::Check }) => config_command::check(&context),
        Some(Command::Features(args)) => headless(&context, features_command::run(&context, &args)),
        Some(Command::Replay(args)) => evaluate::replay(&context, &args),
        Some(Command::Compare(args)) => match evaluate::suite_text(&args) {
            Some(text) => quietly(&context, evaluate::suite_side_by_side(&context, &args, text?)),
            None => evaluate::side_by_side(&context, &args),
        },
        Some(Command::Export(args)) => headless(&context, export::run(&context, args)),
        Some(Command::OffPolicy(args)) => evaluate::off_policy(&context, &args),
        Some(Command::Priors(args)) if args.needs_engine() => headless(&context, priors_command::tell(&context, args)),
        Some(Command::Priors(args)) => priors_command::fit(&context, &args),
        Some(Command::Ask(args)) => headless(&context, ask::run(&context, args)),
        Some(Command::State(args)) => headless(&context, state::run(&context, args)),
        _ => {
            console_command::check_terminal()?;
            let log = LogOutput::open(&context);
            logging::to_console(&context.settings().log, log.file.clone());
            let done = on_runtime(console_command::run(&context, &log));
            log.close();
            done
        }
    }
}

fn headless(context: &Context, command: impl Future<Output = Outcome>) -> Outcome {
    logging::to_stderr(context.settings().log.level.as_deref());
    on_runtime(command)
}

/// As [`headless`], for what warns of nothing that concerns its user: alarms of simulated models, between the lines of
/// a progress bar and a table. A level that was asked for is kept.
fn quietly(context: &Context, command: impl Future<Output = Outcome>) -> Outcome {
    logging::to_stderr(Some(context.settings().log.level.as_deref().unwrap_or("error")));
    on_runtime(command)
}

/// Runs a command on a runtime of its own, which ends with it.
fn on_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CliError::failed(format!("no runtime: {error}")))?.block_on(command)
}
