//! Replays whose figures can be worked out by hand, and properties that every replay keeps.

use proptest::prelude::*;

use super::pass::Pass;
use super::replay::{Options, Replay, ReplayFault};
use super::*;
use crate::bandit::RouterConfig;
use crate::domain::spec::{RouterKind, SetChoice};

const ARMS: [&str; 3] = ["weak", "good", "odd"];

/// `good` is best where the second feature is 1, `odd` elsewhere; `weak` never.
fn two_kinds(rows: usize) -> Problem {
    let line = |i: usize| {
        let kind = i % 2;
        let [weak, good, odd] = if kind == 1 { [0.2, 0.9, 0.4] } else { [0.3, 0.5, 0.8] };
        format!(
            r#"{{"prompt":"p","x":[1,{kind}],"quality":{{"weak":{weak},"good":{good},"odd":{odd}}},"cost_usd":{{"weak":1,"good":2,"odd":4}}}}"#
        )
    };
    let text: Vec<String> = (0..rows).map(line).collect();
    let records = Records::parse(text.join("\n").as_bytes()).unwrap();
    Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap()
}

fn router(kind: RouterKind) -> Contestant {
    let (config, set) = (RouterConfig::default(), SetChoice::ExpectedBest);
    Contestant::Router(Box::new(RouterSetup {
        kind,
        alpha: 0.5,
        explore_share: 0.01,
        config,
        set,
        budget: None,
        priors: Vec::new(),
    }))
}

fn uniforms(seed: u64) -> Uniforms {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move || rng.f64())
}

fn passes(problem: &Problem, contestant: &Contestant, options: &Options) -> Vec<Pass> {
    let replay = Replay { problem, warm: None, options, generator: &uniforms };
    replay.run(&*contestant.maker(problem, options.k), &mut |_, _| true).unwrap()
}

fn report(problem: &Problem, contestant: &Contestant, options: &Options) -> Report {
    Report::new(contestant.name(), problem, options, &passes(problem, contestant, options))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn fixed_policies_earn_what_the_records_say() {
    let problem = two_kinds(40);
    let options = Options { shuffles: 3, ceiling: Some(2.0), ..Options::default() };
    let found = report(&problem, &Contestant::BestFixed, &options);
    assert!(close(found.mean_reward, 0.7) && close(found.worst_shuffle, 0.7) && close(found.ci95.unwrap()[1], 0.7));
    assert!(close(found.oracle, 0.85) && close(found.random, 3.1 / 6.0) && close(found.best_single.mean, 0.7));
    assert_eq!(found.best_single.arm.as_str(), "good");
    assert!(close(found.regret, 40.0 * 0.15) && close(found.routing_accuracy, 0.5));
    assert_eq!(found.regret_curve.last(), Some(&(40, found.regret)));
    assert!(close(found.share["good"], 1.0) && close(found.share["odd"], 0.0));
    assert!(close(found.usd_per_request.unwrap(), 2.0) && close(found.utilisation.unwrap(), 1.0));
    assert!(close(found.best_fixed_mixture.unwrap().mean, 0.7));
    let race = report(&problem, &Contestant::BestFixed, &Options { k: 2, ..options });
    assert!(close(race.mean_reward, 0.85) && close(race.usd_per_race.unwrap(), 6.0));
    assert!(close(race.best_fixed_set.unwrap().mean, 0.85));
}

/// `good` costs 2 and `odd` 4, each is right on its own half.
#[test]
fn what_is_best_in_hindsight_follows_what_changes() {
    let problem = two_kinds(40);
    let played = |options: &Options| {
        let replay = Replay { problem: &problem, warm: None, options, generator: &uniforms };
        let passes = replay.run(&*Contestant::BestFixed.maker_on(&replay).unwrap(), &mut |_, _| true).unwrap();
        Report::new(Name::BestFixed, &problem, options, &passes)
    };
    let plain = Options { shuffles: 2, ceiling: Some(1.0), ..Options::default() };
    let cheap = Options { changes: vec![Change::price("good:0:40:0.5").unwrap()], ..plain.clone() };
    assert!(close(played(&plain).best_fixed_mixture.unwrap().mean, 0.25));
    assert!(close(played(&cheap).best_fixed_mixture.unwrap().mean, 0.7));
    let worse = Options { k: 2, changes: vec![Change::degrade("odd:0:40:0.5").unwrap()], ..plain.clone() };
    let found = played(&worse);
    assert!(close(found.best_fixed_set.as_ref().unwrap().mean, 0.7) && close(found.mean_reward, 0.7), "{found:?}");
    assert!(close(found.random, 1.1 / 3.0), "{}", found.random);
    let late = Options { joins: vec![Join::parse("good:30").unwrap()], ..plain };
    let found = played(&late);
    assert_eq!(found.best_single.arm.as_str(), "odd", "who joins late answers no whole pass");
    assert!(found.random < 3.1 / 6.0 && close(found.mean_reward, 0.6), "{found:?}");
}

#[test]
fn a_router_learns_which_arm_suits_which_prompt() {
    let problem = two_kinds(600);
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        let found = report(&problem, &router(kind), &Options { shuffles: 4, ..Options::default() });
        assert!(found.worst_shuffle > 0.8, "{kind:?}: {} where the best single arm has 0.7", found.worst_shuffle);
        let late = &found.share_curve.last().unwrap().share;
        assert!(late["good"] > 0.35 && late["odd"] > 0.35, "{kind:?}: {late:?}");
    }
}

