//! The policy engine beside a second one that shares no code with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

mod generate;
mod naive;

mod cost;
mod differential;
mod operators;
mod properties;
mod table;
