//! Tags, in both generations of actions. One file an action.

mod list_resource_tags;
mod list_tag_resources;
mod tag_resource;
mod tag_resources;
mod untag_resource;
mod untag_resources;

use jomae_api::{actions::params::Tags, names::RegionId};

use crate::{
    access::FoundKey,
    prelude::*,
    record::{KeyRecord, path},
};

/// Adds tags to a key; those of the same key are overwritten.
fn add_tags(tx: &mut Tx<'_>, key: &FoundKey, added: &Tags) -> Result<()> {
    let mut tags = key.record.tags.clone();
    tags.extend(added.iter().map(|(key, value)| (key.clone(), value.clone())));
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::LimitExceeded.into());
    }
    Ok(tx.put(path::key(&key.place), &KeyRecord { tags, ..(*key.record).clone() })?)
}

/// Removes the tags whose keys are named.
fn remove_tags(tx: &mut Tx<'_>, key: &FoundKey, is_named: impl Fn(&str) -> bool) -> Result<()> {
    let mut tags = key.record.tags.clone();
    tags.retain(|key, _| !is_named(key));
    if tags.len() == key.record.tags.len() {
        return Ok(());
    }
    Ok(tx.put(path::key(&key.place), &KeyRecord { tags, ..(*key.record).clone() })?)
}

/// Resources of another region cannot be reached from here.
fn expect_region(call: &Call<'_>, region: &RegionId) -> Result<(), Refusal> {
    if *region == call.region { Ok(()) } else { Err(Refusal::ParameterInvalid("RegionId")) }
}
