//! Users, their AccessKey pairs and policies.

use maud::{Markup, html};
use serde_json::Value;

use super::text;
use crate::{
    Frame, Typed,
    frame::{code_block, percent, time},
};

pub fn people(frame: &Frame<'_>, users: &[Value], is_truncated: bool, typed: &Typed) -> String {
    let heads = ["user-name", "user-display-name", "user-comments", "user-created"];
    let rows: Vec<Vec<Markup>> = users
        .iter()
        .map(|user| {
            let name = text(user, "UserName");
            vec![
                html! { a href={ "/people/" (percent(name)) } translate="no" { (name) } },
                html! { span translate="no" { (text(user, "DisplayName")) } },
                html! { span translate="no" { (text(user, "Comments")) } },
                time(text(user, "CreateDate")),
            ]
        })
        .collect();
    let content = html! {
        p { (frame.t("people-about")) }
        @if users.is_empty() { p { (frame.t("users-none")) } }
        @else { (frame.table("users", &heads, &rows)) }
        @if is_truncated { p { (frame.t("users-more")) } }
        h2 { (frame.t("create-user")) }
        (frame.form("/people/new", "", &html! {
            (frame.input("UserName", "user-name", "user-name-about", typed.get("UserName"), true))
            (frame.input("DisplayName", "user-display-name", "", typed.get("DisplayName"), false))
            (frame.input("Comments", "user-comments", "", typed.get("Comments"), false))
            button type="submit" { (frame.t("create-user")) }
        }))
    };
    frame.page(&frame.t("nav-people"), &content)
}

/// A user, and what hangs on it.
pub struct UserParts<'a> {
    pub user: &'a Value,
    pub access_keys: &'a [Value],
    pub policies: &'a [Value],
    /// An AccessKey pair that was just made.
    pub secret: Option<&'a NewSecret<'a>>,
}

/// Shown once.
pub struct NewSecret<'a> {
    pub id: &'a str,
    pub secret: &'a str,
}

pub fn user(frame: &Frame<'_>, parts: &UserParts<'_>) -> String {
    let name = text(parts.user, "UserName");
    let path = format!("/people/{}", percent(name));
    let heads = ["access-key-id", "access-key-status", "access-key-created"];
    let access_keys: Vec<Vec<Markup>> = parts
        .access_keys
        .iter()
        .map(|key| {
            let status = match text(key, "Status") {
                "Active" => "access-key-active",
                _ => "access-key-inactive",
            };
            let (id, created) = (text(key, "AccessKeyId"), text(key, "CreateDate"));
            vec![html! { code translate="no" { (id) } }, html! { (frame.t(status)) }, time(created)]
        })
        .collect();
    let policies: Vec<Vec<Markup>> = parts
        .policies
        .iter()
        .map(|policy| {
            let (name, kind) = (text(policy, "PolicyName"), text(policy, "PolicyType"));
            let detach = frame.form(
                &format!("{path}/detach"),
                "",
                &html! {
                    input type="hidden" name="PolicyName" value=(name);
                    input type="hidden" name="PolicyType" value=(kind);
                    button.quiet type="submit" { (frame.t("detach")) " " span translate="no" { (name) } }
                },
            );
            vec![html! { span translate="no" { (name) } }, html! { span translate="no" { (kind) } }, detach]
        })
        .collect();
    let content = html! {
        @if let Some(NewSecret { id, secret }) = parts.secret {
            section.done role="status" aria-label=(frame.t("access-key-new")) {
                h2 { (frame.t("access-key-new")) }
                p { (frame.t("access-key-new-about")) }
                dl {
                    dt { (frame.t("access-key-id")) } dd translate="no" { code id="access-key-id" { (id) } }
                    dt { (frame.t("access-key-secret")) } dd translate="no" { code id="access-key-secret" { (secret) } }
                }
            }
        }
        dl {
            dt { (frame.t("user-display-name")) } dd translate="no" { (text(parts.user, "DisplayName")) }
            dt { (frame.t("user-comments")) } dd translate="no" { (text(parts.user, "Comments")) }
            dt { (frame.t("user-created")) } dd { (time(text(parts.user, "CreateDate"))) }
        }
        p { a.button href={ "/audit?by=User&value=" (percent(name)) } { (frame.t("user-events")) } }
        h2 { (frame.t("access-keys")) }
        @if access_keys.is_empty() { p { (frame.t("access-keys-none")) } }
        @else { (frame.table("access-keys", &heads, &access_keys)) }
        (frame.form(&format!("{path}/create-access-key"), "", &html! {
            button type="submit" { (frame.t("create-access-key")) }
        }))
        h2 { (frame.t("policies")) }
        @if policies.is_empty() { p { (frame.t("policies-none")) } }
        @else { (frame.table("policies", &["policy-name", "policy-type", "session-action"], &policies)) }
        p.hint { (frame.t("policies-about")) }
        h2 { (frame.t("command-line")) }
        p { (frame.t("command-line-about")) }
        (code_block("export ALIBABA_CLOUD_ACCESS_KEY_ID=…\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET=…\njomae decrypt --context NAME=VALUE < FILE"))
    };
    frame.page(&frame.t_with("user-title", &[("name", name)]), &content)
}
