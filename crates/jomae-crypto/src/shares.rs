//! A key in shares, of which enough give it back (Shamir, *How to share a secret*, 1979; over GF(256), by the library).
//!
//! # A share
//!
//! ASCII text that a person keeps in a file or on paper:
//!
//! 1. `jomae root share v1`
//! 2. `set <16 hex digits>, share <number> of <count>, any <open> open`
//! 3. 24 words of BIP-39's English list: the 32 bytes of the share, and 8 bits against typing errors
//!
//! Capital letters, blanks and line ends between the words do not matter.
//!
//! # What is kept beside what the key opens
//!
//! One line that is no secret: `shamir$<open>$<count>$<set>$<hashes>`. The hashes, in Base64 without padding, are those of all
//! shares, each SHA-256(`jomae root share v1` ‖ the 8 bytes of the set ‖ the number as a byte ‖ the 32 bytes). So a share that
//! is forged, or mistyped, is found, and named. A share has 256 bits that nobody can guess, so its hash tells nothing.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bip39::{Language, Mnemonic};
use blahaj::Sharks;
use zeroize::Zeroizing;

use crate::hash::sha256;
use crate::purpose::Purpose;
use crate::rng;
use crate::secret::{Key256, SecretBytes, assert_not_impl, ct_eq};

const LABEL: &str = Purpose::RootKeyShare.label();
/// Most shares of a key.
pub const SHARES_MAX: u8 = 32;
/// The longest text of a share that is looked at, in bytes. One as it is written has some 250.
pub const SHARE_BYTES_MAX: usize = 2048;
/// The longest line of a set that is looked at, in bytes.
pub const LINE_BYTES_MAX: usize = 2048;
const SET_BYTES: usize = 8;
const HASH_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// One share, erased on drop.
pub struct Share {
    set: [u8; SET_BYTES],
    number: u8,
    open: u8,
    count: u8,
    bytes: Key256,
}

assert_not_impl!(Share: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

/// What is wrong with the text of a share. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareError {
    /// Longer than [`SHARE_BYTES_MAX`], not text, or another first line.
    NotAShare,
    /// The second line is not of its form.
    Head,
    /// There are not 24 words; how many there are.
    Count(usize),
    /// A word that is not on the list; which, from 1.
    Word(usize),
    /// All words are on the list, and one of them is another than was written.
    Check,
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAShare => f.write_str("it does not begin with the line \"jomae root share v1\""),
            Self::Head => f.write_str("its second line is not \"set <16 hex digits>, share <n> of <m>, any <k> open\""),
            Self::Count(found) => write!(f, "it has {found} words, and must have 24"),
            Self::Word(nth) => write!(f, "word {nth} is not on the list of words"),
            Self::Check => f.write_str("one of its words is wrong, or two have changed places"),
        }
    }
}

impl std::error::Error for ShareError {}

impl Share {
    /// Its number, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Its text, of three lines.
    pub fn to_text(&self) -> SecretBytes {
        let mut text = Vec::with_capacity(SHARE_BYTES_MAX);
        let Self { set, number, open, count, bytes } = self;
        let set = hex::encode(set);
        text.extend_from_slice(format!("{LABEL}\nset {set}, share {number} of {count}, any {open} open\n").as_bytes());
        // 32 bytes always have words.
        if let Ok(words) = Mnemonic::from_entropy_in(Language::English, bytes.expose()) {
            for (nth, word) in words.words().enumerate() {
                if nth > 0 {
                    text.push(b' ');
                }
                text.extend_from_slice(word.as_bytes());
            }
        }
        text.push(b'\n');
        SecretBytes::new(text)
    }

