//! The pages about keys: the list, their use, their import, signatures; and what they and the overview ask.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::{
    action::Class,
    actions,
    spec::{Algorithm, KeySpec, Purpose},
    time::Timestamp,
};
use jomae_console::{
    Refusal, Typed,
    pages::{self, Bar, Counts, KeyUse, KeysPage, Minutes, Overview, PerMinute, Signed, UserOfKey, Wrapping},
    percent,
};
use jomae_crypto::hash;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Visit,
    acts::{go, refused},
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

/// Keys of a page of the list.
const KEYS_OF_PAGE: u64 = 25;
/// Keys that the overview names.
const KEYS_NAMED: &str = "5";
/// With so many keys or fewer, the overview has them counted right away: the first count after a start reads all of them.
const COUNTED_MAX: u64 = 500;
/// Events that one look-up gives, and look-ups of a page; each is an event itself.
const EVENTS_OF_LOOKUP: &str = "50";
pub(super) const LOOKUPS_MAX: usize = 4;
/// Refusals that the overview shows.
const REFUSALS_SHOWN: usize = 5;
/// How far back the use of a key is looked at, in days.
const USE_DAYS: i64 = 30;
/// Since when a key is not used that is called so, in days.
const UNUSED_DAYS: i64 = 90;
const DAY_SECS: i64 = 86_400;
const HOUR_SECS: i64 = 3600;
/// The states, in the order of a key's life.
pub(super) const STATES: [&str; 4] = ["Enabled", "Disabled", "PendingImport", "PendingDeletion"];

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an action uses keys, so that it fails when a key is disabled.
fn is_use(action: &str) -> bool {
    actions::find(action).is_some_and(|spec| !matches!(spec.class, Class::Management))
}

/// The moments at which so many spans of time have begun, up to now, in ascending order.
fn starts(now: Timestamp, span_secs: i64, count: i64) -> Vec<String> {
    let newest = now.0 - now.0.rem_euclid(span_secs);
    (0..count).rev().map(|back| Timestamp(newest - back * span_secs).to_string()).collect()
}

/// Events that were found, the newest first.
#[derive(Default)]
struct Found {
    events: Vec<Value>,
    /// Whether there are older ones in the range.
    more: bool,
    /// Nodes of a cluster that did not answer: what they have logged is not here.
    silent_nodes: bool,
}

impl Found {
    /// Takes in an answer of LookupEvents; gives the token of the next one, if there are older events.
    fn take(&mut self, answer: &Value) -> String {
        self.events.extend(answer.get("Events").and_then(Value::as_array).cloned().unwrap_or_default());
        self.silent_nodes |= answer.get("UnansweredNodes").is_some();
        let next = text(answer, "NextToken").to_owned();
        self.more = !next.is_empty();
        next
    }

    /// Whether these are all events, of every node.
    const fn is_whole(&self) -> bool {
        !self.more && !self.silent_nodes
    }

    /// When the oldest of them was, if there are older ones.
    fn only_since(&self) -> Option<&str> {
        self.events.last().filter(|_| self.more).map(|event| text(event, "eventTime"))
    }

    fn bars(&self, starts: Vec<String>, counts: impl Fn(&Value) -> bool) -> Vec<Bar> {
        let calls = self.events.iter().filter(|event| counts(event));
        Bar::of(starts, calls.map(|event| (text(event, "eventTime"), !text(event, "errorCode").is_empty())))
    }
}

