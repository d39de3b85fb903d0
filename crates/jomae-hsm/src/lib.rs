//! Keys in a PKCS#11 token.
//!
//! A module of a vendor may crash, block or leak. So it runs in a process of its own, the **worker** ([`worker::run`]: a
//! hidden subcommand of the same binary), and the service talks to it through a socket ([`wire`]). The **client** ([`Hsm`])
//! starts the worker, gives it the PIN, bounds what waits for it, kills it when it misses a deadline, and starts it anew.
//! Whoever calls meanwhile gets [`CallError::Down`].
//!
//! Nothing secret stands on the worker's command line or in its environment. A PIN that the token has refused is not tried
//! again until [`Hsm::reload`]: a token locks after a few.

#![forbid(unsafe_code)]

mod client;
pub mod kind;
mod link;
mod sending;
mod supervisor;
pub mod wire;
pub mod worker;

pub use supervisor::look;

pub use client::{CallError, Hsm, Launch, ObjectName, Phase, Settings, Status};
pub use kind::{Algorithm, Kind};
pub use wire::{KEY_ID_BYTES, KeyRef, ObjectInfo, Secret, TokenFacts};
