//! What a person does about the own sign-in: another password, an MFA device, and passkeys.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::error::Refusal as ApiRefusal;
use jomae_console::{
    Frame, Refusal, Typed,
    pages::{self, Me, OwnDevice, Owner},
};
use jomae_core::{
    error::{Error, Fault},
    identity::Who,
    ram::sign_in::Duty,
};
use jomae_crypto::rng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    super::{
        SESSION_COOKIE, Visit,
        ask::{Asker, given, rows},
        cookie_of,
        reply::Page,
        sessions::{NewDevice, Session, digest},
    },
    gone, is_own_path, of_session, secret, take,
};

/// Longest part of a user's name in the name of a device, in characters.
const DEVICE_NAME_CHARS: usize = 50;
/// What may have been done here.
const DONE: [&str; 5] = ["password-changed", "device-bound", "device-dropped", "passkey-made", "passkey-deleted"];

/// Whether a path is one of the own sign-in.
pub(in super::super) fn is_own(path: &str) -> bool {
    path == "/me" || path.starts_with("/me/")
}

/// What a refusal adds to the page.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) of_password: Option<Refusal>,
    pub(super) of_device: Option<Refusal>,
    pub(super) of_passkey: Option<Refusal>,
    pub(super) typed: Typed,
}

impl Refused {
    /// A device of the name is bound to somebody.
    const TAKEN: &str = ApiRefusal::MfaDeviceExists.code();
}

/// The name of the device that a user has to bind; of nobody else's.
fn device_of(who: &Who, shown: &str) -> Option<String> {
    let Who::User { id, .. } = who else { return None };
    let digest = digest("mfa device", id);
    Some(format!("{shown}-{}", hex::encode(digest.first_chunk::<6>()?)))
}

/// Back to where the person wanted to go before something had to be done here.
pub(super) fn done(typed: &Typed, done: &str) -> Page {
    let back = typed.get("back");
    if is_own_path(back) && !is_own(back.split('?').next().unwrap_or_default()) {
        return Page::redirect(back);
    }
    Page::redirect(&format!("/me?done={done}"))
}

