//! What is wrong with a file of recorded outcomes, line by line, in words for a person.

use crate::domain::ids::ArmId;

/// How many problems are collected before reading stops.
pub const FAULT_CAP: usize = 20;

/// What is wrong with a file of recorded outcomes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct RecordFaults {
    /// In the order of the file; at least one, at most [`FAULT_CAP`].
    pub faults: Vec<RecordFault>,
    /// Whether reading stopped at the cap, so that there may be more.
    pub capped: bool,
}

impl RecordFaults {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        if self.capped {
            lines.push(format!("reading stopped after {FAULT_CAP} problems"));
        }
        lines.join("\n")
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// A line cannot be used.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What was expected, what was found.
        problem: String,
    },
    /// Some rows are of a log, others are not.
    #[error(
        "{} of {rows} rows hold no `propensity` (lines {}), the others do: a log of runs has it on every row, recorded \
         outcomes on none; files of both kinds cannot be joined", bare.len(), first_of(bare)
    )]
    SomeChances {
        /// All rows.
        rows: usize,
        /// The lines without.
        bare: Vec<usize>,
    },
    /// There is nothing in it.
    #[error("no recorded outcome: expected one JSON object a line, with `prompt` and `quality`")]
    Empty,
    /// Nothing to choose from.
    #[error("only the arm `{arm}` is recorded: a router needs two or more to choose from")]
    OneArm {
        /// The only arm.
        arm: ArmId,
    },
}

/// The first few lines.
fn first_of(lines: &[usize]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = lines.iter().take(SHOWN).map(ToString::to_string).collect();
    if lines.len() > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
