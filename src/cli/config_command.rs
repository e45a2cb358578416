//! `banditop config`: check what there is, document what there can be.

use std::fmt::Write as _;

use super::args::ConfigAction;
use super::context::Context;
use super::failure::{CliError, Outcome};
use super::output::{Output, counted};
use super::simulation::Simulation;
use crate::domain::spec::{ArmSpec, Provider};
use crate::settings::{EncoderKind, FeatureKind, JudgeSettings, SearchKind, Settings, key_table, template};

/// `config template` and `config keys`, which need no configuration.
pub(super) fn document(action: ConfigAction) -> Option<Outcome> {
    let text = match action {
        ConfigAction::Check => return None,
        ConfigAction::Template => template(),
        ConfigAction::Keys => key_table(),
    };
    Some(Output::new().line(text.trim_end()).map_err(Into::into))
}

/// `config check`: faults of the file have ended the program before this; here are those that only show
/// against the scenario, and what is allowed but worth knowing.
pub(super) fn check(context: &Context) -> Outcome {
    let simulation = Simulation::new(&context.settings().simulation, context.clock())?;
    let unknown = unknown_models(context.settings(), &simulation.models());
    if !unknown.is_empty() {
        return Err(CliError::usage(format!("{}: {}", context.config_name(), unknown.join("; "))));
    }
    Ok(Output::new().line(summary(context.config_name(), context.settings(), &is_set).trim_end())?)
}

/// Simulated arms (or a judge) whose model the scenario does not have.
fn unknown_models(settings: &Settings, models: &[&str]) -> Vec<String> {
    let judge = if let Some(JudgeSettings::Model(spec)) = &settings.judge { Some(spec) } else { None };
    let endpoints = settings.arms.iter().filter(|arm| arm.enabled).chain(judge);
    let simulated = endpoints.filter(|spec| spec.provider == Provider::Simulated);
    let unknown = simulated.filter(|spec| !models.contains(&spec.model.as_str()));
    let known = models.join(", ");
    unknown
        .map(|spec| format!("`{}`: expected a model of the scenario ({known}), found {:?}", spec.name, spec.model))
        .collect()
}

fn summary(name: &str, settings: &Settings, is_set: &dyn Fn(&str) -> bool) -> String {
    let enabled = settings.arms.iter().filter(|arm| arm.enabled).count();
    let mut text = format!("{name}: no problem found\n");
    let arms = counted(settings.arms.len(), "arm");
    _ = writeln!(text, "  strategy {}, {arms}, {enabled} enabled", settings.strategy.name());
    for arm in &settings.arms {
        _ = writeln!(text, "  {}", arm_line(arm));
    }
    match &settings.judge {
        Some(JudgeSettings::Arm(arm)) => _ = writeln!(text, "  judge: the arm {arm}"),
        Some(JudgeSettings::Model(spec)) => _ = writeln!(text, "  judge: {}", arm_line(spec)),
        None => {}
    }
    for note in settings.notes.iter().cloned().chain(unset_keys(settings, is_set)).chain(unpriced(settings)) {
        _ = writeln!(text, "note: {note}");
    }
    text
}

fn arm_line(arm: &ArmSpec) -> String {
    let state = if arm.enabled { "" } else { " (disabled)" };
    let at = if arm.base_url.is_empty() { "simulated".to_owned() } else { arm.base_url.clone() };
    format!("{}: {} at {at}{state}", arm.name, arm.model)
}

/// Arms whose key variable is not set: they are not asked, the others go on.
pub(super) fn unset_keys(settings: &Settings, is_set: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut notes = Vec::new();
    for arm in settings.arms.iter().filter(|arm| arm.enabled) {
        if let Some(variable) = arm.api_key_env.as_deref().filter(|name| !is_set(name)) {
            notes.push(format!(
                "the variable {variable} is not set: the arm `{}` cannot be asked until it is",
                arm.name
            ));
        }
    }
    if let Some(JudgeSettings::Model(judge)) = &settings.judge
        && let Some(variable) = judge.api_key_env.as_deref().filter(|name| !is_set(name))
    {
        notes.push(format!("the variable {variable} is not set: the judge cannot be asked, the local one stands in"));
    }
    if let Some(variable) = settings.search.api_key_env.as_deref().filter(|name| !is_set(name))
        && settings.search.kind != SearchKind::Off
    {
        notes.push(format!("the variable {variable} is not set: the web cannot be searched until it is"));
    }
    notes
}

