//! How much the threads of the log stand back for those that answer requests, as `nice` counts.
//!
//! On a core that they share, a thread that wakes with a batch of work would keep a request waiting for milliseconds.

/// The writer, where nobody waits for the disk: beside busy threads of requests it still has a quarter of a core, and needs a
/// twentieth.
pub(crate) const WRITER: i32 = 5;
/// The look-up index, which reads what it has missed whenever it is asked.
pub(crate) const INDEX: i32 = 10;
/// Compressing, which nobody waits for.
pub(crate) const COMPRESSOR: i32 = 19;

/// Lets others go before this thread. Where that is not allowed, only the order of work suffers.
pub(crate) fn stand_back(nice: i32) {
    // Of this thread alone, on Linux.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, nice);
    #[cfg(not(target_os = "linux"))]
    let _ = nice;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn of_this_thread_alone() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let theirs = std::thread::spawn(move || {
            stand_back(COMPRESSOR);
            nice()
        });
        assert_eq!(theirs.join().unwrap(), COMPRESSOR);
        assert_eq!(nice(), ours);
    }
}
