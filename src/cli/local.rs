//! An engine of this process: the composition root proper. It puts store, race, models and engine
//! together, and takes them apart again in the right order.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::factory::Factory;
use super::failure::{CliError, Outcome};
use super::session::Need;
use super::simulation::Simulation;
use super::{parts, priors_command, remembered};
use crate::domain::engine::EngineHandle;
use crate::domain::observer::{Observer, Unobserved};
use crate::domain::store::StateStore;
use crate::engine::{Engine, EngineLimits, EngineParts};
use crate::providers::HttpClient;
use crate::telemetry::Telemetry;

/// Previews on disk, in the data directory.
const PREVIEWS: &str = "previews";

/// A running engine with everything under it.
pub(super) struct LocalEngine {
    engine: Engine,
    handle: Arc<dyn EngineHandle>,
    simulation: Arc<Simulation>,
    watched: Watched,
}

/// Who looks on.
pub(super) enum Watched {
    /// Nobody: a command that only looks at the state.
    ByNobody,
    /// Telemetry, which ends with the engine.
    By(Arc<Telemetry>),
}

impl Watched {
    fn observer(&self) -> Arc<dyn Observer> {
        match self {
            Self::ByNobody => Arc::new(Unobserved),
            Self::By(telemetry) => telemetry.clone(),
        }
    }
}

impl LocalEngine {
    /// Starts an engine on an open store, which it closes when it stops. Flags change its state only for
    /// runs, not for a command that looks at the state.
    pub(super) async fn start(
        context: &Context,
        store: Arc<dyn StateStore>,
        need: Need,
        watched: Watched,
    ) -> Outcome<Self> {
        let settings = context.settings();
        let clock = context.clock();
        for missing in context.missing_keys() {
            tracing::warn!("{missing}");
        }
        remembered::remember(context, store.as_ref()).await;
        let simulation = Arc::new(Simulation::new(&settings.simulation, clock.clone())?);
        let http = HttpClient::new(settings.timeouts.connect, clock.clone()).map_err(CliError::failed)?;
        let factory = Arc::new(Factory::new(http, simulation.clone()));
        let mut race = parts::race(settings, factory.as_ref(), clock);
        if need == Need::Engine
            && let Some(cache) = parts::cache(&settings.cache, &context.data_dir()?.join(PREVIEWS))
        {
            race = race.with_cache(cache);
        }
        parts::check_version(&settings.features, race.parts().features.as_ref()).map_err(CliError::usage)?;
        let router_config = parts::router_config(&settings.router, race.parts().features.as_ref());
        let mut facts = context.facts();
        facts.priors = priors_command::configured(settings, &router_config)?;
        let engine = Engine::start(EngineParts {
            store,
            race,
            factory,
            facts,
            session: (need == Need::Engine).then(|| settings.facts()),
            router_config,
            strategy: settings.strategy,
            seed: settings.simulation.seed,
            limits: limits(settings.run.max_in_flight),
            health: parts::health(&settings.health),
            periodic: parts::periodic(settings),
            observer: watched.observer(),
        })
        .await
        .map_err(CliError::failed)?;
        let handle = engine.handle();
        if let Watched::By(telemetry) = &watched {
            telemetry.watch(&handle);
        }
        Ok(Self { engine, handle, simulation, watched })
    }

    pub(super) fn engine(&self) -> &dyn EngineHandle {
        self.handle.as_ref()
    }

    pub(super) fn handle(&self) -> Arc<dyn EngineHandle> {
        self.handle.clone()
    }

    pub(super) fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Waits for verdicts that come after their answers, `patience` at most.
    pub(super) async fn settle(&self, patience: Duration) {
        self.engine.settle(patience).await;
    }

    /// Waits for what is in flight, stores a last snapshot, closes the store; then stops the simulation.
    pub(super) async fn stop(self) -> Outcome {
        let report = self.engine.stop().await;
        tracing::debug!(?report, "the engine has stopped");
        if let Watched::By(telemetry) = self.watched {
            // Waits for a collector, which must not keep this thread from anything else that ends.
            let _ = tokio::task::spawn_blocking(move || telemetry.stop()).await;
        }
        self.simulation.shutdown().await;
        Ok(())
    }
}

fn limits(max_in_flight: usize) -> EngineLimits {
    let max_in_flight = u64::try_from(max_in_flight).unwrap_or(u64::MAX);
    EngineLimits { max_in_flight, ..EngineLimits::default() }
}