    /// Reads a share, as it was written or as it was typed.
    ///
    /// # Errors
    /// What is wrong with it, as far as can be told without the others.
    pub fn from_text(text: &[u8]) -> Result<Self, ShareError> {
        if text.len() > SHARE_BYTES_MAX {
            return Err(ShareError::NotAShare);
        }
        let text = std::str::from_utf8(text).map_err(|_| ShareError::NotAShare)?;
        let text = Zeroizing::new(text.trim_start_matches('\u{feff}').to_ascii_lowercase());
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let label = lines.next().ok_or(ShareError::NotAShare)?;
        if !label.split_ascii_whitespace().eq(LABEL.split(' ')) {
            return Err(ShareError::NotAShare);
        }
        let (set, number, count, open) = lines.next().and_then(head).ok_or(ShareError::Head)?;
        let words: Vec<&str> = lines.flat_map(str::split_ascii_whitespace).collect();
        if words.len() != 24 {
            return Err(ShareError::Count(words.len()));
        }
        if let Some(nth) = words.iter().position(|word| Language::English.find_word(word).is_none()) {
            return Err(ShareError::Word(nth + 1));
        }
        let words = Zeroizing::new(words.join(" "));
        let words = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|_| ShareError::Check)?;
        let (entropy, len) = words.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let bytes = entropy.get(..len).and_then(Key256::from_slice).ok_or(ShareError::Check)?;
        Ok(Self { set, number, open, count, bytes })
    }
}

/// `set <16 hex digits>, share <n> of <m>, any <k> open`
fn head(line: &str) -> Option<([u8; SET_BYTES], u8, u8, u8)> {
    let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let mut next = |name: &str| (words.next()? == name).then(|| words.next()).flatten();
    let set = hex::decode(next("set")?).ok()?.try_into().ok()?;
    let mut small = |name: &str| next(name)?.parse::<u8>().ok();
    let (number, count, open) = (small("share")?, small("of")?, small("any")?);
    let ends = words.eq(["open"]);
    (ends && (1..=count).contains(&number) && is_possible(open, count)).then_some((set, number, count, open))
}

/// One share that opens alone would be the key itself.
const fn is_possible(open: u8, count: u8) -> bool {
    2 <= open && open <= count && count <= SHARES_MAX
}

/// By what the shares of one key are known. No secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareSet {
    set: [u8; SET_BYTES],
    open: u8,
    hashes: Vec<[u8; HASH_BYTES]>,
}

/// Why there are no shares of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImpossibleShares;

impl fmt::Display for ImpossibleShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of 2 to {SHARES_MAX} shares, at least 2 and at most all open")
    }
}

impl std::error::Error for ImpossibleShares {}

/// Why shares do not give the key. Each is named by its place in what was given, from 0, or by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CombineError {
    /// A share of other shares than these.
    OtherSet {
        /// Which of those given.
        at: usize,
    },
    /// The same share twice.
    Twice {
        /// Its number.
        number: u8,
    },
    /// Not what was handed out under this number.
    Forged {
        /// Which of those given.
        at: usize,
        /// The number that it claims.
        number: u8,
    },
    /// Too few.
    TooFew {
        /// How many there are.
        given: usize,
        /// How many open.
        open: u8,
        /// How many were made.
        count: usize,
    },
    /// The line of the set does not belong to these shares.
    Damaged,
}

impl fmt::Display for CombineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSet { at } => write!(f, "share {} of those given is of another set", at + 1),
            Self::Twice { number } => write!(f, "share {number} is given twice"),
            Self::Forged { number, .. } => {
                write!(
                    f,
                    "share {number} is not the one that was handed out under this number: it is forged or damaged"
                )
            }
            Self::TooFew { given, open, count } => write!(f, "{given} shares of {count} are given, and {open} open"),
            Self::Damaged => f.write_str("the shares do not belong to what is to be opened"),
        }
    }
}

impl std::error::Error for CombineError {}

/// Makes `count` shares of a key, of which any `open` give it back.
///
/// # Errors
/// Not 2 ≤ open ≤ count ≤ [`SHARES_MAX`].
pub fn split(key: &Key256, open: u8, count: u8) -> Result<(ShareSet, Vec<Share>), ImpossibleShares> {
    if !is_possible(open, count) {
        return Err(ImpossibleShares);
    }
    let set = rng::array::<SET_BYTES>();
    let mut shares = Vec::with_capacity(usize::from(count));
    for (dealt, number) in Sharks(open).dealer(key.expose()).zip(1..=count) {
        // The number first, then the bytes.
        let dealt = Zeroizing::new(Vec::from(&dealt));
        match dealt.split_first() {
            Some((x, bytes)) if *x == number => {
                let bytes = Key256::from_slice(bytes).ok_or(ImpossibleShares)?;
                shares.push(Share { set, number, open, count, bytes });
            }
            _ => return Err(ImpossibleShares),
        }
    }
    let hashes = shares.iter().map(|share| hash(&set, share.number, &share.bytes)).collect();
    Ok((ShareSet { set, open, hashes }, shares))
}

