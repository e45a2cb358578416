//! `banditop replay` and `banditop compare`: recorded outcomes through routers, without a race. Reads
//! files, brings the generator and the clock, and prints; the figures are the `evaluation` room's.

mod args;
mod checks;
mod experiment;
mod input;
mod off_policy;
mod plot;
mod progress;
mod suite;
mod text;

pub(super) use args::{CompareArgs, ReplayArgs, above_zero};
pub(super) use off_policy::{OffPolicyArgs, run as off_policy};

use super::context::Context;
use super::failure::{CliError, Outcome};
use super::output::{Output, say};
use super::{parts, priors_command};
use std::path::Path;

use crate::domain::prior::ArmPrior;
use crate::domain::spec::{RouterKind, SetChoice};
use crate::domain::terms::{Term, Weights};
use crate::evaluation::priors::{self, Priors};
use crate::evaluation::{
    Comparison, Contestant, ContextSource, Counting, Options, Problem, Records, Replay, ReplayFault, Report,
    RouterSetup, Uniforms, compare,
};
use crate::features::FeatureExtractor;
use crate::settings::RouterSettings;
use args::{HowArgs, PolicyChoice};
use progress::Progress;

/// Policies that `compare` has at most.
const MOST_POLICIES: usize = 9;
/// Passes over a file.
const SHUFFLES: usize = 20;
/// Passes over a suite, each of which is real time: enough for a difference to become significant.
const SUITE_SHUFFLES: usize = 10;

/// The suite that `compare` names, where it names one.
pub(super) fn suite_text(args: &CompareArgs) -> Option<Outcome<String>> {
    suite::text(&args.how.file)
}

/// Runs `compare SUITE`.
pub(super) async fn suite_side_by_side(context: &Context, args: &CompareArgs, text: String) -> Outcome {
    let how = &args.how;
    let beside = [
        ("--gamma", how.gamma.is_some()),
        ("--window", how.window.is_some()),
        ("--alpha", how.alpha.is_some()),
        ("--judge-noise", how.judge_noise > 0.0),
        ("--degrade", !how.degrade.is_empty()),
        ("--price", !how.price.is_empty()),
        ("--add", !how.add.is_empty()),
        ("--warm", how.warm.is_some()),
        ("--x", how.x),
    ];
    if let Some((flag, _)) = beside.into_iter().find(|(_, given)| *given) {
        return Err(CliError::usage(format!("{flag} is about recorded outcomes, not about a suite"))
            .hint("a suite is put to the scenario of the configuration (`simulation.scenario`)"));
    }
    let shuffles = how.shuffles.map_or(SUITE_SHUFFLES, |shuffles| shuffles as usize);
    let name = how.file.display().to_string();
    let (suite, found) = suite::compare(context, &text, &name, how.k.map(usize::from), shuffles).await?;
    let out = Output::new();
    if !how.json {
        out.line(&format!("{}: {}", suite.name, suite.description))?;
    }
    shown(context, &out, &found, how.json, how.plot)
}

/// Runs `replay`.
pub(super) fn replay(context: &Context, args: &ReplayArgs) -> Outcome {
    let mut arena = Arena::load(context, &args.how, 1)?;
    arena.believe(context, args.priors.as_deref())?;
    let contestant = match args.policy {
        PolicyChoice::Router => arena.router(context.settings().router.policy, SetChoice::ExpectedBest),
        PolicyChoice::BestFixed => Contestant::BestFixed,
        PolicyChoice::EpsilonGreedy => Contestant::EpsilonGreedy,
        PolicyChoice::Uniform => Contestant::Uniform,
    };
    let clock = context.clock();
    let started = clock.monotonic();
    let mut progress = Progress::new();
    let replay = arena.replay();
    let maker = contestant.maker_on(&replay).map_err(refused)?;
    let passes = replay
        .run(&*maker, &mut |done, all| {
            progress.show(done, all, clock.monotonic().saturating_sub(started));
            true
        })
        .map_err(refused)?;
    let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    drop(progress);
    let report = Report::new(contestant.name(), &arena.problem, &arena.options, &passes).timed(&passes, seconds);
    let out = Output::new();
    if args.how.json {
        return Ok(out.json(&report)?);
    }
    let pen = pen(context, &out);
    out.line(&text::report(&report, pen.ascii))?;
    if args.how.plot {
        out.line(&format!("\n{}", text::regret_of_one(&report, pen)))?;
    }
    Ok(())
}

