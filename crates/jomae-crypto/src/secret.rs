//! The types that hold key bytes, and the comparison to use on them.
//!
//! Both types erase their bytes on drop. Neither has `Debug`, `Clone`, `PartialEq` or serde, so that a secret cannot
//! reach a log, an error or a file by accident; the compiler checks this below.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::rng;

/// Secret bytes of any length, erased on drop.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`. Copies that an earlier growth of the vector left behind are the caller's to avoid: reserve
    /// the full capacity before secret bytes go in.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// `len` random bytes.
    pub fn random(len: usize) -> Self {
        let mut bytes = Zeroizing::new(vec![0; len]);
        rng::fill(&mut bytes);
        Self(bytes)
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A secret of exactly 32 bytes, erased on drop.
pub struct Key256(Zeroizing<[u8; 32]>);

impl Key256 {
    /// 32 random bytes.
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng::fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// A copy of `bytes`; `None` unless there are exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(*bytes)))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Whether `a` and `b` are equal, in time that depends on their lengths alone.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Fails to compile if `$type` implements `$trait`: the call is then ambiguous between the two blanket impls.
macro_rules! assert_not_impl {
    ($type:ty: $($trait:path),+) => {$(
        const _: fn() = || {
            trait AmbiguousIf<A> {
                fn check() {}
            }
            struct Implemented;
            impl<T: ?Sized> AmbiguousIf<()> for T {}
            impl<T: ?Sized + $trait> AmbiguousIf<Implemented> for T {}
            let _ = <$type as AmbiguousIf<_>>::check;
        };
    )+};
}

pub(crate) use assert_not_impl;

assert_not_impl!(SecretBytes: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, serde::Serialize);
assert_not_impl!(Key256: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, serde::Serialize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key256_takes_exactly_32_bytes() {
        for len in 0..80 {
            assert_eq!(Key256::from_slice(&vec![7; len]).is_some(), len == 32, "{len}");
        }
        assert_eq!(Key256::from_slice(&[7; 32]).unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn random_secrets_have_the_length_asked_for_and_differ() {
        assert_eq!(SecretBytes::random(48).len(), 48);
        assert!(SecretBytes::random(0).is_empty());
        assert_ne!(SecretBytes::random(32).expose(), SecretBytes::random(32).expose());
        assert_ne!(Key256::random().expose(), Key256::random().expose());
    }

    #[test]
    fn ct_eq_compares_content_and_length() {
        assert!(ct_eq(b"", b""));
        assert!(ct_eq(b"abc", b"abc"));
        assert!(!ct_eq(b"abc", b"abd"));
        assert!(!ct_eq(b"abc", b"ab"));
        assert!(!ct_eq(b"ab", b"abc"));
    }
}
