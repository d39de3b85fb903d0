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
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    };

    #[test]
    fn a_future_woken_by_another_thread_ends() {
        let (waker_out, waker_in) = mpsc::channel::<Waker>();
        let ready = Arc::new(AtomicBool::new(false));
        let set_ready = Arc::clone(&ready);
        let helper = thread::spawn(move || {
            let waker = waker_in.recv().expect("a waker");
            set_ready.store(true, Ordering::SeqCst);
            waker.wake();
        });
        let mut handed_over = false;
        let answer = block_on(std::future::poll_fn(|context| {
            if !handed_over {
                handed_over = true;
                waker_out.send(context.waker().clone()).expect("the helper waits");
                return Poll::Pending;
            }
            // A parked thread may wake by itself, before the helper has done its part.
            if ready.load(Ordering::SeqCst) { Poll::Ready("done") } else { Poll::Pending }
        }));
        assert_eq!(answer, "done");
        helper.join().expect("the helper ends");
    }
}
