//! Resource Access Management: who is who in an account. One file an action.

mod access_keys;
pub mod cost;
pub mod counts;
mod entities;
pub mod find;
mod groups;
pub mod last_used;
mod page;
mod policies;
pub mod record;
mod roles;
mod scan;
mod users;

use jomae_api::names::AccountId;

use crate::{error::Fault, tx::Tx};

/// Counts up the account's epoch with a change of RAM.
pub(crate) fn count_change(tx: &mut Tx<'_>, account: &AccountId) -> Result<(), Fault> {
    let at = record::path::epoch(account);
    let changes = tx.get::<record::EpochRecord>(&at)?.map_or(0, |epoch| epoch.changes);
    tx.put(at, &record::EpochRecord { changes: changes + 1, ..record::EpochRecord::default() })
}
