//! A panic in a handler ends one request, not the connection's task.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The output of `future`, or `None` if polling it panicked. It stays where it is: whoever takes a future by value holds it
/// twice, and a connection holds that as long as it lives.
pub(super) async fn catch<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(move |cx| {
        // The future is never polled again after a panic, so its broken inside is not seen by anyone.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
