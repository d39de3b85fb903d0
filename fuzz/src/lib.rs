//! What several fuzz targets share.

/// Changes `bytes` as the fuzzer says: three bytes for each change, a place (u16, big-endian) and what to add there by
/// XOR. A place beyond the end cuts `bytes` if it is even, and makes them longer if it is odd.
pub fn change(bytes: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        match bytes.get_mut(place) {
            Some(byte) => *byte ^= change[2],
            None if place % 2 == 0 => bytes.truncate(bytes.len().saturating_sub(usize::from(change[2]))),
            None => bytes.extend(std::iter::repeat_n(change[2], place % 64)),
        }
    }
}
