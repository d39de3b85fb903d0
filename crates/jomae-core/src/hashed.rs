//! Names by their keyed 128-bit hash (SipHash-1-3 under a random key): one fixed-size word in place of a text, so a
//! table of many names needs no memory beside itself, and nobody outside can make two names meet.

use std::hash::{BuildHasherDefault, Hasher};

use jomae_crypto::rng;
use siphasher::sip128::{Hasher128, SipHasher13};

/// The key of the hashes of one table.
pub(crate) struct HashKey([u8; 16]);

impl HashKey {
    pub(crate) fn random() -> Self {
        Self(rng::array())
    }

    pub(crate) const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The hash of a name in several parts. The parts hold no byte 0xff, as UTF-8 never does.
    pub(crate) fn hash(&self, parts: &[&str]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        for part in parts {
            hasher.write(part.as_bytes());
            hasher.write(&[0xff]);
        }
        hasher.finish128().as_u128()
    }
}

/// Which of `count` shards a hash belongs to: by its upper half, since tables use the lower one.
pub(crate) fn shard(hash: u128, count: usize) -> usize {
    usize::try_from((hash >> 64) % count as u128).unwrap_or(0)
}

/// For tables whose keys are such hashes already.
pub(crate) type Prehashed = BuildHasherDefault<Folded>;

/// Takes the lower half of a hash as it is.
#[derive(Default)]
pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, value: u128) {
        self.0 = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_keys_matter() {
        let key = HashKey::random();
        assert_eq!(key.hash(&["a", "b"]), key.hash(&["a", "b"]));
        assert_ne!(key.hash(&["a", "b"]), key.hash(&["ab"]));
        assert_ne!(key.hash(&["a", "b"]), key.hash(&["b", "a"]));
        assert_ne!(key.hash(&["a"]), HashKey::random().hash(&["a"]));
        assert!((0..1000).map(|n| shard(key.hash(&[&n.to_string()]), 64)).all(|shard| shard < 64));
    }
}
