//! The simulated models of this process: which scenario they play, and the server, started when the
//! first arm needs it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::failure::{CliError, Outcome};
use crate::domain::clock::Clock;
use crate::settings::{SimulationSettings, parse_toml};
use crate::sim::{Prompt, PromptSuite, ScenarioSpec, SimParts, SimServer, assets};

/// Simulated models, running or not.
pub(super) struct Simulation {
    scenario: ScenarioSpec,
    prompts: Vec<Prompt>,
    seed: u64,
    clock: Arc<dyn Clock>,
    server: Mutex<Option<Arc<SimServer>>>,
}

impl Simulation {
    /// Reads and checks the scenario and the prompts; starts nothing.
    pub(super) fn new(settings: &SimulationSettings, clock: Arc<dyn Clock>) -> Outcome<Self> {
        let scenario = scenario(settings.scenario.as_deref())?;
        let suite: PromptSuite = parse_toml(assets::PROMPTS, "assets/prompts.toml").map_err(CliError::failed)?;
        let (seed, server) = (settings.seed, Mutex::default());
        Ok(Self { scenario, prompts: suite.prompts, seed, clock, server })
    }

    /// A scenario that was checked, with these prompts.
    pub(super) fn of(scenario: ScenarioSpec, prompts: Vec<Prompt>, seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self { scenario, prompts, seed, clock, server: Mutex::default() }
    }

    /// What is played.
    pub(super) const fn scenario(&self) -> &ScenarioSpec {
        &self.scenario
    }

    /// The prompts of the built-in suite.
    pub(super) fn prompts(&self) -> Vec<Prompt> {
        self.prompts.clone()
    }

    /// The models of the scenario.
    pub(super) fn models(&self) -> Vec<&str> {
        self.scenario.models.iter().map(|model| model.name.as_str()).collect()
    }

    /// The server, started if it was not.
    pub(super) fn server(&self) -> Result<Arc<SimServer>, String> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = server.as_ref() {
            return Ok(running.clone());
        }
        let parts = SimParts {
            scenario: self.scenario.clone(),
            prompts: self.prompts.clone(),
            seed: self.seed,
            clock: self.clock.clone(),
        };
        let started = Arc::new(SimServer::start(parts).map_err(|error| error.to_string())?);
        *server = Some(started.clone());
        Ok(started)
    }

    /// Stops the server, where one runs.
    pub(super) async fn shutdown(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.shutdown().await;
        }
    }
}

/// The scenario of a file, of a built-in name, or the default one.
fn scenario(chosen: Option<&Path>) -> Outcome<ScenarioSpec> {
    let name = chosen.map_or_else(|| assets::DEFAULT_SCENARIO.to_owned(), |path| path.display().to_string());
    let text = match (assets::scenario(&name), chosen) {
        (Some(text), _) => text.to_owned(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
            let known: Vec<&str> = assets::SCENARIOS.iter().map(|(name, _)| *name).collect();
            CliError::usage(format!("the scenario {name} cannot be read: {error}"))
                .hint(format!("name a file, or one of the built-in scenarios: {}", known.join(", ")))
        })?,
        (None, None) => return Err(CliError::failed("the built-in scenario is missing")),
    };
    let spec: ScenarioSpec = parse_toml(&text, &name).map_err(CliError::usage)?;
    spec.check().map_err(|faults| CliError::usage(format!("the scenario {name}: {}", faults.join("; "))))?;
    Ok(spec)
}
