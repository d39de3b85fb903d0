//! Tags: `TagResource`, `UntagResource`, `ListResourceTags`, and `TagResources`, `UntagResources`, `ListTagResources`.

use std::collections::BTreeMap;

use jomae_api::actions::metadata::KeyState;
use serde_json::{Value, json};

use crate::common::{SHANGHAI, Subject, World};

const BAD: &str = "400 InvalidParameter";
const LIMIT: &str = "400 Rejected.LimitExceeded";
const MISSING: &str = "400 MissingParameter";
const NO_KEY: &str = "404 Forbidden.KeyNotFound";
const REGION: [(&str, &str); 2] = [("RegionId", "cn-hangzhou"), ("ResourceType", "key")];

fn tags_text(tags: &[(&str, &str)]) -> String {
    json!(tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect::<Vec<_>>()).to_string()
}

/// The tags as `ListResourceTags` gives them.
fn tags(world: &World, key: &str) -> Vec<(String, String)> {
    let answer = world.alice().ok("ListResourceTags", &[("KeyId", key)]);
    assert_eq!(answer.as_object().unwrap().len(), 1);
    let rows = answer["Tags"]["Tag"].as_array().unwrap().iter().map(|row| {
        assert_eq!((&row["KeyId"], row.as_object().unwrap().len()), (&json!(key), 3));
        (row["TagKey"].as_str().unwrap().to_owned(), row["TagValue"].as_str().unwrap().to_owned())
    });
    rows.collect()
}

fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Parameters of the newer generation: keys, and other pairs with their numbers.
fn resources(keys: &[&String], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut params = owned(&REGION);
    params.extend(keys.iter().enumerate().map(|(at, key)| (format!("ResourceId.{}", at + 1), (*key).clone())));
    params.extend(owned(more));
    params
}

