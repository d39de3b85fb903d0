//! Keys: the list, one key, a new one, its use, and who else may use it.

use maud::{Markup, html};
use serde_json::Value;

use super::{sign::file_or_text, text};
use crate::{
    Frame, Typed,
    frame::{code_block, percent, time},
};

/// A page of the list.
pub struct KeysPage<'a> {
    /// The rows of ListKeys; of a key that may not be described, with the ID alone.
    pub keys: &'a [Value],
    /// The state that is asked for; empty: all.
    pub state: &'a str,
    /// The text that is searched for.
    pub find: &'a str,
    /// A moment since which the keys were not used; empty: any.
    pub unused: &'a str,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// The states, in the order of a key's life.
const STATES: [(&str, &str); 4] = [
    ("Enabled", "state-enabled"),
    ("Disabled", "state-disabled"),
    ("PendingImport", "state-pending-import"),
    ("PendingDeletion", "state-pending-deletion"),
];

/// What a key can be made of, as the API names it.
const SPECS: [&str; 8] =
    ["Aliyun_AES_256", "Aliyun_SM4", "RSA_2048", "RSA_3072", "EC_P256", "EC_SM2", "HMAC_SHA_256", "HMAC_SM3"];

pub(super) fn key_path(id: &str) -> String {
    format!("/keys/{}", percent(id))
}

pub fn keys(frame: &Frame<'_>, page: &KeysPage<'_>) -> String {
    let rows: Vec<Vec<Markup>> = page
        .keys
        .iter()
        .map(|key| {
            let id = text(key, "KeyId");
            let aliases = key.get("AliasNames").and_then(Value::as_array).into_iter().flatten();
            let aliases = aliases.filter_map(Value::as_str);
            vec![
                html! { a href=(key_path(id)) translate="no" { (id) } },
                html! { span translate="no" { @for alias in aliases { (alias) " " } } },
                html! { span translate="no" { (text(key, "Description")) } },
                frame.state(text(key, "KeyState")),
                html! { span translate="no" { (text(key, "KeySpec")) } },
                time(text(key, "LastUsed")),
            ]
        })
        .collect();
    let states = std::iter::once(("", frame.t("state-all"))).chain(STATES.map(|(state, id)| (state, frame.t(id))));
    let states: Vec<(&str, String)> = states.collect();
    let heads = ["key-id", "key-alias", "key-description", "key-state", "key-spec", "key-last-used"];
    let at = |number: u64| {
        let (state, find, unused) = (percent(page.state), percent(page.find), percent(page.unused));
        format!("/keys?state={state}&find={find}&unused={unused}&page={number}")
    };
    let content = html! {
        p { a.button href="/keys/new" { (frame.t("create-key")) } }
        form.actions method="get" action="/keys" role="search" data-search="found" {
            (frame.input("find", "keys-find", "keys-find-about", page.find, false))
            (frame.select("state", "key-state", &states, page.state))
            @if !page.unused.is_empty() { input type="hidden" name="unused" value=(page.unused); }
            div.field { button type="submit" { (frame.t("search")) } }
        }
        div id="found" {
        p role="status" { (frame.t_with("keys-total", &[("count", &page.total.to_string())])) }
        @if !page.unused.is_empty() {
            p { (frame.t("keys-unused-since")) " " (time(page.unused)) " " a href="/keys" { (frame.t("state-all")) } }
        }
        @if page.keys.is_empty() { p { (frame.t("keys-none")) } }
        @else { (frame.table("nav-keys", &heads, &rows)) }
        @if page.pages > 1 {
            nav aria-label=(frame.t("paging")) {
                p {
                    @if page.page > 1 { a href=(at(page.page - 1)) rel="prev" { (frame.t("page-before")) } " " }
                    (frame.t_with("page-of", &[("page", &page.page.to_string()), ("pages", &page.pages.to_string())]))
                    @if page.page < page.pages { " " a href=(at(page.page + 1)) rel="next" { (frame.t("page-next")) } }
                }
            }
        }
        }
    };
    frame.page(&frame.t("nav-keys"), &content)
}

