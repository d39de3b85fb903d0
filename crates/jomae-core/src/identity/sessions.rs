//! Opened security tokens, so that not every call of a session opens its token and reads its policy anew.
//!
//! A session comes here once one of its signatures has proved right, so that nobody can fill the memory with tokens that
//! are none. It is found by the whole token, and never after it has expired.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jomae_api::{sign::SigningSecret, time::Timestamp};

use super::token::Session;
use crate::hashed::{HashKey, Prehashed, shard};

const SHARDS: usize = 64;
/// Sessions in each shard; the oldest give way. A session takes a few KiB.
const SHARD_SESSIONS_MAX: usize = 64;

/// What a token holds. No `Debug`.
pub(super) struct Opened {
    pub session: Arc<Session>,
    pub secret: SigningSecret,
}

impl Opened {
    fn is_valid(&self, now: Timestamp) -> bool {
        now.0 < self.session.expires
    }
}

/// The hash of a token.
#[derive(Clone, Copy)]
pub(super) struct TokenHash(u128);

/// The sessions that are in use.
pub struct Sessions {
    shards: Vec<Mutex<Shard>>,
    key: HashKey,
}

#[derive(Default)]
struct Shard {
    opened: HashMap<u128, Arc<Opened>, Prehashed>,
    /// The hashes of `opened`, oldest first.
    order: VecDeque<u128>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), key: HashKey::random() }
    }
}

impl Sessions {
    fn shard(&self, hash: u128) -> MutexGuard<'_, Shard> {
        self.shards[shard(hash, SHARDS)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the token holds, or where to keep it.
    pub(super) fn get(&self, token: &str, now: Timestamp) -> Result<Arc<Opened>, TokenHash> {
        let hash = self.key.hash(&[token]);
        self.shard(hash).opened.get(&hash).filter(|opened| opened.is_valid(now)).cloned().ok_or(TokenHash(hash))
    }

    /// Keeps an opened token, whose signature has proved right.
    pub(super) fn keep(&self, TokenHash(hash): TokenHash, opened: Arc<Opened>) {
        let mut shard = self.shard(hash);
        if shard.opened.insert(hash, opened).is_some() {
            return;
        }
        shard.order.push_back(hash);
        if shard.order.len() > SHARD_SESSIONS_MAX
            && let Some(oldest) = shard.order.pop_front()
        {
            shard.opened.remove(&oldest);
        }
    }

    /// Drops the sessions that have expired, and their secrets with them.
    pub fn sweep(&self, now: Timestamp) {
        for shard in &self.shards {
            let Shard { opened, order } = &mut *shard.lock().unwrap_or_else(PoisonError::into_inner);
            opened.retain(|_, opened| opened.is_valid(now));
            order.retain(|hash| opened.contains_key(hash));
        }
    }

    /// How many sessions are held.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).opened.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use jomae_api::names::AccountId;
    use jomae_crypto::secret::SecretBytes;

    use super::*;
    use crate::{
        identity::token::{Trusted, TrustedPrincipal},
        stored::Derived,
    };

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn opened(expires: i64) -> Arc<Opened> {
        let account = AccountId::new("1234567890123456").unwrap();
        let who = TrustedPrincipal::User { account: account.clone(), name: "carl".to_owned() };
        let session = Session {
            access_key_id: "STS.x".to_owned(),
            account,
            role_id: "1".to_owned(),
            role_name: "r".to_owned(),
            session_name: "s".to_owned(),
            created: NOW.0,
            expires,
            policy: None,
            policy_in_memory: Derived::default(),
            source_identity: None,
            trust_epoch: 0,
            trusted: Trusted {
                who,
                source_ip: String::new(),
                external_id: None,
                issuer: None,
                audience: None,
                subject: None,
            },
        };
        Arc::new(Opened { session: Arc::new(session), secret: SigningSecret::new(SecretBytes::random(30)) })
    }

    fn keep(sessions: &Sessions, token: &str, expires: i64) {
        let place = sessions.get(token, NOW).err().expect("absent");
        sessions.keep(place, opened(expires));
    }

    #[test]
    fn never_after_the_end() {
        let sessions = Sessions::default();
        keep(&sessions, "token", NOW.0 + 10);
        assert!(sessions.get("token", Timestamp(NOW.0 + 9)).is_ok());
        assert!(sessions.get("token ", NOW).is_err());
        assert!(sessions.get("token", Timestamp(NOW.0 + 10)).is_err());
        sessions.sweep(Timestamp(NOW.0 + 9));
        assert_eq!(sessions.len(), 1);
        sessions.sweep(Timestamp(NOW.0 + 10));
        assert!(sessions.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let sessions = Sessions::default();
        for n in 0..20_000 {
            let token = format!("token {n}");
            keep(&sessions, &token, NOW.0 + 10);
            assert!(sessions.get(&token, NOW).is_ok());
        }
        assert_eq!(sessions.len(), SHARDS * SHARD_SESSIONS_MAX);
        sessions.sweep(Timestamp(NOW.0 + 10));
        assert!(sessions.shards.iter().all(|shard| shard.lock().unwrap().order.is_empty()));
    }
}
