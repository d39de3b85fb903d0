//! Signing in, and what a person does about the own sign-in.

use maud::{Markup, html};
use serde_json::Value;

use super::passkeys::{self, PasskeyPlace};
use crate::{Frame, Refusal, frame::percent};

/// Why somebody is not in yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The user or the password: nobody is told which.
    Wrong,
    WrongCode,
    /// The passkey, or what it has answered.
    Passkey,
    Locked {
        secs: u32,
    },
    /// The password has expired, and only whoever administers can give another.
    Expired,
    /// Too late, or something has changed since the password was shown.
    Ended,
    Busy,
    /// The link is not good.
    Link,
    /// The organization does not vouch for the person, or the role does not trust it.
    Organization,
}

impl Trouble {
    fn text(self, frame: &Frame<'_>) -> String {
        match self {
            Self::Wrong => frame.t("sign-in-wrong"),
            Self::WrongCode => frame.t("sign-in-wrong-code"),
            Self::Passkey => frame.t("sign-in-wrong-passkey"),
            Self::Locked { secs } => frame.t_with("sign-in-locked", &[("minutes", &secs.div_ceil(60).to_string())]),
            Self::Expired => frame.t("sign-in-expired"),
            Self::Ended => frame.t("sign-in-ended"),
            Self::Busy => frame.t("sign-in-busy"),
            Self::Link => frame.t("sign-in-failed"),
            Self::Organization => frame.t("sign-in-organization-failed"),
        }
    }
}

fn alert(frame: &Frame<'_>, trouble: Option<Trouble>) -> Markup {
    html! {
        @if let Some(trouble) = trouble { p.refused role="alert" { (trouble.text(frame)) } }
    }
}

/// What the page of the sign-in shows.
pub struct SignInForm<'a> {
    /// Where the person wanted to go.
    pub back: &'a str,
    /// As it was typed.
    pub account: &'a str,
    /// As it was typed.
    pub user: &'a str,
    pub trouble: Option<Trouble>,
    /// Whether the person has just unbound the own MFA device, which has ended the session.
    pub is_unbound: bool,
    /// Through whom one can sign in: path and label.
    pub organizations: &'a [(String, &'a str)],
    pub passkeys: PasskeyPlace<'a>,
}

/// A line for a secret. What was typed before is never in it.
fn secret(frame: &Frame<'_>, name: &str, label: &str, autocomplete: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (frame.t(label)) }
            input id=(name) name=(name) type="password" required autocomplete=(autocomplete) maxlength="1000";
        }
    }
}

/// A line for a code of an MFA device.
fn code_field(frame: &Frame<'_>, name: &str, label: &str, autocomplete: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (frame.t(label)) }
            input id=(name) name=(name) required inputmode="numeric" autocomplete=(autocomplete) maxlength="10"
                spellcheck="false";
        }
    }
}

/// The page on which one signs in: with a password, or by a link.
pub fn sign_in(frame: &Frame<'_>, form: &SignInForm<'_>) -> String {
    let by_link = matches!(form.trouble, Some(Trouble::Link));
    let line = |name: &str, label: &str, hint: &str, value: &str, required: bool, autocomplete: &str| {
        let hint_id = format!("{name}-hint");
        html! {
            div.field {
                label for=(name) { (frame.t(label)) }
                @if !hint.is_empty() { p.hint id=(hint_id) { (frame.t(hint)) } }
                input id=(name) name=(name) value=(value) required[required] autocomplete=(autocomplete)
                    autocapitalize="none" spellcheck="false" maxlength="1000"
                    aria-describedby=[(!hint.is_empty()).then_some(&hint_id)];
            }
        }
    };
    let content = html! {
        @if form.is_unbound { p.done role="status" { (frame.t("sign-in-device-unbound")) } }
        (alert(frame, form.trouble))
        (frame.form("/sign-in/password", "", &html! {
            input type="hidden" name="back" value=(form.back);
            (line("account", "sign-in-account", "sign-in-account-about", form.account, false, "organization"))
            (line("user", "sign-in-user", "", form.user, true, "username"))
            (secret(frame, "password", "sign-in-password", "current-password"))
            button type="submit" { (frame.t("sign-in")) }
        }))
        (passkeys::way_in(frame, form.passkeys, form.back))
        @if !form.organizations.is_empty() {
            h2 { (frame.t("sign-in-organization")) }
            p { (frame.t("sign-in-organization-about")) }
            ul.actions {
                @for (path, label) in form.organizations {
                    li { a.button href={ (path) "?back=" (percent(form.back)) } translate="no" { (label) } }
                }
            }
        }
        details id="by-link" open[by_link] {
            summary { (frame.t("sign-in-by-link")) }
            p { (frame.t("sign-in-about")) }
            (frame.form("/sign-in", "", &html! {
                input type="hidden" name="back" value=(form.back);
                div.field {
                    label for="token" { (frame.t("sign-in-token")) }
                    p.hint id="token-hint" { (frame.t("sign-in-token-about")) }
                    input id="token" name="token" type="password" required autocomplete="off"
                        aria-describedby="token-hint";
                }
                button type="submit" { (frame.t("sign-in-with-link")) }
            }))
            h2 { (frame.t("sign-in-no-link")) }
            p { (frame.t("sign-in-no-link-about")) }
            pre translate="no" tabindex="0" { code { "jomae console link" } }
        }
    };
    frame.page(&frame.t("sign-in-title"), &content)
}

