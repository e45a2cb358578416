//! An offline Weights & Biases run, as the `wandb` package writes and reads one: a directory
//! `offline-run-<time>-<id>` with `run-<id>.wandb`, a log of records in `LevelDB`'s log form (blocks of 32 KiB,
//! each piece with CRC-32, length and kind) behind a header of seven bytes; each record is a `Record` of
//! `wandb_internal.proto`. Only what is needed of that format is written: the run, its configuration, one
//! history row a run, the summary, the exit.

use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Crc;
use serde_json::{Map, Value, json};

use super::pages::Pages;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::say;
use crate::domain::clock::Timestamp;
use crate::domain::engine::EngineHandle;
use crate::domain::record::{GateDecision, RunRecord};
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::terms::Term;

const BLOCK: usize = 32 << 10;
const PIECE_HEAD: usize = 7;
/// Numbers of fields in `Record` and below it.
mod field {
    pub(super) const NUM: u32 = 1;
    pub(super) const HISTORY: u32 = 2;
    pub(super) const SUMMARY: u32 = 3;
    pub(super) const RUN: u32 = 17;
    pub(super) const EXIT: u32 = 18;
    pub(super) const ITEM: u32 = 1;
    pub(super) const STEP: u32 = 2;
    pub(super) const KEY: u32 = 1;
    pub(super) const VALUE_JSON: u32 = 16;
    pub(super) const RUN_ID: u32 = 1;
    pub(super) const PROJECT: u32 = 3;
    pub(super) const CONFIG: u32 = 4;
    pub(super) const DISPLAY_NAME: u32 = 8;
    pub(super) const START_TIME: u32 = 17;
}

/// Writes up to `limit` of the newest runs, oldest first.
pub(super) async fn export(engine: &dyn EngineHandle, dir: &Path, limit: usize) -> Outcome {
    let picture = engine.snapshot();
    // The oldest is looked at last.
    let mut start = engine.now();
    let pages = Pages::of(engine, limit, &mut |run| start = run.at).await?;
    let id = format!("bt{:06x}{:06x}", picture.sequence & 0x00ff_ffff, engine.now().millis() & 0x00ff_ffff);
    let stamp: String = engine.now().rfc3339().chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = stamp.split_at(stamp.len().min(8));
    let folder = dir.join(format!("offline-run-{day}_{time}-{id}"));
    let fault = |error: std::io::Error| CliError::failed(format!("{}: {error}", folder.display()));
    create_dir_all(folder.join("files")).map_err(fault)?;
    let file = File::create_new(folder.join(format!("run-{id}.wandb"))).map_err(fault)?;
    let mut log = Log::start(BufWriter::new(file)).map_err(fault)?;
    begin(&mut log, &picture, &id, start).map_err(fault)?;
    let (mut steps, mut last) = (0, Map::new());
    pages
        .visit(&mut |run| {
            last = row(run, steps, start);
            history(&mut log, &last, steps).map_err(fault)?;
            steps += 1;
            Ok(())
        })
        .await?;
    end(&mut log, &last).map_err(fault)?;
    log.out.flush().map_err(fault)?;
    say(&format!("exported {steps} runs to {}: `wandb sync` uploads it", folder.display()));
    Ok(())
}

fn begin<W: Write>(log: &mut Log<W>, picture: &EngineSnapshot, id: &str, start: Timestamp) -> std::io::Result<()> {
    let mut run = Message::default();
    run.text(field::RUN_ID, id);
    run.text(field::PROJECT, "banditop");
    run.message(field::CONFIG, &items(&config(picture)));
    run.text(field::DISPLAY_NAME, &format!("banditop {}", picture.router.name()));
    let mut at = Message::default();
    at.number(1, start.millis() / 1000);
    at.number(2, start.millis() % 1000 * 1_000_000);
    run.message(field::START_TIME, &at);
    log.record(field::RUN, &run)
}

/// What was seen at one step.
fn history<W: Write>(log: &mut Log<W>, row: &Map<String, Value>, step: usize) -> std::io::Result<()> {
    let mut history = items(row);
    let mut number = Message::default();
    number.number(1, step as u64);
    history.message(field::STEP, &number);
    log.record(field::HISTORY, &history)
}

/// The last of what was seen, and that it is all.
fn end<W: Write>(log: &mut Log<W>, last: &Map<String, Value>) -> std::io::Result<()> {
    log.record(field::SUMMARY, &items(last))?;
    // An exit code of 0 is left out, as protobuf does.
    log.record(field::EXIT, &Message::default())
}

