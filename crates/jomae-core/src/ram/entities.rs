//! What is the same for users, groups and roles: each is kept under its id and found by its name.

use std::sync::Arc;

use jomae_api::actions::ram::{listing::Listing, policies::attachments::Entity};

use super::{
    counts,
    page::{self, Page},
    record::{EntityRecord, NameRecord, path},
};
use crate::{prelude::*, quota::is_full};

/// The one of this name, or `EntityNotExist.<kind>`.
pub fn find<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<R>> {
    by_name(tx, account, name)?.ok_or(R::Of::NOT_FOUND.into())
}

fn by_name<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Option<Arc<R>>, Fault> {
    match tx.get::<NameRecord>(&path::name(account, R::KIND, name))? {
        // Gone if it was deleted since its name was read.
        Some(named) => tx.get::<R>(&path::entity(account, R::KIND, &named.id)),
        None => Ok(None),
    }
}

/// Refuses a name that is taken.
pub fn expect_free<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<()> {
    match tx.get::<NameRecord>(&path::name(account, R::KIND, name))? {
        Some(_) => Err(R::Of::EXISTS.into()),
        None => Ok(()),
    }
}

/// Keeps a new one whose name is free, if there may be another.
pub fn add<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, quota: u32, record: &R) -> Result<()> {
    let mut counts = counts::of(tx, account)?;
    let count = R::count(&mut counts);
    if is_full(quota, *count) {
        return Err(R::Of::LIMIT.into());
    }
    *count += 1;
    let at = path::entity(account, R::KIND, record.id());
    // An id that is taken would be another's; reading it makes the commit compare it.
    if tx.get::<R>(&at)?.is_some() {
        return Err(Fault::unavailable("the new id of a user, group or role is taken").into());
    }
    tx.put(path::name(account, R::KIND, record.name()), &NameRecord { id: record.id().to_owned() })?;
    tx.put(at, record)?;
    counts::put(tx, account, &counts)?;
    Ok(())
}

/// Keeps what one has become, under its new name if it has another.
pub fn replace<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, old: &R, new: &R) -> Result<()> {
    if new.name() != old.name() {
        expect_free::<R>(tx, account, new.name())?;
        tx.put(path::name(account, R::KIND, new.name()), &NameRecord { id: new.id().to_owned() })?;
        tx.delete::<NameRecord>(path::name(account, R::KIND, old.name()));
    }
    tx.put(path::entity(account, R::KIND, new.id()), new)?;
    Ok(())
}

/// Forgets one.
pub fn remove<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, record: &R) -> Result<()> {
    let mut counts = counts::of(tx, account)?;
    let count = R::count(&mut counts);
    *count = count.saturating_sub(1);
    counts::put(tx, account, &counts)?;
    tx.delete::<NameRecord>(path::name(account, R::KIND, record.name()));
    tx.delete::<R>(path::entity(account, R::KIND, record.id()));
    Ok(())
}

/// A page of all of a kind, by name.
pub fn page<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, listing: &Listing) -> Result<Page<Arc<R>>> {
    let names = page::names(tx, &path::names(account, R::KIND), listing)?;
    let mut rows = Vec::with_capacity(names.rows.len());
    for name in &names.rows {
        // Gone since the page was found: it is no row any more.
        rows.extend(by_name(tx, account, name)?);
    }
    Ok(Page { rows, marker: names.marker })
}