/// How a plot may be drawn where standard output goes.
fn pen(context: &Context, out: &Output) -> plot::Pen {
    const UNKNOWN_WIDTH: usize = 80;
    let console = &context.settings().console;
    let columns = out.is_terminal().then(crate::console::columns).flatten();
    plot::Pen {
        width: columns.map_or(UNKNOWN_WIDTH, usize::from),
        ascii: console.ascii,
        color: console.color && out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Runs `compare`.
pub(super) fn side_by_side(context: &Context, args: &CompareArgs) -> Outcome {
    if args.experiment {
        return experiment::run(context, args);
    }
    let mut arena = Arena::load(context, &args.how, MOST_POLICIES)?;
    if arena.problem.is_log() {
        return Err(CliError::usage("exported runs cannot be compared row by row: only what raced was seen").hint(
            format!(
                "banditop off-policy {0}; the variants of an experiment: compare {0} --experiment",
                args.how.file.display()
            ),
        ));
    }
    arena.believe(context, None)?;
    let mut contestants = vec![
        arena.router(RouterKind::Linucb, SetChoice::ExpectedBest),
        arena.router(RouterKind::Lints, SetChoice::ExpectedBest),
        Contestant::EpsilonGreedy,
        Contestant::BestFixed,
        Contestant::Baseline,
    ];
    if arena.options.ceiling.is_some() {
        contestants.insert(2, arena.unpaced(RouterKind::Linucb));
        contestants.insert(3, arena.unpaced(RouterKind::Lints));
    }
    if arena.options.k > 1 {
        contestants.insert(2, arena.router(RouterKind::Linucb, SetChoice::HighestScores));
        contestants.insert(3, arena.router(RouterKind::Lints, SetChoice::HighestScores));
    }
    let clock = context.clock();
    let started = clock.monotonic();
    let mut progress = Progress::new();
    let found = compare(&arena.replay(), &contestants, &|| clock.monotonic().as_secs_f64(), &mut |done, all| {
        progress.show(done, all, clock.monotonic().saturating_sub(started));
        true
    })
    .map_err(refused)?;
    drop(progress);
    let out = Output::new();
    shown(context, &out, &found, args.how.json, args.how.plot)
}

fn shown(context: &Context, out: &Output, found: &Comparison, json: bool, with_plot: bool) -> Outcome {
    if json {
        return Ok(out.json(found)?);
    }
    out.line(&text::comparison(found))?;
    if with_plot {
        out.line(&format!("\n{}", text::regret_of_all(found, pen(context, out))))?;
    }
    Ok(())
}

/// Priors fitted to the records of a file.
pub(super) fn fitted(context: &Context, file: &Path, x: bool, n_effective: f64) -> Outcome<Priors> {
    let records = input::records(file)?;
    let features = parts::features(&context.settings().features);
    let source = source(x, features.as_ref())?;
    let problem = Problem::new(&records, source, Counting::quality_alone()).map_err(CliError::usage)?;
    priors::fit(&problem, n_effective).map_err(CliError::usage)
}

/// Contexts as recorded, or made of the prompts: by nothing that asks an endpoint.
fn source(x: bool, features: &dyn FeatureExtractor) -> Outcome<ContextSource<'_>> {
    if x {
        return Ok(ContextSource::Recorded);
    }
    if features.slots().is_some() {
        return Err(CliError::usage("recorded outcomes ask no endpoint for embeddings")
            .hint("take the recorded context (--x), or features.embedding.encoder = \"hashed\""));
    }
    Ok(ContextSource::Features(features))
}

/// What the configuration believes of arms, as far as it is about these contexts.
fn configured_beliefs(context: &Context, features: &dyn FeatureExtractor, problem: &Problem) -> Outcome<Vec<ArmPrior>> {
    let settings = context.settings();
    let config = parts::router_config(&settings.router, features);
    let configured = priors_command::configured(settings, &config)?;
    Ok(if configured.feature_version == problem.schema().version { configured.arms } else { Vec::new() })
}

fn refused(fault: ReplayFault) -> CliError {
    CliError::usage(fault)
}

/// The generator of every draw.
fn uniforms(seed: u64) -> Uniforms {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move || rng.f64())
}

/// Records, ready for whoever plays.
struct Arena {
    problem: Problem,
    warm: Option<Problem>,
    options: Options,
    router: RouterSettings,
    gamma: Option<f64>,
    beliefs: Vec<ArmPrior>,
    features: std::sync::Arc<dyn FeatureExtractor>,
}

