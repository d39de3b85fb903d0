//! Users, their AccessKey pairs, passwords, groups and policies.

use maud::{Markup, html};
use serde_json::Value;

use super::{Held, Holder, attached, deletion, input_of, is_true, number, page, paging, row_button, text, tick};
use crate::{
    Frame, May, Typed,
    frame::{code_block, percent, time},
    pages::passkeys::table as passkey_table,
};

/// A part of the list of users.
pub struct PeoplePage<'a> {
    pub users: &'a [Value],
    /// Where the rest begins.
    pub next: Option<&'a str>,
    pub may: &'a May,
    pub typed: &'a Typed,
}

pub fn people(frame: &Frame<'_>, parts: &PeoplePage<'_>) -> String {
    let heads = ["user-name", "user-display-name", "user-comments", "user-created"];
    let rows: Vec<Vec<Markup>> = parts
        .users
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
    let typed = parts.typed;
    let form = frame.form(
        "/people/new",
        "",
        &html! {
            (frame.input("UserName", "user-name", "user-name-about", typed.get("UserName"), true))
            (frame.input("DisplayName", "user-display-name", "", typed.get("DisplayName"), false))
            (frame.input("Comments", "user-comments", "", typed.get("Comments"), false))
            button type="submit" { (frame.t("create-user")) }
        },
    );
    let content = html! {
        p { (frame.t("people-about")) }
        @if rows.is_empty() { p { (frame.t("users-none")) } }
        @else { (frame.table("users", &heads, &rows)) }
        (paging(frame, "/people", parts.next))
        h2 { (frame.t("create-user")) }
        (parts.may.offer(frame, "ram:CreateUser", "create-user", form))
    };
    page(frame, &frame.t("nav-people"), &content)
}

/// A user, and what hangs on it.
pub struct UserParts<'a> {
    pub user: &'a Value,
    /// As the API lists them, each with `LastUsedDate` and `ServiceName`, and its age as `AgeDays`.
    pub access_keys: &'a [Value],
    pub groups: &'a [Value],
    /// Names of groups that there are.
    pub known_groups: &'a [String],
    /// Whether there is a password, and how it was set; none if that cannot be told.
    pub login: Option<&'a Value>,
    /// As the API lists them; none if they may not be seen.
    pub passkeys: Option<&'a [Value]>,
    pub held: Held<'a>,
    /// An AccessKey pair that was just made.
    pub secret: Option<&'a NewSecret<'a>>,
}

/// Shown once.
pub struct NewSecret<'a> {
    pub id: &'a str,
    pub secret: &'a str,
}

const USER: Holder =
    Holder { attach: "ram:AttachPolicyToUser", detach: "ram:DetachPolicyFromUser", none: "policies-none" };

pub fn user(frame: &Frame<'_>, parts: &UserParts<'_>) -> String {
    let name = text(parts.user, "UserName");
    let path = format!("/people/{}", percent(name));
    let may = parts.held.may;
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
        p.actions {
            a.button href={ "/audit?by=User&value=" (percent(name)) } { (frame.t("user-events")) }
            a.button href={ "/simulate?kind=user&name=" (percent(name)) } { (frame.t("simulate-this")) }
        }
        (access_keys(frame, parts, &path))
        (password(frame, parts, &path))
        (passkeys(frame, parts, &path))
        (groups(frame, parts, &path))
        (attached(frame, &path, USER, &parts.held))
        p.hint { (frame.t("policies-about")) }
        h2 { (frame.t("command-line")) }
        p { (frame.t("command-line-about")) }
        (code_block("export ALIBABA_CLOUD_ACCESS_KEY_ID=…\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET=…\njomae decrypt --context NAME=VALUE < FILE"))
        (may.offer(frame, "ram:DeleteUser", "delete-user",
            deletion(frame, &path, ("delete-user", "delete-user-about"))))
    };
    page(frame, &frame.t_with("user-title", &[("name", name)]), &content)
}

fn access_keys(frame: &Frame<'_>, parts: &UserParts<'_>, path: &str) -> Markup {
    let may = parts.held.may;
    let heads = [
        "access-key-id",
        "access-key-status",
        "access-key-created",
        "access-key-age",
        "access-key-last-used",
        "session-action",
    ];
    let rows: Vec<Vec<Markup>> = parts
        .access_keys
        .iter()
        .map(|key| {
            let (id, created) = (text(key, "AccessKeyId"), text(key, "CreateDate"));
            let is_active = text(key, "Status") == "Active";
            let status = if is_active { "access-key-active" } else { "access-key-inactive" };
            let last = text(key, "LastUsedDate");
            let fields = [("UserAccessKeyId", id)];
            let switch = if is_active { ("disable-access-key", "disable") } else { ("enable-access-key", "enable") };
            let switch = row_button(frame, &format!("{path}/{}", switch.0), &fields, (switch.1, id));
            let delete = row_button(frame, &format!("{path}/delete-access-key"), &fields, ("delete", id));
            vec![
                html! { code translate="no" { (id) } },
                html! { span.whole { (frame.t(status)) } },
                time(created),
                html! { span.whole { (frame.t_with("days", &[("days", &number(key, "AgeDays"))])) } },
                html! {
                    @if last.is_empty() { span.whole { (frame.t("access-key-never-used")) } }
                    @else { (time(last)) " " span translate="no" { (text(key, "ServiceName")) } }
                },
                html! {
                    div.actions {
                        (may.offer_in_row("ram:UpdateAccessKey", switch))
                        @if !is_active { (may.offer_in_row("ram:DeleteAccessKey", delete)) }
                    }
                },
            ]
        })
        .collect();
    let create = frame.form(
        &format!("{path}/create-access-key"),
        "",
        &html! { button type="submit" { (frame.t("create-access-key")) } },
    );
    html! {
        h2 { (frame.t("access-keys")) }
        @if rows.is_empty() { p { (frame.t("access-keys-none")) } }
        @else { (frame.table("access-keys", &heads, &rows)) p.hint { (frame.t("access-keys-about")) } }
        (may.offer(frame, "ram:UpdateAccessKey", "access-key-change", html! {}))
        (may.offer(frame, "ram:CreateAccessKey", "create-access-key", create))
    }
}

