//! The orchestrator of one run.
