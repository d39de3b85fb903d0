//! Searching keys in memory against reading every key: the same answers, whatever changes, whoever asks, and however little
//! memory there is.

use std::pin::pin;

use jomae_api::{names::RegionId, time::Timestamp};
use jomae_core::{
    key_index::{KeyIndex, Step},
    record::{KeyRecord, path},
};
use jomae_sim::{block_on, faults::CommitFault};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{Credentials, DAY, Setup, World, allow, document, region};

const WORDS: [&str; 5] = ["Orders", "shop", "STRASSE", "éTÉ", "x"];
const QUERIES: [&str; 8] = ["o", "orders", "SHOP", "straße", "été", "alias/", "x", "rdersshop"];

#[derive(Clone, Copy, Debug)]
enum Change {
    Create,
    Describe,
    Alias,
    MoveAlias,
    DropAlias,
    Tag,
    Untag,
    Switch,
    Doom,
    Save,
    Policy,
    Use,
    Wait,
    /// The next commit fails in this way.
    Fail(u8),
}

#[derive(Clone, Debug)]
enum Act {
    Change { change: Change, one: u8, word: u8 },
    Search,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let change = prop_oneof![
        4 => Just(Change::Create),
        2 => Just(Change::Describe),
        2 => Just(Change::Alias),
        2 => Just(Change::MoveAlias),
        1 => Just(Change::DropAlias),
        2 => Just(Change::Tag),
        1 => Just(Change::Untag),
        2 => Just(Change::Switch),
        1 => Just(Change::Doom),
        1 => Just(Change::Save),
        1 => Just(Change::Policy),
        2 => Just(Change::Use),
        1 => Just(Change::Wait),
        2 => (0..4u8).prop_map(Change::Fail),
    ];
    let act = prop_oneof![
        4 => (change, any::<u8>(), any::<u8>()).prop_map(|(change, one, word)| Act::Change { change, one, word }),
        1 => Just(Act::Search),
    ];
    prop::collection::vec(act, 10..60)
}

fn apply(world: &World, keys: &mut Vec<String>, change: Change, (one, nth): (u8, u8)) {
    let alice = world.alice();
    let text = WORDS[usize::from(nth) % WORDS.len()];
    let picked = if keys.is_empty() { String::new() } else { keys[usize::from(one) % keys.len()].clone() };
    let key = picked.as_str();
    let alias = format!("alias/{}-{}", text.replace('é', "e").replace('É', "E"), one % 3);
    let tag = json!([{ "TagKey": text, "TagValue": WORDS[usize::from(one) % WORDS.len()] }]).to_string();
    // Whether it succeeds is not what is tested: both sides see the same store.
    let tries = |action: &str, params: &[(&str, &str)]| drop(alice.call(action, params));
    match change {
        Change::Create => {
            let made = alice.call("CreateKey", &[("Description", text)]);
            if let Some(id) = made.ok().as_ref().and_then(|made| made["KeyMetadata"]["KeyId"].as_str()) {
                keys.push(id.to_owned());
            }
        }
        Change::Describe => tries("UpdateKeyDescription", &[("KeyId", key), ("Description", text)]),
        Change::Alias => tries("CreateAlias", &[("AliasName", &alias), ("KeyId", key)]),
        Change::MoveAlias => tries("UpdateAlias", &[("AliasName", &alias), ("KeyId", key)]),
        Change::DropAlias => tries("DeleteAlias", &[("AliasName", &alias)]),
        Change::Tag => tries("TagResource", &[("KeyId", key), ("Tags", &tag)]),
        Change::Untag => tries("UntagResource", &[("KeyId", key), ("TagKeys", &json!([text]).to_string())]),
        Change::Switch if one.is_multiple_of(2) => tries("DisableKey", &[("KeyId", key)]),
        Change::Switch => tries("EnableKey", &[("KeyId", key)]),
        Change::Doom => tries("ScheduleKeyDeletion", &[("KeyId", key), ("PendingWindowInDays", "7")]),
        Change::Save => tries("CancelKeyDeletion", &[("KeyId", key)]),
        Change::Policy => {
            let root = format!("acs:ram::{}:root", world.alice.account);
            let lister = format!("acs:ram::{}:user/lister", world.alice.account);
            let own = json!([
                { "Effect": "Allow", "Action": "kms:*", "Principal": { "RAM": [root] }, "Resource": "*" },
                { "Effect": if text == "x" { "Deny" } else { "Allow" }, "Action": "kms:DescribeKey",
                  "Principal": { "RAM": [lister] }, "Resource": "*" }
            ]);
            let policy = json!({ "Version": "1", "Statement": own }).to_string();
            tries("SetKeyPolicy", &[("KeyId", key), ("Policy", &policy)]);
        }
        Change::Use => {
            tries("Encrypt", &[("KeyId", key), ("Plaintext", "aGVsbG8=")]);
            let _ = block_on(world.service.kms.usage.flush(&world.service.kms.vault, usize::MAX));
        }
        Change::Wait => {
            world.advance(5 * DAY);
            while block_on(world.service.do_due_work(Timestamp(world.now()))).is_ok_and(|done| done > 0) {}
        }
        Change::Fail(how) => {
            let faults = [
                CommitFault::Unavailable,
                CommitFault::Conflict,
                CommitFault::UnknownWithoutEffect,
                CommitFault::UnknownWithEffect,
            ];
            world.store.faults().script_commits([faults.get(usize::from(how)).copied()]);
        }
    }
}

