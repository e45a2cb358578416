//! What the engine promises, held against scripted models and a store that can be broken.

mod ceiling;
mod commands;
mod drift;
mod health;
mod judge;
mod late;
mod restart;
mod runs;
mod speed;
mod undo;
mod undo_property;
