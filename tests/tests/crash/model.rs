//! What the service has promised.

use std::collections::BTreeSet;

use super::people::{self, People};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Enabled,
    Disabled,
    PendingDeletion,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
        }
    }
}

/// A key as its last answered call left it.
pub struct Key {
    pub id: String,
    pub description: String,
    pub state: State,
    pub aliases: BTreeSet<String>,
    /// Ciphertexts with their plaintexts (both Base64).
    pub sealed: Vec<(String, String)>,
    /// The last round in which it was used.
    pub round: u64,
}

impl Key {
    pub fn new(id: &str, description: &str, round: u64) -> Self {
        Self {
            id: id.to_owned(),
            description: description.to_owned(),
            state: State::Enabled,
            aliases: BTreeSet::new(),
            sealed: Vec::new(),
            round,
        }
    }
}

/// A change that one call makes; keys by their place in the lane.
#[derive(Clone, Debug)]
pub enum Change {
    Create { description: String },
    Describe { key: usize, description: String },
    State { key: usize, state: State },
    AddAlias { key: usize, name: String },
    MoveAlias { from: usize, to: usize, name: String },
    RemoveAlias { key: usize, name: String },
    People(people::Change),
}

/// One caller with keys and users of its own. Its calls follow one another, so at most one is open when the server dies.
#[derive(Default)]
pub struct Lane {
    pub keys: Vec<Key>,
    pub people: People,
    /// The change that was asked for and not answered.
    pub pending: Option<Change>,
}

impl Lane {
    /// Takes a change as done. A creation is for whoever knows the new ID, and people keep their own account.
    pub fn apply(&mut self, change: Change, round: u64) {
        match change {
            Change::Create { .. } | Change::People(_) => {}
            Change::Describe { key, description } => self.touch(key, round).description = description,
            Change::State { key, state } => self.touch(key, round).state = state,
            Change::AddAlias { key, name } => {
                self.touch(key, round).aliases.insert(name);
            }
            Change::MoveAlias { from, to, name } => {
                self.touch(from, round).aliases.remove(&name);
                self.touch(to, round).aliases.insert(name);
            }
            Change::RemoveAlias { key, name } => {
                self.touch(key, round).aliases.remove(&name);
            }
        }
    }

    /// The key, noted as used in this round.
    pub fn touch(&mut self, key: usize, round: u64) -> &mut Key {
        let key = &mut self.keys[key];
        key.round = round;
        key
    }
}
