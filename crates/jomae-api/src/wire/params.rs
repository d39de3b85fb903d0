//! The parameters of a request: query and form body, decoded once, borrowed where nothing is escaped.

use std::{cmp::Ordering, ops::Range};

use memchr::{memchr_iter, memchr2};
use zeroize::Zeroizing;

use super::{BODY_BYTES_MAX, QUERY_BYTES_MAX, percent};
use crate::error::Refusal;

/// Most parameters of one request, query and body together.
pub const PARAMS_MAX: usize = 256;

/// Up to so many parameters are looked through one by one.
const SCANNED_PAIRS_MAX: usize = 32;

/// Largest number in a numbered name such as `ResourceId.1`.
const LIST_NUMBER_MAX: u32 = 1000;

/// Why query and body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// One name twice, be it once in the query and once in the body. No client does it, and two readers of such a
    /// request could understand two things.
    Duplicate,
    /// A percent sign without two hexadecimal digits, text that is not UTF-8, or an empty name.
    Malformed,
    /// More than [`PARAMS_MAX`] parameters.
    TooMany,
    /// Query over [`QUERY_BYTES_MAX`] or body over [`BODY_BYTES_MAX`].
    TooLarge,
}

impl From<ParamsError> for Refusal {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::Duplicate | ParamsError::Malformed | ParamsError::TooMany => Self::RequestUnreadable,
            ParamsError::TooLarge => Self::RequestTooLarge,
        }
    }
}

/// The decoded union of query and form body, in the byte order of the names, no name twice.
///
/// Decoded text is wiped when dropped; text that was not escaped stays where the request is. No `Debug`: values may
/// be plaintexts.
pub struct Params<'a> {
    pairs: Vec<Pair<'a>>,
    names: NameSet,
    /// All text that had to be decoded, one after the other: one allocation for a request, not one for each value.
    decoded: Zeroizing<String>,
}

struct Pair<'a> {
    name: Text<'a>,
    head: NameHead,
    value: Text<'a>,
    from_query: bool,
}

/// The first eight bytes of a name, in its order: what nearly always tells two names apart, without a look at their text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NameHead(u64);

impl NameHead {
    // Of a name that stands in the code it is a constant.
    #[inline]
    const fn of(name: &[u8]) -> Self {
        if let Some(first) = name.first_chunk() {
            return Self(u64::from_be_bytes(*first));
        }
        let mut head = 0;
        let mut at = 0;
        while at < name.len() {
            head |= (name[at] as u64) << (56 - 8 * at);
            at += 1;
        }
        Self(head)
    }
}

/// Which names there may be, a bit for each: most of what is asked for is not there, and then nothing has to be looked
/// through.
#[derive(Clone, Copy, Default)]
struct NameSet(u64);

impl NameSet {
    #[inline]
    const fn of(head: NameHead) -> Self {
        // Fibonacci hashing: the highest bits depend on all the others.
        Self(1 << (head.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58))
    }

    fn add(&mut self, head: NameHead) {
        self.0 |= Self::of(head).0;
    }

    #[inline]
    const fn may_have(self, head: NameHead) -> bool {
        self.0 & Self::of(head).0 != 0
    }
}

#[derive(Clone, Copy)]
enum Text<'a> {
    AsSent(&'a str),
    Decoded { start: usize, end: usize },
}

impl<'a> Text<'a> {
    fn get<'s>(self, decoded: &'s str) -> &'s str
    where
        'a: 's,
    {
        match self {
            Self::AsSent(text) => text,
            // Checked once in `parse`.
            Self::Decoded { start, end } => decoded.get(start..end).unwrap_or_default(),
        }
    }
}

/// One member of a numbered list: `ResourceId.2` or `Tag.2.Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered<'p> {
    /// The number, from 1.
    pub number: u32,
    /// What follows the number: `Key` in `Tag.2.Key`, empty in `ResourceId.2`.
    pub member: &'p str,
    /// Decoded.
    pub value: &'p str,
}

