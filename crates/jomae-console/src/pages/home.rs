//! The overview: what there is, what happened in the last day, and what needs somebody.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    chart::{Minutes, minutes},
    keys::key_path,
    text,
};
use crate::{
    Frame,
    frame::{percent, time},
};

/// What only a look at every key tells.
pub struct Counts<'a> {
    /// How many keys there are in each state, in the order of a key's life.
    pub states: &'a [(&'a str, u64)],
    /// How many were not used since the day that is named, and the first of them.
    pub unused: (u64, &'a [Value]),
    pub unused_since: &'a str,
    /// How many will be destroyed, and the first of them.
    pub leaving: (u64, &'a [Value]),
}

/// What the overview shows. What was refused is none.
pub struct Overview<'a> {
    pub total: Option<u64>,
    /// None where there are so many keys that counting is not part of the page, or it was refused.
    pub counts: Option<Counts<'a>>,
    /// Whether the counts can be had by another page.
    pub counts_later: bool,
    /// Calls of the last day, as this node has counted them, and since when it has run, if that is not a day ago.
    pub calls: Option<(&'a Minutes, Option<&'a str>)>,
    /// The newest refusals of the last day; none if they may not be looked up.
    pub refusals: Option<&'a [Value]>,
    /// The oldest call that was looked at for them, if there are older ones in that day.
    pub only_since: Option<&'a str>,
    pub version: &'a str,
    pub log_is_writable: bool,
    /// Whether the pages about the service itself are for this account.
    pub is_of_operator: bool,
}

pub fn overview(frame: &Frame<'_>, all: &Overview<'_>) -> String {
    let content = html! {
        h2 { (frame.t("overview-keys")) }
        div id="counts" data-load=[all.counts_later.then_some("/?counts=all")] {
            @if let Some(total) = all.total {
                p { a href="/keys" { (frame.t_with("keys-total", &[("count", &total.to_string())])) } }
            }
            @if let Some(counts) = &all.counts { (counted(frame, counts)) }
            @if all.counts_later { p { a href="/?counts=all" { (frame.t("overview-count")) } } }
        }
        @if let Some((calls, since)) = all.calls {
            h2 { (frame.t("overview-calls")) }
            p.hint {
                (frame.t("overview-calls-about"))
                @if let Some(since) = since { " " (frame.t("overview-calls-since")) " " (time(since)) }
            }
            (minutes(frame, "overview-calls", calls))
        }
        @if let Some(events) = all.refusals {
            h2 { (frame.t("overview-refusals")) }
            @if let Some(since) = all.only_since { p.hint { (frame.t("use-since")) " " (time(since)) } }
            @if events.is_empty() { p { (frame.t("overview-no-refusals")) } }
            @else { (refusals(frame, events)) }
        }
        h2 { (frame.t("overview-health")) }
        dl {
            dt { (frame.t("overview-log")) }
            dd {
                @if all.log_is_writable { span.state.state-enabled { (frame.t("overview-log-good")) } }
                @else { span.state.state-pending-deletion { (frame.t("overview-log-bad")) } }
            }
            dt { (frame.t("overview-version")) } dd translate="no" { (all.version) }
        }
        @if all.is_of_operator { p { a href="/settings" { (frame.t("server-link")) } } }
        h2 { (frame.t("overview-first")) }
        ol {
            li { a href="/keys/new" { (frame.t("first-key")) } }
            li { a href="/keys" { (frame.t("first-encrypt")) } }
            li { a href="/people" { (frame.t("first-user")) } }
            li { a href="/keys" { (frame.t("first-grant")) } }
            li { a href="/audit" { (frame.t("first-audit")) } }
        }
    };
    frame.page(&frame.t("overview-title"), &content)
}

fn counted(frame: &Frame<'_>, counts: &Counts<'_>) -> Markup {
    let name = |key: &Value| {
        let alias = key.get("AliasNames").and_then(|names| names.get(0)).and_then(Value::as_str);
        html! {
            a href=(key_path(text(key, "KeyId"))) translate="no" { (alias.unwrap_or(text(key, "KeyId"))) }
        }
    };
    let unused = format!("/keys?unused={}", percent(counts.unused_since));
    html! {
        ul.cards {
            @for (state, count) in counts.states {
                li { b { (count) } a href={ "/keys?state=" (percent(state)) } { (frame.state(state)) } }
            }
            li { b { (counts.unused.0) } a href=(unused) { (frame.t("overview-unused")) } }
        }
        @if !counts.leaving.1.is_empty() {
            h2 { (frame.t("overview-leaving")) }
            ul id="leaving" {
                @for key in counts.leaving.1 { li { (time(text(key, "DeleteDate"))) " " (name(key)) } }
            }
            @if counts.leaving.0 > counts.leaving.1.len() as u64 {
                p { a href="/keys?state=PendingDeletion" { (frame.t("overview-more")) } }
            }
        }
        @if !counts.unused.1.is_empty() {
            h2 { (frame.t("overview-unused")) }
            ul { @for key in counts.unused.1 { li { (name(key)) } } }
            @if counts.unused.0 > counts.unused.1.len() as u64 {
                p { a href=(unused) { (frame.t("overview-more")) } }
            }
        }
    }
}

fn refusals(frame: &Frame<'_>, events: &[Value]) -> Markup {
    let rows: Vec<Vec<Markup>> = events
        .iter()
        .map(|event| {
            let own = |value: &str| html! { span translate="no" { (value) } };
            vec![
                time(text(event, "eventTime")),
                html! { a href={ "/audit/" (percent(text(event, "eventId"))) } translate="no" {
                (text(event, "eventName")) } },
                own(super::key_use::user_of(event)),
                html! { code translate="no" { (text(event, "errorCode")) } },
            ]
        })
        .collect();
    frame.table("overview-refusals", &["event-time", "event-name", "event-user", "refused-code"], &rows)
}
