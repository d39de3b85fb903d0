//! Ways in: a password with the code of an MFA device or a passkey, a passkey alone (`passkeys`), a provider of identities
//! (`organization`), and a link. What a person does about the own sign-in is in `own`.

mod organization;
mod own;
mod passkeys;
mod waiting;

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_console::{
    Frame, Typed,
    pages::{self, SecondForm, SignInForm, Trouble},
    percent,
};
use jomae_core::{
    error::Fault,
    identity,
    ram::sign_in::{
        Attempt, NoCaller, NotSignedIn, Password, SignedIn, Standing, browser_token, verify_password, verify_totp,
    },
};
use jomae_crypto::secret::SecretBytes;
use zeroize::Zeroizing;

pub(super) use self::own::is_own;
pub(super) use self::waiting::Waiting;
use self::waiting::{WAIT_SECS, Waiter};
use super::{COOKIE_BYTES_MAX, SECRET_CHARS, SESSION_COOKIE, Visit, cookie_of, header, is_own_path, reply::Page};
use crate::oidc::CALLBACK_PATH;

/// What the cookie of somebody is called who has shown a password and has to show a second factor.
const WAITING_COOKIE: &str = "__Host-jomae-sign-in";
/// What the cookie is called by which a browser is known again: see [`browser_token`].
const BROWSER_COOKIE: &str = "__Host-jomae-browser";
/// How long a browser keeps it, in seconds; the text itself ends then too.
const BROWSER_SECS: i64 = 90 * 86_400;
/// Longest user agent in an event, in bytes.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Longest texts that a form of a sign-in may hold, in bytes.
const TYPED_BYTES_MAX: usize = 1024;
/// What stands behind the account in the names with which the cloud's users sign in.
const LOGON_SUFFIX: &str = ".onaliyun.com";

/// A cookie that the browser sends to this host alone, and not when another site leads here.
fn strict(name: &str, value: &str, secs: i64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={secs}")
}

/// A cookie that is to be forgotten.
pub(super) fn gone(name: &str) -> String {
    strict(name, "", 0)
}

/// Whether a page is open to whoever has to do something else first.
pub(super) fn is_of_duty(path: &str) -> bool {
    is_own(path) || path == "/sign-out"
}