impl<'a> Params<'a> {
    /// Decodes a raw query and, if the content type says so, a form body ([`super::Request::form`]).
    ///
    /// `+` and `%20` are blanks, `%2B` is a plus. A name without `=` has an empty value; empty pieces between two `&`
    /// are skipped.
    pub fn parse(query: &'a str, form: Option<&'a [u8]>) -> Result<Self, ParamsError> {
        let form = form.unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX || form.len() > BODY_BYTES_MAX {
            return Err(ParamsError::TooLarge);
        }
        let form = std::str::from_utf8(form).map_err(|_| ParamsError::Malformed)?;
        let mut reader = Reader {
            pairs: Vec::with_capacity(16),
            decoded: Zeroizing::default(),
            raw_bytes: query.len() + form.len(),
        };
        reader.read(query, true)?;
        reader.read(form, false)?;
        reader.finish()
    }

    /// Parameters that have been decoded before: those of a recorded call.
    pub fn of(pairs: &[(&'a str, &'a str)]) -> Result<Self, ParamsError> {
        if pairs.len() > PARAMS_MAX {
            return Err(ParamsError::TooMany);
        }
        let pair = |(name, value): &(&'a str, &'a str)| Pair {
            name: Text::AsSent(name),
            head: NameHead::of(name.as_bytes()),
            value: Text::AsSent(value),
            from_query: false,
        };
        Reader { pairs: pairs.iter().map(pair).collect(), decoded: Zeroizing::default(), raw_bytes: 0 }.finish()
    }

    /// The value of a name, if it was sent at all; it may be empty.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&str> {
        let head = NameHead::of(name.as_bytes());
        if self.names.may_have(head) { self.find(head, name) } else { None }
    }

    fn find(&self, head: NameHead, name: &str) -> Option<&str> {
        // Nearly all requests have a dozen parameters: looking through them beats halving.
        let found = if self.pairs.len() <= SCANNED_PAIRS_MAX {
            self.pairs.iter().find(|pair| pair.head == head && pair.name.get(&self.decoded) == name)
        } else {
            let order = |pair: &Pair<'a>| pair.head.cmp(&head).then_with(|| pair.name.get(&self.decoded).cmp(name));
            let at = self.pairs.binary_search_by(order).ok()?;
            self.pairs.get(at)
        };
        found.map(|pair| pair.value.get(&self.decoded))
    }

    /// The value of a name unless it is absent or empty: clients send empty values for what they do not mean.
    #[inline]
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All names and values, in the byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|pair| (pair.name.get(&self.decoded), pair.value.get(&self.decoded)))
    }

    /// As [`Self::iter`], of the query alone.
    pub fn iter_query(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .filter(|pair| pair.from_query)
            .map(|pair| (pair.name.get(&self.decoded), pair.value.get(&self.decoded)))
    }

    /// The members of a numbered list, by number: `numbered("Tag")` yields `Tag.1.Key`, `Tag.1.Value`, `Tag.2.Key`, …
    ///
    /// A number is written without leading zeros and lies in 1 to 1000; other names are no members. Numbers may have
    /// gaps.
    pub fn numbered<'p>(&'p self, list: &str) -> Vec<Numbered<'p>> {
        let rest_of =
            |pair: &Pair<'a>| -> Option<&'p str> { pair.name.get(&self.decoded).strip_prefix(list)?.strip_prefix('.') };
        let start = self.pairs.partition_point(|pair| pair.name.get(&self.decoded) < list);
        let mut members: Vec<Numbered<'p>> = self
            .pairs
            .iter()
            .skip(start)
            .take_while(|pair| pair.name.get(&self.decoded).starts_with(list))
            .filter_map(|pair| {
                let (number, member) = list_number(rest_of(pair)?)?;
                Some(Numbered { number, member, value: pair.value.get(&self.decoded) })
            })
            .collect();
        members.sort_by_key(|member| member.number);
        members
    }
}

