//! Segments in parallel, in order, in constant memory.
//!
//! Every worker does the same: takes the next segment from the reader (one at a time), works on it (all at once), and
//! writes it when its turn comes. A segment so stays in one buffer and near one core from read to write, and memory is
//! one buffer per worker whatever the input's size.

use std::io::{ErrorKind, Read, Write};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use jomae_crypto::stream::{STREAM_SEGMENT_BYTES, STREAM_TAG_BYTES};
use zeroize::Zeroizing;

use super::{Error, Progress};

/// Reading and writing are sequential, so more workers than this would only wait and hold memory.
const WORKERS_MAX: usize = 16;
/// Room for a full segment and either its tag or the one byte read ahead.
const BUFFER_BYTES: usize = STREAM_SEGMENT_BYTES + STREAM_TAG_BYTES;

/// What is done to a segment in place: (index, last, buffer, input bytes) to output bytes, both from the buffer's start.
pub type Work<'a> = &'a (dyn Fn(u32, bool, &mut [u8], usize) -> Result<usize, Error> + Sync);

/// One worker per core.
pub fn workers_default() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX)
}

/// Reads segments of `segment_bytes(index)` to the end of `reader`, works on each, writes the results in order.
///
/// On failure everything before the first bad segment has been written and nothing after it; the error is that
/// segment's, whichever worker failed first.
pub fn run(
    reader: &mut (dyn Read + Send),
    writer: &mut (dyn Write + Send),
    segment_bytes: fn(u32) -> usize,
    work: Work<'_>,
    progress: &mut (dyn FnMut(Progress) + Send),
    at_start: Progress,
    workers: usize,
) -> Result<(), Error> {
    let line = Line {
        reading: Mutex::new(Reading { reader, segment_bytes, next_index: 0, ahead: None, ended: false }),
        writing: Mutex::new(Writing { writer, progress, at: at_start, next_index: 0, error: None }),
        turn: Condvar::new(),
        stopped: AtomicBool::new(false),
        work,
    };
    let mut buffer = new_buffer();
    // Most inputs end here, without a thread.
    if line.step(&mut buffer) {
        thread::scope(|scope| {
            for _ in 1..workers {
                let worker = || {
                    let mut buffer = new_buffer();
                    while line.step(&mut buffer) {}
                };
                // Without another thread the work is done all the same, by those there are.
                let _ = thread::Builder::new().spawn_scoped(scope, worker);
            }
            while line.step(&mut buffer) {}
        });
    }
    let writing = line.writing.into_inner().unwrap_or_else(PoisonError::into_inner);
    writing.error.map_or(Ok(()), Err)
}

fn new_buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; BUFFER_BYTES])
}

struct Line<'a> {
    reading: Mutex<Reading<'a>>,
    writing: Mutex<Writing<'a>>,
    /// Signalled whenever `Writing::next_index` moves or the line stops.
    turn: Condvar,
    stopped: AtomicBool,
    work: Work<'a>,
}

struct Reading<'a> {
    reader: &'a mut (dyn Read + Send),
    segment_bytes: fn(u32) -> usize,
    next_index: u32,
    /// The byte after the last segment taken. Only the segment after which nothing follows is the last.
    ahead: Option<u8>,
    ended: bool,
}

struct Writing<'a> {
    writer: &'a mut (dyn Write + Send),
    progress: &'a mut (dyn FnMut(Progress) + Send),
    at: Progress,
    next_index: u32,
    error: Option<Error>,
}

struct Segment {
    bytes: usize,
    last: bool,
}

impl Line<'_> {
    /// Takes one segment through; false when there is nothing more to do.
    fn step(&self, buffer: &mut [u8]) -> bool {
        let _stop = StopOnPanic(self);
        let Some((index, read)) = lock(&self.reading).take(buffer, &self.stopped) else { return false };
        let worked = read.and_then(|segment| {
            let bytes_out = (self.work)(index, segment.last, buffer, segment.bytes)?;
            Ok((segment, bytes_out))
        });

        let mut writing = lock(&self.writing);
        while writing.next_index != index && !self.stopped.load(Ordering::Acquire) {
            writing = self.turn.wait(writing).unwrap_or_else(PoisonError::into_inner);
        }
        if self.stopped.load(Ordering::Acquire) {
            return false;
        }
        let written = worked.and_then(|(segment, bytes_out)| {
            let out = buffer.get(..bytes_out).unwrap_or_default();
            writing.writer.write_all(out).map_err(Error::write)?;
            Ok(segment)
        });
        let goes_on = match written {
            Ok(segment) => {
                writing.at.done_bytes += segment.bytes as u64;
                let at = writing.at;
                (writing.progress)(at);
                // The counter stays at its end after the very last index; nobody waits for more.
                writing.next_index = writing.next_index.saturating_add(1);
                !segment.last
            }
            Err(error) => {
                writing.error = Some(error);
                self.stopped.store(true, Ordering::Release);
                false
            }
        };
        drop(writing);
        self.turn.notify_all();
        goes_on
    }
}

