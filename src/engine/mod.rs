//! The owner task of the router, and what it publishes.
#![expect(dead_code, reason = "the owner task, the only user of what follows, is being built")]

mod alarms;
mod facts;
mod health;
mod idempotency;
mod ledger;
mod stats;
#[cfg(test)]
mod testing;

pub use health::HealthRules;
