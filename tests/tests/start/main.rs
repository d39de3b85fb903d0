//! What an operator can get wrong, and disks that fill up: refusals say in one line what is wrong and how to mend it,
//! and nothing is overwritten.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod clocks;
mod full;
mod mistakes;
