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

pub use super::record_faults::{FAULT_CAP, RecordFault, RecordFaults};
use super::record_line::{self, Raw};
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
    /// How many arms race in the mean on such a row, where limits of shares decided by chance how many did; what the
    /// propensities sum to. `None`: as many as raced.
    pub expected_raced: Option<f64>,
    /// The arms that were selected when this was recorded; `None` where the record does not say. One without a quality
    /// was lost: its call failed in passing, or nobody judged it.
    pub selected: Option<Vec<usize>>,
    /// The arm whose answer was served when this was recorded.
    pub served: Option<usize>,
}

impl Row {
    /// The quality of an arm that was selected, where there is one. What a fallback answered is an outcome, but not
    /// of the choice: with the chance of being selected it has nothing to do.
    #[must_use]
    pub fn judged(&self, arm: usize) -> Option<f64> {
        let counts = self.selected.as_ref().is_none_or(|selected| selected.contains(&arm));
        self.quality.get(arm).copied().flatten().filter(|_| counts)
    }

    /// Whether the record says with which probability anybody was selected.
    pub(super) fn has_chances(&self) -> bool {
        self.propensity.iter().any(Option::is_some)
    }
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
        self.rows.iter().all(|row| (0..self.arms.len()).all(|arm| row.judged(arm).is_some()))
    }

    /// Whether every arm has a cost wherever it has a quality.
    #[must_use]
    pub fn has_costs(&self) -> bool {
        self.first_without(|row| &row.cost_usd).is_none()
    }

    /// Whether every arm has a latency wherever it has a quality.
    #[must_use]
    pub fn has_latencies(&self) -> bool {
        self.first_without(|row| &row.latency_s).is_none()
    }

    /// The first row, by its id, on which an arm that was judged lacks such a value, and that arm.
    #[must_use]
    pub fn first_without(&self, values: fn(&Row) -> &[Option<f64>]) -> Option<(&str, &ArmId)> {
        self.rows.iter().find_map(|row| {
            let is_bare =
                |arm: &usize| row.judged(*arm).is_some() && values(row).get(*arm).copied().flatten().is_none();
            let arm = (0..self.arms.len()).find(is_bare)?;
            Some((row.id.as_str(), self.arms.get(arm)?))
        })
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
        match record_line::read(line) {
            // Told for the sake of the experiment alone: nothing was judged.
            Ok(raw) if raw.is_assignment_alone() => {}
            Ok(raw) => self.accept(raw),
            Err(problem) => self.fault(problem),
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
            // A log of runs is read by other rules than recorded outcomes: half of each is neither.
            let bare: Vec<usize> =
                self.rows.iter().filter(|(_, raw)| !raw.has_chances()).map(|(line, _)| *line).collect();
            if !bare.is_empty() && bare.len() < self.rows.len() {
                faults.push(RecordFault::SomeChances { rows: self.rows.len(), bare });
            }
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
        let d = raw.dimensions();
        let expected = *self.dimensions.get_or_insert(d);
        if d != expected {
            self.fault(format!("`x` has {d} values: expected {expected}, as on the first line"));
        }
        if self.faults.len() == before {
            // The candidates of a logged run come in the order of the pool, all of them.
            for arm in raw.arms() {
                if !self.by_name.contains_key(arm) {
                    let id = ArmId::new(arm);
                    self.by_name.insert(id.clone(), self.arms.len());
                    self.arms.push(id);
                }
            }
            self.rows.push((self.line, raw));
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
        for (text, words) in [
            (r#"{"prompt":"p","quality":{"a":1,"b":0},"cost_usd":{"a":1e308}}"#, "in [0, 1000000]"),
            (r#"{"prompt":"p","quality":{"a":1,"b":0},"x":[1,1e200]}"#, "`x` at position 1 is 1"),
        ] {
            assert!(faults(text)[0].contains(words), "{:?}", faults(text));
        }
    }

    #[test]
    fn a_log_is_one_on_every_row_and_counts_whom_it_selected() {
        let with = r#"{"prompt":"p","quality":{"a":1,"b":0},"propensity":{"a":0.4,"b":0.6},"selected":["a"]}"#;
        let without = r#"{"prompt":"p","quality":{"a":1}}"#;
        let found = faults(&[with, without, with, "", without].join("\n"));
        let expected =
            "2 of 4 rows hold no `propensity` (lines 2, 5), the others do: a log of runs has it on every row";
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
        let log = Records::parse([with, with].join("\n").as_bytes()).unwrap();
        let row = &log.rows()[0];
        assert_eq!((row.judged(0), row.judged(1), row.quality[1]), (Some(1.0), None, Some(0.0)));
        assert!(!log.is_full_information());
    }

    #[test]
    fn reading_stops_at_the_cap() {
        let error = Records::parse("x\n".repeat(1000).as_bytes()).unwrap_err();
        assert_eq!((error.faults.len(), error.capped), (FAULT_CAP, true));
        assert!(error.to_string().ends_with("reading stopped after 20 problems"));
    }
}