fn config(picture: &EngineSnapshot) -> Map<String, Value> {
    let weights: Map<String, Value> =
        Term::ALL.into_iter().map(|term| (term.name().to_owned(), json!(picture.weights.get(term)))).collect();
    let arms: Vec<Value> = picture
        .arms
        .iter()
        .map(|row| json!({"arm": row.arm, "model": row.spec.model, "price": row.spec.price}))
        .collect();
    let pairs = [
        ("router", json!(picture.router)),
        ("strategy", json!(picture.strategy)),
        ("k", json!(picture.k)),
        ("alpha", json!(picture.alpha)),
        ("explore_share", json!(picture.explore_share)),
        ("weights", Value::Object(weights)),
        ("features", json!(picture.features)),
        ("feature_version", json!(picture.feature_version)),
        ("arms", json!(arms)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One run as a row of the history. No prompt goes along.
fn row(record: &RunRecord, step: usize, start: Timestamp) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |name: String, value: Value| row.insert(name, value);
    put("_step".to_owned(), json!(step));
    put("_timestamp".to_owned(), json!(record.at.millis() as f64 / 1e3));
    put("_runtime".to_owned(), json!(record.at.since(start).as_secs_f64()));
    put("seconds".to_owned(), json!(record.timings_s.total));
    put("cost_usd".to_owned(), json!(record.cost_usd));
    put("fallbacks".to_owned(), json!(record.fallbacks));
    put("explored".to_owned(), json!(u8::from(record.gate.decision == GateDecision::Explore)));
    if let Some(reward) = record.winner.as_ref().and_then(|winner| record.rewards.get(winner)) {
        put("reward".to_owned(), json!(reward.total));
    }
    for score in &record.arms {
        let arm = &score.arm;
        put(format!("mean/{arm}"), json!(score.mean));
        put(format!("uncertainty/{arm}"), json!(score.uncertainty));
        put(format!("propensity/{arm}"), json!(score.propensity));
        put(format!("served/{arm}"), json!(u8::from(record.winner.as_ref() == Some(arm))));
    }
    for (arm, reward) in &record.rewards {
        put(format!("reward/{arm}"), json!(reward.total));
    }
    row
}

/// `item` fields with key and JSON value: the form of configuration, history and summary alike.
fn items(pairs: &Map<String, Value>) -> Message {
    let mut message = Message::default();
    for (key, value) in pairs {
        let mut item = Message::default();
        item.text(field::KEY, key);
        item.text(field::VALUE_JSON, &value.to_string());
        message.message(field::ITEM, &item);
    }
    message
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(0x80 | (value & 0x7f).to_le_bytes()[0]);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u32, message: &Self) {
        self.bytes(field, &message.0);
    }
}

/// The log that records go into.
struct Log<W> {
    out: W,
    /// Bytes written in the present block.
    at: usize,
    count: u64,
}

impl<W: Write> Log<W> {
    fn start(mut out: W) -> std::io::Result<Self> {
        // ":W&B", the magic number 0xBEE1, version 0.
        out.write_all(b":W&B\xe1\xbe\x00")?;
        Ok(Self { out, at: PIECE_HEAD, count: 0 })
    }

    fn record(&mut self, kind: u32, content: &Message) -> std::io::Result<()> {
        self.count += 1;
        let mut record = Message::default();
        record.number(field::NUM, self.count);
        record.message(kind, content);
        let mut rest = record.0.as_slice();
        let mut is_first = true;
        loop {
            if BLOCK - self.at < PIECE_HEAD {
                self.out.write_all(&[0; PIECE_HEAD][..BLOCK - self.at])?;
                self.at = 0;
            }
            let (piece, after) = rest.split_at(rest.len().min(BLOCK - self.at - PIECE_HEAD));
            // Full, first, middle, last.
            let form = match (is_first, after.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            self.piece(form, piece)?;
            if after.is_empty() {
                return Ok(());
            }
            (rest, is_first) = (after, false);
        }
    }

    fn piece(&mut self, form: u8, piece: &[u8]) -> std::io::Result<()> {
        let mut crc = Crc::new();
        crc.update(&[form]);
        crc.update(piece);
        self.out.write_all(&crc.sum().to_le_bytes())?;
        self.out.write_all(&u16::try_from(piece.len()).unwrap_or(u16::MAX).to_le_bytes())?;
        self.out.write_all(&[form])?;
        self.out.write_all(piece)?;
        self.at = (self.at + PIECE_HEAD + piece.len()) % BLOCK;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_at_blocks_and_checked() {
        let mut log = Log::start(Vec::new()).unwrap();
        let mut content = Message::default();
        content.text(1, &"x".repeat(3 * BLOCK));
        log.record(field::RUN, &content).unwrap();
        log.record(field::EXIT, &Message::default()).unwrap();
        let (mut at, mut forms) = (PIECE_HEAD, Vec::new());
        let bytes = &log.out;
        while at < bytes.len() {
            if BLOCK - at % BLOCK < PIECE_HEAD {
                at += BLOCK - at % BLOCK;
                continue;
            }
            let length = usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]));
            let form = bytes[at + 6];
            let mut crc = Crc::new();
            crc.update(&[form]);
            crc.update(&bytes[at + 7..at + 7 + length]);
            assert_eq!(crc.sum().to_le_bytes(), bytes[at..at + 4]);
            forms.push(form);
            at += PIECE_HEAD + length;
        }
        assert_eq!(forms, [2, 3, 3, 4, 1]);
    }

    #[test]
    fn a_varint_is_as_protobuf_has_it() {
        let mut message = Message::default();
        message.number(1, 300);
        assert_eq!(message.0, [0x08, 0xac, 0x02]);
    }
}
