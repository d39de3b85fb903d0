//! Who uses a key, when and from where, and so what would break without it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::{
    chart::{Bar, chart},
    keys::key_path,
    text,
};
use crate::{
    Frame,
    frame::{percent, time},
};

/// Addresses, contexts and programs of a user that are shown.
const SHOWN_MAX: usize = 5;

/// What one principal has done with a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserOfKey {
    pub name: String,
    /// The newest call.
    pub last: String,
    pub allowed: u64,
    pub refused: u64,
    pub actions: Vec<String>,
    pub addresses: Vec<String>,
    pub agents: Vec<String>,
    /// Encryption contexts, in JSON.
    pub contexts: Vec<String>,
}

impl UserOfKey {
    /// The users of a key by events about it, newest first, of which only those count that used the key. Whoever was
    /// there last stands first.
    pub fn of(events: &[Value], is_use: impl Fn(&str) -> bool) -> Vec<Self> {
        let mut users: BTreeMap<&str, Self> = BTreeMap::new();
        for event in events.iter().filter(|event| is_use(text(event, "eventName"))) {
            let name = user_of(event);
            let user = users.entry(name).or_insert_with(|| Self { name: name.to_owned(), ..Self::default() });
            if text(event, "eventTime") > user.last.as_str() {
                text(event, "eventTime").clone_into(&mut user.last);
            }
            if text(event, "errorCode").is_empty() {
                user.allowed += 1;
            } else {
                user.refused += 1;
            }
            let context = event.get("requestParameters").map_or("", |params| text(params, "EncryptionContext"));
            for (list, value) in [
                (&mut user.actions, text(event, "eventName")),
                (&mut user.addresses, text(event, "sourceIpAddress")),
                (&mut user.agents, text(event, "userAgent")),
                (&mut user.contexts, context),
            ] {
                if !value.is_empty() && list.len() < SHOWN_MAX && !list.iter().any(|known| known == value) {
                    list.push(value.to_owned());
                }
            }
        }
        let mut users: Vec<Self> = users.into_values().collect();
        users.sort_by(|a, b| b.last.cmp(&a.last));
        users
    }
}

pub(super) fn user_of(event: &Value) -> &str {
    event.get("userIdentity").map_or("", |identity| text(identity, "userName"))
}

/// What is known of the use of a key.
pub struct KeyUse<'a> {
    /// Whether all days of the page and the aliases were read: else nobody can say that nothing would break.
    pub is_whole: bool,
    pub id: &'a str,
    pub state: &'a str,
    /// `UsageStatistics` of the key, or null.
    pub usage: &'a Value,
    pub aliases: &'a [Value],
    pub bars: &'a [Bar],
    pub users: &'a [UserOfKey],
    /// When the oldest event was made that was looked at, if there are older ones.
    pub only_since: Option<&'a str>,
}

pub fn key_use(frame: &Frame<'_>, of: &KeyUse<'_>) -> String {
    let path = key_path(of.id);
    let active = of.users.iter().filter(|user| user.allowed > 0);
    let rows: Vec<Vec<Markup>> = of.users.iter().map(row).collect();
    let heads = ["event-user", "use-last", "use-allowed", "use-refused", "use-what", "use-where", "context"];
    let calls: Vec<Vec<Markup>> = of
        .usage
        .get("Calls")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(action, count)| vec![own(action), html! { (count) }])
        .collect();
    let content = html! {
        p { a href=(path) translate="no" { (of.id) } " " (frame.state(of.state)) }
        h2 { (frame.t("break-title")) }
        @if of.users.iter().all(|user| user.allowed == 0) && of.aliases.is_empty() {
            @if of.is_whole { p.done { (frame.t("break-nothing")) } }
            @else { p.warning { (frame.t("break-unknown")) } }
        } @else {
            div.warning {
                p { (frame.t("break-about")) }
                ul id="break" {
                    @for user in active {
                        li {
                            b translate="no" { (user.name) } ": "
                            (frame.t_with("break-user", &[("count", &user.allowed.to_string())])) " "
                            (time(&user.last)) " "
                            @for context in &user.contexts { code translate="no" { (context) } " " }
                        }
                    }
                    @for alias in of.aliases {
                        li { (frame.t("break-alias")) " " b translate="no" { (text(alias, "AliasName")) } }
                    }
                }
            }
        }
        p.hint { (frame.t("break-hint")) }
        @if let Some(since) = of.only_since { p.hint { (frame.t("use-since")) " " (time(since)) } }
        h2 { (frame.t("use-chart")) }
        (chart(frame, "use-chart", of.bars))
        h2 { (frame.t("use-who")) }
        @if rows.is_empty() { p { (frame.t("use-nobody")) } }
        @else { (frame.table("use-who", &heads, &rows)) }
        h2 { (frame.t("use-ever")) }
        @if calls.is_empty() { p { (frame.t("key-never-used")) } }
        @else { (frame.table("use-ever", &["event-name", "use-calls"], &calls)) }
    };
    frame.page(&frame.t("use-title"), &content)
}

fn own(text: &str) -> Markup {
    html! { span translate="no" { (text) } }
}

fn row(user: &UserOfKey) -> Vec<Markup> {
    let lines = |texts: &[String]| html! { @for text in texts { span.line translate="no" { (text) } } };
    let events = format!("/audit?by=User&value={}", percent(&user.name));
    vec![
        html! { a href=(events) translate="no" { (user.name) } },
        time(&user.last),
        html! { (user.allowed) },
        html! { (user.refused) },
        lines(&user.actions),
        html! { (lines(&user.addresses)) (lines(&user.agents)) },
        lines(&user.contexts),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_are_told_apart_and_management_is_no_use() {
        let event = |who: &str, name: &str, at: &str, code: &str, context: &str| {
            json!({ "userIdentity": { "userName": who }, "eventName": name, "eventTime": at, "errorCode": code,
                "sourceIpAddress": "192.0.2.1", "requestParameters": { "EncryptionContext": context } })
        };
        let events = [
            event("hanako", "Decrypt", "2027-01-15T08:00:02Z", "", r#"{"purpose":"cert"}"#),
            event("root", "DescribeKey", "2027-01-15T08:00:09Z", "", ""),
            event("hanako", "Decrypt", "2027-01-15T08:00:01Z", "Forbidden.NoPermission", ""),
            event("taro", "Encrypt", "2027-01-15T08:00:03Z", "", ""),
        ];
        let users = UserOfKey::of(&events, |name| name != "DescribeKey");
        let [taro, hanako] = &users[..] else { panic!("{users:?}") };
        assert_eq!((taro.name.as_str(), taro.allowed, taro.refused), ("taro", 1, 0));
        assert_eq!((hanako.name.as_str(), hanako.allowed, hanako.refused), ("hanako", 1, 1));
        assert_eq!(hanako.last, "2027-01-15T08:00:02Z");
        assert_eq!(hanako.contexts, [r#"{"purpose":"cert"}"#]);
        assert_eq!(hanako.addresses, ["192.0.2.1"]);
    }
}