impl Visit<'_> {
    /// The newest events since a moment, with a value of an attribute if one is given.
    async fn newest(
        &self,
        asker: &mut Asker<'_>,
        since: Timestamp,
        attribute: Option<(&str, &str)>,
    ) -> Result<Found, Refusal> {
        let (since, now) = (since.to_string(), self.now.to_string());
        let mut found = Found::default();
        let mut next = String::new();
        for _ in 0..LOOKUPS_MAX {
            // A token is one of its query, the range included.
            let mut pairs = vec![
                ("MaxResults", EVENTS_OF_LOOKUP),
                ("StartTime", since.as_str()),
                ("EndTime", now.as_str()),
                ("NextToken", next.as_str()),
            ];
            if let Some((name, value)) = attribute {
                pairs.extend([("LookupAttribute.1.Key", name), ("LookupAttribute.1.Value", value)]);
            }
            let answer = asker.ask("LookupEvents", given(&pairs)).await?;
            next = found.take(&answer);
            if next.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    pub(super) async fn overview(&self, session: &Session, asker: &mut Asker<'_>) -> Page {
        let is_of_operator = match self.is_of_operator(session) {
            Ok(is_of_operator) => is_of_operator,
            Err(fault) => return self.failed(&fault),
        };
        let mut refusal = None;
        let listed = asker.ask("ListKeys", given(&[("PageSize", "1")])).await;
        let total = listed.as_ref().ok().and_then(|listed| listed.get("TotalCount")?.as_u64());
        refusal = refusal.or(listed.err());
        let is_counted = total.is_some_and(|total| total <= COUNTED_MAX || self.query("counts") == "all");
        let unused_since = Timestamp(self.now.0 - UNUSED_DAYS * DAY_SECS).to_string();
        let list = |filter: Value, size: &str| {
            given(&[("Details", "true"), ("PageSize", size), ("Filters", &json!([filter]).to_string())])
        };
        let (mut of_states, mut leaving, mut unused) = (Value::Null, Value::Null, Value::Null);
        if is_counted {
            let all = list(json!({ "Key": "KeyState", "Values": STATES }), "1");
            let pending = list(json!({ "Key": "KeyState", "Values": ["PendingDeletion"] }), KEYS_NAMED);
            let old = list(json!({ "Key": "LastUsedBefore", "Values": [unused_since] }), KEYS_NAMED);
            for (params, answer) in [(all, &mut of_states), (pending, &mut leaving), (old, &mut unused)] {
                match asker.ask("ListKeys", params).await {
                    Ok(listed) => *answer = listed,
                    Err(refused) => refusal = refusal.or(Some(refused)),
                }
            }
        }
        let in_state = |state: &str| of_states.get("StateCounts").and_then(|all| all.get(state)?.as_u64());
        let states = STATES.map(|state| (state, in_state(state).unwrap_or_default()));
        let count_of = |listed: &Value| listed.get("TotalCount").and_then(Value::as_u64).unwrap_or_default();
        let (unused_rows, leaving_rows) = (rows(&unused, "Keys", "Key"), rows(&leaving, "Keys", "Key"));
        let day_ago = Timestamp(self.now.0 - DAY_SECS);
        let found = match self.newest(asker, day_ago, None).await {
            Ok(found) => Some(found),
            Err(refused) => {
                refusal = refusal.or(Some(refused));
                None
            }
        };
        let refusals = found.as_ref().map(|found| {
            let refused = found.events.iter().filter(|event| !text(event, "errorCode").is_empty());
            refused.take(REFUSALS_SHOWN).cloned().collect::<Vec<Value>>()
        });
        // To whoever may not look at the log, it is not told how much there is in it.
        let calls = refusals.as_ref().and_then(|_| self.calls_per_minute(session));
        let started = Timestamp(self.now.0.saturating_sub_unsigned(self.console.started.elapsed().as_secs()));
        let counted_since = (started > day_ago).then(|| started.to_string());
        let all = Overview {
            total,
            counts: is_counted.then(|| Counts {
                states: &states,
                unused: (count_of(&unused), &unused_rows),
                unused_since: &unused_since,
                leaving: (count_of(&leaving), &leaving_rows),
            }),
            counts_later: total.is_some() && !is_counted,
            calls: calls.as_ref().map(|calls| (calls, counted_since.as_deref())),
            only_since: found.as_ref().and_then(Found::only_since),
            refusals: refusals.as_deref(),
            version: env!("CARGO_PKG_VERSION"),
            log_is_writable: self.console.service.audit.is_writable(),
            is_of_operator,
        };
        self.shown(session, asker, refusal.as_ref(), |frame| pages::overview(frame, &all))
    }

    /// The calls of the account, from 23 whole hours ago to now.
    fn calls_per_minute(&self, session: &Session) -> Option<Minutes> {
        let share = self.console.service.shares.of(&session.caller.account);
        let day = share.calls(self.now)?;
        let hours = starts(self.now, HOUR_SECS, 24);
        let first = hours.first().and_then(|first| Timestamp::parse(first))?;
        let minute = |secs: i64| secs.div_euclid(60);
        let shown = usize::try_from(minute(self.now.0) - minute(first.0) + 1).ok()?;
        let shown = day.get(day.len().checked_sub(shown)?..)?;
        let per_minute =
            |of: &jomae_core::calls::Minute| PerMinute { allowed: of.allowed.into(), refused: of.refused.into() };
        Some(Minutes { hours, minutes: shown.iter().map(per_minute).collect() })
    }

    /// One call, however many keys there are.
    pub(super) async fn keys(&self, session: &Session, asker: &mut Asker<'_>) -> Page {
        let (state, find, unused) = (self.query("state"), self.query("find"), self.query("unused"));
        let page = self.query("page").parse().unwrap_or(1).clamp(1, 100_000);
        let mut filters = Vec::new();
        if STATES.contains(&state.as_str()) {
            filters.push(json!({ "Key": "KeyState", "Values": [state] }));
        }
        let unused = Timestamp::parse(&unused).map(|unused| unused.to_string()).unwrap_or_default();
        if !unused.is_empty() {
            filters.push(json!({ "Key": "LastUsedBefore", "Values": [unused] }));
        }
        let filters = if filters.is_empty() { String::new() } else { Value::from(filters).to_string() };
        let (number, size) = (page.to_string(), KEYS_OF_PAGE.to_string());
        let params = given(&[
            ("PageNumber", &number),
            ("PageSize", &size),
            ("Filters", &filters),
            ("Text", find.trim()),
            ("Details", "true"),
        ]);
        let (listed, refusal) = match asker.ask("ListKeys", params).await {
            Ok(listed) => (listed, None),
            Err(refused) => (Value::Null, Some(refused)),
        };
        let total = listed.get("TotalCount").and_then(Value::as_u64).unwrap_or_default();
        let (keys, pages) = (rows(&listed, "Keys", "Key"), total.div_ceil(KEYS_OF_PAGE).max(1));
        let page = KeysPage { keys: &keys, state: &state, find: &find, unused: &unused, page, pages, total };
        self.shown(session, asker, refusal.as_ref(), |frame| pages::keys(frame, &page))
    }

    /// Who uses a key, and so what would break without it.
    pub(super) async fn key_use(&self, session: &Session, asker: &mut Asker<'_>, id: &str) -> Page {
        let described = match asker.ask("DescribeKey", given(&[("KeyId", id)])).await {
            Ok(described) => described,
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        // By its ID, whatever it was called by: that is what stands in the log.
        let metadata = described.get("KeyMetadata").unwrap_or(&Value::Null);
        let id = text(metadata, "KeyId");
        let aliases = asker.ask("ListAliasesByKeyId", given(&[("KeyId", id)])).await;
        let since = Timestamp(self.now.0 - USE_DAYS * DAY_SECS);
        let found = self.newest(asker, since, Some(("ResourceName", id))).await;
        let (found, refusal) = match found {
            Ok(found) => (found, None),
            Err(refusal) => (Found::default(), Some(refusal)),
        };
        let bars = found.bars(starts(self.now, DAY_SECS, USE_DAYS), |event| is_use(text(event, "eventName")));
        let of = KeyUse {
            id,
            state: text(metadata, "KeyState"),
            usage: described.get("UsageStatistics").unwrap_or(&Value::Null),
            aliases: &aliases.as_ref().map_or_else(|_| Vec::new(), |aliases| rows(aliases, "Aliases", "Alias")),
            is_whole: aliases.is_ok() && refusal.is_none() && found.is_whole(),
            bars: &bars,
            users: &UserOfKey::of(&found.events, is_use),
            only_since: found.only_since(),
        };
        self.shown(session, asker, refusal.as_ref(), |frame| pages::key_use(frame, &of))
    }

    pub(super) fn import(
        &self,
        session: &Session,
        asker: &Asker<'_>,
        id: &str,
        outcome: &Outcome<'_>,
        wrapping: Option<&Wrapping<'_>>,
    ) -> Page {
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::import(frame, id, &outcome.typed, wrapping))
    }

    pub(super) async fn begin_import(&self, session: &Session, mut asker: Asker<'_>, id: &str, typed: &Typed) -> Page {
        let params = [("KeyId", id), ("WrappingKeySpec", "RSA_2048"), ("WrappingAlgorithm", "RSAES_OAEP_SHA_256")];
        match asker.ask("GetParametersForImport", given(&params)).await {
            Ok(answer) => {
                let wrapping = Wrapping { token: text(&answer, "ImportToken"), public_key: text(&answer, "PublicKey") };
                self.import(session, &asker, id, &Outcome::default(), Some(&wrapping))
            }
            Err(refusal) => self.import(session, &asker, id, &refused(refusal, typed), None),
        }
    }

    pub(super) async fn finish_import(&self, session: &Session, mut asker: Asker<'_>, id: &str, typed: &Typed) -> Page {
        let (token, public_key) = (typed.get("ImportToken"), typed.get("PublicKey"));
        let expires = typed.get("expires").trim();
        let again = |page: &Self, asker: &Asker<'_>, refusal: Refusal| {
            let wrapping = Wrapping { token, public_key };
            page.import(session, asker, id, &refused(refusal, typed), Some(&wrapping))
        };
        let expires = if expires.is_empty() {
            String::new()
        } else {
            // A day, or a moment as the API writes it.
            let moment = Timestamp::parse(expires).or_else(|| Timestamp::parse(&format!("{expires}T00:00:00Z")));
            let Some(moment) = moment else {
                let refusal = Refusal { code: "expires".to_owned(), ..Refusal::default() };
                return again(self, &asker, refusal);
            };
            moment.0.to_string()
        };
        let blob: String = typed.get("EncryptedKeyMaterial").split_ascii_whitespace().collect();
        let params = given(&[
            ("KeyId", id),
            ("ImportToken", token),
            ("EncryptedKeyMaterial", &blob),
            ("KeyMaterialExpireUnix", &expires),
        ]);
        match asker.ask("ImportKeyMaterial", params).await {
            Ok(_) => go(&format!("/keys/{}", percent(id)), "imported"),
            Err(refusal) => again(self, &asker, refusal),
        }
    }

    /// The page for signatures, or for MACs.
    pub(super) async fn sign_page(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        id: &str,
        (outcome, signed): (&Outcome<'_>, &Signed<'_>),
    ) -> Page {
        let described = match asker.ask("DescribeKey", given(&[("KeyId", id)])).await {
            Ok(described) => described,
            Err(refusal) => return self.not_there(session, asker, outcome.refusal.as_ref().unwrap_or(&refusal)),
        };
        let metadata = described.get("KeyMetadata").unwrap_or(&Value::Null);
        let algorithms = KeySpec::from_wire(text(metadata, "KeySpec")).map(algorithms).unwrap_or_default();
        let has_versions = algorithms.iter().any(|algorithm| algorithm.purpose() == Purpose::Sign);
        let versions = if has_versions {
            let listed = asker.ask("ListKeyVersions", given(&[("KeyId", id)])).await.unwrap_or_default();
            let versions = rows(&listed, "KeyVersions", "KeyVersion");
            versions.iter().map(|version| text(version, "KeyVersionId").to_owned()).collect()
        } else {
            Vec::new()
        };
        let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| {
            pages::sign(frame, id, (&names, &versions), &outcome.typed, signed)
        })
    }

    /// Signs, or verifies what is in the field of the signature.
    pub(super) async fn sign(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        (id, verifies): (&str, bool),
        typed: &Typed,
    ) -> Page {
        let message = content(typed, "message");
        let algorithm = Algorithm::from_wire(typed.get("Algorithm"));
        let is_mac = algorithm.is_some_and(|algorithm| algorithm.purpose() == Purpose::Mac);
        let is_hashed = algorithm.is_some_and(|algorithm| algorithm.digest_bytes().is_some());
        let input = Zeroizing::new(if is_mac || !is_hashed {
            STANDARD.encode(&*message)
        } else {
            STANDARD.encode(hash::sha256(&[&message]))
        });
        let signature: String = typed.get("signature").split_ascii_whitespace().collect();
        let (action, named, value) = match (is_mac, verifies) {
            (true, false) => ("GenerateMac", "Message", "Mac"),
            (true, true) => ("VerifyMac", "Message", "Mac"),
            (false, false) => ("AsymmetricSign", "Digest", "Value"),
            (false, true) => ("AsymmetricVerify", "Digest", "Value"),
        };
        let mut pairs = vec![("KeyId", id), ("Algorithm", typed.get("Algorithm")), (named, input.as_str())];
        if !is_mac {
            pairs.push(("KeyVersionId", typed.get("KeyVersionId")));
        }
        if verifies {
            pairs.push((value, signature.as_str()));
        }
        match asker.ask(action, given(&pairs)).await {
            Ok(answer) => {
                let made = text(&answer, value).to_owned();
                let is_genuine = answer.get("Value") == Some(&Value::Bool(true));
                let mut typed = typed.clone();
                if !verifies {
                    typed.0.retain(|(name, _)| name != "signature");
                    typed.0.push(("signature".to_owned(), made.clone()));
                }
                let outcome = Outcome { typed, ..Outcome::default() };
                let signed = if verifies { Signed::Verified(is_genuine) } else { Signed::Signature(&made) };
                self.sign_page(session, &mut asker, id, (&outcome, &signed)).await
            }
            Err(refusal) => self.sign_page(session, &mut asker, id, (&refused(refusal, typed), &Signed::Nothing)).await,
        }
    }
}

