//! Recorded outcomes through a policy, as if they happened now: one online pass a shuffle. On every row
//! the policy chooses k arms, the one judged best is served, and the policy learns what it saw of the k,
//! nothing of the others.
//!
//! Of a log of our own runs only what raced was seen. There the replay is one by rejection (Li et al. 2011): the
//! policy chooses one of all candidates of that run, and the row counts, and is learned from, only if that
//! arm was seen; else it is as if the prompt had never come. Arms were not seen equally often, so a row on
//! which arm a was seen with probability p counts with the chance min p ÷ p, which makes it as if they had
//! been (rejection sampling). What cannot have been logged has no support and is said.
//!
//! A row would thus be taken with the chance m = min p, whatever the policy chooses. But propensities change from run
//! to run, with what the router had learned and with the prompt, and prompts on which it was sure would hardly ever
//! count. So all rows are taken with the same chance c, the least m of the log: then a pass is what the policy would
//! have met. Where that leaves too few, c is larger, rows with less are taken with their own m, and weigh c ÷ m in
//! every figure (Dudík et al. 2012); the policy still learns from them as they come.
//!
//! A pass keeps its trace (who served, what it earned, what the best arm would have) and draws no
//! conclusions: those are `report.rs`.

use super::drift::{Change, ChangeFault, Drift, Join};
use super::ground::{Course, Ground};
use super::pass::Pass;
use super::policy::{Policy, Seen};
use super::problem::{Outcome, Problem, reward};
use super::streams::{Generator, Purpose, Uniforms, shuffled, standard_normal, stream_seed};

/// How records are replayed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Passes, each in an order of its own; at least 1.
    pub shuffles: usize,
    /// Decides every order and every draw.
    pub seed: u64,
    /// Arms that race for each prompt; at least 1.
    pub k: usize,
    /// Standard deviation of what the judge adds to the true quality; 0 takes verdicts as exact.
    pub judge_noise: f64,
    /// What changes on the way.
    pub changes: Vec<Change>,
    /// Arms that are not there from the beginning.
    pub joins: Vec<Join>,
    /// The ceiling of mean dollars per request that spending is measured against.
    pub ceiling: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { shuffles: 20, seed: 0, k: 1, judge_noise: 0.0, changes: Vec::new(), joins: Vec::new(), ceiling: None }
    }
}

/// What is replayed, and against what.
#[derive(Clone, Copy)]
pub struct Replay<'a> {
    /// The rows whose figures count.
    pub problem: &'a Problem,
    /// Rows that are learnt from first, as [`Problem::warm_up`] makes them.
    pub warm: Option<&'a Problem>,
    /// How.
    pub options: &'a Options,
    /// Where chance comes from.
    pub generator: Generator<'a>,
}

