//! Texts with wildcards: `*` is any run of characters, also none and also `/`; `?` is exactly one character.

use super::Cost;

/// A text with wildcards, taken apart once.
///
/// A match takes time at most in proportion to the sum of text and pattern, and of their product divided by 64 if there
/// is a `?`: each piece between two `*` is looked for once, from where the one before it ended. What it takes at most is
/// known beforehand ([`Self::cost`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing but `*`.
    Anything,
    /// No wildcard: equal to the text.
    Literal,
    /// No `*`, but `?`.
    Whole(Piece),
    /// The pieces between the `*`: at the start, in this order, at the end. The first and the last may be empty.
    Pieces { first: Piece, middle: Box<[Piece]>, last: Piece },
}

/// What stands between two `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: Box<str>,
    chars: usize,
    /// Without `?`.
    literal: bool,
}

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Self {
        let kind = if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            Kind::Anything
        } else if let Some((first, rest)) = text.split_once('*') {
            let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
            let middle = middle.split('*').filter(|piece| !piece.is_empty()).map(Piece::new).collect();
            Kind::Pieces { first: Piece::new(first), middle, last: Piece::new(last) }
        } else if text.contains('?') {
            Kind::Whole(Piece::new(text))
        } else {
            Kind::Literal
        };
        Self { text: text.into(), kind }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `*`, which matches everything.
    pub fn is_anything(&self) -> bool {
        self.kind == Kind::Anything
    }

    /// What a match takes at most.
    pub fn cost(&self) -> Cost {
        match &self.kind {
            Kind::Anything => Cost::fixed(1),
            Kind::Literal => Cost::fixed(2 + self.text.len() as u64 / 16),
            Kind::Whole(piece) => piece.cost_at_end(),
            Kind::Pieces { first, middle, last } => {
                let ends = first.cost_at_end().and(last.cost_at_end());
                let searches = middle.iter().map(Piece::cost_of_search);
                // The pieces share the text: what each has passed no other looks at again.
                let searches = searches.fold(Cost::NONE, |all, piece| Cost {
                    fixed: all.fixed + piece.fixed,
                    per_8_bytes: all.per_8_bytes.max(piece.per_8_bytes),
                });
                ends.and(searches)
            }
        }
    }

    /// Whether the whole text matches; case counts.
    pub fn matches(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Anything => true,
            Kind::Literal => *self.text == *text,
            Kind::Whole(piece) => piece.at_start(text) == Some(""),
            Kind::Pieces { first, middle, last } => {
                let Some(rest) = first.at_start(text) else { return false };
                let Some(mut rest) = last.at_end(rest) else { return false };
                for piece in middle {
                    match piece.after_first(rest) {
                        Some(after) => rest = after,
                        None => return false,
                    }
                }
                true
            }
        }
    }
}

impl Piece {
    fn new(text: &str) -> Self {
        Self { text: text.into(), chars: text.chars().count(), literal: !text.contains('?') }
    }

    /// Of comparing it with the start or the end of a text.
    fn cost_at_end(&self) -> Cost {
        let bytes = self.text.len() as u64;
        Cost::fixed(if self.literal { 2 + bytes / 16 } else { 4 + 2 * bytes })
    }

    /// Of looking for it.
    fn cost_of_search(&self) -> Cost {
        let (bytes, words) = (self.text.len() as u64, self.words() as u64);
        if self.literal {
            return if bytes == 1 {
                Cost { fixed: 10, per_8_bytes: 1 }
            } else {
                Cost { fixed: 80 + bytes, per_8_bytes: if bytes <= 32 { 8 } else { 20 } }
            };
        }
        // Each letter of the piece has a row of bits, and each of the text is looked up and takes a row.
        let prepared = 100 + 4 * bytes + self.letters() as u64 * words;
        let per_byte = if self.chars <= FEW { 2 * FEW as u64 } else { words + 6 };
        Cost { fixed: prepared, per_8_bytes: 8 * per_byte }
    }