/// The password is never shown again, not even where it was refused.
fn password(frame: &Frame<'_>, parts: &UserParts<'_>, path: &str) -> Markup {
    let may = parts.held.may;
    let Some(login) = parts.login else {
        return html! { h2 { (frame.t("login")) } p { (frame.t("login-unknown")) } };
    };
    let is_set = login.get("CreateDate").is_some();
    let (permission, what, act) = if is_set {
        ("ram:UpdateLoginProfile", "login-change", "change-login")
    } else {
        ("ram:CreateLoginProfile", "login-set", "set-login")
    };
    let form = frame.form(
        &format!("{path}/{act}"),
        "",
        &html! {
            div.field {
                label for="Password" { (frame.t("login-password")) }
                p.hint id="Password-hint" { (frame.t("login-password-about")) }
                input id="Password" name="Password" type="password" autocomplete="new-password" required
                    aria-describedby="Password-hint";
            }
            (tick(frame, "PasswordResetRequired", "login-reset", !is_set || is_true(login, "PasswordResetRequired")))
            (tick(frame, "MFABindRequired", "login-mfa", is_true(login, "MFABindRequired")))
            button.quiet type="submit" { (frame.t(what)) }
        },
    );
    let remove = frame.form(
        &format!("{path}/remove-login"),
        "",
        &html! { button.quiet type="submit" { (frame.t("login-remove")) } },
    );
    let said = |is: bool| frame.t(if is { "yes" } else { "no" });
    html! {
        h2 { (frame.t("login")) }
        @if is_set {
            dl {
                dt { (frame.t("login-since")) } dd { (time(text(login, "CreateDate"))) }
                dt { (frame.t("login-reset")) } dd { (said(is_true(login, "PasswordResetRequired"))) }
                dt { (frame.t("login-mfa")) } dd { (said(is_true(login, "MFABindRequired"))) }
            }
        } @else { p { (frame.t("login-none")) } }
        (may.offer(frame, permission, what, form))
        @if is_set { (may.offer(frame, "ram:DeleteLoginProfile", "login-remove", remove)) }
    }
}

fn passkeys(frame: &Frame<'_>, parts: &UserParts<'_>, path: &str) -> Markup {
    let may = parts.held.may;
    let listed = parts.passkeys.unwrap_or_default();
    html! {
        h2 { (frame.t("passkeys")) }
        @if parts.passkeys.is_none() { p { (frame.t("passkeys-unknown")) } }
        @else if listed.is_empty() { p { (frame.t("passkeys-none")) } }
        @else {
            (passkey_table(frame, listed, |fields, name| {
                let remove = row_button(frame, &format!("{path}/remove-passkey"), fields, ("passkey-delete", name));
                may.offer_in_row("ram:DeletePasskey", remove)
            }))
            (may.offer(frame, "ram:DeletePasskey", "passkey-delete", html! {}))
        }
    }
}

fn groups(frame: &Frame<'_>, parts: &UserParts<'_>, path: &str) -> Markup {
    let (may, typed) = (parts.held.may, parts.held.typed);
    let rows: Vec<Vec<Markup>> = parts
        .groups
        .iter()
        .map(|group| {
            let name = text(group, "GroupName");
            let leave = row_button(frame, &format!("{path}/leave"), &[("GroupName", name)], ("group-leave", name));
            vec![
                html! { a href={ "/groups/" (percent(name)) } translate="no" { (name) } },
                html! { span translate="no" { (text(group, "Comments")) } },
                may.offer_in_row("ram:RemoveUserFromGroup", leave),
            ]
        })
        .collect();
    let join = frame.form(
        &format!("{path}/join"),
        "",
        &html! {
            (input_of(frame, "GroupName", "group-name", ("", parts.known_groups), typed.get("GroupName")))
            button.quiet type="submit" { (frame.t("group-join")) }
        },
    );
    html! {
        h2 { (frame.t("groups")) }
        @if rows.is_empty() { p { (frame.t("user-groups-none")) } }
        @else { (frame.table("groups", &["group-name", "user-comments", "session-action"], &rows)) }
        (may.offer(frame, "ram:AddUserToGroup", "group-join", join))
    }
}
