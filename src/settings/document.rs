//! The walk over a TOML document: every value is held against its row, every key without a row is a
//! fault that names the nearest key. Syntax faults are collected with the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::domain::action::{ACTIONS, Action, KeyName};

use super::arm_rows::ARM_KEYS;
use super::arms::{ArmDraft, EndpointDraft};
use super::draft::Draft;
use super::fault::{Origin, SettingsFault, nearest};
use super::kind::Misfit;
use super::row::KeyRow;
use super::rows::KEYS;
use super::slos::{SLO_KEYS, SloDraft};

/// Reads `text` into the draft.
pub(super) fn read(draft: &mut Draft, file: &Arc<str>, text: &str) {
    let walk = Walk { file: file.clone(), text };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        draft.incomplete = true;
        let origin = walk.origin(error.span().map_or(0, |span| span.start));
        let message = error.message().lines().next().unwrap_or_default();
        if message == "duplicate key" {
            let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
            draft.fault(origin, "", "every key and table once", &format!("`{key}` again"), "remove one of the two");
        } else {
            draft.fault(origin, "", "valid TOML", message, "correct the line");
        }
    }
    let broken: BTreeSet<Origin> = draft.faults.iter().map(|fault| fault.origin.clone()).collect();
    let before = draft.faults.len();
    walk.section(draft, "", table.get_ref());
    // What is said about a line that could not be read is about what was guessed there.
    let mut index = 0;
    draft.faults.retain(|fault| {
        index += 1;
        index <= before || !broken.contains(&fault.origin)
    });
}

struct Walk<'a> {
    file: Arc<str>,
    text: &'a str,
}

type Key<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

impl Walk<'_> {
    fn origin(&self, offset: usize) -> Origin {
        Origin::File { file: self.file.clone(), line: line_at(self.text, offset) }
    }

    fn section(&self, draft: &mut Draft, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let origin = self.origin(key.span().start);
            if name == "arms" {
                self.arms(draft, &origin, value);
            } else if name == "slo" {
                self.slos(draft, &origin, value);
            } else if name == "keys" {
                self.keys(draft, &origin, value);
            } else if let Some(row) = KEYS.iter().find(|row| row.name == name) {
                match row.kind.of_toml(value.get_ref()) {
                    Ok(scalar) => draft.set(row, &scalar, origin),
                    Err(misfit) => misfits(draft, origin, row, row.name, &misfit),
                }
            } else if has_keys_under(&KEYS, &name) {
                match value.get_ref().as_table() {
                    Some(inner) => self.section(draft, &format!("{name}."), inner),
                    None => {
                        draft.fault(origin, &name, "a table", value.get_ref().type_str(), "write its keys below it");
                    }
                }
            } else {
                let names = KEYS.iter().map(|row| row.name).chain(["arms", "slo", "keys"]);
                unknown(draft, origin, &name, prefix, names);
            }
        }
    }

    fn arms(&self, draft: &mut Draft, origin: &Origin, value: &Value<'_>) {
        let Some(array) = value.get_ref().as_array() else {
            let mend = "write [[arms]], with two brackets";
            draft.fault(origin.clone(), "arms", "an array of tables", value.get_ref().type_str(), mend);
            draft.incomplete = true;
            return;
        };
        for (index, item) in array.iter().enumerate() {
            let origin = self.origin(item.span().start);
            let Some(table) = item.get_ref().as_table() else {
                draft.fault(origin, &format!("arms[{index}]"), "a table", item.get_ref().type_str(), "write [[arms]]");
                draft.incomplete = true;
                continue;
            };
            let mut arm = ArmDraft { endpoint: EndpointDraft::default(), origin, seen: Vec::new() };
            self.arm(draft, &mut arm, &format!("arms[{index}]."), "", table);
            draft.arms.push(arm);
        }
    }

    fn slos(&self, draft: &mut Draft, origin: &Origin, value: &Value<'_>) {
        let Some(array) = value.get_ref().as_array() else {
            let mend = "write [[slo]], with two brackets";
            return draft.fault(origin.clone(), "slo", "an array of tables", value.get_ref().type_str(), mend);
        };
        for (index, item) in array.iter().enumerate() {
            let mut slo = SloDraft::new();
            let place = self.origin(item.span().start);
            let Some(table) = item.get_ref().as_table() else {
                draft.fault(place, &format!("slo[{index}]"), "a table", item.get_ref().type_str(), "write [[slo]]");
                continue;
            };
            for (key, value) in table {
                let (name, origin) = (key.get_ref().as_ref(), self.origin(key.span().start));
                let shown = format!("slo[{index}].{name}");
                let Some(row) = SLO_KEYS.iter().find(|row| row.name == name) else {
                    unknown_under(draft, origin, &shown, name, "", SLO_KEYS.iter().map(|row| row.name));
                    continue;
                };
                slo.seen.push(row.name);
                match row.kind.of_toml(value.get_ref()) {
                    Ok(scalar) => (row.set)(&mut slo, &scalar),
                    Err(misfit) => misfits(draft, origin, row, &shown, &misfit),
                }
            }
            draft.slos.push((slo, place));
        }
    }

    fn arm(&self, draft: &mut Draft, arm: &mut ArmDraft, path: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let shown = format!("{path}{name}");
            let origin = self.origin(key.span().start);
            if let Some(row) = ARM_KEYS.iter().find(|row| row.name == name) {
                arm.seen.push(row.name);
                match row.kind.of_toml(value.get_ref()) {
                    Ok(scalar) => (row.set)(&mut arm.endpoint, &scalar),
                    Err(misfit) => misfits(draft, origin, row, &shown, &misfit),
                }
            } else if has_keys_under(ARM_KEYS, &name) {
                if let Some(inner) = value.get_ref().as_table() {
                    self.arm(draft, arm, path, &format!("{name}."), inner);
                } else {
                    let mend = "write { input = …, output = … }";
                    draft.fault(origin, &shown, "a table", value.get_ref().type_str(), mend);
                }
            } else {
                let names = ARM_KEYS.iter().map(|row| row.name);
                unknown_under(draft, origin, &shown, &name, prefix, names);
            }
        }
    }

    fn keys(&self, draft: &mut Draft, origin: &Origin, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            draft.fault(origin.clone(), "keys", "a table", value.get_ref().type_str(), "write [keys]");
            return;
        };
        for (key, value) in table {
            self.binding(draft, key, value);
        }
    }

    fn binding(&self, draft: &mut Draft, key: &Key<'_>, value: &Value<'_>) {
        let origin = self.origin(key.span().start);
        let name = format!("keys.{}", key.get_ref());
        let Some(action) = Action::from_name(key.get_ref()) else {
            let names = ACTIONS.iter().map(|row| row.name);
            return unknown_under(draft, origin, &name, key.get_ref(), "", names);
        };
        let texts: Option<Vec<&str>> = match value.get_ref() {
            DeValue::String(text) => Some(vec![text.as_ref()]),
            DeValue::Array(array) => array.iter().map(|item| item.get_ref().as_str()).collect(),
            _ => None,
        };
        let Some(texts) = texts else {
            let mend = "for example \"d\" or [\"d\", \"ctrl-d\"]";
            return draft.fault(origin, &name, "a key, or an array of keys", value.get_ref().type_str(), mend);
        };
        let mut keys = Vec::new();
        for text in texts {
            if let Ok(key) = KeyName::parse(text) {
                keys.push(key);
            } else {
                let expected = "one character, or one of space tab backtab esc enter up down left right home end \
                                pageup pagedown backspace delete f1–f12, with ctrl- or alt- before it where wanted";
                draft.fault(origin.clone(), &name, expected, &format!("{text:?}"), "write another key");
            }
        }
        draft.keys.insert(action, (keys, origin));
    }
}

