//! What memory has of one key, for lists that are searched.

use jomae_api::{
    actions::metadata::{KeyState, ProtectionLevel},
    names::{AliasName, KeyId},
    spec::{KeySpec, KeyUsage},
};
use memchr::memmem::Finder;

use crate::record::KeyRecord;

/// What an entry takes beside its id and its texts: its share of a node of the tree, and what the allocator adds to both.
const ENTRY_BYTES: usize = 144;

/// One key.
#[derive(Debug)]
pub struct Entry {
    pub created: i64,
    pub state: KeyState,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub protection: ProtectionLevel,
    /// Whether the key has a policy of its own, so that nobody's rights are the same as on other keys.
    pub has_policy: bool,
    last_use: LastUse,
    texts: Texts,
}

/// When a key was used last, as far as somebody has looked. Uses only get later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastUse {
    pub(super) at: Option<i64>,
    /// Whether no later one is stored.
    pub(super) is_newest: bool,
}

/// Whether a key was not used since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    Yes,
    No,
    /// The store has to be read.
    Unknown,
}

impl Entry {
    /// The entry of a record and its aliases, with nothing known of its use.
    pub(super) fn of(id: &KeyId, record: &KeyRecord, aliases: &[AliasName]) -> Self {
        Self {
            created: record.created,
            state: record.state,
            spec: record.spec,
            usage: record.usage,
            protection: record.protection,
            has_policy: record.policy.is_some(),
            last_use: LastUse::default(),
            texts: Texts::of(id, record, aliases),
        }
    }

    pub(super) const fn last_use(&mut self) -> &mut LastUse {
        &mut self.last_use
    }

    /// As the filter has it: last used before the moment or, if never, made before it.
    pub fn is_unused_since(&self, moment: i64) -> Unused {
        if self.created >= moment || self.last_use.at.is_some_and(|at| at >= moment) {
            return Unused::No;
        }
        if self.last_use.is_newest { Unused::Yes } else { Unused::Unknown }
    }

    /// Where a text stands.
    pub fn find(&self, id: &KeyId, text: &Sought) -> Places {
        self.texts.find(id, text)
    }

    /// About how many bytes of memory it takes, its id included.
    pub(super) fn bytes(&self, id: &KeyId) -> usize {
        ENTRY_BYTES + id.as_str().len() + self.texts.0.len()
    }
}

/// A text that keys are searched for, in lower case.
pub struct Sought(Finder<'static>);

impl Sought {
    pub fn new(text: &str) -> Self {
        Self(Finder::new(text.to_lowercase().as_bytes()).into_owned())
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.0.find(text.to_lowercase().as_bytes()).is_some()
    }
}

/// In what of a key a text was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a place each")]
pub struct Places {
    pub id: bool,
    pub description: bool,
    pub tags: bool,
    pub aliases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Id,
    Description,
    Tag,
    Alias,
}

/// The texts of a key in lower case, each as its kind, its length in four bytes, and itself.
#[derive(Debug)]
struct Texts(Box<[u8]>);

const KINDS: [Kind; 4] = [Kind::Id, Kind::Description, Kind::Tag, Kind::Alias];
const HEAD_BYTES: usize = 5;

impl Texts {
    fn of(id: &KeyId, record: &KeyRecord, aliases: &[AliasName]) -> Self {
        let mut all = Vec::new();
        let mut add = |kind: Kind, text: &str| {
            let text = text.to_lowercase();
            let Ok(len) = u32::try_from(text.len()) else { return };
            if len > 0 {
                all.push(kind as u8);
                all.extend(len.to_le_bytes());
                all.extend(text.as_bytes());
            }
        };
        // The id stands beside it as it is.
        if id.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
            add(Kind::Id, id.as_str());
        }
        add(Kind::Description, &record.description);
        for (key, value) in &record.tags {
            add(Kind::Tag, key);
            add(Kind::Tag, value);
        }
        for alias in aliases {
            add(Kind::Alias, &alias.to_wire());
        }
        Self(all.into())
    }

    fn find(&self, id: &KeyId, Sought(text): &Sought) -> Places {
        let mut found = Places { id: text.find(id.as_str().as_bytes()).is_some(), ..Places::default() };
        // Most have it nowhere, which one look tells.
        if text.find(&self.0).is_none() {
            return found;
        }
        let mut left = &*self.0;
        while let Some((&[kind, ref len @ ..], after)) = left.split_first_chunk::<HEAD_BYTES>() {
            let Some((own, after)) =
                u32::from_le_bytes(*len).try_into().ok().and_then(|len| after.split_at_checked(len))
            else {
                break;
            };
            left = after;
            if text.find(own).is_none() {
                continue;
            }
            match KINDS.get(usize::from(kind)) {
                Some(Kind::Id) => found.id = true,
                Some(Kind::Description) => found.description = true,
                Some(Kind::Tag) => found.tags = true,
                Some(Kind::Alias) => found.aliases = true,
                None => {}
            }
        }
        found
    }
}