/// Why nothing was replayed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayFault {
    /// A change that cannot be.
    #[error(transparent)]
    Change(#[from] ChangeFault),
    /// A setting out of its range.
    #[error("{name} is {found}: expected {expected}")]
    OutOfRange {
        /// Which.
        name: &'static str,
        /// As given.
        found: String,
        /// The range.
        expected: &'static str,
    },
    /// A log says nothing about races.
    #[error(
        "k is {found}: exported runs can only be replayed with one arm seen per prompt, for which others would have raced beside it is not in them"
    )]
    RaceOfLog {
        /// As given.
        found: usize,
    },
    /// A log that hardly says anything about this policy.
    #[error(
        "too few of the exported runs say anything about this policy: {accepted:.1} a pass of {rows} count, {least} are \
         the least ({unsupported} have a candidate that could not have been seen): log more runs with a larger \
         share of exploration, or see `banditop off-policy`"
    )]
    TooFewOfLog {
        /// Rows that counted, mean over passes.
        accepted: f64,
        /// All rows.
        rows: usize,
        /// The least.
        least: usize,
        /// Rows without support.
        unsupported: usize,
    },
    /// A log that hides who was selected.
    #[error(
        "{rows} of the exported runs judged fewer arms than raced and do not say who was lost: export them again with \
         this version"
    )]
    UnnamedLoss {
        /// Rows on which that is so.
        rows: usize,
    },
    /// Chances that cannot be those of a race.
    #[error(
        "the propensities of all {rows} exported runs (the first is {id:?}) do not sum to a whole number, as many as \
         raced, nor to `expected_raced`: they are not those of the choice (an older version exported runs under limits of \
         shares so)"
    )]
    Uneven {
        /// Rows on which that is so.
        rows: usize,
        /// The first.
        id: String,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A pass over a log counts for something from so many rows on.
const LEAST_OF_LOG: usize = 30;

impl Options {
    fn check(&self) -> Result<(), ReplayFault> {
        let noise_is_sound = self.judge_noise.is_finite() && self.judge_noise >= 0.0;
        let ceiling_is_sound = self.ceiling.is_none_or(|ceiling| ceiling.is_finite() && ceiling > 0.0);
        let faults = [
            (self.shuffles > 0, "shuffles", self.shuffles.to_string(), "1 or more"),
            (self.k > 0, "k", self.k.to_string(), "1 or more"),
            (noise_is_sound, "judge noise", self.judge_noise.to_string(), "a number of at least 0"),
            (ceiling_is_sound, "the ceiling", format!("{:?}", self.ceiling), "dollars above 0"),
        ];
        match faults.into_iter().find(|(sound, ..)| !sound) {
            Some((_, name, found, expected)) => Err(ReplayFault::OutOfRange { name, found, expected }),
            None => Ok(()),
        }
    }
}

impl Replay<'_> {
    /// One pass a shuffle, each with a new policy. `progress` hears of finished and all passes, and says
    /// whether to go on.
    ///
    /// # Errors
    /// [`ReplayFault`] where an option is out of its range, a change names an unknown arm, or `progress`
    /// said no.
    pub fn run(
        &self,
        new_policy: &dyn Fn() -> Box<dyn Policy>,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<Pass>, ReplayFault> {
        self.options.check()?;
        if self.problem.is_log() && self.options.k > 1 {
            return Err(ReplayFault::RaceOfLog { found: self.options.k });
        }
        let unnamed = self.problem.chances().unnamed().len();
        if unnamed > 0 {
            return Err(ReplayFault::UnnamedLoss { rows: unnamed });
        }
        let uneven = self.problem.chances().uneven();
        if let ([first, ..], true) = (uneven, uneven.len() == self.problem.rows()) {
            return Err(ReplayFault::Uneven { rows: uneven.len(), id: self.problem.id(*first).to_owned() });
        }
        let drift = Drift::new(&self.options.changes, &self.options.joins, self.problem.arms())?;
        let mut passes = Vec::with_capacity(self.options.shuffles);
        for shuffle in 0..self.options.shuffles {
            passes.push(self.pass(shuffle, new_policy().as_mut(), drift.clone()));
            if !progress(shuffle + 1, self.options.shuffles) {
                return Err(ReplayFault::Stopped);
            }
        }
        if self.problem.is_log() {
            let accepted = passes.iter().map(Pass::effective).sum::<f64>() / passes.len().max(1) as f64;
            // What is hardly ever taken may be missing, and then its weight is too.
            let accepted = accepted.min(self.problem.chances().worth());
            if accepted < LEAST_OF_LOG as f64 {
                let unsupported = passes.first().map_or(0, |pass| pass.unsupported);
                let (rows, least) = (self.problem.rows(), LEAST_OF_LOG);
                return Err(ReplayFault::TooFewOfLog { accepted, rows, least, unsupported });
            }
        }
        Ok(passes)
    }

    fn pass(&self, shuffle: usize, policy: &mut dyn Policy, mut drift: Drift) -> Pass {
        let stream = |purpose| (self.generator)(stream_seed(self.options.seed, shuffle as u64, purpose));
        let mut table = Table {
            options: self.options,
            policy_draws: stream(Purpose::Policy),
            judge_draws: stream(Purpose::Judge),
            chance: stream(Purpose::Acceptance),
            candidates: Vec::new(),
            chosen: Vec::new(),
            seen: Vec::new(),
            judged: Vec::new(),
            there: Vec::new(),
        };
        for arm in drift.late() {
            policy.leaves(arm);
        }
        if let Some(warm) = self.warm {
            let unchanged = drift.before();
            let mut unseen = Pass::for_problem(warm);
            for row in shuffled(warm.rows(), &mut stream(Purpose::WarmOrder)) {
                table.request(warm, row, 0, &unchanged, policy, &mut unseen);
            }
            policy.begin();
        }
        let mut pass = Pass::for_problem(self.problem);
        let order = self.order(shuffle);
        for (step, &row) in order.iter().enumerate() {
            drift.begin(step, &|| pass.most_used());
            for arm in drift.joining(step) {
                policy.joins(arm);
            }
            table.request(self.problem, row, step, &drift, policy, &mut pass);
        }
        pass.course = (!drift.is_empty()).then_some(Course { order, drift });
        pass
    }

    fn order(&self, shuffle: usize) -> Vec<usize> {
        let seed = stream_seed(self.options.seed, shuffle as u64, Purpose::Order);
        shuffled(self.problem.rows(), &mut (self.generator)(seed))
    }

    /// What there will be to be met. Whom a change of the most used arm befalls is only known to a pass: here it
    /// befalls nobody.
    pub(super) fn ground(&self) -> Result<Ground<'_>, ReplayFault> {
        let drift = Drift::new(&self.options.changes, &self.options.joins, self.problem.arms())?;
        let passes = if drift.is_empty() { 0 } else { self.options.shuffles };
        let courses = (0..passes).map(|shuffle| Course { order: self.order(shuffle), drift: drift.clone() });
        Ok(Ground::new(self.problem, courses.collect()))
    }
}

