//! Passkeys: as the way in, as the second factor, and the own ones. Browsers know them only at one origin, which the
//! configuration says, and which no `Host` changes.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jomae_api::names::AccountId;
use jomae_console::{
    Typed,
    pages::{PasskeyPlace, Trouble},
};
use jomae_core::{
    error::Fault,
    identity::Who,
    ram::{
        passkeys::{CHALLENGE_SECS, user_handle},
        sign_in::{
            Allowed, NewChallenge, PasskeyAnswer, challenge_to_make, challenge_to_sign_in, passkeys_for,
            verify_passkey, verify_second_passkey,
        },
    },
    webauthn::{
        ALGORITHMS, AUTHENTICATOR_DATA_BYTES_MAX, Answer, CLIENT_DATA_BYTES_MAX, CREDENTIAL_ID_BYTES_MAX,
        USER_HANDLE_BYTES_MAX,
    },
};
use jomae_crypto::passkey::SIGNATURE_BYTES_MAX;
use serde_json::{Value, json};

use super::{
    super::{COOKIE_BYTES_MAX, Visit, ask::given, cookie_of, header, reply::Page, sessions::Session},
    NOBODYS_ACCOUNT, gone,
    own::Refused,
    strict,
    waiting::Waiter,
};

/// What the cookie with the sealed challenge is called.
const PASSKEY_COOKIE: &str = "__Host-jomae-passkey";

/// What the script has put into a form, taken out of Base64.
struct Sent {
    credential_id: Vec<u8>,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
    user_handle: Vec<u8>,
}

impl Sent {
    /// None if something is too long, or no Base64.
    fn of(typed: &Typed) -> Option<Self> {
        let field = |name: &str, bytes_max: usize| {
            let text = typed.get(name);
            (text.len() <= bytes_max.div_ceil(3) * 4).then(|| STANDARD.decode(text).ok())?
        };
        Some(Self {
            credential_id: field("credential_id", CREDENTIAL_ID_BYTES_MAX)?,
            client_data: field("client_data", CLIENT_DATA_BYTES_MAX)?,
            authenticator_data: field("authenticator_data", AUTHENTICATOR_DATA_BYTES_MAX)?,
            signature: field("signature", SIGNATURE_BYTES_MAX)?,
            user_handle: field("user_handle", USER_HANDLE_BYTES_MAX)?,
        })
    }

    fn answer<'a>(&'a self, challenge: &'a str) -> PasskeyAnswer<'a> {
        PasskeyAnswer {
            challenge,
            credential_id: &self.credential_id,
            answer: Answer {
                client_data: &self.client_data,
                authenticator_data: &self.authenticator_data,
                signature: &self.signature,
                user_handle: &self.user_handle,
            },
        }
    }
}

fn credentials(allowed: &[Allowed]) -> Vec<Value> {
    let one = |of: &Allowed| json!({"id": URL_SAFE_NO_PAD.encode(&of.credential_id), "transports": of.transports});
    allowed.iter().map(one).collect()
}

/// What `navigator.credentials.get()` is asked with.
fn asked(new: &NewChallenge, allowed: &[Allowed], verification: &str) -> Value {
    json!({
        "challenge": URL_SAFE_NO_PAD.encode(new.challenge.bytes),
        "rpId": new.challenge.rp_id(),
        "allowCredentials": credentials(allowed),
        "userVerification": verification,
        "timeout": CHALLENGE_SECS * 1000,
    })
}

