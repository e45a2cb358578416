//! The book-keeping of the writer: turns a batch of the domain into writes, numbers it, refuses what
//! would leave a gap in the log, and decides what is old enough to go.
//!
//! **Gaps.** Entries follow the last one without a gap. After writes were lost (a disk that was gone for
//! long), the log starts again at a snapshot: a batch whose snapshot lies beyond the end of the log
//! replaces the log before it.
//!
//! **Retention.** Runs: the newest so many. Snapshots: the newest few, then ever one some distance back,
//! until enough commands can be undone; entries up to the oldest kept snapshot go. The journal stays.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::domain::command::LogEntry;
use crate::domain::ids::{RunId, Sequence};
use crate::domain::store::LogBatch;

use super::backend::{Fault, Read};
use super::codec::{
    FORM, Op, RecordKey, from_bytes, journal_key, kind, log_key, meta_key, piece_key, run_key, run_of, seal,
    sequence_of, snapshot_bytes, snapshot_key, to_bytes, value_key,
};
use super::records::{Record, each};

/// Snapshots that are kept whatever their distance.
const NEWEST_SNAPSHOTS: usize = 4;
/// Commands that stay undoable, at least.
pub(super) const UNDOABLE: Sequence = 5_000;
/// Beyond the newest, snapshots closer together than this are thinned out.
const SNAPSHOT_DISTANCE: Sequence = 1_250;

/// What is kept for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// The most runs.
    pub(super) runs: usize,
}

/// Written with every batch, so that a database that quietly lost some is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    form: u32,
    batch: u64,
    last: Sequence,
}

/// What is in the store, as far as writing needs to know.
#[derive(Debug)]
pub(super) struct Ledger {
    retention: Retention,
    batch: u64,
    /// The first entry of the log; one more than `last` while the log is empty.
    first: Sequence,
    last: Sequence,
    snapshots: BTreeSet<Sequence>,
    runs: BTreeSet<RunId>,
    /// Records of more than one piece.
    pieces: HashMap<RecordKey, u16>,
}

