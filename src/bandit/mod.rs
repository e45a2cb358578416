//! The router: pure mathematics over a log of commands.
