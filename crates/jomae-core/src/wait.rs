//! Waiting, without a runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::store::BoxFuture;

/// A result that is there already, or will be. Work that is done at once costs no allocation and no turn of the
/// scheduler.
pub enum Work<'a, T> {
    Done(T),
    Later(BoxFuture<'a, T>),
}

impl<T> Work<'_, T> {
    pub async fn wait(self) -> T {
        match self {
            Self::Done(value) => value,
            Self::Later(future) => future.await,
        }
    }
}

/// Lets other tasks run once; for loops over many records.
pub async fn breathe() {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Once(false).await;
}
