//! What a session keeps of the sign-in that has opened it, and whom it makes callers of.

use std::sync::Arc;

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_crypto::secret::SecretBytes;

use super::{
    super::{
        login::{DeviceOfRecord, LoginRecord, PasswordPolicyRecord, path},
        passkeys,
        record::{UserRecord, path as ram_path},
    },
    Attempt, Factor, append, append_passage, expect_serving,
};
use crate::{
    audit::{Passage, SignInIdentity},
    error::{Error, Fault},
    identity::{Caller, SignInFacts, Who, token::Session},
    record::{AccountRecord, path as account_path},
    run::Kms,
    tx::Vault,
    wait::{Effort, offload},
};

/// What a session keeps of the sign-in that has opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub(super) account: AccountId,
    pub(super) who: SignedInAs,
    pub(super) facts: SignInFacts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignedInAs {
    Root,
    User {
        id: String,
        generation: u64,
        factor: Factor,
    },
    /// A user by a link of the operator, which asks for no login profile.
    Linked {
        id: String,
    },
    Role(Arc<Session>),
}

/// Why a session gives no caller.
#[derive(Debug)]
pub enum NoCaller {
    /// It has ended, with the user, the login profile, the password, the MFA device, the passkey, the role, or the account.
    Ended,
    /// The user has to call ChangePassword first, and can call nothing else.
    PasswordMustChange,
    /// The user has to bind an MFA device or make a passkey first, and can do nothing else.
    DeviceMustBeBound,
    Failed(Fault),
}

impl From<Fault> for NoCaller {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// What a user has to do before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    ChangePassword,
    BindDevice,
}

impl Duty {
    /// The actions by which it is done.
    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ChangePassword => &["ChangePassword", "GetPasswordPolicy"],
            Self::BindDevice => &[
                "CreateVirtualMFADevice",
                "BindMFADevice",
                "GetUserMFAInfo",
                "DeleteVirtualMFADevice",
                "CreatePasskey",
                "ListPasskeys",
            ],
        }
    }
}

/// Whoever has signed in, as things are now.
pub struct Standing {
    pub caller: Caller,
    pub duty: Option<Duty>,
}

impl SignedIn {
    /// The account itself, which has proved who it is in another way (by a link for one use). Records the sign-in.
    pub async fn root(kms: &Kms, attempt: &Attempt<'_>) -> Result<Self, Fault> {
        Self::recorded(kms, attempt, attempt.account, SignedInAs::Root, Who::Root).await
    }

    /// The account or the user for whom the operator has made a link. None for anybody else. Records nothing.
    pub fn linked(caller: &Caller, now: Timestamp) -> Option<Self> {
        let who = match &caller.who {
            Who::Root => SignedInAs::Root,
            Who::User { id, .. } => SignedInAs::Linked { id: id.clone() },
            Who::Session(_) | Who::Federated(_) => return None,
        };
        let facts = SignInFacts { at: now.0, mfa: false, must_bind: false };
        Some(Self { account: caller.account.clone(), who, facts })
    }

    /// The same, and records the sign-in.
    pub async fn by_link(kms: &Kms, attempt: &Attempt<'_>, caller: &Caller) -> Result<Option<Self>, Fault> {
        expect_serving(kms)?;
        let Some(signed_in) = Self::linked(caller, attempt.now) else { return Ok(None) };
        let known = signed_in.caller_as(caller.who.clone(), false);
        append(kms, attempt, SignInIdentity::Known(&known), (false, None), None).await?;
        Ok(Some(signed_in))
    }

    /// Somebody who has assumed a role through a provider of identities. Records the sign-in.
    pub async fn role(kms: &Kms, attempt: &Attempt<'_>, session: Arc<Session>) -> Result<Self, Fault> {
        let (account, who) = (session.account.clone(), Who::Session(Arc::clone(&session)));
        Self::recorded(kms, attempt, &account, SignedInAs::Role(session), who).await
    }

    async fn recorded(
        kms: &Kms,
        attempt: &Attempt<'_>,
        account: &AccountId,
        signed_in: SignedInAs,
        who: Who,
    ) -> Result<Self, Fault> {
        expect_serving(kms)?;
        let facts = SignInFacts { at: attempt.now.0, mfa: false, must_bind: false };
        let signed_in = Self { account: account.clone(), who: signed_in, facts };
        append(kms, attempt, SignInIdentity::Known(&signed_in.caller_as(who, false)), (false, None), None).await?;
        Ok(signed_in)
    }

    /// Records a sign-out.
    pub async fn leave(kms: &Kms, attempt: &Attempt<'_>, caller: &Caller) -> Result<(), Fault> {
        expect_serving(kms)?;
        append_passage(kms, attempt, SignInIdentity::Known(caller), Passage::Out).await
    }

