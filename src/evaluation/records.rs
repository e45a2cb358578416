//! Recorded outcomes: what every arm was worth on every prompt, one JSON object a line.
//!
//! ```json
//! {"id", "task", "prompt", "quality": {arm: 0..1}, "cost_usd": {arm: dollars}?, "latency_s": {arm: seconds}?, "x": [..]?}
//! ```
//!
//! An arm may be missing on a row (our own exported runs score only the arms that raced), and every
//! number is checked on the way in, so that nothing further down meets a NaN. All problems of a file
//! are reported with their line, up to [`FAULT_CAP`]. This file reads lines of bytes, never a path: who
//! opened what, and whether it was compressed, is the caller's business.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::pairs::Pairs;
pub use super::record_faults::{FAULT_CAP, RecordFault, RecordFaults};
use crate::domain::ids::ArmId;

/// What every arm was worth on every prompt.
#[derive(Clone, Debug, Default)]
pub struct Records {
    arms: Vec<ArmId>,
    rows: Vec<Row>,
}

/// One prompt. The vectors by arm follow [`Records::arms`]; `None` where the arm was not seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Unique in the file, or the number of its line.
    pub id: String,
    /// Where the prompt came from; a label for people, never a feature.
    pub task: String,
    /// The prompt; empty where the record kept none.
    pub prompt: String,
    /// In [0, 1] by arm.
    pub quality: Vec<Option<f64>>,
    /// Dollars of a full answer by arm, at least 0.
    pub cost_usd: Vec<Option<f64>>,
    /// Seconds of a full answer by arm, at least 0.
    pub latency_s: Vec<Option<f64>>,
    /// The recorded context, `d` finite values, `d` the same on every row; empty where none was kept.
    pub x: Vec<f64>,
    /// The probability with which the arm was selected when this was recorded, in [0, 1], by arm.
    pub propensity: Vec<Option<f64>>,
    /// The arms that were selected when this was recorded; `None` where the record does not say. One without a quality
    /// was lost: its call failed in passing, or nobody judged it.
    pub selected: Option<Vec<usize>>,
    /// The arm whose answer was served when this was recorded.
    pub served: Option<usize>,
}

impl Records {
    /// The arms, in the order of their first appearance.
    #[must_use]
    pub fn arms(&self) -> &[ArmId] {
        &self.arms
    }

    /// The rows, in the order of the file; empty only in a [`Records::slice`].
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of a half-open range of the file, under the same arms.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let rows = self.rows.get(range).unwrap_or_default().to_vec();
        Self { arms: self.arms.clone(), rows }
    }

    /// The length of the recorded contexts; `None` where the rows hold none.
    #[must_use]
    pub fn recorded_dimensions(&self) -> Option<usize> {
        self.rows.first().map(|row| row.x.len()).filter(|d| *d > 0)
    }

    /// Whether every arm has a quality on every row.
    #[must_use]
    pub fn is_full_information(&self) -> bool {
        self.rows.iter().all(|row| row.quality.iter().all(Option::is_some))
    }

    /// Whether every arm has a cost wherever it has a quality.
    #[must_use]
    pub fn has_costs(&self) -> bool {
        let known = |row: &Row| row.quality.iter().zip(&row.cost_usd).all(|(q, c)| q.is_none() || c.is_some());
        self.rows.iter().all(known)
    }

    /// Whether every arm has a latency wherever it has a quality.
    #[must_use]
    pub fn has_latencies(&self) -> bool {
        let known = |row: &Row| row.quality.iter().zip(&row.latency_s).all(|(q, l)| q.is_none() || l.is_some());
        self.rows.iter().all(known)
    }

    /// Every line of `bytes`.
    ///
    /// # Errors
    /// All that is wrong with it, as [`Reader::finish`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordFaults> {
        let mut reader = Reader::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            reader.line(line);
        }
        reader.finish()
    }
}

/// Takes lines one by one, so that a large file need not be in memory twice.
#[derive(Debug, Default)]
pub struct Reader {
    arms: Vec<ArmId>,
    by_name: BTreeMap<ArmId, usize>,
    rows: Vec<(usize, Raw)>,
    ids: BTreeSet<String>,
    dimensions: Option<usize>,
    line: usize,
    faults: Vec<RecordFault>,
}

