//! Signing in as a person: password, code of an MFA device, and what a session may do afterwards. Knows no web.
//!
//! A sign-in is [`verify_password`], then [`verify_totp`] or [`verify_second_passkey`] if the user has a device or a
//! passkey, or else [`verify_passkey`] alone, and ends in [`SignedIn`]: what a session keeps. With every call,
//! [`SignedIn::caller`] makes of it the caller that [`crate::run`] takes, from the records of that moment: a session ends
//! with the user, the login profile, the password, the MFA device and the passkey.
//! Whoever was let in by a link or by a provider of identities has a [`SignedIn`] too.
//!
//! **Guessing.** Mistakes are counted for a user and a place: the browser, if the user has signed in with it before
//! ([`browser_token`]), else the source network. As many as the account's rules say, within an hour, lock that
//! place out for an hour, and no other: a stranger cannot lock somebody out, not even from the same network. All places
//! from which the user has not signed in lately share a further number of mistakes, so that a stranger with many networks
//! has few guesses; the user's own browsers and networks do not count to them. A network may also have only so many
//! passwords hashed in a second, whoever they are for. Whom nobody knows is answered like whoever is wrong, after the
//! same work.

use std::sync::Arc;

use jomae_api::{
    actions::ram::mfa::SerialNumber,
    error::Refusal,
    names::{AccountId, RegionId},
    time::Timestamp,
};
use jomae_crypto::{password, secret::SecretBytes, totp};

use super::{
    login::{DeviceOfRecord, LoginRecord, MfaDeviceRecord, PasswordPolicyRecord, path},
    passkeys,
    record::{NameRecord, UserRecord, path as ram_path},
};
use crate::{
    audit::{self, Durability, Passage, SignInEvent, SignInIdentity},
    call::new_request_id,
    error::{Error, Fault},
    identity::{Caller, SignInFacts, Who},
    lockout::{Lockout, Rule, SourceId},
    network::{self, NetworkMeter},
    record::{AccountRecord, path as account_path},
    run::Kms,
    tx::{CommitOutcome, Vault},
    wait::{Effort, offload},
};

mod browser;
mod passkey;
mod session;

pub use browser::{KnownBrowser, browser_token};
pub use passkey::{
    Allowed, NewChallenge, PasskeyAnswer, challenge_to_make, challenge_to_sign_in, passkeys_for, verify_passkey,
    verify_second_passkey,
};
pub use session::{Duty, NoCaller, SignedIn, Standing};

use passkey::Proved;
use session::SignedInAs;

/// Wrong passwords or codes that lock a place out, where the account's rules set no number.
pub const FAILURES_MAX: u32 = 10;
/// How long they count, and how long a lock lasts, in seconds (page "SetPasswordPolicy").
pub const LOCK_SECS: i64 = 3600;
/// Mistakes, of all places together from which a user has not signed in lately, that lock these places out.
pub const STRANGERS_FAILURES_MAX: u32 = 100;
/// Passwords that are hashed for one source network, each second.
const ATTEMPTS_PER_SEC: u32 = 2;
/// How often the use of a code is tried while its record keeps changing.
const COMMIT_ATTEMPTS_MAX: u32 = 8;

const PLACES: Rule = Rule {
    failures_max: FAILURES_MAX,
    window_secs: LOCK_SECS,
    first_lock_secs: LOCK_SECS,
    lock_secs_max: LOCK_SECS,
    // A password can be guessed.
    trusts_known: false,
};

/// Who may try to sign in. In memory; bounded, and lost at a restart.
pub struct SignInGuard {
    places: Lockout,
    strangers: Lockout,
    networks: NetworkMeter,
}

impl Default for SignInGuard {
    fn default() -> Self {
        Self {
            places: Lockout::new(PLACES),
            strangers: Lockout::new(Rule { failures_max: STRANGERS_FAILURES_MAX, ..PLACES }),
            networks: NetworkMeter::new(ATTEMPTS_PER_SEC),
        }
    }
}

impl SignInGuard {
    /// A user, and the network that somebody is in who says to be that user. With another password the counts begin anew.
    fn network_of(&self, account: &AccountId, id: &str, generation: u64, source_ip: &str) -> SourceId {
        let generation = generation.to_string();
        self.places.place_of(&[account.as_str(), id, &generation, "network", &network::of(source_ip)])
    }