impl Visit<'_> {
    pub(in super::super) async fn own(&self, session: &Session, path: &str) -> Page {
        match (path, &session.device) {
            ("/me", _) => self.me(session, self.asker(session), Refused::default()).await,
            ("/me/device.png", Some(device)) => Page::picture(&device.picture),
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    pub(in super::super) async fn change_own(&self, session: &Session, path: &str, typed: Typed) -> Page {
        match path {
            "/me/password" => self.change_password(session, typed).await,
            "/me/device/new" => self.make_device(session, typed).await,
            "/me/device/bind" => self.bind_device(session, typed).await,
            "/me/device/drop" => self.drop_device(session, typed).await,
            "/me/device/unbind" => self.unbind_device(session, typed).await,
            "/me/passkey/options" => self.options_to_make(session),
            "/me/passkey/new" => self.make_passkey(session, typed).await,
            "/me/passkey/delete" => self.delete_passkey(session, typed).await,
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    fn session_cookie(&self) -> &str {
        cookie_of(&self.incoming, SESSION_COOKIE).unwrap_or_default()
    }

    /// The page itself.
    pub(super) async fn me(&self, session: &Session, mut asker: Asker<'_>, refused: Refused) -> Page {
        let name = session.caller.user_name();
        let (mut rules, mut bound, mut passkeys) = (None, None, None);
        let mut is_known = session.device.is_some();
        if matches!(session.caller.who, Who::User { .. }) {
            if session.duty != Some(Duty::BindDevice) {
                // Whoever may not read them learns from a refusal what they ask for.
                rules = asker.ask("GetPasswordPolicy", Vec::new()).await.ok();
            }
            if session.duty != Some(Duty::ChangePassword) && session.device.is_none() {
                match asker.ask("GetUserMFAInfo", given(&[("UserName", &name)])).await {
                    Ok(info) => bound = info.get("MFADevice").and_then(|of| of.get("SerialNumber")).cloned(),
                    Err(refusal) => is_known = refusal.code == "EntityNotExist.User.MFADevice",
                }
            }
        }
        if matches!(session.caller.who, Who::User { .. }) && session.duty != Some(Duty::ChangePassword) {
            let listed = asker.ask("ListPasskeys", Vec::new()).await;
            passkeys = listed.ok().map(|listed| rows(&listed, "Passkeys", "Passkey"));
        }
        let device = match (&session.device, bound.as_ref().and_then(Value::as_str)) {
            (Some(new), _) => OwnDevice::New { serial: &new.serial, seed: &new.seed },
            (None, Some(serial)) => OwnDevice::Bound(serial),
            (None, None) if is_known => OwnDevice::None,
            (None, None) => OwnDevice::Unknown,
        };
        let back = if refused.typed.0.is_empty() { self.query("back") } else { refused.typed.get("back").to_owned() };
        let me = Me {
            owner: match session.caller.who {
                Who::Root => Owner::Account,
                Who::User { .. } => Owner::User,
                Who::Session(_) | Who::Federated(_) => Owner::Role,
            },
            must_change: session.duty == Some(Duty::ChangePassword),
            must_bind: session.duty == Some(Duty::BindDevice),
            has_mfa: session.signed_in.facts().mfa,
            rules: rules.as_ref().and_then(|rules| rules.get("PasswordPolicy")),
            device,
            passkeys: passkeys.as_deref(),
            passkey_place: self.passkey_place(),
            passkey_name: refused.typed.get("PasskeyName"),
            back: if is_own_path(&back) { &back } else { "/me" },
            password_refusal: refused.of_password.as_ref(),
        };
        let done = self.query("done");
        let done = DONE.into_iter().find(|known| *known == done).map(|done| format!("done-{done}"));
        let refusal = refused.of_device.as_ref().or(refused.of_passkey.as_ref());
        let is_refused = refused.of_password.is_some() || refusal.is_some();
        let frame = Frame {
            calls: &asker.made,
            done: done.as_deref().filter(|_| !is_refused),
            refusal,
            ..self.frame(Some(session.visitor(&name)))
        };
        Page::html(if is_refused { 403 } else { 200 }, pages::me(&frame, &me))
    }

    async fn change_password(&self, session: &Session, mut typed: Typed) -> Page {
        let [old, new, again] =
            ["old_password", "new_password", "new_password_again"].map(|name| take(&mut typed, name));
        let mut asker = self.asker(session);
        let refused = |refusal, typed| Refused { of_password: Some(refusal), typed, ..Refused::default() };
        if new != again {
            let refusal = Refusal { code: "passwords-differ".to_owned(), ..Refusal::default() };
            return self.me(session, asker, refused(refusal, typed)).await;
        }
        let params = given(&[("OldPassword", &old), ("NewPassword", &new)]);
        let changed = asker.ask("ChangePassword", params).await;
        asker.conceal(&["OldPassword", "NewPassword"]);
        if let Err(refusal) = changed {
            return self.me(session, asker, refused(refusal, typed)).await;
        }
        // The change has ended all sessions; whoever has made it goes on, with another cookie.
        let renewed = match session.signed_in.renewed(&self.console.service.kms, secret(&new)).await {
            Ok(renewed) => renewed,
            Err(Error::Failed(fault)) => return self.failed(&fault),
            Err(_) => None,
        };
        let cookie = renewed.and_then(|renewed| self.console.sessions.renew(self.session_cookie(), renewed));
        match cookie {
            Some(cookie) => done(&typed, "password-changed").with("Set-Cookie", of_session(&cookie)),
            None => Page::redirect("/sign-in").with("Set-Cookie", gone(SESSION_COOKIE)),
        }
    }

    async fn make_device(&self, session: &Session, typed: Typed) -> Page {
        if session.device.is_some() {
            return Page::redirect("/me#device");
        }
        let mut asker = self.asker(session);
        let user = session.caller.user_name();
        let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let user: String = user.chars().take(DEVICE_NAME_CHARS).map(allowed).collect();
        let drawn = format!("{user}-{}", hex::encode(rng::public_array::<3>()));
        // Whoever has to bind one gets it under the same name in each session: what was left unbound is replaced.
        let own = (session.duty == Some(Duty::BindDevice)).then(|| device_of(&session.caller.who, &user)).flatten();
        let name = own.as_ref().unwrap_or(&drawn);
        let mut made = asker.ask("CreateVirtualMFADevice", given(&[("VirtualMFADeviceName", name)])).await;
        if own.is_some() && made.as_ref().is_err_and(|refusal| refusal.code == Refused::TAKEN) {
            made = asker.ask("CreateVirtualMFADevice", given(&[("VirtualMFADeviceName", &drawn)])).await;
        }
        let made = match made {
            Ok(made) => made,
            Err(refusal) => return self.device_refused(session, asker, refusal, typed).await,
        };
        let device = made.get("VirtualMFADevice").unwrap_or(&Value::Null);
        let text = |name: &str| device.get(name).and_then(Value::as_str).unwrap_or_default();
        let Ok(picture) = STANDARD.decode(text("QRCodePNG")) else {
            return self.failed(&Fault::internal("the picture of an MFA device is not Base64"));
        };
        let new = NewDevice {
            serial: text("SerialNumber").to_owned(),
            seed: Zeroizing::new(text("Base32StringSeed").to_owned()),
            picture: Zeroizing::new(picture),
        };
        self.console.sessions.keep_device(self.session_cookie(), Some(Arc::new(new)));
        Page::redirect(&format!("/me?back={}#device", jomae_console::percent(typed.get("back"))))
    }

    async fn device_refused(&self, session: &Session, asker: Asker<'_>, refusal: Refusal, typed: Typed) -> Page {
        self.me(session, asker, Refused { of_device: Some(refusal), typed, ..Refused::default() }).await
    }

    async fn bind_device(&self, session: &Session, typed: Typed) -> Page {
        let Some(device) = &session.device else { return Page::redirect("/me") };
        let mut asker = self.asker(session);
        let code = |name: &str| -> String { typed.get(name).split_ascii_whitespace().collect() };
        let (one, two) = (code("code_1"), code("code_2"));
        let user = session.caller.user_name();
        let params = [
            ("SerialNumber", device.serial.as_str()),
            ("UserName", &user),
            ("AuthenticationCode1", &one),
            ("AuthenticationCode2", &two),
        ];
        let bound = asker.ask("BindMFADevice", given(&params)).await;
        asker.conceal(&["AuthenticationCode1", "AuthenticationCode2"]);
        match bound {
            Ok(_) => {
                self.console.sessions.keep_device(self.session_cookie(), None);
                done(&typed, "device-bound")
            }
            Err(refusal) => self.device_refused(session, asker, refusal, typed).await,
        }
    }

    /// Gives up a device that was not bound.
    async fn drop_device(&self, session: &Session, typed: Typed) -> Page {
        let Some(device) = &session.device else { return Page::redirect("/me") };
        self.console.sessions.keep_device(self.session_cookie(), None);
        let mut asker = self.asker(session);
        match asker.ask("DeleteVirtualMFADevice", given(&[("SerialNumber", &device.serial)])).await {
            Ok(_) => Page::redirect("/me?done=device-dropped"),
            Err(refusal) => {
                let without = Session { device: None, ..session.clone() };
                self.device_refused(&without, asker, refusal, typed).await
            }
        }
    }

    /// Takes the device away, which ends every session of the user, this one too.
    async fn unbind_device(&self, session: &Session, typed: Typed) -> Page {
        let mut asker = self.asker(session);
        let user = session.caller.user_name();
        match asker.ask("UnbindMFADevice", given(&[("UserName", &user)])).await {
            Ok(_) => {
                self.console.sessions.end(&session.caller.account, &session.id);
                Page::redirect("/sign-in?done=device-unbound").with("Set-Cookie", gone(SESSION_COOKIE))
            }
            Err(refusal) => self.device_refused(session, asker, refusal, typed).await,
        }
    }
}