/// A line as it stands.
#[derive(Debug, Deserialize)]
struct Raw {
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
    selected: Option<Vec<String>>,
    #[serde(default)]
    served: Option<String>,
    #[serde(default)]
    experiment: Option<serde::de::IgnoredAny>,
}

impl Reader {
    /// Whether so many problems were found that further lines are ignored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.faults.len() >= FAULT_CAP
    }

    /// The next line, with or without its end; blank ones count but say nothing.
    pub fn line(&mut self, line: &[u8]) {
        self.line += 1;
        let line = if self.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if self.is_full() || line.trim_ascii().is_empty() {
            return;
        }
        match serde_json::from_slice::<Raw>(line) {
            // Told for the sake of the experiment alone: nothing was judged.
            Ok(raw) if raw.experiment.is_some() && raw.quality.0.is_empty() && raw.propensity.is_none() => {}
            Ok(raw) => self.accept(raw),
            // The parser counts lines of its own text, which is always one.
            Err(error) => self.fault(format!("{error}").replace("line 1 column", "column")),
        }
    }

    /// What was read.
    ///
    /// # Errors
    /// Every problem found, up to [`FAULT_CAP`]: lines that are no record, numbers out of their range,
    /// an id twice, contexts of different lengths; or there is nothing to choose from.
    pub fn finish(self) -> Result<Records, RecordFaults> {
        let capped = self.is_full();
        let mut faults = self.faults;
        if faults.is_empty() {
            match self.arms.as_slice() {
                [] => faults.push(RecordFault::Empty),
                [arm] => faults.push(RecordFault::OneArm { arm: arm.clone() }),
                _ => {}
            }
        }
        if !faults.is_empty() {
            return Err(RecordFaults { faults, capped });
        }
        let rows = self.rows.into_iter().map(|(line, raw)| raw.into_row(line, &self.by_name)).collect();
        Ok(Records { arms: self.arms, rows })
    }

    fn fault(&mut self, problem: String) {
        if !self.is_full() {
            self.faults.push(RecordFault::Line { line: self.line, problem });
        }
    }

    fn accept(&mut self, raw: Raw) {
        let before = self.faults.len();
        for problem in raw.problems() {
            self.fault(problem);
        }
        if let Some(id) = raw.id_text()
            && !self.ids.insert(id.clone())
        {
            self.fault(format!("the id {id:?} is there twice"));
        }
        let d = raw.x.as_ref().map_or(0, Vec::len);
        let expected = *self.dimensions.get_or_insert(d);
        if d != expected {
            self.fault(format!("`x` has {d} values: expected {expected}, as on the first line"));
        }
        if self.faults.len() == before {
            // The candidates of a logged run come in the order of the pool, all of them.
            let candidates = raw.propensity.iter().flat_map(|pairs| &pairs.0);
            for (arm, _) in candidates.chain(raw.maps().into_iter().flat_map(|(_, pairs, _)| &pairs.0)) {
                if !self.by_name.contains_key(arm.as_str()) {
                    let id = ArmId::new(arm);
                    self.by_name.insert(id.clone(), self.arms.len());
                    self.arms.push(id);
                }
            }
            self.rows.push((self.line, raw));
        }
    }
}

