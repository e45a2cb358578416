//! A suite: which prompts are put to the simulated models to compare ways of routing, and how often. It names
//! prompts of the built-in collection by id, brings prompts of its own, or both; each knows its intent, so
//! that what an arm's answer is worth is known without asking anyone. It may bring models of its own too, which
//! then are the arms.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::prompt::{Prompt, PromptSuite};
use super::scenario::{ModelSpec, ScenarioSpec};

/// What a suite's file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteSpec {
    /// What it is called.
    pub name: String,
    /// For a person: what it shows.
    #[serde(default)]
    pub description: String,
    /// How often every prompt is asked in a pass.
    #[serde(default = "once")]
    pub rounds: usize,
    /// Ids of prompts of the built-in collection.
    #[serde(default)]
    pub pick: Vec<String>,
    /// Prompts of its own.
    #[serde(default)]
    pub prompts: Vec<Prompt>,
    /// Models of its own, each an arm; without any, the configured arms take part.
    #[serde(default)]
    pub models: Vec<ModelSpec>,
}

const fn once() -> usize {
    1
}

impl SuiteSpec {
    /// Its prompts, each once; `collection` holds those that are built in.
    ///
    /// # Errors
    /// Every fault at once: an unknown or repeated id, a blank prompt, none at all, rounds out of their range.
    pub fn prompts(&self, collection: &[Prompt]) -> Result<Vec<Prompt>, Vec<String>> {
        let mut faults = Vec::new();
        if !(1..=1000).contains(&self.rounds) {
            faults.push(format!("`rounds` is {}: expected 1 to 1000", self.rounds));
        }
        let mut prompts = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, id) in self.pick.iter().enumerate() {
            match collection.iter().find(|prompt| prompt.id == *id) {
                None => faults.push(format!("pick[{index}]: no built-in prompt is called {id:?}")),
                Some(_) if !seen.insert(id) => faults.push(format!("pick[{index}]: {id:?} is picked twice")),
                Some(prompt) => prompts.push(prompt.clone()),
            }
        }
        prompts.extend(self.prompts.iter().cloned());
        if faults.is_empty()
            && let Err(more) = (PromptSuite { prompts: prompts.clone() }).check()
        {
            faults.extend(more);
        }
        if faults.is_empty() { Ok(prompts) } else { Err(faults) }
    }

    /// The scenario with its own models added, in the place of those of the same name.
    ///
    /// # Errors
    /// Every fault at once: what is wrong with a model, and what is hidden in one of `prompts` but means nothing to
    /// any model.
    pub fn stage(&self, scenario: &ScenarioSpec, prompts: &[Prompt]) -> Result<ScenarioSpec, Vec<String>> {
        let mut staged = scenario.clone();
        staged.models.retain(|model| self.models.iter().all(|own| own.name != model.name));
        staged.models.splice(..0, self.models.iter().cloned());
        let mut faults = staged.check().err().unwrap_or_default();
        let known: BTreeSet<&str> = staged.models.iter().flat_map(|m| m.hidden.keys().map(String::as_str)).collect();
        for prompt in prompts {
            if let Some(hidden) = prompt.hidden.as_deref().filter(|hidden| !known.contains(hidden)) {
                faults.push(format!("prompt {:?}: `hidden` is {hidden:?}, which no model knows", prompt.id));
            }
        }
        if faults.is_empty() { Ok(staged) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::context::Intent;

    fn prompt(id: &str, text: &str) -> Prompt {
        Prompt { id: id.to_owned(), intent: Intent::Coding, hidden: None, prompt: text.to_owned() }
    }

    #[test]
    fn it_picks_and_brings_prompts_and_names_every_fault() {
        let collection = [prompt("a", "one"), prompt("b", "two")];
        let suite = |rounds, pick: &[&str], prompts: &[Prompt]| SuiteSpec {
            name: "s".to_owned(),
            description: String::new(),
            rounds,
            pick: pick.iter().map(|id| (*id).to_owned()).collect(),
            prompts: prompts.to_vec(),
            models: Vec::new(),
        };
        let good = suite(2, &["b"], &[prompt("own", "three")]).prompts(&collection).unwrap();
        assert_eq!(good.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["b", "own"]);
        let faults = suite(0, &["c", "a", "a"], &[]).prompts(&collection).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        let hidden = Prompt { hidden: Some("x".to_owned()), ..prompt("h", "four") };
        let scenario: ScenarioSpec =
            toml::from_str(super::super::assets::scenario(super::super::assets::DEFAULT_SCENARIO).unwrap()).unwrap();
        let mut own = suite(1, &[], std::slice::from_ref(&hidden));
        assert!(own.stage(&scenario, std::slice::from_ref(&hidden)).unwrap_err()[0].contains("no model knows"));
        own.models = vec![ModelSpec { hidden: [("x".to_owned(), 0.2)].into(), ..scenario.models[0].clone() }];
        let staged = own.stage(&scenario, &[hidden]).unwrap();
        assert_eq!(staged.models.len(), scenario.models.len(), "one took the place of its namesake");
        let is = |hidden, skill: f64| (staged.models[0].skill_at(Intent::Coding, hidden) - skill).abs() < 1e-12;
        assert!(is(None, 0.74) && is(Some("x"), 0.2) && is(Some("y"), 0.74));
        assert!(
            suite(1, &[], &[]).prompts(&collection).is_err()
                && suite(1, &["a"], &[prompt("a", "x")]).prompts(&collection).is_err()
        );
    }
}
