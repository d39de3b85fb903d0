//! Parameters: each is declared once, with its name, limits, secrecy and text, and shared by the actions that take it.

use std::{cell::RefCell, collections::BTreeMap, mem::take};

use base64::{Engine, decoded_len_estimate, engine::general_purpose::STANDARD};
use jomae_crypto::{envelope::Content, secret::SecretBytes};
use zeroize::Zeroizing;

use crate::{error::Refusal, limits, wire::params::Params};

/// Whether a value may be shown in logs and audit events. A parameter is secret until its declaration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Shown nowhere.
    Secret,
    /// Shown if it is valid.
    Public,
}

/// What the text of a parameter looks like, for documents and the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A decimal number.
    Integer,
    /// `true` or `false`, in any case.
    Boolean,
    /// Standard Base64 with padding; the command line takes `@file` for it.
    Base64,
    /// JSON text.
    Json,
    /// A JSON object of strings, or its flattened form `<name>.<member>=<value>`.
    Map,
    /// `<name>.1`, `<name>.2`, …
    List,
    /// `<name>.1.Key`, `<name>.1.Value`, …
    Pairs,
}

/// A request parameter: its name on the wire, its limits, and how its text becomes a `T`.
pub struct Param<T: 'static> {
    name: &'static str,
    kind: Kind,
    secrecy: Secrecy,
    extension: bool,
    limits: &'static str,
    doc: &'static str,
    refusals: &'static [Refusal],
    parse: fn(&str) -> Result<T, Invalid>,
    recognised: fn(&str) -> bool,
}

/// Why a text is not a value of the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The ordinary `InvalidParameter`.
    Value,
    /// A refusal of its own, such as an alias where only an ID is taken.
    As(Refusal),
}

impl<T> Param<T> {
    /// A parameter whose value never shows in logs or audit events.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        limits: &'static str,
        doc: &'static str,
        parse: fn(&str) -> Result<T, Invalid>,
    ) -> Self {
        Self {
            name,
            kind,
            secrecy: Secrecy::Secret,
            extension: false,
            limits,
            doc,
            refusals: &[],
            parse,
            recognised: |_| false,
        }
    }

    /// Lets valid values show in audit events.
    #[must_use]
    pub const fn public(self) -> Self {
        self.public_if(|_| true)
    }

    /// Lets those valid values show in audit events that are plainly what they should be: where almost any text is
    /// valid, it may be a secret in the wrong place.
    #[must_use]
    pub const fn public_if(mut self, recognised: fn(&str) -> bool) -> Self {
        self.secrecy = Secrecy::Public;
        self.recognised = recognised;
        self
    }

    /// Marks what the cloud's API does not have.
    #[must_use]
    pub const fn extension(mut self) -> Self {
        self.extension = true;
        self
    }

    /// What a call can be refused with because of this parameter, beside its being missing or not valid: texts that have
    /// a refusal of their own, and what it names not being there.
    #[must_use]
    pub const fn refuses(mut self, refusals: &'static [Refusal]) -> Self {
        self.refusals = refusals;
        self
    }

    fn read(&self, text: &str) -> Result<T, Refusal> {
        (self.parse)(text).map_err(|invalid| match invalid {
            Invalid::Value => Refusal::ParameterInvalid(self.name),
            Invalid::As(refusal) => refusal,
        })
    }
}

/// The limits of a parameter whose every value is refused.
pub const NOT_OFFERED: &str = "not offered";

/// Refuses every value of a parameter that the cloud's API has and this service has not.
pub const fn not_offered(_: &str) -> Result<(), Invalid> {
    Err(Invalid::Value)
}

/// What documents, the command line and the audit log need to know of a parameter.
pub trait ParamInfo: Sync {
    /// On the wire.
    fn name(&self) -> &'static str;
    /// Its form.
    fn kind(&self) -> Kind;
    /// Whether its valid values may be recorded.
    fn secrecy(&self) -> Secrecy;
    /// Whether the cloud's API does not have it.
    fn extension(&self) -> bool;
    /// The limits, in words.
    fn limits(&self) -> &'static str;
    /// What it means, in the words of the reference.
    fn doc(&self) -> &'static str;
    /// What a call can be refused with because of it, beside its being missing or not valid.
    fn refusals(&self) -> &'static [Refusal];
    /// Whether the text is a valid value.
    fn accepts(&self, text: &str) -> bool;
    /// Whether the text may be recorded. What is not valid may be anything, a secret too, and is recorded nowhere.
    fn shows(&self, text: &str) -> bool;
}

