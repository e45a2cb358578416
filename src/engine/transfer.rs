//! The state as a text that describes itself, out and in. An import replaces the router's state and is
//! journalled; what was there is kept under its own key. Traffic figures, run records and the
//! configuration's facts stay as they are: they are about this instance.

use serde::{Deserialize, Serialize};

use crate::bandit::RouterState;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use crate::domain::engine::EngineError;
use crate::domain::ids::Sequence;
use crate::domain::store::StoredSnapshot;

use super::actions::{applied, refused};
use super::idempotency::REMEMBERED;
use super::owner::Owner;
use super::picture::STATE_VERSION;

/// What the text says it is.
const FORMAT: &str = "banditop state";
/// Bytes of one stored value: stores keep values small.
const CHUNK: usize = 48 * 1024;

/// The exported text, as JSON.
#[derive(Serialize, Deserialize)]
struct Exported {
    format: String,
    version: u32,
    feature_version: String,
    d: usize,
    sequence: Sequence,
    at: Timestamp,
    /// Name and text of each part of the state.
    parts: Vec<(String, String)>,
    /// Newest first; for reading, an import does not take it over.
    journal: Vec<JournalEntry>,
}

/// What is looked at before anything else: a text of a newer form may have other fields.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Owner {
    /// Everything the router's state is made of.
    ///
    /// # Errors
    /// [`EngineError::Store`] where the journal cannot be read.
    pub(super) async fn export(&self) -> Result<String, EngineError> {
        let journal = self.ledger.journal(REMEMBERED).await;
        let journal = journal.map_err(|error| EngineError::Store(error.to_string()))?;
        let config = self.folds.state.config();
        let parts = self.folds.state.to_snapshot().parts;
        let text = |(name, bytes): (String, Vec<u8>)| Some((name, String::from_utf8(bytes).ok()?));
        let exported = Exported {
            format: FORMAT.to_owned(),
            version: STATE_VERSION,
            feature_version: config.feature_version.clone(),
            d: config.d,
            sequence: self.folds.end,
            at: self.shared.now(),
            parts: parts.into_iter().filter_map(text).collect(),
            journal,
        };
        serde_json::to_string_pretty(&exported).map_err(|error| EngineError::Store(error.to_string()))
    }

    /// Replaces the router's state.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where the text is no export, of a newer form, or of other features.
    pub(super) fn import(&mut self, text: &str, actor: Actor) -> Result<Acknowledgement, EngineError> {
        let (state, command) = self.read_export(text).map_err(refused)?;
        let (key, values) = kept_aside(&self.folds.state.to_snapshot());
        let id = self.own_id();
        let entry = self.entry(id, actor, command);
        let before = described(&self.folds.state);
        self.folds.state = state;
        self.folds.state.apply(&entry);
        let after = format!("{}; the former state is kept as `{key}`", described(&self.folds.state));
        let line = self.log(entry, before, after);
        self.follow(&line);
        self.pending.batch.values.extend(values);
        self.pending.batch.snapshot = Some(self.folds.to_snapshot());
        Ok(applied(line))
    }

    fn read_export(&self, text: &str) -> Result<(RouterState, RouterCommand), String> {
        let no_export = |fault: serde_json::Error| format!("this is no exported state: {fault}");
        let head: Head = serde_json::from_str(text).map_err(no_export)?;
        if head.format != FORMAT {
            return Err(format!("this is no exported state: expected the format {FORMAT:?}, found {:?}", head.format));
        }
        if head.version > STATE_VERSION {
            let found = head.version;
            return Err(format!(
                "the export has form {found}, this program reads up to {STATE_VERSION}: update banditop"
            ));
        }
        let exported: Exported = serde_json::from_str(text).map_err(no_export)?;
        let parts = exported.parts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        let snapshot = StoredSnapshot { sequence: exported.sequence, parts };
        let state =
            RouterState::from_snapshot(&snapshot, self.folds.state.config()).map_err(|fault| fault.to_string())?;
        if state.candidates().is_empty() {
            return Err("the exported state has no arm that could answer".to_owned());
        }
        let command = RouterCommand::Import { sequence: exported.sequence, exported: exported.at };
        Ok((state, command))
    }
}

fn described(state: &RouterState) -> String {
    format!("{} arms, {} runs, sequence {}", state.arms().count(), state.steps(), state.sequence())
}

/// A state that is no longer used, as stored values: `kept:…` says in how many pieces, `kept:…:N` are they.
/// The key names the features and the place in the log.
pub(super) fn kept_aside(snapshot: &StoredSnapshot) -> (String, Vec<(String, Vec<u8>)>) {
    let parts: Vec<(&str, std::borrow::Cow<'_, str>)> =
        snapshot.parts.iter().map(|(name, bytes)| (name.as_str(), String::from_utf8_lossy(bytes))).collect();
    let text = serde_json::to_vec(&parts).unwrap_or_default();
    let key = format!("kept:{}:{}", features_of(snapshot), snapshot.sequence);
    let pieces: Vec<&[u8]> = text.chunks(CHUNK).collect();
    let count = serde_json::json!({ "pieces": pieces.len(), "bytes": text.len(), "sequence": snapshot.sequence });
    let mut values = vec![(key.clone(), count.to_string().into_bytes())];
    values.extend(pieces.iter().enumerate().map(|(n, piece)| (format!("{key}:{n}"), piece.to_vec())));
    (key, values)
}

/// The feature version that the router's header names.
pub(super) fn features_of(snapshot: &StoredSnapshot) -> String {
    let header = snapshot.parts.iter().find(|(name, _)| name == "router");
    let header = header.and_then(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(bytes).ok());
    let version = header.as_ref().and_then(|header| header.get("feature_version")?.as_str());
    version.unwrap_or("unknown").to_owned()
}