/// The page of somebody who comes from an organization, while the browser goes on to another one.
pub fn arrived(frame: &Frame<'_>, back: &str) -> String {
    let content = html! { p { a href=(back) { (frame.t("sign-in-go-on")) } } };
    frame.page(&frame.t("sign-in-arrived"), &content)
}

/// What the page shows that asks for a second factor.
pub struct SecondForm<'a> {
    pub user: &'a str,
    /// Whether the code of an MFA device can be it.
    pub takes_code: bool,
    /// Where a passkey can be it; none if the user has no passkeys.
    pub passkeys: Option<PasskeyPlace<'a>>,
    pub trouble: Option<Trouble>,
}

/// The page that asks for the code of the user's MFA device, or for a passkey.
pub fn second(frame: &Frame<'_>, form: &SecondForm<'_>) -> String {
    let (title, about) = if form.takes_code {
        ("sign-in-code-title", "sign-in-code-about")
    } else {
        ("sign-in-passkey-title", "sign-in-passkey-second-about")
    };
    let content = html! {
        (alert(frame, form.trouble))
        p { (frame.t(about)) " " b translate="no" { (form.user) } }
        @if form.takes_code {
            (frame.form("/sign-in/code", "", &html! {
                (code_field(frame, "code", "sign-in-code", "one-time-code"))
                button type="submit" { (frame.t("sign-in")) }
            }))
        }
        @if let Some(place) = form.passkeys { (passkeys::second(frame, place, form.takes_code)) }
        p { a href="/sign-in" { (frame.t("sign-in-anew")) } }
    };
    frame.page(&frame.t(title), &content)
}

/// Who looks at the own sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The account itself, which has no password.
    Account,
    User,
    /// Somebody in a role.
    Role,
}

/// The MFA device of a user.
#[derive(Clone, Copy)]
pub enum OwnDevice<'a> {
    /// Nobody may tell.
    Unknown,
    None,
    Bound(&'a str),
    /// Made, and to be bound.
    New {
        serial: &'a str,
        seed: &'a str,
    },
}

/// The own sign-in.
#[derive(Clone, Copy)]
pub struct Me<'a> {
    pub owner: Owner,
    pub must_change: bool,
    pub must_bind: bool,
    /// Whether this session began with a code or a passkey.
    pub has_mfa: bool,
    /// The account's rules for passwords, as the API has them.
    pub rules: Option<&'a Value>,
    pub device: OwnDevice<'a>,
    /// The passkeys, as the API lists them; none if they may not be seen.
    pub passkeys: Option<&'a [Value]>,
    pub passkey_place: PasskeyPlace<'a>,
    /// A name as it was typed.
    pub passkey_name: &'a str,
    /// Where the person wanted to go.
    pub back: &'a str,
    pub password_refusal: Option<&'a Refusal>,
}

/// The page on which a person changes the own password, and binds a device.
pub fn me(frame: &Frame<'_>, me: &Me<'_>) -> String {
    let has_mfa = if me.has_mfa { "me-with-mfa" } else { "me-without-mfa" };
    let content = html! {
        @if me.must_change { p.warning role="status" { (frame.t("me-must-change")) } }
        @if me.must_bind { p.warning role="status" { (frame.t("me-must-bind")) } }
        @match me.owner {
            Owner::Account => { p { (frame.t("me-account")) } }
            Owner::Role => { p { (frame.t("me-role")) } }
            Owner::User => {
                p { (frame.t(has_mfa)) }
                @if !me.must_bind { (password(frame, me)) }
                @if !me.must_change { (passkeys::own(frame, me)) (device(frame, me)) }
            }
        }
    };
    frame.page(&frame.t("me-title"), &content)
}

