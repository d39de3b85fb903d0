//! May somebody do something? And what would a draft have done to the calls of the last week?

use maud::{Markup, html};

use super::{
    input_of, page,
    policies::{Draft, editor},
};
use crate::{
    Frame, Typed,
    frame::{percent, time},
    reason::{reason, told},
};

/// One policy that was asked, and what its statements say.
pub struct Layer {
    pub policy: String,
    /// In the words of the service.
    pub statements: Vec<String>,
}

/// What a question was answered.
pub struct Simulated {
    pub allowed: bool,
    pub permission: String,
    pub resource: String,
    /// In the words of the service.
    pub reason: String,
    pub layers: Vec<Layer>,
    /// In the words of the service.
    pub notes: Vec<String>,
}

pub fn simulate(
    frame: &Frame<'_>,
    typed: &Typed,
    (actions, resources): (&[String], &[String]),
    answer: Option<&Simulated>,
) -> String {
    let kinds = [("user", frame.t("simulate-user")), ("role", frame.t("simulate-role"))];
    let content = html! {
        p { (frame.t("simulate-about")) }
        @if let Some(answer) = answer { (answered(frame, answer)) }
        (frame.form("/simulate", "", &html! {
            div.pair {
                (frame.select("kind", "simulate-kind", &kinds, typed.get("kind")))
                (frame.input("name", "simulate-name", "", typed.get("name"), true))
            }
            (input_of(frame, "action", "simulate-action", ("simulate-action-about", actions), typed.get("action")))
            (resource_input(frame, resources, typed.get("resource")))
            (frame.context(typed, "simulate_context"))
            (frame.input("source_ip", "simulate-ip", "simulate-ip-about", typed.get("source_ip"), false))
            button type="submit" { (frame.t("simulate-ask")) }
        }))
    };
    page(frame, &frame.t("simulate"), &content)
}

fn resource_input(frame: &Frame<'_>, known: &[String], value: &str) -> Markup {
    html! {
        div.field {
            label for="resource" { (frame.t("simulate-resource")) }
            p.hint id="resource-hint" { (frame.t("simulate-resource-about")) }
            input id="resource" name="resource" value=(value) list="resource-known" autocomplete="off"
                spellcheck="false" aria-describedby="resource-hint";
            datalist id="resource-known" { @for known in known { option value=(known) {} } }
        }
    }
}

fn answered(frame: &Frame<'_>, answer: &Simulated) -> Markup {
    let (class, verdict) = if answer.allowed { ("done", "simulate-allowed") } else { ("refused", "simulate-denied") };
    html! {
        section id="answer" class={ "result " (class) } role="status" aria-label=(frame.t("simulate-answer")) {
            p { strong { (frame.t(verdict)) } }
            dl {
                dt { (frame.t("simulate-action")) } dd { code { (answer.permission) } }
                dt { (frame.t("simulate-resource")) } dd { code { (answer.resource) } }
            }
            (reason(frame, &answer.reason))
            @for note in &answer.notes { p { (told(frame, note)) } }
        }
        @if !answer.layers.is_empty() {
            h2 { (frame.t("simulate-policies")) }
            ul {
                @for layer in &answer.layers {
                    @if layer.statements.is_empty() {
                        li { span translate="no" { (layer.policy) } " – " (frame.t("simulate-silent")) }
                    }
                    @for statement in &layer.statements {
                        li { (told(frame, &format!("{}: {statement}", layer.policy))) }
                    }
                }
            }
        }
        h2 { (frame.t("simulate-again")) }
    }
}

/// A call that a draft would have decided otherwise.
pub struct Change {
    pub event_id: String,
    pub time: String,
    pub principal: String,
    pub action: String,
    pub resource: String,
    /// In the words of the service.
    pub reason: String,
}

/// What a replay has found.
pub struct Replayed {
    pub from: String,
    pub until: String,
    pub calls: u64,
    pub decided: u64,
    pub denied_total: u64,
    /// The first of them.
    pub denied: Vec<Change>,
    pub allowed_total: u64,
    /// The first of them.
    pub allowed: Vec<Change>,
    pub changed_already: u64,
    pub callers_gone: u64,
    pub unknown: u64,
}

pub fn replay(frame: &Frame<'_>, typed: &Typed, draft: &Draft<'_>, found: Option<&Replayed>) -> String {
    let places = [
        ("instead_of", frame.t("replay-instead")),
        ("user", frame.t("replay-user")),
        ("group", frame.t("replay-group")),
        ("role", frame.t("replay-role")),
    ];
    let content = html! {
        p { (frame.t("replay-about")) }
        @if let Some(found) = found { (replayed(frame, found)) }
        (frame.form("/replay", "", &html! {
            (editor(frame, "replay-policy", draft))
            div.pair {
                (frame.select("place", "replay-place", &places, typed.get("place")))
                (frame.input("place_name", "replay-name", "", typed.get("place_name"), true))
            }
            button type="submit" { (frame.t("replay-start")) }
        }))
    };
    page(frame, &frame.t("replay"), &content)
}

fn replayed(frame: &Frame<'_>, found: &Replayed) -> Markup {
    let counts = [
        ("replay-calls", found.calls),
        ("replay-decided", found.decided),
        ("replay-changed-already", found.changed_already),
        ("replay-callers-gone", found.callers_gone),
        ("replay-unknown", found.unknown),
    ];
    html! {
        section id="answer" role="status" aria-label=(frame.t("replay-found")) {
            h2 { (frame.t("replay-found")) }
            p { (time(&found.from)) " – " (time(&found.until)) }
            (changes(frame, ("replay-denied", "replay-denied-none"), found.denied_total, &found.denied))
            (changes(frame, ("replay-allowed", "replay-allowed-none"), found.allowed_total, &found.allowed))
            dl { @for (label, count) in counts { dt { (frame.t(label)) } dd { (count) } } }
            p.hint { (frame.t("replay-note")) }
        }
        h2 { (frame.t("simulate-again")) }
    }
}

fn changes(frame: &Frame<'_>, (label, none): (&str, &str), total: u64, changes: &[Change]) -> Markup {
    let rows: Vec<Vec<Markup>> = changes
        .iter()
        .map(|change| {
            vec![
                html! { a href={ "/audit/" (percent(&change.event_id)) } { (time(&change.time)) } },
                html! { code { (change.principal) } },
                html! { code { (change.action) } },
                html! { code { (change.resource) } },
                reason(frame, &change.reason),
            ]
        })
        .collect();
    let heads = ["replay-time", "replay-principal", "simulate-action", "simulate-resource", "replay-reason"];
    html! {
        @if total == 0 { p { (frame.t(none)) } }
        @else {
            h3 { (frame.t(label)) " " (total) }
            (frame.table(label, &heads, &rows))
            @if total > changes.len() as u64 {
                p { (frame.t_with("replay-more", &[("count", &(total - changes.len() as u64).to_string())])) }
            }
        }
    }
}
