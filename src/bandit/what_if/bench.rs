//! The races of a forecast: what every arm is expected to do at every context, looked up once, and runs over it at
//! whatever price a dollar has.

use super::rules::Rules;
use crate::bandit::bounds::Way;
use crate::bandit::choose::{Contender, choose};
use crate::bandit::kernels::dot;
use crate::bandit::lens::Standing;
use crate::bandit::normal::{Largest, Normal};
use crate::bandit::probe::Probe;
use crate::bandit::state::RouterState;
use crate::domain::context::ArmContexts;
use crate::domain::ids::ArmId;
use crate::domain::terms::Column;

/// Points of uncertainty at which a context is looked at.
const VIEWS: usize = 4;

/// Sums over the runs of a forecast.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    share: Vec<f64>,
    dollars: f64,
    reward: f64,
    runs: f64,
}

impl Sums {
    pub(super) fn new(arms: usize) -> Self {
        Self { share: vec![0.0; arms], dollars: 0.0, reward: 0.0, runs: 0.0 }
    }

    /// Mean reward, mean dollars of answer and previews, and each arm's share.
    pub(super) fn means(self) -> (f64, f64, Vec<f64>) {
        let runs = self.runs.max(f64::MIN_POSITIVE);
        (self.reward / runs, self.dollars / runs, self.share.into_iter().map(|share| share / runs).collect())
    }
}

/// See above.
pub(super) struct Bench {
    /// Arms that are looked at.
    arms: usize,
    /// By context, then by arm.
    standings: Vec<Standing>,
    /// Dollars of an answer, likewise.
    dollars: Vec<f64>,
    contenders: Vec<Contender>,
    open: Vec<usize>,
    chosen: Vec<usize>,
    set: Vec<usize>,
    normals: Vec<Normal>,
    largest: Largest,
}

impl Bench {
    /// What the arms at these places of the pool are expected to do over `contexts`.
    pub(super) fn new(state: &RouterState, arms: &[usize], contexts: &[&ArmContexts]) -> Self {
        let mut bench = Self {
            arms: arms.len(),
            standings: Vec::with_capacity(arms.len() * contexts.len()),
            dollars: Vec::with_capacity(arms.len() * contexts.len()),
            contenders: Vec::new(),
            open: Vec::new(),
            chosen: Vec::new(),
            set: Vec::new(),
            normals: Vec::new(),
            largest: Largest::default(),
        };
        let name = |arm: &usize| &state.arms[*arm].spec.name;
        let newest = |id: &ArmId| contexts.iter().rev().find_map(|met| met.own(id)).unwrap_or_default();
        let newest: Vec<&[f64]> = arms.iter().map(name).map(newest).collect();
        let width = newest.iter().map(|own| own.len()).max().unwrap_or(0);
        let mut probe = Probe::default();
        for met in contexts {
            probe.aim(&state.shared.prior, &met.x()[..met.x().len() - width], state.steps);
            for (&arm, newest) in arms.iter().zip(&newest) {
                if width > 0 {
                    probe.turn(&state.shared.prior, met.own(name(&arm)).unwrap_or(newest));
                }
                bench.look(state, arm, &probe);
            }
        }
        bench
    }

    fn look(&mut self, state: &RouterState, arm: usize, probe: &Probe) {
        let arm = &state.arms[arm];
        self.standings.push(arm.lens.standing(&arm.stats, &state.shared.prior, &state.noise, probe));
        let is_paced = state.budget_per_request().is_some();
        let plain = || dot(arm.stats.theta(Column::Dollars), probe.x());
        self.dollars.push(if is_paced { arm.expected_dollars(probe.x()) } else { plain() });
    }

    pub(super) fn arms(&self) -> usize {
        self.arms
    }

    pub(super) fn contexts(&self) -> usize {
        self.standings.len() / self.arms.max(1)
    }