impl Visit<'_> {
    /// Whether passkeys work where the browser is, and where else they do.
    pub(super) fn passkey_place(&self) -> PasskeyPlace<'_> {
        let Some(origin) = self.console.passkey_origin.as_deref() else { return PasskeyPlace::Nowhere };
        let host = header(&self.incoming, "host", COOKIE_BYTES_MAX);
        if origin.strip_prefix("https://") == Some(host) { PasskeyPlace::Here } else { PasskeyPlace::At(origin) }
    }

    /// The origin, for a script that wants a challenge; a page if this is not there.
    fn passkey_origin(&self) -> Result<&str, Page> {
        match (self.passkey_place(), self.console.passkey_origin.as_deref()) {
            (PasskeyPlace::Here, Some(origin)) => Ok(origin),
            _ => Err(self.message(404, "not-found-title", "not-found")),
        }
    }

    /// To sign in with a passkey alone.
    pub(super) fn options_to_sign_in(&self) -> Page {
        let origin = match (self.form(), self.passkey_origin()) {
            (Ok(_), Ok(origin)) => origin,
            (Err(page), _) | (_, Err(page)) => return page,
        };
        match challenge_to_sign_in(&self.console.service.kms, origin, self.now.0) {
            Ok(new) => Page::json(&asked(&new, &[], "required"))
                .with("Set-Cookie", strict(PASSKEY_COOKIE, &new.sealed, CHALLENGE_SECS)),
            Err(fault) => self.failed(&fault),
        }
    }

    pub(super) async fn sign_in_by_passkey(&self) -> Page {
        let typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        let back = typed.get("back").to_owned();
        let again = |trouble| self.sign_in_form(&back, &Typed::default(), Some(trouble));
        // Whose it is, is said by the passkey.
        let Some(nobody) = AccountId::new(NOBODYS_ACCOUNT) else {
            return self.failed(&Fault::internal("the account that nobody has is no account id"));
        };
        let Some(sent) = Sent::of(&typed) else { return again(Trouble::Passkey) };
        let challenge = cookie_of(&self.incoming, PASSKEY_COOKIE).unwrap_or_default();
        let attempt = self.attempt(&nobody, "", &back);
        let page = match verify_passkey(&self.console.service.kms, &attempt, &sent.answer(challenge)).await {
            Ok(signed_in) => self.signed_in(signed_in, &back),
            Err(error) => self.not_signed_in(error, |trouble| {
                again(if trouble == Trouble::Wrong { Trouble::Passkey } else { trouble })
            }),
        };
        page.with("Set-Cookie", gone(PASSKEY_COOKIE))
    }

    /// For the second factor of whoever has shown a password.
    pub(super) fn options_of_second(&self) -> Page {
        let origin = match (self.form(), self.passkey_origin()) {
            (Ok(_), Ok(origin)) => origin,
            (Err(page), _) | (_, Err(page)) => return page,
        };
        let cookie = self.waiting_cookie();
        let Some((waiter, expires)) = self.console.waiting.take(cookie, self.now) else {
            return self.message(404, "not-found-title", "not-found");
        };
        let new = waiter.shown.challenge(&self.console.service.kms, origin, self.now.0);
        self.console.waiting.put_back(cookie, waiter, expires);
        match new {
            Ok((new, allowed)) => Page::json(&asked(&new, &allowed, "preferred"))
                .with("Set-Cookie", strict(PASSKEY_COOKIE, &new.sealed, CHALLENGE_SECS)),
            Err(fault) => self.failed(&fault),
        }
    }

    pub(super) async fn second_by_passkey(&self) -> Page {
        let typed = match self.form() {
            Ok(typed) => typed,
            Err(page) => return page,
        };
        let cookie = self.waiting_cookie();
        let Some(sent) = Sent::of(&typed) else { return self.ask_for_second(Some(Trouble::Passkey)) };
        let Some((waiter, expires)) = self.console.waiting.take(cookie, self.now) else {
            return self.sign_in_form("/", &Typed::default(), Some(Trouble::Ended));
        };
        let Waiter { shown, account, user_name, back } = waiter;
        let attempt = self.attempt(&account, &user_name, &back);
        let challenge = cookie_of(&self.incoming, PASSKEY_COOKIE).unwrap_or_default();
        let kms = &self.console.service.kms;
        let page = match verify_second_passkey(kms, &attempt, shown, &sent.answer(challenge)).await {
            Ok(signed_in) => self.signed_in(signed_in, &back),
            Err((shown, error)) => self.second_not_shown(shown, error, (&account, &user_name, &back), expires),
        };
        page.with("Set-Cookie", gone(PASSKEY_COOKIE))
    }

    /// For a user who makes a passkey.
    pub(super) fn options_to_make(&self, session: &Session) -> Page {
        let (origin, Who::User { id, name }) = (self.passkey_origin(), &session.caller.who) else {
            return self.message(404, "not-found-title", "not-found");
        };
        let origin = match origin {
            Ok(origin) => origin,
            Err(page) => return page,
        };
        let account = &session.caller.account;
        let kms = &self.console.service.kms;
        let new = challenge_to_make(kms, origin, (account, id), self.now.0);
        let new = new.and_then(|new| Ok((passkeys_for(&kms.vault, (account, id), new.challenge.rp_id())?, new)));
        let (known, new) = match new {
            Ok(new) => new,
            Err(fault) => return self.failed(&fault),
        };
        let algorithms = ALGORITHMS.map(|alg| json!({"type": "public-key", "alg": alg}));
        Page::json(&json!({
            "token": new.sealed,
            "challenge": URL_SAFE_NO_PAD.encode(new.challenge.bytes),
            "rp": {"id": new.challenge.rp_id(), "name": "Jomae"},
            "user": {
                "id": URL_SAFE_NO_PAD.encode(user_handle(account, id)),
                "name": format!("{name}@{account}"),
                "displayName": name,
            },
            "pubKeyCredParams": algorithms,
            "excludeCredentials": credentials(&known),
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
            "attestation": "none",
            "timeout": CHALLENGE_SECS * 1000,
        }))
    }

    pub(super) async fn make_passkey(&self, session: &Session, typed: Typed) -> Page {
        let mut asker = self.asker(session);
        let params = ["PasskeyName", "Challenge", "ClientDataJSON", "AttestationObject", "Transports"];
        let params = params.map(|name| (name, typed.get(name).trim()));
        let made = asker.ask("CreatePasskey", given(&params)).await;
        asker.conceal(&["Challenge", "ClientDataJSON", "AttestationObject"]);
        match made {
            Ok(_) => super::own::done(&typed, "passkey-made"),
            Err(refusal) => {
                self.me(session, asker, Refused { of_passkey: Some(refusal), typed, ..Refused::default() }).await
            }
        }
    }

    /// Takes one of the own passkeys away, which ends the sessions that came by it.
    pub(super) async fn delete_passkey(&self, session: &Session, typed: Typed) -> Page {
        let mut asker = self.asker(session);
        match asker.ask("DeletePasskey", given(&[("PasskeyId", typed.get("PasskeyId"))])).await {
            Ok(_) => Page::redirect("/me?done=passkey-deleted"),
            Err(refusal) => {
                self.me(session, asker, Refused { of_passkey: Some(refusal), typed, ..Refused::default() }).await
            }
        }
    }
}
