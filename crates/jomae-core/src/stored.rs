//! What every record is: a form at rest, and what is kept with it in memory. Which records there are stands in
//! [`crate::record`], [`crate::ram::record`], or beside the one who writes them.

use std::{any::Any, sync::OnceLock};

use serde::{Deserialize, Serialize};

/// A kind of record. What is decoded once is kept in memory and shared.
pub trait Record: Any + Send + Sync + Sized {
    /// Whether somebody's rights, or the use of a key, rest on it: then changing or removing one may take something away,
    /// and where several nodes serve, the change is answered only when it holds on each. Making one takes nothing away.
    /// There is no default, so that whoever adds a kind of record decides.
    const BEARS_RIGHTS: bool;
    /// The stored form with which it came, or since which an older version cannot read it: not above
    /// [`form::NEWEST`](crate::form::NEWEST), and written only when every node can read it. A member that older versions may overlook is
    /// no new form. There is no default, so that whoever adds or changes a kind of record decides.
    const FORM: u32;

    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error>;
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error>;
}

/// Records that are kept as the JSON of their members. One that holds a secret says how much `room` it takes at most, in
/// bytes, so that no copy of it is left behind while it grows.
#[macro_export]
macro_rules! plain_records {
    (form: $form:literal, bears_rights: $bears:literal; $($name:path),*) => {
        $crate::plain_records!(form: $form, bears_rights: $bears, room: 128; $($name),*);
    };
    (form: $form:literal, bears_rights: $bears:literal, room: $room:expr; $($name:path),*) => {
        $(impl $crate::stored::Record for $name {
            const FORM: u32 = $form;
            const BEARS_RIGHTS: bool = $bears;

            fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
                serde_json::from_slice(bytes)
            }
            fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                let mut bytes = Vec::with_capacity($room);
                serde_json::to_writer(&mut bytes, self)?;
                Ok(bytes)
            }
        })*
    };
}
pub use plain_records;

/// Something found out once and kept with a record in memory. It is no part of the record: a copy does not have it.
pub struct Derived<T>(OnceLock<T>);

impl<T> Derived<T> {
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// The value, found out now unless it is known.
    pub fn or_find<E>(&self, find: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(known) = self.0.get() {
            return Ok(known);
        }
        let found = find()?;
        Ok(self.0.get_or_init(|| found))
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Derived<T> {}

impl<T> std::fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Derived")
    }
}

/// Bytes that a record holds as Base64 text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}
