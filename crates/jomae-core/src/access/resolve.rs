//! From the names in a request to the records they mean.

use jomae_api::{
    action::{Access, Need, RamKind, Target},
    error::Refusal,
    names::{AccountId, AliasName, KeyPlace, KeyRef, KeyVersionId, RegionId, RoleRef, alias_arn},
};

use super::{FoundAlias, FoundKey, FoundRole, Owner, Required, Resolved, Resource};
use crate::{
    call::Call,
    error::Error,
    ram::record::{NameRecord, RoleRecord, path as ram_path},
    record::{AliasRecord, KeyRecord, VersionIndex, path},
    tx::Tx,
};

/// Looks up every target. Nothing is decided here, and nothing is revealed.
pub fn resolve<'a>(tx: &mut Tx<'_>, call: &Call<'_>, access: &Access<'a>) -> Result<Resolved<'a>, Error> {
    let mut needs = Vec::with_capacity(2);
    for Need { permission, target, context } in access.iter() {
        let required = |resource| Required { permission, resource, context };
        let resource = match target {
            Target::SignatureOnly => Resource::SignatureOnly,
            Target::Service => Resource::Service,
            Target::Keys => Resource::Keys,
            Target::Aliases => Resource::Aliases,
            Target::Key(reference) => by_reference(tx, call, reference)?,
            Target::CiphertextOf(version) => {
                let index = tx.get::<VersionIndex>(&path::version_index(&call.region, version))?;
                let resource = match index {
                    Some(index) => key(tx, call, index.key.clone(), Some(index.number))?,
                    None => nobodys(call, version),
                };
                // Whose key it is stays hidden from those who may not use it.
                hidden(call, version, resource)
            }
            Target::AliasName(name) => Resource::Alias(alias(tx, call, name)?),
            Target::AliasAndItsKey(name) => {
                let found = alias(tx, call, name)?;
                let of_key = found.record.as_ref().map(|alias| call.own_key(alias.key.clone()));
                needs.push(required(Resource::Alias(found)));
                match of_key {
                    Some(place) => key(tx, call, place, None)?,
                    None => alias_missing(call, name),
                }
            }
            Target::Ram(kind, name) => Resource::Ram(kind, Some(name.to_owned())),
            Target::RamAll(kind) => Resource::Ram(kind, None),
            Target::RamSelf => Resource::Ram(RamKind::User, Some(call.caller.user_name().into_owned())),
            Target::RamSelfUnlessDenied => Resource::OwnUser(call.caller.user_name().into_owned()),
            Target::Role(role) => Resource::Role(find_role(tx, role)?),
        };
        needs.push(required(resource));
    }
    Ok(Resolved { needs })
}

fn alias(tx: &mut Tx<'_>, call: &Call<'_>, name: &AliasName) -> Result<FoundAlias, Error> {
    let record = tx.get::<AliasRecord>(&path::alias(call.caller.account(), &call.region, name))?;
    Ok(FoundAlias { name: name.clone(), record })
}

fn by_reference(tx: &mut Tx<'_>, call: &Call<'_>, reference: &KeyRef) -> Result<Resource, Error> {
    match reference {
        KeyRef::Id(id) => key(tx, call, call.own_key(id.clone()), None),
        KeyRef::Alias(name) => by_alias(tx, call, name),
        KeyRef::AliasArn { region, account, name } if region == &call.region && account == call.caller.account() => {
            by_alias(tx, call, name)
        }
        KeyRef::AliasArn { region, account, name } => by_alias_elsewhere(tx, call, (region, account), name),
        // Keys never cross regions: the full name of a key elsewhere names nothing here.
        KeyRef::Arn { region, account, id } if *region != call.region => {
            let place = KeyPlace { account: account.clone(), region: region.clone(), id: id.clone() };
            Ok(key_missing(call, &place))
        }
        KeyRef::Arn { region, account, id } => {
            key(tx, call, KeyPlace { account: account.clone(), region: region.clone(), id: id.clone() }, None)
        }
    }
}