pub fn create_key(frame: &Frame<'_>, typed: &Typed) -> String {
    let specs: Vec<(&str, String)> = SPECS.iter().map(|spec| (*spec, (*spec).to_owned())).collect();
    let origins = [("Aliyun_KMS", frame.t("origin-kms")), ("EXTERNAL", frame.t("origin-external"))];
    let periods = [
        ("", frame.t("rotation-off")),
        ("30d", frame.t_with("days", &[("days", "30")])),
        ("90d", frame.t_with("days", &[("days", "90")])),
        ("180d", frame.t_with("days", &[("days", "180")])),
        ("365d", frame.t_with("days", &[("days", "365")])),
    ];
    let content = html! {
        (frame.form("/keys/new", "", &html! {
            (frame.input("alias", "key-alias", "key-alias-about", typed.get("alias"), false))
            (frame.input("Description", "key-description", "key-description-about", typed.get("Description"), false))
            (frame.select("KeySpec", "key-spec", &specs, typed.get("KeySpec")))
            p.hint { (frame.t("key-spec-about")) }
            (frame.select("Origin", "key-origin", &origins, typed.get("Origin")))
            (frame.select("RotationInterval", "rotation-period", &periods, typed.get("RotationInterval")))
            p.hint { (frame.t("rotation-about")) }
            button type="submit" { (frame.t("create-key")) }
        }))
    };
    frame.page(&frame.t("create-key"), &content)
}

/// A key, and what hangs on it. What was refused is null.
pub struct KeyParts<'a> {
    pub metadata: &'a Value,
    pub usage: &'a Value,
    pub aliases: &'a [Value],
    pub tags: &'a [Value],
    pub versions: &'a [Value],
    /// The text of the key policy.
    pub policy: &'a str,
    pub typed: &'a Typed,
}

pub fn key(frame: &Frame<'_>, parts: &KeyParts<'_>) -> String {
    let key = parts.metadata;
    let (id, state) = (text(key, "KeyId"), text(key, "KeyState"));
    let usage = text(key, "KeyUsage");
    let content = html! {
        dl {
            dt { (frame.t("key-state")) } dd { (frame.state(state)) }
            dt { (frame.t("key-description")) } dd translate="no" { (text(key, "Description")) }
            dt { (frame.t("key-spec")) } dd translate="no" { (text(key, "KeySpec")) }
            dt { (frame.t("key-usage")) } dd translate="no" { (usage) }
            dt { (frame.t("key-origin")) } dd translate="no" { (text(key, "Origin")) }
            dt { (frame.t("key-created")) } dd { (time(text(key, "CreationDate"))) }
            dt { (frame.t("key-arn")) } dd translate="no" { code { (text(key, "Arn")) } }
            @if !text(key, "DeleteDate").is_empty() {
                dt { (frame.t("key-delete-date")) } dd { (time(text(key, "DeleteDate"))) }
            }
            dt { (frame.t("key-last-used")) }
            dd {
                @if text(parts.usage, "LastUsed").is_empty() { (frame.t("key-never-used")) }
                @else {
                    (time(text(parts.usage, "LastUsed"))) " "
                    span translate="no" { (text(parts.usage, "LastUsedBy")) }
                }
            }
        }
        p.actions {
            @if usage == "ENCRYPT/DECRYPT" { a.button href={ (key_path(id)) "/try" } { (frame.t("try-it")) } }
            @else { a.button href={ (key_path(id)) "/sign" } { (frame.t("sign-title")) } }
            a.button href={ (key_path(id)) "/use" } { (frame.t("use-title")) }
            @if text(key, "Origin") == "EXTERNAL" {
                a.button href={ (key_path(id)) "/import" } { (frame.t("import-title")) }
            }
            a.button href={ (key_path(id)) "/grant" } { (frame.t("grant")) }
            a.button href={ "/audit?by=ResourceName&value=" (percent(id)) } { (frame.t("key-events")) }
        }
        (states(frame, id, state, parts.typed))
        (aliases(frame, parts, id))
        (tags(frame, parts, id))
        h2 { (frame.t("versions")) }
        (time_line(frame, key, parts.versions))
        @if state == "Enabled" && usage == "ENCRYPT/DECRYPT" && text(key, "Origin") == "Aliyun_KMS" {
            (frame.form(&format!("{}/rotate", key_path(id)), "", &html! {
                button.quiet type="submit" { (frame.t("rotate-now")) }
            }))
        }
        @if !parts.policy.is_empty() {
            h2 { (frame.t("key-policy")) }
            (code_block(parts.policy))
        }
    };
    frame.page(&frame.t_with("key-title", &[("id", id)]), &content)
}

