//! The smallest executor there is: one future on the calling thread.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end; the thread sleeps while the future waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_future_woken_by_another_thread_ends() {
        let (waker_out, waker_in) = mpsc::channel::<Waker>();
        let helper = thread::spawn(move || waker_in.recv().expect("a waker").wake());
        let mut polls = 0;
        let answer = block_on(std::future::poll_fn(|context| {
            polls += 1;
            if polls == 1 {
                waker_out.send(context.waker().clone()).expect("the helper waits");
                return Poll::Pending;
            }
            // A parked thread may wake by itself; only the helper's wake is the one that counts.
            if helper.is_finished() { Poll::Ready(polls) } else { Poll::Pending }
        }));
        assert!(answer >= 2);
    }
}