fn by_alias(tx: &mut Tx<'_>, call: &Call<'_>, name: &AliasName) -> Result<Resource, Error> {
    match tx.get::<AliasRecord>(&path::alias(call.caller.account(), &call.region, name))? {
        Some(alias) => key(tx, call, call.own_key(alias.key.clone()), None),
        None => Ok(alias_missing(call, name)),
    }
}

/// An alias in another region names nothing here, as a key there. One of another account leads to that account's key,
/// which decides; whether there is such an alias is not told to who may not use the key.
fn by_alias_elsewhere(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    (region, account): (&RegionId, &AccountId),
    name: &AliasName,
) -> Result<Resource, Error> {
    let here = *region == call.region;
    let record = if here { tx.get::<AliasRecord>(&path::alias(account, region, name))? } else { None };
    let arn = alias_arn(region, account, name);
    let found = match record {
        Some(alias) => {
            let place = KeyPlace { account: account.clone(), region: region.clone(), id: alias.key.clone() };
            Some(key(tx, call, place, None)?)
        }
        None => None,
    };
    Ok(match found {
        Some(Resource::Key(key)) => Resource::Key(FoundKey { alias: Some(arn), ..key }),
        _ => Resource::Missing { owner: owner(call, account), arn, refusal: Refusal::AliasNotFound },
    })
}

fn key(tx: &mut Tx<'_>, call: &Call<'_>, place: KeyPlace, version: Option<u32>) -> Result<Resource, Error> {
    Ok(match tx.get::<KeyRecord>(&path::key(&place))? {
        Some(record) => Resource::Key(FoundKey::new(place, record, version)),
        None => key_missing(call, &place),
    })
}

fn key_missing(call: &Call<'_>, place: &KeyPlace) -> Resource {
    let owner = owner(call, &place.account);
    Resource::Missing { owner, arn: place.arn(), refusal: Refusal::KeyNotFound }
}

/// An alias that is not there names no key: the permission is asked for on any.
fn alias_missing(call: &Call<'_>, name: &AliasName) -> Resource {
    let arn = format!("acs:kms:{}:{}:key/{}", call.region, call.caller.account(), name.to_wire());
    Resource::Missing { owner: Owner::Caller, arn, refusal: Refusal::AliasNotFound }
}

/// The key of a ciphertext that nobody knows.
fn nobodys(call: &Call<'_>, version: &KeyVersionId) -> Resource {
    Resource::Missing { owner: Owner::Nobody, arn: stand_in(call, version), refusal: Refusal::KeyNotFound }
}

/// The name under which permission is asked for a key that the caller shall not learn of.
fn stand_in(call: &Call<'_>, version: &KeyVersionId) -> String {
    format!("acs:kms:{}:{}:key/{version}", call.region, call.caller.account())
}

fn hidden(call: &Call<'_>, version: &KeyVersionId, found: Resource) -> Resource {
    match found {
        Resource::Key(key) if key.place.account != *call.caller.account() => {
            Resource::Key(FoundKey { hidden_as: Some(stand_in(call, version)), ..key })
        }
        // A key that is gone while the index of its versions is not.
        Resource::Missing { owner: Owner::Another, .. } => nobodys(call, version),
        other => other,
    }
}

fn find_role(tx: &mut Tx<'_>, role: &RoleRef) -> Result<FoundRole, Error> {
    let name = tx.get::<NameRecord>(&ram_path::name(&role.account, ram_path::Entity::Role, role.name.as_str()))?;
    let record = match name {
        Some(name) => tx.get::<RoleRecord>(&ram_path::role(&role.account, &name.id))?,
        None => None,
    };
    Ok(FoundRole { role: role.clone(), record })
}

fn owner(call: &Call<'_>, account: &AccountId) -> Owner {
    if account == call.caller.account() { Owner::Caller } else { Owner::Another }
}
