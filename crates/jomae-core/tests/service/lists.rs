//! `ListKeys`: pages, filters, counts.

use std::collections::BTreeSet;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::{Value, json};

use crate::common::{Client, Credentials, DAY, SHANGHAI, World, allow, document};

fn ids(answer: &Value) -> Vec<String> {
    let rows = answer["Keys"]["Key"].as_array().unwrap();
    rows.iter().map(|row| row["KeyId"].as_str().unwrap().to_owned()).collect()
}

fn page(client: Client<'_>, number: u64, size: u64) -> (Vec<String>, u64) {
    let (number, size) = (number.to_string(), size.to_string());
    let answer = client.ok("ListKeys", &[("PageNumber", &number), ("PageSize", &size)]);
    assert_eq!(answer["PageNumber"].to_string(), number);
    assert_eq!(answer["PageSize"].to_string(), size);
    (ids(&answer), answer["TotalCount"].as_u64().unwrap())
}

#[test]
fn an_empty_list_is_still_a_list() {
    let world = World::new();
    let none = json!({"Keys": {"Key": []}, "TotalCount": 0, "PageNumber": 1, "PageSize": 10});
    assert_eq!(world.alice().ok("ListKeys", &[]), none);
    let key = world.key();
    let account = &world.alice.account;
    let row = json!({"KeyId": key, "KeyArn": format!("acs:kms:cn-hangzhou:{account}:key/{key}")});
    let one = json!({"Keys": {"Key": [row]}, "TotalCount": 1, "PageNumber": 1, "PageSize": 10});
    assert_eq!(world.alice().ok("ListKeys", &[]), one);
    assert_eq!(world.alice().at(SHANGHAI).ok("ListKeys", &[]), none);
    assert_eq!(world.bob().ok("ListKeys", &[]), none);
    let beyond = json!({"Keys": {"Key": []}, "TotalCount": 1, "PageNumber": 100_000_000, "PageSize": 100});
    let far = [("PageNumber", "100000000"), ("PageSize", "100")];
    assert_eq!(world.alice().ok("ListKeys", &far), beyond);
}

#[test]
fn pages_are_within_bounds() {
    let world = World::new();
    let bad = ["0", "-1", "1.0", "x", "99999999999999999999", "0x1", " 1"];
    for value in bad {
        world.alice().refused("ListKeys", &[("PageNumber", value)], "400 InvalidParameter");
        world.alice().refused("ListKeys", &[("PageSize", value)], "400 InvalidParameter");
    }
    world.alice().refused("ListKeys", &[("PageSize", "101")], "400 InvalidParameter");
    world.alice().refused("ListKeys", &[("PageNumber", "100000001")], "400 InvalidParameter");
}

#[test]
fn keys_are_listed_oldest_first() {
    let world = World::new();
    let mut expected = Vec::new();
    for _ in 0..25 {
        expected.push(world.key());
        world.advance(1);
    }
    assert_eq!(page(world.alice(), 1, 100), (expected.clone(), 25));
    assert_eq!(page(world.alice(), 3, 10), (expected[20..].to_vec(), 25));
}

