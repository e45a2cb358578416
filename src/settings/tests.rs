//! What holds the table of keys together. Valid and invalid files are data under `tests/settings/`.

use super::*;
use crate::domain::action::Action;
use crate::domain::spec::Strategy;
use crate::domain::terms::Term;

fn sources(text: &str) -> Sources {
    Sources { file: ConfigText { name: "c.toml".into(), text: text.to_owned() }, ..Sources::default() }
}

const ONE_ARM: &str = "[[arms]]\nname = \"a\"\nprovider = \"simulated\"\n";

#[test]
fn every_default_fits_its_own_kind() {
    for row in KEYS.iter() {
        assert!(row.default.is_none_or(|text| row.kind.of_text(text).is_ok()), "{}", row.name);
        assert!(!row.help.is_empty(), "{}", row.name);
    }
    for row in arm_rows::ARM_KEYS {
        assert!(row.default.is_none_or(|text| row.kind.of_text(text).is_ok()), "{}", row.name);
    }
}

#[test]
fn names_flags_and_variables_are_unique() {
    let mut names: Vec<String> = KEYS.iter().map(|row| row.name.to_owned()).collect();
    names.extend(KEYS.iter().filter_map(KeyRow::variable));
    names.extend(KEYS.iter().filter_map(|row| row.flag_name().map(|flag| format!("--{flag}"))));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_template_changes_no_default_and_every_line_of_it_is_valid() {
    let template = template();
    let plain = load(&sources(&template)).unwrap();
    let defaults = load(&sources(ONE_ARM)).unwrap();
    assert_eq!(plain.arms.len(), 2);
    assert_eq!(Settings { arms: vec![], notes: vec![], ..plain }, Settings { arms: vec![], notes: vec![], ..defaults });
    // Every documented default may be un-commented.
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.contains('=');
    let live: Vec<&str> =
        template.lines().map(|line| if is_setting(line) && !line.ends_with('=') { &line[1..] } else { line }).collect();
    let live = live.join("\n").replace("#[[arms]]", "[[arms]]");
    let loaded = load(&sources(&live)).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.arms.len(), 6);
    for row in KEYS.iter() {
        let leaf = row.name.rsplit('.').next().unwrap();
        assert!(template.contains(&format!("{leaf} =")), "{} is not in the template", row.name);
    }
}