/// Splits `2.Key` into 2 and `Key`.
fn list_number(text: &str) -> Option<(u32, &str)> {
    let (digits, member) = text.split_once('.').unwrap_or((text, ""));
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok().filter(|number| *number <= LIST_NUMBER_MAX)?;
    Some((number, member))
}

struct Reader<'a> {
    pairs: Vec<Pair<'a>>,
    decoded: Zeroizing<Vec<u8>>,
    raw_bytes: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, text: &'a str, from_query: bool) -> Result<(), ParamsError> {
        let bytes = text.as_bytes();
        // Both look through the text once, however many parameters there are.
        let mut escapes = Escapes::of(bytes);
        let mut start = 0;
        for end in memchr_iter(b'&', bytes).chain([bytes.len()]) {
            let (begin, piece) = (start, bytes.get(start..end).unwrap_or_default());
            start = end + 1;
            if piece.is_empty() {
                continue;
            }
            if self.pairs.len() == PARAMS_MAX {
                return Err(ParamsError::TooMany);
            }
            // Names are short.
            let name_bytes = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
            if name_bytes == 0 {
                return Err(ParamsError::Malformed);
            }
            let name_end = begin + name_bytes;
            let name = self.decode(text, begin..name_end, &mut escapes)?;
            let value = self.decode(text, (name_end + 1).min(end)..end, &mut escapes)?;
            let head = match name {
                Text::AsSent(name) => NameHead::of(name.as_bytes()),
                Text::Decoded { start, end } => NameHead::of(self.decoded.get(start..end).unwrap_or_default()),
            };
            self.pairs.push(Pair { name, head, value, from_query });
        }
        Ok(())
    }

    /// Decodes a piece of `text`. `escapes` stands before it, or in it, and stands behind it afterwards.
    fn decode(
        &mut self,
        text: &'a str,
        piece: Range<usize>,
        escapes: &mut Escapes<'a>,
    ) -> Result<Text<'a>, ParamsError> {
        if escapes.next >= piece.end {
            return Ok(Text::AsSent(text.get(piece).unwrap_or_default()));
        }
        if self.decoded.capacity() == 0 {
            // Decoding never lengthens text, so this is enough for the whole request and nothing secret is left
            // behind in a smaller buffer.
            self.decoded.reserve_exact(self.raw_bytes);
        }
        let start = self.decoded.len();
        let bytes = text.as_bytes().get(..piece.end).unwrap_or_default();
        let mut plain = piece.start;
        while escapes.next < piece.end {
            self.decoded.extend_from_slice(bytes.get(plain..escapes.next).unwrap_or_default());
            let (byte, sent_bytes) = match bytes.get(escapes.next..).unwrap_or_default() {
                [b'+', ..] => (b' ', 1),
                [b'%', high, low, ..] => (percent::unhex(*high, *low).ok_or(ParamsError::Malformed)?, 3),
                _ => return Err(ParamsError::Malformed),
            };
            self.decoded.push(byte);
            plain = escapes.next + sent_bytes;
            escapes.seek(plain);
        }
        self.decoded.extend_from_slice(bytes.get(plain..).unwrap_or_default());
        Ok(Text::Decoded { start, end: self.decoded.len() })
    }

    fn finish(mut self) -> Result<Params<'a>, ParamsError> {
        let decoded = match String::from_utf8(std::mem::take(&mut *self.decoded)) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                return Err(ParamsError::Malformed);
            }
        };
        // The whole can be UTF-8 although its pieces are not: one ends in half a character, the next goes on with it.
        let whole = |text: Text<'_>| match text {
            Text::AsSent(_) => true,
            Text::Decoded { start, end } => decoded.get(start..end).is_some(),
        };
        let mut pairs = self.pairs;
        if !pairs.iter().all(|pair| whole(pair.name) && whole(pair.value)) {
            return Err(ParamsError::Malformed);
        }
        let by_name = |a: &Pair<'a>, b: &Pair<'a>| {
            a.head.cmp(&b.head).then_with(|| a.name.get(&decoded).cmp(b.name.get(&decoded)))
        };
        pairs.sort_unstable_by(by_name);
        if pairs.array_windows().any(|[a, b]| by_name(a, b) == Ordering::Equal) {
            return Err(ParamsError::Duplicate);
        }
        let mut names = NameSet::default();
        for pair in &pairs {
            names.add(pair.head);
        }
        Ok(Params { pairs, names, decoded })
    }
}

