//! The keys of one provider, kept: when they are fetched anew, and for how long they serve if that fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jomae_api::time::Timestamp;
use jomae_core::oidc::OidcError;

use super::{fetch::Origin, keys::KeySet};
use crate::logging::Seldom;

/// Seconds for which keys are used without asking again.
const FRESH_SECS: i64 = 600;
/// Seconds between two fetches, however many tokens name unknown keys or have no keys to be checked with.
const RETRY_SECS: i64 = 30;
/// Seconds for which keys serve while new ones cannot be got.
const KEEP_SECS: i64 = 86_400;

/// Keys of one provider. One fetch at a time, shared by all who wait for it.
pub struct KeySource {
    /// For the log.
    arn: String,
    origin: Origin,
    kept: Mutex<Kept>,
    /// Held by whoever fetches.
    turn: Arc<tokio::sync::Mutex<()>>,
    failures: Seldom,
}

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    /// When the last fetch ended.
    tried: Option<Timestamp>,
    failure: String,
}

/// Whether less than `secs` have passed. A call that began a little before counts too; a clock that was set back by more
/// makes everything old.
fn within(since: Timestamp, now: Timestamp, secs: i64) -> bool {
    (-RETRY_SECS..secs).contains(&now.0.saturating_sub(since.0))
}

impl Kept {
    /// The answer for now; `None` if a fetch may give a better one.
    fn answer(&self, now: Timestamp, wanted: &dyn Fn(&KeySet) -> bool) -> Option<Result<Arc<KeySet>, OidcError>> {
        let fresh = |(keys, at): &&(Arc<KeySet>, Timestamp)| within(*at, now, FRESH_SECS) && wanted(keys);
        if let Some((keys, _)) = self.keys.as_ref().filter(fresh) {
            return Some(Ok(Arc::clone(keys)));
        }
        self.tried.filter(|at| within(*at, now, RETRY_SECS)).map(|_| self.last_resort(now))
    }

    fn last_resort(&self, now: Timestamp) -> Result<Arc<KeySet>, OidcError> {
        let usable = self.keys.as_ref().filter(|(_, at)| now.0.saturating_sub(at.0) < KEEP_SECS);
        usable.map(|(keys, _)| Arc::clone(keys)).ok_or_else(|| OidcError::KeysUnavailable(self.failure.clone()))
    }
}

impl KeySource {
    pub fn new(arn: String, origin: Origin) -> Self {
        Self { arn, origin, kept: Mutex::default(), turn: Arc::default(), failures: Seldom::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, fetched anew if they are old or have none that is `wanted`, and if the last fetch is long enough ago.
    pub async fn keys(
        self: &Arc<Self>,
        now: Timestamp,
        wanted: &(dyn Fn(&KeySet) -> bool + Sync),
    ) -> Result<Arc<KeySet>, OidcError> {
        if let Some(answer) = self.kept().answer(now, wanted) {
            return answer;
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if let Some(answer) = self.kept().answer(now, wanted) {
            return answer;
        }
        let source = Arc::clone(self);
        // A task of its own: a caller who goes away must not end the fetch for others, nor make room for another one.
        let fetch = tokio::spawn(async move {
            let _turn = turn;
            source.fetch(now).await;
        });
        fetch.await.map_err(|_| OidcError::KeysUnavailable("the fetch was lost".into()))?;
        self.kept().last_resort(now)
    }

    async fn fetch(&self, now: Timestamp) {
        let got = self.origin.fetch().await;
        let mut kept = self.kept();
        kept.tried = Some(now);
        match got {
            Ok(keys) => kept.keys = Some((Arc::new(keys), now)),
            Err(cause) => {
                if let Some(times) = self.failures.due() {
                    tracing::warn!(provider = self.arn, cause, times, "cannot fetch the keys of an identity provider");
                }
                kept.failure = cause;
            }
        }
    }
}
