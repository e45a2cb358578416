//! The last good export: one small file beside the database, replaced as a whole, that a store starts
//! from when the database is damaged. Two lines: what the second one is and its checksum, then the
//! newest snapshot with what follows it, the newest journal lines and the named values as JSON.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::domain::command::{JournalEntry, LogEntry};
use crate::domain::ids::Sequence;
use crate::domain::store::{LogBatch, StoredSnapshot, StoredState};

use super::backend::{Fault, Read};
use super::codec::{FORM, crc_of, from_bytes, to_bytes};
use super::records;

/// Journal lines in an export.
const JOURNAL_LINES: usize = 1_000;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    form: u8,
    crc32: u32,
}

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Export {
    pub(super) at: Timestamp,
    /// Where the log ended.
    pub(super) sequence: Sequence,
    snapshot: Option<ExportedSnapshot>,
    /// What follows the snapshot.
    tail: Vec<LogEntry>,
    journal: Vec<JournalEntry>,
    values: Vec<(String, Bytes)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ExportedSnapshot {
    sequence: Sequence,
    parts: Vec<(String, Bytes)>,
}

/// Bytes as they are where they are text, which nearly all are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl Bytes {
    fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|other| Self::Raw(other.into_bytes()), Self::Text)
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

fn exported(parts: Vec<(String, Vec<u8>)>) -> Vec<(String, Bytes)> {
    parts.into_iter().map(|(name, bytes)| (name, Bytes::new(bytes))).collect()
}

fn imported(parts: Vec<(String, Bytes)>) -> Vec<(String, Vec<u8>)> {
    parts.into_iter().map(|(name, bytes)| (name, bytes.into_bytes())).collect()
}

impl Export {
    /// What is worth exporting in `read`, where the log ends at `sequence`.
    pub(super) fn of(read: &dyn Read, sequence: Sequence, at: Timestamp) -> Result<Self, Fault> {
        let StoredState { snapshot, tail } = records::load(read)?;
        let snapshot = snapshot.map(|s| ExportedSnapshot { sequence: s.sequence, parts: exported(s.parts) });
        let journal = records::journal(read, JOURNAL_LINES)?;
        Ok(Self { at, sequence, snapshot, tail, journal, values: exported(records::values(read)?) })
    }

    /// The batch that makes an empty store hold this.
    pub(super) fn into_batch(self) -> LogBatch {
        let snapshot = self.snapshot.map(|s| StoredSnapshot { sequence: s.sequence, parts: imported(s.parts) });
        let values = imported(self.values);
        LogBatch { entries: self.tail, journal: self.journal, runs: Vec::new(), snapshot, values }
    }

    /// Replaces the export in `dir`: a crash leaves the old one or the new one.
    pub(super) fn save(&self, dir: &Path) -> Result<(), Fault> {
        let body = to_bytes(self)?;
        let head = to_bytes(&Head { form: FORM, crc32: crc_of(&body) })?;
        replace(dir, &[head.as_slice(), b"\n", &body, b"\n"].concat()).map_err(|fault| Fault::Io(fault.to_string()))
    }

    /// The export in `dir`; `None` where there is none, a fault where it is damaged.
    pub(super) fn find(dir: &Path) -> Result<Option<Self>, Fault> {
        let bytes = match fs::read(path(dir)) {
            Ok(bytes) => bytes,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(Fault::Io(fault.to_string())),
        };
        let damaged = || Fault::Corrupt("the export is damaged as well".to_owned());
        let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
        let head: Head = from_bytes(&bytes[..end]).map_err(|_| damaged())?;
        if head.form > FORM {
            return Err(Fault::Newer(head.form.into()));
        }
        let body = bytes[end + 1..].strip_suffix(b"\n").ok_or_else(damaged)?;
        if crc_of(body) != head.crc32 {
            return Err(damaged());
        }
        from_bytes(body).map(Some)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("last-good.json")
}

fn replace(dir: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join("last-good.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path(dir))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export() -> Export {
        Export {
            at: Timestamp::from_millis(5),
            sequence: 7,
            snapshot: Some(ExportedSnapshot {
                sequence: 6,
                parts: exported(vec![("a".into(), b"{\"x\":0.1}".to_vec()), ("b".into(), vec![0xff, 0, b'\n'])]),
            }),
            tail: vec![],
            journal: vec![],
            values: exported(vec![("facts".into(), b"1".to_vec())]),
        }
    }

    #[test]
    fn an_export_survives_and_replaces_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Export::find(dir.path()), Ok(None));
        Export { sequence: 1, ..export() }.save(dir.path()).unwrap();
        export().save(dir.path()).unwrap();
        let found = Export::find(dir.path()).unwrap().unwrap();
        assert_eq!(found, export());
        assert_eq!(found.into_batch().snapshot.unwrap().parts[1].1, [0xff, 0, b'\n']);
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        export().save(dir.path()).unwrap();
        let whole = fs::read(path(dir.path())).unwrap();
        for cut in [0, 5, whole.len() / 2, whole.len() - 2] {
            fs::write(path(dir.path()), &whole[..cut]).unwrap();
            assert!(matches!(Export::find(dir.path()), Err(Fault::Corrupt(_))), "cut at {cut}");
        }
        let newer = String::from_utf8(whole).unwrap().replacen("\"form\":1", "\"form\":9", 1);
        fs::write(path(dir.path()), newer).unwrap();
        assert_eq!(Export::find(dir.path()), Err(Fault::Newer(9)));
    }
}
