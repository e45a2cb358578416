//! Adapters to model endpoints over HTTP.