    /// A run at every view of the context at `at`; `per_dollar` is reward given up for a dollar, by turn.
    pub(super) fn run(&mut self, rules: &Rules, at: usize, per_dollar: impl Fn(u64) -> f64, sums: &mut Sums) {
        for view in 0..VIEWS {
            let turn = (at * VIEWS + view) as u64;
            self.contend(rules, at, view, per_dollar(turn));
            for way in &rules.ways[0] {
                self.race(rules, at, way, sums);
            }
        }
        for way in &rules.ways[1] {
            rules.open_in(way, &mut self.open);
            let n = self.open.len().max(1);
            self.set.clear();
            // Neighbours from a start that moves on, so that over many contexts each arm is among them equally often.
            self.set.extend((0..rules.k.min(self.open.len())).map(|i| self.open[(at + i) % n]));
            self.serve(rules, at, rules.explore * way.probability * VIEWS as f64, sums);
        }
        sums.runs += VIEWS as f64;
    }

    /// Every arm as it stands in this view.
    fn contend(&mut self, rules: &Rules, at: usize, view: usize, per_dollar: f64) {
        let here = at * self.arms..(at + 1) * self.arms;
        self.contenders.clear();
        for (arm, (standing, dollars)) in self.standings[here.clone()].iter().zip(&self.dollars[here]).enumerate() {
            let mean = standing.mean + standing.uncertainty * point(arm, view);
            let contender = Contender::new(arm, Standing { mean, ..*standing }, rules.quality_weight, 0.0);
            self.contenders.push(contender.priced(per_dollar * dollars));
        }
    }

    /// A run that chooses, where chance goes that way.
    fn race(&mut self, rules: &Rules, at: usize, way: &Way, sums: &mut Sums) {
        rules.open_in(way, &mut self.open);
        let left = rules.k - usize::from(way.forced.is_some());
        if rules.is_fixed {
            self.chosen.clear();
            self.chosen.extend(self.open.iter().take(left));
        } else {
            let n = self.arms;
            let read = |i: &Contender, j: &Contender| rules.corrections[i.arm * n + j.arm];
            choose(&mut self.contenders, &self.open, left, rules.quality_weight, read, &mut self.chosen);
        }
        self.set.clear();
        self.set.extend(way.forced.iter().chain(&self.chosen));
        let weight = (1.0 - rules.explore) * way.probability;
        let has_room = |guest: &&usize| left > 0 && !way.out.contains(guest) && way.forced != Some(**guest);
        let guests = rules.guests.iter().filter(has_room);
        let share = rules.probation / guests.clone().count().max(1) as f64;
        let mut settled = 1.0;
        let own = self.set.len();
        for &guest in guests {
            // A guest takes the last place.
            self.set.truncate(own.saturating_sub(1));
            self.set.push(guest);
            self.serve(rules, at, weight * share, sums);
            settled -= share;
        }
        self.set.clear();
        self.set.extend(way.forced.iter().chain(&self.chosen));
        self.serve(rules, at, weight * settled, sums);
    }

    /// Lets the arms of the set race, with this weight.
    fn serve(&mut self, rules: &Rules, at: usize, weight: f64, sums: &mut Sums) {
        if weight <= 0.0 || self.set.is_empty() {
            return;
        }
        let here = at * self.arms;
        let normal = |arm: &usize| {
            let standing = &self.standings[here + arm];
            Normal { mean: standing.quality, sd: standing.quality_variance.sqrt() }
        };
        self.normals.clear();
        self.normals.extend(self.set.iter().map(normal));
        self.largest.of(&self.normals);
        let mut rest = 0.0;
        for (&arm, &wins) in self.set.iter().zip(&self.largest.probability) {
            let standing = &self.standings[here + arm];
            rest += wins * (standing.mean - rules.quality_weight * standing.quality);
            sums.share[arm] += weight * wins;
            sums.dollars += weight * (wins * self.dollars[here + arm] + rules.preview_usd[arm]);
        }
        sums.reward += weight * (rest + rules.quality_weight * self.largest.expected);
    }
}

/// A fixed point of a standard normal for the arm at this place: over the views they are symmetric, and
/// neighbours see different signs.
fn point(at: usize, view: usize) -> f64 {
    const POINTS: [f64; VIEWS] = [-1.15, 0.32, -0.32, 1.15];
    POINTS[(at * 3 + view + at / VIEWS) % VIEWS]
}
