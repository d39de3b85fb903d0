//! From the names in a request to the records they mean.

use jomae_api::{
    action::{Access, Target},
    error::Refusal,
    names::{AliasName, KeyRef},
};

use super::{Found, FoundAlias, FoundKey, Owner, Resource};
use crate::{
    error::Error,
    record::{AliasRecord, KeyPlace, KeyRecord, VersionIndex, path},
    run::Call,
    tx::Tx,
};

/// Looks up every target. Nothing is decided here, and nothing is revealed.
pub fn resolve(tx: &mut Tx<'_>, call: &Call, access: &Access<'_>) -> Result<Found, Error> {
    let mut needs = Vec::with_capacity(2);
    for (ram_action, target) in access.iter() {
        match target {
            Target::SignatureOnly => needs.push((ram_action, Resource::SignatureOnly)),
            Target::Service => needs.push((ram_action, Resource::Service)),
            Target::Keys => needs.push((ram_action, Resource::Keys)),
            Target::Aliases => needs.push((ram_action, Resource::Aliases)),
            Target::Key(reference) => needs.push((ram_action, by_reference(tx, call, reference)?)),
            Target::CiphertextOf(version) => {
                let index = tx.get::<VersionIndex>(&path::version_index(&call.region, version))?;
                let resource = match index {
                    Some(index) => key(tx, call, index.key.clone(), Some(index.number))?,
                    None => Resource::Missing { owner: Owner::Nobody, refusal: Refusal::KeyNotFound },
                };
                // Whose key it is stays hidden from those who may not use it.
                let resource = match resource {
                    Resource::Key(found) if found.place.account != *call.caller.account() => {
                        Resource::Missing { owner: Owner::Nobody, refusal: Refusal::KeyNotFound }
                    }
                    other => other,
                };
                needs.push((ram_action, resource));
            }
            Target::AliasName(name) => {
                let record = tx.get::<AliasRecord>(&path::alias(call.caller.account(), &call.region, name))?;
                needs.push((ram_action, Resource::Alias(FoundAlias { name: name.clone(), record })));
            }
            Target::AliasAndItsKey(name) => {
                let record = tx.get::<AliasRecord>(&path::alias(call.caller.account(), &call.region, name))?;
                let of_key = record.as_ref().map(|alias| place(call, alias.key.clone()));
                needs.push((ram_action, Resource::Alias(FoundAlias { name: name.clone(), record })));
                needs.push((
                    ram_action,
                    match of_key {
                        Some(place) => key(tx, call, place, None)?,
                        None => Resource::Missing { owner: Owner::Caller, refusal: Refusal::AliasNotFound },
                    },
                ));
            }
        }
    }
    Ok(Found { needs })
}

fn place(call: &Call, id: jomae_api::names::KeyId) -> KeyPlace {
    KeyPlace { account: call.caller.account().clone(), region: call.region.clone(), id }
}

fn by_reference(tx: &mut Tx<'_>, call: &Call, reference: &KeyRef) -> Result<Resource, Error> {
    match reference {
        KeyRef::Id(id) => key(tx, call, place(call, id.clone()), None),
        KeyRef::Alias(name) => by_alias(tx, call, name),
        // Keys never cross regions: the full name of a key elsewhere names nothing here.
        KeyRef::Arn { region, account, .. } if *region != call.region => {
            let owner = owner(call, account);
            Ok(Resource::Missing { owner, refusal: Refusal::KeyNotFound })
        }
        KeyRef::Arn { region, account, id } => {
            key(tx, call, KeyPlace { account: account.clone(), region: region.clone(), id: id.clone() }, None)
        }
    }
}

fn by_alias(tx: &mut Tx<'_>, call: &Call, name: &AliasName) -> Result<Resource, Error> {
    match tx.get::<AliasRecord>(&path::alias(call.caller.account(), &call.region, name))? {
        Some(alias) => key(tx, call, place(call, alias.key.clone()), None),
        None => Ok(Resource::Missing { owner: Owner::Caller, refusal: Refusal::AliasNotFound }),
    }
}

fn key(tx: &mut Tx<'_>, call: &Call, place: KeyPlace, version: Option<u32>) -> Result<Resource, Error> {
    Ok(match tx.get::<KeyRecord>(&path::key(&place))? {
        Some(record) => Resource::Key(FoundKey { place, record, version }),
        None => Resource::Missing { owner: owner(call, &place.account), refusal: Refusal::KeyNotFound },
    })
}

fn owner(call: &Call, account: &jomae_api::names::AccountId) -> Owner {
    if account == call.caller.account() { Owner::Caller } else { Owner::Another }
}
