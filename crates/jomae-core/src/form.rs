//! The forms of stored records, and which of them may be written: what some version wrote, every version that serves
//! beside it, or after it, must be able to read.
//!
//! A store has a **floor**: no version may use it that cannot read records of this form, and nothing of a newer form is
//! written. One node alone raises it at its start. Of several, the one that does common work raises it when all can
//! read more; who cannot stops serving before the first such record is there, as revisions are seen in their order.

use serde::{Deserialize, Serialize};

use crate::{
    error::Fault,
    store::Path,
    stored::plain_records,
    tx::{CommitOutcome, Vault},
};

/// The newest form that this version reads and writes.
pub const NEWEST: u32 = 5;
/// That of a store which says nothing.
pub const OLDEST: u32 = 1;
/// Where the floor stands. Every version reads it, whatever its own forms.
pub const PATH: &str = "sys/form";

/// The floor of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormRecord {
    pub form: u32,
}

plain_records!(form: 1, bears_rights: false; FormRecord);

/// Where the floor stands.
pub fn path() -> Path {
    Path::new(PATH)
}

/// The floor of a store.
pub fn floor(vault: &Vault) -> Result<u32, Fault> {
    Ok(vault.reading().get::<FormRecord>(&path())?.map_or(OLDEST, |record| record.form))
}

/// Raises the floor of a store that this process alone writes.
pub async fn raise(vault: &Vault) -> Result<(), Fault> {
    let mut tx = vault.writing();
    if tx.get::<FormRecord>(&path())?.map_or(OLDEST, |record| record.form) >= NEWEST {
        return Ok(());
    }
    tx.put(path(), &FormRecord { form: NEWEST })?;
    match tx.commit().await? {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(Fault::unavailable("another process has just changed the form of the store")),
    }
}
