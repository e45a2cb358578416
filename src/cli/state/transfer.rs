//! `state export` and `state import`: the whole state as a text. An existing file is replaced only when
//! the new one is complete.

use std::io::Read;
use std::path::Path;

use super::Desk;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::say;

/// A text larger than this is no export.
const LARGEST: u64 = 1 << 30;

/// Writes the state.
pub(super) async fn export(desk: &Desk<'_>, file: Option<&Path>) -> Outcome {
    let text = desk.engine.export().await?;
    let Some(path) = file.filter(|path| *path != Path::new("-")) else {
        desk.out.foreign(text.trim_end_matches('\n'))?;
        return Ok(desk.out.foreign("\n")?);
    };
    let fault = |error: std::io::Error| CliError::failed(format!("{}: {error}", path.display()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    std::fs::write(&beside, &text).map_err(fault)?;
    std::fs::rename(&beside, path).map_err(fault)?;
    say(&format!("exported sequence {} to {}", desk.engine.snapshot().sequence, path.display()));
    Ok(())
}

/// Replaces the state.
pub(super) async fn import(desk: &Desk<'_>, file: &Path) -> Outcome {
    let text = read(file)?;
    let acknowledgement = desk.engine.import(text, desk.actor.clone()).await?;
    super::acknowledged(desk, &acknowledgement)
}

fn read(file: &Path) -> Outcome<String> {
    let fault = |error: std::io::Error| CliError::failed(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    } else {
        std::fs::File::open(file).map_err(fault)?.take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    }
    String::from_utf8(bytes).map_err(|_| {
        CliError::failed(format!("{}: expected what `banditop state export` wrote, found no text", file.display()))
    })
}
