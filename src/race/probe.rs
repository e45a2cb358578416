//! Whether an endpoint is up again: one preview of a prompt that is at hand, made once, heard by nobody.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::budget::{DayFull, Purse, Reservation};
use super::events::{EventSink, Wire};
use super::preview::PreviewStage;
use super::retry::{Retry, RetryRules};
use super::run::Race;
use super::signals::Signals;
use super::timeouts::Timers;
use crate::domain::chat::ChatRequest;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::PreviewRecord;

/// The place of a probe among a run's previews: none of them has it.
const PLACE: usize = u32::MAX as usize;

impl Race {
    /// A place under the day's ceiling, where there is one, for a call beside the runs: nothing is reserved, but
    /// what it spends counts.
    ///
    /// # Errors
    /// [`DayFull`] where the ceiling is reached.
    pub fn reserve_beside(&self) -> Result<Option<Reservation>, DayFull> {
        self.day().map(|account| account.reserve(self.parts().clock.now(), 0.0)).transpose()
    }

    /// Asks `arm` for the shortest preview of `request`, the prompt of `run`. Not tried again: that is what the
    /// next probe is for.
    pub async fn probe(
        &self,
        arm: &ArmId,
        run: RunId,
        request: Arc<ChatRequest>,
        reservation: Option<Reservation>,
        stop: &CancellationToken,
    ) -> PreviewRecord {
        let parts = self.parts();
        let once = RetryRules { attempts: 1, ..parts.config.retry };
        let retry = Retry::new(once, Arc::clone(&self.extras), 0);
        // What was seen of an arm before it failed says little about it now.
        let unknown = Signals::default();
        let stage = PreviewStage {
            config: &parts.config,
            models: &parts.models,
            request: &request,
            run,
            target: parts.config.preview_target(0.0, 0.0),
            timers: Timers { rules: &parts.config.timeouts, signals: &unknown, length: 0.0 },
            retry: &retry,
            cache: None,
        };
        let events = EventSink::none();
        // What a run may spend holds for a probe too.
        let purse = Purse::new(parts.config.budget, reservation);
        stage.ask(PLACE, arm, Wire { events: &events, stop, purse: &purse }).await
    }
}