impl Ledger {
    /// For an empty store.
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            batch: 0,
            first: 1,
            last: 0,
            snapshots: BTreeSet::new(),
            runs: BTreeSet::new(),
            pieces: HashMap::new(),
        }
    }

    /// From everything in `read`, which is checked on the way: each checksum, each record whole, the log
    /// without a gap and as long as it should be.
    pub(super) fn audit(read: &dyn Read, retention: Retention) -> Result<Self, Fault> {
        let mut ledger = Self::new(retention);
        let mut audit = Audit::default();
        each(read, (&[0], &[0xff]), false, &mut |record| {
            audit.newest_batch = audit.newest_batch.max(record.batch);
            ledger.count(&mut audit, record)?;
            Ok(ControlFlow::Continue(()))
        })?;
        ledger.settle(&audit)?;
        Ok(ledger)
    }

    fn count(&mut self, audit: &mut Audit, record: Record) -> Result<(), Fault> {
        let unknown = || Fault::Corrupt("a record has a key that none can have".to_owned());
        match record.key.first() {
            Some(&kind::META) => {
                let meta: Meta = from_bytes(&record.bytes)?;
                audit.meta = Some(meta);
            }
            Some(&kind::LOG) => {
                let sequence = sequence_of(&record.key).ok_or_else(unknown)?;
                audit.entry(sequence)?;
            }
            Some(&kind::SNAPSHOT) => {
                self.snapshots.insert(sequence_of(&record.key).ok_or_else(unknown)?);
            }
            Some(&kind::RUN) => {
                self.runs.insert(run_of(&record.key).ok_or_else(unknown)?);
            }
            _ => {}
        }
        if record.pieces > 1 {
            self.pieces.insert(record.key, record.pieces);
        }
        Ok(())
    }

    fn settle(&mut self, audit: &Audit) -> Result<(), Fault> {
        let Some(meta) = audit.meta else {
            let is_empty = audit.newest_batch == 0;
            return if is_empty { Ok(()) } else { Err(Fault::Corrupt("the store has lost its head".to_owned())) };
        };
        if meta.form > u32::from(FORM) {
            return Err(Fault::Newer(meta.form));
        }
        let (first, last) = audit.log.unwrap_or((meta.last.saturating_add(1), meta.last));
        let newest_snapshot = self.snapshots.last().copied();
        let reaches_back = newest_snapshot.is_none_or(|snapshot| first <= snapshot.saturating_add(1));
        if last != meta.last || audit.newest_batch > meta.batch || !reaches_back {
            let found = format!("the log ends at {last} and should end at {}", meta.last);
            return Err(Fault::Corrupt(found));
        }
        (self.batch, self.first, self.last) = (meta.batch, first, last);
        Ok(())
    }

    /// Where the log ends.
    pub(super) const fn last(&self) -> Sequence {
        self.last
    }

    /// The number of the last batch.
    pub(super) const fn batch(&self) -> u64 {
        self.batch
    }

    /// What is kept for how long.
    pub(super) const fn retention(&self) -> Retention {
        self.retention
    }

    /// Whether nothing was ever written.
    pub(super) const fn is_empty(&self) -> bool {
        self.batch == 0
    }

    /// The writes for `batch`, all of which belong together. Nothing has changed where it fails. Entries
    /// that the log has already are passed over: a caller that was not answered sends them again.
    pub(super) fn post(&mut self, batch: &LogBatch) -> Result<Vec<Op>, Fault> {
        let plan = self.plan(batch)?;
        let number = self.batch + 1;
        let mut records: Vec<(RecordKey, Vec<u8>)> = Vec::new();
        for entry in &plan.entries {
            records.push((log_key(entry.sequence), checked_bytes(entry)?));
        }
        for entry in &batch.journal {
            records.push((journal_key(entry.sequence, entry.id), to_bytes(entry)?));
        }
        for run in &batch.runs {
            records.push((run_key(run.run_id), to_bytes(run.as_ref())?));
        }
        if let Some(snapshot) = &batch.snapshot {
            records.push((snapshot_key(snapshot.sequence), snapshot_bytes(snapshot)?));
        }
        for (name, value) in &batch.values {
            records.push((value_key(name), value.clone()));
        }
        let last = plan.entries.last().map_or(plan.restart.unwrap_or(self.last), |entry| entry.sequence);
        let meta = Meta { form: FORM.into(), batch: number, last };
        records.push((meta_key(), to_bytes(&meta)?));
        let sealed: Result<Vec<Vec<Op>>, Fault> = records.iter().map(|(key, bytes)| seal(key, number, bytes)).collect();
        Ok(self.commit(batch, plan.restart, meta, sealed?))
    }

    /// Which entries are new, and whether the log starts again; a fault where it would get a gap.
    fn plan<'a>(&self, batch: &'a LogBatch) -> Result<Plan<'a>, Fault> {
        let mut entries: Vec<&LogEntry> = batch.entries.iter().filter(|entry| entry.sequence > self.last).collect();
        let snapshot = batch.snapshot.as_ref().map(|snapshot| snapshot.sequence);
        let end =
            if follows(self.last, &entries) { entries.last().map_or(self.last, |e| e.sequence) } else { self.last };
        let restart = snapshot.filter(|snapshot| *snapshot > end);
        if let Some(snapshot) = restart {
            entries.retain(|entry| entry.sequence > snapshot);
        }
        if follows(restart.unwrap_or(self.last), &entries) {
            return Ok(Plan { entries, restart });
        }
        let found = entries.first().map_or(0, |entry| entry.sequence);
        let last = self.last;
        Err(Fault::Refused(format!("the log ends at {last}: without a snapshot, command {found} leaves a gap")))
    }

    /// Takes a batch into the book: infallible.
    fn commit(&mut self, batch: &LogBatch, restart: Option<Sequence>, meta: Meta, sealed: Vec<Vec<Op>>) -> Vec<Op> {
        let mut ops = Vec::new();
        if let Some(snapshot) = restart {
            self.drop_log(self.last, &mut ops);
            self.drop_snapshots(|_| false, &mut ops);
            self.first = snapshot.saturating_add(1);
        }
        for pieces in sealed {
            self.put(pieces, &mut ops);
        }
        (self.batch, self.last) = (meta.batch, meta.last);
        self.runs.extend(batch.runs.iter().map(|run| run.run_id));
        while self.runs.len() > self.retention.runs {
            let Some(oldest) = self.runs.pop_first() else { break };
            self.delete(&run_key(oldest), &mut ops);
        }
        if let Some(snapshot) = &batch.snapshot {
            self.snapshots.insert(snapshot.sequence);
            self.thin_out(&mut ops);
        }
        ops
    }

    fn put(&mut self, pieces: Vec<Op>, ops: &mut Vec<Op>) {
        let count = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
        let Some(record) = pieces.first().map(|op| op.key[..op.key.len() - 2].to_vec()) else { return };
        ops.extend(pieces);
        let before = self.pieces.get(&record).copied().unwrap_or(1);
        ops.extend((count..before).map(|index| Op { key: piece_key(&record, index), value: None }));
        if count > 1 {
            self.pieces.insert(record, count);
        } else {
            self.pieces.remove(&record);
        }
    }

    fn delete(&mut self, record: &[u8], ops: &mut Vec<Op>) {
        let count = self.pieces.remove(record).unwrap_or(1);
        ops.extend((0..count).map(|index| Op { key: piece_key(record, index), value: None }));
    }

    fn drop_log(&mut self, to: Sequence, ops: &mut Vec<Op>) {
        for sequence in self.first..=to {
            self.delete(&log_key(sequence), ops);
        }
        self.first = self.first.max(to.saturating_add(1));
    }

    fn drop_snapshots(&mut self, keep: impl Fn(Sequence) -> bool, ops: &mut Vec<Op>) {
        let gone: Vec<Sequence> = self.snapshots.iter().copied().filter(|sequence| !keep(*sequence)).collect();
        for sequence in gone {
            self.snapshots.remove(&sequence);
            self.delete(&snapshot_key(sequence), ops);
        }
    }

    fn thin_out(&mut self, ops: &mut Vec<Op>) {
        let kept = kept_snapshots(&self.snapshots, self.last);
        self.drop_snapshots(|sequence| kept.contains(&sequence), ops);
        if let Some(oldest) = kept.first() {
            self.drop_log((*oldest).min(self.last), ops);
        }
    }
}