#[test]
fn the_built_in_configuration_is_valid_and_has_a_judge() {
    let settings = load(&Sources::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(settings.arms.len() >= 5);
    assert!(matches!(settings.judge, Some(JudgeSettings::Model(_))));
    assert!(settings.needs_simulation());
    assert_eq!(settings.notes, Vec::<String>::new());
}

#[test]
fn a_judge_of_its_own_has_a_price_for_cached_tokens_too() {
    let judge = |price: &str| {
        load(&sources(&format!(
            "{ONE_ARM}[judge]\nprovider = \"simulated\"\nmodel = \"j\"\nprice_per_million = {{ {price} }}\n"
        )))
    };
    let settings = judge("input = 3, output = 15, cached = 0.3").unwrap();
    let Some(JudgeSettings::Model(spec)) = settings.judge else { panic!("a model of its own") };
    assert_eq!(spec.price.and_then(|price| price.cached), Some(0.3));
    let faults = judge("cached = 0.3").unwrap_err().to_string();
    assert!(faults.contains("c.toml:7: `judge.price_per_million.input`"), "{faults}");
}

#[test]
fn later_sources_win_and_a_fault_names_its_source() {
    let file = format!("[router]\nk = 2\nalpha = 0.1\n{ONE_ARM}");
    let environment = vec![("BANDITOP_BANDIT_ALPHA".to_owned(), "0.2".to_owned())];
    let flags = vec![("bandit-alpha".to_owned(), "0.3".to_owned())];
    let with = |environment: &Vec<_>, flags: &Vec<_>| Sources {
        environment: environment.clone(),
        flags: flags.clone(),
        ..sources(&file)
    };
    let alpha = |sources: &Sources| load(sources).unwrap().router.alpha().to_string();
    assert_eq!(alpha(&with(&vec![], &vec![])), "0.1");
    assert_eq!(alpha(&with(&environment, &vec![])), "0.2");
    assert_eq!(alpha(&with(&environment, &flags)), "0.3");
    assert_eq!(load(&with(&environment, &flags)).unwrap().router.k, 2);
    assert_eq!(alpha(&sources(ONE_ARM)), "0.45");
    assert_eq!(alpha(&sources(&format!("[router]\npolicy = \"lints\"\n{ONE_ARM}"))), "0.24");

    let bad = vec![("BANDITOP_BANDIT_ALPHA".to_owned(), "lots".to_owned())];
    let fault = load(&with(&bad, &vec![("router-k".to_owned(), "0".to_owned())])).unwrap_err();
    let origins: Vec<String> = fault.all().iter().map(|fault| fault.origin.to_string()).collect();
    assert_eq!(origins, ["variable BANDITOP_BANDIT_ALPHA", "flag --router-k"]);
}

#[test]
fn a_switch_that_clears_is_inverted_in_its_variable_too() {
    let with = |name: &str, text: &str| {
        let environment = vec![(name.to_owned(), text.to_owned())];
        load(&Sources { environment, ..sources(ONE_ARM) }).unwrap().console
    };
    assert!(!with("BANDITOP_NO_COLOR", "1").color);
    assert!(with("BANDITOP_NO_COLOR", "0").color);
    assert!(with("BANDITOP_NO_COLOR", "").color);
    assert!(with("BANDITOP_ASCII", "true").ascii);
}

#[test]
fn an_unknown_variable_is_noted_and_its_value_is_not() {
    let environment = vec![("BANDITOP_STRATGY".to_owned(), "sk-secret".to_owned())];
    let settings = load(&Sources { environment, ..sources(ONE_ARM) }).unwrap();
    let note = settings.notes.iter().find(|note| note.contains("BANDITOP_STRATGY")).unwrap();
    assert!(note.contains("BANDITOP_STRATEGY") && !note.contains("sk-secret"), "{note}");
}

#[test]
fn facts_are_what_a_person_may_change_at_run_time() {
    let file = format!("strategy = \"direct\"\nreward = {{ quality = 1, latency = 1, cost = 0 }}\n{ONE_ARM}");
    let settings = load(&sources(&file)).unwrap();
    assert_eq!(settings.strategy, Strategy::Direct);
    let facts = settings.facts();
    assert!((facts.weights.get(Term::Latency) - 0.5).abs() < 1e-12);
    assert_eq!(facts.arms, settings.arms);
}

#[test]
fn a_relative_path_in_a_file_is_relative_to_it() {
    let file = format!("data_dir = \"state\"\nsimulation.scenario = \"s.toml\"\n{ONE_ARM}");
    let file = ConfigText { name: "/etc/banditop/config.toml".into(), text: file };
    let settings = load(&Sources { file: file.clone(), ..Sources::default() }).unwrap();
    assert_eq!(settings.data_dir.unwrap().to_str(), Some("/etc/banditop/state"));
    assert_eq!(settings.simulation.scenario.unwrap().to_str(), Some("/etc/banditop/s.toml"));
    let text = file.text.replace("s.toml", "drift");
    let flags = vec![("data-dir".to_owned(), "here".to_owned())];
    let settings = load(&Sources { file: ConfigText { text, ..file }, flags, ..Sources::default() }).unwrap();
    assert_eq!(settings.data_dir.unwrap().to_str(), Some("here"));
    assert_eq!(settings.simulation.scenario.unwrap().to_str(), Some("drift"));
}

#[test]
fn keys_can_be_rebound() {
    let file = format!("{ONE_ARM}[keys]\nquit = [\"ctrl-q\", \"Q\"]\ndecay = \"q\"\n");
    let keys = load(&sources(&file)).unwrap().keys;
    assert_eq!(keys.keys(Action::Quit).len(), 2);
    assert_eq!(keys.keys(Action::Decay)[0].as_str(), "q");
}

#[test]
fn other_files_say_file_and_line() {
    #[derive(Debug, serde::Deserialize)]
    struct Spec {
        #[expect(dead_code, reason = "only its absence is tested")]
        name: String,
    }
    let fault = parse_toml::<Spec>("x = 1\nname = 3\n", "s.toml").unwrap_err();
    assert!(fault.starts_with("s.toml:2: "), "{fault}");
}

proptest::proptest! {
    /// Whatever stands in a file: settings, or faults that each say where; never a panic.
    #[test]
    fn any_text_is_settings_or_faults(text in "[ -~\n\u{e4}\"=\\[\\]{}.#]{0,200}") {
        if let Err(faults) = load(&sources(&text)) {
            proptest::prop_assert!(!faults.all().is_empty());
            for fault in faults.all() {
                proptest::prop_assert!(matches!(fault.origin, Origin::File { line: 1.., .. }), "{}", fault);
            }
        }
    }

    /// A character too many, anywhere in a good file, hides no other fault and breaks nothing.
    #[test]
    fn a_slip_of_the_finger_is_told(at in 0usize..4_000, slip in "[\"=\\[\\]{}.,x\n]") {
        let mut text = EMBEDDED_CONFIG.to_owned();
        let at = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.insert_str(at, &slip);
        _ = load(&sources(&text));
    }
}

#[test]
fn redis_needs_an_address_and_a_program_that_knows_it() {
    let of = |cache: &str| load(&sources(&format!("{ONE_ARM}[cache]\nkind = \"redis\"\n{cache}")));
    let fault = of("").unwrap_err().to_string();
    assert!(
        fault.contains(if CacheKind::HAS_REDIS { "the address of a Redis" } else { "--features redis" }),
        "{fault}"
    );
    let whole = of("url = \"redis://localhost:6379/1\"\npassword_env = \"P\"\n");
    let url = whole.ok().and_then(|settings| settings.cache.url);
    assert_eq!(url.as_deref(), CacheKind::HAS_REDIS.then_some("redis://localhost:6379/1"));
}