impl<T> ParamInfo for Param<T> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn kind(&self) -> Kind {
        self.kind
    }
    fn secrecy(&self) -> Secrecy {
        self.secrecy
    }
    fn extension(&self) -> bool {
        self.extension
    }
    fn limits(&self) -> &'static str {
        self.limits
    }
    fn doc(&self) -> &'static str {
        self.doc
    }
    fn refusals(&self) -> &'static [Refusal] {
        self.refusals
    }
    fn accepts(&self, text: &str) -> bool {
        (self.parse)(text).is_ok()
    }
    fn shows(&self, text: &str) -> bool {
        self.secrecy == Secrecy::Public && self.accepts(text) && (self.recognised)(text)
    }
}

/// Declares parameters. The comment says in documents what it means; then come its form and name on the wire, its limits
/// in words, what else is said of it (methods of [`Param`]), and behind `=>` how its text is read.
macro_rules! param {
    ($(
        $(#[doc = $doc:literal])+
        $vis:vis $name:ident: $type:ty =
            $kind:ident $wire:literal, $limits:expr $(, $method:ident $(($argument:expr))?)* => $parse:expr;
    )+) => {$(
        $(#[doc = $doc])+
        $vis static $name: $crate::param::Param<$type> = $crate::param::Param::<$type>::new(
            $wire,
            $crate::param::Kind::$kind,
            $limits,
            $crate::text::sentence(concat!($($doc),+)),
            $parse,
        )$(.$method($($argument)?))*;
    )+};
}
pub(crate) use param;

/// How an action takes a parameter.
#[derive(Clone, Copy)]
pub struct Use {
    /// Which one.
    pub param: &'static dyn ParamInfo,
    /// Whether its absence is refused.
    pub required: bool,
}

/// A parameter without which the action is refused.
pub const fn required(param: &'static dyn ParamInfo) -> Use {
    Use { param, required: true }
}

/// A parameter that may be absent.
pub const fn optional(param: &'static dyn ParamInfo) -> Use {
    Use { param, required: false }
}

/// A request of one action, as its parameters make it.
pub trait Parameters: Sized {
    /// The parameters, in the order of the documentation.
    const PARAMS: &[Use];

    /// Reads them, in this order.
    fn parse(input: Input<'_>) -> Result<Self, Refusal>;
}

/// Declares a request: each field by the parameter that it is read from, and how (a method of [`Input`]). `or` gives the
/// value of an absent one; `=>` names the function that makes the field of its parameters. What is read and not kept,
/// since only its being valid counts, stands behind `also`.
macro_rules! request {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$doc:meta])* $field:ident: $type:ty =
                $($how:ident $param:ident)and+ $(or $default:expr)? $(=> $make:path)?,)*
        }
        $(also $($check:ident $checked:ident $(=> $checker:path)?),+;)?
    ) => {
        #[doc = concat!("A request of the action `", stringify!($name), "`.")]
        $(#[$meta])*
        pub struct $name {
            $(
                #[doc = concat!("From", $(" `", stringify!($param), "`"),+, ".")]
                $(#[$doc])*
                pub $field: $type,
            )*
        }

        impl $crate::param::Parameters for $name {
            const PARAMS: &[$crate::param::Use] = &[
                $($($crate::param::request!(@use $how $param),)+)*
                $($($crate::param::request!(@use $check $checked),)+)?
            ];

            fn parse(input: $crate::param::Input<'_>) -> Result<Self, $crate::error::Refusal> {
                let _ = input;
                let request = Self {
                    $($field: $crate::param::request!(@read input $($how $param)+ $(or $default)? $(=> $make)?),)*
                };
                $($($crate::param::request!(@read input $check $checked $(=> $checker)?);)+)?
                Ok(request)
            }
        }
    };
    (@use required $param:ident) => { $crate::param::required(&$param) };
    (@use required_maybe_empty $param:ident) => { $crate::param::required(&$param) };
    (@use $optional:ident $param:ident) => { $crate::param::optional(&$param) };
    (@read $input:ident $how:ident $param:ident) => { $input.$how(&$param)? };
    (@read $input:ident $how:ident $param:ident or $default:expr) => { $input.$how(&$param)?.unwrap_or($default) };
    (@read $input:ident $($how:ident $param:ident)+ => $make:path) => { $make($input)? };
}
pub(crate) use request;

/// What an action asked its input for: (name, required).
pub type AskedLog = RefCell<Vec<(&'static str, bool)>>;

/// The parameters of one request, as an action reads them.
///
/// An empty value is an absent one (some SDKs send `EncryptionContext=`).
#[derive(Clone, Copy)]
pub struct Input<'p> {
    params: &'p Params<'p>,
    asked: Option<&'p AskedLog>,
}

impl<'p> Input<'p> {
    /// Reads from these.
    pub fn new(params: &'p Params<'p>) -> Self {
        Self { params, asked: None }
    }

    /// Notes each question, so that a test can compare what an action asks with what it declares.
    pub fn recording(params: &'p Params<'p>, asked: &'p AskedLog) -> Self {
        Self { params, asked: Some(asked) }
    }

    /// The value, or `MissingParameter`, or `InvalidParameter`.
    pub fn required<T>(&self, param: &Param<T>) -> Result<T, Refusal> {
        self.note(param.name, true);
        match self.text(param.name) {
            Some(text) => param.read(text),
            None => Err(Refusal::ParameterMissing(param.name)),
        }
    }

    /// The value, which may be empty but not absent.
    pub fn required_maybe_empty<T>(&self, param: &Param<T>) -> Result<T, Refusal> {
        self.note(param.name, true);
        match self.params.get(param.name) {
            Some(text) => param.read(text),
            None => Err(Refusal::ParameterMissing(param.name)),
        }
    }

    /// The value if there is one, or `InvalidParameter`.
    pub fn optional<T>(&self, param: &Param<T>) -> Result<Option<T>, Refusal> {
        self.note(param.name, false);
        self.text(param.name).map(|text| param.read(text)).transpose()
    }

    /// The value if there is one; an empty one is a value too, which takes away what there was.
    pub fn optional_maybe_empty<T>(&self, param: &Param<T>) -> Result<Option<T>, Refusal> {
        self.note(param.name, false);
        self.params.get(param.name).map(|text| param.read(text)).transpose()
    }

    /// An encryption context: the JSON text, or the flattened form `EncryptionContext.<name>=<value>` in which one SDK
    /// sends a map. Ignoring that form would bind nothing where the caller believes that something is bound.
    pub fn context(&self, param: &Param<EncryptionContext>) -> Result<EncryptionContext, Refusal> {
        let given = self.optional(param)?;
        let mut flat = self.flattened(param.name).peekable();
        if flat.peek().is_none() {
            return Ok(given.unwrap_or_default());
        }
        let context: EncryptionContext = flat.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let chars: usize = context.0.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if given.is_some() || chars > limits::ENCRYPTION_CONTEXT_CHARS_MAX {
            return Err(Refusal::ParameterInvalid(param.name));
        }
        Ok(context)
    }

    /// A list, `<name>.1`, `<name>.2`, …
    pub fn list<T>(&self, param: &Param<T>) -> Result<Vec<T>, Refusal> {
        self.note(param.name, false);
        self.items(param)
    }

    /// A list that must not be empty.
    pub fn required_list<T>(&self, param: &Param<T>) -> Result<Vec<T>, Refusal> {
        self.note(param.name, true);
        self.items(param).and_then(|items| not_empty(items, param.name))
    }

    fn items<T>(&self, param: &Param<T>) -> Result<Vec<T>, Refusal> {
        self.expect_numbered(param.name)?;
        self.params
            .numbered(param.name)
            .iter()
            .filter(|item| item.member.is_empty())
            .map(|item| param.read(item.value))
            .collect()
    }

    /// A list of pairs, `<name>.1.Key` and `<name>.1.Value`, … A value may be absent.
    pub fn pairs(&self, param: &Param<()>) -> Result<Vec<(String, String)>, Refusal> {
        self.note(param.name, false);
        self.items_of_two(param)
    }

    /// A list of pairs that must not be empty.
    pub fn required_pairs(&self, param: &Param<()>) -> Result<Vec<(String, String)>, Refusal> {
        self.note(param.name, true);
        self.items_of_two(param).and_then(|pairs| not_empty(pairs, param.name))
    }

    fn items_of_two(&self, param: &Param<()>) -> Result<Vec<(String, String)>, Refusal> {
        self.expect_numbered(param.name)?;
        let mut pairs: Vec<(u32, Option<String>, String)> = Vec::new();
        for item in self.params.numbered(param.name) {
            if pairs.last().is_none_or(|(number, ..)| *number != item.number) {
                pairs.push((item.number, None, String::new()));
            }
            if let Some((_, key, value)) = pairs.last_mut() {
                match item.member {
                    "Key" => *key = Some(item.value.to_owned()),
                    "Value" => item.value.clone_into(value),
                    _ => {}
                }
            }
        }
        let invalid = Refusal::ParameterInvalid(param.name);
        pairs.into_iter().map(|(_, key, value)| Ok((key.ok_or(invalid)?, value))).collect()
    }

    /// Refuses a list under its bare name, or numbered in another way (`Tag.0.Key`): a caller who sends one means
    /// something that would be ignored. One SDK sends an empty list as the text `[]`.
    fn expect_numbered(&self, name: &'static str) -> Result<(), Refusal> {
        let bare = self.text(name).is_some_and(|text| text != "[]");
        if bare || self.flattened(name).count() != self.params.numbered(name).len() {
            return Err(Refusal::ParameterInvalid(name));
        }
        Ok(())
    }

    /// The members of a flattened map, `<name>.<member>=<value>`.
    fn flattened(&self, name: &str) -> impl Iterator<Item = (&'p str, &'p str)> {
        self.params.iter().filter_map(move |(full, value)| {
            let member = full.strip_prefix(name)?.strip_prefix('.')?;
            Some((member, value))
        })
    }

    fn text(&self, name: &str) -> Option<&'p str> {
        self.params.get(name).filter(|text| !text.is_empty())
    }

    fn note(&self, name: &'static str, required: bool) {
        if let Some(asked) = self.asked {
            asked.borrow_mut().push((name, required));
        }
    }
}

