//! Single sign-on: to a provider of identities and back, into a role.

use std::sync::Arc;

use jomae_api::wire::Params;
use jomae_console::{
    Typed,
    pages::{self, Trouble},
};
use jomae_core::{identity::token, oidc::Claims, ram::sign_in::SignedIn};
use serde_json::Value;

use super::super::{
    SESSION_COOKIE, Visit, cookie_of, is_own_path,
    reply::Page,
    sessions::{mark_of, new_secret},
};
use crate::oidc::{Organization, TRIP_SECS, Trip};

/// What the cookie of somebody is called who is at a provider. Unlike the others it is sent when another site leads here,
/// as the provider does.
const TRIP_COOKIE: &str = "__Host-jomae-organization";
/// What the cookie is called that says which session the browser had before: that of the session is held back where the provider
/// leads here.
const BEFORE_COOKIE: &str = "__Host-jomae-before";
/// Lengths of the name of a session, in characters.
const SESSION_NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=64;

fn of_trip(value: &str, secs: i64) -> String {
    lax(TRIP_COOKIE, value, secs)
}

fn lax(name: &str, value: &str, secs: i64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={secs}")
}

/// The name of a session of the role, from the subject of a token, as far as it can stand in one.
fn session_name(subject: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-' | '_');
    let name = subject.chars().map(|c| if is_allowed(c) { c } else { '-' });
    let mut name: String = name.take(*SESSION_NAME_CHARS.end()).collect();
    while name.len() < *SESSION_NAME_CHARS.start() {
        name.push('-');
    }
    name
}

