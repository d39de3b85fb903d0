//! Passkeys, which browsers give to scripts alone: what stands in a form is filled in by `passkeys.js`.

use maud::{Markup, html};
use serde_json::Value;

use super::sign_in::Me;
use crate::{Frame, frame::time};

/// Where passkeys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyPlace<'a> {
    /// Where the browser is.
    Here,
    /// At another address of the console: browsers know no passkeys for an IP address, and none of another name.
    At(&'a str),
    /// Nowhere: the configuration says no address.
    Nowhere,
}

/// Fields that the script fills in when somebody signs in.
const ANSWER: [&str; 5] = ["credential_id", "client_data", "authenticator_data", "signature", "user_handle"];

/// A form whose button asks the browser for a passkey: first the path that gives the options, then its own.
fn form(frame: &Frame<'_>, (options, action): (&str, &str), fields: &[&str], content: &Markup) -> Markup {
    html! {
        form method="post" action=(action) data-passkey=(options) {
            @if let Some(visitor) = frame.visitor {
                input type="hidden" name="form_token" value=(visitor.form_token);
            }
            @for name in fields { input type="hidden" name=(name) value=""; }
            (content)
            p.refused role="alert" hidden data-trouble="failed" { (frame.t("passkey-not-given")) }
            p.refused role="alert" hidden data-trouble="unknown" { (frame.t("passkey-no-browser")) }
            noscript { p.hint { (frame.t("passkey-no-script")) } }
        }
    }
}

/// Says where else passkeys work.
fn elsewhere(frame: &Frame<'_>, origin: &str) -> Markup {
    html! { p { (frame.t("passkey-elsewhere")) " " a href=(origin) translate="no" { (origin) } } }
}

/// Signing in with a passkey and nothing else.
pub(super) fn way_in(frame: &Frame<'_>, place: PasskeyPlace<'_>, back: &str) -> Markup {
    html! {
        @match place {
            PasskeyPlace::Nowhere => {}
            PasskeyPlace::At(origin) => { h2 { (frame.t("sign-in-passkey-title")) } (elsewhere(frame, origin)) }
            PasskeyPlace::Here => {
                h2 { (frame.t("sign-in-passkey-title")) }
                (form(frame, ("/sign-in/passkey/options", "/sign-in/passkey"), &ANSWER, &html! {
                    input type="hidden" name="back" value=(back);
                    p { (frame.t("sign-in-passkey-about")) }
                    button type="submit" { (frame.t("sign-in-passkey")) }
                }))
            }
        }
    }
}

/// A passkey behind a password.
pub(super) fn second(frame: &Frame<'_>, place: PasskeyPlace<'_>, beside_code: bool) -> Markup {
    html! {
        @if beside_code { h2 { (frame.t("sign-in-passkey-title")) } }
        @match place {
            PasskeyPlace::Nowhere => { p { (frame.t("passkey-nowhere")) } }
            PasskeyPlace::At(origin) => { (elsewhere(frame, origin)) }
            PasskeyPlace::Here => {
                (form(frame, ("/sign-in/code/options", "/sign-in/code/passkey"), &ANSWER, &html! {
                    button type="submit" { (frame.t("sign-in-passkey-second")) }
                }))
            }
        }
    }
}

/// Passkeys as a table; `action` gives what can be done with one, from its fields and its name.
pub(super) fn table(frame: &Frame<'_>, listed: &[Value], action: impl Fn(&[(&str, &str)], &str) -> Markup) -> Markup {
    let heads = ["passkey-name", "passkey-made", "passkey-used", "passkey-kept", "session-action"];
    let rows: Vec<Vec<Markup>> = listed
        .iter()
        .map(|passkey| {
            let text = |name: &str| passkey.get(name).and_then(Value::as_str).unwrap_or_default();
            let used = text("LastUsedDate");
            let is_backed_up = passkey.get("BackedUp").and_then(Value::as_bool).unwrap_or_default();
            let kept = if is_backed_up { "passkey-backed-up" } else { "passkey-one-device" };
            vec![
                html! { span translate="no" { (text("PasskeyName")) } },
                time(text("CreateDate")),
                html! { @if used.is_empty() { span.whole { (frame.t("passkey-never-used")) } } @else { (time(used)) } },
                html! { span.whole { (frame.t(kept)) } },
                action(&[("PasskeyId", text("PasskeyId"))], text("PasskeyName")),
            ]
        })
        .collect();
    frame.table("passkeys", &heads, &rows)
}

/// The own passkeys.
pub(super) fn own(frame: &Frame<'_>, me: &Me<'_>) -> Markup {
    let made = ["Challenge", "ClientDataJSON", "AttestationObject", "Transports"];
    html! {
        h2 id="passkeys" { (frame.t("passkeys")) }
        p { (frame.t("passkeys-about")) }
        @match me.passkeys {
            None => { p { (frame.t("passkeys-unknown")) } }
            Some([]) => {}
            Some(listed) => {
                (table(frame, listed, |fields, name| super::people::row_button(
                    frame, "/me/passkey/delete", fields, ("passkey-delete", name))))
                p.hint { (frame.t("passkey-delete-about")) }
            }
        }
        @match me.passkey_place {
            PasskeyPlace::Nowhere => { p { (frame.t("passkey-nowhere")) } }
            PasskeyPlace::At(origin) => { (elsewhere(frame, origin)) }
            PasskeyPlace::Here => {
                (form(frame, ("/me/passkey/options", "/me/passkey/new"), &made, &html! {
                    input type="hidden" name="back" value=(me.back);
                    div.field {
                        label for="PasskeyName" { (frame.t("passkey-name")) }
                        p.hint id="PasskeyName-hint" { (frame.t("passkey-name-about")) }
                        input id="PasskeyName" name="PasskeyName" value=(me.passkey_name) required maxlength="64"
                            autocomplete="off" aria-describedby="PasskeyName-hint";
                    }
                    button type="submit" { (frame.t("passkey-make")) }
                }))
            }
        }
    }
}
