//! The console: what the API does, as pages for a browser, behind a listener of its own.
//!
//! There is no second way to anything: every button is an action of the API, which `ask` hands to the service as the
//! person who has signed in. A person signs in with a password, through a provider of identities, or by a link that the
//! operator has made (`jomae console link`) or the first start has printed: see `sign_in`. The link's token stands in its fragment, which no browser sends: it reaches the server in the body
//! of a form, and so stands in no log, no history of a proxy and no `Referer`.

mod acts;
mod ask;
mod keys;
mod people;
mod proof;
mod reply;
mod server;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod views;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use jomae_api::{names::AccountId, time::Timestamp, wire::Params};
use jomae_console::{ASSETS, Frame, Lang, Refusal, Texts, Typed, Visitor, pages, percent};
use jomae_core::{
    error::Fault,
    identity::{self, Caller},
    network::NetworkMeter,
    ram::sign_in::{NoCaller, SignedIn, Standing},
    service::Service,
};

pub(crate) use self::sessions::LINK_SECS;
pub use self::sessions::cookie;
use self::{
    ask::Asker,
    reply::Page,
    sessions::{SECRET_CHARS, Session, Sessions},
    sign_in::Waiting,
};
use crate::{
    bootstrap,
    config::Config,
    gateway::{self, Gateway},
    http::{self, Answer, HttpFailure, Incoming},
    logging::Seldom,
    oidc::Organization,
};

/// Largest form, in bytes; the API takes no more in one call.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Longest `Cookie` header that is read, in bytes.
const COOKIE_BYTES_MAX: usize = 4096;
/// Longest path to come back to, in bytes.
const BACK_BYTES_MAX: usize = 1024;
/// Codes of providers of identities that are exchanged for one source network, each second.
const EXCHANGES_PER_SEC: u32 = 2;
/// What the cookie of a session is called. With this prefix browsers take it over TLS and for this host alone.
const SESSION_COOKIE: &str = "__Host-jomae-session";
/// What the cookie of the chosen language is called.
const LANGUAGE_COOKIE: &str = "__Host-jomae-language";

/// The console of a running service.
pub(crate) struct Console {
    service: Arc<Service>,
    gateway: Arc<Gateway>,
    sessions: Sessions,
    /// Those who have shown a password, and have to show a second factor.
    waiting: Waiting,
    organizations: Vec<Organization>,
    /// Codes of providers that are exchanged, by source network.
    exchanges: NetworkMeter,
    /// Of people whom a provider has not let in.
    not_let_in: Seldom,
    started: Instant,
    audit_dir: PathBuf,
    /// Where passkeys are made and used; none: nowhere.
    passkey_origin: Option<String>,
    /// Where browsers on this machine find it.
    address: SocketAddr,
}

/// Why there is no link; one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("there are several accounts: say which one")]
    WhichAccount,
    #[error("there is no such account or user, or the account is disabled")]
    Nobody,
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl Console {
    /// The console of a service, at the address where it listens.
    pub(crate) fn of(
        service: &Arc<Service>,
        gateway: &Arc<Gateway>,
        organizations: Vec<Organization>,
        config: &Config,
        at: SocketAddr,
    ) -> Arc<Self> {
        Arc::new(Self {
            service: Arc::clone(service),
            gateway: Arc::clone(gateway),
            sessions: Sessions::default(),
            waiting: Waiting::default(),
            organizations,
            exchanges: NetworkMeter::new(EXCHANGES_PER_SEC),
            not_let_in: Seldom::default(),
            started: Instant::now(),
            audit_dir: bootstrap::audit_dir(&config.data_dir),
            passkey_origin: config.console.passkey_origin(at),
            address: bootstrap::reachable(at),
        })
    }

    /// Whom a link would sign in: the account, or a user of it. Without an account, the only one that there is.
    pub(crate) fn person(&self, account: Option<AccountId>, user: Option<&str>) -> Result<Caller, LinkError> {
        let vault = &self.service.kms.vault;
        let account = match account {
            Some(account) => account,
            None => match identity::accounts::list(vault)?.as_slice() {
                [(only, _)] => only.clone(),
                _ => return Err(LinkError::WhichAccount),
            },
        };
        identity::person(vault, &account, user)?.ok_or(LinkError::Nobody)
    }

    /// A link that signs somebody in, once, within [`LINK_SECS`].
    pub(crate) fn link(&self, caller: Caller) -> String {
        let token = self.sessions.make_link(caller, gateway::now());
        format!("{}/sign-in#{}", self.url(), *token)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// One request, read.
struct Visit<'a> {
    console: &'a Console,
    incoming: Incoming<'a>,
    texts: &'static Texts,
    now: Timestamp,
    /// Path and query.
    path: String,
}

fn header<'a>(incoming: &Incoming<'a>, name: &str, bytes_max: usize) -> &'a str {
    let value = incoming.request.header(name).filter(|value| value.len() <= bytes_max).unwrap_or_default();
    std::str::from_utf8(value).unwrap_or_default()
}

