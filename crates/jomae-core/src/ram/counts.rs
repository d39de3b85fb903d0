//! How many of each an account has. Whoever makes or deletes one writes the counts in the same commit, so quotas hold
//! however many do so at once.

use super::record::{CountsRecord, path};
use crate::prelude::*;

/// The counts of an account, which a change then compares.
pub fn of(tx: &mut Tx<'_>, account: &AccountId) -> Result<CountsRecord, Fault> {
    Ok(tx.get::<CountsRecord>(&path::counts(account))?.map(|counts| (*counts).clone()).unwrap_or_default())
}

/// Writes the counts as the change leaves them.
pub fn put(tx: &mut Tx<'_>, account: &AccountId, counts: &CountsRecord) -> Result<(), Fault> {
    tx.put(path::counts(account), counts)
}
