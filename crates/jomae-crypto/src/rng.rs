//! Random bytes from the cryptographic generator of aws-lc-rs, which is seeded by the operating system.

use std::cell::RefCell;

/// Fills `out` with random bytes.
///
/// Ends the process if the generator fails: there is no safe way to go on without it, and no caller could do better.
pub fn fill(out: &mut [u8]) {
    if aws_lc_rs::rand::fill(out).is_err() {
        eprintln!("jomae: the system random generator failed; the process stops");
        std::process::abort();
    }
}

/// `N` random bytes. See [`fill`].
///
/// For key bytes use [`crate::secret::Key256::random`] or [`crate::secret::SecretBytes::random`], which are erased on
/// drop.
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// `N` random bytes for values that everyone may see: salts, request ids, versions of ids.
///
/// Drawn from the same generator in larger pieces and handed out once each, which costs a tenth. Never for keys: what
/// is drawn ahead lies in memory for a while. The process must not fork after the first draw, and this one does not.
pub fn public_array<const N: usize>() -> [u8; N] {
    thread_local! {
        static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
    }
    DRAWN.with_borrow_mut(|drawn| {
        if POOL_BYTES - drawn.used < N {
            if N > POOL_BYTES {
                return array();
            }
            fill(&mut drawn.bytes);
            drawn.used = 0;
        }
        let mut bytes = [0; N];
        let from = drawn.bytes.get(drawn.used..drawn.used + N).unwrap_or_default();
        bytes.copy_from_slice(from);
        drawn.used += N;
        bytes
    })
}

/// Bytes drawn at once for [`public_array`].
const POOL_BYTES: usize = 1024;

struct Drawn {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

#[cfg(test)]
mod tests {
    #[test]
    fn public_bytes_are_handed_out_once() {
        let draws: std::collections::HashSet<[u8; 16]> = (0..10_000).map(|_| super::public_array()).collect();
        assert_eq!(draws.len(), 10_000);
        let (a, b) = (super::public_array::<2000>(), super::public_array::<2000>());
        assert_ne!(a, b);
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(super::array::<32>(), super::array::<32>());
    }

    #[test]
    fn fill_reaches_both_ends() {
        // Each byte stays zero in all 16 draws with probability 2^-128.
        let mut seen = [0; 33];
        for _ in 0..16 {
            for (s, b) in seen.iter_mut().zip(super::array::<33>()) {
                *s |= b;
            }
        }
        assert!(seen.iter().all(|&b| b != 0));
    }
}
