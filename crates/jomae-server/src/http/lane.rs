//! Moves a task between the threads of requests and those for costly work.

use std::{
    future::{Future, pending, poll_fn},
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use jomae_core::lane::Lane;
use tokio::{runtime::Handle, task::JoinHandle};

/// Drives a future where it is called, and on the threads of `costly` as long as its lane says so. Whoever drops this ends it
/// there, too; a panic comes back from there.
pub(super) async fn carried<F>(future: F, lane: Arc<Lane>, costly: Handle) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut future = Box::pin(future);
    loop {
        if let Some(output) = drive(future.as_mut(), || lane.is_costly()).await {
            return output;
        }
        let there = Arc::clone(&lane);
        let mut moved = Moved(costly.spawn(async move {
            let output = drive(future.as_mut(), || !there.is_costly()).await;
            (future, output)
        }));
        match (&mut moved.0).await {
            Ok((_, Some(output))) => return output,
            Ok((back, None)) => future = back,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Those threads are gone, and with them the future: the process ends.
                Err(_) => return pending().await,
            },
        }
    }
}

/// Drives a future until it is done, or waits and belongs elsewhere: then there is no output yet.
async fn drive<F: Future>(mut future: Pin<&mut F>, belongs_elsewhere: impl Fn() -> bool) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if belongs_elsewhere() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// A task elsewhere, which ends with this.
struct Moved<T>(JoinHandle<T>);

impl<T> Drop for Moved<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_elsewhere_is_one_here() {
        let lane = Arc::<Lane>::default();
        let there = Arc::clone(&lane);
        let future = async move {
            there.become_costly().await;
            panic!("asked to");
        };
        let ended = tokio::spawn(carried(future, lane, Handle::current())).await;
        assert!(ended.is_err_and(|error| error.is_panic()));
    }
}
