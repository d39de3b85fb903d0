//! Who has signed in, and the links by which somebody can.
//!
//! Both are in memory only: a restart signs everybody out. Of what a browser or a link holds only the hash is kept, so
//! that nothing here can be used to sign in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::{
    identity::{Caller, Who},
    ram::sign_in::{Duty, SignedIn},
};
use jomae_crypto::{hash::sha256, rng};
use zeroize::Zeroizing;

/// How long a link can be used, in seconds.
pub(crate) const LINK_SECS: i64 = 15 * 60;
/// How long a session lives without a request, in seconds.
const IDLE_SECS: i64 = 30 * 60;
/// How long a session lives at most, in seconds.
const SESSION_SECS_MAX: i64 = 8 * 3600;
/// Links that wait to be used; a further one takes the place of the oldest.
const LINKS_MAX: usize = 64;
/// Sessions of one person; a further one ends the one that was not used for the longest time.
const SESSIONS_OF_PERSON_MAX: usize = 8;
/// Sessions of one account; beyond, nobody of it signs in.
const SESSIONS_OF_ACCOUNT_MAX: usize = 1024;
/// Sessions of all accounts; beyond, nobody signs in.
const SESSIONS_MAX: usize = 4096;
/// Length of a secret, in bytes.
const SECRET_BYTES: usize = 32;
/// Length of the text of a secret, in characters.
pub(super) const SECRET_CHARS: usize = 43;
/// Longest user agent that is kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;

pub(super) type Digest = [u8; 32];

/// A session, as it is at the moment.
#[derive(Clone)]
pub(super) struct Session {
    /// By which it is listed and ended.
    pub(super) id: String,
    pub(super) signed_in: SignedIn,
    /// As the store knew him last.
    pub(super) caller: Caller,
    /// What he has to do before anything else.
    pub(super) duty: Option<Duty>,
    /// The MFA device that he is about to bind.
    pub(super) device: Option<Arc<NewDevice>>,
    /// What its forms send along.
    pub(super) form_token: String,
    pub(super) began: Timestamp,
    pub(super) last: Timestamp,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
}

/// An MFA device that was made in the session and is not bound yet.
pub(super) struct NewDevice {
    pub(super) serial: String,
    pub(super) seed: Zeroizing<String>,
    /// A PNG.
    pub(super) picture: Zeroizing<Vec<u8>>,
}

/// Links and sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    links: Mutex<Vec<Link>>,
    sessions: Mutex<HashMap<Digest, Session>>,
}

struct Link {
    digest: Digest,
    caller: Caller,
    expires: Timestamp,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn new_secret() -> Zeroizing<String> {
    let bytes: Zeroizing<[u8; SECRET_BYTES]> = Zeroizing::new(rng::public_array());
    Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))
}

pub(super) fn digest(purpose: &str, secret: &str) -> Digest {
    sha256(&[purpose.as_bytes(), &[0], secret.as_bytes()])
}

fn link_digest(token: &str) -> Digest {
    digest("jomae console link", token)
}

fn cookie_digest(cookie: &str) -> Digest {
    digest("jomae console session", cookie)
}

/// What tells a session to whoever has its cookie, and opens nothing.
pub(super) fn mark_of(cookie: &str) -> String {
    hex::encode(cookie_digest(cookie))
}

/// Whether a person has opened both: of an organization, one whom the provider calls the same, in the same role.
fn is_same_person(one: &Who, other: &Who) -> bool {
    match (one, other) {
        (Who::Session(one), Who::Session(other)) => {
            one.role_id == other.role_id && one.trusted.subject == other.trusted.subject
        }
        _ => one == other,
    }
}

impl Session {
    /// Whether it is the same person's: the account, the same user, or the same session of a role.
    pub(super) fn is_of_same(&self, other: &Self) -> bool {
        self.caller.account == other.caller.account && self.caller.who == other.caller.who
    }

    /// Whether a form was made for who is signed in here. Hashes are compared, so that the time tells nothing of the token.
    pub(super) fn owns(&self, form_token: &str) -> bool {
        digest("form", form_token) == digest("form", &self.form_token)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.0 - self.last.0 >= IDLE_SECS || now.0 - self.began.0 >= SESSION_SECS_MAX
    }
}

impl Sessions {
    /// A token that signs this caller in, once, within [`LINK_SECS`].
    pub(crate) fn make_link(&self, caller: Caller, now: Timestamp) -> Zeroizing<String> {
        let token = new_secret();
        let mut links = locked(&self.links);
        links.retain(|link| link.expires > now);
        if links.len() >= LINKS_MAX {
            links.remove(0);
        }
        links.push(Link { digest: link_digest(&token), caller, expires: Timestamp(now.0 + LINK_SECS) });
        token
    }

