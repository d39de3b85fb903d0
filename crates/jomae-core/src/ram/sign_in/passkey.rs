//! Signing in with a passkey: alone, or as the second factor behind a password.
//!
//! Alone it names its user by the handle that the authenticator keeps, and the authenticator has to have verified who is
//! there. Nothing can be guessed here, so a mistake counts at its place alone: strangers, who share what they may guess of a
//! password, do not keep anybody from signing in with a passkey.

use std::sync::Arc;

use jomae_api::names::AccountId;

use super::{
    super::{
        login::{LoginRecord, PasswordPolicyRecord, path as login_path},
        passkeys::{self, Challenge, ChallengeFor, PasskeyRecord, path},
        record::{UserRecord, path as ram_path},
    },
    Attempt, COMMIT_ATTEMPTS_MAX, Factor, NotSignedIn, Password, Places, SignInFacts, SignedIn, SignedInAs,
    expect_serving, record,
};
use crate::{
    error::Fault,
    record::{AccountRecord, path as account_path},
    run::Kms,
    tx::{CommitOutcome, Vault},
    webauthn::{Answer, Expected, Known, Mistake, verify_use},
};

const WRONG: (&str, &str) = ("PasskeyFailed", "The passkey is not one of the user, or its answer is not valid.");
const COPIED: (&str, &str) = (
    "PasskeyCounterWentBack",
    "The signature counter of the passkey has not gone on: there may be a copy of the authenticator.",
);

/// What a browser has sent for a passkey.
#[derive(Clone, Copy)]
pub struct PasskeyAnswer<'a> {
    /// The sealed challenge that the browser has kept.
    pub challenge: &'a str,
    pub credential_id: &'a [u8],
    pub answer: Answer<'a>,
}

/// What a page needs to ask for a passkey of a user.
pub struct Allowed {
    pub credential_id: Vec<u8>,
    pub transports: Vec<String>,
}

/// A challenge, and the text by which its answer is known again.
pub struct NewChallenge {
    pub challenge: Challenge,
    pub sealed: String,
}

fn new_challenge(kms: &Kms, origin: &str, of: ChallengeFor, now: i64) -> Result<NewChallenge, Fault> {
    let challenge = Challenge::new(origin, of, now);
    let sealed = challenge.seal(kms.vault.keyring())?;
    Ok(NewChallenge { challenge, sealed })
}

/// To sign in with a passkey alone, whoever it is.
pub fn challenge_to_sign_in(kms: &Kms, origin: &str, now: i64) -> Result<NewChallenge, Fault> {
    new_challenge(kms, origin, ChallengeFor::SignIn, now)
}

/// For a user who makes a passkey.
pub fn challenge_to_make(
    kms: &Kms,
    origin: &str,
    (account, user_id): (&AccountId, &str),
    now: i64,
) -> Result<NewChallenge, Fault> {
    new_challenge(kms, origin, ChallengeFor::make(account, user_id), now)
}

/// The passkeys of a user for one relying party.
pub fn passkeys_for(vault: &Vault, (account, user_id): (&AccountId, &str), rp_id: &str) -> Result<Vec<Allowed>, Fault> {
    let all = passkeys::all(&mut vault.reading(), account, user_id)?;
    let here = all.into_iter().filter(|passkey| passkey.rp_id == rp_id);
    let allowed = |passkey: Arc<PasskeyRecord>| Allowed {
        credential_id: passkey.credential_id.0.clone(),
        transports: passkey.transports.clone(),
    };
    Ok(here.map(allowed).collect())
}

impl Password {
    /// For the second factor of whoever has shown this password, with the passkeys that can be it.
    pub fn challenge(&self, kms: &Kms, origin: &str, now: i64) -> Result<(NewChallenge, Vec<Allowed>), Fault> {
        let new = new_challenge(kms, origin, ChallengeFor::second(&self.account, &self.user.id), now)?;
        let allowed = passkeys_for(&kms.vault, (&self.account, &self.user.id), new.challenge.rp_id())?;
        Ok((new, allowed))
    }
}

/// Signs in with a passkey and nothing else.
///
/// # Errors
/// [`NotSignedIn`]. What is wrong is recorded as a `ConsoleSignin` event where the user is known.
pub async fn verify_passkey(
    kms: &Kms,
    attempt: &Attempt<'_>,
    given: &PasskeyAnswer<'_>,
) -> Result<SignedIn, NotSignedIn> {
    let now = attempt.now;
    expect_serving(kms)?;
    kms.sign_in
        .networks
        .admit(attempt.source_ip, attempt.steady_ns)
        .map_err(|wait_ms| NotSignedIn::Locked(i64::from(wait_ms.div_ceil(1000))))?;
    let challenge = Challenge::open(kms.vault.keyring(), given.challenge, &ChallengeFor::SignIn, now.0);
    let challenge = challenge.ok_or(NotSignedIn::Ended)?;
    let (account, user_id) = passkeys::of_handle(given.answer.user_handle).ok_or(NotSignedIn::Wrong)?;
    kms.vault.catch_up().await?;
    let (user, login) = find(&kms.vault, &account, user_id)?.ok_or(NotSignedIn::Wrong)?;
    let attempt = &Attempt { account: &account, user_name: &user.name, ..*attempt };
    let id = answered(kms, attempt, (&user, login.generation), given, &challenge, true).await?;
    let who = Proved { account: account.clone(), user: Arc::clone(&user), generation: login.generation };
    who.done(kms, attempt, Factor::Passkey { id, alone: true }).await
}

