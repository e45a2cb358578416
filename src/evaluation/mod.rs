//! What a router is worth, told from recorded outcomes: replay, comparison with significance, off-policy
//! estimates, priors. It reads records and runs no race. Pure: bytes and uniforms are arguments, so the
//! same seed gives the same figures on every machine.

pub mod off_policy;
mod pairs;
pub mod records;
pub mod statistics;
mod student;
