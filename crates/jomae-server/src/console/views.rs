//! Pages that show: which calls each one makes.

use jomae_api::time::Timestamp;
use jomae_console::{
    Frame, Refusal, Typed,
    pages::{self, Bar, EventFilter, KeyParts, NewSecret, SessionRow, Signed, TimeLine, Tried},
};
use serde_json::Value;

use super::{
    Visit,
    ask::{Asker, given, rows},
    keys::{LOOKUPS_MAX, text},
    parts, people,
    reply::Page,
    sessions::Session,
};

/// Events of a page.
const EVENTS_OF_PAGE: &str = "50";
/// Bars of a time line: on a narrow screen each is still wide enough to be met.
const BARS: i64 = 10;
/// Users that are shown.
const USERS_MAX: &str = "100";
/// What may have been done, as the pages say it.
const DONE: [&str; 15] = [
    "imported",
    "key-created",
    "alias-refused",
    "enabled",
    "disabled",
    "deletion-scheduled",
    "deletion-cancelled",
    "alias-created",
    "alias-deleted",
    "tagged",
    "untagged",
    "rotated",
    "granted",
    "detached",
    "user-created",
];

/// What an act adds to the page on which it was begun.
#[derive(Default)]
pub(super) struct Outcome<'o> {
    pub(super) refusal: Option<Refusal>,
    pub(super) typed: Typed,
    pub(super) tried: Option<Tried<'o>>,
    pub(super) secret: Option<NewSecret<'o>>,
}

