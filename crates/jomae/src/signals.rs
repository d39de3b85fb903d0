//! Signals that end a command which writes files.

use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From here on, a signal that asks to end also removes what this process has not finished. A signal that was ignored
/// when the process started, as under nohup, stays so.
pub fn leave_nothing_behind() {
    let ignored = ignored();
    let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
    let waited: Vec<SignalKind> =
        kinds.into_iter().filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0).collect();
    let (begun, has_begun) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            let handlers: Vec<(i32, Signal)> =
                waited.into_iter().filter_map(|kind| Some((kind.as_raw_value(), signal(kind).ok()?))).collect();
            let _ = begun.send(());
            let number = first(handlers).await;
            let _nothing_more = jomae_files::remove_unfinished();
            std::process::exit(128 + number);
        });
    });
    // An error is a thread that has ended: then the signals do what they do without it.
    let _ = has_begun.recv();
}

/// The number of the first signal that arrives.
async fn first(mut handlers: Vec<(i32, Signal)>) -> i32 {
    std::future::poll_fn(|context| {
        for (number, handler) in &mut handlers {
            if handler.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(*number);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// The signals that this process ignores, as bits.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
