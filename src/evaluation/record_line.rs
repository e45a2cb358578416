//! One line of a file of recorded outcomes: what it holds, what is wrong with it, and, where it is no record at
//! all, which field is at fault and what it should have been.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::pairs::Pairs;
use super::records::Row;
use crate::domain::ids::ArmId;

/// Dollars, seconds and values of a context go no further: beyond, sums and squares mean nothing any more.
const LARGEST: f64 = 1e6;

/// A line as it stands.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    prompt: Option<String>,
    quality: Pairs,
    #[serde(default)]
    cost_usd: Option<Pairs>,
    #[serde(default)]
    latency_s: Option<Pairs>,
    #[serde(default)]
    x: Option<Vec<f64>>,
    #[serde(default)]
    propensity: Option<Pairs>,
    #[serde(default)]
    expected_raced: Option<f64>,
    #[serde(default)]
    selected: Option<Vec<String>>,
    #[serde(default)]
    served: Option<String>,
    #[serde(default)]
    experiment: Option<serde::de::IgnoredAny>,
}

/// What a field may be.
type Form = (&'static str, &'static str, fn(&Value) -> bool);

const FORMS: [Form; 10] = [
    ("task", "a text", |value| value.is_string()),
    ("prompt", "a text", |value| value.is_string()),
    ("quality", "an object of numbers by arm", is_numbers_by_arm),
    ("cost_usd", "an object of numbers by arm", is_numbers_by_arm),
    ("latency_s", "an object of numbers by arm", is_numbers_by_arm),
    ("propensity", "an object of numbers by arm", is_numbers_by_arm),
    ("expected_raced", "a number", |value| value.is_number()),
    ("x", "a list of numbers", |value| value.as_array().is_some_and(|all| all.iter().all(Value::is_number))),
    ("selected", "a list of arms", |value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string))),
    ("served", "an arm", |value| value.is_string()),
];

fn is_numbers_by_arm(value: &Value) -> bool {
    value.as_object().is_some_and(|all| all.values().all(|value| value.is_number() || value.is_null()))
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, in words: it is no JSON object, or a field is not what it should be.
pub(super) fn read(line: &[u8]) -> Result<Raw, String> {
    if line.trim_ascii_start().first() == Some(&b'{') {
        serde_json::from_slice(line).map_err(|error| told(line, &error))
    } else {
        let start: String = String::from_utf8_lossy(line).trim().chars().take(40).collect();
        Err(format!("{start:?} is no JSON object: expected {{\"prompt\": text, \"quality\": {{arm: 0..1}}}}"))
    }
}

fn told(line: &[u8], error: &serde_json::Error) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_slice(line) else {
        // The parser counts lines of its own text, which is always one.
        return format!("no JSON object, {error}").replace("line 1 column", "column");
    };
    let odd = |(name, expected, is_good): &Form| {
        let value = fields.get(*name)?;
        let may_lack = *name != "quality" && value.is_null();
        (!may_lack && !is_good(value)).then(|| {
            let start: String = value.to_string().chars().take(40).collect();
            format!("`{name}` is {start}: expected {expected}")
        })
    };
    let found: Vec<String> = FORMS.iter().filter_map(odd).collect();
    match (found.is_empty(), fields.contains_key("quality")) {
        (false, _) => found.join("; "),
        (true, false) => "`quality` is missing: expected an object of numbers by arm".to_owned(),
        (true, true) => error.to_string().replace("line 1 column", "column"),
    }
}

impl Raw {
    /// Whether it was told for the sake of an experiment alone.
    pub(super) fn is_assignment_alone(&self) -> bool {
        self.experiment.is_some() && self.quality.0.is_empty() && self.propensity.is_none()
    }

    /// Whether it says with which probability anybody was selected.
    pub(super) fn has_chances(&self) -> bool {
        self.propensity.as_ref().is_some_and(|pairs| !pairs.0.is_empty())
    }

    /// The length of its context.
    pub(super) fn dimensions(&self) -> usize {
        self.x.as_ref().map_or(0, Vec::len)
    }

    /// All arms that it names, some more than once: candidates first.
    pub(super) fn arms(&self) -> impl Iterator<Item = &str> {
        let candidates = self.propensity.iter().flat_map(|pairs| &pairs.0);
        candidates.chain(self.maps().into_iter().flat_map(|(_, pairs, _)| &pairs.0)).map(|(arm, _)| arm.as_str())
    }

