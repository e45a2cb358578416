//! What is generated from the definition of the command line: completions and the manual page.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::failure::{CliError, Outcome};
use super::output::Output;

/// Prints a completion script.
pub(super) fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "banditop", &mut script);
    print(&script)
}

/// Prints the manual page.
pub(super) fn man() -> Outcome {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Outcome {
    let text = std::str::from_utf8(bytes).map_err(CliError::failed)?;
    Ok(Output::new().line(text.trim_end())?)
}
