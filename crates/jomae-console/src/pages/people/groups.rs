//! Groups: members and policies.

use maud::{Markup, html};
use serde_json::Value;

use super::{Held, Holder, attached, deletion, input_of, page, paging, row_button, text};
use crate::{
    Frame, May, Typed,
    frame::{percent, time},
};

/// A part of the list of groups.
pub struct GroupsPage<'a> {
    pub groups: &'a [Value],
    /// Where the rest begins.
    pub next: Option<&'a str>,
    pub may: &'a May,
    pub typed: &'a Typed,
}

pub fn groups(frame: &Frame<'_>, parts: &GroupsPage<'_>) -> String {
    let rows: Vec<Vec<Markup>> = parts
        .groups
        .iter()
        .map(|group| {
            let name = text(group, "GroupName");
            vec![
                html! { a href={ "/groups/" (percent(name)) } translate="no" { (name) } },
                html! { span translate="no" { (text(group, "Comments")) } },
                time(text(group, "CreateDate")),
            ]
        })
        .collect();
    let form = frame.form(
        "/groups/new",
        "",
        &html! {
            (frame.input("GroupName", "group-name", "group-name-about", parts.typed.get("GroupName"), true))
            (frame.input("Comments", "user-comments", "", parts.typed.get("Comments"), false))
            button type="submit" { (frame.t("create-group")) }
        },
    );
    let content = html! {
        p { (frame.t("groups-about")) }
        @if rows.is_empty() { p { (frame.t("groups-none")) } }
        @else { (frame.table("groups", &["group-name", "user-comments", "user-created"], &rows)) }
        (paging(frame, "/groups", parts.next))
        h2 { (frame.t("create-group")) }
        (parts.may.offer(frame, "ram:CreateGroup", "create-group", form))
    };
    page(frame, &frame.t("groups"), &content)
}

/// A group, and what hangs on it.
pub struct GroupParts<'a> {
    pub group: &'a Value,
    pub members: &'a [Value],
    /// Whether there are more members than are shown.
    pub is_cut: bool,
    /// Names of users that there are.
    pub known_users: &'a [String],
    pub held: Held<'a>,
}

const GROUP: Holder =
    Holder { attach: "ram:AttachPolicyToGroup", detach: "ram:DetachPolicyFromGroup", none: "group-policies-none" };

pub fn group(frame: &Frame<'_>, parts: &GroupParts<'_>) -> String {
    let name = text(parts.group, "GroupName");
    let path = format!("/groups/{}", percent(name));
    let (may, typed) = (parts.held.may, parts.held.typed);
    let rows: Vec<Vec<Markup>> = parts
        .members
        .iter()
        .map(|member| {
            let name = text(member, "UserName");
            let remove = row_button(frame, &format!("{path}/remove"), &[("UserName", name)], ("member-remove", name));
            vec![
                html! { a href={ "/people/" (percent(name)) } translate="no" { (name) } },
                html! { span translate="no" { (text(member, "DisplayName")) } },
                time(text(member, "JoinDate")),
                may.offer_in_row("ram:RemoveUserFromGroup", remove),
            ]
        })
        .collect();
    let add = frame.form(
        &format!("{path}/add"),
        "",
        &html! {
            (input_of(frame, "UserName", "user-name", ("", parts.known_users), typed.get("UserName")))
            button.quiet type="submit" { (frame.t("member-add")) }
        },
    );
    let content = html! {
        dl {
            dt { (frame.t("user-comments")) } dd translate="no" { (text(parts.group, "Comments")) }
            dt { (frame.t("user-created")) } dd { (time(text(parts.group, "CreateDate"))) }
        }
        h2 { (frame.t("members")) }
        @if rows.is_empty() { p { (frame.t("members-none")) } }
        @else {
            (frame.table("members", &["user-name", "user-display-name", "member-since", "session-action"], &rows))
        }
        @if parts.is_cut { p { (frame.t("members-more")) } }
        (may.offer(frame, "ram:AddUserToGroup", "member-add", add))
        (attached(frame, &path, GROUP, &parts.held))
        (may.offer(frame, "ram:DeleteGroup", "delete-group",
            deletion(frame, &path, ("delete-group", "delete-group-about"))))
    };
    page(frame, &frame.t_with("group-title", &[("name", name)]), &content)
}
