//! The owner task of the router, and what it publishes.

#[expect(dead_code, reason = "the owner task, its only user, follows")]
mod stats;
#[cfg(test)]
mod testing;
