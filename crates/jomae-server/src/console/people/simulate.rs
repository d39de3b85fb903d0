//! Questions about rights, and calls of the past under a draft.
//!
//! Neither is an action of the API, and neither may tell more than the API would: what goes into an answer is asked for first,
//! as whoever has signed in, by calls that are shown and stand in the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jomae_api::{actions, names::AccountId, param::EncryptionContext, time::Timestamp};
use jomae_console::{
    Refusal, Typed,
    pages::{self, Change, Draft, Layer, Replayed, Simulated},
};
use jomae_core::access::simulate::{PrincipalName, Question, SimulateError, simulate};
use tokio::sync::Semaphore;

use super::policies::{document, finding};
use crate::{
    console::{
        Visit,
        ask::{Asker, given},
        reply::Page,
        sessions::Session,
    },
    operator::{ReplayRequest, SimulationError, replay_log},
};

/// How far back a replay goes, in seconds.
const REPLAY_SECS: i64 = 7 * 86_400;
/// Longest time for reading the log.
const REPLAY_TIME_MAX: Duration = Duration::from_secs(20);
/// Changes that are shown one by one, of each kind.
const CHANGES_SHOWN: usize = 20;
/// Replays at a time, of all visitors: each reads a week of the log.
static REPLAYS: Semaphore = Semaphore::const_new(1);

fn own(code: &str, message: String) -> Refusal {
    Refusal { code: code.to_owned(), message, ..Refusal::default() }
}

/// Why there is no answer, with a code that has a text in every language.
fn refusal(error: &SimulateError) -> Refusal {
    let code = match error {
        SimulateError::NoAccount(_) | SimulateError::NoPrincipal(_) | SimulateError::Root => "simulate-principal",
        SimulateError::NoPermission(_) => "simulate-permission",
        SimulateError::Resource(_) => "simulate-resource",
        SimulateError::NoPolicy(_) | SimulateError::NotAttached(..) | SimulateError::NotConcerned(_) => {
            "simulate-policy"
        }
        SimulateError::Policy(_) => "MalformedPolicyDocument",
        SimulateError::Failed(fault) => {
            tracing::error!(cause = %fault, "a simulation failed");
            return own("ServiceUnavailableTemporary", String::new());
        }
    };
    own(code, error.to_string())
}

/// A right that is needed to be told about the rights of others.
fn missing(permission: &str, reason: &str) -> Refusal {
    Refusal {
        permission: Some(permission.to_owned()),
        is_explicit: reason.starts_with("explicit deny"),
        ..own("Forbidden.NoPermission", reason.to_owned())
    }
}