fn not_empty<T>(items: Vec<T>, name: &'static str) -> Result<Vec<T>, Refusal> {
    if items.is_empty() { Err(Refusal::ParameterMissing(name)) } else { Ok(items) }
}

/// Authenticated, not stored, and equal whatever the order, spacing or escapes of its JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// Reads a JSON object of strings. Nested values, other types and members given twice are refused.
    pub fn from_json(text: &str) -> Option<Self> {
        if text.len() > 4 * limits::ENCRYPTION_CONTEXT_CHARS_MAX
            || text.chars().count() > limits::ENCRYPTION_CONTEXT_CHARS_MAX
        {
            return None;
        }
        serde_json::from_str::<UniqueMembers>(text).ok().map(|members| Self(members.0))
    }

    /// In the byte order of the names.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl FromIterator<(String, String)> for EncryptionContext {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// Tags by key. Keys 1–128 and values 0–128 characters of letters, digits and `/ \ _ - . + = : @`.
pub type Tags = BTreeMap<String, String>;

/// A map that refuses a member given twice, where serde's own keeps the last.
struct UniqueMembers(BTreeMap<String, String>);

impl<'de> serde::Deserialize<'de> for UniqueMembers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = UniqueMembers;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<UniqueMembers, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = access.next_entry::<String, String>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member is given twice"));
                    }
                }
                Ok(UniqueMembers(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Booleans are read in any case: the newest Python SDK sends `True` and `False`.
pub fn parse_bool(text: &str) -> Result<bool, Invalid> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Invalid::Value)
    }
}

