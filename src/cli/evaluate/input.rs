//! Recorded outcomes off the disk: a file or standard input, plain or gzipped (told by its first bytes,
//! not by its name), line by line, so that a large file is never in memory as text.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::cli::failure::{CliError, Outcome};
use crate::evaluation::Records;
use crate::evaluation::records::Reader;

/// A line longer than this is no record of a prompt.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Reads and checks the records of `path`; `-` is standard input.
pub(super) fn records(path: &Path) -> Outcome<Records> {
    let mut reader = Reader::default();
    lines(path, &mut |line| {
        reader.line(line);
        Ok(!reader.is_full())
    })?;
    reader.finish().map_err(|faults| CliError::usage(format!("{}: {faults}", path.display())))
}

/// Gives every line of `path` to `take`, until that has enough; `-` is standard input.
pub(super) fn lines(path: &Path, take: &mut dyn FnMut(&[u8]) -> Outcome<bool>) -> Outcome {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| CliError::usage(format!("{name}: {error}"));
    let raw: Box<dyn Read> =
        if name == "-" { Box::new(stdin()) } else { Box::new(File::open(path).map_err(unreadable)?) };
    let mut raw = BufReader::new(raw);
    let is_gzip = raw.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let mut lines: Box<dyn BufRead> =
        if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unreadable)?;
        if length == 0 {
            return Ok(());
        }
        if length as u64 == LONGEST_LINE {
            return Err(CliError::usage(format!("{name}: a line is longer than {LONGEST_LINE} bytes")));
        }
        if !take(&line)? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str =
        "{\"prompt\":\"p\",\"quality\":{\"a\":1,\"b\":0}}\n{\"prompt\":\"q\",\"quality\":{\"a\":0,\"b\":1}}";

    #[test]
    fn plain_and_gzipped_files_read_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain.gz");
        std::fs::write(&plain, TEXT).unwrap();
        let zipped = dir.path().join("zipped.jsonl");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&zipped).unwrap(), flate2::Compression::fast());
        encoder.write_all(TEXT.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let rows = |path: &Path| records(path).map(|records| records.rows().to_vec()).unwrap();
        assert_eq!(rows(&plain).len(), 2);
        assert_eq!(rows(&plain), rows(&zipped));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none.jsonl");
        assert!(records(&missing).unwrap_err().message.contains("none.jsonl"));
        let broken = dir.path().join("broken.jsonl");
        std::fs::write(&broken, format!("{TEXT}\nnonsense\n")).unwrap();
        assert!(records(&broken).unwrap_err().message.contains("broken.jsonl: line 3:"));
        let torn = dir.path().join("torn.gz");
        std::fs::write(&torn, [0x1f, 0x8b, 8, 0, 0]).unwrap();
        assert!(records(&torn).unwrap_err().message.contains("torn.gz"));
    }
}