/// Looks at a passkey as the second factor behind a password, and ends the sign-in.
///
/// # Errors
/// [`NotSignedIn`]. The password that was shown stays shown, as with codes.
pub async fn verify_second_passkey(
    kms: &Kms,
    attempt: &Attempt<'_>,
    shown: Password,
    given: &PasskeyAnswer<'_>,
) -> Result<SignedIn, (Option<Password>, NotSignedIn)> {
    let outcome = async {
        expect_serving(kms)?;
        let of = ChallengeFor::second(&shown.account, &shown.user.id);
        let challenge = Challenge::open(kms.vault.keyring(), given.challenge, &of, attempt.now.0);
        let challenge = challenge.ok_or(NotSignedIn::WrongPasskey)?;
        kms.vault.catch_up().await?;
        answered(kms, attempt, (&shown.user, shown.generation), given, &challenge, false).await
    };
    match outcome.await {
        Ok(id) => {
            let Password { account, user, generation, .. } = shown;
            let who = Proved { account, user, generation };
            who.done(kms, attempt, Factor::Passkey { id, alone: false }).await.map_err(|error| (None, error))
        }
        Err(error) => {
            let keeps = !matches!(error, NotSignedIn::Ended);
            Err((keeps.then_some(shown), error))
        }
    }
}

/// Accepts an answer, once, and keeps what the authenticator has counted. Gives the id of the passkey.
async fn answered(
    kms: &Kms,
    attempt: &Attempt<'_>,
    (user, generation): (&Arc<UserRecord>, u64),
    given: &PasskeyAnswer<'_>,
    challenge: &Challenge,
    needs_verification: bool,
) -> Result<String, NotSignedIn> {
    let Attempt { account, now, .. } = *attempt;
    let (guard, policy) = (&kms.sign_in, PasswordPolicyRecord::of(&mut kms.vault.reading(), account)?);
    let places = Places::of(kms, attempt, Some((&user.id, generation)));
    if let Some(secs) = places.own_locked_secs(guard, now) {
        return Err(NotSignedIn::Locked(secs));
    }
    let handle = passkeys::user_handle(account, &user.id);
    let expected = Expected {
        challenge: &challenge.bytes,
        origin: &challenge.origin,
        rp_id: challenge.rp_id(),
        needs_verification,
    };
    let id = passkeys::id_of(given.credential_id);
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        let mut tx = kms.vault.writing();
        let login = tx.get::<LoginRecord>(&login_path::login(account, &user.id))?;
        if login.is_none_or(|login| login.generation != generation) {
            return Err(NotSignedIn::Ended);
        }
        let passkey = passkeys::find(&mut tx, account, &user.id, given.credential_id)?;
        let verified = passkey.as_ref().ok_or(Mistake::NoCredential).and_then(|passkey| {
            let known = Known {
                key: &passkey.key,
                counter: passkey.counter,
                can_be_backed_up: passkey.can_be_backed_up,
                user_handle: handle.as_bytes(),
            };
            verify_use(&given.answer, &known, &expected)
        });
        let (Some(passkey), Ok(seen)) = (passkey, verified) else {
            guard.failed(places.own, &policy, now);
            let why = if verified == Err(Mistake::Counter) { COPIED } else { WRONG };
            record(kms, attempt, Some(user), Factor::Passkey { id, alone: needs_verification }, Some(why)).await?;
            return Err(NotSignedIn::WrongPasskey);
        };
        // The same answer again, perhaps to another node.
        let answered = passkey.answered.with(challenge, now.0).ok_or(NotSignedIn::Ended)?;
        let after = PasskeyRecord {
            counter: seen.counter,
            is_backed_up: seen.is_backed_up,
            last_used: Some(now.0),
            answered,
            ..(*passkey).clone()
        };
        tx.put(path::passkey(account, &id), &after)?;
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(id);
        }
    }
    Err(NotSignedIn::Failed(Fault::unavailable("the record of a passkey kept changing")))
}

type Found = (Arc<UserRecord>, Arc<LoginRecord>);

/// The user of this id and the login profile, if there are both in an account that is not shut.
fn find(vault: &Vault, account: &AccountId, user_id: &str) -> Result<Option<Found>, Fault> {
    let mut tx = vault.reading();
    if tx.get::<AccountRecord>(&account_path::account(account))?.is_none_or(|account| account.disabled) {
        return Ok(None);
    }
    let user = tx.get::<UserRecord>(&ram_path::user(account, user_id))?;
    let login = tx.get::<LoginRecord>(&login_path::login(account, user_id))?;
    Ok(user.zip(login))
}

/// Somebody who has proved to be a user.
pub(super) struct Proved {
    pub(super) account: AccountId,
    pub(super) user: Arc<UserRecord>,
    pub(super) generation: u64,
}

impl Proved {
    /// Ends the sign-in.
    pub(super) async fn done(self, kms: &Kms, attempt: &Attempt<'_>, factor: Factor) -> Result<SignedIn, NotSignedIn> {
        let Self { account, user, generation } = self;
        let mfa = factor.is_second();
        record(kms, attempt, Some(&user), factor.clone(), None).await?;
        let places = Places::of(kms, attempt, Some((&user.id, generation)));
        places.succeeded(&kms.sign_in, attempt.now);
        let who = SignedInAs::User { id: user.id.clone(), generation, factor };
        Ok(SignedIn { account, who, facts: SignInFacts { at: attempt.now.0, mfa, must_bind: false } })
    }
}
