//! Simulated models as a real HTTP server, scenarios, and the traffic driver.
