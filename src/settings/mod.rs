//! Typed settings: defaults < `config.toml` < `BANDITOP_*` < flags.
//!
//! One table of keys (`rows.rs`) says everything about every key once; reading, help,
//! template and `config keys` are read off it. [`load`] either gives settings in which everything has
//! been checked, or every problem at once, each with its place. A secret is never in here: only the name
//! of the environment variable that holds it.
//!
//! Not here: what a value means. The composition root hands each room its part.

mod arm_rows;
mod arms;
mod document;
mod draft;
mod fault;
mod kind;
mod lookup;
mod model;
mod observing;
mod policies;
mod reference;
mod reliability;
mod row;
mod rows;
mod rows_running;
mod slos;
mod spending;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

pub use draft::VERSION;
pub use fault::{Origin, SettingsFault, SettingsFaults};
pub use lookup::{ConfigText, EMBEDDED_CONFIG, LookupError};
pub use model::{
    ConsoleSettings, DecaySettings, DriftSettings, EmbeddingSettings, EncoderKind, Expectation, FeatureKind,
    FeatureSettings, JudgeSettings, PreviewSettings, PruneSettings, RewardSettings, RouterSettings, RunSettings,
    Settings, SimulationSettings, StoreSettings, Theme,
};
pub use observing::{AlarmSettings, LogFile, LogSettings, TelemetrySettings};
pub use policies::{
    CacheKind, CacheSettings, ExperimentSettings, GateSettings, SearchKind, SearchSettings, SessionSettings,
};
pub use reference::{SettingFlag, key_table, setting_flags, template};
pub use reliability::{HealthSettings, RetrySettings, TimeoutSettings};
pub use spending::{BudgetSettings, HedgeSettings, HedgeStart};

use crate::domain::spec::ArmSpec;
use draft::Draft;
use fault::nearest;
use row::KeyRow;
use rows::KEYS;

/// What settings are read from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file.
    pub file: ConfigText,
    /// The environment; only names that start with `BANDITOP_` are looked at.
    pub environment: Vec<(String, String)>,
    /// Flags that were given: the flag's name without dashes, and its value (`true` for a switch).
    pub flags: Vec<(String, String)>,
}

/// Variables that mean something but are no setting.
pub const OTHER_VARIABLES: &[&str] = &["BANDITOP_CONFIG", "BANDITOP_DATA"];

/// Reads all sources.
///
/// # Errors
/// Every problem of every source.
pub fn load(sources: &Sources) -> Result<Settings, SettingsFaults> {
    let file = sources.file.name.clone();
    let mut draft = Draft::defaults(Origin::File { file: file.clone(), line: 1 });
    document::read(&mut draft, &file, &sources.file.text);
    for (name, text) in &sources.environment {
        read_variable(&mut draft, name, text);
    }
    for (name, text) in &sources.flags {
        if let Some(row) = KEYS.iter().find(|row| row.flag_name() == Some(name)) {
            read_text(&mut draft, row, text, Origin::Flag(format!("--{name}")));
        }
    }
    draft.finish()
}

/// An empty variable counts as not set. An unknown one is only noted: it may be another program's, or hold a key.
fn read_variable(draft: &mut Draft, name: &str, text: &str) {
    if !name.starts_with("BANDITOP_") || text.is_empty() || OTHER_VARIABLES.contains(&name) {
        return;
    }
    if let Some(row) = KEYS.iter().find(|row| row.variable().as_deref() == Some(name)) {
        return read_text(draft, row, text, Origin::Variable(name.to_owned()));
    }
    let known: Vec<String> = KEYS.iter().filter_map(KeyRow::variable).collect();
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    draft.settings.notes.push(format!("the variable {name} sets nothing{hint}"));
}

fn read_text(draft: &mut Draft, row: &'static KeyRow<Draft>, text: &str, origin: Origin) {
    match row.kind.of_text(row.keyed_text(text)) {
        Ok(scalar) => draft.set(row, &scalar, origin),
        Err(misfit) => draft.fault(origin, row.name, &row.kind.to_string(), &misfit.found, &document::mend(row)),
    }
}

/// An arm declared outside a file: `fields` are keys of an `[[arms]]` table with their values.
///
/// # Errors
/// Every problem, in the words that a file's would have.
pub fn declared_arm(fields: &[(&str, String)]) -> Result<ArmSpec, SettingsFaults> {
    let mut draft = Draft::defaults(Origin::Default);
    draft.arms.push(document::declared(&mut draft.faults, fields));
    let (mut specs, faults) = arms::check(&draft.arms);
    draft.faults.extend(faults);
    match specs.pop() {
        Some(spec) if draft.faults.is_empty() => Ok(spec),
        _ => {
            for fault in &mut draft.faults {
                fault.key = fault.key.trim_start_matches("arms[0].").replace("price_per_million.", "price_");
                fault.origin = match fault.key.as_str() {
                    "name" => Origin::Argument("name of the arm"),
                    key => Origin::Flag(format!("--{}", key.replace('_', "-"))),
                };
                fault.key = String::new();
            }
            Err(SettingsFaults::new(draft.faults))
        }
    }
}

/// Reads any other TOML file (a scenario, a prompt suite) into its type. `name` is how the file is shown.
///
/// # Errors
/// The first problem, with file and line.
pub fn parse_toml<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        format!("{name}:{}: {}", document::line_at(text, start), error.message())
    })
}