/// The value of a cookie. Over HTTP/2 browsers send each cookie in a field of its own (RFC 9113 section 8.2.3).
fn cookie_of<'a>(incoming: &Incoming<'a>, name: &str) -> Option<&'a str> {
    let fields = incoming.request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("cookie"));
    let fields = fields.filter(|header| header.value.len() <= COOKIE_BYTES_MAX);
    let mut found = fields.filter_map(|header| cookie(std::str::from_utf8(header.value).ok()?, name));
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// Whether a path is one of ours to be sent to. Anything that a browser could take for another host is not.
fn is_own_path(path: &str) -> bool {
    let rest = path.strip_prefix('/');
    path.len() <= BACK_BYTES_MAX
        && rest.is_some_and(|rest| !rest.starts_with('/'))
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

impl http::Service for Console {
    async fn call<'a>(&'a self, incoming: Incoming<'a>) -> Answer {
        let chosen = cookie_of(&incoming, LANGUAGE_COOKIE).and_then(Lang::of_tag);
        let lang = chosen.unwrap_or_else(|| Lang::accepted(header(&incoming, "accept-language", COOKIE_BYTES_MAX)));
        let request = &incoming.request;
        let path = match request.query {
            "" => request.path.to_owned(),
            query => format!("{}?{query}", request.path),
        };
        let path = if is_own_path(&path) { path } else { "/".to_owned() };
        Visit { console: self, incoming, texts: Texts::of(lang), now: gateway::now(), path }
            .answer()
            .await
            .into_answer()
    }

    fn vouches(&self, incoming: Incoming<'_>) -> bool {
        let cookie = cookie_of(&incoming, SESSION_COOKIE).filter(|cookie| cookie.len() == SECRET_CHARS);
        cookie.is_some_and(|cookie| self.sessions.find(cookie, gateway::now()).is_some())
    }

    fn malformed(&self, why: HttpFailure, _: SocketAddr) -> Answer {
        Page::html(why.status(), pages::malformed()).into_answer()
    }
}