/// What of a batch is new.
struct Plan<'a> {
    entries: Vec<&'a LogEntry>,
    /// The snapshot at which the log starts again.
    restart: Option<Sequence>,
}

/// Whether `entries` go on from `last` without a gap.
fn follows(last: Sequence, entries: &[&LogEntry]) -> bool {
    let numbers = entries.iter().map(|entry| Some(entry.sequence));
    let expected = std::iter::successors(last.checked_add(1), |n| n.checked_add(1)).map(Some);
    numbers.eq(expected.take(entries.len()))
}

/// The snapshots to keep, of `all`, in a log that ends at `last`.
fn kept_snapshots(all: &BTreeSet<Sequence>, last: Sequence) -> BTreeSet<Sequence> {
    let mut kept = BTreeSet::new();
    let mut newest_first = all.iter().rev().copied().peekable();
    while let Some(sequence) = newest_first.next() {
        let reaches = |from: Sequence| last.saturating_sub(from) >= UNDOABLE;
        let previous = kept.first().copied();
        if kept.len() >= NEWEST_SNAPSHOTS && previous.is_some_and(reaches) {
            break;
        }
        // One in the middle is needed only where the next older one would be too far away.
        let distance = |to: Sequence| previous.map_or(Sequence::MAX, |previous| previous - to);
        let next_is_far = newest_first.peek().is_none_or(|next| distance(*next) > SNAPSHOT_DISTANCE);
        if kept.len() < NEWEST_SNAPSHOTS || next_is_far || reaches(sequence) {
            kept.insert(sequence);
        }
    }
    kept
}

/// JSON knows no infinity: what would not come back as it went must not be in the log.
fn checked_bytes(entry: &LogEntry) -> Result<Vec<u8>, Fault> {
    let bytes = to_bytes(entry)?;
    match from_bytes::<LogEntry>(&bytes) {
        Ok(back) if back == *entry => Ok(bytes),
        _ => Err(Fault::Refused(format!("command {} holds a number that is not finite", entry.sequence))),
    }
}

/// What an audit has seen so far.
#[derive(Default)]
struct Audit {
    meta: Option<Meta>,
    newest_batch: u64,
    /// The first and last entry.
    log: Option<(Sequence, Sequence)>,
}

impl Audit {
    fn entry(&mut self, sequence: Sequence) -> Result<(), Fault> {
        let (first, last) = self.log.unwrap_or((sequence, sequence.wrapping_sub(1)));
        if last.wrapping_add(1) != sequence {
            return Err(Fault::Corrupt(format!("the log has a gap between {last} and {sequence}")));
        }
        self.log = Some((first, sequence));
        Ok(())
    }
}
