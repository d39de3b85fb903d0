//! Passing over patterns that cannot match, without looking at them.
//!
//! A text that matches a pattern holds every piece of it between wildcards, so also every three bytes of such a piece.
//! Which three bytes a text holds is noted in a set of 256 bits by a hash: a pattern that needs a bit that the text does
//! not have cannot match.
//!
//! It stays because of policies that say the same of one key after another: 100 statements about the action asked for
//! take 1/11 of the time with it, and where fewer than `SIEVED_MIN` are, it costs nothing (`cargo run
//! --release -p jomae-bench --bin policy`, with `SIEVED_MIN` as it is and as `usize::MAX`).

use jomae_api::policy::Pattern;

/// The bits of every three bytes that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sieve([u64; 4]);

impl Sieve {
    const EMPTY: Self = Self([0; 4]);

    /// Of a text.
    pub fn of(text: &str) -> Self {
        let mut sieve = Self::EMPTY;
        sieve.add(text);
        sieve
    }

    /// What a text needs to match one of the patterns.
    pub fn needed(patterns: &[Pattern]) -> Self {
        let each = patterns.iter().map(|pattern| {
            let mut sieve = Self::EMPTY;
            pattern.as_str().split(['*', '?']).for_each(|piece| sieve.add(piece));
            sieve
        });
        each.reduce(|Self(one), Self(other)| Self(std::array::from_fn(|at| one[at] & other[at]))).unwrap_or(Self::EMPTY)
    }

    fn add(&mut self, text: &str) {
        for three in text.as_bytes().windows(3) {
            let [a, b, c] = *three else { continue };
            // Any odd factor with its bits well mixed spreads them over the high byte.
            let hash = u32::from_be_bytes([0, a, b, c]).wrapping_mul(0x9E37_79B1) >> 24;
            if let Some(word) = self.0.get_mut((hash >> 6) as usize) {
                *word |= 1 << (hash & 63);
            }
        }
    }

    /// Whether a text with this sieve may match what needs the other one.
    pub fn lets_through(&self, needed: &Self) -> bool {
        self.0.iter().zip(&needed.0).all(|(has, needs)| needs & !has == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_keys_are_told_apart() {
        let key =
            |number: u32| format!("acs:kms:cn-hangzhou:1234567890123456:key/{:08x}", number.wrapping_mul(0x85EB_CA6B));
        let found = Sieve::of(&key(1));
        let through = (1..=1000).filter(|number| {
            let pattern = Pattern::new(&format!("{}*", key(*number).replace("cn-hangzhou", "*")));
            found.lets_through(&Sieve::needed(&[pattern]))
        });
        assert!((1..100).contains(&through.count()));
        assert!(Sieve::of("").lets_through(&Sieve::needed(&[Pattern::new("*"), Pattern::new("abc")])));
        assert!(!Sieve::of("").lets_through(&Sieve::needed(&[Pattern::new("abc")])));
    }

    proptest! {
        #[test]
        fn nothing_that_matches_is_held_back(
            patterns in prop::collection::vec("[abc?*]{0,8}", 1..3),
            text in "[abc]{0,10}",
        ) {
            let patterns: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::new(pattern)).collect();
            if patterns.iter().any(|pattern| pattern.matches(&text)) {
                prop_assert!(Sieve::of(&text).lets_through(&Sieve::needed(&patterns)));
            }
        }

        /// Texts that do match: the wildcards filled in.
        #[test]
        fn fillings_pass(pattern in "[ab中:/]{0,6}[?*]?[ab中:/]{0,6}\\*?", one in "[ab中]", run in ".{0,9}") {
            let text = pattern.replace('?', &one).replace('*', &run);
            let pattern = Pattern::new(&pattern);
            prop_assert!(pattern.matches(&text));
            prop_assert!(Sieve::of(&text).lets_through(&Sieve::needed(&[pattern])));
        }
    }
}
