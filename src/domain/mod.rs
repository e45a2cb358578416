//! The words every room shares: identifiers, time, requests and answers, failures, contexts, reward
//! terms, router commands, run records, snapshots, the action registry, and the ports.
//!
//! This room decides nothing and does nothing: it has no I/O, no async runtime, no generator of
//! random numbers. What it holds is either plain data with its invariants, or a trait whose contract
//! is written in words and implemented in another room.

mod acknowledgement;
pub mod action;
pub mod alarm;
pub mod answer;
pub mod cache;
mod calls;
pub mod chat;
pub mod clock;
pub mod command;
pub mod context;
pub mod control;
pub mod embedding;
pub mod engine;
pub mod event;
pub mod failure;
pub mod flag;
pub mod handling;
pub mod ids;
pub mod judging;
pub mod money;
pub mod observer;
pub mod policies;
pub mod prior;
pub mod ratio;
pub mod record;
pub mod search;
pub mod slo;
pub mod snapshot;
pub mod spec;
pub mod store;
pub mod summary;
pub mod tally;
pub mod terms;
pub mod text;
pub mod trace;
pub mod traffic;

use std::future::Future;
use std::pin::Pin;

/// A boxed, sendable future: what a port returns, so that ports stay object safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
