//! The threads that carry requests, and those that carry costly calls.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::config::Config;

/// A busy thread looks after so many tasks whether other connections have something to read. The runtime's own 61 let a client
/// wait for the work of as many strangers.
const EVENT_INTERVAL: u32 = 4;
/// How much the threads for costly calls stand back, as `nice` counts: as much as those that make keys.
const COSTLY_NICE: i32 = 5;

/// The runtime for everything but costly calls.
pub(crate) fn for_requests(config: &Config) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(config.worker_threads())
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build()
}

/// The runtime for costly calls: fewer threads than there are for requests, one at least.
pub(crate) fn for_costly_calls(config: &Config) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(config.threads_but_one())
        .thread_name("costly")
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .on_thread_start(|| {
            // Of this thread alone. Where it is not allowed, only the order of work suffers.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), COSTLY_NICE);
        })
        .build()
}
