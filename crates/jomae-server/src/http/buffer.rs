//! The buffers of a connection, which belong to the thread and are lent while a request is under way, and wiping.

use std::cell::RefCell;

/// Size of a fresh buffer in bytes.
const SIZE_INITIAL: usize = 8 * 1024;
/// An idle connection keeps at most this many bytes.
pub(super) const SIZE_KEPT_MAX: usize = 16 * 1024;
/// Least room offered to a read.
const ROOM_MIN: usize = 1024;
/// The most buffers that a thread keeps for connections that need one.
const LENT_MAX: usize = 32;

thread_local! {
    /// Of [`SIZE_INITIAL`] bytes, wiped.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// Empty, with room for an answer, wiped.
    static OUTBOXES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn keep(lent: &RefCell<Vec<Vec<u8>>>, bytes: Vec<u8>) {
    let mut lent = lent.borrow_mut();
    if lent.len() < LENT_MAX {
        lent.push(bytes);
    }
}

/// An empty vector, with room in it if another connection has given one back.
pub(super) fn borrow_outbox() -> Vec<u8> {
    OUTBOXES.with(|lent| lent.borrow_mut().pop()).unwrap_or_default()
}

/// Wipes what a vector holds, and gives it to the next connection.
pub(super) fn return_outbox(mut bytes: Vec<u8>) {
    wipe(&mut bytes);
    bytes.clear();
    if (1..=SIZE_KEPT_MAX).contains(&bytes.capacity()) {
        OUTBOXES.with(|lent| keep(lent, bytes));
    }
}

/// Overwrites bytes that may have held secrets. A plain fill (the whole slice at memory speed) that the compiler may
/// not leave out.
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Empties a vector, wiping what it held; gives the memory back if it grew large.
pub(super) fn clear(bytes: &mut Vec<u8>) {
    wipe(bytes);
    bytes.clear();
    if bytes.capacity() > SIZE_KEPT_MAX {
        *bytes = Vec::new();
    }
}

/// The capacity that a vector will have after `more` bytes were appended by [`extend`].
pub(super) fn capacity_with(bytes: &Vec<u8>, more: usize) -> usize {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() { bytes.capacity() } else { needed.next_power_of_two() }
}

/// Appends, wiping the old memory if the vector has to move.
pub(super) fn extend(bytes: &mut Vec<u8>, more: &[u8]) {
    let capacity = capacity_with(bytes, more.len());
    if capacity > bytes.capacity() {
        let mut larger = Vec::with_capacity(capacity);
        larger.extend_from_slice(bytes);
        wipe(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

/// Received bytes in order. Bytes are wiped when they are consumed, moved or dropped. It has memory from
/// [`Buffer::room`] until [`Buffer::settle`].
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Self { memory: Vec::new(), start: 0, end: 0 }
    }

    /// What was received and not consumed.
    pub(super) fn filled(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    /// The size of the memory in bytes.
    pub(super) fn size(&self) -> usize {
        self.memory.len()
    }

    /// The size that the memory will have after the next [`Buffer::room`], in bytes.
    pub(super) fn size_next(&self) -> usize {
        if self.memory.len() - self.end >= ROOM_MIN || self.can_move() {
            self.memory.len()
        } else {
            (self.end - self.start + ROOM_MIN).next_power_of_two().max(SIZE_INITIAL)
        }
    }

    /// Whether moving what is left to the front makes room enough.
    fn can_move(&self) -> bool {
        let filled = self.end - self.start;
        self.memory.len() - filled >= ROOM_MIN && self.start >= filled
    }

    /// Room for the next read, at least [`ROOM_MIN`] bytes. The caller bounds how often it asks.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.memory.len() - self.end < ROOM_MIN {
            self.make_room();
        }
        self.memory.get_mut(self.end..).unwrap_or_default()
    }

    fn make_room(&mut self) {
        let filled = self.end - self.start;
        if self.can_move() {
            self.memory.copy_within(self.start..self.end, 0);
            if let Some(old) = self.memory.get_mut(filled..self.end) {
                wipe(old);
            }
        } else {
            let size = self.size_next();
            let lent = if size == SIZE_INITIAL { BUFFERS.with(|lent| lent.borrow_mut().pop()) } else { None };
            let mut larger = lent.unwrap_or_else(|| vec![0; size]);
            if let Some(target) = larger.get_mut(..filled) {
                target.copy_from_slice(self.filled());
            }
            self.wipe_filled();
            self.memory = larger;
        }
        self.start = 0;
        self.end = filled;
    }

    /// Says that a read put `bytes` into the room.
    pub(super) fn received(&mut self, bytes: usize) {
        self.end = self.memory.len().min(self.end.saturating_add(bytes));
    }

    /// Wipes and forgets the first `bytes`.
    pub(super) fn consume(&mut self, bytes: usize) {
        let until = self.end.min(self.start.saturating_add(bytes));
        if let Some(used) = self.memory.get_mut(self.start..until) {
            wipe(used);
        }
        self.start = until;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Wipes and forgets `bytes` after the first `kept`, closing the gap.
    pub(super) fn cut(&mut self, kept: usize, bytes: usize) {
        let from = self.end.min(self.start.saturating_add(kept));
        let until = self.end.min(from.saturating_add(bytes));
        self.memory.copy_within(until..self.end, from);
        let end = self.end - (until - from);
        if let Some(old) = self.memory.get_mut(end..self.end) {
            wipe(old);
        }
        self.end = end;
    }

    /// Gives the memory back if nothing is in it. To be called before waiting for the next request.
    pub(super) fn settle(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            let memory = std::mem::take(&mut self.memory);
            if memory.len() == SIZE_INITIAL {
                BUFFERS.with(|lent| keep(lent, memory));
            }
        }
    }

    fn wipe_filled(&mut self) {
        if let Some(filled) = self.memory.get_mut(self.start..self.end) {
            wipe(filled);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.consume(usize::MAX);
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut Buffer, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let size = buffer.size_next();
            assert_eq!(buffer.room().len() + buffer.end, size, "the size is known beforehand");
            let room = buffer.room();
            assert!(room.len() >= ROOM_MIN);
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            buffer.received(n);
            bytes = &bytes[n..];
        }
    }

    #[test]
    fn bytes_come_out_in_order_and_leave_nothing_behind() {
        let mut buffer = Buffer::new();
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8 + 1).collect();
        receive(&mut buffer, &bytes);
        assert_eq!(buffer.filled(), &bytes[..]);
        buffer.consume(99_000);
        assert_eq!(buffer.filled(), &bytes[99_000..]);
        receive(&mut buffer, &bytes);
        buffer.cut(500, 1_000);
        assert_eq!(buffer.filled(), [&bytes[99_000..99_500], &bytes[500..]].concat());
        buffer.consume(usize::MAX / 2);
        assert_eq!(buffer.filled(), b"");
        assert!(buffer.memory.iter().all(|b| *b == 0), "wiped");
        assert!(buffer.memory.len() > SIZE_KEPT_MAX);
        buffer.settle();
        assert_eq!(buffer.memory.len(), 0);
    }

    #[test]
    fn memory_is_lent_to_the_next() {
        let mut one = Buffer::new();
        receive(&mut one, b"secret");
        let memory = one.memory.as_ptr();
        one.settle();
        assert_eq!(one.filled(), b"secret", "what is in it stays");
        one.consume(6);
        one.settle();
        let mut other = Buffer::new();
        assert_eq!(other.size_next(), SIZE_INITIAL);
        assert!(other.room().iter().all(|byte| *byte == 0));
        assert_eq!((other.memory.as_ptr(), one.size()), (memory, 0));

        let mut outbox = borrow_outbox();
        outbox.extend_from_slice(b"secret");
        let memory = outbox.as_ptr();
        return_outbox(outbox);
        let outbox = borrow_outbox();
        assert_eq!((outbox.len(), outbox.as_ptr()), (0, memory));
    }

    #[test]
    fn moving_to_the_front_wipes_the_old_place() {
        let mut buffer = Buffer::new();
        receive(&mut buffer, &[7; 8_000]);
        buffer.consume(7_000);
        receive(&mut buffer, &[8; 4_000]);
        assert_eq!(buffer.memory.len(), SIZE_INITIAL);
        assert_eq!(buffer.filled(), [&[7; 1_000][..], &[8; 4_000]].concat());
        assert!(buffer.memory[5_000..].iter().all(|b| *b == 0));
    }

    #[test]
    fn growing_a_vector_keeps_its_bytes() {
        let mut bytes = Vec::new();
        for n in 0..1_000u32 {
            extend(&mut bytes, &n.to_be_bytes());
        }
        assert_eq!(bytes.len(), 4_000);
        assert_eq!(&bytes[3_996..], &999u32.to_be_bytes());
        bytes.reserve(SIZE_KEPT_MAX * 2);
        clear(&mut bytes);
        assert_eq!((bytes.len(), bytes.capacity()), (0, 0));
    }
}
