//! Typed settings from defaults, file, environment and flags.
