//! Accounts and regions do not meet.

use jomae_api::{action::ActionSpec, actions::metadata::KeyState};

use crate::common::{Client, SHANGHAI, Subject, TAKE_ALIAS, World, actions_on_keys, code_of, takes};

const NO_KEY: &str = "404 Forbidden.KeyNotFound";
const NO_ALIAS: &str = "404 Forbidden.AliasNotFound";

struct Borders {
    world: World,
    subject: Subject,
    arn: String,
}

impl Borders {
    /// Alice has a key in Hangzhou in the state in which the action works.
    fn new(spec: &ActionSpec) -> Self {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        let arn = world.place(&subject.key).arn();
        Self { world, subject, arn }
    }

    /// The action's parameters, with another text for the key.
    fn params<'a>(&'a self, spec: &ActionSpec, key: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
        let mut params = self.subject.params(spec.name);
        for (name, value) in &mut params {
            if let ("KeyId", Some(key)) = (*name, key) {
                *value = key;
            }
        }
        params
    }
}

/// The refusal of a call that comes from elsewhere and names Alice's key by ID, alias or ciphertext.
fn expected_by_id(spec: &ActionSpec) -> &'static str {
    match spec.name {
        "DeleteAlias" => NO_ALIAS,
        _ => NO_KEY,
    }
}

#[test]
fn another_account_finds_nothing() {
    for spec in actions_on_keys() {
        let borders = Borders::new(spec);
        let bob = borders.world.bob();
        let before = borders.world.dump();
        assert_eq!(code_of(&bob.call(spec.name, &borders.params(spec, None))), expected_by_id(spec), "{}", spec.name);
        if takes(spec, "KeyId") {
            // The full name of a key of another account needs a permission that nobody has: there or not, the same.
            let missing = borders.arn.replace(&borders.subject.key, "05754286-3ba2-4fa6-8d41-4323aca6e5fd");
            let by_arn: Vec<_> = [&borders.arn, &missing]
                .map(|arn| code_of(&bob.call(spec.name, &borders.params(spec, Some(arn)))))
                .into();
            let takes_alias = TAKE_ALIAS.contains(&spec.name);
            let takes_arn = takes_alias || ["GetKeyPolicy", "SetKeyPolicy"].contains(&spec.name);
            let expected = if takes_arn { "403 Forbidden.NoPermission" } else { "400 InvalidParameter" };
            assert_eq!(by_arn, [expected; 2], "{}", spec.name);
            if takes_alias {
                let by_alias = bob.call(spec.name, &borders.params(spec, Some(&borders.subject.alias)));
                assert_eq!(code_of(&by_alias), NO_ALIAS, "{}", spec.name);
            }
        }
        assert_eq!(borders.world.dump(), before, "{}", spec.name);
        assert_eq!(code_of(&borders.world.alice().call(spec.name, &borders.params(spec, None))), "200");
    }
}

#[test]
fn another_region_finds_nothing() {
    for spec in actions_on_keys() {
        let borders = Borders::new(spec);
        let shanghai = borders.world.alice().at(SHANGHAI);
        let before = borders.world.dump();
        let answer = shanghai.call(spec.name, &borders.params(spec, None));
        assert_eq!(code_of(&answer), expected_by_id(spec), "{}", spec.name);
        if takes(spec, "KeyId") {
            let by_arn = shanghai.call(spec.name, &borders.params(spec, Some(&borders.arn)));
            assert!([NO_KEY, "400 InvalidParameter"].contains(&code_of(&by_arn).as_str()), "{}", spec.name);
            let moved = borders.arn.replace("cn-hangzhou", "cn-shanghai");
            let by_arn = shanghai.call(spec.name, &borders.params(spec, Some(&moved)));
            assert!([NO_KEY, "400 InvalidParameter"].contains(&code_of(&by_arn).as_str()), "{}", spec.name);
        }
        assert_eq!(borders.world.dump(), before, "{}", spec.name);
    }
}

