//! `GetKeyPolicy`, `SetKeyPolicy`, and `Policy` of `CreateKey`: stored as given, checked for their form.

use jomae_api::limits;
use serde_json::{Value, json};

use crate::common::World;

const BAD: &str = "400 InvalidParameter";

fn policy(world: &World, key: &str) -> String {
    let answer = world.alice().ok("GetKeyPolicy", &[("KeyId", key)]);
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["Policy"].as_str().unwrap().to_owned()
}

/// A well-formed statement.
fn statement() -> Value {
    json!({
        "Sid": "those who encrypt",
        "Effect": "Allow",
        "Principal": { "RAM": ["acs:ram::1234567890123456:user/bob", "acs:ram::1234567890123456:role/r"] },
        "Action": ["kms:Encrypt", "kms:GenerateDataKey*"],
        "Resource": ["*"],
        "Condition": { "IpAddress": { "acs:SourceIp": "192.0.2.0/24" } },
    })
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "1", "Statement": statements }).to_string()
}

#[test]
fn the_default_lets_the_account_do_everything() {
    let world = World::new();
    let default: Value = serde_json::from_str(&policy(&world, &world.key())).unwrap();
    let account = world.alice.account.as_str();
    let expected = json!({ "Version": "1", "Statement": [{
        "Sid": "kms default key policy",
        "Effect": "Allow",
        "Principal": { "RAM": [format!("acs:ram::{account}:*")] },
        "Action": ["kms:*"],
        "Resource": ["*"],
    }] });
    assert_eq!(default, expected);
    let key = world.key();
    let text = policy(&world, &key);
    world.alice().done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &text)]);
    assert_eq!(policy(&world, &key), text, "what is given can be set");
}

#[test]
fn a_policy_is_kept_as_it_was_given() {
    let world = World::new();
    let alice = world.alice();
    let odd = format!(" {}\n", document(&[statement()]).replace(',', " ,\t"));
    let made = alice.key(&[("Policy", &odd)]);
    assert_eq!(policy(&world, &made), odd);
    let key = world.key();
    let arn = world.place(&key).arn();
    for (name, text) in [(&key, document(&[statement(), statement()])), (&arn, odd.clone())] {
        alice.done("SetKeyPolicy", &[("KeyId", name), ("Policy", &text), ("PolicyName", "default")]);
        for name in [&key, &arn] {
            let params = [("KeyId", name.as_str()), ("PolicyName", "default")];
            assert_eq!(alice.ok("GetKeyPolicy", &params), json!({ "Policy": text }));
        }
        assert_eq!(policy(&world.reopened(), &key), text);
    }
    let blob = alice.encrypt(&key);
    alice.decrypts(&blob);
}

#[test]
fn names_of_keys_and_policies() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let text = document(&[statement()]);
    for (action, rest) in [("GetKeyPolicy", vec![]), ("SetKeyPolicy", vec![("Policy", text.as_str())])] {
        for (name, expected) in [
            ("alias/a", "400 Unsupported.Alias"),
            ("none", "404 Forbidden.KeyNotFound"),
            ("a b", BAD),
            ("", "400 MissingParameter"),
        ] {
            alice.refused(action, &[&[("KeyId", name)][..], &rest].concat(), expected);
        }
        for name in ["Default", "other"] {
            alice.refused(action, &[&[("KeyId", key.as_str()), ("PolicyName", name)][..], &rest].concat(), BAD);
        }
    }
    alice.refused("SetKeyPolicy", &[("KeyId", &key)], "400 MissingParameter");
}

#[test]
fn what_is_no_policy() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let with = |name: &str, value: Value| {
        let mut changed = statement();
        changed[name] = value;
        document(&[changed])
    };
    let without = |name: &str| {
        let mut changed = statement();
        changed.as_object_mut().unwrap().remove(name);
        document(&[changed])
    };
    let set = |text: &str| alice.call("SetKeyPolicy", &[("KeyId", &key), ("Policy", text)]);
    for good in [without("Sid"), without("Condition"), with("Action", "kms:*".into()), with("Resource", "*".into())] {
        assert!(set(&good).is_ok(), "{good}");
    }
    assert!(set(&with("Principal", json!({ "RAM": "acs:ram::1234567890123456:root" }))).is_ok());
    let before = policy(&world, &key);
    let mut bad = vec![
        "x".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        document(&[]),
        json!({ "Version": "2", "Statement": [statement()] }).to_string(),
        json!({ "Version": 1, "Statement": [statement()] }).to_string(),
        json!({ "Statement": [statement()] }).to_string(),
        json!({ "Version": "1", "Statement": statement() }).to_string(),
        json!({ "Version": "1", "Statement": [statement()], "Id": "x" }).to_string(),
        with("Nothing", 1.into()),
        with("NotAction", json!(["kms:Encrypt"])),
        with("Condition", json!({ "IpAddress": "x" })),
    ];
    bad.extend(["Effect", "Principal", "Action", "Resource"].map(without));
    bad.extend(["allow", "Permit"].map(|effect| with("Effect", effect.into())));
    bad.extend(["oss:Get", "*", "kms:", "kms:En crypt"].map(|action| with("Action", json!([action]))));
    bad.extend(["x", "acs:kms:*:*:key/*"].map(|resource| with("Resource", json!([resource]))));
    bad.extend(["Action", "Resource"].map(|name| with(name, json!([]))));
    bad.push(with("Sid", "s".repeat(129).into()));
    for principal in ["*", "acs:ram::1:root", "acs:ram::1234567890123456:user/", "acs:ram::1234567890123456:group/g"] {
        bad.push(with("Principal", json!({ "RAM": [principal] })));
    }
    bad.push(with("Principal", json!({ "RAM": [] })));
    bad.push(with("Principal", json!({ "Service": ["x"] })));
    for text in &bad {
        assert_eq!(crate::common::code_of(&set(text)), BAD, "{text}");
        alice.refused("CreateKey", &[("Policy", text)], BAD);
    }
    assert_eq!(policy(&world, &key), before);
}

#[test]
fn the_largest_policy() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let text = document(&[statement()]);
    let padded = |bytes: usize| format!("{text}{}", "\n".repeat(bytes - text.len()));
    let largest = padded(limits::POLICY_BYTES_MAX);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &largest)]);
    assert_eq!(policy(&world, &key), largest);
    let over = padded(limits::POLICY_BYTES_MAX + 1);
    alice.refused("SetKeyPolicy", &[("KeyId", &key), ("Policy", &over)], BAD);
    // With everything else as large as it may be, the record still fits the store.
    let escaped = "\u{1}".repeat(8192);
    alice.done("UpdateKeyDescription", &[("KeyId", &key), ("Description", &escaped)]);
    let on = [("KeyId", key.as_str()), ("EnableDeletionProtection", "true")];
    alice.done("SetDeletionProtection", &[&on[..], &[("DeletionProtectionDescription", &escaped)]].concat());
    assert_eq!(policy(&world, &key), largest);
}
