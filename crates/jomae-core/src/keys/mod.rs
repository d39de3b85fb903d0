//! Keys: make, describe, list, switch, delete. One file an action.

mod cancel_key_deletion;
mod create_key;
mod describe_key;
mod disable_key;
mod enable_key;
mod get_key_policy;
mod list_keys;
mod schedule_key_deletion;
mod set_deletion_protection;
mod set_key_policy;
mod update_key_description;

use jomae_api::{
    actions::metadata::{AutomaticRotation, DateOrEmpty, KeyMetadata, KeyState, ProtectionLevel},
    names::{KeyPlace, KeyVersionId},
};
use jomae_crypto::rng;
use uuid::Uuid;

use crate::{
    prelude::*,
    record::{
        Discarded, DueRecord, Job, KeyRecord, PrimaryVersion, StoredVersion, VersionIndex, VersionRecord, binding, path,
    },
    shredding::expect_newest,
    stored::Bytes,
};

/// A new id: a lower-case UUID of version 7, so that ids sort by their time of making.
pub(crate) fn new_id(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0).saturating_mul(1000);
    uuid::Builder::from_unix_timestamp_millis(millis, &rng::array()).into_uuid()
}

/// Makes the next version of a key and lets it encrypt from now on. Older versions decrypt for ever.
pub(crate) async fn add_version(
    kms: &Kms,
    tx: &mut Tx<'_>,
    place: &KeyPlace,
    record: &mut KeyRecord,
    now: Timestamp,
) -> Result<KeyVersionId> {
    let id = KeyVersionId::new(&new_id(now).to_string()).ok_or_else(|| Fault::internal("key version id"))?;
    let number = record.versions + 1;
    let backend = kms.backends.of(record.protection)?;
    let made = backend.generate(record.spec, &binding(place, record, &id), &place.account).wait().await?;
    tx.claim(made.unclaimed);
    expect_newest(tx, &made.blob.0)?;
    let (blob, public) = (Some(Bytes(made.blob.0)), made.public.map(Bytes));
    let stored = StoredVersion { id: id.clone(), number, created: now.0, blob, public };
    tx.insert(path::version(place, number), &VersionRecord::of(stored))?;
    tx.insert(path::version_index(&place.region, &id), &VersionIndex { key: place.clone(), number })?;
    record.versions = number;
    // Asymmetric keys have no primary version that anything falls back to; the first one is shown as such.
    if record.spec.row().kind != KeyKind::Asymmetric || record.primary.is_none() {
        record.primary = Some(PrimaryVersion { number, id: id.clone() });
    }
    record.last_rotation = now.0;
    Ok(id)
}

/// Has material that is in a token destroyed there, once this has been committed.
pub(crate) fn discard(
    tx: &mut Tx<'_>,
    place: &KeyPlace,
    record: &KeyRecord,
    version: &StoredVersion,
) -> Result<(), Fault> {
    let (ProtectionLevel::Hsm, Some(blob)) = (record.protection, &version.blob) else { return Ok(()) };
    let discarded = Discarded {
        key: place.clone(),
        version: version.id.clone(),
        spec: record.spec,
        usage: record.usage,
        blob: blob.clone(),
    };
    tx.insert(path::discarded(&hex::encode(rng::public_array::<16>())), &discarded)
}

/// Puts the key's next rotation on the list of due work.
pub(crate) fn plan_rotation(tx: &mut Tx<'_>, place: &KeyPlace, record: &KeyRecord) -> Result<(), Fault> {
    if let Some(next) = record.next_rotation_date() {
        let job = Job::Rotate;
        tx.put(path::due(next.0, job, place), &DueRecord { key: place.clone(), job })?;
    }
    Ok(())
}

/// Moves the key's next rotation from where it was planned to where it belongs now.
pub(crate) fn replan_rotation(
    tx: &mut Tx<'_>,
    place: &KeyPlace,
    planned: Option<Timestamp>,
    record: &KeyRecord,
) -> Result<(), Fault> {
    if let Some(old) = planned.filter(|old| Some(*old) != record.next_rotation_date()) {
        tx.delete::<DueRecord>(path::due(old.0, Job::Rotate, place));
    }
    plan_rotation(tx, place, record)
}

/// `KeyMetadata` as `CreateKey` and `DescribeKey` give it.
fn metadata(place: &KeyPlace, record: &KeyRecord) -> KeyMetadata {
    let rotation = match (record.rotation_interval_secs, record.state) {
        (None, _) => AutomaticRotation::Disabled,
        (Some(_), KeyState::Disabled | KeyState::PendingDeletion) => AutomaticRotation::Suspended,
        (Some(_), KeyState::Enabled | KeyState::PendingImport) => AutomaticRotation::Enabled,
    };
    KeyMetadata {
        key_id: place.id.clone(),
        arn: place.arn(),
        creator: record.creator.clone(),
        creation_date: Timestamp(record.created),
        description: record.description.clone(),
        key_spec: record.spec,
        key_usage: record.usage,
        key_state: record.state,
        origin: record.origin,
        protection_level: record.protection,
        primary_key_version: record.primary.as_ref().map(|primary| primary.id.clone()),
        delete_date: DateOrEmpty(record.delete_at.map(Timestamp)),
        material_expire_time: DateOrEmpty(record.material_expires_at.map(Timestamp)),
        last_rotation_date: Timestamp(record.last_rotation),
        automatic_rotation: rotation,
        rotation_interval: record.rotation_interval_secs.map(|secs| format!("{secs}s")),
        next_rotation_date: record.next_rotation_date(),
        deletion_protection: None,
        deletion_protection_description: None,
    }
}