/// Takes a secret out of what was typed, of which no copy stays there.
fn take(typed: &mut Typed, name: &str) -> Zeroizing<String> {
    let found = typed.0.iter_mut().find(|(known, _)| known == name);
    Zeroizing::new(found.map(|(_, value)| std::mem::take(value)).unwrap_or_default())
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

/// Account and user, as typed: each in its field, or both in that of the user, as `user@account.onaliyun.com`.
fn names(account: &str, user: &str) -> (String, String) {
    let (account, user) = (account.trim(), user.trim());
    let (account, user) = match user.rsplit_once('@') {
        Some((user, account_of_user)) if account.is_empty() => (account_of_user, user),
        _ => (account, user),
    };
    let account = account.strip_suffix(LOGON_SUFFIX).unwrap_or(account);
    (account.trim().to_owned(), user.trim().to_owned())
}

impl Visit<'_> {
    pub(super) async fn sign_in(&self, is_read: bool, path: &str) -> Page {
        match (is_read, path) {
            (true, "/sign-in") => self.sign_in_form(&self.query("back"), &Typed::default(), None),
            (false, "/sign-in") => self.sign_in_by_link().await,
            (false, "/sign-in/password") => self.sign_in_by_password().await,
            (false, "/sign-in/passkey/options") => self.options_to_sign_in(),
            (false, "/sign-in/passkey") => self.sign_in_by_passkey().await,
            (true, "/sign-in/code") => self.ask_for_second(None),
            (false, "/sign-in/code/options") => self.options_of_second(),
            (false, "/sign-in/code/passkey") => self.second_by_passkey().await,
            (false, "/sign-in/code") => self.sign_in_by_code().await,
            (true, CALLBACK_PATH) => self.come_back().await,
            (true, path) => match path.strip_prefix("/sign-in/with/") {
                Some(number) => self.go_to_organization(number).await,
                None => self.message(404, "not-found-title", "not-found"),
            },
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    /// What is known of whoever tries to sign in.
    pub(super) fn attempt<'v>(&'v self, account: &'v AccountId, user_name: &'v str, back: &'v str) -> Attempt<'v> {
        let steady_ns = u64::try_from(self.console.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Attempt {
            account,
            user_name,
            source_ip: &self.incoming.peer.ip,
            browser: cookie_of(&self.incoming, BROWSER_COOKIE),
            user_agent: header(&self.incoming, "user-agent", USER_AGENT_BYTES_MAX),
            host: header(&self.incoming, "host", COOKIE_BYTES_MAX),
            callback_url: if is_own_path(back) { back } else { "/" },
            region: &self.console.service.default_region,
            now: self.now,
            steady_ns,
        }
    }

    /// The page on which one signs in, with what was typed before but for passwords.
    pub(super) fn sign_in_form(&self, back: &str, typed: &Typed, trouble: Option<Trouble>) -> Page {
        let organizations = self.organizations();
        let form = SignInForm {
            organizations: &organizations,
            back: if is_own_path(back) { back } else { "/" },
            account: typed.get("account"),
            user: typed.get("user"),
            trouble,
            is_unbound: self.query("done") == "device-unbound",
            passkeys: self.passkey_place(),
        };
        let page = pages::sign_in(&Frame { path: "/sign-in", ..self.frame(None) }, &form);
        with_status(trouble, page)
    }

    async fn sign_in_by_link(&self) -> Page {
        let typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        let (console, back) = (self.console, typed.get("back"));
        let token = typed.get("token").trim();
        let caller = (token.len() == SECRET_CHARS).then(|| console.sessions.take_link(token, self.now)).flatten();
        let there = caller.map(|caller| identity::still_there(&console.service.kms.vault, &caller));
        let caller = match there.transpose() {
            Ok(Some(Some(caller))) => caller,
            Ok(_) => return self.sign_in_form(back, &typed, Some(Trouble::Link)),
            Err(fault) => return self.failed(&fault),
        };
        match SignedIn::by_link(&console.service.kms, &self.attempt(&caller.account, "", back), &caller).await {
            Ok(Some(signed_in)) => match self.begin(signed_in) {
                Ok(cookies) => arrive(back, cookies),
                Err(page) => page,
            },
            Ok(None) => self.sign_in_form(back, &typed, Some(Trouble::Link)),
            Err(fault) => self.failed(&fault),
        }
    }

    async fn sign_in_by_password(&self) -> Page {
        let mut typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        let password = take(&mut typed, "password");
        let (account_name, user_name) = match self.names_meant(&typed) {
            Ok(names) => names,
            Err(fault) => return self.failed(&fault),
        };
        let back = typed.get("back").to_owned();
        if password.len() > TYPED_BYTES_MAX || account_name.len() + user_name.len() > TYPED_BYTES_MAX {
            return self.sign_in_form(&back, &typed, Some(Trouble::Wrong));
        }
        let account = match self.account_named(&account_name) {
            Ok(account) => account,
            Err(fault) => return self.failed(&fault),
        };
        let kms = &self.console.service.kms;
        let attempt = self.attempt(&account, &user_name, &back);
        let shown = match verify_password(kms, &attempt, secret(&password)).await {
            Ok(shown) => shown,
            Err(error) => return self.not_signed_in(error, |trouble| self.sign_in_form(&back, &typed, Some(trouble))),
        };
        if shown.needs_second() {
            let waiter = Waiter { shown, account, user_name, back };
            let cookie = self.console.waiting.add(waiter, self.now);
            return Page::redirect("/sign-in/code").with("Set-Cookie", strict(WAITING_COOKIE, &cookie, WAIT_SECS));
        }
        match shown.without_second(kms, &attempt).await {
            Ok(signed_in) => self.signed_in(signed_in, &back),
            Err(error) => self.not_signed_in(error, |trouble| self.sign_in_form(&back, &typed, Some(trouble))),
        }
    }

    /// Account and user of the form. Names of users may hold an `@` too: what stands behind it is an account's if there is
    /// such an account.
    fn names_meant(&self, typed: &Typed) -> Result<(String, String), Fault> {
        let (account, user) = names(typed.get("account"), typed.get("user"));
        let is_split = typed.get("account").trim().is_empty() && !account.is_empty();
        if is_split && identity::accounts::named(&self.console.service.kms.vault, &account)?.is_none() {
            return Ok((String::new(), typed.get("user").trim().to_owned()));
        }
        Ok((account, user))
    }

    /// The account of a number or a name; where there is one account alone, that is meant. One that nobody has stands for all
    /// that are unknown, so that they cost the same work as the known ones.
    fn account_named(&self, name: &str) -> Result<AccountId, Fault> {
        let vault = &self.console.service.kms.vault;
        if name.is_empty()
            && let [(only, _)] = identity::accounts::list(vault)?.as_slice()
        {
            return Ok(only.clone());
        }
        let found = identity::accounts::named(vault, name)?.or_else(|| AccountId::new(NOBODYS_ACCOUNT));
        found.ok_or_else(|| Fault::internal("the account that nobody has is no account id"))
    }

    fn waiting_cookie(&self) -> &str {
        cookie_of(&self.incoming, WAITING_COOKIE).filter(|cookie| cookie.len() == SECRET_CHARS).unwrap_or_default()
    }

    fn ask_for_second(&self, trouble: Option<Trouble>) -> Page {
        let seen = self.console.waiting.see(self.waiting_cookie(), self.now, |waiter| {
            (waiter.user_name.clone(), waiter.shown.takes_code(), waiter.shown.takes_passkey())
        });
        let Some((user, takes_code, takes_passkey)) = seen else {
            return self.sign_in_form("/", &Typed::default(), Some(Trouble::Ended));
        };
        let passkeys = takes_passkey.then(|| self.passkey_place());
        let form = SecondForm { user: &user, takes_code, passkeys, trouble };
        let page = pages::second(&Frame { path: "/sign-in/code", ..self.frame(None) }, &form);
        with_status(trouble, page)
    }

    /// Lets whoever has not shown the second factor try again, if the password stays shown.
    fn second_not_shown(
        &self,
        shown: Option<Password>,
        error: NotSignedIn,
        (account, user_name, back): (&AccountId, &str, &str),
        expires: Timestamp,
    ) -> Page {
        if let Some(shown) = shown {
            let (account, user_name, back) = (account.clone(), user_name.to_owned(), back.to_owned());
            let waiter = Waiter { shown, account, user_name, back };
            self.console.waiting.put_back(self.waiting_cookie(), waiter, expires);
        }
        self.not_signed_in(error, |trouble| match trouble {
            Trouble::Ended => self.sign_in_form("/", &Typed::default(), Some(trouble)),
            _ => self.ask_for_second(Some(trouble)),
        })
    }

    async fn sign_in_by_code(&self) -> Page {
        let mut typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        // People type the blank that the app shows.
        let code = take(&mut typed, "code");
        let code = SecretBytes::new(code.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
        let cookie = self.waiting_cookie();
        let Some((waiter, expires)) = self.console.waiting.take(cookie, self.now) else {
            return self.sign_in_form("/", &Typed::default(), Some(Trouble::Ended));
        };
        let Waiter { shown, account, user_name, back } = waiter;
        let attempt = self.attempt(&account, &user_name, &back);
        match verify_totp(&self.console.service.kms, &attempt, shown, &code).await {
            Ok(signed_in) => self.signed_in(signed_in, &back),
            Err((shown, error)) => self.second_not_shown(shown, error, (&account, &user_name, &back), expires),
        }
    }

    /// Why somebody is not in; what the service itself could not do is told as such.
    fn not_signed_in(&self, error: NotSignedIn, page: impl FnOnce(Trouble) -> Page) -> Page {
        match error {
            NotSignedIn::Wrong => page(Trouble::Wrong),
            NotSignedIn::WrongCode => page(Trouble::WrongCode),
            NotSignedIn::WrongPasskey => page(Trouble::Passkey),
            NotSignedIn::Expired => page(Trouble::Expired),
            NotSignedIn::Ended => page(Trouble::Ended),
            NotSignedIn::Busy => page(Trouble::Busy).with("Retry-After", "5".to_owned()),
            NotSignedIn::Locked(secs) => {
                let secs = u32::try_from(secs.max(1)).unwrap_or(u32::MAX);
                page(Trouble::Locked { secs }).with("Retry-After", secs.to_string())
            }
            NotSignedIn::Failed(fault) => self.failed(&fault),
        }
    }

    /// A session for somebody who has just signed in: the cookies of it; a page if there is none.
    pub(super) fn begin(&self, signed_in: SignedIn) -> Result<Vec<String>, Page> {
        let vault = &self.console.service.kms.vault;
        let caller = match signed_in.standing(vault, self.now) {
            Ok(Standing { caller, .. }) => caller,
            Err(NoCaller::Failed(fault)) => return Err(self.failed(&fault)),
            Err(_) => return Err(self.sign_in_form("/", &Typed::default(), Some(Trouble::Ended))),
        };
        let browser = browser_token(vault.keyring(), &signed_in).map_err(|fault| self.failed(&fault))?;
        let agent = header(&self.incoming, "user-agent", COOKIE_BYTES_MAX);
        let sessions = &self.console.sessions;
        // What the browser had before is worth nothing any more.
        if let Some(before) = cookie_of(&self.incoming, SESSION_COOKIE)
            && let Some(before) = sessions.find(before, self.now)
        {
            sessions.end(&before.caller.account, &before.id);
        }
        let Some(cookie) = sessions.begin(signed_in, caller, &self.incoming.peer.ip, agent, self.now) else {
            return Err(self.failed(&Fault::unavailable("there are too many sessions of the console")));
        };
        let mut cookies = vec![of_session(&cookie)];
        cookies.extend(browser.map(|token| strict(BROWSER_COOKIE, &token, BROWSER_SECS)));
        Ok(cookies)
    }

    fn signed_in(&self, signed_in: SignedIn, back: &str) -> Page {
        match self.begin(signed_in) {
            Ok(cookies) => arrive(back, cookies).with("Set-Cookie", gone(WAITING_COOKIE)),
            Err(page) => page,
        }
    }

    /// To the page of the own sign-in, for whoever has to do something there first.
    pub(super) fn to_duty(&self, is_read: bool) -> Page {
        Page::redirect(&format!("/me?back={}", percent(&self.way_back(is_read))))
    }
}

/// An account id that is given to nobody.
const NOBODYS_ACCOUNT: &str = "0000000000000000";

/// The cookie of a session, which ends with the browser's.
fn of_session(cookie: &str) -> String {
    format!("{SESSION_COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// To the page that somebody wanted to see.
fn arrive(back: &str, cookies: Vec<String>) -> Page {
    let back = if is_own_path(back) { back } else { "/" };
    cookies.into_iter().fold(Page::redirect(back), |page, cookie| page.with("Set-Cookie", cookie))
}

fn with_status(trouble: Option<Trouble>, page: String) -> Page {
    let status = match trouble {
        None => 200,
        Some(Trouble::Locked { .. }) => 429,
        Some(Trouble::Busy) => 503,
        Some(_) => 403,
    };
    Page::html(status, page)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let of = |account: &str, user: &str| names(account, user);
        let both = |account: &str, user: &str| (account.to_owned(), user.to_owned());
        assert_eq!(of(" 1234567890123456 ", " hanako "), both("1234567890123456", "hanako"));
        assert_eq!(of("", "hanako@1234567890123456.onaliyun.com"), both("1234567890123456", "hanako"));
        assert_eq!(of("", "hanako@example.com@acme"), both("acme", "hanako@example.com"));
        assert_eq!(of("acme", "hanako@example.com"), both("acme", "hanako@example.com"));
        assert_eq!(of("", "hanako"), both("", "hanako"));
        assert_eq!(of("", "hanako @ acme"), both("acme", "hanako"));
    }

    #[test]
    fn a_secret_is_taken_out() {
        let mut typed = Typed(vec![("password".into(), "secret".into()), ("user".into(), "hanako".into())]);
        assert_eq!(*take(&mut typed, "password"), "secret");
        assert_eq!((typed.get("password"), typed.get("user")), ("", "hanako"));
        assert!(take(&mut typed, "other").is_empty());
    }

    #[test]
    fn nobodys_account_is_an_account_id() {
        assert!(AccountId::new(NOBODYS_ACCOUNT).is_some());
    }

    proptest! {
        #[test]
        fn any_names_are_read(account in ".{0,40}", user in ".{0,40}") {
            let (account, user) = names(&account, &user);
            prop_assert_eq!((account.trim(), user.trim()), (account.as_str(), user.as_str()));
        }
    }
}
