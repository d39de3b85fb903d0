//! Random bytes from the cryptographic generator of aws-lc-rs, which is seeded by the operating system.

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

#[cfg(test)]
mod tests {
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
