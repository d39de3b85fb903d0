//! Memory that the system must not write to swap: all of this process's. Keys are not only in buffers of ours, but in
//! those of the cryptographic library, of TLS, and on the stacks of threads.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{Resource, getrlimit},
};

use crate::files;

/// The capability that lifts the limit, as its bit (`linux/capability.h`).
const CAP_IPC_LOCK: u32 = 14;
/// Largest `/proc/self/status`, in bytes.
const STATUS_BYTES_MAX: usize = 64 * 1024;

/// Locks what is in memory, and what will be.
///
/// # Errors
/// Why it is not locked, and what to do.
pub(crate) fn lock() -> Result<(), String> {
    may_lock(getrlimit(Resource::Memlock).current, capabilities())?;
    // Only pages that are used: a thread's stack is not in memory because it could be.
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(all).map_err(|error| format!("the system refuses it: {error}"))
}

/// With a limit that could be reached, memory would run out: nothing is locked then.
fn may_lock(limit_bytes: Option<u64>, capabilities: u64) -> Result<(), String> {
    match limit_bytes {
        Some(bytes) if capabilities & (1 << CAP_IPC_LOCK) == 0 => Err(format!(
            "the limit of locked memory is {} KiB: take it away (systemd: LimitMEMLOCK=infinity; Docker: --ulimit memlock=-1)",
            bytes / 1024
        )),
        _ => Ok(()),
    }
}

/// The effective capabilities of this process; none if that cannot be told.
fn capabilities() -> u64 {
    let status = files::read_limited_of_others(std::path::Path::new("/proc/self/status"), STATUS_BYTES_MAX);
    let status = status.unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_locked_under_a_limit_that_holds() {
        assert!(may_lock(None, 0).is_ok());
        assert!(may_lock(Some(64 * 1024), 1 << CAP_IPC_LOCK).is_ok());
        for capabilities in [0, !(1 << CAP_IPC_LOCK)] {
            let why = may_lock(Some(8 * 1024 * 1024), capabilities).unwrap_err();
            assert!(why.contains("8192 KiB") && why.contains("LimitMEMLOCK"), "{why}");
        }
    }
}