impl Visit<'_> {
    pub(super) fn simulate_form(&self, session: &Session) -> Page {
        let typed = ["kind", "name", "action", "resource"].map(|name| (name.to_owned(), self.query(name)));
        self.simulated(session, &self.asker(session), (&Typed(typed.to_vec()), None), None)
    }

    fn simulated(
        &self,
        session: &Session,
        asker: &Asker<'_>,
        (typed, refusal): (&Typed, Option<&Refusal>),
        answer: Option<&Simulated>,
    ) -> Page {
        let actions: Vec<String> = actions::permissions().iter().map(|name| (*name).to_owned()).collect();
        let resources = self.resources(session);
        self.shown(session, asker, refusal, |frame| pages::simulate(frame, typed, (&actions, &resources), answer))
    }

    /// Whether whoever has signed in may read every policy, and so be told what they say.
    fn may_read_policies(&self, session: &Session) -> Result<(), Refusal> {
        for (permission, what) in [("ram:GetPolicy", "policy/*"), ("ram:ListPoliciesForGroup", "group/*")] {
            match self.allowed(session, permission, Some(&Self::ram(session, what))) {
                Some(Ok(())) => {}
                Some(Err(reason)) => return Err(missing(permission, &reason)),
                None => return Err(missing(permission, "")),
            }
        }
        Ok(())
    }

    /// The same of each of these: one may be kept from whoever may read all others.
    fn may_read_each<'p>(&self, session: &Session, policies: impl Iterator<Item = &'p str>) -> Result<(), Refusal> {
        for policy in policies {
            let what = Self::ram(session, &format!("policy/{policy}"));
            if let Some(Err(reason)) = self.allowed(session, "ram:GetPolicy", Some(&what)) {
                return Err(missing("ram:GetPolicy", &reason));
            }
        }
        Ok(())
    }

    pub(super) async fn simulate(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        match self.answer_of(session, &mut asker, typed).await {
            Ok(answer) => self.simulated(session, &asker, (typed, None), Some(&answer)),
            Err(refusal) => self.simulated(session, &asker, (typed, Some(&refusal)), None),
        }
    }

    async fn answer_of(&self, session: &Session, asker: &mut Asker<'_>, typed: &Typed) -> Result<Simulated, Refusal> {
        let question = self.question(session, typed)?;
        let name = typed.get("name").trim();
        if typed.get("kind") == "role" {
            asker.ask("GetRole", given(&[("RoleName", name)])).await?;
            asker.ask("ListPoliciesForRole", given(&[("RoleName", name)])).await?;
        } else {
            asker.ask("ListPoliciesForUser", given(&[("UserName", name)])).await?;
            asker.ask("ListGroupsForUser", given(&[("UserName", name)])).await?;
        }
        self.may_read_policies(session)?;
        match question.resource.as_deref().map_or(Bears::Nothing, |name| Bears::of(name, &session.caller.account)) {
            Bears::Nothing => {}
            Bears::KeyPolicy(key) => {
                asker.ask("DescribeKey", given(&[("KeyId", key)])).await?;
                asker.ask("GetKeyPolicy", given(&[("KeyId", key)])).await?;
            }
            Bears::TrustPolicy(role) => {
                asker.ask("GetRole", given(&[("RoleName", role)])).await?;
            }
            // Not even whether it is there is told.
            Bears::AnothersSecret => return Err(own("simulate-resource", String::new())),
        }
        let answer = simulate(&mut self.console.service.kms.vault.reading(), &question, None);
        let answer = answer.map_err(|error| refusal(&error))?;
        // Names of policies have no spaces, other layers do.
        let layers = answer.layers.iter().map(|layer| layer.policy.as_str()).filter(|policy| !policy.contains(' '));
        self.may_read_each(session, layers)?;
        let layer = |layer: jomae_core::access::simulate::Layer| Layer {
            policy: layer.policy,
            statements: layer.statements.iter().map(ToString::to_string).collect(),
        };
        Ok(Simulated {
            allowed: answer.allowed,
            permission: answer.permission.to_owned(),
            resource: answer.resource,
            reason: answer.reason,
            layers: answer.layers.into_iter().map(layer).collect(),
            notes: answer.notes,
        })
    }

    fn question(&self, session: &Session, typed: &Typed) -> Result<Question, Refusal> {
        let account = &session.caller.account;
        let kind = if typed.get("kind") == "role" { "role" } else { "user" };
        let principal = PrincipalName::from_wire(&format!("acs:ram::{account}:{kind}/{}", typed.get("name").trim()));
        let principal = principal.ok_or_else(|| own("simulate-principal", String::new()))?;
        let text = |name: &str| Some(typed.get(name).trim().to_owned()).filter(|text| !text.is_empty());
        let source_ip = text("source_ip");
        if source_ip.as_ref().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
            return Err(own("simulate-address", String::new()));
        }
        let pair = (typed.get("simulate_context_name"), typed.get("simulate_context_value"));
        let context: EncryptionContext = match pair {
            ("", "") => EncryptionContext::default(),
            (name, value) => [(name.to_owned(), value.to_owned())].into_iter().collect(),
        };
        Ok(Question {
            principal,
            permission: typed.get("action").trim().to_owned(),
            resource: text("resource"),
            context,
            source_ip,
            now: self.now,
            resource_tags: None,
            request_tags: None,
            external_id: None,
            region: self.console.service.default_region.clone(),
        })
    }

    pub(super) fn replay_form(&self, session: &Session, typed: &Typed) -> Page {
        self.replayed(session, &self.asker(session), (typed, None), None)
    }

    fn replayed(
        &self,
        session: &Session,
        asker: &Asker<'_>,
        (typed, refusal): (&Typed, Option<&Refusal>),
        found: Option<&Replayed>,
    ) -> Page {
        let text = document(typed);
        let words = self.words(session);
        let draft = Draft {
            text: &text,
            form: "identity",
            finding: (!text.is_empty()).then(|| finding(&text, "identity")),
            words: &words,
        };
        self.shown(session, asker, refusal, |frame| pages::replay(frame, typed, &draft, found))
    }

    pub(super) async fn replay(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        // From the editor: the draft comes along, and where it would count is still to be said.
        if typed.get("act") == "draft" {
            let name = typed.get("instead_of").to_owned();
            let place = if name.is_empty() { "user" } else { "instead_of" };
            let kept = [("PolicyDocument", document(typed)), ("place", place.to_owned()), ("place_name", name)];
            return self.replay_form(session, &Typed(kept.map(|(name, value)| (name.to_owned(), value)).to_vec()));
        }
        match self.replay_of(session, &mut asker, typed).await {
            Ok(found) => self.replayed(session, &asker, (typed, None), Some(&found)),
            Err(refusal) => self.replayed(session, &asker, (typed, Some(&refusal)), None),
        }
    }

    async fn replay_of(&self, session: &Session, asker: &mut Asker<'_>, typed: &Typed) -> Result<Replayed, Refusal> {
        let from = Timestamp(self.now.0.saturating_sub(REPLAY_SECS)).to_string();
        let until = self.now.to_string();
        let range = [("StartTime", from.as_str()), ("EndTime", &until), ("MaxResults", "1")];
        asker.ask("LookupEvents", given(&range)).await?;
        self.may_read_policies(session)?;
        let name = typed.get("place_name").trim();
        let (instead_of, add_to) = match typed.get("place") {
            "instead_of" => (Some(name.to_owned()), None),
            place @ ("user" | "group" | "role") => (None, Some(format!("{place}/{name}"))),
            _ => return Err(own("MissingParameter", String::new())),
        };
        let request = ReplayRequest {
            account: session.caller.account.as_str().to_owned(),
            from: Some(from),
            until: Some(until),
            policy: document(typed),
            instead_of,
            add_to,
        };
        let Ok(turn) = REPLAYS.try_acquire() else { return Err(own("simulate-busy", String::new())) };
        let (service, log, now) = (Arc::clone(&self.console.service), self.console.audit_dir.clone(), self.now);
        let deadline = Instant::now() + REPLAY_TIME_MAX;
        let work = move || {
            // Kept by the work: it goes on when its visitor has left.
            let _turn = turn;
            let is_late = || Instant::now() > deadline;
            replay_log(&service.kms.vault, &log, &request, now, &is_late)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(found)) => {
                self.may_read_each(session, found.policies.iter().map(String::as_str))?;
                Ok(told(found))
            }
            Ok(Err(SimulationError::Simulate(error))) => Err(refusal(&error)),
            Ok(Err(_)) if Instant::now() > deadline => Err(own("simulate-long", String::new())),
            Ok(Err(error)) => {
                tracing::error!(%error, "a replay of the log failed");
                Err(own("ServiceUnavailableTemporary", String::new()))
            }
            Err(error) => {
                tracing::error!(%error, "a replay of the log broke");
                Err(own("InternalFailure", String::new()))
            }
        }
    }
}

