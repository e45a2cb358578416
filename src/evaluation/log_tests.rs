//! Logs whose truth is known: propensities that change with time and prompt, races in which somebody was lost.

use std::fmt::Write as _;

use super::contestant::Contestant;
use super::logged::{Figure, Log, Target};
use super::off_policy::NoEstimate;
use super::pass::Pass;
use super::replay::{Options, Replay, ReplayFault};
use super::{ContextSource, Counting, Lost, Problem, Records, RouterSetup, Uniforms};
use crate::bandit::RouterConfig;
use crate::domain::ids::ArmId;
use crate::domain::spec::{RouterKind, SetChoice};

const ARMS: [&str; 3] = ["a", "b", "c"];
/// Mean quality by kind of prompt; half of the prompts are of each kind.
const QUALITY: [[f64; 3]; 2] = [[0.9, 0.5, 0.6], [0.2, 0.1, 0.6]];

fn truth(arm: usize) -> f64 {
    f64::midpoint(QUALITY[0][arm], QUALITY[1][arm])
}

fn problem(text: &str) -> Problem {
    let records = Records::parse(text.as_bytes()).unwrap();
    Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap()
}

fn uniforms(seed: u64) -> Uniforms {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move || rng.f64())
}

fn by_arm(values: [f64; 3]) -> String {
    let [a, b, c] = values;
    format!(r#"{{"a":{a},"b":{b},"c":{c}}}"#)
}

/// One arm a run. The logging router is unsure of prompts of the second kind for ever, and of the first kind until a
/// third of the log is through: then it hardly asks anybody but `a` there.
fn changing(rows: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut text = String::new();
    for i in 0..rows {
        let kind = usize::from(rng.f64() < 0.5);
        let p = match (kind, 3 * i < rows) {
            (0, false) => [0.92, 0.05, 0.03],
            (0, true) => [0.5, 0.3, 0.2],
            _ => [0.3, 0.3, 0.4],
        };
        let u = rng.f64();
        let arm = if u < p[0] { 0 } else { 1 + usize::from(u >= p[0] + p[1]) };
        let quality = QUALITY[kind][arm] + 0.1 * (rng.f64() - 0.5);
        let (name, p) = (ARMS[arm], by_arm(p));
        let _ = writeln!(text, r#"{{"x":[1,{kind}],"quality":{{"{name}":{quality}}},"propensity":{p}}}"#);
    }
    text
}

/// The same prompts with every arm seen.
fn all_of(rows: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(4);
    let mut text = String::new();
    for _ in 0..rows {
        let kind = usize::from(rng.f64() < 0.5);
        let quality = by_arm(QUALITY[kind].map(|quality| quality + 0.1 * (rng.f64() - 0.5)));
        let _ = writeln!(text, r#"{{"x":[1,{kind}],"quality":{quality}}}"#);
    }
    text
}

/// Mean reward, mean number of requests and what they are worth, over passes.
fn replayed(problem: &Problem, contestant: &Contestant) -> [f64; 3] {
    let options = Options { shuffles: 8, ..Options::default() };
    let replay = Replay { problem, warm: None, options: &options, generator: &uniforms };
    let passes = replay.run(&*contestant.maker(problem, 1), &mut |_, _| true).unwrap();
    let mean = |value: &dyn Fn(&Pass) -> f64| passes.iter().map(value).sum::<f64>() / passes.len() as f64;
    [mean(&Pass::mean_reward), mean(&|pass| pass.requests() as f64), mean(&Pass::effective)]
}

/// Prompts of the first kind are hardly explored when the log is long: they count like the others all the same, in a
/// log that leaves enough rows at the same chance and in one that does not.
#[test]
fn a_replay_of_changing_propensities_counts_all_prompts_alike() {
    for (rows, is_even) in [(40_000, true), (9_000, false)] {
        let problem = problem(&changing(rows));
        for (contestant, truth) in
            [(Contestant::Baseline, truth(0)), (Contestant::Uniform, (truth(0) + truth(1) + truth(2)) / 3.0)]
        {
            let [found, requests, worth] = replayed(&problem, &contestant);
            // Qualities scatter by 0.3 between the kinds of prompts.
            assert!((found - truth).abs() < 3.0 * 0.3 / worth.sqrt(), "{:?}: {found}, {truth}", contestant.name());
            assert_eq!(is_even, worth > 0.999 * requests, "{worth} of {requests}");
        }
    }
    // Were each row taken with its own chance and all counted alike, the second kind would count nearly thrice.
    let problem = problem(&changing(40_000));
    let least = |row: usize| problem.propensities(row).iter().flatten().copied().fold(1.0, f64::min);
    let (sum, n) = (0..problem.rows()).fold((0.0, 0.0), |(sum, n), row| {
        let kind = usize::from(problem.context(row)[1] > 0.5);
        (sum + least(row) * QUALITY[kind][0], n + least(row))
    });
    assert!(sum / n < truth(0) - 0.15, "{}", sum / n);
}

/// What a router learns of such a log, it would have learned of the prompts themselves.
#[test]
fn a_router_learns_from_a_log_as_from_the_prompts() {
    let log = problem(&changing(50_000));
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        let contestant = Contestant::Router(Box::new(router(kind)));
        let [found, requests, _] = replayed(&log, &contestant);
        assert!((1_200.0..1_800.0).contains(&requests), "{requests}");
        let [truth, ..] = replayed(&problem(&all_of(1_500)), &contestant);
        assert!((found - truth).abs() < 0.02, "{kind:?}: {found}, {truth}");
    }
}

/// Two of three arms race; which one stays out changes. `b` fails in passing, `c` sometimes for its content.
fn races(rows: usize, lost: f64, says_who: bool) -> String {
    let mut rng = fastrand::Rng::with_seed(8);
    let mut text = String::new();
    for i in 0..rows {
        let kind = usize::from(rng.f64() < 0.5);
        let out = if 2 * i < rows { [0.2, 0.3, 0.5] } else { [0.1, 0.7, 0.2] };
        let u = rng.f64();
        let stays_out = if u < out[0] { 0 } else { 1 + usize::from(u >= out[0] + out[1]) };
        let raced: Vec<usize> = (0..3).filter(|arm| *arm != stays_out).collect();
        let mut quality = Vec::new();
        for &arm in &raced {
            let noise = 0.1 * (rng.f64() - 0.5);
            let failed = rng.f64();
            match arm {
                1 if failed < lost => {}
                2 if failed < 0.25 => quality.push(r#""c":0"#.to_owned()),
                _ => quality.push(format!(r#""{}":{}"#, ARMS[arm], QUALITY[kind][arm] + noise)),
            }
        }
        let p = by_arm(out.map(|out| 1.0 - out));
        let names: Vec<String> = raced.iter().map(|arm| format!("{:?}", ARMS[*arm])).collect();
        let who = if says_who { format!(r#","selected":[{}]"#, names.join(",")) } else { String::new() };
        let quality = quality.join(",");
        let _ = writeln!(text, r#"{{"x":[1,{kind}],"quality":{{{quality}}},"propensity":{p}{who}}}"#);
    }
    text
}

fn router(kind: RouterKind) -> RouterSetup {
    let (config, set) = (RouterConfig::default(), SetChoice::ExpectedBest);
    RouterSetup { kind, alpha: 0.5, explore_share: 0.01, config, set, budget: None, priors: Vec::new() }
}

fn worth(problem: &Problem, target: &Target) -> Result<super::logged::Worth, NoEstimate> {
    Log { problem, model: &router(RouterKind::Linucb), seed: 1, generator: &uniforms }.worth(target)
}

#[test]
fn an_arm_whose_calls_fail_in_passing_is_worth_what_it_is_worth() {
    let problem = problem(&races(8_000, 0.4, true));
    let lost = problem.lost();
    assert!(matches!(lost.as_slice(), [Lost { arm, selected, lost }] if arm.as_str() == "b" && 3 * lost > *selected));
    // Content that failed is an outcome: a quarter of the answers of `c` are worth nothing.
    for (arm, truth) in [("a", truth(0)), ("b", truth(1)), ("c", 0.75 * truth(2))] {
        let found = worth(&problem, &Target::Arm(ArmId::new(arm))).unwrap();
        let holds = |figure: &Figure| (figure.value - truth).abs() < 4.0 * figure.se;
        assert!(holds(&found.ips) && holds(&found.snips) && holds(&found.dr), "{arm}, {truth}: {found:?}");
        assert!(found.ips.se < 0.02, "{arm}: {found:?}");
    }
    let any = worth(&problem, &Target::Uniform).unwrap();
    let mean = (truth(0) + truth(1) + 0.75 * truth(2)) / 3.0;
    assert!(
        (any.ips.value - mean).abs() < 4.0 * any.ips.se && (any.dr.value - mean).abs() < 4.0 * any.dr.se,
        "{any:?}"
    );
}

#[test]
fn what_was_mostly_lost_or_hides_who_was_is_refused() {
    let mostly = problem(&races(2_000, 0.7, true));
    let refused = worth(&mostly, &Target::Arm(ArmId::new("b"))).unwrap_err();
    assert!(matches!(&refused, NoEstimate::MostlyLost { arm, .. } if arm.as_str() == "b"), "{refused}");
    assert!(worth(&mostly, &Target::Arm(ArmId::new("a"))).is_ok());
    let hidden = problem(&races(2_000, 0.4, false));
    let refused = worth(&hidden, &Target::Arm(ArmId::new("a"))).unwrap_err();
    assert!(matches!(refused, NoEstimate::UnnamedLoss { others, .. } if others > 100), "{refused}");
    let options = Options::default();
    let replay = Replay { problem: &hidden, warm: None, options: &options, generator: &uniforms };
    let refused = replay.run(&*Contestant::Uniform.maker(&hidden, 1), &mut |_, _| true).unwrap_err();
    assert!(matches!(refused, ReplayFault::UnnamedLoss { .. }), "{refused}");
}

/// One of `a` and `b` is selected; `a` fails for good on half of its rows, and the fallback `b` is judged in its stead.
#[test]
fn what_a_fallback_earned_is_not_what_the_choice_did() {
    let mut rng = fastrand::Rng::with_seed(12);
    let mut text = String::new();
    for _ in 0..3_000 {
        let selected = if rng.f64() < 0.9 { "a" } else { "b" };
        let failed = selected == "a" && rng.f64() < 0.3;
        // In another's stead `b` only meets easy prompts.
        let (answered, quality) = if failed { ("b", 1.0) } else { (selected, if selected == "a" { 0.8 } else { 0.4 }) };
        let quality = quality - 0.1 * rng.f64();
        let _ = writeln!(
            text,
            r#"{{"x":[1],"quality":{{"{answered}":{quality}}},"propensity":{{"a":0.9,"b":0.1}},"selected":["{selected}"]}}"#
        );
    }
    let problem = problem(&text);
    let found = worth(&problem, &Target::Arm(ArmId::new("b"))).unwrap();
    for figure in [found.ips, found.snips, found.dr] {
        assert!((figure.value - 0.35).abs() < 4.0 * figure.se.max(0.003), "{found:?}");
    }
    assert!(matches!(problem.lost().as_slice(), [Lost { arm, .. }] if arm.as_str() == "a"), "{:?}", problem.lost());
    let priors = super::priors::fit(&problem, 50.0).unwrap();
    let of_b = priors.arms.iter().find(|arm| arm.prior.arm.as_str() == "b").unwrap();
    assert!((of_b.mean_quality - 0.35).abs() < 0.01, "{}", of_b.mean_quality);
}

#[test]
fn propensities_that_are_of_no_choice_are_refused() {
    let text = races(600, 0.0, true);
    let halved = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        for p in row["propensity"].as_object_mut().unwrap().values_mut() {
            *p = (0.3 * p.as_f64().unwrap()).into();
        }
        row.to_string()
    };
    let (one, all) = text
        .split_once('\n')
        .map(|(first, rest)| {
            (format!("{}\n{rest}", halved(first)), text.lines().map(halved).collect::<Vec<_>>().join("\n"))
        })
        .unwrap();
    let refused = worth(&problem(&all), &Target::Uniform).unwrap_err();
    assert!(matches!(refused, NoEstimate::Uneven { others: 599, .. }), "{refused}");
    let refused = uniformly(&problem(&all)).unwrap_err();
    assert!(matches!(refused, ReplayFault::Uneven { rows: 600, .. }), "{refused}");
    // A few of them are left out, and counted.
    let one = problem(&one);
    assert_eq!((one.left_out(), worth(&one, &Target::Uniform).unwrap().rows), (1, 599));
    assert_eq!(uniformly(&one).unwrap()[0].unsupported, 0);
}

/// As a policy that draws uniformly has it.
fn uniformly(problem: &Problem) -> Result<Vec<Pass>, ReplayFault> {
    let options = Options::default();
    let replay = Replay { problem, warm: None, options: &options, generator: &uniforms };
    replay.run(&*Contestant::Uniform.maker(problem, 1), &mut |_, _| true)
}

/// Runs under limits of shares: both arms race in 30 % of them, one in the others, which of them by the kind of prompt.
/// Whether rows state how many that is in the mean is for `states` to say.
fn limited(rows: usize, states: bool) -> String {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut text = String::new();
    for _ in 0..rows {
        let kind = usize::from(rng.f64() < 0.5);
        let (u, [p, q]) = (rng.f64(), if kind == 0 { [0.7, 0.6] } else { [0.4, 0.9] });
        // `a` has the first part of the uniform, `b` the last.
        let raced: Vec<&str> =
            [("a", u < p), ("b", u >= 1.0 - q)].iter().filter(|(_, is_in)| *is_in).map(|(arm, _)| *arm).collect();
        let quality = |arm: &&str| {
            let place = usize::from(*arm == "b");
            format!(r#""{arm}":{}"#, QUALITY[kind][place] + 0.1 * (rng.f64() - 0.5))
        };
        let qualities = raced.iter().map(quality).collect::<Vec<_>>().join(",");
        let sum = if states { format!(r#","expected_raced":{}"#, p + q) } else { String::new() };
        let _ = writeln!(
            text,
            r#"{{"x":[1,{kind}],"quality":{{{qualities}}},"propensity":{{"a":{p},"b":{q}}},"selected":{raced:?}{sum}}}"#
        );
    }
    text
}

#[test]
fn runs_under_limits_of_shares_count_by_each_arm_s_own_chance() {
    let told = problem(&limited(6_000, true));
    assert_eq!(told.left_out(), 0);
    for (place, arm) in ["a", "b"].into_iter().enumerate() {
        let found = worth(&told, &Target::Arm(ArmId::new(arm))).unwrap();
        for figure in [found.ips, found.snips, found.dr] {
            assert!((figure.value - truth(place)).abs() < 4.0 * figure.se, "{arm}: {found:?}");
            assert!(figure.se < 0.02, "{found:?}");
        }
    }
    let mean = f64::midpoint(truth(0), truth(1));
    let passes = uniformly(&told).unwrap();
    let earned = passes.iter().map(Pass::mean_reward).sum::<f64>() / passes.len() as f64;
    assert!((earned - mean).abs() < 0.02, "{earned} for {mean}");
    // An older export does not say that limits had a say; a statement that is not true is none.
    let refused = worth(&problem(&limited(60, false)), &Target::Uniform).unwrap_err();
    assert!(matches!(refused, NoEstimate::Uneven { others: 59, .. }), "{refused}");
    let mixed =
        [limited(500, true), limited(300, false), limited(7, true).replace("_raced\":1", "_raced\":2")].concat();
    let mixed = problem(&mixed);
    assert_eq!(mixed.left_out(), 307);
    assert_eq!(worth(&mixed, &Target::Uniform).unwrap().rows, 500);
    assert!(uniformly(&mixed).is_ok());
}