    /// The account to which the session belongs.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// When it was, and whether with a second factor.
    pub const fn facts(&self) -> &SignInFacts {
        &self.facts
    }

    /// Whoever has signed in, as things are now.
    ///
    /// # Errors
    /// [`NoCaller::Ended`] or [`NoCaller::Failed`].
    pub fn standing(&self, vault: &Vault, now: Timestamp) -> Result<Standing, NoCaller> {
        if let Some(cluster) = vault.cluster() {
            cluster.serving().map_err(Fault::unavailable)?;
        }
        let mut tx = vault.reading();
        let account = &self.account;
        let record = tx.get::<AccountRecord>(&account_path::account(account))?;
        if record.is_none_or(|account| account.disabled) {
            return Err(NoCaller::Ended);
        }
        let mut duty = None;
        let who = match &self.who {
            SignedInAs::Root => Who::Root,
            SignedInAs::Role(session) if session.expires <= now.0 => return Err(NoCaller::Ended),
            SignedInAs::Role(session) => Who::Session(Arc::clone(session)),
            SignedInAs::Linked { id } => {
                let user = tx.get::<UserRecord>(&ram_path::user(account, id))?.ok_or(NoCaller::Ended)?;
                Who::User { id: user.id.clone(), name: user.name.clone() }
            }
            SignedInAs::User { id, generation, factor } => {
                let user = tx.get::<UserRecord>(&ram_path::user(account, id))?.ok_or(NoCaller::Ended)?;
                let login = tx.get::<LoginRecord>(&path::login(account, id))?;
                let login = login.filter(|login| login.generation == *generation).ok_or(NoCaller::Ended)?;
                let policy = PasswordPolicyRecord::of(&mut tx, account)?;
                // Whoever has come without the password does not have to choose another one.
                let by_password = match factor {
                    Factor::Passkey { id: passkey, alone } => {
                        if !passkeys::is_there(&mut tx, account, id, passkey)? {
                            return Err(NoCaller::Ended);
                        }
                        !alone
                    }
                    Factor::None | Factor::Code => true,
                };
                if by_password && (login.reset_required || login.is_expired(&policy, now.0)) {
                    duty = Some(Duty::ChangePassword);
                } else if login.mfa_bind_required
                    && tx.get::<DeviceOfRecord>(&path::device_of(account, id))?.is_none()
                    && !passkeys::has_any(&mut tx, account, id)?
                {
                    duty = Some(Duty::BindDevice);
                }
                Who::User { id: user.id.clone(), name: user.name.clone() }
            }
        };
        Ok(Standing { caller: self.caller_as(who, duty == Some(Duty::BindDevice)), duty })
    }

    /// The caller of an action, as things are now.
    ///
    /// # Errors
    /// [`NoCaller`], also if the user has to do something else first.
    pub fn caller(&self, vault: &Vault, action: &str, now: Timestamp) -> Result<Caller, NoCaller> {
        let Standing { caller, duty } = self.standing(vault, now)?;
        match duty.filter(|duty| !duty.actions().contains(&action)) {
            None => Ok(caller),
            Some(Duty::ChangePassword) => Err(NoCaller::PasswordMustChange),
            Some(Duty::BindDevice) => Err(NoCaller::DeviceMustBeBound),
        }
    }

    /// The session of a user who has just changed the password in it, which has ended it: whoever shows the new password
    /// goes on. None if it is another password, or what was asked for at the sign-in beside it is no longer there.
    pub async fn renewed(&self, kms: &Kms, given: SecretBytes) -> Result<Option<Self>, Error> {
        let (SignedInAs::User { id, .. } | SignedInAs::Linked { id }) = &self.who else { return Ok(None) };
        let account = &self.account;
        let mut tx = kms.vault.reading();
        let Some(login) = tx.get::<LoginRecord>(&path::login(account, id))? else { return Ok(None) };
        let SignedInAs::User { factor, .. } = &self.who else { return Ok(Some(self.clone())) };
        let is_still_there = match factor {
            Factor::None => true,
            Factor::Code => tx.get::<DeviceOfRecord>(&path::device_of(account, id))?.is_some(),
            Factor::Passkey { id: passkey, .. } => passkeys::is_there(&mut tx, account, id, passkey)?,
        };
        if !is_still_there {
            return Ok(None);
        }
        let (kept, generation) = (login.password.clone(), login.generation);
        let is_right = offload(&*kms.pool, Effort::Password, account, move || kept.matches(&given)).await?;
        let who = SignedInAs::User { id: id.clone(), generation, factor: factor.clone() };
        Ok(is_right.then(|| Self { account: account.clone(), who, facts: self.facts.clone() }))
    }

    fn caller_as(&self, who: Who, must_bind: bool) -> Caller {
        let signed_in = Some(SignInFacts { must_bind, ..self.facts.clone() });
        Caller { account: self.account.clone(), access_key_id: String::new(), who, signed_in }
    }
}