#[test]
fn what_was_learnt_beforehand_counts_from_the_first_request() {
    let (problem, long) = (two_kinds(20), two_kinds(600));
    let options = Options { shuffles: 4, ..Options::default() };
    let contestant = router(RouterKind::Linucb);
    let cold = report(&problem, &contestant, &options);
    let replay = Replay { problem: &problem, warm: Some(&long), options: &options, generator: &uniforms };
    let warm_passes = replay.run(&*contestant.maker(&problem, 1), &mut |_, _| true).unwrap();
    let warm = Report::new(contestant.name(), &problem, &options, &warm_passes);
    assert_eq!(warm.rows, 20, "the figures are of the file alone");
    assert!(warm.mean_reward > 0.83 && warm.mean_reward > cold.mean_reward + 0.05, "{warm:?}");
}

#[test]
fn a_noisy_judge_serves_the_wrong_arm_sometimes() {
    let problem = two_kinds(200);
    let mean = |judge_noise| {
        report(&problem, &Contestant::BestFixed, &Options { k: 2, judge_noise, shuffles: 3, ..Options::default() })
            .mean_reward
    };
    assert!(close(mean(0.0), 0.85));
    assert!(mean(0.1) > mean(0.5) && mean(0.5) < 0.83, "{} {}", mean(0.1), mean(0.5));
}

#[test]
fn a_drop_in_quality_is_noticed_in_oracle_and_reward() {
    let problem = two_kinds(100);
    let change = Change { whom: Whom::MostUsed, from: 50, to: 100, what: What::QualityDrop(0.5) };
    let options = Options { shuffles: 2, changes: vec![change], ..Options::default() };
    for pass in passes(&problem, &Contestant::BestFixed, &options) {
        let half = |values: &[f64], at: usize| values[at..at + 50].iter().sum::<f64>() / 50.0;
        assert!((half(&pass.reward, 0) - 0.7).abs() < 0.1 && (half(&pass.reward, 50) - 0.2).abs() < 0.1);
        assert!(half(&pass.oracle, 50) < 0.65, "good falls to 0.4 where it was best: {}", half(&pass.oracle, 50));
    }
}

#[test]
fn an_arm_that_joins_late_serves_nobody_before() {
    let problem = two_kinds(100);
    let arm = crate::domain::ids::ArmId::new("good");
    let place = problem.arms().iter().position(|known| *known == arm).unwrap();
    let options = Options { shuffles: 2, joins: vec![Join { arm, at: 50 }], ..Options::default() };
    let linucb = router(RouterKind::Linucb);
    for pass in passes(&problem, &linucb, &options) {
        let used = |stretch: &[usize]| stretch.iter().filter(|served| **served == place).count();
        assert_eq!(used(&pass.served[..50]), 0);
        assert!(used(&pass.served[50..]) > 5, "{:?}", pass.served);
    }
    let nobody = Join { arm: crate::domain::ids::ArmId::new("nobody"), at: 5 };
    let options = Options { joins: vec![nobody], ..Options::default() };
    let replay = Replay { problem: &problem, warm: None, options: &options, generator: &uniforms };
    let fault = replay.run(&*linucb.maker(&problem, 1), &mut |_, _| true).unwrap_err();
    assert!(fault.to_string().contains("weak, good, odd"));
}

#[test]
fn options_out_of_range_are_refused_and_a_caller_may_stop() {
    let problem = two_kinds(10);
    let fault = |options: &Options, go_on: bool| {
        let replay = Replay { problem: &problem, warm: None, options, generator: &uniforms };
        replay.run(&*Contestant::Uniform.maker(&problem, 1), &mut |_, _| go_on).unwrap_err()
    };
    let text = |options: &Options| fault(options, true).to_string();
    assert_eq!(text(&Options { shuffles: 0, ..Options::default() }), "shuffles is 0: expected 1 or more");
    assert!(text(&Options { k: 0, ..Options::default() }).starts_with("k is 0"));
    assert!(text(&Options { judge_noise: f64::NAN, ..Options::default() }).starts_with("judge noise is NaN"));
    assert!(text(&Options { ceiling: Some(0.0), ..Options::default() }).starts_with("the ceiling"));
    let unknown = Change::degrade("nobody:1:2:0.1").unwrap();
    assert!(text(&Options { changes: vec![unknown], ..Options::default() }).contains("weak, good, odd"));
    assert_eq!(fault(&Options::default(), false), ReplayFault::Stopped);
}