/// What will be, and what was, the newest first.
fn time_line(frame: &Frame<'_>, key: &Value, versions: &[Value]) -> Markup {
    let primary = text(key, "PrimaryKeyVersion");
    let to_come = [
        ("key-delete-date", "DeleteDate"),
        ("rotation-next", "NextRotationDate"),
        ("material-expires", "MaterialExpireTime"),
    ];
    html! {
        ol.timeline reversed {
            @for (label, member) in to_come {
                @if !text(key, member).is_empty() {
                    li.to-come { (time(text(key, member))) " " b { (frame.t(label)) } }
                }
            }
            @for version in versions {
                @let id = text(version, "KeyVersionId");
                @let role = if id == primary { "version-primary" } else { "version-other" };
                li { (time(text(version, "CreationDate"))) " " b { (frame.t(role)) } " " code translate="no" { (id) } }
            }
            li { (time(text(key, "CreationDate"))) " " b { (frame.t("key-created")) } }
        }
    }
}

fn states(frame: &Frame<'_>, id: &str, state: &str, typed: &Typed) -> Markup {
    let path = key_path(id);
    html! {
        h2 { (frame.t("key-change")) }
        @if state == "Disabled" {
            (frame.form(&format!("{path}/enable"), "", &html! { button type="submit" { (frame.t("enable")) } }))
        }
        @if state == "Enabled" {
            p { (frame.t("disable-about")) " " a href={ (path) "/use" } { (frame.t("break-title")) } }
            (frame.form(&format!("{path}/disable"), "", &html! {
                button.quiet type="submit" { (frame.t("disable")) }
            }))
        }
        @if state == "PendingDeletion" {
            p.warning { (frame.t("pending-deletion-about")) }
            (frame.form(&format!("{path}/cancel-deletion"), "", &html! {
                button type="submit" { (frame.t("cancel-deletion")) }
            }))
        } @else {
            details {
                summary { (frame.t("schedule-deletion")) }
                p.warning { (frame.t("schedule-deletion-about")) }
                (frame.form(&format!("{path}/schedule-deletion"), "", &html! {
                    (frame.input("PendingWindowInDays", "deletion-days", "deletion-days-about",
                        if typed.get("PendingWindowInDays").is_empty() { "30" } else { typed.get("PendingWindowInDays") }, true))
                    (frame.input("confirm", "deletion-confirm", "deletion-confirm-about", typed.get("confirm"), true))
                    button.danger type="submit" { (frame.t("schedule-deletion")) }
                }))
            }
        }
    }
}

fn aliases(frame: &Frame<'_>, parts: &KeyParts<'_>, id: &str) -> Markup {
    html! {
        h2 { (frame.t("aliases")) }
        @if parts.aliases.is_empty() { p { (frame.t("aliases-none")) } }
        ul {
            @for alias in parts.aliases {
                li { code translate="no" { (text(alias, "AliasName")) } " "
                    (frame.form(&format!("{}/delete-alias", key_path(id)), "", &html! {
                        input type="hidden" name="AliasName" value=(text(alias, "AliasName"));
                        button.quiet type="submit" { (frame.t("delete")) " "
                            span translate="no" { (text(alias, "AliasName")) } }
                    })) }
            }
        }
        (frame.form(&format!("{}/create-alias", key_path(id)), "", &html! {
            (frame.input("alias", "alias-new", "key-alias-about", parts.typed.get("alias"), true))
            button.quiet type="submit" { (frame.t("create-alias")) }
        }))
    }
}