    /// Counts a mistake.
    fn failed(&self, place: SourceId, policy: &PasswordPolicyRecord, now: Timestamp) {
        let max = if policy.max_attempts == 0 { FAILURES_MAX } else { policy.max_attempts };
        self.places.failed_of(place, now, max);
    }

    /// How often a place was locked out, since the start.
    pub fn locks(&self) -> u64 {
        self.places.locks() + self.strangers.locks()
    }
}

/// Somebody who says to be a user of an account, and from where.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub account: &'a AccountId,
    pub user_name: &'a str,
    pub source_ip: &'a str,
    /// What [`browser_token`] gave to the browser, if it shows something of that kind.
    pub browser: Option<&'a str>,
    pub user_agent: &'a str,
    /// The Host that the browser named.
    pub host: &'a str,
    /// The page to which the sign-in leads.
    pub callback_url: &'a str,
    pub region: &'a RegionId,
    pub now: Timestamp,
    /// A steady clock in nanoseconds, for rates.
    pub steady_ns: u64,
}

/// Why somebody has not signed in.
#[derive(Debug)]
pub enum NotSignedIn {
    /// No such user, no login profile, or another password: which of them is not told.
    Wrong,
    /// Another code, or one that was used before.
    WrongCode,
    /// A passkey that is not one of the user, or an answer of it that does not hold.
    WrongPasskey,
    /// Too many mistakes, or too many attempts: again after so many seconds.
    Locked(i64),
    /// The password is right, but too old, and the account's rules are hard: whoever administers must give another.
    Expired,
    /// The session has ended since the password was shown: begin anew.
    Ended,
    /// The password has to be hashed, and too many others wait.
    Busy,
    Failed(Fault),
}

impl<E: Into<Error>> From<E> for NotSignedIn {
    fn from(error: E) -> Self {
        match error.into() {
            Error::Failed(fault) => Self::Failed(fault),
            Error::Refused(Refusal::UserThrottled) => Self::Busy,
            Error::Refused(_) | Error::Denied(..) => Self::Wrong,
        }
    }
}

/// What somebody has shown to sign in, beside or in the place of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Factor {
    /// A password and nothing else.
    None,
    /// The code of a device, behind a password.
    Code,
    /// A passkey, by its id: alone, or behind a password.
    Passkey { id: String, alone: bool },
}

impl Factor {
    /// Whether it makes two factors: a passkey alone is one that the authenticator has, and one that it has verified.
    const fn is_second(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// How an event calls the way; none for those that are as in the cloud.
    const fn way(&self) -> Option<&'static str> {
        match self {
            Self::None | Self::Code => None,
            Self::Passkey { alone: true, .. } => Some("passkey"),
            Self::Passkey { alone: false, .. } => Some("password and passkey"),
        }
    }
}

/// A password was right. Not yet a sign-in if the user has an MFA device or a passkey.
pub struct Password {
    account: AccountId,
    user: Arc<UserRecord>,
    generation: u64,
    device: Option<String>,
    has_passkeys: bool,
    policy: PasswordPolicyRecord,
}