impl Visit<'_> {
    /// A page that is got.
    pub(super) async fn view(&self, session: &Session) -> Page {
        let Some(parts) = parts(self.incoming.request.path) else {
            return self.message(404, "not-found-title", "not-found");
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut asker = self.asker(session);
        let outcome = Outcome::default();
        match parts.as_slice() {
            [""] => self.overview(session, &mut asker).await,
            ["keys"] => self.keys(session, &mut asker).await,
            ["keys", "new"] => self.create_key(session, &asker, &outcome),
            ["keys", id] => self.key(session, &mut asker, id, &outcome).await,
            ["keys", id, "try"] => self.try_it(session, &asker, id, &outcome),
            ["keys", id, "grant"] => self.grant(session, &mut asker, id, &outcome).await,
            ["keys", id, "use"] => self.key_use(session, &mut asker, id).await,
            ["keys", id, "import"] => self.import(session, &asker, id, &outcome, None),
            ["keys", id, "sign"] => self.sign_page(session, &mut asker, id, (&outcome, &Signed::Nothing)).await,
            ["people" | "groups" | "roles" | "policies" | "simulate" | "replay", ..] => {
                self.view_people(session, &parts).await
            }
            ["audit"] => self.audit(session, &mut asker).await,
            ["audit", "key"] => self.log_key().await,
            ["audit", id] => self.event(session, &mut asker, id, false).await,
            ["audit", id, "proof"] => self.proof(session, &mut asker, id).await,
            ["sessions"] => self.sessions(session),
            [which @ ("settings" | "cluster" | "backups")] => self.server(session, &mut asker, which).await,
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    /// A page for what is not there, or may not be seen.
    pub(super) fn not_there(&self, session: &Session, asker: &Asker<'_>, refusal: &Refusal) -> Page {
        self.shown(session, asker, Some(refusal), |frame| pages::message(frame, "not-found-title", "not-found"))
    }

    /// A whole page, with what was called and what was refused.
    pub(super) fn shown(
        &self,
        session: &Session,
        asker: &Asker<'_>,
        refusal: Option<&Refusal>,
        page: impl FnOnce(&Frame<'_>) -> String,
    ) -> Page {
        let name = session.caller.user_name();
        let done = self.query("done");
        let done = DONE.iter().chain(&people::DONE).chain(&["session-ended"]).find(|known| **known == done);
        let done = done.map(|done| format!("done-{done}"));
        let frame = Frame {
            calls: &asker.made,
            refusal,
            // What was just refused was not done.
            done: done.as_deref().filter(|_| refusal.is_none()),
            ..self.frame(Some(session.visitor(&name)))
        };
        let status = match refusal {
            None => 200,
            Some(refusal) if refusal.permission.is_some() || refusal.code == "Forbidden.NotOperator" => 403,
            Some(_) => 400,
        };
        Page::html(status, page(&frame))
    }

    pub(super) fn create_key(&self, session: &Session, asker: &Asker<'_>, outcome: &Outcome<'_>) -> Page {
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::create_key(frame, &outcome.typed))
    }

    pub(super) async fn key(&self, session: &Session, asker: &mut Asker<'_>, id: &str, outcome: &Outcome<'_>) -> Page {
        let of_key = || given(&[("KeyId", id)]);
        let described = match asker.ask("DescribeKey", of_key()).await {
            Ok(described) => described,
            Err(refusal) => {
                return self.shown(session, asker, Some(&refusal), |frame| {
                    pages::message(frame, "not-found-title", "not-found")
                });
            }
        };
        let aliases = asker.ask("ListAliasesByKeyId", of_key()).await.unwrap_or_default();
        let tags = asker.ask("ListResourceTags", of_key()).await.unwrap_or_default();
        let versions = asker.ask("ListKeyVersions", of_key()).await.unwrap_or_default();
        let policy = asker.ask("GetKeyPolicy", of_key()).await.unwrap_or_default();
        let parts = KeyParts {
            metadata: described.get("KeyMetadata").unwrap_or(&Value::Null),
            usage: described.get("UsageStatistics").unwrap_or(&Value::Null),
            aliases: &rows(&aliases, "Aliases", "Alias"),
            tags: &rows(&tags, "Tags", "Tag"),
            versions: &rows(&versions, "KeyVersions", "KeyVersion"),
            policy: policy.get("Policy").and_then(Value::as_str).unwrap_or_default(),
            typed: &outcome.typed,
        };
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::key(frame, &parts))
    }

    pub(super) fn try_it(&self, session: &Session, asker: &Asker<'_>, id: &str, outcome: &Outcome<'_>) -> Page {
        let tried = outcome.tried.as_ref().unwrap_or(&Tried::Nothing);
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::try_it(frame, id, &outcome.typed, tried))
    }

    pub(super) async fn grant(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        id: &str,
        outcome: &Outcome<'_>,
    ) -> Page {
        let listed = asker.ask("ListUsers", given(&[("MaxItems", USERS_MAX)])).await;
        let (listed, refused) = listed.map_or_else(|refused| (Value::Null, Some(refused)), |listed| (listed, None));
        let refusal = outcome.refusal.as_ref().or(refused.as_ref());
        let users = rows(&listed, "Users", "User");
        self.shown(session, asker, refusal, |frame| pages::grant(frame, id, &users, &outcome.typed))
    }

    async fn audit(&self, session: &Session, asker: &mut Asker<'_>) -> Page {
        // Both or neither, as LookupEvents has it.
        let range = Timestamp::parse(&self.query("from")).zip(Timestamp::parse(&self.query("to")));
        let (from, to) = range.map(|(from, to)| (from.to_string(), to.to_string())).unwrap_or_default();
        let filter =
            EventFilter { by: self.query("by"), value: self.query("value"), kind: self.query("kind"), from, to };
        let next = self.query("next");
        let first = self.search(asker, &filter, &next).await;
        let (found, refusal) = match first {
            Ok(found) => (found, None),
            Err(refused) => (Value::Null, Some(refused)),
        };
        let events = events_of(&found);
        let older = text(&found, "NextToken");
        // Further pages are those of the same time line.
        let line = match (&refusal, next.is_empty()) {
            (None, true) => self.time_line(asker, &filter, &found).await,
            _ => None,
        };
        let line = line.as_ref().map(|Line { bars, ends, only_since }| {
            let only_since = only_since.as_deref();
            TimeLine { bars, ends, only_since }
        });
        let older = Some(older).filter(|older| !older.is_empty());
        self.shown(session, asker, refusal.as_ref(), |frame| {
            pages::audit(frame, &filter, (&events, older), line.as_ref())
        })
    }

    /// A page of what is searched for.
    async fn search(&self, asker: &mut Asker<'_>, filter: &EventFilter, next: &str) -> Result<Value, Refusal> {
        let mut pairs = vec![
            ("MaxResults", EVENTS_OF_PAGE),
            ("NextToken", next),
            ("StartTime", &filter.from),
            ("EndTime", &filter.to),
        ];
        let chosen = [("EventType", filter.kind.as_str()), (filter.by.as_str(), filter.value.trim())];
        let names = [
            ("LookupAttribute.1.Key", "LookupAttribute.1.Value"),
            ("LookupAttribute.2.Key", "LookupAttribute.2.Value"),
        ];
        let chosen = chosen.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        for ((name, value), (key_name, value_name)) in chosen.zip(names) {
            pairs.extend([(key_name, *name), (value_name, *value)]);
        }
        asker.ask("LookupEvents", given(&pairs)).await
    }

    /// The newest events of a search, whose first page was found. None: a page of it was refused.
    async fn time_line(&self, asker: &mut Asker<'_>, filter: &EventFilter, first: &Value) -> Option<Line> {
        let mut events = events_of(first);
        let mut next = text(first, "NextToken").to_owned();
        for _ in 1..LOOKUPS_MAX {
            if next.is_empty() {
                break;
            }
            let found = self.search(asker, filter, &next).await.ok()?;
            events.extend(events_of(&found));
            text(&found, "NextToken").clone_into(&mut next);
        }
        let oldest = events.last().map(|event| text(event, "eventTime").to_owned());
        let only_since = oldest.filter(|_| !next.is_empty());
        // As the look-up itself has understood the range.
        let given = |name: &str| Timestamp::parse(text(first, name));
        let (from, to) = (given("StartTime")?, given("EndTime")?);
        let from = only_since.as_deref().and_then(Timestamp::parse).unwrap_or(from);
        let (starts, ends) = spans(from, to, BARS);
        let calls = events.iter().map(|event| (text(event, "eventTime"), !text(event, "errorCode").is_empty()));
        Some(Line { bars: Bar::of(starts, calls), ends, only_since })
    }

    /// An event of the account; what was refused is why there is none.
    pub(super) async fn find_event(&self, asker: &mut Asker<'_>, id: &str) -> Result<Option<Value>, Refusal> {
        // As far back as the log goes.
        let pairs = [
            ("StartTime", "1970-01-01T00:00:00Z"),
            ("EndTime", &self.now.to_string()),
            ("LookupAttribute.1.Key", "EventId"),
            ("LookupAttribute.1.Value", id),
        ];
        let found = asker.ask("LookupEvents", given(&pairs)).await?;
        Ok(found.get("Events").and_then(|events| events.get(0)).cloned())
    }

    pub(super) async fn event(&self, session: &Session, asker: &mut Asker<'_>, id: &str, proof_failed: bool) -> Page {
        match self.find_event(asker, id).await {
            Ok(Some(event)) => {
                let reason = self.reason(session, &event);
                self.shown(session, asker, None, |frame| pages::event(frame, &event, reason.as_deref(), proof_failed))
            }
            Ok(None) => self.message(404, "not-found-title", "not-found"),
            Err(refusal) => self
                .shown(session, asker, Some(&refusal), |frame| pages::message(frame, "not-found-title", "not-found")),
        }
    }

    fn sessions(&self, session: &Session) -> Page {
        let sessions = self.console.sessions.of(&session.caller.account, self.now);
        // Who is not the account itself sees his own.
        let is_seen = |other: &&Session| session.caller.is_root() || other.is_of_same(session);
        let rows: Vec<SessionRow<'_>> = sessions
            .iter()
            .filter(is_seen)
            .map(|other| SessionRow {
                id: &other.id,
                user: other.caller.user_name().into_owned(),
                began: other.began.to_string(),
                last: other.last.to_string(),
                source_ip: &other.source_ip,
                user_agent: &other.user_agent,
                is_own: other.id == session.id,
            })
            .collect();
        self.shown(session, &self.asker(session), None, |frame| pages::sessions(frame, &rows))
    }
}

