//! Adapters to durable state.