    /// The maps by arm that are there, each with its upper bound.
    fn maps(&self) -> Vec<(&'static str, &Pairs, f64)> {
        let all = [
            ("quality", Some(&self.quality), 1.0),
            ("cost_usd", self.cost_usd.as_ref(), LARGEST),
            ("latency_s", self.latency_s.as_ref(), LARGEST),
            ("propensity", self.propensity.as_ref(), 1.0),
        ];
        all.into_iter().filter_map(|(name, pairs, bound)| Some((name, pairs?, bound))).collect()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, pairs, bound) in self.maps() {
            let mut seen = BTreeSet::new();
            for (arm, value) in &pairs.0 {
                if !value.is_finite() || *value < 0.0 || *value > bound {
                    problems.push(format!("`{name}` of {arm:?} is {value:?}: expected a number in [0, {bound}]"));
                }
                if arm.is_empty() || !seen.insert(arm) {
                    problems.push(format!("`{name}` names the arm {arm:?} twice, or not at all"));
                }
            }
        }
        if let Some(raced) = self.expected_raced.filter(|raced| !raced.is_finite() || *raced <= 0.0) {
            problems.push(format!("`expected_raced` is {raced:?}: expected a number above 0"));
        }
        let is_lost = self.propensity.is_some() && self.selected.as_ref().is_some_and(|arms| !arms.is_empty());
        if self.quality.0.is_empty() && !is_lost {
            problems.push("`quality` is empty: expected one number per arm".to_owned());
        }
        if self.prompt.is_none() && self.x.is_none() {
            problems.push("neither `prompt` nor `x`: there is nothing to make a context of".to_owned());
        }
        let wild = |(_, v): &(usize, &f64)| v.is_nan() || v.abs() > LARGEST;
        if let Some((at, value)) = self.x.iter().flatten().enumerate().find(wild) {
            problems.push(format!("`x` at position {at} is {value:?}: expected a number in [-{LARGEST}, {LARGEST}]"));
        }
        if let Some(served) = self.served.as_ref().filter(|served| self.quality.get(served).is_none()) {
            problems.push(format!("`served` names {served:?}, which has no `quality`"));
        }
        problems
    }

    pub(super) fn id_text(&self) -> Option<String> {
        match self.id.as_ref()? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    pub(super) fn into_row(self, line: usize, by_name: &BTreeMap<ArmId, usize>) -> Row {
        let spread = |pairs: Option<&Pairs>| {
            let mut by_arm = vec![None; by_name.len()];
            for (arm, value) in pairs.into_iter().flat_map(|p| &p.0) {
                if let Some(slot) = by_name.get(arm.as_str()).and_then(|at| by_arm.get_mut(*at)) {
                    *slot = Some(*value);
                }
            }
            by_arm
        };
        Row {
            id: self.id_text().unwrap_or_else(|| line.to_string()),
            quality: spread(Some(&self.quality)),
            cost_usd: spread(self.cost_usd.as_ref()),
            latency_s: spread(self.latency_s.as_ref()),
            propensity: spread(self.propensity.as_ref()),
            expected_raced: self.expected_raced,
            selected: self
                .selected
                .as_ref()
                .map(|arms| arms.iter().filter_map(|arm| by_name.get(arm.as_str()).copied()).collect()),
            served: self.served.as_deref().and_then(|arm| by_name.get(arm).copied()),
            task: self.task.unwrap_or_default(),
            prompt: self.prompt.unwrap_or_default(),
            x: self.x.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_names_the_field_and_what_was_expected() {
        for (line, words) in [
            ("id,prompt,quality", r#""id,prompt,quality" is no JSON object: expected {"prompt""#),
            (r#"["1","t","p",{"a":1,"b":0}]"#, "is no JSON object"),
            ("[1,2,3]", "is no JSON object"),
            (r#"{"prompt":"p","quality":NaN}"#, "no JSON object, expected value at column"),
            (r#"{"task":5,"prompt":"p","quality":{"a":1}}"#, "`task` is 5: expected a text"),
            (r#"{"prompt":"p","quality":[1,2]}"#, "`quality` is [1,2]: expected an object of numbers by arm"),
            (r#"{"prompt":"p","quality":{"a":"good"},"x":{}}"#, "by arm; `x` is {}: expected a list of numbers"),
            (r#"{"prompt":"p"}"#, "`quality` is missing"),
        ] {
            let found = read(line.as_bytes()).unwrap_err();
            assert!(found.contains(words) && !found.contains("line 1"), "{found}");
        }
    }
}
