//! What a record looks like on disk. A record is a kind, an id and bytes of any length; it is kept as
//! one or more pieces, each small enough that the database never spills it into a file of its own
//! (such files would escape our sync). Every piece carries the form of the format, a checksum over its
//! key and its content, the number of the batch that wrote it, and how many pieces there are.
//!
//! ```text
//! key    kind (1 byte) · id · piece index (u16, big endian)
//! value  form (u8) · CRC-32 (u32) · batch (u64) · pieces (u16) · bytes
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::ids::{CommandId, RunId, Sequence};
use crate::domain::store::StoredSnapshot;

use super::backend::Fault;

/// The form that this program writes, and the newest that it reads.
pub(super) const FORM: u8 = 1;
/// The most bytes in one piece. The database keeps some sixteen values in a page and hundreds of pages in
/// memory whatever its cache is set to, so small pieces are what bounds its memory; and a page above
/// 128 KB would go to a file of its own.
pub(super) const PIECE: usize = 1_000;
const HEADER: usize = 15;

/// Kinds of records; the first byte of a key.
pub(super) mod kind {
    pub(in crate::store) const JOURNAL: u8 = b'J';
    pub(in crate::store) const LOG: u8 = b'L';
    pub(in crate::store) const META: u8 = b'M';
    pub(in crate::store) const RUN: u8 = b'R';
    pub(in crate::store) const SNAPSHOT: u8 = b'S';
    pub(in crate::store) const VALUE: u8 = b'V';
}

/// One write: a value to put, or a key to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// The key of a record, without the piece index.
pub(super) type RecordKey = Vec<u8>;

fn key(kind: u8, id: &[u8]) -> RecordKey {
    [&[kind], id].concat()
}

pub(super) fn meta_key() -> RecordKey {
    key(kind::META, &[])
}

pub(super) fn log_key(sequence: Sequence) -> RecordKey {
    key(kind::LOG, &sequence.to_be_bytes())
}

pub(super) fn snapshot_key(sequence: Sequence) -> RecordKey {
    key(kind::SNAPSHOT, &sequence.to_be_bytes())
}

pub(super) fn run_key(run: RunId) -> RecordKey {
    key(kind::RUN, run.to_string().as_bytes())
}

pub(super) fn journal_key(sequence: Sequence, id: CommandId) -> RecordKey {
    key(kind::JOURNAL, &[&sequence.to_be_bytes(), id.to_string().as_bytes()].concat())
}

/// The name's length comes first, so that no name is the beginning of another's key.
pub(super) fn value_key(name: &str) -> RecordKey {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    key(kind::VALUE, &[&length.to_be_bytes(), name.as_bytes()].concat())
}

/// The sequence number in the key of a log entry or a snapshot.
pub(super) fn sequence_of(key: &[u8]) -> Option<Sequence> {
    Some(Sequence::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}

/// The run in the key of its record.
pub(super) fn run_of(key: &[u8]) -> Option<RunId> {
    std::str::from_utf8(key.get(1..)?).ok()?.parse().ok()
}

/// The record that a piece belongs to, and the piece's index.
pub(super) fn split_key(key: &[u8]) -> Option<(&[u8], u16)> {
    let (record, index) = key.split_at_checked(key.len().checked_sub(2)?)?;
    Some((record, u16::from_be_bytes(index.try_into().ok()?)))
}

/// The key of one piece.
pub(super) fn piece_key(record: &[u8], index: u16) -> Vec<u8> {
    [record, &index.to_be_bytes()].concat()
}

/// One piece, read and checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The batch that wrote it.
    pub(super) batch: u64,
    /// How many pieces the record has.
    pub(super) count: u16,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

/// The pieces that `payload` becomes.
pub(super) fn seal(record: &[u8], batch: u64, payload: &[u8]) -> Result<Vec<Op>, Fault> {
    let count = payload.len().div_ceil(PIECE).max(1);
    let count = u16::try_from(count).map_err(|_| Fault::Refused("a record is larger than 65 MB".to_owned()))?;
    let mut pieces = payload.chunks(PIECE);
    Ok((0..count)
        .map(|index| {
            let key = piece_key(record, index);
            let value = seal_piece(&key, batch, count, pieces.next().unwrap_or_default());
            Op { key, value: Some(value) }
        })
        .collect())
}

fn seal_piece(key: &[u8], batch: u64, count: u16, bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + bytes.len());
    value.push(FORM);
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&batch.to_be_bytes());
    value.extend_from_slice(&count.to_be_bytes());
    value.extend_from_slice(bytes);
    let sum = checksum(key, &value);
    value[1..5].copy_from_slice(&sum.to_be_bytes());
    value
}