/// A decimal number within a range.
pub fn parse_number(text: &str, range: &std::ops::RangeInclusive<u32>) -> Result<u32, Invalid> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or(Invalid::Value)
}

/// Base64 of at most `bytes_max` bytes, which are a secret.
pub fn parse_secret(text: &str, bytes_max: usize) -> Result<SecretBytes, Invalid> {
    parse_bytes(text, bytes_max).map(SecretBytes::new)
}

/// Base64 of at most `bytes_max` bytes. Line ends in it do not count.
pub fn parse_bytes(text: &str, bytes_max: usize) -> Result<Vec<u8>, Invalid> {
    decode(text).filter(|bytes| bytes.len() <= bytes_max).map(|mut bytes| take(&mut *bytes)).ok_or(Invalid::Value)
}

/// What Encrypt takes: Base64 of at most `bytes_max` bytes, or else text of at most as many bytes, as it is.
///
/// Text that ends in `=` and would be Base64 if its blanks were plus signs, or were not there, is refused: it is Base64
/// that lost something on its way, and the caller would find out when it is too late.
pub fn parse_plaintext(text: &str, bytes_max: usize) -> Result<Plaintext, Invalid> {
    let (content, mut bytes) = match decode(text) {
        Some(bytes) => (Content::Bytes, bytes),
        None if is_base64_with_blanks(text) => return Err(Invalid::Value),
        None => (Content::Text, Zeroizing::new(text.as_bytes().to_vec())),
    };
    if bytes.len() > bytes_max {
        return Err(Invalid::Value);
    }
    Ok(Plaintext { content, bytes: SecretBytes::new(take(&mut *bytes)) })
}