/// Looks at a password. Right ones cost as much work as wrong ones, and as those of whom nobody knows: one hash, in the same queue,
/// and one event on disk.
///
/// # Errors
/// [`NotSignedIn`]. What is wrong is recorded as a `ConsoleSignin` event; what is not looked at is not.
pub async fn verify_password(kms: &Kms, attempt: &Attempt<'_>, given: SecretBytes) -> Result<Password, NotSignedIn> {
    let Attempt { account, now, .. } = *attempt;
    let guard = &kms.sign_in;
    expect_serving(kms)?;
    guard
        .networks
        .admit(attempt.source_ip, attempt.steady_ns)
        .map_err(|wait_ms| NotSignedIn::Locked(i64::from(wait_ms.div_ceil(1000))))?;
    // What was taken away on another node holds here.
    kms.vault.catch_up().await?;
    let found = find(&kms.vault, account, attempt.user_name)?;
    let policy = PasswordPolicyRecord::of(&mut kms.vault.reading(), account)?;
    let places = Places::of(kms, attempt, found.as_ref().map(|(user, login)| (&*user.id, login.generation)));
    if let Some(secs) = places.locked_secs(guard, now) {
        return Err(NotSignedIn::Locked(secs));
    }
    let login = found.as_ref().map(|(_, login)| login.password.clone());
    let is_right = offload(&*kms.pool, Effort::Password, account, move || {
        let Some(kept) = login else {
            password::pretend(&given);
            return false;
        };
        kept.matches(&given)
    });
    let is_right = is_right.await.map_err(Error::from)?;
    // Attempts of the same moment have all come so far; beyond the limit they learn nothing.
    if let Some(secs) = places.locked_secs(guard, now) {
        return Err(NotSignedIn::Locked(secs));
    }
    let (user, login) = match found {
        Some(found) if is_right => found,
        found => {
            places.failed(guard, &policy, now);
            let user = found.map(|(user, _)| user);
            record(kms, attempt, user.as_deref(), Factor::None, Some(WRONG)).await?;
            return Err(NotSignedIn::Wrong);
        }
    };
    if policy.hard_expiry && login.is_expired(&policy, now.0) {
        record(kms, attempt, Some(&user), Factor::None, Some(EXPIRED)).await?;
        return Err(NotSignedIn::Expired);
    }
    let (device, has_passkeys) = second_factors(&kms.vault, account, &user.id)?;
    Ok(Password { account: account.clone(), user, generation: login.generation, device, has_passkeys, policy })
}

const WRONG: (&str, &str) = ("LoginFailed", "The user name or the password is incorrect.");
const WRONG_CODE: (&str, &str) = ("CheckAuthenticationCodeFail", "The MFA code is incorrect, or was used before.");
const EXPIRED: (&str, &str) = ("PasswordExpired", "The password has expired.");

impl Password {
    /// Whether a second factor is asked for: a code of an MFA device, or a passkey.
    pub const fn needs_second(&self) -> bool {
        self.takes_code() || self.takes_passkey()
    }

    /// Whether a code of an MFA device can be the second factor.
    pub const fn takes_code(&self) -> bool {
        self.device.is_some()
    }

    /// Whether a passkey can be the second factor.
    pub const fn takes_passkey(&self) -> bool {
        self.has_passkeys
    }

    /// Ends a sign-in of a user who has neither MFA device nor passkey.
    ///
    /// # Errors
    /// [`NotSignedIn::WrongCode`] if there is one.
    pub async fn without_second(self, kms: &Kms, attempt: &Attempt<'_>) -> Result<SignedIn, NotSignedIn> {
        // It may have been bound since the password was shown.
        let (device, has_passkeys) = second_factors(&kms.vault, &self.account, &self.user.id)?;
        if self.needs_second() || device.is_some() || has_passkeys {
            return Err(NotSignedIn::WrongCode);
        }
        self.done(kms, attempt, Factor::None).await
    }

    async fn done(self, kms: &Kms, attempt: &Attempt<'_>, factor: Factor) -> Result<SignedIn, NotSignedIn> {
        let Self { account, user, generation, .. } = self;
        Proved { account, user, generation }.done(kms, attempt, factor).await
    }
}

/// The name of a user's MFA device, and whether there are passkeys.
fn second_factors(vault: &Vault, account: &AccountId, user_id: &str) -> Result<(Option<String>, bool), Fault> {
    let mut tx = vault.reading();
    let device = tx.get::<DeviceOfRecord>(&path::device_of(account, user_id))?;
    Ok((device.map(|device| device.device.clone()), passkeys::has_any(&mut tx, account, user_id)?))
}

/// Looks at the code of the user's MFA device, which is accepted once, and ends the sign-in.
///
/// # Errors
/// [`NotSignedIn`]. The password that was shown stays shown: another code can be tried, until the place is locked out.
pub async fn verify_totp(
    kms: &Kms,
    attempt: &Attempt<'_>,
    shown: Password,
    code: &SecretBytes,
) -> Result<SignedIn, (Option<Password>, NotSignedIn)> {
    match use_code(kms, attempt, &shown, code).await {
        Ok(()) => shown.done(kms, attempt, Factor::Code).await.map_err(|error| (None, error)),
        Err(error) => {
            let keeps = !matches!(error, NotSignedIn::Ended);
            Err((keeps.then_some(shown), error))
        }
    }
}