/// Bars, the last moment of each, and the moment of the oldest event if there are older ones.
struct Line {
    bars: Vec<Bar>,
    ends: Vec<String>,
    only_since: Option<String>,
}

fn events_of(found: &Value) -> Vec<Value> {
    found.get("Events").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// At most so many spans of whole seconds that cover a range, both of its ends included: the first and the last moment of
/// each.
fn spans(from: Timestamp, to: Timestamp, most: i64) -> (Vec<String>, Vec<String>) {
    let secs = to.0.saturating_sub(from.0).max(0).saturating_add(1);
    let each = secs / most + i64::from(secs % most > 0);
    let starts = (0..most).map(|number| from.0.saturating_add(number * each)).take_while(|start| *start <= to.0);
    let ends = |start: &i64| (start + each - 1).min(to.0);
    let starts: Vec<i64> = starts.collect();
    let texts = |moments: Vec<i64>| moments.into_iter().map(|at| Timestamp(at).to_string()).collect();
    (texts(starts.clone()), texts(starts.iter().map(ends).collect()))
}

/// An alias with its prefix.
pub(super) fn with_prefix(alias: &str) -> String {
    if alias.starts_with("alias/") { alias.to_owned() } else { format!("alias/{alias}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_a_range_without_gaps() {
        for (from, to) in [(0, 0), (100, 123), (100, 124), (1_800_000_000, 1_800_604_800), (5, 4)] {
            let (starts, ends) = spans(Timestamp(from), Timestamp(to), BARS);
            let moments = |texts: &[String]| texts.iter().map(|at| Timestamp::parse(at).unwrap().0).collect::<Vec<_>>();
            let (starts, ends) = (moments(&starts), moments(&ends));
            assert!(starts.len() <= 10 && starts.len() == ends.len());
            if to < from {
                assert!(starts.is_empty());
                continue;
            }
            assert_eq!((starts[0], *ends.last().unwrap()), (from, to));
            assert!(starts.iter().zip(&ends).all(|(start, end)| start <= end));
            assert!(starts.iter().skip(1).zip(&ends).all(|(start, end)| *start == end + 1));
        }
    }
}
