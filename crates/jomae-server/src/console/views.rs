//! Pages that show: which calls each one makes.

use jomae_console::{
    Frame, Refusal, Typed,
    pages::{self, EventFilter, KeyParts, NewSecret, SessionRow, Signed, Tried},
};
use serde_json::Value;

use super::{
    Visit,
    ask::{Asker, given, rows},
    parts, people,
    reply::Page,
    sessions::Session,
};

/// Events of a page.
const EVENTS_OF_PAGE: &str = "20";
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
        let filter = EventFilter { by: self.query("by"), value: self.query("value"), kind: self.query("kind") };
        let mut pairs = vec![("MaxResults", EVENTS_OF_PAGE)];
        let next = self.query("next");
        pairs.push(("NextToken", &next));
        let chosen = [("EventType", filter.kind.as_str()), (filter.by.as_str(), filter.value.trim())];
        let names = [
            ("LookupAttribute.1.Key", "LookupAttribute.1.Value"),
            ("LookupAttribute.2.Key", "LookupAttribute.2.Value"),
        ];
        let chosen = chosen.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        for ((name, value), (key_name, value_name)) in chosen.zip(names) {
            pairs.extend([(key_name, *name), (value_name, *value)]);
        }
        let (found, refusal) = match asker.ask("LookupEvents", given(&pairs)).await {
            Ok(found) => (found, None),
            Err(refused) => (Value::Null, Some(refused)),
        };
        let events = found.get("Events").and_then(Value::as_array).cloned().unwrap_or_default();
        let next = found.get("NextToken").and_then(Value::as_str);
        self.shown(session, asker, refusal.as_ref(), |frame| pages::audit(frame, &filter, &events, next))
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

/// An alias with its prefix.
pub(super) fn with_prefix(alias: &str) -> String {
    if alias.starts_with("alias/") { alias.to_owned() } else { format!("alias/{alias}") }
}