#[test]
fn protection_by_a_foreign_name() {
    let world = World::new();
    let arn = world.place(&world.key()).arn();
    let params = [("EnableDeletionProtection", "true"), ("ProtectedResourceArn", arn.as_str())];
    let before = world.dump();
    world.bob().refused("SetDeletionProtection", &params, "403 Forbidden.NoPermission");
    world.alice().at(SHANGHAI).refused("SetDeletionProtection", &params, NO_KEY);
    assert_eq!(world.dump(), before);
}

/// A ciphertext of another account's key is answered as one of a key that never was.
#[test]
fn a_foreign_ciphertext_betrays_nothing() {
    let world = World::new();
    let blob = world.alice().encrypt(&world.key());
    let unknown = {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut bytes = STANDARD.decode(&blob).unwrap();
        bytes[35] = if bytes[35] == b'0' { b'1' } else { b'0' };
        STANDARD.encode(bytes)
    };
    let answer = |blob: &str| {
        let reply = world.bob().reply("Decrypt", &[("CiphertextBlob", blob)]);
        let mut body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        body.as_object_mut().unwrap().remove("RequestId");
        (reply.status, body)
    };
    assert_eq!(answer(&blob), answer(&unknown));
    assert_eq!(world.audit.events().iter().filter(|(event, _)| event.to_string().contains(&blob[..20])).count(), 0);
}

/// The same name stands for another key in each account and region.
#[test]
fn the_same_alias_everywhere() {
    let world = World::new();
    let places: [Client<'_>; 4] = [world.alice(), world.alice().at(SHANGHAI), world.bob(), world.bob().at(SHANGHAI)];
    let keys = places.map(|client| {
        let key = client.key(&[]);
        client.done("CreateAlias", &[("AliasName", "alias/same"), ("KeyId", &key)]);
        key
    });
    for (client, key) in places.iter().zip(&keys) {
        assert_eq!(client.describe("alias/same")["KeyId"], *key);
        let blob = client.encrypt("alias/same");
        for (other, other_key) in places.iter().zip(&keys) {
            let answer = other.call("Decrypt", &[("CiphertextBlob", &blob)]);
            let expected = if key == other_key { "200" } else { NO_KEY };
            assert_eq!(code_of(&answer), expected);
        }
        for action in ["ListKeys", "ListAliases"] {
            assert_eq!(client.ok(action, &[])["TotalCount"], 1);
        }
    }
    places[0].done("DeleteAlias", &[("AliasName", "alias/same")]);
    for client in &places[1..] {
        client.describe("alias/same");
    }
}

/// The host names the region; a host that names none of ours means the default one.
#[test]
fn hosts_and_regions() {
    let world = World::new();
    for (host, region) in [
        ("kms.cn-shanghai.example", "cn-shanghai"),
        ("kms-vpc.cn-shanghai.example:8443", "cn-shanghai"),
        ("kms.cn-beijing.example", "cn-hangzhou"),
        ("cn-shanghai.example", "cn-hangzhou"),
        ("127.0.0.1:8443", "cn-hangzhou"),
        ("kms.", "cn-hangzhou"),
    ] {
        let answer = world.alice().at(host).ok("CreateKey", &[]);
        let arn = answer["KeyMetadata"]["Arn"].as_str().unwrap();
        assert!(arn.starts_with(&format!("acs:kms:{region}:")), "{host}: {arn}");
    }
}

/// A key that waits for its end is still its owner's alone.
#[test]
fn permission_comes_before_state() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::PendingDeletion);
    let arn = world.place(&subject.key).arn();
    world.bob().refused("GenerateDataKey", &[("KeyId", &arn)], "403 Forbidden.NoPermission");
    world.bob().refused("Decrypt", &[("CiphertextBlob", &subject.blob)], NO_KEY);
    world.alice().refused("Decrypt", &[("CiphertextBlob", &subject.blob)], "409 Rejected.PendingDeletion");
}