fn hash(set: &[u8], number: u8, bytes: &Key256) -> [u8; HASH_BYTES] {
    sha256(&[LABEL.as_bytes(), set, &[number], bytes.expose()])
}

impl ShareSet {
    /// How many shares open.
    pub fn open(&self) -> u8 {
        self.open
    }

    /// How many shares there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// The set's name, 16 hexadecimal digits: as the second line of each of its shares has it.
    pub fn id(&self) -> String {
        hex::encode(self.set)
    }

    /// The set as one line.
    pub fn to_line(&self) -> String {
        let Self { set, open, hashes } = self;
        format!("shamir${open}${}${}${}", hashes.len(), hex::encode(set), STANDARD_NO_PAD.encode(hashes.concat()))
    }

    /// Reads the line that [`ShareSet::to_line`] made.
    pub fn from_line(line: &str) -> Option<Self> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let mut fields = line.strip_prefix("shamir$")?.split('$');
        let (open, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let set = hex::decode(fields.next()?).ok()?.try_into().ok()?;
        let hashes = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let (hashes, rest) = hashes.as_chunks();
        let fits = rest.is_empty() && hashes.len() == usize::from(count) && fields.next().is_none();
        (fits && is_possible(open, count)).then(|| Self { set, open, hashes: hashes.to_vec() })
    }