/// The algorithms of a spec whose input the console can make of a text: a message, or its SHA-256. For SM2 the
/// signer's name is part of the digest, and the command line asks for it.
fn algorithms(spec: KeySpec) -> Vec<Algorithm> {
    let fits = |algorithm: &Algorithm| match algorithm.purpose() {
        Purpose::Mac => true,
        Purpose::Sign => {
            *algorithm != Algorithm::Sm2Dsa && algorithm.digest_bytes().is_none_or(|bytes| bytes == hash::DIGEST_BYTES)
        }
        _ => false,
    };
    spec.row().algorithms.iter().copied().filter(fits).collect()
}

/// What was typed as a text, or chosen as a file.
pub(super) fn content(typed: &Typed, name: &str) -> Zeroizing<Vec<u8>> {
    let file = typed.get(&format!("{name}_base64"));
    match STANDARD.decode(file) {
        Ok(bytes) if !bytes.is_empty() => Zeroizing::new(bytes),
        // Browsers send each line end as two characters, which nobody has typed.
        _ => Zeroizing::new(typed.get(name).replace("\r\n", "\n").into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use jomae_console::{Lang, Texts};

    use super::*;

    #[test]
    fn spans_begin_at_whole_hours_and_days() {
        let now = Timestamp::parse("2027-01-15T08:30:00Z").unwrap();
        assert_eq!(starts(now, HOUR_SECS, 3), ["2027-01-15T06:00:00Z", "2027-01-15T07:00:00Z", "2027-01-15T08:00:00Z"]);
        assert_eq!(starts(now, DAY_SECS, 2), ["2027-01-14T00:00:00Z", "2027-01-15T00:00:00Z"]);
    }

    #[test]
    fn only_what_needs_the_key_counts_as_its_use() {
        assert!(is_use("Decrypt") && is_use("AsymmetricSign") && is_use("GenerateMac"));
        assert!(!is_use("DescribeKey") && !is_use("CreateUser") && !is_use("Nothing"));
    }

    #[test]
    fn algorithms_are_those_whose_input_is_a_text_or_its_sha_256() {
        assert_eq!(algorithms(KeySpec::from_wire("EC_SM2").unwrap()), []);
        assert_eq!(algorithms(KeySpec::from_wire("EC_P384").unwrap()), []);
        assert_eq!(algorithms(KeySpec::from_wire("EC_P256").unwrap()), [Algorithm::EcdsaSha256]);
        assert_eq!(algorithms(KeySpec::from_wire("HMAC_SM3").unwrap()), [Algorithm::HmacSm3]);
        assert_eq!(algorithms(KeySpec::from_wire("RSA_2048").unwrap()).len(), 2);
    }

    #[test]
    fn every_refusal_has_words_in_every_language() {
        for lang in Lang::ALL {
            let texts = Texts::of(lang);
            let missing: Vec<&str> = jomae_api::error::Refusal::ALL
                .iter()
                .map(jomae_api::error::Refusal::code)
                .filter(|code| !texts.has(&format!("error-{}", code.replace('.', "-"))))
                .collect();
            assert!(missing.is_empty(), "{lang:?}: {missing:?}");
        }
    }

    /// What a node that is silent has logged is not known: so nothing is called unused, and nothing that would break is
    /// called all.
    #[test]
    fn a_silent_node_leaves_it_unknown_what_would_break() {
        let event = json!({ "eventTime": "2027-01-15T08:00:00Z" });
        let mut found = Found::default();
        assert_eq!(found.take(&json!({ "Events": [event], "NextToken": "next" })), "next");
        assert!(!found.is_whole(), "there are older ones");
        assert_eq!(found.take(&json!({ "Events": [], "UnansweredNodes": [{ "Node": "b", "Events": 3 }] })), "");
        assert!(!found.is_whole(), "node b was silent");
        // That another answer names no node does not bring its events back.
        found.take(&json!({ "Events": [event] }));
        assert!(!found.is_whole() && found.events.len() == 2);
        let mut all = Found::default();
        all.take(&json!({ "Events": [event] }));
        assert!(all.is_whole());
    }

    #[test]
    fn a_file_goes_before_a_text() {
        let typed = |file: &str| Typed(vec![("m".into(), "a\r\nb".into()), ("m_base64".into(), file.into())]);
        assert_eq!(&*content(&typed(""), "m"), b"a\nb");
        assert_eq!(&*content(&typed("/w=="), "m"), b"\xff");
    }
}