impl Visit<'_> {
    /// The organizations whose people can sign in: path and label.
    pub(super) fn organizations(&self) -> Vec<(String, &str)> {
        let all = self.console.organizations.iter().enumerate();
        all.map(|(number, organization)| (format!("/sign-in/with/{number}"), organization.label.as_str())).collect()
    }

    /// Sends the browser to a provider.
    pub(super) async fn go_to_organization(&self, number: &str) -> Page {
        let found = number.parse::<usize>().ok().and_then(|number| self.console.organizations.get(number));
        let Some(organization) = found else { return self.message(404, "not-found-title", "not-found") };
        let back = self.query("back");
        let back = if is_own_path(&back) { back } else { "/".to_owned() };
        let trip = Trip::new(new_secret(), organization.provider.arn(), back, self.now);
        match organization.address(&trip, self.now).await {
            Ok(address) => {
                let page = Page::redirect(&address).with("Set-Cookie", of_trip(&trip.to_cookie(), TRIP_SECS));
                match cookie_of(&self.incoming, SESSION_COOKIE) {
                    Some(session) => page.with("Set-Cookie", lax(BEFORE_COOKIE, &mark_of(session), TRIP_SECS)),
                    None => page,
                }
            }
            Err(cause) => self.not_let_in(organization, &cause, &trip),
        }
    }

    fn not_let_in(&self, organization: &Organization, cause: &str, trip: &Trip) -> Page {
        let provider = organization.provider.arn();
        // Any stranger can bring this about.
        if let Some(times) = self.console.not_let_in.due() {
            let source_ip = &self.incoming.peer.ip;
            tracing::warn!(provider, cause, source_ip, times, "somebody was not let in through an identity provider");
        }
        self.sign_in_form(&trip.back, &Typed::default(), Some(Trouble::Organization)).with("Set-Cookie", of_trip("", 0))
    }

    /// Takes what a provider has sent the browser back with.
    pub(super) async fn come_back(&self) -> Page {
        let trip = cookie_of(&self.incoming, TRIP_COOKIE).and_then(|cookie| Trip::of_cookie(cookie, self.now));
        let asked = trip.and_then(|trip| {
            let all = &self.console.organizations;
            let organization = all.iter().find(|organization| organization.provider.arn() == trip.provider)?;
            trip.is_answered_by(&self.query("state")).then_some((trip, organization))
        });
        let Some((trip, organization)) = asked else {
            return self.sign_in_form("/", &Typed::default(), Some(Trouble::Ended)).with("Set-Cookie", of_trip("", 0));
        };
        match self.let_in(&trip, organization).await {
            Ok(page) => page.with("Set-Cookie", of_trip("", 0)).with("Set-Cookie", lax(BEFORE_COOKIE, "", 0)),
            Err(cause) => self.not_let_in(organization, &cause, &trip),
        }
    }

    /// A session in the role, for whom the provider vouches. The error is for the operator.
    async fn let_in(&self, trip: &Trip, organization: &Organization) -> Result<Page, String> {
        let issuer = self.query("iss");
        // RFC 9207: another provider has answered.
        if !issuer.is_empty() && issuer != organization.provider.issuer {
            return Err("the answer is of another issuer".into());
        }
        let error = self.query("error");
        if !error.is_empty() {
            let error: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
            return Err(format!("the provider answers {error:?}"));
        }
        let steady_ns = u64::try_from(self.console.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.console.exchanges.admit(&self.incoming.peer.ip, steady_ns).is_err() {
            return Err("too many codes come from this network".into());
        }
        let token = organization.exchange(trip, &self.query("code"), self.now).await?;
        let service = &self.console.service;
        let claims: Claims =
            service.oidc.verify(&organization.provider, &token, self.now).await.map_err(|error| error.to_string())?;
        if !organization.is_for(&claims, trip) {
            return Err("the token was not issued for this sign-in".into());
        }
        let arn = organization.provider.arn();
        let session = session_name(&claims.subject);
        let params = [
            ("OIDCProviderArn", arn.as_str()),
            ("RoleArn", &organization.role_arn),
            ("OIDCToken", &token),
            ("RoleSessionName", &session),
        ];
        let params = Params::of(&params).map_err(|error| format!("{error:?}"))?;
        let reply = self.console.gateway.answer_with_token(&params, self.incoming).await;
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let text = |name: &str| answer.get("Credentials").and_then(|all| all.get(name)).and_then(Value::as_str);
        let Some(security_token) = text("SecurityToken").filter(|_| reply.status == 200) else {
            let code = answer.get("Code").and_then(Value::as_str).unwrap_or_default();
            return Err(format!("AssumeRoleWithOIDC answers {code}, request {}", reply.request_id));
        };
        let kms = &service.kms;
        let (session, _) = token::open(kms.vault.keyring(), security_token).ok_or("the session does not open")?;
        let attempt = self.attempt(&organization.provider.account, "", &trip.back);
        let signed_in = match SignedIn::role(kms, &attempt, Arc::new(session)).await {
            Ok(signed_in) => signed_in,
            Err(fault) => return Ok(self.failed(&fault)),
        };
        let cookies = match self.begin(signed_in) {
            Ok(cookies) => cookies,
            Err(page) => return Ok(page),
        };
        if let Some(mark) = cookie_of(&self.incoming, BEFORE_COOKIE) {
            self.console.sessions.end_marked(mark);
        }
        // Not a redirect: browsers would see that another site has led here, and hold the session's cookie back.
        let back = if is_own_path(&trip.back) { trip.back.as_str() } else { "/" };
        let page = Page::html(200, pages::arrived(&self.frame(None), back)).with("Refresh", format!("0;url={back}"));
        Ok(cookies.into_iter().fold(page, |page, cookie| page.with("Set-Cookie", cookie)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subjects_become_names_of_sessions() {
        assert_eq!(session_name("hanako@example.com"), "hanako@example.com");
        assert_eq!(session_name("auth0|5f7c 花子"), "auth0-5f7c---");
        assert_eq!((session_name(""), session_name("a")), ("--".to_owned(), "a-".to_owned()));
    }

    proptest! {
        #[test]
        fn any_subject_is_one(subject in ".{0,256}") {
            let name = session_name(&subject);
            prop_assert!(SESSION_NAME_CHARS.contains(&name.len()) && name.is_ascii());
        }
    }
}
