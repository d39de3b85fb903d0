//! Descriptors of files and sockets: as many as the system lets this process have, and some of them kept back, so that
//! connections can never take those that the audit log and the store need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::{EXCESS_ANSWERS_MAX, LEAVING_MAX};

/// More than anything here needs; some systems have no limit, or one of a thousand million.
const LIMIT_MAX: u64 = 1024 * 1024;
/// Kept back for the store, the audit log and its next files, the admin listener, the operator's socket, the fetches of
/// key sets, the witnesses, the archive, and what the runtime needs.
const KEPT_FOR_FILES: u64 = 192;
/// Kept back for connections that have no place: those that are told so, and those on their way out.
const KEPT_FOR_EXCESS: u64 = (EXCESS_ANSWERS_MAX + LEAVING_MAX) as u64;

/// Raises the limit to what the system allows, and gives it: how many descriptors may be open.
pub(crate) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    let now = limit.current.unwrap_or(u64::MAX);
    if now >= wanted {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, limit = now, "cannot raise the limit of open files");
            now
        }
    }
}

/// How many connections there may be with so many descriptors, if `wanted` are asked for. Of very few descriptors a
/// quarter goes to connections: then the rest may still be too little.
pub(crate) fn connections(wanted: usize, limit: u64) -> usize {
    let free = limit.saturating_sub(KEPT_FOR_FILES + KEPT_FOR_EXCESS).max(limit / 4).max(1);
    wanted.min(usize::try_from(free).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        assert_eq!(connections(10_000, u64::MAX), 10_000);
        assert_eq!(connections(10_000, 10_320), 10_000);
        assert_eq!(connections(10_000, 4096), 4096 - 320);
        assert_eq!(connections(100, 1024), 100);
        assert_eq!(connections(10_000, 1024), 704);
        assert_eq!(connections(10_000, 256), 64);
        assert_eq!(connections(10_000, 0), 1);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let raised = raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
        assert!(raised >= limit.maximum.unwrap_or(LIMIT_MAX).min(LIMIT_MAX));
    }
}