#[test]
fn rows_without_an_arm_are_replayed_among_those_they_have() {
    let lines = [
        r#"{"prompt":"a","quality":{"one":1,"two":0}}"#,
        r#"{"prompt":"b","quality":{"two":0.5}}"#,
        r#"{"prompt":"c","quality":{"one":0.25}}"#,
    ];
    let records = Records::parse(lines.join("\n").as_bytes()).unwrap();
    let features = crate::features::LengthFeatures::new(2_000);
    let problem = Problem::new(&records, ContextSource::Features(&features), Counting::quality_alone()).unwrap();
    let found = report(&problem, &Contestant::Baseline, &Options { k: 2, ..Options::default() });
    assert!(close(found.mean_reward, 1.75 / 3.0) && close(found.routing_accuracy, 1.0));
    assert_eq!(found.usd_per_request, None);
}

#[test]
fn a_comparison_meets_the_same_prompts_and_corrects_for_all_pairs() {
    let problem = two_kinds(300);
    let options = Options { shuffles: 8, ..Options::default() };
    let replay = Replay { problem: &problem, warm: None, options: &options, generator: &uniforms };
    let contestants = [router(RouterKind::Linucb), Contestant::BestFixed, Contestant::Baseline];
    let mut heard = Vec::new();
    let found = compare(&replay, &contestants, &|| 0.0, &mut |done, all| {
        heard.push((done, all));
        true
    })
    .unwrap();
    assert_eq!(heard.last(), Some(&(24, 24)));
    assert_eq!(found.differences.len(), 3);
    let ours = &found.differences[0];
    assert!((ours.policy, ours.against) == (Name::Linucb, Name::BestFixed) && ours.significant, "{ours:?}");
    assert!(ours.shuffles_won == 8 && ours.p <= ours.p_holm && ours.ci95[0] > 0.0);
    assert!(close(ours.mean, found.policies[0].mean_reward - found.policies[1].mean_reward));
    assert_eq!(found.policies[0].decisions_per_s, None, "a clock that stands still measures nothing");
}

#[test]
fn the_report_keeps_its_shape() {
    let problem = two_kinds(8);
    let once = Options { shuffles: 1, ..Options::default() };
    assert_eq!(report(&problem, &Contestant::Uniform, &once).ci95, None, "one pass says nothing of the scatter");
    let json = serde_json::to_value(report(&problem, &Contestant::Uniform, &Options::default())).unwrap();
    for field in [
        "rows",
        "arms",
        "shuffles",
        "k",
        "mean_reward",
        "ci95",
        "per_shuffle",
        "worst_shuffle",
        "oracle",
        "best_single",
        "random",
        "regret",
        "regret_curve",
        "routing_accuracy",
        "share",
        "usd_per_request",
        "utilisation",
        "decisions_per_s",
    ] {
        assert!(json.get(field).is_some(), "`{field}` is promised to users");
    }
    assert_eq!(json["best_single"]["arm"], "good");
    assert_eq!(json["regret_curve"][7][0], 8);
    assert!(json["share"]["weak"].is_number() && json["arms"][0] == "weak");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever plays: every request is answered by an arm that raced, nobody beats the oracle, shares add
    /// up, and the same seed gives the same passes.
    #[test]
    fn every_replay_keeps_its_books(seed in any::<u64>(), k in 1usize..5, who in 0usize..7, noise in 0.0..0.5f64) {
        let problem = two_kinds(30);
        let contestant = match who {
            0 => router(RouterKind::Linucb),
            1 => router(RouterKind::Lints),
            2 => router(RouterKind::Baseline),
            6 => router(RouterKind::Uniform),
            3 => Contestant::EpsilonGreedy,
            4 => Contestant::BestFixed,
            _ => Contestant::Uniform,
        };
        let options = Options { shuffles: 2, seed, k, judge_noise: noise, ..Options::default() };
        let found = passes(&problem, &contestant, &options);
        prop_assert_eq!(&found, &passes(&problem, &contestant, &options));
        for pass in &found {
            prop_assert_eq!(pass.requests(), 30);
            prop_assert_eq!(pass.raced.iter().sum::<u64>(), 30 * k.min(3) as u64);
            prop_assert!(pass.reward.iter().zip(&pass.oracle).all(|(got, best)| got <= best));
            let mut rows = pass.row.clone();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..30).collect::<Vec<_>>());
        }
        let report = Report::new(contestant.name(), &problem, &options, &found);
        prop_assert!((report.share.values().sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert_eq!(report.arms.len(), ARMS.len());
    }
}

#[test]
fn a_prior_from_other_prompts_spares_the_early_regret() {
    let (problem, elsewhere) = (two_kinds(120), two_kinds(400));
    let priors = priors::fit(&elsewhere, 50.0).unwrap();
    let options = Options { shuffles: 6, ..Options::default() };
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        let Contestant::Router(setup) = router(kind) else { continue };
        let told = Contestant::Router(Box::new(RouterSetup { priors: priors.beliefs(), ..*setup.clone() }));
        let early = |contestant: &Contestant| {
            let curve = report(&problem, contestant, &options).regret_curve;
            curve.iter().find(|(n, _)| *n >= 40).unwrap().1
        };
        let (with, without) = (early(&told), early(&Contestant::Router(setup)));
        assert!(with < 0.4 * without, "{kind:?}: missed {with} of 40 prompts with a prior, {without} without");
    }
}
