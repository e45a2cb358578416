//! Doors into a running engine from outside the process: the control socket, through which `ask` and
//! `state` work while a console holds the store; and what a monitor reads over HTTP. A door translates; it
//! decides nothing that the engine behind it would not decide for a console of its own.

pub mod observe;
mod session;
mod slots;
pub mod socket;
