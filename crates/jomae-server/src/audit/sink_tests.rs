//! The sink of the core's events, in the terms of the log.

use jomae_api::{
    actions::trail::lookup_events::{Attribute as Wire, Direction},
    names::AccountId,
};
use jomae_core::store::memory::MemoryStore;

use super::{
    trust_tests::{begun, vault},
    *,
};

const ACCOUNT: &str = "1000000000000001";

fn event(n: i64) -> String {
    let time = Timestamp(1_800_000_000 + n);
    format!(
        "{{\"eventId\":\"id-{n}\",\"eventTime\":\"{time}\",\"eventName\":\"Encrypt\",\"userIdentity\":\
         {{\"accountId\":\"{ACCOUNT}\"}}}}"
    )
}

fn query(attributes: &[(Wire, &str)], direction: Direction) -> Query {
    Query {
        account: AccountId::new(ACCOUNT).unwrap(),
        from: Timestamp(1_800_000_003),
        to: Timestamp(1_800_000_030),
        attributes: attributes.iter().map(|(attribute, value)| (*attribute, (*value).to_owned())).collect(),
        direction,
        limit: 2,
        after: None,
    }
}

fn page(numbers: &[u32], more: bool) -> Page {
    let found = |n: &u32| Found { number: u64::from(*n), line: event(i64::from(*n)) };
    Page { events: numbers.iter().map(found).collect(), more }
}

#[tokio::test]
async fn what_was_appended_is_looked_up() {
    let (store, temp) = (Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap());
    let log = begun(&temp.path().join("audit"), &config::Audit::default(), &vault(&store).await).await.unwrap();
    for n in 0..40 {
        let durability = if n % 2 == 0 { Durability::OnDisk } else { Durability::Handed };
        log.append(&Event::of_line(event(n).into_bytes()), durability).done.wait().await.unwrap();
    }
    let found = |attributes, direction| {
        let (log, query) = (&log, query(attributes, direction));
        async move { log.lookup(&query).await.unwrap() }
    };
    let one = found(&[(Wire::EventId, "id-17")], Direction::Backward).await;
    assert_eq!(one, page(&[17], false));
    assert_eq!(found(&[(Wire::EventId, "id-2")], Direction::Backward).await, Page::default(), "before the range");
    let newest = found(&[(Wire::EventName, "Encrypt")], Direction::Backward).await;
    assert_eq!(newest, page(&[30, 29], true));
    let oldest = found(&[], Direction::Forward).await;
    assert_eq!(oldest, page(&[3, 4], true));
    assert_eq!(log.find(&["id-1", "id-77"]).unwrap(), ["id-1"]);
    log.close();
    let late = log.append(&Event::of_line(event(40).into_bytes()), Durability::OnDisk).done.wait().await.unwrap_err();
    assert_eq!(late.to_string(), "the audit log cannot be written: the log is closed");
}

/// The names stand in the terms of stored blocks: should the API rename one, the log does not.
#[test]
fn attributes_and_moments_read_the_same() {
    for &attribute in Wire::ALL {
        let query = of_log(&query(&[(attribute, "x")], Direction::Forward));
        assert_eq!(query.attributes[0].0.as_str(), attribute.as_str());
    }
    for text in ["2027-01-15T08:00:01Z", "1970-01-01T00:00:00Z", "2021-08-05T09:21:60Z", "2021-02-29T09:21:32Z", "x"] {
        let (api, log) = (Timestamp::parse(text), jomae_log::Timestamp::parse(text));
        assert_eq!(api.map(|time| time.0), log.map(|time| time.0), "{text}");
        assert_eq!(api.map(|time| time.to_string()), log.map(|time| time.to_string()));
    }
}