impl Reading<'_> {
    /// The next segment, read into the start of `buffer`; none after the last, after an error or once stopped.
    fn take(&mut self, buffer: &mut [u8], stopped: &AtomicBool) -> Option<(u32, Result<Segment, Error>)> {
        if self.ended || stopped.load(Ordering::Acquire) {
            return None;
        }
        let index = self.next_index;
        let result = self.fill(index, buffer, stopped);
        match &result {
            Ok(segment) if !segment.last => {
                // The index after the last possible one is caught in `fill`.
                self.next_index = index.saturating_add(1);
            }
            _ => self.ended = true,
        }
        Some((index, result))
    }

    fn fill(&mut self, index: u32, buffer: &mut [u8], stopped: &AtomicBool) -> Result<Segment, Error> {
        let segment_bytes = (self.segment_bytes)(index);
        let buffer = buffer.get_mut(..=segment_bytes).unwrap_or_default();
        let mut bytes = 0;
        if let (Some(ahead), Some(first)) = (self.ahead.take(), buffer.first_mut()) {
            *first = ahead;
            bytes = 1;
        }
        while bytes < buffer.len() && !stopped.load(Ordering::Acquire) {
            match self.reader.read(buffer.get_mut(bytes..).unwrap_or_default()) {
                Ok(0) => return Ok(Segment { bytes, last: true }),
                Ok(read) => bytes += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
        if index == u32::MAX {
            return Err(Error::TooLong);
        }
        self.ahead = buffer.last().copied();
        Ok(Segment { bytes: segment_bytes, last: false })
    }
}

/// Frees the other workers if this one unwinds out of a caller's reader, writer or callback.
struct StopOnPanic<'a, 'b>(&'a Line<'b>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stopped.store(true, Ordering::Release);
            // Taken so that no worker is between its check of `stopped` and its wait.
            drop(lock(&self.0.writing));
            self.0.turn.notify_all();
        }
    }
}

/// A poisoned lock means that a caller's code panicked; the panic goes on through the scope, nothing is hidden.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{self, sink};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const NOWHERE: Progress = Progress { done_bytes: 0, total_bytes: None };

    fn ten(_index: u32) -> usize {
        10
    }

    #[expect(clippy::unnecessary_wraps, reason = "the form of `Work`")]
    fn copy(_: u32, _: bool, _: &mut [u8], bytes: usize) -> Result<usize, Error> {
        Ok(bytes)
    }

    fn run_copy(reader: &mut (dyn Read + Send), writer: &mut (dyn Write + Send), workers: usize) -> Result<(), Error> {
        run(reader, writer, ten, &copy, &mut |_| (), NOWHERE, workers)
    }

    #[test]
    fn order_and_content_hold_with_any_number_of_workers() {
        let input: Vec<u8> = (0..=255).cycle().take(100_003).collect();
        for workers in [1, 2, 3, 16] {
            let mut output = Vec::new();
            run_copy(&mut &input[..], &mut output, workers).unwrap();
            assert!(output == input, "{workers} workers");
        }
    }

    #[test]
    fn the_first_bad_segment_decides_and_nothing_after_it_is_written() {
        let input = [7; 1000];
        let bad_from_20 = |index: u32, _: bool, _: &mut [u8], bytes: usize| {
            if index == 20 {
                // The others overtake.
                thread::yield_now();
            }
            if index >= 20 { Err(Error::Damaged { segment: index }) } else { Ok(bytes) }
        };
        for workers in [1, 2, 8] {
            let mut output = Vec::new();
            let result = run(&mut &input[..], &mut output, ten, &bad_from_20, &mut |_| (), NOWHERE, workers);
            assert!(matches!(result, Err(Error::Damaged { segment: 20 })));
            assert_eq!(output.len(), 200);
        }
    }

    #[test]
    fn a_read_error_comes_after_what_was_read_before_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let mut output = Vec::new();
        let input: &[u8] = &[7; 55];
        let result = run_copy(&mut input.chain(Broken), &mut output, 4);
        assert!(matches!(result, Err(Error::Read(_))));
        assert_eq!(output.len(), 50);
    }

    #[test]
    fn only_the_segment_before_the_end_is_the_last() {
        for (bytes, segments) in [(0, 1), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3)] {
            let seen = Mutex::new(Vec::new());
            let note = |index: u32, last: bool, _: &mut [u8], bytes: usize| {
                lock(&seen).push((index, last));
                Ok(bytes)
            };
            run(&mut &vec![0; bytes][..], &mut sink(), ten, &note, &mut |_| (), NOWHERE, 1).unwrap();
            let expected: Vec<_> = (0..segments).map(|index| (index, index + 1 == segments)).collect();
            assert_eq!(*lock(&seen), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn indices_end_at_the_limit_of_the_counter() {
        let segment_at = |next_index, input: &[u8]| {
            let mut reader = input;
            let mut reading =
                Reading { reader: &mut reader, segment_bytes: ten, next_index, ahead: None, ended: false };
            let (index, result) = reading.take(&mut new_buffer(), &AtomicBool::new(false)).unwrap();
            assert_eq!(index, next_index);
            result.map(|segment| segment.last)
        };
        assert!(segment_at(u32::MAX, &[0; 10]).unwrap());
        assert!(!segment_at(u32::MAX - 1, &[0; 11]).unwrap());
        assert!(matches!(segment_at(u32::MAX, &[0; 11]), Err(Error::TooLong)));
    }

    #[test]
    fn a_panic_of_the_caller_ends_the_run() {
        let input = [7; 1000];
        for workers in [1, 4] {
            let panics = |index: u32, _: bool, _: &mut [u8], bytes: usize| {
                assert!(index != 5, "the caller's own");
                Ok(bytes)
            };
            let run = || run(&mut &input[..], &mut sink(), ten, &panics, &mut |_| (), NOWHERE, workers);
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{workers} workers");
        }
    }
}
