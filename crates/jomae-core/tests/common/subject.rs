//! A key with all that belongs to it, and a call of every action on it.

use jomae_api::{action::ActionSpec, actions::ACTIONS, actions::metadata::KeyState};

use super::{HELLO, World};

/// Alice's key in Hangzhou, and the names around it.
pub struct Subject {
    pub key: String,
    /// An alias of the key.
    pub alias: String,
    /// An alias of another key.
    pub elsewhere: String,
    /// A ciphertext under the key.
    pub blob: String,
}

pub const STATES: [KeyState; 4] =
    [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion, KeyState::PendingImport];

impl Subject {
    /// A new key in this state.
    pub fn new(world: &World, state: KeyState) -> Self {
        let alice = world.alice();
        let (key, other) = (world.key(), world.key());
        let (alias, elsewhere) = (format!("alias/of-{}", &key[24..]), format!("alias/of-{}", &other[24..]));
        alice.done("CreateAlias", &[("AliasName", &alias), ("KeyId", &key)]);
        alice.done("CreateAlias", &[("AliasName", &elsewhere), ("KeyId", &other)]);
        let blob = alice.encrypt(&key);
        match state {
            KeyState::Enabled => {}
            KeyState::Disabled => alice.done("DisableKey", &[("KeyId", &key)]),
            KeyState::PendingDeletion => {
                alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
            }
            // As if its material had expired: only so can a key without material have ciphertexts.
            KeyState::PendingImport => world.edit_record(&key, |record| {
                record.state = KeyState::PendingImport;
                record.primary = None;
            }),
        }
        Self { key, alias, elsewhere, blob }
    }

    /// Parameters with which the action works on the key, if its state lets it.
    pub fn params<'s>(&'s self, action: &str) -> Vec<(&'static str, &'s str)> {
        let key = ("KeyId", self.key.as_str());
        match action {
            "CreateKey" | "ListKeys" | "ListAliases" | "DescribeRegions" | "DescribeAccountKmsStatus" => vec![],
            "DescribeKey"
            | "EnableKey"
            | "DisableKey"
            | "CancelKeyDeletion"
            | "ListAliasesByKeyId"
            | "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext" => vec![key],
            "UpdateKeyDescription" => vec![key, ("Description", "new text")],
            "ScheduleKeyDeletion" => vec![key, ("PendingWindowInDays", "30")],
            "SetDeletionProtection" => vec![key, ("EnableDeletionProtection", "true")],
            "Encrypt" => vec![key, ("Plaintext", HELLO)],
            "Decrypt" => vec![("CiphertextBlob", &self.blob)],
            "CreateAlias" => vec![key, ("AliasName", "alias/new")],
            "UpdateAlias" => vec![key, ("AliasName", &self.elsewhere)],
            "DeleteAlias" => vec![("AliasName", &self.alias)],
            _ => panic!("no example of {action}"),
        }
    }

    /// The state in which the action works on the key.
    pub fn state_for(action: &str) -> KeyState {
        if action == "CancelKeyDeletion" { KeyState::PendingDeletion } else { KeyState::Enabled }
    }
}

/// The names of the parameters of an action that it declares.
pub fn takes(spec: &ActionSpec, param: &str) -> bool {
    spec.params.iter().any(|used| used.param.name() == param)
}

/// Every action that names a key, by whatever name.
pub fn actions_on_keys() -> impl Iterator<Item = &'static ActionSpec> {
    ACTIONS
        .iter()
        .copied()
        .filter(|spec| ["KeyId", "CiphertextBlob", "AliasName"].iter().any(|param| takes(spec, param)))
}
