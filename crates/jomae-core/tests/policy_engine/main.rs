//! The policy engine beside a second one that shares no code with it.

mod generate;
mod naive;

mod differential;
mod operators;
mod properties;
mod table;
