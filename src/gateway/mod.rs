//! Doors into a running engine from outside the process. So far one: the control socket, through which
//! `ask` and `state` work while a console holds the store. A door translates; it decides nothing that
//! the engine behind it would not decide for a console of its own.

mod session;
pub mod socket;
