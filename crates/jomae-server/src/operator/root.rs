//! What the operator does with the slots of the root key.

use http::StatusCode;
use jomae_api::time::Timestamp;
use jomae_core::{
    error::Fault,
    root::{self, Change, ChangeError, NewSlot, Slot, Slots, change},
};
use jomae_crypto::{root::PassphraseParams, secret::Key256, shares::ShareSet};
use serde::{Deserialize, Serialize};

use super::api::{OperatorApi, Refusal, json, refused};
use crate::{
    backup::signer,
    exchange::Answer,
    gateway,
    root_key::{RootKeyError, token_detail},
    secret_text::SecretText,
};

/// A slot to be made. The key is that of its provider.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddSlot {
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) params: String,
    pub(super) key: SecretText,
}

#[derive(Serialize)]
struct Status<'s> {
    root_id: Option<&'s str>,
    opened_by: &'s str,
    domain_keys: u32,
    slots: Vec<Row<'s>>,
}

#[derive(Serialize)]
struct Row<'s> {
    name: &'s str,
    provider: &'s str,
    made: Option<Timestamp>,
    /// What its parameters say.
    detail: String,
    /// Whether it vouches for the key that backups are signed with. None of a store without slots, whose provider's key seals
    /// its backups itself.
    vouches: Option<bool>,
}

impl OperatorApi {
    pub(super) async fn root_status(&self) -> Result<Answer, Refusal> {
        let vault = self.vault();
        let slots = Slots::read(vault.store())?;
        let opened_by = self.root.name();
        let backup_key = signer::signer(vault)?.map(|signer| signer.verifier().to_string()).unwrap_or_default();
        let rows = match &slots {
            Some(slots) => slots.slots().iter().map(|slot| row(slot, &backup_key)).collect(),
            None => {
                vec![Row { name: opened_by, provider: opened_by, made: None, detail: String::new(), vouches: None }]
            }
        };
        let root_id = slots.as_ref().map(Slots::root_id);
        self.note("GetRootKeyStatus", None, &[]).await?;
        json(&Status { root_id, opened_by, domain_keys: vault.keyring().version(), slots: rows })
    }

    pub(super) async fn rotate_root(&self) -> Result<Answer, Refusal> {
        self.change_root(Change::Rotate).await
    }

    pub(super) async fn add_root_slot(&self, slot: &AddSlot) -> Result<Answer, Refusal> {
        let AddSlot { name, provider, params, key } = slot;
        let key = Key256::from_slice(key.0.expose())
            .ok_or_else(|| refused(StatusCode::BAD_REQUEST, "the key of a provider has 32 bytes"))?;
        self.change_root(Change::Add(NewSlot { name, provider, params, key: &key })).await
    }

    pub(super) async fn remove_root_slot(&self, name: &str) -> Result<Answer, Refusal> {
        // Else this process would lose its way to the root key.
        if self.root.name() == name && !self.is_of_store() {
            return Err(refused(
                StatusCode::CONFLICT,
                &format!("this service was opened by {name}: start it with another provider before it is removed"),
            ));
        }
        self.change_root(Change::Remove(name)).await
    }

    async fn change_root(&self, wish: Change<'_>) -> Result<Answer, Refusal> {
        let vault = self.vault();
        vault.catch_up().await?;
        let root = self.root.root(vault.store())?;
        let direct = self.root.direct(vault.store())?;
        let now = gateway::now();
        let backup_key = signer::signer(vault)?.map(|signer| signer.verifier().to_string());
        let event = change(vault, &self.region, &root, direct.as_ref(), &wish, backup_key.as_deref(), now).await?;
        self.appended(event).await?;
        // Not before: what is refused changes nothing.
        let outcome = self.vouch(&wish, now).await;
        let warning = match &outcome {
            Ok((_, dropped)) => signer::told_of(dropped),
            Err(error) => Some(format!("no slot of the root key can be made to vouch for backups: {error}")),
        };
        if let Some(warning) = &warning {
            tracing::warn!(warning, "the root key is changed");
        }
        let vouches = outcome.is_ok_and(|(vouches, _)| vouches);
        let slots = Slots::read(vault.store())?.ok_or_else(|| Fault::internal("the slots are gone"))?;
        json(&serde_json::json!({ "root_id": slots.root_id(), "vouches": vouches, "warning": warning }))
    }

    /// Has this process's slot vouch for the key of backups, and one that was added. Gives whether the latter does, and which
    /// slots do so no more.
    async fn vouch(&self, wish: &Change<'_>, now: Timestamp) -> Result<(bool, Vec<String>), ChangeError> {
        let vault = self.vault();
        let (signer, mut dropped) = signer::vouched_signer(vault, &self.root, now).await?;
        let (Change::Add(new), Some(signer)) = (wish, signer) else { return Ok((false, dropped)) };
        let key = signer.verifier().to_string();
        let added = |slots: &Slots| slots.slots().iter().find(|slot| slot.name == new.name).cloned();
        let opener = Slots::read(vault.store())?.as_ref().and_then(added).and_then(|slot| slot.open(new.key));
        if let Some(opener) = opener {
            dropped.extend(root::vouch(vault, &opener, &key).await?);
        }
        let slot = Slots::read(vault.store())?.as_ref().and_then(added);
        Ok((slot.is_some_and(|slot| slot.names_backup_key(&key)), dropped))
    }
}

fn row<'s>(slot: &'s Slot, backup_key: &str) -> Row<'s> {
    let Slot { name, provider, made, .. } = slot;
    let vouches = Some(slot.names_backup_key(backup_key));
    Row { name, provider, made: Some(Timestamp(*made)), detail: detail(slot), vouches }
}

/// What the parameters of a slot say that is worth a look.
pub(crate) fn detail(slot: &Slot) -> String {
    let Slot { provider, params, .. } = slot;
    let detail = match provider.as_str() {
        "shares" => {
            ShareSet::from_line(params).map(|set| format!("any {} of {}, set {}", set.open(), set.count(), set.id()))
        }
        "passphrase" => PassphraseParams::from_line(params).ok().map(|_| "Argon2id".to_owned()),
        "pkcs11" => token_detail(params),
        _ => None,
    };
    detail.unwrap_or_default()
}

impl From<RootKeyError> for Refusal {
    fn from(error: RootKeyError) -> Self {
        match error {
            RootKeyError::Fault(fault) => fault.into(),
            error => refused(StatusCode::CONFLICT, &error.to_string()),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        let status = match error {
            ChangeError::Failed(fault) => return fault.into(),
            ChangeError::Name | ChangeError::Params => StatusCode::BAD_REQUEST,
            ChangeError::NoSlot(_) => StatusCode::NOT_FOUND,
            ChangeError::Taken(_) | ChangeError::TooMany | ChangeError::Last(_) | ChangeError::Conflict => {
                StatusCode::CONFLICT
            }
        };
        refused(status, &error.to_string())
    }
}
