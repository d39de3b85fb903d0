//! The service itself, for those who look after it: settings in effect, nodes, backups.

use maud::{Markup, html};
use serde_json::Value;

use super::text;
use crate::{
    Frame,
    frame::{code_block, time},
};

/// Why there is nothing to see, where there is not.
pub enum NoServer {
    /// The account is none of the operator's.
    OtherAccount,
    /// Whatever the refusal says.
    Refused,
}

/// How long ago the last backup was made.
pub enum Age {
    Minutes(i64),
    Hours(i64),
    Days(i64),
}

/// These pages, by path and text.
const PAGES: [(&str, &str); 3] =
    [("/settings", "settings-title"), ("/cluster", "cluster-title"), ("/backups", "backups-title")];

fn rows(answer: &Value, list: &str, row: &str) -> Vec<Value> {
    answer.get(list).and_then(|list| list.get(row)).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn number(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_i64).map(|number| number.to_string()).unwrap_or_default()
}

fn is(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn own(value: &str) -> Markup {
    html! { span translate="no" { (value) } }
}

fn good(frame: &Frame<'_>, is_good: bool, yes: &str, no: &str) -> Markup {
    let (class, id) = if is_good { ("state-enabled", yes) } else { ("state-pending-deletion", no) };
    html! { span class={ "state " (class) } { (frame.t(id)) } }
}

/// A page of these, with the way to the others.
fn page(frame: &Frame<'_>, title: &str, content: &Markup) -> String {
    let here = frame.path.split('?').next().unwrap_or_default();
    let all = html! {
        nav.tabs aria-label=(frame.t("server-parts")) {
            ul {
                @for (path, text) in PAGES {
                    li { a href=(path) aria-current=[(here == path).then_some("page")] { (frame.t(text)) } }
                }
            }
        }
        (content)
    };
    frame.page(&frame.t(title), &all)
}

/// What stands in the place of any of them when there is nothing to see.
pub fn no_server(frame: &Frame<'_>, why: &NoServer) -> String {
    let account = frame.visitor.map_or("", |visitor| visitor.account);
    let content = html! {
        @if matches!(why, NoServer::OtherAccount) {
            p { (frame.t("server-other-account")) }
            (code_block(&format!("operator_accounts = [{}]", Value::from(account))))
        }
        p { a href="/" { (frame.t("nav-overview")) } }
    };
    frame.page(&frame.t("server-title"), &content)
}

/// Version, settings, root key, token, destruction: what the configuration rules.
pub fn settings(frame: &Frame<'_>, answer: &Value) -> String {
    let days = number(answer, "CertificateDaysLeft");
    let log = answer.get("AuditLog").unwrap_or(&Value::Null);
    let content = html! {
        p { (frame.t("settings-about")) }
        dl {
            dt { (frame.t("overview-version")) } dd translate="no" { (text(answer, "Version")) }
            dt { (frame.t("server-form")) } dd { (number(answer, "StoredForm")) }
            dt { (frame.t("server-since")) } dd { (time(text(answer, "StartTime"))) }
            dt { (frame.t("server-certificate")) }
            dd { @if days.is_empty() { (frame.t("server-unknown")) } @else { (frame.t_with("days", &[("days", &days)])) } }
            dt { (frame.t("overview-log")) }
            dd {
                (good(frame, is(log, "Writable"), "overview-log-good", "overview-log-bad")) " "
                (frame.t_with("server-events", &[
                    ("events", &number(log, "Events")), ("covered", &number(log, "CoveredEvents")),
                ]))
            }
        }
        (root_key(frame, answer.get("RootKey").unwrap_or(&Value::Null)))
        @if let Some(token) = answer.get("Hsm") {
            h2 { (frame.t("server-hsm")) }
            dl {
                dt { (frame.t("server-token")) } dd translate="no" { (text(token, "TokenLabel")) }
                dt { (frame.t("server-state")) }
                dd { (good(frame, text(token, "State") == "Up", "server-up", "server-down")) }
            }
        }
        (destruction(frame, answer.get("Destruction").unwrap_or(&Value::Null)))
        h2 { (frame.t("server-settings")) }
        (setting_rows(frame, answer))
    };
    page(frame, "settings-title", &content)
}

fn root_key(frame: &Frame<'_>, root_key: &Value) -> Markup {
    let opened_by = text(root_key, "OpenedBy");
    let slots: Vec<Vec<Markup>> = rows(root_key, "Slots", "Slot")
        .iter()
        .map(|slot| {
            let name = text(slot, "Name");
            let opened = if name == opened_by { frame.t("server-yes") } else { String::new() };
            vec![
                own(name),
                own(text(slot, "Provider")),
                time(text(slot, "CreateTime")),
                own(text(slot, "Detail")),
                html! { (opened) },
            ]
        })
        .collect();
    let heads = ["server-slot", "server-provider", "server-made", "server-detail", "server-opened"];
    html! {
        h2 { (frame.t("server-root-key")) }
        (frame.table("server-root-key", &heads, &slots))
    }
}

fn destruction(frame: &Frame<'_>, destruction: &Value) -> Markup {
    let shreds = text(destruction, "Mode") == "shred";
    let keys: Vec<Vec<Markup>> = rows(destruction, "ShreddingKeys", "ShreddingKey")
        .iter()
        .map(|key| {
            vec![
                own(text(key, "ShreddingKeyId")),
                own(text(key, "State")),
                time(text(key, "CreateTime")),
                time(text(key, "RetireTime")),
                time(text(key, "DestroyTime")),
            ]
        })
        .collect();
    let heads = ["server-shredding-key", "server-state", "server-made", "server-retired", "server-destroyed"];
    html! {
        h2 { (frame.t("server-destruction")) }
        p { (frame.t(if shreds { "server-shred" } else { "server-delete" })) }
        @if !keys.is_empty() {
            @match destruction.get("Shares").and_then(Value::as_str) {
                Some(shares) => p { (frame.t("server-shares")) " " (own(shares)) },
                None => p.warning { (frame.t("server-no-shares")) },
            }
            (frame.table("server-shredding", &heads, &keys))
        }
    }
}

fn setting_rows(frame: &Frame<'_>, answer: &Value) -> Markup {
    let settings: Vec<Vec<Markup>> = rows(answer, "Settings", "Setting")
        .iter()
        .map(|setting| {
            let value = text(setting, "Value");
            let value = if value.is_empty() {
                html! { (frame.t("server-unset")) }
            } else {
                own(value)
            };
            vec![html! { code translate="no" { (text(setting, "Name")) } }, value]
        })
        .collect();
    frame.table("server-settings", &["server-setting", "server-value"], &settings)
}

/// The nodes, or that there is one.
pub fn cluster(frame: &Frame<'_>, answer: &Value) -> String {
    let nodes = rows(answer, "Nodes", "Node");
    let versions: std::collections::BTreeSet<&str> =
        nodes.iter().map(|node| text(node, "Version")).filter(|version| !version.is_empty()).collect();
    let shown: Vec<Vec<Markup>> = nodes
        .iter()
        .map(|node| {
            let name = text(node, "Name");
            let state = match text(node, "State") {
                "Serves" => good(frame, true, "cluster-serves", ""),
                "Gone" => good(frame, false, "", "cluster-gone"),
                _ => html! { (frame.t("cluster-left")) },
            };
            vec![
                html! { (own(name)) @if name == text(answer, "Node") { " " (frame.t("cluster-this")) } },
                state,
                html! { @if is(node, "Worker") { (frame.t("server-yes")) } },
                own(text(node, "Version")),
                html! { (number(node, "SilentMilliseconds")) },
                html! { (number(node, "ClockAheadSeconds")) },
                html! { (number(node, "AuditEvents")) },
            ]
        })
        .collect();
    let heads = [
        "cluster-node",
        "server-state",
        "cluster-worker",
        "overview-version",
        "cluster-silent",
        "cluster-clock",
        "cluster-events",
    ];
    let content = html! {
        @if nodes.is_empty() {
            p { (frame.t("cluster-alone")) }
        } @else {
            @if versions.len() > 1 { p.warning { (frame.t("cluster-versions")) } }
            (frame.table("cluster-title", &heads, &shown))
        }
    };
    page(frame, "cluster-title", &content)
}

/// The last backup that the store knows of, and how drills went.
pub fn backups(frame: &Frame<'_>, answer: &Value, age: Option<&Age>) -> String {
    let backup = answer.get("Backup").unwrap_or(&Value::Null);
    let failed = |name: &str| number(backup, name);
    let content = html! {
        @match (backup.get("Last"), age) {
            (Some(last), Some(age)) => (last_backup(frame, last, age)),
            _ => {
                p.warning { (frame.t("backups-none")) }
                (code_block("jomae backup create"))
            }
        }
        h2 { (frame.t("backups-health")) }
        dl {
            dt { (frame.t("backups-failures")) } dd { (failed("Failures")) }
            dt { (frame.t("backups-drill")) }
            dd {
                @match text(backup, "LastDrillTime") {
                    "" => (frame.t("server-unknown")),
                    at => (time(at)),
                }
            }
            dt { (frame.t("backups-drill-failures")) } dd { (failed("DrillFailures")) }
        }
        p.hint { (frame.t("backups-about")) }
    };
    page(frame, "backups-title", &content)
}

fn last_backup(frame: &Frame<'_>, last: &Value, age: &Age) -> Markup {
    let ago = match age {
        Age::Minutes(count) => frame.t_with("backups-minutes", &[("count", &count.to_string())]),
        Age::Hours(count) => frame.t_with("backups-hours", &[("count", &count.to_string())]),
        Age::Days(count) => frame.t_with("backups-days", &[("count", &count.to_string())]),
    };
    let node = text(last, "Node");
    html! {
        p id="last-backup" { strong { (ago) } }
        dl {
            dt { (frame.t("server-made")) } dd { (time(text(last, "CreateTime"))) }
            dt { (frame.t("backups-id")) } dd translate="no" { (text(last, "BackupId")) }
            @if !node.is_empty() { dt { (frame.t("cluster-node")) } dd translate="no" { (node) } }
            dt { (frame.t("backups-kind")) }
            dd {
                @if is(last, "Whole") { (frame.t("backups-whole")) }
                @else { (frame.t("backups-partial")) " " (own(text(last, "BaseBackupId"))) }
            }
            dt { (frame.t("backups-records")) } dd { (number(last, "Records")) }
            dt { (frame.t("backups-bytes")) } dd { (number(last, "Bytes")) }
            dt { (frame.t("backups-place")) }
            dd { (frame.t(if text(last, "PlaceKind") == "s3" { "backups-s3" } else { "backups-directory" })) }
        }
    }
}