/// What of a resource's own an answer would tell.
enum Bears<'a> {
    Nothing,
    KeyPolicy(&'a str),
    /// Of this role of the asking account.
    TrustPolicy(&'a str),
    AnothersSecret,
}

impl<'a> Bears<'a> {
    fn of(name: &'a str, account: &AccountId) -> Self {
        let parts: Vec<&str> = name.splitn(5, ':').collect();
        let ["acs", service, _, owner, what] = parts[..] else { return Self::Nothing };
        if service == "kms" && what.starts_with("key/") {
            // Whoever may describe the key is told, whoever owns it.
            return if what.contains('*') { Self::Nothing } else { Self::KeyPolicy(name) };
        }
        if owner != account.as_str() {
            return Self::AnothersSecret;
        }
        what.strip_prefix("role/").map_or(Self::Nothing, Self::TrustPolicy)
    }
}

fn told(found: crate::operator::Replayed) -> Replayed {
    let shown = |changes: Vec<crate::operator::Change>| {
        let shown = changes.into_iter().take(CHANGES_SHOWN).map(|change| Change {
            event_id: change.event_id,
            time: change.time.to_string(),
            principal: change.principal,
            action: change.action.to_owned(),
            resource: change.resource,
            reason: change.reason,
        });
        shown.collect()
    };
    Replayed {
        from: found.from.to_string(),
        until: found.until.to_string(),
        calls: found.calls,
        decided: found.decided,
        denied_total: found.denied_total,
        denied: shown(found.denied),
        allowed_total: found.allowed_total,
        allowed: shown(found.allowed),
        changed_already: found.changed_already,
        callers_gone: found.callers_gone,
        unknown: found.unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_account_keeps_to_itself_is_not_told() {
        let account = AccountId::new("1234567890123456").unwrap();
        let of = |name| Bears::of(name, &account);
        assert!(matches!(of("acs:kms:cn-hangzhou:1234567890123457:key/k"), Bears::KeyPolicy(_)));
        assert!(matches!(of("acs:actiontrail:cn-hangzhou:1234567890123457:key/k"), Bears::AnothersSecret));
        assert!(matches!(of("acs:ram::1234567890123457:role/admin"), Bears::AnothersSecret));
        assert!(matches!(of("acs:kms:cn-hangzhou:1234567890123457:alias/a"), Bears::AnothersSecret));
        assert!(matches!(of("acs:ram::1234567890123456:role/admin"), Bears::TrustPolicy("admin")));
        assert!(matches!(of("acs:kms:cn-hangzhou:1234567890123456:key/*"), Bears::Nothing));
        assert!(matches!(of("acs:kms:cn-hangzhou:1234567890123456:*"), Bears::Nothing));
    }
}