    /// How many words of 64 bits hold one bit for each character.
    fn words(&self) -> usize {
        self.chars / 64 + 1
    }

    fn letters(&self) -> usize {
        let mut letters: Vec<char> = self.text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        letters.len()
    }

    /// What follows the piece, if the text starts with it.
    fn at_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.literal {
            return text.strip_prefix(&*self.text);
        }
        let mut rest = text.chars();
        for wanted in self.text.chars() {
            let found = rest.next()?;
            if wanted != '?' && wanted != found {
                return None;
            }
        }
        Some(rest.as_str())
    }

    /// What precedes the piece, if the text ends with it.
    fn at_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.literal {
            return text.strip_suffix(&*self.text);
        }
        let (start, _) = text.char_indices().rev().nth(self.chars.checked_sub(1)?)?;
        let (before, tail) = text.split_at_checked(start)?;
        self.at_start(tail).map(|_| before)
    }

    /// What follows the first place where the piece stands.
    fn after_first<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.literal {
            let start = find(text.as_bytes(), self.text.as_bytes())?;
            return text.get(start + self.text.len()..);
        }
        if self.chars > text.len() {
            return None;
        }
        if text.len() > SHORT || self.chars > FEW {
            return self.after_first_by_bits(text);
        }
        text.char_indices().find_map(|(start, _)| self.at_start(text.get(start..)?))
    }

    /// The same for long texts, 64 characters of the piece at a time (the Shift-And search of Baeza-Yates and Gonnet):
    /// bit n of the state tells that the last characters of the text are the first n + 1 of the piece. Texts and
    /// pieces are the callers' own, and may be made to fit each other nearly everywhere.
    fn after_first_by_bits<'t>(&self, text: &'t str) -> Option<&'t str> {
        let end = self.chars.checked_sub(1)?;
        let words = self.words();
        let bits = || self.text.chars().enumerate().map(|(at, wanted)| (at / 64, 1_u64 << (at % 64), wanted));
        // Row 0 is that of every character that the piece does not name: only the places of `?`.
        let mut letters: Vec<char> = self.text.chars().filter(|wanted| *wanted != '?').collect();
        letters.sort_unstable();
        letters.dedup();
        let mut rows = vec![0_u64; (letters.len() + 1) * words];
        for (word, bit, wanted) in bits() {
            if wanted == '?' {
                rows.iter_mut().skip(word).step_by(words).for_each(|word| *word |= bit);
            } else if let Ok(row) = letters.binary_search(&wanted) {
                rows.get_mut((row + 1) * words + word).map(|word| *word |= bit)?;
            }
        }
        let row_of = |found: char| letters.binary_search(&found).map_or(0, |row| row + 1);
        let mut ascii = [0_usize; 128];
        for (row, code) in ascii.iter_mut().zip('\0'..) {
            *row = row_of(code);
        }
        let mut state = vec![0_u64; words];
        for (start, found) in text.char_indices() {
            let row = ascii.get(found as usize).copied().unwrap_or_else(|| row_of(found));
            let mut carry = 1;
            for (word, place) in state.iter_mut().zip(rows.get(row * words..(row + 1) * words)?) {
                let next = (*word << 1 | carry) & place;
                carry = *word >> 63;
                *word = next;
            }
            if state.get(end / 64).is_some_and(|word| word >> (end % 64) & 1 == 1) {
                return text.get(start + found.len_utf8()..);
            }
        }
        None
    }
}

/// Up to here looking at each place costs less than preparing a search by bits, in bytes.
const SHORT: usize = 128;
/// As [`SHORT`], of pieces with `?`, in characters.
const FEW: usize = 8;

/// How many places are looked at before a search is prepared that passes over places.
const PLACES: usize = 8;