/// What a pass works with.
struct Table<'a> {
    options: &'a Options,
    policy_draws: Uniforms,
    judge_draws: Uniforms,
    /// Whether a row of a log counts.
    chance: Uniforms,
    candidates: Vec<usize>,
    chosen: Vec<usize>,
    seen: Vec<Seen>,
    /// By arm, where the judge is noisy.
    judged: Vec<f64>,
    /// Arms that can answer.
    there: Vec<usize>,
}

impl Table<'_> {
    fn request(
        &mut self,
        problem: &Problem,
        row: usize,
        step: usize,
        drift: &Drift,
        policy: &mut dyn Policy,
        pass: &mut Pass,
    ) {
        let x = problem.context(row);
        self.there.clear();
        self.there.extend(problem.open(row).iter().filter(|arm| drift.is_there(step, **arm)));
        let open = self.there.as_slice();
        if open.is_empty() {
            return;
        }
        self.chosen.clear();
        if problem.is_log() {
            if !self.choose_in_log(problem, row, policy, pass) {
                return;
            }
        } else {
            policy.choose(x, open, self.options.k, &mut self.policy_draws, &mut self.chosen);
        }
        let bends = drift.is_active(step);
        let outcome = |arm: usize| {
            let recorded = problem.outcome(row, arm)?;
            Some(if bends { drift.bend(step, arm, recorded, problem.counting()) } else { *recorded })
        };
        self.judge(problem.arms().len());
        self.seen.clear();
        for &arm in &self.chosen {
            let Some(outcome) = outcome(arm) else { continue };
            self.seen.push(self.see(arm, &outcome, problem));
        }
        let best = self.seen.iter().enumerate().reduce(|a, b| if b.1.quality > a.1.quality { b } else { a });
        let Some(best) = best.map(|(at, _)| at) else { return };
        self.seen[best].served = true;
        // Dollars of a full answer are only known of the one that was given.
        for (at, seen) in self.seen.iter_mut().enumerate() {
            seen.dollars = seen.dollars.filter(|_| at == best && self.options.ceiling.is_some());
        }
        policy.learn(x, &self.seen);
        pass.note(row, self.seen[best].arm, &self.seen, &self.there, &outcome);
    }

    /// Lets the policy choose one of all candidates of a logged run; whether the row counts.
    fn choose_in_log(&mut self, problem: &Problem, row: usize, policy: &mut dyn Policy, pass: &mut Pass) -> bool {
        let propensities = problem.propensities(row);
        let known = propensities.iter().enumerate().filter_map(|(arm, p)| Some((arm, (*p)?)));
        self.candidates.clear();
        self.candidates.extend(known.clone().map(|(arm, _)| arm));
        let least = known.map(|(_, p)| p).fold(1.0, f64::min);
        let chance = (self.chance)();
        if problem.chances().uneven().binary_search(&row).is_ok() {
            return false;
        }
        if self.candidates.is_empty() || least <= 0.0 {
            pass.unsupported += 1;
            return false;
        }
        policy.choose(problem.context(row), &self.candidates, 1, &mut self.policy_draws, &mut self.chosen);
        let Some(&arm) = self.chosen.first() else { return false };
        let seen_with = propensities.get(arm).copied().flatten().unwrap_or(0.0);
        let common = problem.chances().common();
        let taken = least.min(common);
        let counts = problem.outcome(row, arm).is_some() && chance * seen_with < taken;
        if counts {
            pass.weight.push(common / taken);
        }
        counts
    }

    /// The judge's error on every arm, drawn whether or not it raced, so that two policies on the same
    /// shuffle meet the same judge.
    fn judge(&mut self, arms: usize) {
        if self.options.judge_noise > 0.0 {
            self.judged.clear();
            self.judged.extend((0..arms).map(|_| self.options.judge_noise * standard_normal(&mut self.judge_draws)));
        }
    }

    fn see(&self, arm: usize, outcome: &Outcome, problem: &Problem) -> Seen {
        let plain = Seen::of(arm, outcome, self.chosen.len() > 1);
        let Some(error) = self.judged.get(arm) else { return plain };
        let quality = (outcome.quality + error).clamp(0.0, 1.0);
        Seen { quality, reward: reward(quality, outcome.terms.as_ref(), &problem.counting().weights), ..plain }
    }
}