async fn use_code(kms: &Kms, attempt: &Attempt<'_>, shown: &Password, code: &SecretBytes) -> Result<(), NotSignedIn> {
    let Password { account, user, generation, device, policy, .. } = shown;
    let (guard, now) = (&kms.sign_in, attempt.now);
    expect_serving(kms)?;
    kms.vault.catch_up().await?;
    let name = device.clone().ok_or(NotSignedIn::Ended)?;
    let serial = SerialNumber { account: account.clone(), name };
    let places = Places::of(kms, attempt, Some((&user.id, *generation)));
    if let Some(secs) = places.locked_secs(guard, now) {
        return Err(NotSignedIn::Locked(secs));
    }
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        let mut tx = kms.vault.writing();
        let login = tx.get::<LoginRecord>(&path::login(account, &user.id))?;
        let at = path::device(account, &serial.name);
        let record_of_device = tx.get::<MfaDeviceRecord>(&at)?;
        let is_theirs =
            |record: &Arc<MfaDeviceRecord>| record.bound.as_ref().is_some_and(|(bound_to, _)| *bound_to == user.id);
        let (Some(login), Some(device)) = (login, record_of_device.filter(is_theirs)) else {
            return Err(NotSignedIn::Ended);
        };
        if login.generation != *generation {
            return Err(NotSignedIn::Ended);
        }
        let seed = device.seed(kms.vault.keyring(), &serial)?;
        let step = totp::step_of(&seed, code, u64::try_from(now.0).unwrap_or(0));
        let Some(step) = step.filter(|step| *step > device.last_step) else {
            places.failed(guard, policy, now);
            record(kms, attempt, Some(user), Factor::None, Some(WRONG_CODE)).await?;
            return Err(NotSignedIn::WrongCode);
        };
        tx.put(at, &MfaDeviceRecord { last_step: step, ..(*device).clone() })?;
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(());
        }
    }
    Err(NotSignedIn::Failed(Fault::unavailable("the record of an MFA device kept changing")))
}

/// The places at which a mistake counts.
pub(crate) struct Places {
    own: SourceId,
    /// What all strangers share; none for a place from which the user has signed in lately.
    strangers: Option<SourceId>,
    /// By what the network is known again after a sign-in; none for a browser, which knows it itself.
    network: Option<SourceId>,
}

impl Places {
    /// `user`: id, and generation of the login profile. Whom nobody knows has places by the name alone.
    fn of(kms: &Kms, attempt: &Attempt<'_>, user: Option<(&str, u64)>) -> Self {
        let (guard, account) = (&kms.sign_in, attempt.account);
        let Some((id, generation)) = user else {
            let name = format!("name {}", attempt.user_name);
            let own = guard.network_of(account, &name, 0, attempt.source_ip);
            let strangers = Some(guard.strangers.place_of(&[account.as_str(), &name]));
            return Self { own, strangers, network: None };
        };
        if let Some(browser) = browser::known(kms.vault.keyring(), attempt, id) {
            let generation = generation.to_string();
            let own = guard.places.place_of(&[account.as_str(), id, &generation, "browser", &browser]);
            return Self { own, strangers: None, network: None };
        }
        Self::of_network(guard, account, (id, generation), attempt.source_ip, attempt.now)
    }

    /// Those of a user, by id and generation of the login profile, whom nothing but the address tells from others.
    pub(crate) fn of_network(
        guard: &SignInGuard,
        account: &AccountId,
        (id, generation): (&str, u64),
        source_ip: &str,
        now: Timestamp,
    ) -> Self {
        let own = guard.network_of(account, id, generation, source_ip);
        let network = guard.strangers.place_of(&[account.as_str(), id, "network", &network::of(source_ip)]);
        let strangers = guard.strangers.place_of(&[account.as_str(), id, &generation.to_string()]);
        let is_known = guard.strangers.is_known(network, now);
        Self { own, strangers: (!is_known).then_some(strangers), network: Some(network) }
    }

