//! What a denied caller is told: the `AccessDeniedDetail` of the answer, and the sealed message in it.
//!
//! The message holds the decision as the caller's account may know it ([`Disclosed`]), sealed under a domain key and
//! bound to that account; nothing is stored. DecodeDiagnosticMessage opens it.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::{
    denied::{AccessDeniedDetail, PrincipalType},
    limits::{DIAGNOSTIC_MESSAGE_CHARS_MAX, DIAGNOSTIC_MESSAGE_SECS},
    names::AccountId,
};
use jomae_crypto::{purpose::Purpose, sealed};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    error::{Denial, Disclosed, Fault},
    identity::{Caller, Who},
    keyring::Keyring,
};

/// A decision, with all that DecodeDiagnosticMessage tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    pub permission: String,
    pub principal_type: PrincipalType,
    pub principal_name: String,
    pub source_ip: String,
    /// When it was decided, in Unix seconds.
    pub decided: i64,
    pub disclosed: Disclosed,
}

impl Diagnosis {
    /// The last second in which it opens.
    pub const fn expires(&self) -> i64 {
        self.decided.saturating_add(DIAGNOSTIC_MESSAGE_SECS)
    }
}

/// What the answer tells of a denial. None if the caller's account may know nothing but that permission is missing.
pub fn detail(keyring: &Keyring, call: &Call<'_>, denial: &Denial) -> Option<AccessDeniedDetail> {
    let disclosed = denial.disclosed.clone()?;
    let (principal_type, principal_name) = principal(&call.caller)?;
    let (how, by) = (disclosed.how, disclosed.by);
    let diagnosis = Diagnosis {
        permission: denial.permission.to_owned(),
        principal_type,
        principal_name,
        source_ip: call.source_ip.clone().into_owned(),
        decided: call.now.0,
        disclosed,
    };
    let account = call.caller.account();
    let message = seal(keyring, account, &diagnosis).ok().filter(|text| text.len() <= DIAGNOSTIC_MESSAGE_CHARS_MAX);
    Some(AccessDeniedDetail {
        auth_action: denial.permission,
        auth_principal_type: principal_type,
        auth_principal_display_name: diagnosis.principal_name,
        auth_principal_owner_id: account.to_string(),
        no_permission_type: how,
        policy_type: by,
        encoded_diagnostic_message: message,
    })
}

fn principal(caller: &Caller) -> Option<(PrincipalType, String)> {
    match &caller.who {
        Who::Root => Some((PrincipalType::Account, caller.account.to_string())),
        Who::User { id, .. } => Some((PrincipalType::User, id.clone())),
        Who::Session(_) => Some((PrincipalType::Session, caller.user_name().into_owned())),
        Who::Federated(_) => None,
    }
}

/// Seals a decision for the account that may read it.
pub fn seal(keyring: &Keyring, account: &AccountId, diagnosis: &Diagnosis) -> Result<String, Fault> {
    let plain = postcard::to_allocvec(diagnosis).map_err(Fault::internal)?;
    let binding = account.as_str().as_bytes();
    let sealed = keyring.seal_with(|domain| sealed::seal(domain, Purpose::DiagnosticMessage, binding, &[], &plain))?;
    Ok(STANDARD.encode(sealed))
}

/// Opens a message for the account. `None` for whatever was not sealed for it, or has been changed.
pub fn open(keyring: &Keyring, account: &AccountId, text: &str) -> Option<Diagnosis> {
    if text.len() > DIAGNOSTIC_MESSAGE_CHARS_MAX {
        return None;
    }
    let sealed = STANDARD.decode(text).ok()?;
    let binding = account.as_str().as_bytes();
    let plain = keyring
        .open_with(&sealed, |domain, message| sealed::open(domain, Purpose::DiagnosticMessage, binding, &[], message))
        .ok()?;
    read(plain.expose())
}

/// Reads what was sealed.
pub fn read(plain: &[u8]) -> Option<Diagnosis> {
    match postcard::take_from_bytes(plain) {
        Ok((diagnosis, [])) => Some(diagnosis),
        _ => None,
    }
}