fn queries(now: i64) -> Vec<Vec<(&'static str, String)>> {
    let mut all: Vec<Vec<(&'static str, String)>> =
        QUERIES.iter().map(|text| vec![("Text", (*text).to_owned())]).collect();
    let filters = |filters: Value| ("Filters", filters.to_string());
    let unused = |days: i64| json!({ "Key": "LastUsedBefore", "Values": [Timestamp(now - days * DAY).to_string()] });
    let state = json!({ "Key": "KeyState", "Values": ["Disabled", "PendingDeletion"] });
    all.push(vec![filters(json!([state]))]);
    all.push(vec![filters(json!([{ "Key": "TagKey", "Values": ["shop"] }])), ("Text", "o".to_owned())]);
    for days in [-1, 1, 8] {
        all.push(vec![filters(json!([unused(days)]))]);
    }
    all.push(vec![filters(json!([unused(1), state])), ("Text", "shop".to_owned())]);
    all
}

/// Answers of the same moment, from memory and from reading everything, to one of the callers, another one each time.
fn compare(indexed: &[&World], reading: &World, callers: &[Credentials], turn: usize) {
    for (number, query) in queries(reading.now()).iter().enumerate() {
        let caller = &callers[(number + turn) % callers.len()];
        let page = if (number + turn / callers.len()).is_multiple_of(2) { "1" } else { "2" };
        let mut params: Vec<(&str, &str)> = vec![("Details", "true"), ("PageSize", "3"), ("PageNumber", page)];
        params.extend(query.iter().map(|(name, value)| (*name, value.as_str())));
        let ask = |world: &World| world.alice().with(caller).ok("ListKeys", &params);
        let expected = ask(reading);
        for world in indexed {
            assert_eq!(ask(world), expected, "{params:?} by {}", caller.id);
        }
    }
}

fn callers(world: &World) -> Vec<Credentials> {
    let alice = world.alice();
    let all = alice.user_with("everything", &allow(&["kms:*"], "*"));
    let lister = alice.user_with("lister", &allow(&["kms:ListKeys", "kms:ListAliasesByKeyId"], "*"));
    let deny = json!({ "Effect": "Deny", "Action": "kms:DescribeKey", "Resource": "*",
        "Condition": { "StringEquals": { "kms:tag/shop": ["x"] } } });
    let grant = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
    let narrow = alice.user_with("narrow", &document(&[grant, deny]));
    vec![world.alice.clone(), all, lister, narrow]
}

fn without_index() -> Setup {
    Setup { index_bytes_max: (0, 0), ..Setup::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 12 } else { 200 }))]
    #[test]
    fn searches_answer_as_reading_every_key_does(acts in acts()) {
        let world = World::new();
        let callers = callers(&world);
        // Another process over the same store, that hears of what the first one changes.
        let (other, reading) = (world.reopened(), world.reopened_with(without_index()));
        let tight = world.reopened_with(Setup { index_bytes_max: (1500, 1500), ..Setup::default() });
        let all = [&world, &other, &reading, &tight];
        let (mut keys, mut turn) = (Vec::new(), 0);
        for act in acts.iter().chain([&Act::Search]) {
            match act {
                Act::Change { change, one, word } => apply(&world, &mut keys, *change, (*one, *word)),
                Act::Search => {
                    for each in all {
                        each.advance(world.now() - each.now());
                    }
                    compare(&[&world, &other, &tight], &reading, &callers, turn);
                    turn += 1;
                }
            }
        }
        prop_assert_eq!(reading.service.kms.key_index.bytes(), 0);
        prop_assert!(tight.service.kms.key_index.bytes() <= 1500);
        prop_assert!(keys.is_empty() || world.service.kms.key_index.bytes() > 0);
    }
}

/// Once an index is there, a search reads what has changed and the rows that it shows, however many keys there are.
#[test]
fn a_search_reads_what_has_changed() {
    let world = World::new();
    let alice = world.alice();
    let first = alice.key(&[("Description", "needle")]);
    let search = [("Text", "needle")];
    let search = || world.reads_of(|| assert_eq!(world.alice().ok("ListKeys", &search)["TotalCount"], 1));
    search();
    let with_one = search();
    for _ in 0..200 {
        world.key();
    }
    assert!(search() >= 200, "all that was made since is read");
    assert_eq!(search(), with_one);
    alice.done("DisableKey", &[("KeyId", &first)]);
    let after_one = search();
    assert!(after_one > with_one && after_one < with_one + 10, "{after_one}");
    // Who has every right needs no look at each key, neither does its last use once it is known.
    let user = alice.user_with("everything", &allow(&["kms:*"], "*"));
    let old = json!([{ "Key": "LastUsedBefore", "Values": [Timestamp(world.now() + DAY).to_string()] }]).to_string();
    let count = || {
        world.reads_of(|| {
            let listed = world.alice().with(&user).ok("ListKeys", &[("Filters", &old), ("PageSize", "1")]);
            assert_eq!(listed["TotalCount"], 201);
        })
    };
    count();
    assert!(count() < 10, "{}", count());
}

