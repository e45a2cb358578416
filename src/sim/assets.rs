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

/// The text of the built-in scenario `name`.
pub fn scenario(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