    /// For how many seconds nothing from there is looked at. None: it is.
    pub(crate) fn locked_secs(&self, guard: &SignInGuard, now: Timestamp) -> Option<i64> {
        let of_strangers = self.strangers.and_then(|place| guard.strangers.locked_secs(place, now));
        guard.places.locked_secs(self.own, now).max(of_strangers)
    }

    /// The same, where nothing can be guessed: what strangers do elsewhere does not count.
    fn own_locked_secs(&self, guard: &SignInGuard, now: Timestamp) -> Option<i64> {
        guard.places.locked_secs(self.own, now)
    }

    /// Counts a mistake.
    pub(crate) fn failed(&self, guard: &SignInGuard, policy: &PasswordPolicyRecord, now: Timestamp) {
        guard.failed(self.own, policy, now);
        if let Some(place) = self.strangers {
            guard.strangers.failed(place, now);
        }
    }

    fn succeeded(&self, guard: &SignInGuard, now: Timestamp) {
        guard.places.succeeded(self.own, now);
        if let Some(network) = self.network {
            guard.strangers.succeeded(network, now);
        }
    }
}

/// Whether this node may answer, and what it does can be recorded.
fn expect_serving(kms: &Kms) -> Result<(), Fault> {
    if let Some(cluster) = kms.vault.cluster() {
        cluster.serving().map_err(Fault::unavailable)?;
    }
    if kms.audit.is_writable() { Ok(()) } else { Err(Fault::unavailable("the audit log cannot be written")) }
}

/// A user who may sign in.
type Known = (Arc<UserRecord>, Arc<LoginRecord>);

/// The user of this name and the login profile, if there are both in an account that is not shut.
fn find(vault: &Vault, account: &AccountId, name: &str) -> Result<Option<Known>, Fault> {
    let mut tx = vault.reading();
    if tx.get::<AccountRecord>(&account_path::account(account))?.is_none_or(|account| account.disabled) {
        return Ok(None);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '_' | '-');
    if !jomae_api::limits::RAM_NAME_CHARS.contains(&name.len()) || !name.chars().all(is_name) {
        return Ok(None);
    }
    let Some(named) = tx.get::<NameRecord>(&ram_path::name(account, ram_path::Entity::User, name))? else {
        return Ok(None);
    };
    let user = tx.get::<UserRecord>(&ram_path::user(account, &named.id))?;
    let login = tx.get::<LoginRecord>(&path::login(account, &named.id))?;
    Ok(user.zip(login))
}

/// Puts the event of a sign-in of a user on the log, before anybody is told how it went.
async fn record(
    kms: &Kms,
    attempt: &Attempt<'_>,
    user: Option<&UserRecord>,
    factor: Factor,
    failure: Option<(&str, &str)>,
) -> Result<(), Fault> {
    let (mfa, way) = (failure.is_none() && factor.is_second(), factor.way());
    let Some(user) = user else {
        // Of an account that nobody has, too: whoever does not have to wait for the disk would know that there is none.
        return append(kms, attempt, SignInIdentity::Stranger(attempt.account), (mfa, way), failure).await;
    };
    let caller = Caller {
        account: attempt.account.clone(),
        access_key_id: String::new(),
        who: Who::User { id: user.id.clone(), name: user.name.clone() },
        signed_in: None,
    };
    append(kms, attempt, SignInIdentity::Known(&caller), (mfa, way), failure).await
}

async fn append(
    kms: &Kms,
    attempt: &Attempt<'_>,
    who: SignInIdentity<'_>,
    (mfa, way): (bool, Option<&str>),
    failure: Option<(&str, &str)>,
) -> Result<(), Fault> {
    append_passage(kms, attempt, who, Passage::In { callback_url: attempt.callback_url, mfa, way, failure }).await
}

async fn append_passage(
    kms: &Kms,
    attempt: &Attempt<'_>,
    who: SignInIdentity<'_>,
    passage: Passage<'_>,
) -> Result<(), Fault> {
    let event = audit::sign_in_event(
        &SignInEvent {
            now: attempt.now,
            region: attempt.region,
            host: attempt.host,
            source_ip: attempt.source_ip,
            user_agent: attempt.user_agent,
            who,
            passage,
        },
        &new_request_id(),
    );
    kms.audit.append(&event, Durability::OnDisk).done.wait().await.map_err(Fault::unavailable)
}