/// More changes than are remembered: all is read again, and nothing is missed.
#[test]
fn more_changes_than_are_remembered() {
    let world = World::new();
    let found = || world.alice().ok("ListKeys", &[("Text", "new")])["TotalCount"].as_u64().unwrap();
    assert_eq!(found(), 0);
    for _ in 0..1100 {
        world.alice().key(&[("Description", "new")]);
    }
    assert_eq!(found(), 1100);
}

/// Changes while the index is made, in front of what was read and behind it; and who made it goes away.
#[test]
fn changes_while_an_index_is_made() {
    let world = World::new();
    let keys: Vec<String> = (0..200).map(|_| world.alice().key(&[("Description", "old")])).collect();
    let index = &world.service.kms.key_index;
    let here = (&world.alice.account, &region("cn-hangzhou"));
    {
        let mut tx = world.service.kms.vault.reading();
        let mut making = pin!(index.view(&mut tx, here, Timestamp(world.now())));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(making.as_mut().poll(&mut context).is_pending(), "it yields between a few records");
        for key in [&keys[0], &keys[199]] {
            world.alice().done("UpdateKeyDescription", &[("KeyId", key), ("Description", "new")]);
        }
    }
    let search = |text| world.alice().ok("ListKeys", &[("Text", text), ("PageSize", "1")])["TotalCount"].clone();
    assert_eq!((search("new"), search("old")), (json!(2), json!(198)));
}

/// Accounts share the memory: the one that has not searched for the longest time gives way, and none has more than its share.
#[test]
fn indexes_give_way_and_are_bounded() {
    let world = World::with(Setup { index_bytes_max: (6000, 3500), ..Setup::default() });
    let index: &KeyIndex = &world.service.kms.key_index;
    let fill = |who: &Credentials, count: usize| {
        for _ in 0..count {
            world.alice().with(who).key(&[("Description", "some text")]);
        }
    };
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let search = |who: &Credentials| {
        world.reads_of(|| drop(world.alice().with(who).ok("ListKeys", &[("Text", "some"), ("PageSize", "1")])))
    };
    fill(&alice, 15);
    fill(&bob, 15);
    search(&alice);
    let few = search(&alice);
    assert!(few < 10, "{few}");
    search(&bob);
    assert!(index.bytes() <= 6000 && index.bytes() > 3000, "{}", index.bytes());
    assert!(search(&bob) < 10);
    // Alice's as well: both fit. With one more key of Bob's than fits his share, he has none, and she keeps hers.
    assert!(search(&alice) < 10);
    fill(&bob, 5);
    search(&bob);
    search(&bob);
    assert!(search(&alice) < 10);
    assert!(index.bytes() <= 3500);
    // An hour later it is tried again.
    for key in ids(&world.alice().with(&bob).ok("ListKeys", &[("PageSize", "100")])).iter().take(10) {
        world.alice().with(&bob).done("ScheduleKeyDeletion", &[("KeyId", key), ("PendingWindowInDays", "7")]);
    }
    world.advance(7 * DAY);
    world.work();
    search(&bob);
    assert!(index.bytes() > 3500, "{}", index.bytes());
    assert!(search(&bob) < 10);
}

fn ids(answer: &Value) -> Vec<String> {
    let rows = answer["Keys"]["Key"].as_array().unwrap();
    rows.iter().map(|row| row["KeyId"].as_str().unwrap().to_owned()).collect()
}

/// Whoever goes through an index that is forgotten under way is told.
#[test]
fn a_view_of_an_index_that_is_forgotten() {
    let world = World::with(Setup { index_bytes_max: (100_000, 8000), ..Setup::default() });
    for _ in 0..20 {
        world.key();
    }
    let here: (_, &RegionId) = (&world.alice.account, &region("cn-hangzhou"));
    let now = Timestamp(world.now());
    let mut tx = world.service.kms.vault.reading();
    let index = &world.service.kms.key_index;
    let mut view = block_on(index.view(&mut tx, here, now)).unwrap().unwrap();
    for _ in 0..40 {
        world.key();
    }
    assert!(block_on(index.view(&mut tx, here, now)).unwrap().is_none(), "over its share now");
    assert!(matches!(view.step(|_, _| Some(())), Step::Lost));
}

/// A row that nobody sealed is a fault for the search too, and never a key.
#[test]
fn planted_rows_are_faults() {
    let world = World::new();
    let key = world.key();
    let mut planted = path::key(&world.place(&key)).as_str().to_owned();
    let value = world.dump().remove(&planted).unwrap();
    planted.pop();
    planted.push('z');
    world.overwrite(&planted, Some(value));
    let answer = world.alice().call("ListKeys", &[("Text", "z")]);
    assert!(answer.is_err_and(|(status, _)| status >= 500));
    assert!(world.service.kms.vault.reading().get::<KeyRecord>(&path::key(&world.place(&key))).is_ok());
}