fn password(frame: &Frame<'_>, me: &Me<'_>) -> Markup {
    html! {
        h2 { (frame.t("me-password")) }
        @if let Some(refusal) = me.password_refusal {
            div.refused role="alert" {
                p { strong { (frame.t("refused")) } " " (frame.why(refusal)) }
                @if !refusal.request_id.is_empty() {
                    dl {
                        dt { (frame.t("refused-code")) } dd { code { (refusal.code) } }
                        dt { (frame.t("request-id")) } dd { code { (refusal.request_id) } }
                    }
                }
            }
        }
        p { (frame.t("me-password-about")) }
        @if let Some(rules) = me.rules { (password_rules(frame, rules)) }
        (frame.form("/me/password", "", &html! {
            input type="hidden" name="back" value=(me.back);
            (secret(frame, "old_password", "me-old-password", "current-password"))
            (secret(frame, "new_password", "me-new-password", "new-password"))
            (secret(frame, "new_password_again", "me-new-password-again", "new-password"))
            button type="submit" { (frame.t("me-change-password")) }
        }))
    }
}

/// What the account asks of a password.
fn password_rules(frame: &Frame<'_>, rules: &Value) -> Markup {
    let number = |name: &str| rules.get(name).and_then(Value::as_u64).unwrap_or_default();
    let is = |name: &str| rules.get(name).and_then(Value::as_bool).unwrap_or_default();
    let classes = [
        ("RequireLowercaseCharacters", "rule-lowercase"),
        ("RequireUppercaseCharacters", "rule-uppercase"),
        ("RequireNumbers", "rule-numbers"),
        ("RequireSymbols", "rule-symbols"),
    ];
    let (length, reuse) = (number("MinimumPasswordLength"), number("PasswordReusePrevention"));
    html! {
        ul {
            li { (frame.t_with("rule-length", &[("number", &length.to_string())])) }
            @for (name, text) in classes { @if is(name) { li { (frame.t(text)) } } }
            @if reuse > 0 { li { (frame.t_with("rule-reuse", &[("number", &reuse.to_string())])) } }
        }
    }
}

fn device(frame: &Frame<'_>, me: &Me<'_>) -> Markup {
    let new = html! {
        p { (frame.t("me-device-none")) }
        (frame.form("/me/device/new", "", &html! {
            input type="hidden" name="back" value=(me.back);
            button type="submit" { (frame.t("me-device-new")) }
        }))
    };
    let unbind = html! {
        p { (frame.t("me-device-unbind-about")) }
        (frame.form("/me/device/unbind", "", &html! {
            button.danger type="submit" { (frame.t("me-device-unbind")) }
        }))
    };
    html! {
        h2 id="device" { (frame.t("me-device")) }
        @match me.device {
            // Whoever began with a code has one, and may not be allowed to look.
            OwnDevice::Unknown if me.has_mfa => { (unbind) }
            OwnDevice::Unknown => { p { (frame.t("me-device-unknown")) } (new) }
            OwnDevice::None => { (new) }
            OwnDevice::Bound(serial) => { p { (frame.t("me-device-bound")) " " code { (serial) } } (unbind) }
            OwnDevice::New { serial, seed } => {
                p { (frame.t("me-device-scan")) }
                p { img.qr src="/me/device.png" alt=(frame.t("me-device-picture")); }
                dl {
                    dt { (frame.t("me-device-seed")) } dd { code { (seed) } }
                    dt { (frame.t("me-device-serial")) } dd { code { (serial) } }
                }
                p { (frame.t("me-device-codes")) }
                (frame.form("/me/device/bind", "", &html! {
                    input type="hidden" name="back" value=(me.back);
                    (code_field(frame, "code_1", "me-device-code-1", "off"))
                    (code_field(frame, "code_2", "me-device-code-2", "off"))
                    button type="submit" { (frame.t("me-device-bind")) }
                }))
                // Who has to bind one cannot do without it, and may not be allowed to delete it.
                @if !me.must_bind {
                    (frame.form("/me/device/drop", "", &html! {
                        button.quiet type="submit" { (frame.t("me-device-drop")) }
                    }))
                }
            }
        }
    }
}