/// An arm from texts, each the value of a key.
pub(super) fn declared(faults: &mut Vec<SettingsFault>, fields: &[(&str, String)]) -> ArmDraft {
    let mut arm = ArmDraft { endpoint: EndpointDraft::default(), origin: Origin::Flag("arm".into()), seen: Vec::new() };
    for (name, text) in fields {
        let Some(row) = ARM_KEYS.iter().find(|row| row.name == *name) else { continue };
        arm.seen.push(row.name);
        match row.kind.of_text(text) {
            Ok(scalar) => (row.set)(&mut arm.endpoint, &scalar),
            Err(misfit) => faults.push(SettingsFault {
                origin: arm.origin.clone(),
                key: row.name.to_owned(),
                expected: row.kind.to_string(),
                found: misfit.found,
                mend: mend(row),
            }),
        }
    }
    arm
}

/// The line of a byte, the first being 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn has_keys_under<T>(rows: &[KeyRow<T>], name: &str) -> bool {
    rows.iter().any(|row| row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn misfits<T>(draft: &mut Draft, origin: Origin, row: &KeyRow<T>, shown: &str, misfit: &Misfit) {
    draft.fault(origin, shown, &row.kind.to_string(), &misfit.found, &mend(row));
}

/// What to do about a value that does not fit.
pub(super) fn mend<T>(row: &KeyRow<T>) -> String {
    row.default_toml().map_or("change it, or leave it out".to_owned(), |text| format!("the default is {text}"))
}

fn unknown<'a>(
    draft: &mut Draft,
    origin: Origin,
    name: &str,
    prefix: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let leaf = name.strip_prefix(prefix).unwrap_or(name);
    // The same last part in another section is a key in the wrong place.
    if let Some(elsewhere) = known.clone().find(|known| known.rsplit('.').next() == Some(leaf) && known.contains('.')) {
        return draft.fault(origin, name, "a known key", "an unknown one", &format!("did you mean `{elsewhere}`?"));
    }
    unknown_under(draft, origin, name, leaf, prefix, known);
}

/// An unknown key: `leaf` under `prefix`, where the names in `known` would have been right.
fn unknown_under<'a>(
    draft: &mut Draft,
    origin: Origin,
    shown: &str,
    leaf: &str,
    prefix: &str,
    known: impl Iterator<Item = &'a str>,
) {
    let heads: BTreeSet<&str> =
        known.filter_map(|name| name.strip_prefix(prefix)).filter_map(|rest| rest.split('.').next()).collect();
    let mend = match nearest(leaf, heads.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", heads.into_iter().collect::<Vec<_>>().join(", ")),
    };
    draft.fault(origin, shown, "a known key", "an unknown one", &mend);
}