/// What is encrypted, or was.
pub struct Plaintext {
    /// Whether it was given as Base64 or as text.
    pub content: Content,
    /// At most [`limits::PLAINTEXT_BYTES_MAX`].
    pub bytes: SecretBytes,
}

fn is_base64_with_blanks(text: &str) -> bool {
    let with = |instead: &str| decode(&Zeroizing::new(text.replace(' ', instead))).is_some();
    text.contains(' ') && text.trim_end().ends_with('=') && (with("+") || with(""))
}

/// The bytes of Base64, which is standard, padded and canonical but for line ends. What may be a secret is erased
/// wherever it ends.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; decoded_len_estimate(text.len())]);
    if let Ok(len) = STANDARD.decode_slice(text, &mut bytes) {
        bytes.truncate(len);
        return Some(bytes);
    }
    if !text.contains(LINE_END) {
        return None;
    }
    let mut unbroken = Zeroizing::new(String::with_capacity(text.len()));
    text.split(LINE_END).for_each(|line| unbroken.push_str(line));
    let len = STANDARD.decode_slice(&*unbroken, &mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

const LINE_END: [char; 2] = ['\r', '\n'];

/// Text of at most `chars_max` characters.
pub fn parse_text(text: &str, chars_max: usize) -> Result<String, Invalid> {
    if text.chars().count() <= chars_max { Ok(text.to_owned()) } else { Err(Invalid::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn contexts_are_equal_as_maps() {
        let a = EncryptionContext::from_json(r#"{"b":"2","a":"1"}"#).unwrap();
        let b = EncryptionContext::from_json(" { \"a\" : \"\\u0031\", \"b\":\"2\" } ").unwrap();
        assert_eq!(a, b);
        assert_eq!(EncryptionContext::from_json("{}").unwrap(), EncryptionContext::default());
        for bad in
            ["", "[]", "1", r#"{"a":1}"#, r#"{"a":{}}"#, r#"{"a":"1","a":"1"}"#, r#"{"a":null}"#, "{\"a\":\"b\"} x"]
        {
            assert_eq!(EncryptionContext::from_json(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_that_is_numbered_otherwise_is_refused() {
        static TAG: Param<()> = Param::new("Tag", Kind::Pairs, "", "", |_| Ok(()));
        let read = |query: &str| Input::new(&Params::parse(query, None).unwrap()).pairs(&TAG).map(|pairs| pairs.len());
        for (query, rows) in [("", 0), ("Tag=[]", 0), ("Tag.1.Key=a&Tag.3.Key=b&TagKey.1=x", 2)] {
            assert_eq!(read(query), Ok(rows), "{query}");
        }
        // Left out of a search, each of them would find more than was asked for.
        for query in ["Tag=a", "Tag.0.Key=a", "Tag.01.Key=a", "Tag.Key=a", "Tag.1.Key=a&Tag.1001.Key=b", "Tag.=a"] {
            assert_eq!(read(query), Err(Refusal::ParameterInvalid("Tag")), "{query}");
        }
    }

    #[test]
    fn context_limit_counts_characters() {
        let fits = format!("{{\"k\":\"{}\"}}", "é".repeat(limits::ENCRYPTION_CONTEXT_CHARS_MAX - 8));
        assert!(EncryptionContext::from_json(&fits).is_some());
        let over = format!("{{\"k\":\"{}\"}}", "é".repeat(limits::ENCRYPTION_CONTEXT_CHARS_MAX - 7));
        assert!(EncryptionContext::from_json(&over).is_none());
    }

    #[test]
    fn booleans_and_base64() {
        assert_eq!(parse_bool("True"), Ok(true));
        assert_eq!(parse_bool("FALSE"), Ok(false));
        assert!(parse_bool("1").is_err());
        assert_eq!(parse_bytes("aGk=", 2), Ok(b"hi".to_vec()));
        assert!(parse_bytes("aGk=", 1).is_err());
        assert!(parse_bytes("aGk", 9).is_err());
        assert!(parse_bytes("aG k=", 9).is_err());
    }

    #[test]
    fn line_ends_in_base64_do_not_count_and_blanks_do() {
        for text in ["aGVsbG8=\n", "aGVs\r\nbG8=", "\naG\rVsbG8=\r\n", "a\nG\nV\ns\nb\nG\n8\n="] {
            assert_eq!(parse_bytes(text, 5), Ok(b"hello".to_vec()), "{text:?}");
            assert_eq!(parse_secret(text, 5).unwrap().expose(), b"hello", "{text:?}");
            assert!(parse_bytes(text, 4).is_err(), "{text:?}");
        }
        for text in ["aGVs bG8=", "aGVsbG8= ", "aGVs\tbG8=", "aGVs\u{a0}bG8=", "aGVsbG8\n", "aGVs-G8="] {
            assert!(parse_bytes(text, 9).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_plaintext_is_base64_or_else_text() {
        let read = |text: &str| parse_plaintext(text, 24).ok().map(|read| (read.content, read.bytes.expose().to_vec()));
        for (text, bytes) in
            [("aGVsbG8=", &b"hello"[..]), ("test", b"\xb5\xeb-"), ("aGVs\nbG8=\r\n", b"hello"), ("", b"")]
        {
            assert_eq!(read(text), Some((Content::Bytes, bytes.to_vec())), "{text:?}");
        }
        let texts = [
            "example",
            "aGVsbG8",
            "aGVsbG9=",
            "hello world",
            "correct horse battery",
            "日本",
            "a\nb",
            "=",
            "\n x",
            "{\"a\": 1}",
        ];
        for text in texts {
            assert_eq!(read(text), Some((Content::Text, text.as_bytes().to_vec())), "{text:?}");
        }
        // A plus sign that became a blank, or a blank that came in: text would be the wrong guess.
        for text in ["aGVs bG8g YQ==", "+ 8=", "aGVs bG8=", "aGVsbG8= ", " aGVsbG8="] {
            assert_eq!(read(text), None, "{text:?}");
        }
        // The limit holds for the bytes of Base64, and for text as it is.
        assert_eq!(read(&"A".repeat(32)), Some((Content::Bytes, vec![0; 24])));
        assert_eq!(read(&"A".repeat(36)), None);
        assert!(read(&"-".repeat(24)).is_some());
        assert_eq!(read(&"-".repeat(25)), None);
        assert_eq!(read(&"é".repeat(12)).map(|(_, bytes)| bytes.len()), Some(24));
        assert_eq!(read(&"é".repeat(13)), None);
    }

    proptest! {
        #[test]
        fn every_plaintext_comes_back(text in "[A-Za-z0-9+/=]{0,12}|\\PC{0,12}") {
            if let Ok(read) = parse_plaintext(&text, 100) {
                let back = match read.content {
                    Content::Bytes => STANDARD.encode(read.bytes.expose()),
                    Content::Text => String::from_utf8(read.bytes.expose().to_vec()).unwrap(),
                };
                prop_assert_eq!(back, text);
            } else {
                prop_assert!(text.contains(' ') && text.contains('='));
            }
        }

        #[test]
        fn context_never_panics(text in ".{0,200}") {
            let _ = EncryptionContext::from_json(&text);
        }
    }
}
