//! The audit log: looking up events, and one event in full.

use maud::{Markup, html};
use serde_json::Value;

use super::text;
use crate::{
    Frame,
    frame::{code_block, percent, time},
};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// An attribute of LookupEvents, or empty.
    pub by: String,
    pub value: String,
    /// Only one kind of event: `ApiCall`, `ConsoleOperation`, …; empty: all.
    pub kind: String,
}

pub fn audit(frame: &Frame<'_>, filter: &EventFilter, events: &[Value], next: Option<&str>) -> String {
    let attributes = [
        ("User", frame.t("event-user")),
        ("EventName", frame.t("event-name")),
        ("ResourceName", frame.t("event-resource")),
        ("EventAccessKeyId", frame.t("access-key-id")),
        ("SourceIpAddress", frame.t("event-address")),
    ];
    let kinds = [
        ("", frame.t("event-kind-all")),
        ("ApiCall", frame.t("event-kind-api")),
        ("ConsoleOperation", frame.t("event-kind-console")),
        ("ConsoleSignin", frame.t("event-kind-sign-in")),
        ("AliyunServiceEvent", frame.t("event-kind-service")),
    ];
    let heads = ["event-time", "event-name", "event-user", "event-outcome", "event-address"];
    let rows: Vec<Vec<Markup>> = events
        .iter()
        .map(|event| {
            let name = html! { a href={ "/audit/" (percent(text(event, "eventId"))) } translate="no" {
            (text(event, "eventName")) } };
            let own = |value: &str| html! { span translate="no" { (value) } };
            vec![
                time(text(event, "eventTime")),
                name,
                own(user_of(event)),
                outcome(frame, event),
                own(text(event, "sourceIpAddress")),
            ]
        })
        .collect();
    let query =
        format!("/audit?by={}&value={}&kind={}", percent(&filter.by), percent(&filter.value), percent(&filter.kind));
    let content = html! {
        p { (frame.t("audit-about")) }
        form.actions method="get" action="/audit" role="search" {
            (frame.select("by", "event-by", &attributes, &filter.by))
            (frame.input("value", "event-value", "", &filter.value, false))
            (frame.select("kind", "event-kind", &kinds, &filter.kind))
            div.field { button type="submit" { (frame.t("search")) } }
        }
        @if events.is_empty() { p { (frame.t("events-none")) } }
        @else { (frame.table("nav-audit", &heads, &rows)) }
        @if let Some(next) = next {
            p { a href={ (query) "&next=" (percent(next)) } rel="next" { (frame.t("page-older")) } }
        }
    };
    frame.page(&frame.t("nav-audit"), &content)
}

fn user_of(event: &Value) -> &str {
    event.get("userIdentity").map_or("", |identity| text(identity, "userName"))
}

fn outcome(frame: &Frame<'_>, event: &Value) -> Markup {
    let code = text(event, "errorCode");
    html! {
        @if code.is_empty() { span.state.state-enabled { (frame.t("event-done")) } }
        @else { span.state.state-pending-deletion { (frame.t("event-refused")) } " " code translate="no" { (code) } }
    }
}

/// One event. `reason` says why it would be denied now, where it was denied; `proof_failed`, that its proof cannot be made
/// yet.
pub fn event(frame: &Frame<'_>, event: &Value, reason: Option<&str>, proof_failed: bool) -> String {
    let id = text(event, "eventId");
    let pretty = serde_json::to_string_pretty(event).unwrap_or_default();
    let content = html! {
        @if proof_failed { p.refused role="alert" { (frame.t("proof-not-yet")) } }
        dl {
            dt { (frame.t("event-time")) } dd { (time(text(event, "eventTime"))) }
            dt { (frame.t("event-user")) } dd translate="no" { (user_of(event)) }
            dt { (frame.t("event-kind")) } dd translate="no" { (text(event, "eventType")) }
            dt { (frame.t("event-address")) } dd translate="no" { (text(event, "sourceIpAddress")) }
            dt { (frame.t("event-browser")) } dd translate="no" { (text(event, "userAgent")) }
            dt { (frame.t("event-outcome")) } dd { (outcome(frame, event)) }
            @if !text(event, "errorMessage").is_empty() {
                dt { (frame.t("refused-words")) } dd lang="en" translate="no" { (text(event, "errorMessage")) }
            }
            @if let Some(reason) = reason {
                dt { (frame.t("event-reason")) }
                dd { span id="reason" lang="en" translate="no" { (reason) } p.hint { (frame.t("event-reason-about")) } }
            }
        }
        h2 { (frame.t("proof")) }
        p { (frame.t("proof-about")) }
        p.actions {
            a.button href={ "/audit/" (percent(id)) "/proof" } { (frame.t("proof-download")) }
            a href="/audit/key" { (frame.t("proof-key")) }
        }
        // Done by the script of the page, with nothing but the proof and the key.
        div.verify data-proof={ "/audit/" (percent(id)) "/proof" } data-key="/audit/key" data-event=(id)
            data-label=(frame.t("proof-verify")) data-good=(frame.t("proof-good")) data-bad=(frame.t("proof-bad"))
            data-not-yet=(frame.t("proof-not-yet")) data-cannot=(frame.t("proof-cannot")) {
            p role="status" id="proof-verdict" {}
        }
        (code_block(&format!("jomae audit check-proof proof-{id}.json --key key.pub")))
        h2 { (frame.t("event-whole")) }
        (code_block(&pretty))
    };
    frame.page(&frame.t_with("event-title", &[("name", text(event, "eventName"))]), &content)
}
