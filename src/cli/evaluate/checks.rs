//! What is asked of a replay and has no effect, or cannot be: said or refused before anything is played.

use std::path::Path;

use super::args::HowArgs;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::say;
use crate::domain::ids::ArmId;
use crate::domain::terms::Term;
use crate::domain::text::one_line;
use crate::evaluation::{Options, Problem, What};
use crate::sim::assets;

/// Requests of all passes together that are kept in memory: each takes about 50 bytes.
const MOST_REQUESTS: usize = 40_000_000;

/// A file that is not there may have been meant as a suite.
pub(super) fn or_suite(error: CliError, file: &Path) -> CliError {
    if file.exists() || file == Path::new("-") {
        return error;
    }
    let known: Vec<&str> = assets::SUITES.iter().map(|(name, _)| *name).collect();
    error.hint(format!("name a file; `compare` also takes a suite: {}", known.join(", ")))
}

/// Refuses what would not fit into memory.
pub(super) fn bearable(rows: usize, shuffles: usize, policies: usize) -> Outcome {
    let each = rows.max(1) * policies;
    if each.saturating_mul(shuffles) <= MOST_REQUESTS {
        return Ok(());
    }
    let most = (MOST_REQUESTS / each).max(1);
    let message = format!("{shuffles} shuffles of {rows} rows are more than can be kept: expected at most {most}");
    if shuffles > 1 { Err(CliError::usage(message).hint(format!("--shuffles {most}"))) } else { Ok(()) }
}

/// As many arms as race for each prompt: no more than there are, which is said where more were asked for.
pub(super) fn raced(asked: usize, problem: &Problem, how: &HowArgs) -> usize {
    let arms = problem.arms().len();
    if asked > arms && how.k.is_some() {
        say(&format!("note: --k {asked}, but there are {arms} arms: k is {arms}"));
    }
    asked.min(arms)
}

/// Refuses what is about other arms alone, and says who is not there.
pub(super) fn known_arms(flag: &str, found: &[ArmId], problem: &Problem) -> Outcome {
    let names = |arms: &[&ArmId]| arms.iter().map(|arm| one_line(arm.as_str())).collect::<Vec<_>>().join(", ");
    let (known, others): (Vec<&ArmId>, Vec<&ArmId>) = found.iter().partition(|arm| problem.arms().contains(arm));
    if known.is_empty() {
        let (others, ours) = (names(&others), names(&problem.arms().iter().collect::<Vec<_>>()));
        return Err(CliError::usage(format!("{flag} is about other arms ({others}) than the file ({ours})")));
    }
    if !others.is_empty() {
        say(&format!("note: {flag} names arms that the file has not, left out: {}", names(&others)));
    }
    Ok(())
}

/// What was asked for and changes nothing.
pub(super) fn without_effect(options: &Options, problem: &Problem) -> Vec<String> {
    let rows = problem.rows();
    let beyond = |from: usize| from >= rows;
    let mut notes = Vec::new();
    for change in options.changes.iter().filter(|change| beyond(change.from)) {
        notes.push(format!("note: a change from request {} on never comes: the file has {rows}", change.from));
    }
    for join in options.joins.iter().filter(|join| beyond(join.at)) {
        let arm = one_line(join.arm.as_str());
        notes.push(format!("note: {arm} joins at request {} and is never there: the file has {rows}", join.at));
    }
    if options.changes.iter().any(|change| matches!(change.what, What::PriceFactor(_))) {
        let counts = options.ceiling.is_some() || problem.counting().weights.get(Term::Cost) > 0.0;
        if !problem.has_dollars() {
            notes.push("note: --price changes nothing: the file lacks `cost_usd`".to_owned());
        } else if !counts {
            notes.push("note: --price moves no choice without a ceiling or a weight of cost".to_owned());
        }
    }
    notes
}
