//! Choices and names that differ in every run.

use jomae_crypto::rng;

/// A number from 0 to below `bound`.
pub fn below(bound: u64) -> u64 {
    u64::from_le_bytes(rng::array()) % bound
}

/// One of them.
pub fn pick<T>(items: &[T]) -> &T {
    let at = below(items.len() as u64);
    &items[usize::try_from(at).expect("an index")]
}

/// `chars` letters and digits, never seen before if there are 16 or more.
pub fn word(chars: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    (0..chars).map(|_| char::from(*pick(LETTERS))).collect()
}

/// `len` bytes of all values.
pub fn bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng::fill(&mut bytes);
    bytes
}
