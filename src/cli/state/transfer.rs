//! `state export` and `state import`: the whole state as a text. An existing file is replaced only when
//! the new one is complete.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::Desk;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::say;

/// A text larger than this is no export.
const LARGEST: u64 = 1 << 30;

/// Writes the state.
pub(super) async fn export(desk: &Desk<'_>, file: Option<&Path>) -> Outcome {
    let text = desk.engine.export().await?;
    write(desk, file, &format!("{}\n", text.trim_end_matches('\n')))?;
    if let Some(path) = file.filter(|path| *path != Path::new("-")) {
        say(&format!("exported sequence {} to {}", desk.engine.snapshot().sequence, path.display()));
    }
    Ok(())
}

/// Text on its way to a file or to standard output, piece by piece.
pub(in crate::cli) struct Writer<'a> {
    desk: &'a Desk<'a>,
    /// Where it goes when it is complete, and what it is written into until then.
    file: Option<(&'a Path, PathBuf, BufWriter<File>)>,
}

impl<'a> Writer<'a> {
    /// To `file`, or to standard output where none or `-` is named.
    pub(in crate::cli) fn to(desk: &'a Desk<'a>, file: Option<&'a Path>) -> Outcome<Self> {
        let file = file.filter(|path| *path != Path::new("-"));
        let opened = file.map(|path| {
            let partial = beside(path);
            let out = File::create(&partial).map_err(|error| fault(path, &error))?;
            Ok::<_, CliError>((path, partial, BufWriter::new(out)))
        });
        Ok(Self { desk, file: opened.transpose()? })
    }

    /// The next piece.
    pub(in crate::cli) fn write(&mut self, text: &str) -> Outcome {
        match &mut self.file {
            Some((path, _, out)) => out.write_all(text.as_bytes()).map_err(|error| fault(path, &error)),
            None => Ok(self.desk.out.foreign(text)?),
        }
    }

    /// That was the last: an existing file is replaced now.
    pub(in crate::cli) fn done(self) -> Outcome {
        let Some((path, partial, mut out)) = self.file else { return Ok(()) };
        let done = out.flush().and_then(|()| std::fs::rename(&partial, path));
        done.map_err(|error| fault(path, &error))
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    PathBuf::from(beside)
}

fn fault(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("{}: {error}", path.display()))
}

/// Writes to a file, or to standard output where none or `-` is named.
fn write(desk: &Desk<'_>, file: Option<&Path>, text: &str) -> Outcome {
    match file.filter(|path| *path != Path::new("-")) {
        Some(path) => replace(path, text),
        None => Ok(desk.out.foreign(text)?),
    }
}

/// Writes a file anew; an existing one is replaced only when the new one is complete.
pub(in crate::cli) fn replace(path: &Path, text: &str) -> Outcome {
    let beside = beside(path);
    std::fs::write(&beside, text).map_err(|error| fault(path, &error))?;
    std::fs::rename(&beside, path).map_err(|error| fault(path, &error))
}

/// Replaces the state.
pub(super) async fn import(desk: &Desk<'_>, file: &Path) -> Outcome {
    let text = text_of(file, "banditop state export")?;
    let acknowledgement = desk.engine.import(text, desk.actor.clone()).await?;
    super::acknowledged(desk, &acknowledgement)
}

/// The text that `written_by` wrote into `file`; `-` is standard input.
pub(in crate::cli) fn text_of(file: &Path, written_by: &str) -> Outcome<String> {
    let fault = |error: std::io::Error| CliError::usage(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    } else {
        std::fs::File::open(file).map_err(fault)?.take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    }
    String::from_utf8(bytes)
        .map_err(|_| CliError::usage(format!("{}: expected what `{written_by}` wrote, found no text", file.display())))
}
