//! Another root key for more domain keys than one commit takes.
//!
//! First each of them is wrapped under the next root key too, **beside** what stands there, in as many commits as it takes.
//! Then one commit changes the slots, and by that which of the two is good. Last, what stands beside takes the place of the
//! other. A mark says who is at it, and every one of these commits requires it. A crash before the slots were changed leaves
//! what nobody can open; one after it leaves what [`Keyring::open`](crate::keyring::Keyring::open) finds beside.
//! [`settle`] ends both.

use jomae_crypto::root::RootMaterial;
use serde::{Deserialize, Serialize};

use super::{ChangeError, PATH, Slots};
use crate::{
    error::Fault,
    keyring::{DOMAIN_PREFIX, RootKey as _},
    store::{COMMIT_ITEMS_MAX, Path, SCAN_LIMIT_MAX},
    stored::plain_records,
    tx::{CommitOutcome, Tx, Vault},
};

/// Where domain keys stand under the next root key. Bare, as they are.
pub const BESIDE_PREFIX: &str = "sys/domain-next/";
/// Where stands who is at it.
pub const MARK: &str = "sys/root-change";
/// Domain keys in one commit: each has two places, and the mark and the slots are compared.
const BATCH: usize = COMMIT_ITEMS_MAX / 2 - 5;

/// Who is at it: the root key that is to be the next one, or whoever settles what was left.
#[derive(Serialize, Deserialize)]
struct MarkRecord {
    by: String,
}

plain_records!(form: 2, bears_rights: false; MarkRecord);

fn mark() -> Path {
    Path::new(MARK)
}

/// Where a domain key stands under the next root key.
pub fn path_beside(path: &str) -> Path {
    Path::new(format!("{BESIDE_PREFIX}{}", path.strip_prefix(DOMAIN_PREFIX).unwrap_or(path)))
}

fn path_of(beside: &Path) -> Path {
    let name = beside.as_str();
    Path::new(format!("{DOMAIN_PREFIX}{}", name.strip_prefix(BESIDE_PREFIX).unwrap_or(name)))
}

/// Requires that the mark is of this one.
pub(super) fn expect_mark(tx: &mut Tx<'_>, by: &str) -> Result<(), ChangeError> {
    match tx.get::<MarkRecord>(&mark())? {
        Some(there) if there.by == by => Ok(()),
        _ => Err(ChangeError::Conflict),
    }
}

/// Requires that nobody is at it.
pub(super) fn expect_no_mark(tx: &mut Tx<'_>) -> Result<(), ChangeError> {
    match tx.get::<MarkRecord>(&mark())? {
        None => Ok(()),
        Some(_) => Err(ChangeError::Conflict),
    }
}

async fn done(tx: Tx<'_>) -> Result<(), ChangeError> {
    match tx.commit().await? {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(ChangeError::Conflict),
    }
}

/// Wraps all domain keys under the next root key, beside. Nothing else changes yet.
pub(super) async fn wrap(vault: &Vault, root: &RootMaterial, next: &RootMaterial) -> Result<(), ChangeError> {
    let by = next.id();
    let mut tx = vault.writing();
    expect_no_mark(&mut tx)?;
    expect_root(&mut tx, root)?;
    tx.put(mark(), &MarkRecord { by: by.clone() })?;
    done(tx).await?;
    let paths = vault.reading().paths(DOMAIN_PREFIX, None, SCAN_LIMIT_MAX)?;
    for batch in paths.chunks(BATCH) {
        let mut tx = vault.writing();
        expect_mark(&mut tx, &by)?;
        expect_root(&mut tx, root)?;
        for path in batch {
            let wrapped = tx.get_bare(path)?.ok_or(ChangeError::Conflict)?;
            let key = root.unwrap(path.as_str(), &wrapped).map_err(Fault::internal)?;
            tx.put_bare(path_beside(path.as_str()), next.wrap(path.as_str(), &key)?);
        }
        done(tx).await?;
    }
    Ok(())
}

/// Ends what a change of the root key has left: the domain keys that this root key opens take their places, and nothing
/// stands beside them any more. Whoever is still at such a change is stopped by it. Gives whether there was anything to do.
///
/// # Errors
/// `Conflict`: another process does the same, or has changed the root key.
pub async fn settle(vault: &Vault, root: &RootMaterial) -> Result<bool, ChangeError> {
    let mut tx = vault.writing();
    if tx.get::<MarkRecord>(&mark())?.is_none() {
        return Ok(false);
    }
    // As nobody else is called.
    let by = RootMaterial::random().id();
    expect_root(&mut tx, root)?;
    tx.put(mark(), &MarkRecord { by: by.clone() })?;
    done(tx).await?;
    loop {
        let batch = vault.reading().paths(BESIDE_PREFIX, None, BATCH)?;
        let mut tx = vault.writing();
        expect_mark(&mut tx, &by)?;
        expect_root(&mut tx, root)?;
        if batch.is_empty() {
            tx.delete::<MarkRecord>(mark());
            done(tx).await?;
            return Ok(true);
        }
        for beside in batch {
            let path = path_of(&beside);
            let there = tx.get_bare(&path)?.ok_or_else(|| Fault::internal(format!("the store lacks {path}")))?;
            if root.unwrap(path.as_str(), &there).is_err() {
                let next = tx.get_bare(&beside)?.ok_or(ChangeError::Conflict)?;
                root.unwrap(path.as_str(), &next).map_err(Fault::internal)?;
                tx.put_bare(path, next);
            }
            tx.delete_bare(beside);
        }
        done(tx).await?;
    }
}

/// Requires that this root key is that of the slots, if there are any.
fn expect_root(tx: &mut Tx<'_>, root: &RootMaterial) -> Result<(), ChangeError> {
    let Some(bytes) = tx.get_bare(&Path::new(PATH))? else { return Ok(()) };
    let slots = Slots::from_bytes(&bytes).map_err(Fault::internal)?;
    if slots.root_id() == root.id() { Ok(()) } else { Err(ChangeError::Conflict) }
}