/// Random makings and destructions of 2,000 keys; every page and count is that of a plain sorted set.
#[test]
fn two_thousand_keys_come_and_go() {
    let world = World::new();
    let alice = world.alice();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]));
    let mut model = BTreeSet::new();
    let mut made = 0;
    while made < 2000 {
        let batch = (50usize..400).new_tree(&mut runner).unwrap().current().min(2000 - made);
        for _ in 0..batch {
            model.insert(world.key());
        }
        made += batch;
        let doomed = prop::sample::subsequence(model.iter().cloned().collect::<Vec<_>>(), 0..=model.len() / 3);
        for key in doomed.new_tree(&mut runner).unwrap().current() {
            alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
            model.remove(&key);
        }
        world.advance(7 * DAY);
        world.work();
        let expected: Vec<_> = model.iter().cloned().collect();
        let total = expected.len() as u64;
        let size = (1u64..=100).new_tree(&mut runner).unwrap().current();
        for number in [1, 2, total / size / 2 + 1, total / size, total / size + 1, total / size + 2] {
            let from = usize::try_from((number.max(1) - 1) * size).unwrap().min(expected.len());
            let to = (from + usize::try_from(size).unwrap()).min(expected.len());
            let expected = (expected[from..to].to_vec(), total);
            assert_eq!(page(alice, number.max(1), size), expected, "page {number} of {size}");
        }
    }
    assert_eq!(page(world.reopened().alice(), 1, 1).1, model.len() as u64, "and so it is after a new start");
    let filtered = alice.ok("ListKeys", &[("Filters", r#"[{"Key":"KeyState","Values":["Enabled"]}]"#)]);
    assert_eq!(filtered["TotalCount"], model.len());
}

struct Filtered {
    world: World,
    plain: String,
    disabled: String,
    tagged: String,
    doomed: String,
}

impl Filtered {
    fn new() -> Self {
        let world = World::new();
        let alice = world.alice();
        let tags = json!([{"TagKey": "env", "TagValue": "prod"}, {"TagKey": "team", "TagValue": "orders"}]).to_string();
        let next = |params: &[(&str, &str)]| {
            world.advance(1);
            alice.key(params)
        };
        let (plain, disabled, tagged, doomed) = (next(&[]), next(&[]), next(&[("Tags", &tags)]), next(&[]));
        alice.done("DisableKey", &[("KeyId", &disabled)]);
        alice.done("ScheduleKeyDeletion", &[("KeyId", &doomed), ("PendingWindowInDays", "7")]);
        alice.done("CreateAlias", &[("AliasName", "alias/plain"), ("KeyId", &plain)]);
        Self { world, plain, disabled, tagged, doomed }
    }

    /// Which of the four keys the filters leave.
    fn left(&self, filters: &Value) -> String {
        let filters = filters.to_string();
        let answer = self.world.alice().ok("ListKeys", &[("Filters", &filters)]);
        let found = ids(&answer);
        assert_eq!(answer["TotalCount"], found.len());
        let letter = |id: &String| match id {
            id if *id == self.plain => 'p',
            id if *id == self.disabled => 'd',
            id if *id == self.tagged => 't',
            id if *id == self.doomed => 'x',
            other => panic!("a key of nobody: {other}"),
        };
        found.iter().map(letter).collect()
    }
}

#[test]
fn filters() {
    let keys = Filtered::new();
    let one = |key: &str, values: &[&str]| json!([{"Key": key, "Values": values}]);
    let account = keys.world.alice.account.as_str();
    for (filter, expected) in [
        (json!([]), "pdtx"),
        (one("KeyState", &["Enabled"]), "pt"),
        (one("KeyState", &["Disabled", "PendingDeletion"]), "dx"),
        (one("KeyState", &["PendingImport"]), ""),
        (one("KeyState", &["enabled"]), ""),
        (one("KeySpec", &["Aliyun_AES_256", "EC_SM2"]), "pdtx"),
        (one("KeySpec", &["RSA_2048"]), ""),
        (one("KeyUsage", &["ENCRYPT/DECRYPT"]), "pdtx"),
        (one("KeyUsage", &["SIGN/VERIFY"]), ""),
        (one("ProtectionLevel", &["SOFTWARE"]), "pdtx"),
        (one("ProtectionLevel", &["HSM"]), ""),
        (one("CreatorType", &["User"]), "pdtx"),
        (one("CreatorType", &["Service"]), ""),
        (one("DKMSInstanceId", &["kst-1"]), ""),
        (one("keyId", &[&keys.plain, &keys.doomed]), "px"),
        (one("KeyId", &[&keys.tagged]), "t"),
        (one("AliasName", &["alias/plain", "alias/none"]), "p"),
        (one("AliasName", &["plain"]), ""),
        (one("Creator", &[account]), "pdtx"),
        (one("Creator", &["1"]), ""),
        (one("TagKey", &["env"]), "t"),
        (one("TagValue", &["orders", "x"]), "t"),
        (one("TagValue", &["env"]), ""),
        (one("KeyState", &[]), "pdtx"),
        (json!([{"Key": "KeyState", "Values": ["Enabled"]}, {"Key": "TagKey", "Values": ["env"]}]), "t"),
        (json!([{"Key": "KeyState", "Values": ["Enabled"]}, {"Key": "KeyState", "Values": ["Disabled"]}]), "pdt"),
    ] {
        assert_eq!(keys.left(&filter), expected, "{filter}");
    }
}

/// A filter by name costs look-ups of what it names, however many keys there are.
#[test]
fn filters_by_name_are_looked_up() {
    let keys = Filtered::new();
    let alice = keys.world.alice();
    let filters = [
        json!([{"Key": "AliasName", "Values": ["alias/plain", "alias/none"]}]),
        json!([{"Key": "keyId", "Values": [keys.plain]}, {"Key": "KeyState", "Values": ["Enabled"]}]),
        json!([{"Key": "DKMSInstanceId", "Values": ["kst-1"]}]),
    ]
    .map(|filters| filters.to_string());
    let asks = |filters: &str| keys.world.reads_of(|| drop(alice.ok("ListKeys", &[("Filters", filters)])));
    // The second time nothing is read that memory has.
    let _ = filters.clone().map(|filters| asks(&filters));
    let with_few = filters.clone().map(|filters| asks(&filters));
    for _ in 0..200 {
        alice.key(&[]);
    }
    assert_eq!(filters.map(|filters| asks(&filters)), with_few);
    // Both names must fit.
    let other = json!([{"Key": "AliasName", "Values": ["alias/plain"]}, {"Key": "keyId", "Values": [keys.tagged]}]);
    assert_eq!(keys.left(&other), "");
    let both = json!([{"Key": "AliasName", "Values": ["alias/plain"]}, {"Key": "keyId", "Values": [keys.plain]}]);
    assert_eq!(keys.left(&both), "p");
    alice.done("UpdateAlias", &[("AliasName", "alias/plain"), ("KeyId", &keys.tagged)]);
    assert_eq!(keys.left(&json!([{"Key": "AliasName", "Values": ["alias/plain"]}])), "t");
}

#[test]
fn filtered_pages() {
    let keys = Filtered::new();
    let all: Vec<_> = [&keys.plain, &keys.disabled, &keys.tagged].map(String::clone).into();
    let not_doomed = r#"[{"Key":"KeyState","Values":["Enabled","Disabled"]}]"#;
    for number in 1..=3usize {
        let number_text = number.to_string();
        let params = [("Filters", not_doomed), ("PageSize", "2"), ("PageNumber", number_text.as_str())];
        let answer = keys.world.alice().ok("ListKeys", &params);
        assert_eq!(answer["TotalCount"], 3);
        assert_eq!(ids(&answer), all.chunks(2).nth(number - 1).unwrap_or_default(), "page {number}");
    }
    let many_values = json!([{"Key": "KeyState", "Values": vec!["Enabled"; 11]}]).to_string();
    let many_entries = json!(vec![json!({"Key": "KeyState", "Values": ["Enabled"]}); 11]).to_string();
    for bad in ["{}", "[1]", r#"[{"Key":"Nothing","Values":[]}]"#, r#"[{"Key":"KeyState","Values":"x"}]"#] {
        keys.world.alice().refused("ListKeys", &[("Filters", bad)], "400 InvalidParameter");
    }
    for bad in [&many_values, &many_entries] {
        keys.world.alice().refused("ListKeys", &[("Filters", bad)], "400 InvalidParameter");
    }
}

#[test]
fn details_are_those_that_the_caller_may_read() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Description", "the Orders database")]);
    alice.done("CreateAlias", &[("AliasName", "alias/shop"), ("KeyId", &key)]);
    alice.done("TagResource", &[("KeyId", &key), ("Tags", r#"[{"TagKey":"team","TagValue":"blue"}]"#)]);
    alice.encrypt(&key);
    world.flush();
    let detailed = [("Details", "true")];
    let account = &world.alice.account;
    let arn = format!("acs:kms:cn-hangzhou:{account}:key/{key}");
    let row = |answer: &Value| answer["Keys"]["Key"][0].clone();
    let all = row(&alice.ok("ListKeys", &detailed));
    let date = alice.describe(&key)["CreationDate"].clone();
    assert_eq!(
        all,
        json!({ "KeyId": key, "KeyArn": arn, "Description": "the Orders database", "KeyState": "Enabled",
            "KeySpec": "Aliyun_AES_256", "CreationDate": date, "DeleteDate": "", "LastUsed": date,
            "AliasNames": ["alias/shop"] })
    );
    assert_eq!(row(&alice.ok("ListKeys", &[])), json!({ "KeyId": key, "KeyArn": arn }), "only if asked for");

    let may = |name: &str, actions: &[&str]| alice.user_with(name, &allow(actions, "*"));
    let found = |who: &Credentials, text: &str| {
        ids(&alice.with(who).ok("ListKeys", &[("Text", text), ("Details", "true")])).len()
    };
    let lister = may("lister", &["kms:ListKeys"]);
    assert_eq!(row(&alice.with(&lister).ok("ListKeys", &detailed)), json!({ "KeyId": key, "KeyArn": arn }));
    for text in ["orders", "shop", "blue", "team"] {
        assert_eq!(found(&lister, text), 0, "{text}");
        assert_eq!(found(&world.alice, text), 1, "{text}");
    }
    assert_eq!(found(&lister, &key[key.len() - 8..].to_uppercase()), 1, "a name is what the list tells anyway");
    for (name, permission, text) in [
        ("describer", "kms:DescribeKey", "ORDERS"),
        ("aliases", "kms:ListAliasesByKeyId", "hop"),
        ("tags", "kms:ListResourceTags", "blu"),
    ] {
        let who = may(name, &["kms:ListKeys", permission]);
        assert_eq!(found(&who, text), 1, "{name}");
        let others = ["orders", "shop", "blue"].iter().filter(|other| !other.contains(&text.to_lowercase()));
        for other in others {
            assert_eq!(found(&who, other), 0, "{name} {other}");
        }
    }
    // What one key is denied is left out of its row alone.
    let other = alice.key(&[("Description", "open")]);
    let deny = json!({ "Effect": "Deny", "Action": "kms:DescribeKey", "Resource": arn });
    let grant = json!({ "Effect": "Allow", "Action": ["kms:ListKeys", "kms:DescribeKey"], "Resource": "*" });
    let who = alice.user_with("narrow", &document(&[grant, deny]));
    let answer = alice.with(&who).ok("ListKeys", &detailed);
    let rows = answer["Keys"]["Key"].as_array().unwrap();
    let told = |id: &str| rows.iter().find(|row| row["KeyId"] == id).unwrap().get("Description").cloned();
    assert_eq!((told(&key), told(&other)), (None, Some(json!("open"))));
    alice.refused("ListKeys", &[("Text", &"x".repeat(129))], "400 InvalidParameter");
    alice.refused("ListKeys", &[("Details", "yes")], "400 InvalidParameter");
}

#[test]
fn keys_that_nobody_uses_are_found() {
    let world = World::new();
    let alice = world.alice();
    let (used, unused) = (world.key(), world.key());
    world.advance(100 * DAY);
    alice.encrypt(&used);
    world.flush();
    let new = world.key();
    let before = jomae_api::time::Timestamp(world.now() - 90 * DAY).to_string();
    let filter = json!([{ "Key": "LastUsedBefore", "Values": [before] }]).to_string();
    let answer = alice.ok("ListKeys", &[("Filters", &filter), ("Details", "true")]);
    assert_eq!(ids(&answer), [unused.as_str()], "not {used} and not {new}");
    assert_eq!(answer["StateCounts"], json!({ "Enabled": 1 }));
    let lister = alice.user_with("lister", &allow(&["kms:ListKeys"], "*"));
    assert_eq!(ids(&alice.with(&lister).ok("ListKeys", &[("Filters", &filter)])), [""; 0]);
    let nonsense = json!([{ "Key": "LastUsedBefore", "Values": ["yesterday"] }]).to_string();
    assert_eq!(ids(&alice.ok("ListKeys", &[("Filters", &nonsense)])), [""; 0]);
    // The states of all, in one call.
    alice.done("DisableKey", &[("KeyId", &new)]);
    let all = json!([{ "Key": "KeyState", "Values": ["Enabled", "Disabled"] }]).to_string();
    let answer = alice.ok("ListKeys", &[("Filters", &all), ("Details", "true"), ("PageSize", "1")]);
    assert_eq!(answer["StateCounts"], json!({ "Enabled": 2, "Disabled": 1 }));
}
