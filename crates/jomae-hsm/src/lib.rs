//! Keys in a PKCS#11 token.
//!
//! A module of a vendor may crash, block or leak. So it runs in a process of its own, the **worker** ([`worker::run`]: a
//! hidden subcommand of the same binary), and the service talks to it through a socket ([`wire`]). The **client** ([`Hsm`])
//! starts workers, gives them the PIN, bounds what waits for them, kills one that misses a deadline, and starts it anew. Calls go to
//! the worker that has the fewest; whoever calls while there is none gets [`CallError::Down`].
//!
//! Nothing secret stands on a worker's command line or in its environment. Workers start one after the other, and a PIN that the token has refused is not tried
//! again by any of them until [`Hsm::reload`]: a token locks after a few.

#![forbid(unsafe_code)]

mod client;
pub mod kind;
mod link;
mod sending;
mod supervisor;
pub mod wire;
pub mod worker;

pub use supervisor::look;

pub use client::{CallError, Hsm, Launch, NoPin, ObjectName, Phase, Pin, PinSource, Settings, Status};
pub use kind::{Algorithm, Kind};
pub use wire::{KEY_ID_BYTES, KeyRef, LABEL_PREFIX, ObjectInfo, Secret, TokenFacts};
