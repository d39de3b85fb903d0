//! Threads for cryptography that would hold up a request: private-key operations, and the making of keys, each kind
//! with threads of its own, so that a batch of new RSA keys does not delay a signature.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use jomae_core::wait::{Effort, Pool};

type Job = Box<dyn FnOnce() + Send>;

/// The pool. Jobs wait their turn; how many there can be is bounded by the connections that wait for them.
pub struct CryptoPool {
    operations: mpsc::Sender<Job>,
    generations: mpsc::Sender<Job>,
}

impl CryptoPool {
    /// Starts `threads` threads for each kind of work. They end when the pool is dropped.
    pub fn start(threads: usize) -> io::Result<Self> {
        Ok(Self { operations: crew("crypto", threads)?, generations: crew("keygen", threads)? })
    }
}

impl Pool for CryptoPool {
    fn run(&self, effort: Effort, job: Job) {
        let jobs = match effort {
            Effort::Operation => &self.operations,
            Effort::Generation => &self.generations,
        };
        // Without threads the job is dropped, and its waiter told that it is lost.
        let _ = jobs.send(job);
    }
}

fn crew(name: &str, threads: usize) -> io::Result<mpsc::Sender<Job>> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..threads.max(1) {
        let queue = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                // A panic ends the job, whose waiter is told; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        })?;
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use jomae_core::wait::offload;

    use super::*;

    #[tokio::test]
    async fn jobs_give_their_results() {
        let pool = CryptoPool::start(2).unwrap();
        let results: Vec<_> = (0..100u64).map(|n| offload(&pool, Effort::Operation, move || n * n)).collect();
        for (n, result) in (0..100u64).zip(results) {
            assert_eq!(result.await, Ok(n * n));
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_lost_job_and_nothing_more() {
        let pool = CryptoPool::start(1).unwrap();
        let lost = offload(&pool, Effort::Generation, || -> u8 { panic!("a bug") });
        assert!(lost.await.is_err());
        assert_eq!(offload(&pool, Effort::Generation, || 7).await, Ok(7));
    }
}
