//! The audit log: looking up events, and one event in full.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    chart::{Bar, chart_with_links},
    text,
};
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
    /// The first and the last moment, as the API writes times; empty: the range of LookupEvents.
    pub from: String,
    pub to: String,
}

impl EventFilter {
    /// The page of this search, with another range.
    fn within(&self, from: &str, to: &str) -> String {
        let range = if from.is_empty() && to.is_empty() {
            String::new()
        } else {
            format!("&from={}&to={}", percent(from), percent(to))
        };
        let [by, value, kind] = [&self.by, &self.value, &self.kind].map(|text| percent(text));
        format!("/audit?by={by}&value={value}&kind={kind}{range}")
    }
}

/// When the events of a search were.
pub struct TimeLine<'a> {
    pub bars: &'a [Bar],
    /// The last moment of each bar.
    pub ends: &'a [String],
    /// When the oldest event was that was looked at, if there are older ones.
    pub only_since: Option<&'a str>,
}

pub fn audit(
    frame: &Frame<'_>,
    filter: &EventFilter,
    (events, next): (&[Value], Option<&str>),
    time_line: Option<&TimeLine<'_>>,
) -> String {
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
    let query = filter.within(&filter.from, &filter.to);
    let narrowed = |index: usize| {
        let bar = time_line.and_then(|line| Some((line.bars.get(index)?, line.ends.get(index)?)));
        bar.map_or_else(|| query.clone(), |(bar, end)| filter.within(&bar.from, end))
    };
    let content = html! {
        p { (frame.t("audit-about")) }
        form.actions method="get" action="/audit" role="search" {
            (frame.select("by", "event-by", &attributes, &filter.by))
            (frame.input("value", "event-value", "", &filter.value, false))
            (frame.select("kind", "event-kind", &kinds, &filter.kind))
            div.field { button type="submit" { (frame.t("search")) } }
        }
        @if !filter.from.is_empty() || !filter.to.is_empty() {
            p id="range" {
                (time(&filter.from)) " – " (time(&filter.to)) " "
                a href=(filter.within("", "")) { (frame.t("audit-all-times")) }
            }
        }
        @if let Some(line) = time_line {
            h2 { (frame.t("audit-time-line")) }
            p.hint { (frame.t("audit-time-line-about")) }
            @if let Some(since) = line.only_since { p.hint { (frame.t("use-since")) " " (time(since)) } }
            (chart_with_links(frame, "audit-time-line", line.bars, Some(&narrowed)))
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