    /// The key, from enough shares.
    ///
    /// # Errors
    /// Which share is not one of these, or how many are missing. More than enough shares are all looked at.
    pub fn combine(&self, shares: &[Share]) -> Result<Key256, CombineError> {
        let mut seen = Vec::with_capacity(shares.len());
        for (at, share) in shares.iter().enumerate() {
            let number = share.number;
            if share.set != self.set {
                return Err(CombineError::OtherSet { at });
            }
            if seen.contains(&number) {
                return Err(CombineError::Twice { number });
            }
            let known = self.hashes.get(usize::from(number).saturating_sub(1));
            if !known.is_some_and(|known| ct_eq(known, &hash(&self.set, number, &share.bytes))) {
                return Err(CombineError::Forged { at, number });
            }
            seen.push(number);
        }
        if shares.len() < usize::from(self.open) {
            return Err(CombineError::TooFew { given: shares.len(), open: self.open, count: self.count() });
        }
        let mut dealt = Vec::with_capacity(shares.len());
        for share in shares {
            let mut bytes = Zeroizing::new([share.number; 1 + KEY_BYTES]);
            if let Some((_, rest)) = bytes.split_first_mut() {
                rest.copy_from_slice(share.bytes.expose());
            }
            dealt.push(blahaj::Share::try_from(bytes.as_slice()).map_err(|_| CombineError::Damaged)?);
        }
        let key = Sharks(self.open).recover(&dealt).map(Zeroizing::new).map_err(|_| CombineError::Damaged)?;
        Key256::from_slice(&key).ok_or(CombineError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Key256 {
        Key256::from_slice(&[7; 32]).unwrap()
    }

    fn copy(share: &Share) -> Share {
        Share::from_text(share.to_text().expose()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn text(share: &Share) -> String {
        String::from_utf8(share.to_text().expose().to_vec()).unwrap()
    }

    fn error_of(set: &ShareSet, shares: &[Share]) -> CombineError {
        set.combine(shares).err().unwrap()
    }

    #[test]
    fn any_three_of_five_open_and_no_two() {
        let (set, shares) = split(&key(), 3, 5).unwrap();
        let set = ShareSet::from_line(&set.to_line()).unwrap();
        for picked in 0..32_u8 {
            let some: Vec<Share> = (0..5).filter(|n| picked >> n & 1 == 1).map(|n| copy(&shares[n])).collect();
            match set.combine(&some) {
                Ok(opened) => assert!(some.len() >= 3 && opened.expose() == key().expose()),
                Err(error) => {
                    assert!(some.len() < 3);
                    assert_eq!(error, CombineError::TooFew { given: some.len(), open: 3, count: 5 });
                }
            }
        }
    }

    #[test]
    fn what_is_forged_foreign_or_double_is_named() {
        let (set, shares) = split(&key(), 2, 3).unwrap();
        let (other_set, others) = split(&key(), 2, 3).unwrap();
        assert_eq!(error_of(&set, &[copy(&shares[0]), copy(&others[1])]), CombineError::OtherSet { at: 1 });
        assert_eq!(error_of(&set, &[copy(&shares[2]), copy(&shares[2])]), CombineError::Twice { number: 3 });
        let forged = Share { bytes: Key256::from_slice(&[1; 32]).unwrap(), ..copy(&shares[1]) };
        assert_eq!(error_of(&set, &[copy(&shares[0]), forged]), CombineError::Forged { at: 1, number: 2 });
        let renumbered = Share { number: 3, ..copy(&shares[1]) };
        assert_eq!(error_of(&set, &[renumbered]), CombineError::Forged { at: 0, number: 3 });
        assert_eq!(error_of(&other_set, &shares), CombineError::OtherSet { at: 0 });
        for (open, count) in [(0, 1), (1, 1), (1, 3), (4, 3), (2, 33)] {
            assert!(split(&key(), open, count).is_err(), "{open} of {count}");
        }
    }

    #[test]
    fn a_typed_share_is_read_and_a_mistyped_one_tells_where() {
        let (_, shares) = split(&key(), 2, 3).unwrap();
        let written = text(&shares[1]);
        let lines: Vec<&str> = written.lines().collect();
        assert!(lines[1].ends_with(", share 2 of 3, any 2 open"), "{}", lines[1]);
        let typed = format!(
            "\u{feff}{}\r\n\r\n {} \r\n{}",
            lines[0].to_uppercase(),
            lines[1].replace(", ", "  "),
            lines[2].to_uppercase().replacen(' ', "\r\n\t", 9)
        );
        assert_eq!(Share::from_text(typed.as_bytes()).ok().unwrap().bytes.expose(), shares[1].bytes.expose());

        let words: Vec<&str> = lines[2].split(' ').collect();
        let with = |words: &[&str]| format!("{}\n{}\n{}\n", lines[0], lines[1], words.join(" "));
        let error = |text: String| Share::from_text(text.as_bytes()).err().unwrap();
        assert_eq!(error(with(&words[1..])), ShareError::Count(23));
        let mut wrong = words.clone();
        wrong[4] = "jomae";
        assert_eq!(error(with(&wrong)), ShareError::Word(5));
        assert_eq!(error(written.replace("v1", "v2")), ShareError::NotAShare);
        for head in ["set 00, share 2 of 3, any 2 open", "set 0011223344556677, share 4 of 3, any 2 open", "share 1"] {
            assert_eq!(error(format!("{}\n{head}\n{}\n", lines[0], lines[2])), ShareError::Head, "{head}");
        }
        // Eight bits of check find all but one in 256; the hashes find the rest.
        let caught = (0..64).filter(|nth| {
            let mut wrong = words.clone();
            wrong[nth % 24] = if wrong[nth % 24] == "zoo" { "abandon" } else { "zoo" };
            Share::from_text(with(&wrong).as_bytes()).is_err()
        });
        assert!(caught.count() > 40);
    }

    #[test]
    fn only_the_lines_of_sets_are_read() {
        let line = split(&key(), 2, 3).unwrap().0.to_line();
        assert!(ShareSet::from_line(&line).is_some());
        for wrong in [&line[1..], &line[..line.len() - 1], &format!("{line}$"), &line.replacen("$2$", "$4$", 1), ""] {
            assert_eq!(ShareSet::from_line(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(any: Vec<u8>, like in "jomae root share v1\nset [0-9a-f]{16}, share [0-9]{1,3} of [0-9]{1,3}, any [0-9] open\n([a-z]{2,8} ){0,30}") {
            let _ = Share::from_text(&any).is_ok();
            let _ = Share::from_text(like.as_bytes()).is_ok();
        }

        #[test]
        fn no_line_panics(any: String, like in "shamir\\$[0-9]{1,3}\\$[0-9]{1,3}\\$[0-9a-f]{0,16}\\$[A-Za-z0-9+/]{0,90}") {
            prop_assert_eq!(ShareSet::from_line(&any), None);
            let _ = ShareSet::from_line(&like);
        }
    }
}
