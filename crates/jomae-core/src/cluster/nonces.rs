//! Nonces of changing calls, where several nodes serve: each is part of the transaction, so that a request which one node
//! has carried out changes nothing at another.

use jomae_api::time::Timestamp;
use jomae_crypto::hash::{HashAlg, Hasher};

use super::record::Marker;
use crate::{
    error::Fault,
    store::Path,
    tx::{CommitOutcome, Vault},
};

/// Nonces forgotten in one commit.
const FORGOTTEN_PER_COMMIT: usize = 100;
/// Commits in one turn.
const COMMITS_PER_TURN: usize = 500;

/// All nonces, by the moment at which they are forgotten.
pub const PREFIX: &str = "sys/nonce/";

/// Where the nonce of a request stands. A repetition has the same place, as its time stamp is signed too.
pub fn path(access_key_id: &str, nonce: &str, until_secs: i64) -> Path {
    let mut hasher = Hasher::new(HashAlg::Sha256);
    for part in [access_key_id, nonce] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let hash: [u8; 32] = hasher.finish();
    Path::new(format!("{PREFIX}{:012}/{}", until_secs.max(0), hex::encode(hash)))
}

fn until(path: &Path) -> Option<i64> {
    path.as_str().strip_prefix(PREFIX)?.get(..12)?.parse().ok()
}

/// Forgets the nonces of requests that are too old to be accepted; tells how many.
pub async fn sweep(vault: &Vault, now: Timestamp) -> Result<usize, Fault> {
    let mut forgotten = 0;
    for _ in 0..COMMITS_PER_TURN {
        let mut tx = vault.working()?;
        let old = tx.paths(PREFIX, None, FORGOTTEN_PER_COMMIT)?;
        let old: Vec<Path> = old.into_iter().filter(|path| until(path).is_some_and(|until| until < now.0)).collect();
        if old.is_empty() {
            break;
        }
        let some = old.len();
        for path in old {
            tx.delete::<Marker>(path);
        }
        if tx.commit().await? == CommitOutcome::Done {
            forgotten += some;
        }
    }
    Ok(forgotten)
}