fn tags(frame: &Frame<'_>, parts: &KeyParts<'_>, id: &str) -> Markup {
    html! {
        h2 { (frame.t("tags")) }
        @if parts.tags.is_empty() { p { (frame.t("tags-none")) } }
        ul {
            @for tag in parts.tags {
                li { span translate="no" { (text(tag, "TagKey")) " = " (text(tag, "TagValue")) } " "
                    (frame.form(&format!("{}/untag", key_path(id)), "", &html! {
                        input type="hidden" name="TagKey" value=(text(tag, "TagKey"));
                        button.quiet type="submit" { (frame.t("delete")) " "
                            span translate="no" { (text(tag, "TagKey")) } }
                    })) }
            }
        }
        (frame.form(&format!("{}/tag", key_path(id)), "", &html! {
            div.pair {
                (frame.input("tag_key", "tag-key", "", parts.typed.get("tag_key"), true))
                (frame.input("tag_value", "tag-value", "", parts.typed.get("tag_value"), true))
            }
            button.quiet type="submit" { (frame.t("add-tag")) }
        }))
    }
}

/// What a try has given.
pub enum Tried<'a> {
    Nothing,
    /// In Base64.
    Ciphertext(&'a str),
    /// The text; none if it is no text, with its Base64.
    Plaintext(Option<&'a str>, &'a str),
}

pub fn try_it(frame: &Frame<'_>, id: &str, typed: &Typed, tried: &Tried<'_>) -> String {
    let path = key_path(id);
    let content = html! {
        p { a href=(path) translate="no" { (id) } }
        @match tried {
            Tried::Nothing => {}
            Tried::Ciphertext(ciphertext) => {
                section.result aria-label=(frame.t("try-ciphertext")) {
                    h2 { (frame.t("try-ciphertext")) }
                    p { (frame.t("try-ciphertext-about")) }
                    div id="result" { (code_block(ciphertext)) }
                }
            }
            Tried::Plaintext(plaintext, base64) => {
                section.result aria-label=(frame.t("try-plaintext")) {
                    h2 { (frame.t("try-plaintext")) }
                    @match plaintext {
                        Some(text) => { div id="result" { (code_block(text)) } }
                        None => { p { (frame.t("try-no-text")) } div id="result" { (code_block(base64)) } }
                    }
                    p data-save=(base64) data-label=(frame.t("try-save")) {}
                }
            }
        }
        h2 { (frame.t("encrypt")) }
        (frame.form(&format!("{path}/encrypt"), "", &html! {
            p.hint { (frame.t("try-text-about")) }
            (file_or_text(frame, "plaintext", "try-text", typed))
            (frame.context(typed, "encrypt_context"))
            button type="submit" { (frame.t("encrypt")) }
        }))
        h2 { (frame.t("decrypt")) }
        (frame.form(&format!("{path}/decrypt"), "", &html! {
            (frame.area("ciphertext", "try-ciphertext", "try-decrypt-about", typed.get("ciphertext")))
            (frame.context(typed, "decrypt_context"))
            button type="submit" { (frame.t("decrypt")) }
        }))
    };
    frame.page(&frame.t("try-it"), &content)
}

/// Gives a user a right on a key, for one context if one is typed.
pub fn grant(frame: &Frame<'_>, id: &str, users: &[Value], typed: &Typed) -> String {
    let path = key_path(id);
    let users: Vec<(&str, String)> =
        users.iter().map(|user| (text(user, "UserName"), text(user, "UserName").to_owned())).collect();
    let rights = [
        ("kms:Decrypt", frame.t("grant-decrypt")),
        ("kms:Encrypt", frame.t("grant-encrypt")),
        ("both", frame.t("grant-both")),
    ];
    let content = html! {
        p { a href=(path) translate="no" { (id) } }
        p { (frame.t("grant-about")) }
        @if users.is_empty() {
            p { (frame.t("grant-no-users")) " " a href="/people" { (frame.t("nav-people")) } }
        } @else {
            (frame.form(&format!("{path}/grant"), "", &html! {
                (frame.select("UserName", "grant-user", &users, typed.get("UserName")))
                (frame.select("right", "grant-right", &rights, typed.get("right")))
                (frame.context(typed, "grant_context"))
                p.hint { (frame.t("grant-context-about")) }
                (frame.input("PolicyName", "policy-name", "policy-name-about", typed.get("PolicyName"), true))
                button type="submit" { (frame.t("grant")) }
            }))
        }
    };
    frame.page(&frame.t("grant"), &content)
}
