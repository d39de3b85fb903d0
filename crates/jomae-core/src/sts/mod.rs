//! Temporary credentials. One file an action.

mod assume_role;
mod assume_role_with_oidc;
mod get_caller_identity;

use std::sync::Arc;

use jomae_api::{
    action::Api,
    actions::{
        self,
        sts::{
            AssumedRoleUser, Credentials,
            assume_role_with_oidc::{OIDC_PROVIDER_ARN, OIDC_TOKEN},
        },
    },
    param::Input,
    wire::{Params, Request},
};

use crate::{
    access::{FoundRole, trusted_of},
    identity::{
        Caller, Federated, Who, new_secret, new_temporary_id,
        token::{self, Session, TrustedPrincipal},
    },
    keyring::Keyring,
    oidc::{OidcError, TokenVerifier},
    prelude::*,
    ram::cost,
    stored::Derived,
};

/// Version and action of a request that carries a token of an OIDC provider instead of a signature.
pub fn unsigned_action<'r>(request: &Request<'r>, params: &'r Params<'r>) -> Option<(&'r str, &'r str)> {
    let header = |name| std::str::from_utf8(request.header(name)?).ok();
    let action = params.given("Action").or_else(|| header("x-acs-action"))?;
    let version = params.given("Version").or_else(|| header("x-acs-version"))?;
    let spec = actions::find(action).filter(|spec| !spec.signed)?;
    (version == spec.api().version()).then_some((version, action))
}

/// Who calls, by the token of an OIDC provider.
pub async fn authenticate_by_token(
    verifier: &dyn TokenVerifier,
    params: &Params<'_>,
    now: Timestamp,
) -> Result<Caller> {
    let (arn, token) = provider_and_token(params).map_err(|refusal| refusal.in_api(Api::Sts))?;
    let provider = verifier.provider(&arn).ok_or(Refusal::OidcProviderNotFound)?;
    let claims = verifier.verify(provider, token, now).await.map_err(refused)?;
    Ok(Caller {
        account: provider.account.clone(),
        access_key_id: String::new(),
        who: Who::Federated(Arc::new(Federated {
            provider_arn: arn,
            issuer: claims.issuer,
            audience: claims.client_id,
            subject: claims.subject,
            token_expires: claims.expires.0,
            token_issued: claims.issued.map(|issued| issued.0),
            client_ids: claims.audience,
        })),
        signed_in: None,
    })
}

fn provider_and_token<'p>(params: &'p Params<'p>) -> Result<(String, &'p str), Refusal> {
    let input = Input::new(params);
    let arn = input.required(&OIDC_PROVIDER_ARN)?;
    input.required(&OIDC_TOKEN)?;
    Ok((arn, params.given(jomae_api::param::ParamInfo::name(&OIDC_TOKEN)).unwrap_or_default()))
}

fn refused(error: OidcError) -> Error {
    match error {
        OidcError::ProviderNotFound => Refusal::OidcProviderNotFound.into(),
        OidcError::TokenExpired => Refusal::OidcTokenExpired.into(),
        OidcError::TokenMalformed | OidcError::TokenNotYetValid => Refusal::OidcTokenInvalid.into(),
        OidcError::SignatureInvalid => Refusal::OidcSignatureInvalid.into(),
        OidcError::IssuerMismatch => Refusal::OidcIssuerMismatch.into(),
        OidcError::AudienceMismatch => Refusal::OidcAudienceMismatch.into(),
        error @ OidcError::KeysUnavailable(_) => Fault::unavailable(error).into(),
    }
}

/// What a caller asks of a session.
struct Wanted<'a> {
    session_name: &'a str,
    duration_secs: Option<u32>,
    policy: Option<&'a str>,
    source_identity: Option<&'a str>,
}

/// Makes temporary credentials of a role that the caller may assume.
fn assume(
    tx: &mut Tx<'_>,
    keyring: &Keyring,
    call: &Call<'_>,
    found: &FoundRole,
    wanted: &Wanted<'_>,
) -> Result<(Credentials, AssumedRoleUser)> {
    let role = found.record.as_ref().ok_or_else(|| Fault::internal("a role was authorized that is not there"))?;
    let duration_secs = match wanted.duration_secs {
        Some(secs) if i64::from(secs) > role.max_session_secs => return Err(Refusal::DurationSecondsInvalid.into()),
        Some(secs) => i64::from(secs),
        None => i64::from(limits::STS_SESSION_SECS_DEFAULT).min(role.max_session_secs),
    };
    let account = found.role.account.clone();
    if let Some(policy) = wanted.policy {
        cost::check_session(tx, &account, &role.policies, policy)?;
    }
    let session = Session {
        access_key_id: new_temporary_id(),
        role_id: role.id.clone(),
        role_name: role.name.clone(),
        session_name: wanted.session_name.to_owned(),
        created: call.now.0,
        expires: call.now.0.saturating_add(duration_secs),
        policy: wanted.policy.map(str::to_owned),
        policy_in_memory: Derived::default(),
        source_identity: wanted.source_identity.map(str::to_owned),
        trust_epoch: role.trust_epoch,
        trusted: trusted_of(call, trusted_principal(&call.caller)?),
        account,
    };
    let secret = new_secret();
    let security_token = token::seal(keyring, &session, &secret)?;
    let arn = format!("acs:ram::{}:role/{}/{}", session.account, session.role_name, session.session_name);
    let assumed_role_id = format!("{}:{}", session.role_id, session.session_name);
    let credentials = Credentials {
        access_key_id: session.access_key_id,
        access_key_secret: SecretText(secret),
        security_token,
        expiration: Timestamp(session.expires),
    };
    Ok((credentials, AssumedRoleUser { arn, assumed_role_id }))
}

fn trusted_principal(caller: &Caller) -> Result<TrustedPrincipal, Fault> {
    let account = caller.account.clone();
    match &caller.who {
        Who::Root => Err(Fault::internal("the account itself was authorized to assume a role")),
        Who::User { name, .. } => Ok(TrustedPrincipal::User { account, name: name.clone() }),
        Who::Session(session) => Ok(TrustedPrincipal::Role { account, name: session.role_name.clone() }),
        Who::Federated(federated) => Ok(TrustedPrincipal::Federated { provider_arn: federated.provider_arn.clone() }),
    }
}