impl Arena {
    /// For so many policies.
    fn load(context: &Context, how: &HowArgs, policies: usize) -> Outcome<Self> {
        let settings = context.settings();
        let records = input::records(&how.file).map_err(|error| checks::or_suite(error, &how.file))?;
        let features = parts::features(&settings.features);
        let source = source(how.x, features.as_ref())?;
        let counting = counting(context, &records)?;
        let problem = Problem::new(&records, source, counting).map_err(CliError::usage)?;
        let warm = how.warm.as_deref().map(input::records).transpose()?;
        if let Some(warm) = &warm {
            checks::known_arms("--warm", warm.arms(), &problem)?;
        }
        let warm = warm.map(|records| problem.warm_up(&records, source)).transpose().map_err(CliError::usage)?;
        let options = Options {
            shuffles: how.shuffles.map_or(SHUFFLES, |shuffles| shuffles as usize),
            seed: settings.simulation.seed,
            // Of exported runs, one arm seen per prompt is all that can be replayed.
            k: checks::raced(
                how.k.map_or(if problem.is_log() { 1 } else { settings.router.k }, usize::from),
                &problem,
                how,
            ),
            judge_noise: how.judge_noise,
            changes: how.degrade.iter().chain(&how.price).cloned().collect(),
            joins: how.add.clone(),
            ceiling: settings.router.budget_per_request,
        };
        checks::bearable(problem.rows(), options.shuffles, policies)?;
        for note in checks::without_effect(&options, &problem) {
            say(&note);
        }
        let mut router = settings.router.clone();
        router.alpha = how.alpha.or(router.alpha);
        router.window = how.window.unwrap_or(router.window);
        if options.ceiling.is_some() && !problem.has_dollars() {
            let lacking = records.first_without(|row| &row.cost_usd);
            let lacking = lacking.map_or_else(String::new, |(row, arm)| format!(", and {arm} lacks it on row {row:?}"));
            return Err(CliError::usage(format!("a ceiling needs `cost_usd` of every arm on every row{lacking}")));
        }
        Ok(Self { problem, warm, options, router, gamma: how.gamma, beliefs: Vec::new(), features })
    }

    /// Lets routers begin with the priors of `file`, or else with those of the configuration as far as they are
    /// about these contexts.
    fn believe(&mut self, context: &Context, file: Option<&Path>) -> Outcome {
        let version = &self.problem.schema().version;
        let Some(file) = file else {
            self.beliefs = configured_beliefs(context, self.features.as_ref(), &self.problem)?;
            return Ok(());
        };
        let priors = priors_command::read(file)?;
        if priors.feature_version != *version {
            let found = &priors.feature_version;
            let message = format!("{}: fitted with features {found}, these contexts are {version}", file.display());
            return Err(CliError::usage(message).hint("fit them with the same --x and --bandit-features"));
        }
        self.beliefs = priors.beliefs();
        let believed: Vec<_> = self.beliefs.iter().map(|belief| belief.arm.clone()).collect();
        checks::known_arms("--priors", &believed, &self.problem)
    }

    fn replay(&self) -> Replay<'_> {
        Replay { problem: &self.problem, warm: self.warm.as_ref(), options: &self.options, generator: &uniforms }
    }

    /// A router as configured, but that it spends as it likes.
    fn unpaced(&self, kind: RouterKind) -> Contestant {
        match self.router(kind, SetChoice::ExpectedBest) {
            Contestant::Router(setup) => Contestant::Router(Box::new(RouterSetup { budget: None, ..*setup })),
            other => other,
        }
    }

    /// A router as configured, but for its kind and how it chooses a race.
    fn router(&self, kind: RouterKind, set: SetChoice) -> Contestant {
        let mut config = parts::router_config(&self.router, self.features.as_ref());
        config.forgetting = self.gamma.unwrap_or(config.forgetting);
        let (alpha, explore_share) = (self.router.alpha_for(kind), self.router.explore);
        Contestant::Router(Box::new(RouterSetup {
            kind,
            alpha,
            explore_share,
            config,
            set,
            budget: self.router.budget_per_request,
            priors: self.beliefs.clone(),
        }))
    }
}

/// Quality alone, unless a flag weights something: then as configured, what was not recorded left out
/// where no flag asks for it.
fn counting(context: &Context, records: &Records) -> Outcome<Counting> {
    let flag = |term: Term| context.has_flag(&format!("bandit-{}-weight", term.name()));
    if ![Term::Quality, Term::Latency, Term::Cost].into_iter().any(flag) {
        return Ok(Counting::quality_alone());
    }
    let configured = context.settings().reward.weights;
    let weight = |term: Term| {
        let is_recorded = match term {
            Term::Quality => true,
            Term::Latency => records.has_latencies(),
            Term::Cost => records.has_costs(),
            Term::Speed | Term::TokenEfficiency | Term::Stability => false,
        };
        if is_recorded || flag(term) { configured.get(term) } else { 0.0 }
    };
    let weights = Weights::new(Term::ALL.map(weight), 0.0);
    let weights = weights.map_err(|_| CliError::usage("no weight is left: all that weighs was not recorded"))?;
    Ok(Counting::scaled_to(records, weights))
}
