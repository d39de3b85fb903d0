//! Versions of keys, and rotation. One file an action.

mod create_key_version;
mod describe_key_version;
mod list_key_versions;
mod update_rotation_policy;

use jomae_api::actions::versions::create_key_version::KeyVersionRow;
use jomae_api::names::KeyPlace;

use crate::{prelude::*, record::VersionRecord};

/// A version as answers show it.
fn row(key: &KeyPlace, version: &VersionRecord) -> KeyVersionRow {
    KeyVersionRow {
        key_id: key.id.clone(),
        key_version_id: version.stored.id.clone(),
        creation_date: Timestamp(version.stored.created),
    }
}
