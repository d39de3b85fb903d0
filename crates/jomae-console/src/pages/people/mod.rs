//! People and what they may do: users, groups, roles, policies, and questions about them.

mod groups;
mod policies;
mod roles;
mod simulate;
mod users;

use maud::{Markup, html};
use serde_json::Value;

pub use groups::{GroupParts, GroupsPage, group, groups};
pub use policies::{
    Compared, Draft, Finding, PoliciesPage, PolicyKind, PolicyParts, compare, edit_policy, finding_text, policies,
    policy,
};
pub use roles::{RoleParts, RolesPage, role, roles};
pub use simulate::{Change, Layer, Replayed, Simulated, replay, simulate};
pub use users::{NewSecret, PeoplePage, UserParts, people, user};

use super::text;
use crate::{Frame, May, Typed, frame::percent};

/// The parts of this area: path, text.
const TABS: [(&str, &str); 6] = [
    ("/people", "users"),
    ("/groups", "groups"),
    ("/roles", "roles"),
    ("/policies", "policies"),
    ("/simulate", "simulate"),
    ("/replay", "replay"),
];

fn tabs(frame: &Frame<'_>) -> Markup {
    let here = frame.path.split('?').next().unwrap_or_default();
    html! {
        nav.tabs aria-label=(frame.t("people-nav")) {
            ul {
                @for (path, text) in TABS {
                    li { a href=(path) aria-current=[here.starts_with(path).then_some("page")] { (frame.t(text)) } }
                }
            }
        }
    }
}

/// A page of this area.
fn page(frame: &Frame<'_>, title: &str, content: &Markup) -> String {
    frame.page(title, &html! { (tabs(frame)) (content) })
}

/// The way to the rest of a list that is sorted by name.
fn paging(frame: &Frame<'_>, path: &str, next: Option<&str>) -> Markup {
    let is_first = !frame.path.contains("marker=");
    let next = next.map(|marker| {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}marker={}", percent(marker))
    });
    html! {
        @if next.is_some() || !is_first {
            nav.paging aria-label=(frame.t("paging")) {
                @if !is_first { a href=(path) { (frame.t("list-start")) } " " }
                @if let Some(next) = next { a href=(next) rel="next" { (frame.t("page-next")) } }
            }
        }
    }
}

/// A line to type in that knows some of what can be typed.
fn input_of(frame: &Frame<'_>, name: &str, label: &str, (hint, known): (&str, &[String]), value: &str) -> Markup {
    let (hint_id, list_id) = (format!("{name}-hint"), format!("{name}-known"));
    html! {
        div.field {
            label for=(name) { (frame.t(label)) }
            @if !hint.is_empty() { p.hint id=(hint_id) { (frame.t(hint)) } }
            input id=(name) name=(name) value=(value) list=(list_id) autocomplete="off" spellcheck="false" required
                aria-describedby=[(!hint.is_empty()).then_some(&hint_id)];
            datalist id=(list_id) { @for known in known { option value=(known) {} } }
        }
    }
}

/// A box to tick.
fn tick(frame: &Frame<'_>, name: &str, label: &str, ticked: bool) -> Markup {
    html! {
        p.tick {
            input type="checkbox" id=(name) name=(name) value="true" checked[ticked];
            " " label for=(name) { (frame.t(label)) }
        }
    }
}

/// A button in a row of a table, which says by name what it is about.
pub(super) fn row_button(frame: &Frame<'_>, action: &str, fields: &[(&str, &str)], what: (&str, &str)) -> Markup {
    frame.form(
        action,
        "",
        &html! {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button.quiet type="submit" { (frame.t(what.0)) " " span translate="no" { (what.1) } }
        },
    )
}

/// A deletion, behind a fold.
fn deletion(frame: &Frame<'_>, path: &str, (what, about): (&str, &str)) -> Markup {
    html! {
        details {
            summary { (frame.t(what)) }
            p.warning { (frame.t(about)) }
            (frame.form(&format!("{path}/delete"), "", &html! {
                button.danger type="submit" { (frame.t(what)) }
            }))
        }
    }
}

/// The full permission of an action for one kind of holder.
#[derive(Clone, Copy)]
struct Holder {
    attach: &'static str,
    detach: &'static str,
    none: &'static str,
}

/// The policies of a holder, each to be taken away, and the form for another one.
fn attached(frame: &Frame<'_>, path: &str, holder: Holder, held: &Held<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = held
        .policies
        .iter()
        .map(|policy| {
            let (name, kind) = (text(policy, "PolicyName"), text(policy, "PolicyType"));
            let fields = [("PolicyName", name), ("PolicyType", kind)];
            let detach = row_button(frame, &format!("{path}/detach"), &fields, ("detach", name));
            vec![
                html! { a href=(policy_path(kind, name)) translate="no" { (name) } },
                policy_type(frame, kind),
                held.may.offer_in_row(holder.detach, detach),
            ]
        })
        .collect();
    let typed = held.typed;
    let kinds = [("Custom", frame.t("policy-custom")), ("System", frame.t("policy-system"))];
    let form = html! {
        (frame.form(&format!("{path}/attach"), "", &html! {
            div.pair {
                (input_of(frame, "PolicyName", "policy-name", ("", held.known), typed.get("PolicyName")))
                (frame.select("PolicyType", "policy-type", &kinds, typed.get("PolicyType")))
            }
            button.quiet type="submit" { (frame.t("attach")) }
        }))
    };
    html! {
        h2 { (frame.t("policies")) }
        @if rows.is_empty() { p { (frame.t(holder.none)) } }
        @else { (frame.table("policies", &["policy-name", "policy-type", "session-action"], &rows)) }
        (held.may.offer(frame, holder.detach, "detach", html! {}))
        (held.may.offer(frame, holder.attach, "attach", form))
    }
}

/// What a user, group or role holds.
pub struct Held<'a> {
    /// As the API lists them.
    pub policies: &'a [Value],
    /// Names of policies that could be attached.
    pub known: &'a [String],
    pub may: &'a May,
    pub typed: &'a Typed,
}

fn policy_path(kind: &str, name: &str) -> String {
    format!("/policies/{}/{}", percent(kind), percent(name))
}

fn policy_type(frame: &Frame<'_>, kind: &str) -> Markup {
    match kind {
        "Custom" => html! { (frame.t("policy-custom")) },
        "System" => html! { (frame.t("policy-system")) },
        other => html! { span translate="no" { (other) } },
    }
}

/// A text of an answer that is a number too.
fn number(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn is_true(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}
