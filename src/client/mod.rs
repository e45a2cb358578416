//! An engine in another process, behind the same port.