/// Where in a text the next escape stands.
struct Escapes<'a> {
    text: &'a [u8],
    next: usize,
}

impl<'a> Escapes<'a> {
    fn of(text: &'a [u8]) -> Self {
        let mut escapes = Self { text, next: 0 };
        escapes.seek(0);
        escapes
    }

    /// Finds the first escape from `start` on. Many stand right behind one another, as in JSON and in text that is not
    /// ASCII: there a search for each would take most of the time that a large request needs.
    fn seek(&mut self, start: usize) {
        let rest = self.text.get(start..).unwrap_or_default();
        let found = match rest.first() {
            Some(b'%' | b'+') => Some(0),
            _ => memchr2(b'%', b'+', rest),
        };
        self.next = found.map_or(usize::MAX, |at| start + at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs<'p>(params: &'p Params<'_>) -> Vec<(&'p str, &'p str)> {
        params.iter().collect()
    }

    #[test]
    fn decodes_and_sorts() {
        let params =
            Params::parse("b=v+w%20x%2By&&a=%E4%B8%AD&Empty=&NoEquals&%63=1=2&", Some(b"Z=%3d&Y=\xc3\xa9")).unwrap();
        assert_eq!(
            pairs(&params),
            [("Empty", ""), ("NoEquals", ""), ("Y", "é"), ("Z", "="), ("a", "中"), ("b", "v w x+y"), ("c", "1=2"),]
        );
        assert_eq!(params.len(), 7);
        assert_eq!(params.get("b"), Some("v w x+y"));
        assert_eq!(params.get("B"), None);
        assert_eq!(params.get("Empty"), Some(""));
        assert_eq!(params.given("Empty"), None);
        assert_eq!(params.iter_query().map(|(name, _)| name).collect::<Vec<_>>(), ["Empty", "NoEquals", "a", "b", "c"]);
    }

    #[test]
    fn escapes_may_stand_right_behind_one_another() {
        let params = Params::parse("a=%41%42&%62%63=+%2b+&c=x%43%44%45yy%46&d=%", None).err();
        assert_eq!(params, Some(ParamsError::Malformed));
        let params = Params::parse("a=%41%42&%62%63=+%2b+&c=x%43%44%45yy%46&d=%25%32%35&e=25", None).unwrap();
        assert_eq!(pairs(&params), [("a", "AB"), ("bc", " + "), ("c", "xCDEyyF"), ("d", "%25"), ("e", "25")]);
    }

    #[test]
    fn refuses() {
        let error = |query: &str, form: Option<&[u8]>| Params::parse(query, form).err();
        assert_eq!(error("a=1&a=1", None), Some(ParamsError::Duplicate));
        assert_eq!(error("a=1&b=2&%61=1", None), Some(ParamsError::Duplicate));
        assert_eq!(error("a=1", Some(b"a=2")), Some(ParamsError::Duplicate));
        for malformed in ["a=%", "a=%2", "a=%2g", "a=%C3", "a=%C3&b=%A9", "=x", "a=%FF"] {
            assert_eq!(error(malformed, None), Some(ParamsError::Malformed), "{malformed}");
        }
        assert_eq!(error("", Some(b"a=\xff")), Some(ParamsError::Malformed));
    }

    #[test]
    fn limits() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=")).collect::<Vec<_>>().join("&");
        assert_eq!(Params::parse(&many(PARAMS_MAX), None).unwrap().len(), PARAMS_MAX);
        assert_eq!(Params::parse(&many(PARAMS_MAX + 1), None).err(), Some(ParamsError::TooMany));
        assert_eq!(Params::parse(&many(PARAMS_MAX), Some(b"x")).err(), Some(ParamsError::TooMany));
        let long = "a".repeat(QUERY_BYTES_MAX);
        assert!(Params::parse(&long, None).is_ok());
        assert_eq!(Params::parse(&(long + "a"), None).err(), Some(ParamsError::TooLarge));
        let body = vec![b'a'; BODY_BYTES_MAX + 1];
        assert_eq!(Params::parse("", Some(&body)).err(), Some(ParamsError::TooLarge));
        assert!(Params::parse("", body.get(1..)).is_ok());
    }

