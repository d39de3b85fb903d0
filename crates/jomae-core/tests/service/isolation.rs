//! Accounts and regions do not meet.

use jomae_api::{
    action::ActionSpec,
    actions::{ACTIONS, metadata::KeyState},
    param::Kind,
};
use proptest::strategy::{Strategy, ValueTree};

use crate::common::{
    Client, HELLO, SHANGHAI, Subject, TAKE_ALIAS, World, actions_on_keys, allow, code_of, takes, trust,
};

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

    /// The full name of the key's alias.
    fn alias_arn(&self) -> String {
        self.arn.replace(&format!("key/{}", self.subject.key), &self.subject.alias)
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
            // So does the full name of an alias.
            let by_alias_arn: Vec<_> = [borders.alias_arn(), format!("{}-missing", borders.alias_arn())]
                .map(|arn| code_of(&bob.call(spec.name, &borders.params(spec, Some(&arn)))))
                .into();
            let expected = if takes_alias { "403 Forbidden.NoPermission" } else { "400 Unsupported.Alias" };
            assert_eq!(by_alias_arn, [expected; 2], "{}", spec.name);
        }
        assert_eq!(borders.world.dump(), before, "{}", spec.name);
        assert_eq!(code_of(&borders.world.alice().call(spec.name, &borders.params(spec, None))), "200");
    }
}

/// The same, by somebody who names the region of the host; any other would be refused at once.
fn in_shanghai<'a>(mut params: Vec<(&'static str, &'a str)>) -> Vec<(&'static str, &'a str)> {
    params.iter_mut().filter(|(name, _)| *name == "RegionId").for_each(|(_, region)| *region = "cn-shanghai");
    params
}

#[test]
fn another_region_finds_nothing() {
    for spec in actions_on_keys() {
        let borders = Borders::new(spec);
        let shanghai = borders.world.alice().at(SHANGHAI);
        let before = borders.world.dump();
        let answer = shanghai.call(spec.name, &in_shanghai(borders.params(spec, None)));
        assert_eq!(code_of(&answer), expected_by_id(spec), "{}", spec.name);
        if takes(spec, "KeyId") {
            let by_arn = shanghai.call(spec.name, &in_shanghai(borders.params(spec, Some(&borders.arn))));
            assert!([NO_KEY, "400 InvalidParameter"].contains(&code_of(&by_arn).as_str()), "{}", spec.name);
            for arn in [borders.alias_arn(), borders.alias_arn().replace("cn-hangzhou", "cn-shanghai")] {
                let answer = code_of(&shanghai.call(spec.name, &in_shanghai(borders.params(spec, Some(&arn)))));
                let expected = if TAKE_ALIAS.contains(&spec.name) { NO_ALIAS } else { "400 Unsupported.Alias" };
                assert_eq!(answer, expected, "{} {arn}", spec.name);
            }
            let moved = borders.arn.replace("cn-hangzhou", "cn-shanghai");
            let by_arn = shanghai.call(spec.name, &in_shanghai(borders.params(spec, Some(&moved))));
            assert!([NO_KEY, "400 InvalidParameter"].contains(&code_of(&by_arn).as_str()), "{}", spec.name);
        }
        assert_eq!(borders.world.dump(), before, "{}", spec.name);
    }
}

