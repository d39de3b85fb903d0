//! The audit log: a transparency log whose entries are the lines of files.
//!
//! The tree is that of RFC 6962 section 2.1 with SHA-256: leaf *k* is the line of event *k* without its newline. The
//! state of the tree at a moment is signed as a [`checkpoint`], a text in the form of C2SP `tlog-checkpoint` inside a
//! C2SP `signed-note`. Whoever holds a checkpoint and the public key can check that an event is in the log
//! ([`event_proof`]), that a later log still contains all of an earlier one ([`verify_consistency`]), and that the log
//! keeps what a [`receipt`] promises.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod checkpoint;
mod error;
pub mod event_proof;
mod merkle;
pub mod note;
mod proof;
pub mod receipt;

#[cfg(test)]
mod merkle_tests;
#[cfg(test)]
mod signed_tests;

pub use self::{
    checkpoint::Checkpoint,
    error::TlogError,
    event_proof::EventProof,
    merkle::{Frontier, Hash, empty_root, leaf_hash, node_hash},
    note::{Signer, VerifierKey},
    proof::{
        Nodes, PROOF_HASHES_MAX, TreeError, consistency_proof, inclusion_proof, root_at, verify_consistency,
        verify_inclusion,
    },
    receipt::Receipt,
};