    /// Whom a token signs in; it is gone then.
    pub(super) fn take_link(&self, token: &str, now: Timestamp) -> Option<Caller> {
        let wanted = link_digest(token);
        let mut links = locked(&self.links);
        let at = links.iter().position(|link| link.digest == wanted)?;
        let link = links.remove(at);
        (link.expires > now).then_some(link.caller)
    }

    /// Begins a session. Gives what its cookie holds; none if there are too many.
    pub(super) fn begin(
        &self,
        signed_in: SignedIn,
        caller: Caller,
        source_ip: &str,
        user_agent: &str,
        now: Timestamp,
    ) -> Option<Zeroizing<String>> {
        let cookie = new_secret();
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| !session.is_over(now));
        let is_of_account = |session: &Session| session.caller.account == caller.account;
        let of_person = sessions.iter().filter(|(_, session)| is_of_account(session));
        let of_person = of_person.filter(|(_, session)| is_same_person(&session.caller.who, &caller.who));
        let of_person: Vec<(i64, Digest)> = of_person.map(|(digest, session)| (session.last.0, *digest)).collect();
        if of_person.len() >= SESSIONS_OF_PERSON_MAX {
            let oldest = of_person.iter().min().map(|(_, digest)| *digest);
            oldest.and_then(|digest| sessions.remove(&digest));
        }
        let of_account = sessions.values().filter(|session| is_of_account(session)).count();
        if of_account >= SESSIONS_OF_ACCOUNT_MAX || sessions.len() >= SESSIONS_MAX {
            return None;
        }
        let session = Session {
            id: hex::encode(rng::public_array::<8>()),
            signed_in,
            caller,
            duty: None,
            device: None,
            form_token: (*new_secret()).clone(),
            began: now,
            last: now,
            source_ip: source_ip.to_owned(),
            user_agent: user_agent.chars().take(USER_AGENT_CHARS_MAX).collect(),
        };
        sessions.insert(cookie_digest(&cookie), session);
        Some(cookie)
    }

    /// The session of a cookie, which this was a use of.
    pub(super) fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let mut sessions = locked(&self.sessions);
        let digest = cookie_digest(cookie);
        let session = sessions.get_mut(&digest)?;
        if session.is_over(now) {
            sessions.remove(&digest);
            return None;
        }
        session.last = now;
        Some(session.clone())
    }

    /// All sessions of an account, the newest first.
    pub(super) fn of(&self, account: &AccountId, now: Timestamp) -> Vec<Session> {
        let sessions = locked(&self.sessions);
        let own = sessions.values().filter(|session| session.caller.account == *account && !session.is_over(now));
        let mut own: Vec<Session> = own.cloned().collect();
        own.sort_by(|a, b| (b.began.0, &b.id).cmp(&(a.began.0, &a.id)));
        own
    }

    /// What a session keeps from now on of the sign-in. The cookie is another one then, and the one before is worth nothing.
    pub(super) fn renew(&self, cookie: &str, signed_in: SignedIn) -> Option<Zeroizing<String>> {
        let mut sessions = locked(&self.sessions);
        let session = sessions.remove(&cookie_digest(cookie))?;
        let cookie = new_secret();
        sessions.insert(cookie_digest(&cookie), Session { signed_in, ..session });
        Some(cookie)
    }

    /// The MFA device that a session is about to bind.
    pub(super) fn keep_device(&self, cookie: &str, device: Option<Arc<NewDevice>>) {
        if let Some(session) = locked(&self.sessions).get_mut(&cookie_digest(cookie)) {
            session.device = device;
        }
    }

    /// Ends the session of a mark, which nobody knows who has not had its cookie.
    pub(super) fn end_marked(&self, mark: &str) {
        let mut digest = Digest::default();
        if hex::decode_to_slice(mark, &mut digest).is_ok() {
            locked(&self.sessions).remove(&digest);
        }
    }

    /// Ends a session of an account by its id. Whether there was one.
    pub(super) fn end(&self, account: &AccountId, id: &str) -> bool {
        let mut sessions = locked(&self.sessions);
        let before = sessions.len();
        sessions.retain(|_, session| session.id != id || session.caller.account != *account);
        sessions.len() < before
    }
}

