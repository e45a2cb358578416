//! Reading: pieces into records, records into what the domain calls them. A record that is damaged
//! stops the reading with a fault; the one exception is a run's record that can be read but not
//! understood, which is left out, since history of the runs is worth less than a start.

use std::ops::ControlFlow;

use crate::domain::command::{JournalEntry, LogEntry};
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::store::{StoredSnapshot, StoredState};

use super::backend::{Fault, Read};
use super::codec::{from_bytes, kind, log_key, run_key, snapshot_from, snapshot_key, split_key, unseal, value_key};

/// A record as it was read.
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    /// The batch that wrote it.
    pub(super) batch: u64,
    /// How many pieces it has.
    pub(super) pieces: u16,
    pub(super) bytes: Vec<u8>,
}

/// A record of which not all pieces were seen yet.
struct Partial {
    key: Vec<u8>,
    batch: u64,
    pieces: Vec<Option<Vec<u8>>>,
    missing: usize,
}

/// Visits the records with keys in `from..to`.
pub(super) fn each(
    read: &dyn Read,
    (from, to): (&[u8], &[u8]),
    newest_first: bool,
    visit: &mut dyn FnMut(Record) -> Result<ControlFlow<()>, Fault>,
) -> Result<(), Fault> {
    let torn = || Fault::Corrupt("a record is not whole".to_owned());
    let mut partial: Option<Partial> = None;
    read.scan(from, to, newest_first, &mut |key, value| {
        let piece = unseal(key, value)?;
        let (record, index) = split_key(key).ok_or_else(torn)?;
        let current = match &mut partial {
            Some(current) if current.key == record => current,
            Some(_) => return Err(torn()),
            None => partial.insert(Partial {
                key: record.to_vec(),
                batch: piece.batch,
                pieces: vec![None; piece.count.into()],
                missing: piece.count.into(),
            }),
        };
        let same_write = current.pieces.len() == usize::from(piece.count) && current.batch == piece.batch;
        let slot = current.pieces.get_mut(usize::from(index)).filter(|slot| same_write && slot.is_none());
        *slot.ok_or_else(torn)? = Some(piece.bytes.to_vec());
        current.missing -= 1;
        match partial.take_if(|partial| partial.missing == 0) {
            Some(whole) => visit(whole.into_record()),
            None => Ok(ControlFlow::Continue(())),
        }
    })?;
    if partial.is_some() { Err(torn()) } else { Ok(()) }
}

impl Partial {
    fn into_record(self) -> Record {
        let pieces = u16::try_from(self.pieces.len()).unwrap_or(u16::MAX);
        let bytes = self.pieces.into_iter().flatten().collect::<Vec<_>>().concat();
        Record { key: self.key, batch: self.batch, pieces, bytes }
    }
}

/// The keys of every record of one kind.
pub(super) const fn all_of(kind: u8) -> ([u8; 1], [u8; 1]) {
    ([kind], [kind + 1])
}

/// The key that follows every piece of `record`.
fn after(record: &[u8]) -> Vec<u8> {
    [record, &[0xff; 3]].concat()
}

fn one(read: &dyn Read, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = None;
    each(read, (key, &after(key)), false, &mut |record| {
        if record.key == key {
            found = Some(record.bytes);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The newest snapshot at or before `sequence`.
pub(super) fn snapshot_before(read: &dyn Read, sequence: Sequence) -> Result<Option<StoredSnapshot>, Fault> {
    let mut found = None;
    let (from, _) = all_of(kind::SNAPSHOT);
    each(read, (&from, &after(&snapshot_key(sequence))), true, &mut |record| {
        found = Some(snapshot_from(&record.bytes)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Entries `from..=to` that are there.
pub(super) fn entries(read: &dyn Read, from: Sequence, to: Sequence) -> Result<Vec<LogEntry>, Fault> {
    let mut entries = Vec::new();
    if from > to {
        return Ok(entries);
    }
    each(read, (&log_key(from), &after(&log_key(to))), false, &mut |record| {
        entries.push(from_bytes(&record.bytes)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}

/// The newest snapshot and every entry after it.
pub(super) fn load(read: &dyn Read) -> Result<StoredState, Fault> {
    let snapshot = snapshot_before(read, Sequence::MAX)?;
    let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence.saturating_add(1));
    let tail = entries(read, from, Sequence::MAX)?;
    Ok(StoredState { snapshot, tail })
}

/// The newest journal lines, newest first.
pub(super) fn journal(read: &dyn Read, limit: usize) -> Result<Vec<JournalEntry>, Fault> {
    let (from, to) = all_of(kind::JOURNAL);
    newest(read, (&from, &to), limit, |bytes| from_bytes(bytes).map(Some))
}

/// The newest runs of before `before`, newest first.
pub(super) fn runs(read: &dyn Read, before: Option<RunId>, limit: usize) -> Result<Vec<RunRecord>, Fault> {
    let (from, end) = all_of(kind::RUN);
    // Ids are in the order of time, and so are their keys; every piece of a record comes after its key.
    let to = before.map_or_else(|| end.to_vec(), |before| run_key(before).clone());
    newest(read, (&from, &to), limit, |bytes| Ok(understood(bytes)))
}

/// One run.
pub(super) fn run(read: &dyn Read, run: RunId) -> Result<Option<RunRecord>, Fault> {
    Ok(one(read, &run_key(run))?.and_then(|bytes| understood(&bytes)))
}

fn understood(bytes: &[u8]) -> Option<RunRecord> {
    let record = from_bytes(bytes);
    record.inspect_err(|fault| tracing::warn!(%fault, "a run's record is left out")).ok()
}

/// A named value.
pub(super) fn value(read: &dyn Read, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    one(read, &value_key(name))
}

/// Every named value.
pub(super) fn values(read: &dyn Read) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let mut values = Vec::new();
    let (from, to) = all_of(kind::VALUE);
    each(read, (&from, &to), false, &mut |record| {
        let name = record.key.get(3..).and_then(|name| String::from_utf8(name.to_vec()).ok());
        values.extend(name.map(|name| (name, record.bytes)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(values)
}

fn newest<T>(
    read: &dyn Read,
    (from, to): (&[u8], &[u8]),
    limit: usize,
    parse: impl Fn(&[u8]) -> Result<Option<T>, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    each(read, (from, to), true, &mut |record| {
        found.extend(parse(&record.bytes)?);
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}
