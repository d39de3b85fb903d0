//! SHA-256 (aws-lc-rs) and SM3 (the `sm3` crate; GB/T 32905-2016). Both give 32 bytes.

use aws_lc_rs::digest;
use sm3::{Digest as _, Sm3};

/// Length of every digest of this module, in bytes.
pub const DIGEST_BYTES: usize = 32;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlg {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SM3 (GB/T 32905-2016).
    Sm3,
}

/// An incremental hash: `new`, any number of `update`, `finish`.
pub struct Hasher(State);

enum State {
    Sha256(digest::Context),
    Sm3(Sm3),
}

impl Hasher {
    /// Starts a hash of no bytes.
    pub fn new(alg: HashAlg) -> Self {
        Self(match alg {
            HashAlg::Sha256 => State::Sha256(digest::Context::new(&digest::SHA256)),
            HashAlg::Sm3 => State::Sm3(Sm3::new()),
        })
    }

    /// Appends `bytes` to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(context) => context.update(bytes),
            State::Sm3(sm3) => sm3.update(bytes),
        }
    }

    /// The digest of all bytes given so far.
    pub fn finish(self) -> [u8; DIGEST_BYTES] {
        match self.0 {
            State::Sha256(context) => {
                let mut out = [0; DIGEST_BYTES];
                out.copy_from_slice(context.finish().as_ref());
                out
            }
            State::Sm3(sm3) => sm3.finalize().into(),
        }
    }
}

/// SHA-256 of the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    hash(HashAlg::Sha256, parts)
}

/// SM3 of the concatenation of `parts`.
pub fn sm3(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    hash(HashAlg::Sm3, parts)
}

fn hash(alg: HashAlg, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut hasher = Hasher::new(alg);
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_gives_the_fips_180_examples() {
        let abc = hex::encode(sha256(&[b"abc"]));
        assert_eq!(abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let two_blocks = hex::encode(sha256(&[b"abcdbcdecdefdefgefghfghighij", b"hijkijkljklmklmnlmnomnopnopq"]));
        assert_eq!(two_blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }

    #[test]
    fn sm3_gives_the_examples_of_gbt_32905() {
        let abc = hex::encode(sm3(&[b"abc"]));
        assert_eq!(abc, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        let sixteen_abcd: Vec<&[u8]> = vec![b"abcd"; 16];
        let digest = hex::encode(sm3(&sixteen_abcd));
        assert_eq!(digest, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
    }

    proptest::proptest! {
        #[test]
        fn splitting_the_input_does_not_change_the_digest(bytes: Vec<u8>, at: usize) {
            let (a, b) = bytes.split_at(at.checked_rem(bytes.len()).unwrap_or(0));
            proptest::prop_assert_eq!(sha256(&[&bytes]), sha256(&[a, b]));
            proptest::prop_assert_eq!(sm3(&[&bytes]), sm3(&[a, b]));
        }
    }
}
