//! The owner task of the router, and what it publishes.