/// At home the full name of an alias is the alias: to the call, to policies, and in the log.
#[test]
fn the_full_name_of_an_alias_is_the_alias() {
    for spec in actions_on_keys().filter(|spec| TAKE_ALIAS.contains(&spec.name) && takes(spec, "KeyId")) {
        let seen = |by_arn: bool| {
            let borders = Borders::new(spec);
            let (arn, key) = (borders.alias_arn(), borders.subject.key.clone());
            let name = if by_arn { arn.as_str() } else { borders.subject.alias.as_str() };
            let answer = borders.world.alice().call(spec.name, &borders.params(spec, Some(name)));
            assert_eq!(code_of(&answer), "200", "{} {name}", spec.name);
            let (event, _) = borders.world.audit.events().into_iter().next_back().unwrap();
            assert_eq!(event["requestParameters"]["KeyId"], name, "{}", spec.name);
            let noted = event["referencedResources"].to_string();
            assert!(noted.contains(&key), "{}: {noted}", spec.name);
            noted.replace(&key, "")
        };
        assert_eq!(seen(true), seen(false), "{}", spec.name);
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

/// Names and ids of everything that Alice has, by kind; unlike anything that Bob has.
struct Estate {
    world: World,
    /// What may stand in a parameter: each id of Alice's, and texts with which a call gets past its first checks.
    values: Vec<String>,
    /// What must never reach Bob unless he sent it.
    secrets: Vec<String>,
}

impl Estate {
    fn new() -> Self {
        let world = World::new();
        let alice = world.alice();
        let subject = Subject::new(&world, KeyState::Enabled);
        let trust = trust(&[&format!("acs:ram::{}:root", world.alice.account)]);
        let user = alice.user_with("alice.user", &allow(&["kms:*", "sts:AssumeRole"], "*"));
        let role = alice.role_with("alice-role", &trust, &allow(&["kms:*"], "*"));
        alice.ok("CreateGroup", &[("GroupName", "alice-group")]);
        alice.done("AddUserToGroup", &[("UserName", "alice.user"), ("GroupName", "alice-group")]);
        let session = alice.with(&user).assume(&role, &[]);
        let id_of = |action: &str, name: &str, member: &str, id: &str| {
            alice.ok(action, &[(name, member)])[&action[3..]][id].as_str().unwrap().to_owned()
        };
        let ids = [
            id_of("GetUser", "UserName", "alice.user", "UserId"),
            id_of("GetGroup", "GroupName", "alice-group", "GroupId"),
            id_of("GetRole", "RoleName", "alice-role", "RoleId"),
        ];
        let arn = world.place(&subject.key).arn();
        let (event, _) = world.audit.events().pop().unwrap();
        let event_id = event["eventId"].as_str().unwrap().to_owned();
        let secrets: Vec<String> = [
            subject.key.clone(),
            subject.alias.clone(),
            subject.version.clone(),
            subject.blob.clone(),
            arn,
            user.id.clone(),
            session.id.clone(),
            role,
            world.alice.account.to_string(),
            event_id,
            "alice.user".to_owned(),
            "alice-group".to_owned(),
            "alice-role".to_owned(),
            "of-alice-user".to_owned(),
            "of-role-alice-role".to_owned(),
        ]
        .into_iter()
        .chain(ids)
        .collect();
        let harmless = ["10", "true", "key", "cn-hangzhou", "Custom", "v1", "Active", HELLO, "SM2PKE", "AES_256", "x1"];
        let values = secrets.iter().cloned().chain(harmless.map(str::to_owned)).collect();
        Self { world, values, secrets }
    }

    /// Everything of Alice's in the store.
    fn of_alice(&self) -> Vec<(String, Vec<u8>)> {
        let account = format!("/{}/", self.world.alice.account);
        self.world.dump().into_iter().filter(|(path, _)| path.contains(&account)).collect()
    }
}

/// Whatever of Alice's another account names, in whatever parameter of whatever action: it learns nothing that it did
/// not know, and changes nothing of hers.
#[test]
fn nothing_of_one_account_is_visible_to_another() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut answered, mut calls) = (0, 0);
    for spec in ACTIONS {
        // What Bob has once said comes back to him: each action has a world of its own.
        let estate = Estate::new();
        let bob = estate.world.bob();
        let before = estate.of_alice();
        let pick = proptest::collection::vec(0..estate.values.len(), 16);
        for _ in 0..24 {
            let picked = pick.new_tree(&mut runner).unwrap().current();
            let mut params: Vec<(String, &str)> = Vec::new();
            for (used, value) in spec.params.iter().zip(picked.iter().cycle()) {
                // Half of the parameters that may be absent are.
                if !used.required && value % 2 == 0 || used.param.name() == "Format" {
                    continue;
                }
                let example = spec.example.iter().find(|(name, _)| *name == used.param.name());
                let name = match used.param.kind() {
                    Kind::List => format!("{}.1", used.param.name()),
                    Kind::Pairs => format!("{}.1.Key", used.param.name()),
                    _ => used.param.name().to_owned(),
                };
                // Now and then a value that is right, so that the call gets further.
                let value = match example {
                    Some((_, example)) if value % 3 == 0 => *example,
                    _ => estate.values[*value].as_str(),
                };
                params.push((name, value));
            }
            let sent: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let reply = bob.reply(spec.name, &sent);
            assert!(reply.outcome.fault.is_none(), "{} {sent:?}", spec.name);
            calls += 1;
            answered += u32::from(reply.status == 200);
            let body = String::from_utf8(reply.body).unwrap();
            // A wrong signature alone is answered with what was sent.
            for secret in estate.secrets.iter().filter(|secret| !sent.iter().any(|(_, value)| value.contains(*secret)))
            {
                assert!(!body.contains(secret.as_str()), "{} {sent:?}: {body}", spec.name);
            }
        }
        assert_eq!(estate.of_alice(), before, "{} has changed something of Alice's", spec.name);
    }
    assert!(calls > 2000 && answered > 100, "{answered} of {calls}");
}