fn borrowed(params: &[(String, String)]) -> Vec<(&str, &str)> {
    params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn the_older_generation() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    assert_eq!(tags(&world, &key), []);
    let tag = |given: &[(&str, &str)]| alice.done("TagResource", &[("KeyId", &key), ("Tags", &tags_text(given))]);
    tag(&[("b", "2"), ("a", "1")]);
    assert_eq!(tags(&world, &key), owned(&[("a", "1"), ("b", "2")]));
    tag(&[("a", "3"), ("c", "")]);
    assert_eq!(tags(&world, &key), owned(&[("a", "3"), ("b", "2"), ("c", "")]), "the same key is overwritten");
    for _ in 0..2 {
        alice.done("UntagResource", &[("KeyId", &key), ("TagKeys", r#"["a","none","c"]"#)]);
        assert_eq!(tags(&world, &key), owned(&[("b", "2")]), "what is not there is ignored");
    }
    tag(&[("B", "x")]);
    assert_eq!(tags(&world, &key), owned(&[("B", "x"), ("b", "2")]), "case matters");
}

#[test]
fn exactly_one_resource() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let before = world.dump();
    let (one, some) = (tags_text(&[("a", "1")]), r#"["a"]"#);
    for (action, tags) in [("TagResource", ("Tags", one.as_str())), ("UntagResource", ("TagKeys", some))] {
        alice.refused(action, &[tags], MISSING);
        alice.refused(action, &[("KeyId", &key)], MISSING);
        for other in ["SecretName", "CertificateId"] {
            alice.refused(action, &[tags, (other, "x")], BAD);
            alice.refused(action, &[tags, ("KeyId", &key), (other, "x")], BAD);
        }
        alice.refused(action, &[tags, ("KeyId", "alias/a")], "400 Unsupported.Alias");
        alice.refused(action, &[tags, ("KeyId", "none")], NO_KEY);
    }
    alice.refused("ListResourceTags", &[("KeyId", "alias/a")], "400 Unsupported.Alias");
    assert_eq!(world.dump(), before);
}

#[test]
fn limits_of_tags() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let (long_key, long_value) = ("k".repeat(128), "v".repeat(128));
    let odd = "aZ09/\\_-.+=:@";
    alice.done("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&[(&long_key, &long_value), (odd, odd)]))]);
    assert_eq!(tags(&world, &key).len(), 2);
    let (too_long_key, too_long_value) = ("k".repeat(129), "v".repeat(129));
    let before = world.dump();
    for (tag_key, value) in [
        ("", "v"),
        (too_long_key.as_str(), "v"),
        ("k", &too_long_value),
        ("aliyun", "v"),
        ("aliyunx", "v"),
        ("acs:x", "v"),
        ("k\u{e9}", "v"),
        ("k", "v\u{e9}"),
        ("k,", "v"),
        ("k", "<v>"),
    ] {
        alice.refused("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&[(tag_key, value)]))], BAD);
        let numbered = resources(&[&key], &[("Tag.1.Key", tag_key), ("Tag.1.Value", value)]);
        alice.refused("TagResources", &borrowed(&numbered), BAD);
        if value == "v" {
            let keys = json!([tag_key]).to_string();
            alice.refused("UntagResource", &[("KeyId", &key), ("TagKeys", &keys)], BAD);
            alice.refused("UntagResources", &borrowed(&resources(&[&key], &[("TagKey.1", tag_key)])), BAD);
        }
    }
    for malformed in ["{}", "[1]", r#"[{"TagKey":"a"},{"TagKey":"a"}]"#, r#"[{"Key":"a"}]"#, "x"] {
        alice.refused("TagResource", &[("KeyId", &key), ("Tags", malformed)], BAD);
    }
    let twice = [("Tag.1.Key", "a"), ("Tag.2.Key", "a")];
    alice.refused("TagResources", &borrowed(&resources(&[&key], &twice)), BAD);
    let nameless = [("Tag.1.Value", "v")];
    alice.refused("TagResources", &borrowed(&resources(&[&key], &nameless)), BAD);
    for (action, list) in [("UntagResource", "{}"), ("UntagResource", "[1]"), ("UntagResource", "a")] {
        alice.refused(action, &[("KeyId", &key), ("TagKeys", list)], BAD);
    }
    assert_eq!(world.dump(), before);
}

#[test]
fn twenty_tags_a_key() {
    let world = World::new();
    let alice = world.alice();
    let names: Vec<String> = (0..21).map(|n| format!("k{n:02}")).collect();
    let given: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let (key, other) = (world.key(), world.key());
    alice.done("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&given[..19]))]);
    alice.done("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&given[10..20]))]);
    assert_eq!(tags(&world, &key).len(), 20);
    let before = world.dump();
    alice.refused("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&given[20..]))], LIMIT);
    alice.refused("TagResource", &[("KeyId", &key), ("Tags", &tags_text(&given))], LIMIT);
    // Of several keys one would have too many: none is tagged.
    let numbered = resources(&[&other, &key], &[("Tag.1.Key", "k20")]);
    alice.refused("TagResources", &borrowed(&numbered), LIMIT);
    assert_eq!(world.dump(), before);
    let many: Vec<_> =
        names.iter().enumerate().map(|(at, name)| (format!("Tag.{}.Key", at + 1), name.clone())).collect();
    let over = [resources(&[&other], &[]), many.clone()].concat();
    alice.refused("TagResources", &borrowed(&over), LIMIT);
    let most = [resources(&[&other], &[]), many[..20].to_vec()].concat();
    alice.done("TagResources", &borrowed(&most));
    assert_eq!(tags(&world, &other), owned(&given[..20].iter().map(|(name, _)| (*name, "")).collect::<Vec<_>>()));
    let too_many = json!(names).to_string();
    alice.refused("UntagResource", &[("KeyId", &key), ("TagKeys", &too_many)], BAD);
    let all: Vec<_> = names.iter().enumerate().map(|(at, name)| (format!("TagKey.{}", at + 1), name.clone())).collect();
    alice.refused("UntagResources", &borrowed(&[resources(&[&key], &[]), all.clone()].concat()), BAD);
    alice.done("UntagResources", &borrowed(&[resources(&[&key], &[]), all[..19].to_vec()].concat()));
    assert_eq!(tags(&world, &key), owned(&[("k19", "v")]));
}

#[test]
fn the_newer_generation() {
    let world = World::new();
    let (one, two, alice) = (world.key(), world.key(), world.alice());
    let both = [&one, &two];
    let given = [("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.7.Key", "b")];
    alice.done("TagResources", &borrowed(&resources(&[&one, &two, &one], &given)));
    for key in both {
        assert_eq!(tags(&world, key), owned(&[("a", "1"), ("b", "")]));
    }
    alice.done("UntagResources", &borrowed(&resources(&[&one], &[("TagKey.1", "a"), ("All", "true")])));
    assert_eq!(tags(&world, &one), owned(&[("b", "")]), "All counts only without TagKey");
    // One of the keys has the tag, the other has not.
    alice.done("UntagResources", &borrowed(&resources(&both, &[("TagKey.1", "a")])));
    assert_eq!(tags(&world, &two), owned(&[("b", "")]));
    for all in ["", "false"] {
        alice.refused("UntagResources", &borrowed(&resources(&both, &[("All", all)])), MISSING);
    }
    alice.done("UntagResources", &borrowed(&resources(&both, &[("All", "True")])));
    assert_eq!((tags(&world, &one), tags(&world, &two)), (vec![], vec![]));
}

#[test]
fn what_the_newer_generation_refuses() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let none = "none".to_owned();
    let keys: Vec<String> = (0..51).map(|_| world.key()).collect();
    let before = world.dump();
    for (action, what) in
        [("TagResources", ("Tag.1.Key", "a")), ("UntagResources", ("TagKey.1", "a")), ("ListTagResources", ("x", ""))]
    {
        let with = |name: &str, value: &'static str| {
            let mut params = resources(&[&key], &[what]);
            params.retain(|(other, _)| other != name);
            params.push((name.to_owned(), value.to_owned()));
            params
        };
        for (name, value, expected) in [
            ("RegionId", "", MISSING),
            ("RegionId", "cn-shanghai", BAD),
            ("RegionId", "X", BAD),
            ("ResourceType", "", MISSING),
            ("ResourceType", "secret", BAD),
            ("ResourceId.1", "alias/a", BAD),
            ("ResourceId", "a", BAD),
        ] {
            alice.refused(action, &borrowed(&with(name, value)), expected);
        }
        alice.refused(action, &borrowed(&resources(&[&key, &none], &[what])), NO_KEY);
        alice.refused(action, &borrowed(&resources(&keys.iter().collect::<Vec<_>>(), &[what])), BAD);
        if action != "ListTagResources" {
            alice.refused(action, &borrowed(&resources(&[], &[what])), MISSING);
        }
        let bobs = world.bob();
        bobs.refused(action, &borrowed(&resources(&[&key], &[what])), NO_KEY);
    }
    alice.refused("TagResources", &borrowed(&resources(&[&key], &[])), MISSING);
    assert_eq!(world.dump(), before);
    let fifty: Vec<_> = keys[..50].iter().collect();
    alice.done("TagResources", &borrowed(&resources(&fifty, &[("Tag.1.Key", "a")])));
    assert_eq!(tags(&world, &keys[49]), owned(&[("a", "")]));
}

/// All keys or none: one that waits for its deletion keeps the others from being tagged.
#[test]
fn one_of_several_in_another_state() {
    let world = World::new();
    let (good, doomed) = (world.key(), Subject::new(&world, KeyState::PendingDeletion).key);
    let before = world.dump();
    for (action, what) in [("TagResources", ("Tag.1.Key", "a")), ("UntagResources", ("All", "true"))] {
        let params = resources(&[&good, &doomed], &[what]);
        world.alice().refused(action, &borrowed(&params), "409 Rejected.PendingDeletion");
    }
    assert_eq!(world.dump(), before);
}

/// Rows of `ListTagResources`, and where to go on.
fn page(world: &World, params: &[(String, String)]) -> (Vec<(String, String, String)>, String) {
    let answer = world.alice().ok("ListTagResources", &borrowed(params));
    assert_eq!(answer.as_object().unwrap().len(), 2);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = answer["TagResources"]["TagResource"].as_array().unwrap().iter().map(|row| {
        assert_eq!((&row["ResourceType"], row.as_object().unwrap().len()), (&"key".into(), 4));
        (text(row, "ResourceId"), text(row, "TagKey"), text(row, "TagValue"))
    });
    (rows.collect(), text(&answer, "NextToken"))
}

#[test]
fn tags_of_all_keys_page_by_page() {
    let world = World::new();
    let alice = world.alice();
    assert_eq!(page(&world, &resources(&[], &[])), (vec![], String::new()));
    let mut expected = Vec::new();
    for n in 0..60usize {
        let given: Vec<_> = (0..n % 21).map(|tag| (format!("k{tag:02}"), format!("v{n}"))).collect();
        let given: Vec<_> = given.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let key = alice.key(&[("Tags", &tags_text(&given))]);
        expected.extend(given.iter().map(|(tag, value)| (key.clone(), (*tag).to_owned(), (*value).to_owned())));
    }
    expected.sort_unstable();
    let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let (rows, next) = page(&world, &resources(&[], &[("NextToken", &token)]));
        assert!(rows.len() < 200 + 20 && (rows.len() >= 200 || next.is_empty()), "{}", rows.len());
        found.extend(rows);
        pages += 1;
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert!(pages > 2 && found == expected, "each row once, in {pages} pages");
    alice.refused("ListTagResources", &borrowed(&resources(&[], &[("NextToken", "a b")])), BAD);
    let elsewhere = [("RegionId", "cn-shanghai"), ("ResourceType", "key")];
    let none = json!({ "TagResources": { "TagResource": [] }, "NextToken": "" });
    assert_eq!(alice.at(SHANGHAI).ok("ListTagResources", &elsewhere), none);
    assert_eq!(world.bob().ok("ListTagResources", &REGION), none);
}

#[test]
fn tags_are_filtered() {
    let world = World::new();
    let alice = world.alice();
    let prod = alice.key(&[("Tags", &tags_text(&[("env", "prod"), ("team", "a")]))]);
    let test = alice.key(&[("Tags", &tags_text(&[("env", "test"), ("team", "a")]))]);
    let bare = alice.key(&[("Tags", &tags_text(&[("env", "")]))]);
    let found = |keys: &[&String], filter: &[(&str, &str)]| {
        let (rows, next) = page(&world, &resources(keys, filter));
        assert_eq!(next, "");
        let mut by_key = BTreeMap::<String, usize>::new();
        for (key, ..) in rows {
            *by_key.entry(key).or_default() += 1;
        }
        let named = [("p", &prod), ("t", &test), ("b", &bare)];
        let counts = named.iter().filter_map(|(letter, key)| by_key.remove(*key).map(|rows| format!("{letter}{rows}")));
        let counts: String = counts.collect();
        assert!(by_key.is_empty());
        counts
    };
    let env = |value| [("Tag.1.Key", "env"), ("Tag.1.Value", value)];
    assert_eq!(found(&[], &[]), "p2t2b1");
    assert_eq!(found(&[], &env("prod")), "p2", "with all the tags of the key");
    assert_eq!(found(&[], &env("")), "p2t2b1", "an empty value matches any");
    assert_eq!(found(&[], &env("Prod")), "");
    assert_eq!(found(&[], &[env("test")[0], env("test")[1], ("Tag.2.Key", "team")]), "t2");
    assert_eq!(found(&[], &[env("prod")[0], env("prod")[1], ("Tag.2.Key", "none")]), "");
    assert_eq!(found(&[&prod, &bare], &[]), "p2b1");
    assert_eq!(found(&[&prod, &bare], &[("Tag.1.Key", "team")]), "p2");
    alice.refused("ListTagResources", &borrowed(&resources(&[], &[("Tag.1.Key", "acs:x")])), BAD);
    let filters = r#"[{"Key":"TagKey","Values":["team"]},{"Key":"TagValue","Values":["prod"]}]"#;
    let listed = alice.ok("ListKeys", &[("Filters", filters)]);
    assert_eq!((&listed["TotalCount"], &listed["Keys"]["Key"][0]["KeyId"]), (&json!(1), &json!(prod)));
}