/// Where the needle starts first.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let [first, rest @ ..] = needle else { return Some(0) };
    for (tried, start) in memchr::memchr_iter(*first, haystack).enumerate() {
        // The texts are the callers' own, and the needle may begin nearly everywhere.
        if tried == PLACES && !rest.is_empty() {
            return memchr::memmem::find(haystack.get(start..)?, needle).map(|further| start + further);
        }
        if haystack.get(start + 1..)?.starts_with(rest) {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the definition, character by character.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
            (['?', rest @ ..], [_, text @ ..]) => naive(rest, text),
            ([wanted, rest @ ..], [found, text @ ..]) => wanted == found && naive(rest, text),
            _ => false,
        }
    }

    #[test]
    fn table() {
        for (pattern, yes, no) in [
            ("*", &["", "a", "a/b:c", "中"][..], &[][..]),
            ("**", &["", "a"], &[]),
            ("", &[""], &["a"]),
            ("?", &["a", "中", "é", "*"], &["", "ab"]),
            ("??", &["ab", "中文"], &["a", "中"]),
            ("a*", &["a", "ab", "a/b"], &["", "ba", "A"]),
            ("*a", &["a", "ba", "aa"], &["ab", ""]),
            ("a*a", &["aa", "aba", "aaa"], &["a", "ab"]),
            ("*?", &["a", "ab", "中"], &[""]),
            ("*a?b*", &["aab", "aaxb", "xaxbx"], &["ab", "acc"]),
            ("acs:kms:*:*:key*", &["acs:kms:cn:1:key", "acs:kms:cn:1:key/a/b"], &["acs:kms:cn:key", "acs:oss:a:b:key"]),
            ("*ab*ab", &["abab", "xababab"], &["ab", "aab", "abb"]),
        ] {
            let pattern = Pattern::new(pattern);
            for text in yes {
                assert!(pattern.matches(text), "{pattern:?} {text}");
            }
            for text in no {
                assert!(!pattern.matches(text), "{pattern:?} {text}");
            }
        }
        assert!(
            Pattern::new("**").is_anything() && !Pattern::new("").is_anything() && !Pattern::new("a*").is_anything()
        );
    }

    #[test]
    fn no_pattern_takes_exponential_time() {
        let text = "a".repeat(4000);
        assert!(!Pattern::new(&"a*".repeat(1000).replace("a*a*", "a*?a*")).matches(&format!("b{text}")));
        assert!(!Pattern::new(&format!("{}b", "*a".repeat(1000))).matches(&text));
        assert!(!Pattern::new(&format!("{}b", "*a?".repeat(1000))).matches(&text));
        // As much as a user's policies can ask of one value: many seconds, were every place looked at.
        let nearly = Pattern::new(&format!("*{}b*", "?".repeat(4000)));
        assert!((0..100).all(|_| !nearly.matches(&"a".repeat(8000))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn as_defined(pattern in "[ab中?*]{0,14}", text in "[ab中]{0,16}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), naive(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn short_and_long_searches_agree(needle in "[ab]{1,6}", text in "[ab]{0,12}") {
            let long = text.repeat(20);
            for text in [&text, &long] {
                let found = find(text.as_bytes(), needle.as_bytes());
                prop_assert_eq!(found, text.find(&needle));
            }
        }

        #[test]
        fn long_texts_with_question_marks(
            pattern in "[ab中?]{1,6}\\?[ab中?]{0,3}",
            repeats in prop::sample::select(vec![1_usize, 7, 16, 40]),
            unit in "[ab中]{1,5}",
            end in "[ab中]{0,80}",
        ) {
            let piece = Piece::new(&pattern.repeat(repeats));
            let text = format!("{}{end}", unit.repeat(400 / unit.len()));
            let slowly = text.char_indices().find_map(|(start, _)| piece.at_start(&text[start..]));
            prop_assert_eq!(piece.after_first_by_bits(&text), slowly);
            prop_assert_eq!(piece.after_first(&text), slowly);
        }

        #[test]
        fn never_panics(pattern in ".{0,20}", text in ".{0,40}") {
            Pattern::new(&pattern).matches(&text);
        }
    }
}