/// The value of one of our cookies in a `Cookie` header (RFC 6265 section 4.2). A name that stands there twice is none: two
/// readers could take different ones.
pub fn cookie<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let mut found = header.split(';').filter_map(|pair| {
        let (known, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        (known == name).then_some(value)
    });
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller(account: &str) -> Caller {
        Caller {
            account: AccountId::new(account).unwrap(),
            access_key_id: String::new(),
            who: Who::Root,
            signed_in: None,
        }
    }

    fn begin(sessions: &Sessions, at: Timestamp) -> Option<Zeroizing<String>> {
        let caller = caller(ACCOUNT);
        let signed_in = SignedIn::linked(&caller, at).unwrap();
        sessions.begin(signed_in, caller, "192.0.2.1", "agent", at)
    }

    const ACCOUNT: &str = "1234567890123456";

    #[test]
    fn a_link_works_once_and_for_a_time() {
        let sessions = Sessions::default();
        let now = Timestamp(1_000_000);
        let token = sessions.make_link(caller(ACCOUNT), now);
        assert_eq!(token.len(), SECRET_CHARS);
        assert!(sessions.take_link("other", now).is_none());
        assert!(sessions.take_link(&token, now).is_some());
        assert!(sessions.take_link(&token, now).is_none());
        let late = sessions.make_link(caller(ACCOUNT), now);
        assert!(sessions.take_link(&late, Timestamp(now.0 + LINK_SECS)).is_none());
        let first = sessions.make_link(caller(ACCOUNT), now);
        for _ in 0..LINKS_MAX {
            sessions.make_link(caller(ACCOUNT), now);
        }
        assert!(sessions.take_link(&first, now).is_none(), "the oldest made room");
    }

    #[test]
    fn sessions_end() {
        let sessions = Sessions::default();
        let now = Timestamp(1_000_000);
        let begin = |at| begin(&sessions, at).unwrap();
        let cookie = begin(now);
        let session = sessions.find(&cookie, now).unwrap();
        assert!(session.owns(&session.form_token.clone()) && !session.owns("") && !session.owns(&cookie));
        assert!(sessions.find("", now).is_none());
        // Without use.
        assert!(sessions.find(&cookie, Timestamp(now.0 + IDLE_SECS)).is_none());
        assert!(sessions.find(&cookie, now).is_none(), "it does not come back");
        // In spite of use.
        let cookie = begin(now);
        let uses = (1..).map(|n| Timestamp(now.0 + n * (IDLE_SECS - 1)));
        let end = uses.into_iter().find(|at| sessions.find(&cookie, *at).is_none()).unwrap();
        assert!(end.0 - now.0 >= SESSION_SECS_MAX && end.0 - now.0 < SESSION_SECS_MAX + IDLE_SECS);
        // By somebody of the account, and by nobody else.
        let cookie = begin(now);
        let id = sessions.find(&cookie, now).unwrap().id;
        let other = AccountId::new("1234567890123457").unwrap();
        assert!(!sessions.end(&other, &id) && sessions.find(&cookie, now).is_some());
        assert!(sessions.of(&other, now).is_empty());
        assert!(sessions.end(&caller(ACCOUNT).account, &id) && sessions.find(&cookie, now).is_none());
    }

    #[test]
    fn a_person_has_so_many_sessions_and_ends_nobody_elses() {
        let sessions = Sessions::default();
        let now = Timestamp(1_000_000);
        let of_other = begin(&sessions, now).unwrap();
        let user = Caller { who: Who::User { id: "2".to_owned(), name: "hanako".to_owned() }, ..caller(ACCOUNT) };
        let begin_as_user = |n: usize| {
            let at = Timestamp(now.0 + 1 + i64::try_from(n).unwrap());
            let signed_in = SignedIn::linked(&user, at).unwrap();
            sessions.begin(signed_in, user.clone(), "192.0.2.1", "agent", at).unwrap()
        };
        let first = begin_as_user(0);
        for n in 1..=SESSIONS_OF_PERSON_MAX {
            begin_as_user(n);
        }
        assert_eq!(sessions.of(&user.account, now).len(), SESSIONS_OF_PERSON_MAX + 1);
        assert!(sessions.find(&first, now).is_none() && sessions.find(&of_other, now).is_some());
    }

    #[test]
    fn a_renewed_session_has_another_cookie() {
        let sessions = Sessions::default();
        let now = Timestamp(1_000_000);
        let cookie = begin(&sessions, now).unwrap();
        let device = NewDevice { serial: "serial".into(), seed: String::new().into(), picture: Vec::new().into() };
        sessions.keep_device(&cookie, Some(Arc::new(device)));
        let before = sessions.find(&cookie, now).unwrap();
        let renewed = sessions.renew(&cookie, before.signed_in.clone()).unwrap();
        assert!(sessions.find(&cookie, now).is_none() && sessions.renew(&cookie, before.signed_in).is_none());
        let after = sessions.find(&renewed, now).unwrap();
        assert_eq!((&after.id, &after.device.unwrap().serial), (&before.id, &"serial".to_owned()));
    }

    #[test]
    fn cookies() {
        assert_eq!(cookie("a=1; b=2;c=3", "b"), Some("2"));
        assert_eq!(cookie("a=1; b=2;c=3", "c"), Some("3"));
        assert_eq!(cookie("b=1; b=2", "b"), None);
        assert_eq!(cookie("xb=1; b", "b"), None);
        assert_eq!(cookie("b==;", "b"), Some("="));
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in ".{0,200}") {
            if let Some(value) = cookie(&header, "a") {
                let pair = format!("a={value}");
                prop_assert!(header.contains(&pair) && !value.contains(';'));
            }
        }
    }
}