impl Raw {
    /// The maps by arm that are there, each with its upper bound.
    fn maps(&self) -> Vec<(&'static str, &Pairs, f64)> {
        let all = [
            ("quality", Some(&self.quality), 1.0),
            ("cost_usd", self.cost_usd.as_ref(), f64::INFINITY),
            ("latency_s", self.latency_s.as_ref(), f64::INFINITY),
            ("propensity", self.propensity.as_ref(), 1.0),
        ];
        all.into_iter().filter_map(|(name, pairs, bound)| Some((name, pairs?, bound))).collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, pairs, bound) in self.maps() {
            let mut seen = BTreeSet::new();
            for (arm, value) in &pairs.0 {
                if !value.is_finite() || *value < 0.0 || *value > bound {
                    let range = if bound.is_finite() { "in [0, 1]" } else { "of at least 0" };
                    problems.push(format!("`{name}` of {arm:?} is {value}: expected a number {range}"));
                }
                if arm.is_empty() || !seen.insert(arm) {
                    problems.push(format!("`{name}` names the arm {arm:?} twice, or not at all"));
                }
            }
        }
        let is_lost = self.propensity.is_some() && self.selected.as_ref().is_some_and(|arms| !arms.is_empty());
        if self.quality.0.is_empty() && !is_lost {
            problems.push("`quality` is empty: expected one number per arm".to_owned());
        }
        if self.prompt.is_none() && self.x.is_none() {
            problems.push("neither `prompt` nor `x`: there is nothing to make a context of".to_owned());
        }
        if let Some(at) = self.x.as_ref().and_then(|x| x.iter().position(|v| !v.is_finite())) {
            problems.push(format!("`x` is not finite at position {at}"));
        }
        if let Some(served) = self.served.as_ref().filter(|served| self.quality.get(served).is_none()) {
            problems.push(format!("`served` names {served:?}, which has no `quality`"));
        }
        problems
    }

    fn id_text(&self) -> Option<String> {
        match self.id.as_ref()? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    fn into_row(self, line: usize, by_name: &BTreeMap<ArmId, usize>) -> Row {
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

    const GOOD: &str = r#"{"id":"a","task":"t","prompt":"p","quality":{"zeta":1,"alpha":0.5},"cost_usd":{"zeta":0.1,"alpha":0.2},"x":[1,2]}"#;

    fn faults(text: &str) -> Vec<String> {
        Records::parse(text.as_bytes()).unwrap_err().faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arms_keep_the_order_of_the_file() {
        let second = r#"{"id":"b","prompt":"q","quality":{"new":0,"alpha":1},"x":[3,4]}"#;
        let records = Records::parse(format!("\u{feff}{GOOD}\r\n\n{second}").as_bytes()).unwrap();
        assert_eq!(records.arms(), ["zeta", "alpha", "new"].map(ArmId::new));
        assert_eq!(records.rows()[0].quality, [Some(1.0), Some(0.5), None]);
        assert_eq!(records.rows()[1].quality, [None, Some(1.0), Some(0.0)]);
        assert_eq!(records.recorded_dimensions(), Some(2));
        assert!(!records.is_full_information() && !records.has_costs() && !records.has_latencies());
        assert_eq!(records.slice(1..2).rows()[0].id, "b");
    }

    #[test]
    fn every_problem_is_named_with_its_line() {
        let text = [
            GOOD,
            "{",
            r#"{"id":"a","prompt":"p","quality":{"alpha":1.5,"zeta":-1},"cost_usd":{"alpha":-2},"x":[1,2]}"#,
            r#"{"id":"c","prompt":"p","quality":{},"x":[1]}"#,
            r#"{"id":"d","quality":{"alpha":1}}"#,
        ]
        .join("\n");
        let found = faults(&text);
        assert_eq!(found.len(), 9, "{found:#?}");
        assert!(found[0].starts_with("line 2: ") && !found[0].contains("line 1"));
        assert_eq!(found[1], r#"line 3: `quality` of "alpha" is 1.5: expected a number in [0, 1]"#);
        assert!(found[4].contains("twice") && found[5].starts_with("line 4: `quality` is empty"));
        assert!(found[7].contains("neither `prompt` nor `x`"));
    }

    #[test]
    fn what_holds_nothing_is_refused() {
        assert!(faults("\n\n")[0].starts_with("no recorded outcome"));
        assert!(faults(r#"{"prompt":"p","quality":{"only":1}}"#)[0].contains("only the arm `only`"));
        let served = r#"{"prompt":"p","quality":{"a":1,"b":0},"served":"c"}"#;
        assert!(faults(served)[0].contains("`served` names"));
        assert!(faults(r#"{"prompt":"p","quality":{"a":1,"a":0}}"#)[0].contains("twice"));
        assert!(faults(r#"{"prompt":"p","quality":{"a":1e999}}"#)[0].contains("out of range"));
    }

    #[test]
    fn reading_stops_at_the_cap() {
        let error = Records::parse("x\n".repeat(1000).as_bytes()).unwrap_err();
        assert_eq!((error.faults.len(), error.capped), (FAULT_CAP, true));
        assert!(error.to_string().ends_with("reading stopped after 20 problems"));
    }
}
