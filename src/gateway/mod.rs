//! Doors into a running engine from outside the process.
