//! What an answer is: its members are declared once, and the struct, its form on the wire and the reference come from
//! that.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_crypto::{envelope::Content, secret::SecretBytes};
use serde::{Serialize, Serializer, ser::SerializeMap};
use zeroize::Zeroizing;

use crate::{
    json,
    names::{AccountId, KeyId, KeyVersionId, RegionId},
    param::Plaintext,
    time::Timestamp,
};

/// An object that answers are made of.
pub trait Answer: Serialize {
    /// Its members, in their order on the wire.
    const MEMBERS: &'static [Member];

    /// Writes it as JSON, as its `Serialize` does.
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()>;
}

/// A row of a list.
pub trait Row: Answer {
    /// The member under which the rows stand in their list.
    const NAME: &'static str;
}

/// A member of an answer.
#[derive(Debug)]
pub struct Member {
    /// On the wire.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be absent.
    pub optional: bool,
    /// Not in the cloud's API.
    pub extension: bool,
    /// What it means, in the words of the reference.
    pub doc: &'static str,
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    Date,
    /// A date, or the empty text where none applies.
    DateOrEmpty,
    /// Standard Base64 with padding.
    Base64,
    /// A number without a fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of these texts.
    Choice(fn() -> Vec<&'static str>),
    /// An object with these members.
    Object(&'static [Member]),
    /// An object with one member of this name: the list of the rows.
    List(&'static str, &'static [Member]),
    /// A plain list of objects with these members.
    Objects(&'static [Member]),
    /// A plain list of texts.
    Texts,
    /// Numbers under names that are not known beforehand.
    Counts,
    /// A list of recorded events, in ActionTrail's form.
    Events,
}

/// A type that members can have.
pub trait Value: Serialize {
    /// For the reference.
    const SHAPE: Shape;
    /// Whether the member may be absent.
    const OPTIONAL: bool = false;

    /// Whether this one is.
    fn is_absent(&self) -> bool {
        false
    }

    /// Writes it as JSON, as its `Serialize` does.
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(out, self)
    }
}

impl<T: Value> Value for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    const OPTIONAL: bool = true;

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Some(value) => value.write(out),
            None => serde_json::to_writer(out, &()),
        }
    }
}

impl<T: Answer> Value for T {
    const SHAPE: Shape = Shape::Object(T::MEMBERS);

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        Answer::write(self, out)
    }
}

impl<T: Row> Value for List<T> {
    const SHAPE: Shape = Shape::List(T::NAME, T::MEMBERS);
}

impl<T: Answer> Value for Vec<T> {
    const SHAPE: Shape = Shape::Objects(T::MEMBERS);
}

macro_rules! shapes {
    ($($shape:ident: $($type:ty),+;)*) => {
        $($(impl Value for $type {
            const SHAPE: Shape = Shape::$shape;
        })+)*
    };
}
shapes! {
    Text: SecretText;
    Date: Timestamp;
    Base64: SecretBase64, Plaintext;
    Integer: u32, u64, i64;
    Boolean: bool;
    Texts: Box<[String]>;
    Counts: BTreeMap<String, u64>;
}

macro_rules! texts {
    ($($type:ty: $text:expr),+) => {
        $(impl Value for $type {
            const SHAPE: Shape = Shape::Text;

            fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
                let text: fn(&Self) -> &str = $text;
                json::text(out, text(self));
                Ok(())
            }
        })+
    };
}
texts!(
    String: Self::as_str,
    &'static str: |text| text,
    AccountId: Self::as_str,
    KeyId: Self::as_str,
    KeyVersionId: Self::as_str,
    RegionId: Self::as_str
);

impl Value for Base64 {
    const SHAPE: Shape = Shape::Base64;

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        // Nothing of it has to be escaped.
        out.push(b'"');
        let start = out.len();
        out.resize(start + self.0.len().div_ceil(3) * 4, 0);
        let written = out.get_mut(start..).map_or(Ok(0), |room| STANDARD.encode_slice(&self.0, room));
        out.push(b'"');
        written.map(|_| ()).map_err(serde::ser::Error::custom)
    }
}

/// The rows of a list. On the wire an object whose one member has the name of the rows.
pub struct List<T>(pub Vec<T>);

impl<T: Row> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_map(Some(1))?;
        list.serialize_entry(T::NAME, &self.0)?;
        list.end()
    }
}

/// Secret bytes that an answer carries to a caller who may have them. Written as standard Base64.
pub struct SecretBase64(pub SecretBytes);

impl Serialize for SecretBase64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        base64_of(&self.0, serializer)
    }
}

/// A secret text that an answer carries to a caller who may have it (the secret of a new access key). Written as it is.
pub struct SecretText(pub SecretBytes);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text_of(&self.0, serializer)
    }
}

/// Bytes in Base64, text as it is.
impl Serialize for Plaintext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.content {
            Content::Bytes => base64_of(&self.bytes, serializer),
            Content::Text => text_of(&self.bytes, serializer),
        }
    }
}

fn base64_of<S: Serializer>(secret: &SecretBytes, serializer: S) -> Result<S::Ok, S::Error> {
    let text = Zeroizing::new(STANDARD.encode(secret.expose()));
    serializer.serialize_str(&text)
}

fn text_of<S: Serializer>(secret: &SecretBytes, serializer: S) -> Result<S::Ok, S::Error> {
    let text = std::str::from_utf8(secret.expose()).map_err(|_| serde::ser::Error::custom("a secret is no text"))?;
    serializer.serialize_str(text)
}

/// Bytes that are no secret (a ciphertext). Written as standard Base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

/// Declares objects of answers, each member by field, type, name on the wire and what it means. Rows of a list say what
/// their list calls each of them: `struct KeyRow as "Key"`.
macro_rules! answer {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(as $row:literal)? {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty => $($extension:ident)? $wire:literal,)*
        }
    )+) => {$(
        #[doc = concat!("Members of an answer: `", stringify!($name), "`.")]
        $(#[$meta])*
        #[derive(serde::Serialize)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[serde(rename = $wire, skip_serializing_if = "crate::answer::Value::is_absent")]
                pub $field: $type,
            )*
        }

        impl $crate::answer::Answer for $name {
            const MEMBERS: &'static [$crate::answer::Member] = &[$($crate::answer::Member {
                name: $wire,
                shape: <$type as $crate::answer::Value>::SHAPE,
                optional: <$type as $crate::answer::Value>::OPTIONAL,
                extension: $crate::answer::answer!(@is $($extension)?),
                doc: $crate::text::sentence(concat!($($doc),+)),
            }),*];

            fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
                let object = &mut $crate::json::Object::begin(out);
                $(if !$crate::answer::Value::is_absent(&self.$field) {
                    object.member(concat!("\"", $wire, "\":"));
                    $crate::answer::Value::write(&self.$field, object.out)?;
                })*
                object.end();
                Ok(())
            }
        }

        $(impl $crate::answer::Row for $name {
            const NAME: &'static str = $row;
        })?
    )+};
    (@is extension) => { true };
    (@is) => { false };
}
pub(crate) use answer;

answer! {
    /// An answer with no members but `RequestId`.
    pub struct Empty {}
}

/// Declares names that stand for something on the wire, in parameters and answers.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`.")] $(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $crate::answer::Value for $name {
            const SHAPE: $crate::answer::Shape =
                $crate::answer::Shape::Choice(|| Self::ALL.iter().map(|one| one.as_str()).collect());
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The spelling on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the spelling of the wire; case matters.
            pub fn from_wire(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}
pub(crate) use wire_enum;
