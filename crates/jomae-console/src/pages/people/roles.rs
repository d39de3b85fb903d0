//! Roles: who may assume them, and what they may do.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    Held, Holder, attached, deletion, number, page, paging,
    policies::{Draft, editor},
    text,
};
use crate::{
    Frame, May, Typed,
    frame::{percent, time},
};

/// A part of the list of roles.
pub struct RolesPage<'a> {
    pub roles: &'a [Value],
    /// Where the rest begins.
    pub next: Option<&'a str>,
    /// The trust policy of a new role.
    pub draft: Draft<'a>,
    pub may: &'a May,
    pub typed: &'a Typed,
}

pub fn roles(frame: &Frame<'_>, parts: &RolesPage<'_>) -> String {
    let rows: Vec<Vec<Markup>> = parts
        .roles
        .iter()
        .map(|role| {
            let name = text(role, "RoleName");
            vec![
                html! { a href={ "/roles/" (percent(name)) } translate="no" { (name) } },
                html! { span translate="no" { (text(role, "Description")) } },
                time(text(role, "CreateDate")),
            ]
        })
        .collect();
    let typed = parts.typed;
    let form = frame.form(
        "/roles/new",
        "",
        &html! {
            (frame.input("RoleName", "role-name", "role-name-about", typed.get("RoleName"), true))
            (frame.input("Description", "role-description", "", typed.get("Description"), false))
            (frame.input("MaxSessionDuration", "role-duration", "role-duration-about",
                if typed.get("MaxSessionDuration").is_empty() { "3600" } else { typed.get("MaxSessionDuration") }, true))
            (editor(frame, "trust-policy", &parts.draft))
            (editor_buttons(frame, "create-role"))
        },
    );
    let content = html! {
        p { (frame.t("roles-about")) }
        @if rows.is_empty() { p { (frame.t("roles-none")) } }
        @else { (frame.table("roles", &["role-name", "role-description", "user-created"], &rows)) }
        (paging(frame, "/roles", parts.next))
        h2 { (frame.t("create-role")) }
        (parts.may.offer(frame, "ram:CreateRole", "create-role", form))
    };
    page(frame, &frame.t("roles"), &content)
}

/// To check what was typed, or to do it.
fn editor_buttons(frame: &Frame<'_>, what: &str) -> Markup {
    html! {
        div.actions {
            button type="submit" { (frame.t(what)) }
            button.quiet type="submit" name="act" value="check" { (frame.t("check")) }
        }
    }
}

/// A role, and what hangs on it.
pub struct RoleParts<'a> {
    pub role: &'a Value,
    /// Its trust policy, as it is or as it was typed.
    pub draft: Draft<'a>,
    pub held: Held<'a>,
}

const ROLE: Holder =
    Holder { attach: "ram:AttachPolicyToRole", detach: "ram:DetachPolicyFromRole", none: "role-policies-none" };

pub fn role(frame: &Frame<'_>, parts: &RoleParts<'_>) -> String {
    let name = text(parts.role, "RoleName");
    let path = format!("/roles/{}", percent(name));
    let may = parts.held.may;
    let trust = frame.form(
        &format!("{path}/trust"),
        "",
        &html! {
            (editor(frame, "trust-policy", &parts.draft))
            (editor_buttons(frame, "trust-save"))
        },
    );
    let shown = html! {
        p.not-offered { b { (frame.t("trust-policy")) } }
        pre translate="no" tabindex="0" { code { (text(parts.role, "AssumeRolePolicyDocument")) } }
        (may.offer(frame, "ram:UpdateRole", "trust-save", html! {}))
    };
    let content = html! {
        dl {
            dt { (frame.t("role-description")) } dd translate="no" { (text(parts.role, "Description")) }
            dt { (frame.t("role-arn")) } dd translate="no" { code { (text(parts.role, "Arn")) } }
            dt { (frame.t("role-duration")) } dd { (number(parts.role, "MaxSessionDuration")) }
            dt { (frame.t("user-created")) } dd { (time(text(parts.role, "CreateDate"))) }
        }
        p.actions {
            a.button href={ "/simulate?kind=role&name=" (percent(name)) } { (frame.t("simulate-this")) }
        }
        h2 { (frame.t("role-trust")) }
        p { (frame.t("role-trust-about")) }
        @if may.allows("ram:UpdateRole") { (trust) } @else { (shown) }
        (attached(frame, &path, ROLE, &parts.held))
        (may.offer(frame, "ram:DeleteRole", "delete-role",
            deletion(frame, &path, ("delete-role", "delete-role-about"))))
    };
    page(frame, &frame.t_with("role-title", &[("name", name)]), &content)
}
