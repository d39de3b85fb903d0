//! What the operator does beside the API: accounts, slots of the root key, and simulations of policies.
//!
//! A running service takes it on the Unix socket `operator.sock` of its data directory, which nobody but the owner of
//! the directory can reach; while the service is stopped, the command line does the same with the same functions on the
//! store itself. Every act is an event of the audit log: a change is committed together with its event, which a stopped
//! service appends when it starts. What only looks at a stopped service leaves no event.

mod api;
mod client;
pub(crate) mod root;
pub(crate) mod shred;
mod simulate;
pub(crate) mod socket;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use api::Hold;
pub use api::OperatorApi;
pub use client::{
    NewKey, NewKeyParts, OperatorError, add_root_slot, back_up, create_account, create_key, delete_account, leave,
    list_accounts, list_nodes, make_console_link, make_join_token, recover_shredding_keys, remove_root_slot,
    rename_account, replay, root_status, rotate_root, set_account_disabled, set_shredding_shares, shredding_status,
    simulate,
};
pub(crate) use simulate::{Change, Replayed, SimulationError, replay as replay_log};
pub use simulate::{ReplayRequest, SimulateRequest};

/// Longest path of a Unix socket, in bytes (`sun_path` without its end).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Where the operator's socket is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("operator.sock")
}

/// Why a path is too long for a socket, if it is.
fn too_long(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().len();
    (bytes > SOCKET_PATH_BYTES_MAX).then(|| {
        format!(
            "the path {} of the operator's socket has {bytes} bytes, and the system takes at most \
             {SOCKET_PATH_BYTES_MAX}: use a shorter data directory, or a relative path",
            path.display()
        )
    })
}