    #[test]
    fn numbered_lists() {
        let params = Params::parse(
            "Tag.10.Key=k10&Tag.2.Key=k2&Tag.2.Value=v2&Tag.1.Key=k1&Tag.01.Key=no&Tag.x=no&Tag=no&TagKey.1=no&Tag.0=no\
             &Tag.=no&Tag.1001=no&Tag.+1=no&ResourceId.1=a&ResourceId.3=c",
            None,
        )
        .unwrap();
        let short = |list: &str| -> Vec<(u32, String, String)> {
            params.numbered(list).iter().map(|m| (m.number, m.member.to_owned(), m.value.to_owned())).collect()
        };
        let expected = [(1, "Key", "k1"), (2, "Key", "k2"), (2, "Value", "v2"), (10, "Key", "k10")];
        assert_eq!(short("Tag"), expected.map(|(n, m, v)| (n, m.to_owned(), v.to_owned())));
        assert_eq!(short("ResourceId").len(), 2);
        assert_eq!(short("None"), []);
        assert_eq!(short(""), []);
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let names = [
            "a",
            "a\0",
            "a\0\0\0\0\0\0\0\0",
            "Signatur",
            "Signature",
            "SignatureMethod",
            "SignatureNonce",
            "é",
            "éééé",
        ];
        for fillers in [0, SCANNED_PAIRS_MAX] {
            let fillers: Vec<String> = (0..fillers).map(|n| format!("Signature.{n}")).collect();
            let mut sent: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
            sent.extend(fillers.iter().map(|name| (name.as_str(), name.as_str())));
            let mut query = String::new();
            for (name, value) in &sent {
                percent::push_pair(&mut query, name, value);
            }
            for params in [Params::parse(&query, None).unwrap(), Params::of(&sent).unwrap()] {
                assert!(params.iter().is_sorted_by(|(a, _), (b, _)| a < b));
                assert!(sent.iter().all(|(name, value)| params.get(name) == Some(*value)));
                for absent in ["", "\0", "a\0\0", "Signatu", "SignatureM", "Signature.", "ééé"] {
                    assert_eq!(params.get(absent), None, "{absent:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(query in "[a-c%&=+0-9A-F.é]{0,60}", form in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(params) = Params::parse(&query, Some(&form)) {
                let names: Vec<_> = params.iter().map(|(name, _)| name).collect();
                prop_assert!(names.is_sorted_by(|a, b| a < b));
                for (name, value) in params.iter() {
                    prop_assert_eq!(params.get(name), Some(value));
                    params.numbered(name);
                }
            }
        }

        #[test]
        fn decodes_what_was_encoded(map in proptest::collection::btree_map(".{1,8}", ".{0,30}", 0..12)) {
            let mut query = String::new();
            for (name, value) in &map {
                percent::push_pair(&mut query, name, value);
            }
            let expected: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let params = Params::parse(&query, None).unwrap();
            prop_assert_eq!(pairs(&params), expected.clone());
            let params = Params::parse("", Some(query.as_bytes())).unwrap();
            prop_assert_eq!(pairs(&params), expected);
        }
    }
}