impl Visit<'_> {
    async fn answer(&self) -> Page {
        let request = &self.incoming.request;
        let is_read = matches!(request.method, "GET" | "HEAD");
        if !is_read && request.method != "POST" {
            return self.message(405, "not-found-title", "not-found");
        }
        if is_read {
            if let Some(asset) = ASSETS.iter().find(|asset| asset.path == request.path) {
                return Page::asset(asset);
            }
            if let Some(tag) = request.path.strip_prefix("/language/") {
                return self.choose_language(tag);
            }
        }
        match (is_read, request.path) {
            (true, "/signed-out") => self.message(200, "signed-out-title", "signed-out"),
            (_, path) if path == "/sign-in" || path.starts_with("/sign-in/") => self.sign_in(is_read, path).await,
            (_, path) => match self.session() {
                Ok(Some(session)) if session.duty.is_some() && !sign_in::is_of_duty(path) => self.to_duty(is_read),
                Ok(Some(session)) if is_read && sign_in::is_own(path) => self.own(&session, path).await,
                Ok(Some(session)) if is_read => self.view(&session).await,
                Ok(Some(session)) => self.post(&session).await,
                Ok(None) => self.ask_to_sign_in(is_read),
                Err(fault) => self.failed(&fault),
            },
        }
    }

    /// The session of the request's cookie, if its holder may still be here.
    fn session(&self) -> Result<Option<Session>, Fault> {
        let cookie = cookie_of(&self.incoming, SESSION_COOKIE).filter(|cookie| cookie.len() == SECRET_CHARS);
        let Some(session) = cookie.and_then(|cookie| self.console.sessions.find(cookie, self.now)) else {
            return Ok(None);
        };
        match session.signed_in.standing(&self.console.service.kms.vault, self.now) {
            Ok(Standing { caller, duty }) => Ok(Some(Session { caller, duty, ..session })),
            Err(NoCaller::Failed(fault)) => Err(fault),
            Err(_) => {
                self.console.sessions.end(&session.caller.account, &session.id);
                Ok(None)
            }
        }
    }

    /// A parameter of the query; empty if it is not there or the query cannot be read.
    fn query(&self, name: &str) -> String {
        let params = Params::parse(self.incoming.request.query, None);
        params.ok().and_then(|params| params.get(name).map(str::to_owned)).unwrap_or_default()
    }

    /// What a form holds; a page that says so if it cannot be read, or comes from elsewhere.
    fn form(&self) -> Result<Typed, Page> {
        let request = &self.incoming.request;
        if request.body.len() > FORM_BYTES_MAX {
            return Err(self.message(413, "too-large-title", "too-large"));
        }
        let origin = header(&self.incoming, "origin", COOKIE_BYTES_MAX);
        let host = header(&self.incoming, "host", COOKIE_BYTES_MAX);
        if host.is_empty() || origin.strip_prefix("https://") != Some(host) {
            return Err(self.message(403, "forged-title", "forged"));
        }
        let params = request.form().and_then(|form| Params::parse("", Some(form)).ok());
        let params = params.ok_or_else(|| self.message(400, "forged-title", "forged"))?;
        Ok(Typed(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn frame<'f>(&'f self, visitor: Option<Visitor<'f>>) -> Frame<'f> {
        Frame { texts: self.texts, visitor, path: &self.path, calls: &[], done: None, refusal: None }
    }

    fn message(&self, status: u16, title: &str, text: &str) -> Page {
        Page::html(status, pages::message(&self.frame(None), title, text))
    }

    fn failed(&self, fault: &Fault) -> Page {
        tracing::error!(cause = %fault, "a page of the console failed");
        let refusal = Refusal { code: "ServiceUnavailableTemporary".to_owned(), ..Refusal::default() };
        let frame = Frame { refusal: Some(&refusal), ..self.frame(None) };
        Page::html(503, pages::message(&frame, "not-found-title", "error-ServiceUnavailableTemporary"))
    }

    fn choose_language(&self, tag: &str) -> Page {
        let Some(lang) = Lang::of_tag(tag) else { return self.message(404, "not-found-title", "not-found") };
        let back = self.query("back");
        let back = if is_own_path(&back) { back } else { "/".to_owned() };
        let cookie =
            format!("{LANGUAGE_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=31536000", lang.tag());
        Page::redirect(&back).with("Set-Cookie", cookie)
    }

    fn ask_to_sign_in(&self, is_read: bool) -> Page {
        Page::redirect(&format!("/sign-in?back={}", percent(&self.way_back(is_read))))
    }

    /// Where to come back to: this page, or the one on which a form was.
    fn way_back(&self, is_read: bool) -> String {
        if is_read {
            return self.path.clone();
        }
        let (referrer, host) =
            (header(&self.incoming, "referer", COOKIE_BYTES_MAX), header(&self.incoming, "host", 256));
        let path = referrer.strip_prefix("https://").and_then(|rest| rest.strip_prefix(host));
        path.filter(|path| !host.is_empty() && is_own_path(path)).unwrap_or("/").to_owned()
    }

    async fn sign_out(&self, session: &Session) -> Page {
        self.console.sessions.end(&session.caller.account, &session.id);
        let attempt = self.attempt(&session.caller.account, "", "/");
        if let Err(fault) = SignedIn::leave(&self.console.service.kms, &attempt, &session.caller).await {
            return self.failed(&fault);
        }
        Page::redirect("/signed-out")
            .with("Set-Cookie", sign_in::gone(SESSION_COOKIE))
            .with("Clear-Site-Data", "\"cache\"".to_owned())
    }

    async fn post(&self, session: &Session) -> Page {
        let typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        if !session.owns(typed.get("form_token")) {
            return self.message(403, "forged-title", "forged");
        }
        match self.incoming.request.path {
            "/sign-out" => self.sign_out(session).await,
            path if sign_in::is_own(path) => self.change_own(session, path, typed).await,
            path => self.act(session, path, &typed).await,
        }
    }

    fn asker<'v>(&'v self, session: &'v Session) -> Asker<'v> {
        Asker { console: self.console, incoming: self.incoming, signed_in: &session.signed_in, made: Vec::new() }
    }
}

/// A path from its parts, decoded; none if one of them is no text.
fn parts(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .skip(1)
        .map(|part| {
            // A form's way to write a text, but for what means something else there.
            let pair = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
            let decoded = Params::parse(&pair, None).ok()?.get("p").map(str::to_owned);
            Some(decoded.unwrap_or_default())
        })
        .collect()
}

impl Session {
    fn visitor<'s>(&'s self, name: &'s str) -> Visitor<'s> {
        Visitor { account: self.caller.account.as_str(), name, form_token: &self.form_token }
    }
}
