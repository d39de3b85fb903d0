//! The audit log: a transparency log whose leaves are the lines of files.
//!
//! The tree is that of RFC 6962 section 2.1 with SHA-256: leaf *k* is the line of event *k* without its newline. The
//! state of the tree at a moment is signed as a [`checkpoint`], a text in the form of C2SP `tlog-checkpoint` inside a
//! C2SP `signed-note`. Whoever holds a checkpoint and the public key can check that an event is in the log
//! ([`event_proof`]), that a later log still contains all of an earlier one ([`verify_consistency`]), and that the log
//! keeps what a [`receipt`] promises.
//!
//! [`layout`] says where bytes stand. [`Log`] writes them, [`mod@index`] searches them, and [`verify`] checks them: a
//! function of files and a public key, which believes nothing that the others have written. Nothing here knows what an
//! event means, who may read it, or what keeps the key.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests do to files what others may"))]

pub mod archive;
mod batch;
pub mod checkpoint;
mod checkpoint_file;
mod compress;
mod copy;
mod error;
pub mod event;
pub mod event_proof;
pub mod frames;
pub mod index;
pub mod layout;
mod lines;
mod log;
mod merkle;
pub mod note;
mod open;
mod priority;
mod proof;
pub mod receipt;
mod retention;
mod segment;
pub mod tail;
mod time;
mod tree;
mod tree_files;
pub mod verify;
pub mod witness;
mod writer;

#[cfg(test)]
mod merkle_tests;
#[cfg(test)]
mod segment_form_tests;
#[cfg(test)]
mod signed_tests;

pub use self::{
    checkpoint::{Checkpoint, StateSource, StoreState},
    checkpoint_file::{newest_note, notes},
    compress::compress_segment,
    copy::{copy, copy_but},
    error::{FileError, TlogError},
    event_proof::EventProof,
    lines::Lines,
    log::{AppendStatus, Appended, Counts, Log, ReceiptError, Settings, SyncCallback, WriteError},
    merkle::{Frontier, Hash, empty_root, leaf_hash, node_hash},
    note::{Signer, VerifierKey},
    open::{Extent, KnownHead, MEND, OpenError, TreeHead, Trust, extent, has_log},
    proof::{
        Nodes, PROOF_HASHES_MAX, TreeError, consistency_proof, inclusion_proof, root_at, verify_consistency,
        verify_inclusion,
    },
    receipt::Receipt,
    time::Timestamp,
};
