//! `LookupEvents`: what is asked of the log, how its answer is given, and how pages follow each other.

use jomae_api::{
    actions::trail::lookup_events::{Attribute, Direction},
    time::Timestamp,
};
use jomae_core::audit::Query;
use serde_json::Value;

use crate::common::{DAY, START, World};

fn last_asked(world: &World) -> Query {
    world.audit.asked.lock().unwrap().last().unwrap().clone()
}

#[test]
fn what_is_asked_of_the_log() {
    let world = World::new();
    let answer = world.alice().ok("LookupEvents", &[]);
    let (from, to) = (Timestamp(START - 7 * DAY), Timestamp(START));
    let defaults = Query {
        account: world.alice.account.clone(),
        from,
        to,
        attributes: Vec::new(),
        direction: Direction::Backward,
        limit: 20,
        after: None,
    };
    assert_eq!(last_asked(&world), defaults);
    assert_eq!((&answer["StartTime"], &answer["EndTime"]), (&from.to_string().into(), &to.to_string().into()));
    assert_eq!(answer["Events"], Value::Array(Vec::new()), "no call has been recorded before");
    assert!(answer.get("NextToken").is_none());

    world.bob().ok(
        "LookupEvents",
        &[
            ("StartTime", "2026-01-01T00:00:00Z"),
            ("EndTime", "2026-01-01T00:00:00Z"),
            ("LookupAttribute.1.Key", "User"),
            ("LookupAttribute.1.Value", "alice"),
            ("LookupAttribute.2.Key", "EventName"),
            ("LookupAttribute.2.Value", "Decrypt"),
            ("LookupAttribute.3.Key", "EventRW"),
            ("LookupAttribute.3.Value", "Write"),
            ("Direction", "FORWARD"),
            ("MaxResults", "50"),
        ],
    );
    let moment = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let given = Query {
        account: world.bob.account.clone(),
        from: moment,
        to: moment,
        attributes: vec![(Attribute::EventName, "Decrypt".into()), (Attribute::User, "alice".into())],
        direction: Direction::Forward,
        limit: 50,
        after: None,
    };
    assert_eq!(last_asked(&world), given);
}

#[test]
fn pages_follow_each_other() {
    let world = World::new();
    for _ in 0..5 {
        world.alice().ok("ListKeys", &[]);
    }
    let (mut seen, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
    let first = world.timestamp();
    loop {
        let mut params = vec![("MaxResults", "2")];
        params.extend(token.as_deref().map(|token| ("NextToken", token)));
        let page = world.alice().ok("LookupEvents", &params);
        // The default range is that of the first page, however long the caller takes.
        assert_eq!(page["EndTime"], first);
        seen.extend(page["Events"].as_array().unwrap().iter().cloned());
        // Each look-up is recorded too.
        let Some(next) = page.get("NextToken").filter(|_| seen.len() < 6) else { break };
        token = Some(next.as_str().unwrap().to_owned());
        world.advance(60);
    }
    let recorded: Vec<Value> = world.audit.events().into_iter().map(|(event, _)| event).take(6).collect();
    assert_eq!(seen, recorded);
    assert!(recorded.iter().take(5).all(|event| event["eventName"] == "ListKeys"));
    assert_eq!((&recorded[5]["eventName"], &recorded[5]["eventRW"]), (&"LookupEvents".into(), &"Read".into()));
}

#[test]
fn a_token_is_for_one_look_up() {
    let world = World::new();
    world.alice().ok("ListKeys", &[]);
    world.alice().ok("ListKeys", &[]);
    let page = world.alice().ok("LookupEvents", &[("MaxResults", "1")]);
    let token = page["NextToken"].as_str().unwrap();
    let (one, next) = (("MaxResults", "1"), ("NextToken", token));
    world.alice().ok("LookupEvents", &[one, next]);
    let asked = world.audit.asked.lock().unwrap().len();
    let user = [("LookupAttribute.1.Key", "User"), ("LookupAttribute.1.Value", "root")];
    let range = [("StartTime", "2026-01-01T00:00:00Z"), ("EndTime", "2026-01-02T00:00:00Z")];
    let other_letter = if token.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{other_letter}", &token[..token.len() - 1]);
    for other in [
        &[next][..],
        &[("MaxResults", "2"), next],
        &[one, next, ("Direction", "FORWARD")],
        &[one, next, user[0], user[1]],
        &[one, next, range[0], range[1]],
        &[one, ("NextToken", &changed)],
        &[one, ("NextToken", "none")],
    ] {
        world.alice().refused("LookupEvents", other, "400 InvalidParameter");
    }
    world.bob().refused("LookupEvents", &[one, next], "400 InvalidParameter");
    assert_eq!(world.audit.asked.lock().unwrap().len(), asked, "nothing was looked up");
}

#[test]
fn accounts_are_asked_for_apart() {
    let world = World::new();
    world.alice().ok("ListKeys", &[]);
    world.bob().ok("ListKeys", &[]);
    let events = world.bob().ok("LookupEvents", &[])["Events"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["userIdentity"]["accountId"], world.bob.account.as_str());
}

#[test]
fn bad_parameters() {
    let world = World::new();
    for bad in [
        &[("StartTime", "2026-01-01"), ("EndTime", "2026-01-02")][..],
        &[("StartTime", "2026-01-02T00:00:00Z"), ("EndTime", "2026-01-01T00:00:00Z")],
        &[("MaxResults", "51")],
        &[("Direction", "UP")],
        &[("LookupAttribute.1.Key", "SensitiveAction"), ("LookupAttribute.1.Value", "true")],
        &[("LookupAttribute.1.Key", "User")],
    ] {
        world.alice().refused("LookupEvents", bad, "400 InvalidParameter");
    }
    for half in ["StartTime", "EndTime"] {
        world.alice().refused("LookupEvents", &[(half, "2026-01-01T00:00:00Z")], "400 MissingParameter");
    }
}

#[test]
fn events_as_xml() {
    let world = World::new();
    let key = world.key();
    let reply = world.alice().reply("LookupEvents", &[("Format", "XML")]);
    let body = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 200, "{body}");
    assert!(body.contains("<Events>") && body.contains("<eventName>CreateKey</eventName>"), "{body}");
    let resources = format!("{{&quot;ACS::KMS::Key&quot;:[&quot;{key}&quot;]}}");
    assert!(body.contains(&format!("<referencedResources>{resources}</referencedResources>")), "{body}");
}
