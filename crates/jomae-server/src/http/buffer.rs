//! The read buffer of a connection, and wiping.

/// Size of a fresh buffer in bytes.
const SIZE_INITIAL: usize = 8 * 1024;
/// An idle connection keeps at most this many bytes.
pub(super) const SIZE_KEPT_MAX: usize = 16 * 1024;
/// Least room offered to a read.
const ROOM_MIN: usize = 1024;

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

/// Received bytes in order. Bytes are wiped when they are consumed, moved or dropped.
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { memory: vec![0; SIZE_INITIAL], start: 0, end: 0 }
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
            let mut larger = vec![0; self.size_next()];
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

    /// Gives the memory of a large request back. To be called before waiting for the next one.
    pub(super) fn settle(&mut self) {
        if self.start == self.end && self.memory.len() > SIZE_KEPT_MAX {
            *self = Self::new();
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
        self.wipe_filled();
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
        assert_eq!(buffer.memory.len(), SIZE_INITIAL);
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
