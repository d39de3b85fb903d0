//! Those who have shown a password and have to show a code of a device or a passkey. In memory; whoever has no right password is not
//! among them, so strangers cannot fill it.

use std::{collections::HashMap, sync::Mutex};

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::ram::sign_in::Password;
use zeroize::Zeroizing;

use super::super::sessions::{Digest, digest, locked, new_secret};

/// How long a password stays shown, in seconds.
pub(super) const WAIT_SECS: i64 = 300;
/// How many can wait; a further one takes the place of whoever has waited longest.
const WAITERS_MAX: usize = 1024;

/// Somebody who has shown a password.
pub(super) struct Waiter<P = Password> {
    pub(super) shown: P,
    pub(super) account: AccountId,
    pub(super) user_name: String,
    /// The page to go to.
    pub(super) back: String,
}

/// All of them, by the hash of what their browsers hold.
pub(in super::super) struct Waiting<P = Password>(Mutex<HashMap<Digest, (Waiter<P>, Timestamp)>>);

impl<P> Default for Waiting<P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

fn digest_of(cookie: &str) -> Digest {
    digest("jomae console code", cookie)
}

impl<P> Waiting<P> {
    /// Lets somebody wait. Gives what the browser has to hold.
    pub(super) fn add(&self, waiter: Waiter<P>, now: Timestamp) -> Zeroizing<String> {
        let cookie = new_secret();
        let mut waiters = locked(&self.0);
        waiters.retain(|_, (_, expires)| *expires > now);
        if waiters.len() >= WAITERS_MAX {
            let oldest = waiters.iter().min_by_key(|(_, (_, expires))| expires.0).map(|(digest, _)| *digest);
            oldest.and_then(|digest| waiters.remove(&digest));
        }
        waiters.insert(digest_of(&cookie), (waiter, Timestamp(now.0 + WAIT_SECS)));
        cookie
    }

    /// What there is to see of whoever waits.
    pub(super) fn see<T>(&self, cookie: &str, now: Timestamp, see: impl FnOnce(&Waiter<P>) -> T) -> Option<T> {
        let waiters = locked(&self.0);
        let (waiter, expires) = waiters.get(&digest_of(cookie))?;
        (*expires > now).then(|| see(waiter))
    }

    /// Takes somebody out, while a code is looked at: one at a time.
    pub(super) fn take(&self, cookie: &str, now: Timestamp) -> Option<(Waiter<P>, Timestamp)> {
        locked(&self.0).remove(&digest_of(cookie)).filter(|(_, expires)| *expires > now)
    }

    /// Lets somebody try another code, for no longer than before.
    pub(super) fn put_back(&self, cookie: &str, waiter: Waiter<P>, expires: Timestamp) {
        locked(&self.0).insert(digest_of(cookie), (waiter, expires));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(user: &str) -> Waiter<()> {
        let account = AccountId::new("1234567890123456").unwrap();
        Waiter { shown: (), account, user_name: user.to_owned(), back: "/".to_owned() }
    }

    fn user_of(waiting: &Waiting<()>, cookie: &str, now: Timestamp) -> Option<String> {
        waiting.see(cookie, now, |waiter| waiter.user_name.clone())
    }

    #[test]
    fn a_password_is_shown_for_a_time_and_used_by_one() {
        let (waiting, now) = (Waiting::default(), Timestamp(1_000_000));
        let cookie = waiting.add(waiter("hanako"), now);
        assert_eq!(user_of(&waiting, &cookie, now).as_deref(), Some("hanako"));
        assert!(user_of(&waiting, "", now).is_none() && waiting.take("other", now).is_none());
        let (taken, expires) = waiting.take(&cookie, now).unwrap();
        assert!(waiting.take(&cookie, now).is_none());
        waiting.put_back(&cookie, taken, expires);
        let late = Timestamp(now.0 + WAIT_SECS);
        assert!(user_of(&waiting, &cookie, late).is_none() && waiting.take(&cookie, late).is_none());
    }

    #[test]
    fn only_so_many_wait() {
        let (waiting, now) = (Waiting::default(), Timestamp(1_000_000));
        let first = waiting.add(waiter("first"), now);
        for _ in 0..WAITERS_MAX {
            waiting.add(waiter("later"), Timestamp(now.0 + 1));
        }
        assert!(user_of(&waiting, &first, now).is_none());
        assert_eq!(waiting.0.lock().unwrap().len(), WAITERS_MAX);
    }
}
