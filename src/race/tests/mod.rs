//! What a run does, as a specification: scripted models in memory, time paused, no network.

mod budget;
mod caching;
mod doubles;
mod faults;
mod gating;
mod hedging;
mod judging;
mod learning;
mod retrying;
mod search;
mod shares;
mod signals;
mod stopping;
mod strategies;
mod way;
