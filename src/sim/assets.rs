//! The files that are built in, as texts: they are parsed, like any file of a user, elsewhere.

/// The prompt suite, a [`super::PromptSuite`] in TOML.
pub const PROMPTS: &str = include_str!("../../assets/prompts.toml");

/// The name of the scenario that is played where none is named.
pub const DEFAULT_SCENARIO: &str = "default";

/// Every built-in scenario by name, a [`super::ScenarioSpec`] in TOML each.
pub const SCENARIOS: [(&str, &str); 4] = [
    (DEFAULT_SCENARIO, include_str!("../../assets/scenarios/default.toml")),
    ("drift", include_str!("../../assets/scenarios/drift.toml")),
    ("outage", include_str!("../../assets/scenarios/outage.toml")),
    ("price-cut", include_str!("../../assets/scenarios/price-cut.toml")),
];

/// Every built-in suite by name, a [`super::SuiteSpec`] in TOML each.
pub const SUITES: [(&str, &str); 3] = [
    ("blind-spots", include_str!("../../assets/suites/blind-spots.toml")),
    ("complementary", include_str!("../../assets/suites/complementary.toml")),
    ("mostly-code", include_str!("../../assets/suites/mostly-code.toml")),
];

/// The text of the built-in suite `name`.
pub fn suite(name: &str) -> Option<&'static str> {
    SUITES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The text of the built-in scenario `name`.
pub fn scenario(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::super::{PromptSuite, ScenarioSpec};
    use super::*;
    use crate::domain::context::Intent;
    use crate::features::intent::classify;

    #[test]
    fn the_built_in_suites_can_be_played() {
        for (name, text) in SUITES {
            let suite: super::super::SuiteSpec = toml::from_str(text).unwrap();
            let prompts = suite.prompts(&super::tests::suite().prompts).unwrap();
            assert!(suite.name == name && prompts.len() >= 30, "{name}: {}", prompts.len());
        }
    }

    fn suite() -> PromptSuite {
        toml::from_str(PROMPTS).unwrap()
    }

    #[test]
    fn the_suite_is_complete() {
        let suite = suite();
        assert_eq!(suite.check(), Ok(()));
        assert!(suite.prompts.len() >= 130, "{}", suite.prompts.len());
        for intent in Intent::ALL {
            let of_it: Vec<usize> = suite
                .prompts
                .iter()
                .filter(|p| p.intent == intent)
                .map(|p| p.prompt.split_whitespace().count())
                .collect();
            assert!(of_it.len() >= 24, "{}: {}", intent.name(), of_it.len());
            assert!(of_it.iter().any(|words| *words > 150), "{}: none is long", intent.name());
            assert!(of_it.iter().any(|words| *words < 40), "{}: none is short", intent.name());
        }
    }

    /// Learning by kind of prompt needs a classifier that mostly agrees with what the models are good at.
    #[test]
    fn the_router_mostly_recognises_the_intents() {
        let suite = suite();
        for intent in Intent::ALL {
            let of_it: Vec<_> = suite.prompts.iter().filter(|p| p.intent == intent).collect();
            let missed = of_it.iter().filter(|p| classify(&p.prompt) != intent).map(|p| p.id.as_str());
            let missed: Vec<&str> = missed.collect();
            println!("{}: {} of {} missed: {missed:?}", intent.name(), missed.len(), of_it.len());
            assert!(missed.len() * 10 <= of_it.len() * 3, "{}: {missed:?}", intent.name());
        }
    }

    #[test]
    fn every_built_in_scenario_can_be_played_with_the_shipped_arms() {
        for (name, text) in SCENARIOS {
            let spec: ScenarioSpec = toml::from_str(text).unwrap();
            assert_eq!(spec.check(), Ok(()), "{name}");
            assert_eq!(spec.name, name);
            assert!(!spec.timeline.is_empty(), "{name}");
            let shipped: toml::Table = toml::from_str(include_str!("../../config.toml")).unwrap();
            let arms = shipped["arms"].as_array().unwrap().iter().chain([&shipped["judge"]]);
            for arm in arms {
                let model = spec.models.iter().find(|m| Some(m.name.as_str()) == arm["model"].as_str()).unwrap();
                let price = arm["price_per_million"].as_table().unwrap();
                assert_eq!(price["input"].as_float(), Some(model.price_per_million.input), "{name}: {}", model.name);
                assert_eq!(price["output"].as_float(), Some(model.price_per_million.output), "{name}: {}", model.name);
            }
        }
        assert!(scenario("default").is_some() && scenario("nothing").is_none());
    }

    /// Each kind of prompt has a best arm that is clearly better than the next one but for small talk.
    #[test]
    fn arms_differ_enough_to_be_learned() {
        let spec: ScenarioSpec = toml::from_str(scenario(DEFAULT_SCENARIO).unwrap()).unwrap();
        let mut best = std::collections::BTreeSet::new();
        for intent in Intent::ALL {
            let mut arms: Vec<(f64, &str)> =
                spec.models[..6].iter().map(|m| (m.skill.at(intent), m.name.as_str())).collect();
            arms.sort_by(|a, b| b.0.total_cmp(&a.0));
            assert!(intent == Intent::Other || arms[0].0 - arms[1].0 > 0.12, "{intent:?}: {arms:?}");
            best.insert(arms[0].1);
        }
        assert_eq!(best.len(), 5);
    }
}
