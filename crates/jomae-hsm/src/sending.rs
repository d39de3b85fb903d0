//! How requests get to the worker: by the hand of whoever calls, without waiting.

use std::{io, os::unix::net::UnixStream, sync::Arc};

use rustix::{io::Errno, net::SendFlags};

use crate::{link::Shared, wire::Batch};

/// Requests on their way. Whoever finds nobody sending sends for all; what the socket has no room for is left to a thread that
/// may wait for it.
#[derive(Default)]
pub struct Sending {
    pub batch: Batch,
    /// The socket, while there is a worker. Calls are taken when it is up, so after it has been told how to begin.
    pub stream: Option<Arc<UnixStream>>,
    /// Whether somebody is sending.
    pub is_busy: bool,
    /// What the thread is to send before anything else, and how many bytes of it have been sent.
    pub rest: Option<(Batch, usize)>,
    /// Room that the next batch takes over.
    spare: Batch,
    /// Whether a call is about to have the batch sent.
    pub flush_is_near: bool,
}

impl Sending {
    /// Takes what is to be sent. Whoever does so tells of it in `is_busy`.
    pub fn take(&mut self) -> Batch {
        let spare = std::mem::take(&mut self.spare);
        std::mem::replace(&mut self.batch, spare)
    }

    /// Gives back a batch that was sent.
    pub fn sent(&mut self, mut batch: Batch) {
        batch.clear();
        self.spare = batch;
    }
}

impl Shared {
    /// Has the thread send what is to be sent, unless somebody does so already.
    pub fn leave_to_thread(&self, sending: &mut Sending) {
        if !sending.batch.is_empty() && !sending.is_busy {
            sending.is_busy = true;
            sending.rest = Some((sending.take(), 0));
            self.to_send.notify_one();
        }
    }

    /// Sends what is to be sent, unless somebody does so already. Never waits.
    fn flush(&self) {
        let mut state = self.lock();
        state.sending.flush_is_near = false;
        if state.sending.is_busy {
            return;
        }
        let Some(stream) = state.sending.stream.clone() else { return };
        while !state.sending.batch.is_empty() {
            state.sending.is_busy = true;
            let batch = state.sending.take();
            drop(state);
            let sent = send_now(&stream, batch.bytes());
            state = self.lock();
            if !state.sending.stream.as_ref().is_some_and(|now| Arc::ptr_eq(now, &stream)) {
                // That worker is gone; what it was sent has been told to have failed.
                return;
            }
            match sent {
                Ok(sent) if sent == batch.bytes().len() => state.sending.sent(batch),
                Ok(sent) => {
                    state.sending.rest = Some((batch, sent));
                    self.to_send.notify_one();
                    return;
                }
                Err(error) => {
                    state.ended.get_or_insert_with(|| format!("the worker: {error}"));
                    self.changed.notify_all();
                    self.to_send.notify_all();
                    return;
                }
            }
        }
        state.sending.is_busy = false;
    }
}

/// Sends as many bytes as there is room for.
fn send_now(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while !bytes.is_empty() {
        match rustix::net::send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(more) => {
                sent += more;
                bytes = bytes.get(more..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

/// Has what is to be sent sent, also if the call that was to do it is given up.
pub struct Flush<'a>(pub &'a Shared);

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.flush();
    }
}