/// Reads one piece.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<Piece<'a>, Fault> {
    let damaged = || Fault::Corrupt(format!("a record of kind {:?} fails its checksum", char::from(first(key))));
    let (header, bytes) = value.split_at_checked(HEADER).ok_or_else(damaged)?;
    let number = |range: std::ops::Range<usize>| header[range].iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
    if number(1..5) != u64::from(checksum(key, value)) {
        return Err(damaged());
    }
    if header[0] > FORM {
        return Err(Fault::Newer(header[0].into()));
    }
    let count = u16::try_from(number(13..15)).map_err(|_| damaged())?;
    Ok(Piece { batch: number(5..13), count, bytes })
}

fn first(key: &[u8]) -> u8 {
    key.first().copied().unwrap_or(b'?')
}

/// Over everything but the checksum itself.
fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let (form, rest) = (&value[..1], value.get(5..).unwrap_or_default());
    !crc32(crc32(crc32(!0, key), form), rest)
}

/// The CRC-32 of `bytes` alone.
pub(super) fn crc_of(bytes: &[u8]) -> u32 {
    !crc32(!0, bytes)
}

/// CRC-32 (IEEE 802.3, reflected), one step on from `state`.
fn crc32(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |crc, byte| crc >> 8 ^ CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut start = 0;
    while index < 256 {
        let mut crc: u32 = start;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        start += 1;
    }
    table
};

/// `value` as the bytes of a record.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|fault| Fault::Refused(format!("cannot be written: {fault}")))
}

/// The bytes of a record as a value.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|fault| Fault::Corrupt(format!("a record cannot be read: {fault}")))
}

/// A snapshot as bytes: a line of JSON with the names and lengths of the parts, then the parts.
pub(super) fn snapshot_bytes(snapshot: &StoredSnapshot) -> Result<Vec<u8>, Fault> {
    let lengths: Vec<(&str, usize)> = snapshot.parts.iter().map(|(name, part)| (name.as_str(), part.len())).collect();
    let mut bytes = to_bytes(&(snapshot.sequence, lengths))?;
    bytes.push(b'\n');
    for (_, part) in &snapshot.parts {
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// The snapshot in `bytes`.
pub(super) fn snapshot_from(bytes: &[u8]) -> Result<StoredSnapshot, Fault> {
    let damaged = || Fault::Corrupt("a snapshot is not whole".to_owned());
    let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
    let (sequence, lengths): (Sequence, Vec<(String, usize)>) = from_bytes(&bytes[..end])?;
    let mut rest = &bytes[end + 1..];
    let mut parts = Vec::with_capacity(lengths.len());
    for (name, length) in lengths {
        let (part, tail) = rest.split_at_checked(length).ok_or_else(damaged)?;
        parts.push((name, part.to_vec()));
        rest = tail;
    }
    Ok(StoredSnapshot { sequence, parts })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc_of(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_newer_form_is_told_from_damage() {
        let key = piece_key(&meta_key(), 0);
        let mut value = seal_piece(&key, 1, 1, b"x");
        value[0] = FORM + 1;
        assert!(matches!(unseal(&key, &value), Err(Fault::Corrupt(_))));
        let sum = checksum(&key, &value);
        value[1..5].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(unseal(&key, &value), Err(Fault::Newer(2)));
    }

    #[test]
    fn sealed_under_one_key_is_damage_under_another() {
        let value = seal_piece(b"La", 1, 1, b"x");
        assert!(unseal(b"La", &value).is_ok());
        assert!(unseal(b"Lb", &value).is_err());
        assert!(unseal(b"La", &value[..9]).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(payload in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let ops = seal(&log_key(7), 3, &payload).unwrap();
            let mut value = ops[0].value.clone().unwrap();
            prop_assert_eq!(unseal(&ops[0].key, &value).unwrap(), Piece { batch: 3, count: 1, bytes: &payload });
            let index = at.index(value.len());
            value[index] ^= 1 << bit;
            prop_assert!(unseal(&ops[0].key, &value).is_err());
        }

        #[test]
        fn snapshots_survive(parts in prop::collection::vec(("[a-z:\n]{0,8}", prop::collection::vec(any::<u8>(), 0..50)), 0..5)) {
            let snapshot = StoredSnapshot { sequence: 9, parts };
            prop_assert_eq!(snapshot_from(&snapshot_bytes(&snapshot).unwrap()).unwrap(), snapshot);
        }
    }
}