/// What no ceiling of dollars can hold: it counts as free.
fn unpriced(settings: &Settings) -> Option<String> {
    let budget = &settings.budget;
    let ceilings = [
        ("budget.per_run_usd", budget.per_run_usd),
        ("budget.per_day_usd", budget.per_day_usd),
        ("router.budget_per_request", settings.router.budget_per_request),
    ];
    let (ceiling, _) = ceilings.into_iter().find(|(_, dollars)| dollars.is_some())?;
    // Simulated models have the prices of their scenario.
    let is_free = |spec: &ArmSpec| spec.price.is_none() && spec.provider != Provider::Simulated;
    let arms = settings.arms.iter().filter(|arm| arm.enabled && is_free(arm));
    let mut names: Vec<String> = arms.map(|arm| format!("the arm `{}`", arm.name)).collect();
    if let Some(JudgeSettings::Model(judge)) = &settings.judge
        && is_free(judge)
    {
        names.push("the judge".to_owned());
    }
    let (kind, embedding) = (settings.features.kind, &settings.features.embedding);
    if kind == FeatureKind::Embedding && embedding.encoder == EncoderKind::Endpoint && embedding.price.is_none() {
        names.push("the embedding of prompts (`features.embedding`)".to_owned());
    }
    let who = names.join(", ");
    let say =
        || format!("without a `price_per_million` (0 where it really is) it counts as free under `{ceiling}`: {who}");
    (!names.is_empty()).then(say)
}

/// Whether a variable holds something.
pub(super) fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ConfigText, Sources, load};

    #[test]
    fn what_has_no_price_under_a_ceiling_is_told() {
        let told = |budget: &str, price: &str| {
            let text = format!(
                "[[arms]]\nname = \"a\"\nbase_url = \"http://h/v1\"\nmodel = \"m\"\n{price}\n\
                 [judge]\nbase_url = \"http://h/v1\"\nmodel = \"j\"\n{price}\n{budget}\n"
            );
            let file = ConfigText { name: "c.toml".into(), text };
            let settings = load(&Sources { file, ..Sources::default() }).unwrap();
            summary("c.toml", &settings, &|_| true)
        };
        let free = "price_per_million = { input = 0, output = 0 }";
        for (ceiling, key) in
            [("[budget]\nper_run_usd = 1", "`budget.per_run_usd`"), ("[budget]\nper_day_usd = 1", "per_day_usd")]
        {
            let text = told(ceiling, "");
            assert!(text.contains(key) && text.contains("counts as free") && text.contains("`a`, the judge"), "{text}");
            assert!(!told(ceiling, free).contains("counts as free"));
        }
        assert!(!told("", "").contains("counts as free"));
    }

    #[test]
    fn an_unset_key_is_told_by_arm_and_variable() {
        let text = "[[arms]]\nname = \"a\"\nbase_url = \"http://h/v1\"\nmodel = \"m\"\napi_key_env = \"A_KEY\"\n\
                    [judge]\nbase_url = \"http://h/v1\"\nmodel = \"j\"\napi_key_env = \"J_KEY\"\n";
        let file = ConfigText { name: "c.toml".into(), text: text.to_owned() };
        let settings = load(&Sources { file, ..Sources::default() }).unwrap();
        let text = summary("c.toml", &settings, &|name| name == "J_KEY");
        assert!(text.contains("the variable A_KEY is not set: the arm `a`"), "{text}");
        assert!(!text.contains("J_KEY is not set"), "{text}");
    }
}
