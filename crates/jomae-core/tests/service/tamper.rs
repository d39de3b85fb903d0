//! A store that was edited by hand: each record that was changed, cut, swapped or moved is found out, never obeyed.

use jomae_api::{actions::metadata::KeyState, time::Timestamp};
use jomae_core::{
    keyring::{DOMAIN_PREFIX, Keyring},
    record::path,
};
use jomae_sim::block_on;

use crate::common::{Root, Subject, World};

/// A record, and a call that reads it.
struct Victim {
    path: String,
    action: &'static str,
    params: Vec<(&'static str, String)>,
}

struct Scene {
    world: World,
    victims: Vec<Victim>,
    /// Another key's records, in the order of the victims.
    siblings: Vec<String>,
}

fn paths_of(world: &World, subject: &Subject) -> Vec<String> {
    let place = world.place(&subject.key);
    let version = jomae_api::names::KeyVersionId::new(&version_of(&subject.blob)).unwrap();
    let name = jomae_api::names::AliasName::from_wire(&subject.alias).unwrap();
    let paths = [
        path::key(&place),
        path::version(&place, 1),
        path::version_index(&place.region, &version),
        path::alias(&place.account, &place.region, &name),
    ];
    paths.iter().map(ToString::to_string).collect()
}

/// The key version that stands in front of a ciphertext.
fn version_of(blob: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(blob).unwrap()[..36].to_vec()).unwrap()
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let (subject, sibling) = (Subject::new(&world, KeyState::Enabled), Subject::new(&world, KeyState::Enabled));
        let calls = [
            ("DescribeKey", vec![("KeyId", subject.key.clone())]),
            ("Decrypt", vec![("CiphertextBlob", subject.blob.clone())]),
            ("Decrypt", vec![("CiphertextBlob", subject.blob.clone())]),
            ("GenerateDataKey", vec![("KeyId", subject.alias.clone())]),
        ];
        let mut victims: Vec<_> = paths_of(&world, &subject)
            .into_iter()
            .zip(calls)
            .map(|(path, (action, params))| Victim { path, action, params })
            .collect();
        let mut siblings = paths_of(&world, &sibling);
        victims.push(Victim {
            path: path::access_key(&world.alice.id).to_string(),
            action: "DescribeAccountKmsStatus",
            params: vec![],
        });
        siblings.push(path::access_key(&world.bob.id).to_string());
        Self { world, victims, siblings }
    }

    /// Asserts that the call on this victim fails as damage does, in a process that has nothing in memory.
    fn found_out(&self, victim: &Victim, value: Vec<u8>, how: &str) {
        let genuine = self.world.dump()[&victim.path].clone();
        assert_ne!(value, genuine, "{how}");
        self.world.overwrite(&victim.path, Some(value));
        let params: Vec<_> = victim.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // The process that runs, and one that starts.
        for world in [&self.world, &self.world.reopened()] {
            let before = world.dump();
            let reply = world.alice().reply(victim.action, &params);
            let code = reply.outcome.refusal.unwrap().code();
            assert_eq!((reply.status, code), (500, "InternalFailure"), "{how}: {}", victim.path);
            let cause = reply.outcome.fault.unwrap().to_string();
            assert!(cause.contains(&victim.path), "{how}: {cause}");
            assert_eq!(world.dump(), before);
        }
        self.world.overwrite(&victim.path, Some(genuine));
        self.world.alice().ok(victim.action, &params);
    }
}

#[test]
fn changed_bytes() {
    let scene = Scene::new();
    for victim in &scene.victims {
        let genuine = scene.world.dump()[&victim.path].clone();
        let last = genuine.len() - 1;
        for at in [0, 1, 4, 5, 20, 40, 60, last / 2, last - 16, last] {
            for bit in [1, 0x80] {
                let mut value = genuine.clone();
                value[at] ^= bit;
                scene.found_out(victim, value, &format!("byte {at}"));
            }
        }
    }
}

#[test]
fn cut_and_grown_records() {
    let scene = Scene::new();
    for victim in &scene.victims {
        let genuine = scene.world.dump()[&victim.path].clone();
        for length in [0, 1, 4, 5, 6, 40, genuine.len() - 1] {
            scene.found_out(victim, genuine[..length].to_vec(), &format!("{length} bytes"));
        }
        scene.found_out(victim, [genuine.as_slice(), &[0]].concat(), "a byte more");
    }
}

#[test]
fn swapped_and_moved_records() {
    let scene = Scene::new();
    let rows = scene.world.dump();
    for (victim, sibling) in scene.victims.iter().zip(&scene.siblings) {
        scene.found_out(victim, rows[sibling].clone(), "the record of another");
        for other in scene.victims.iter().filter(|other| other.path != victim.path) {
            scene.found_out(victim, rows[&other.path].clone(), "a record of another kind");
        }
        scene.found_out(victim, rows["sys/domain/00000001"].clone(), "a domain key");
    }
}

/// A whole key with all its records, carried over to another account or region.
#[test]
fn a_key_that_is_carried_over() {
    let scene = Scene::new();
    let world = &scene.world;
    let (alice, bob) = (world.alice.account.as_str(), world.bob.account.as_str());
    let key = &scene.victims[0].params[0].1;
    for (path, value) in world.dump() {
        if path.starts_with("a/") {
            world.overwrite(&path.replace(alice, bob), Some(value.clone()));
            world.overwrite(&path.replace("cn-hangzhou", "cn-shanghai"), Some(value));
        }
    }
    let again = world.reopened();
    for client in [again.bob(), again.alice().at(crate::common::SHANGHAI)] {
        for action in ["DescribeKey", "EnableKey", "GenerateDataKey", "DisableKey"] {
            client.refused(action, &[("KeyId", key)], "500 InternalFailure");
        }
    }
    again.alice().describe(key);
}

#[test]
fn missing_records() {
    let scene = Scene::new();
    for (victim, expected) in scene.victims.iter().zip([
        "404 Forbidden.KeyNotFound",
        "500 InternalFailure",
        "404 Forbidden.KeyNotFound",
        "404 Forbidden.AliasNotFound",
        "404 InvalidAccessKeyId.NotFound",
    ]) {
        let genuine = scene.world.dump()[&victim.path].clone();
        scene.world.overwrite(&victim.path, None);
        let params: Vec<_> = victim.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        scene.world.alice().refused(victim.action, &params, expected);
        scene.world.overwrite(&victim.path, Some(genuine));
    }
}

#[test]
fn planned_work_that_was_edited() {
    let world = World::new();
    let keys = [world.key(), world.key()];
    for (key, days) in keys.iter().zip(["7", "8"]) {
        world.alice().done("ScheduleKeyDeletion", &[("KeyId", key), ("PendingWindowInDays", days)]);
    }
    let due = world.paths_with("sys/due/");
    let rows = world.dump();
    world.advance(7 * crate::common::DAY);
    for damaged in [rows[&due[1]].clone(), rows[&due[0]][..30].to_vec(), vec![]] {
        world.overwrite(&due[0], Some(damaged));
        let fault = block_on(world.service.do_due_work(Timestamp(world.now()))).unwrap_err();
        assert!(fault.to_string().contains(&due[0]), "{fault}");
        assert_eq!(world.alice().state(&keys[1]), "PendingDeletion");
    }
    world.overwrite(&due[0], Some(rows[&due[0]].clone()));
    assert_eq!(world.work(), 1);
    // Work that is brought forward finds that its time has not come.
    let early = due[1].replacen(&due[1]["sys/due/".len()..][..12], "000000000001", 1);
    world.overwrite(&early, Some(rows[&due[1]].clone()));
    assert!(block_on(world.service.do_due_work(Timestamp(world.now()))).is_err());
    assert_eq!(world.alice().state(&keys[1]), "PendingDeletion");
}

/// The path of an alias under its key says everything, and is not opened: one that is planted does no harm.
#[test]
fn a_planted_name_takes_no_alias_along() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::Enabled);
    let doomed = Subject::new(&world, KeyState::PendingDeletion);
    let name = jomae_api::names::AliasName::from_wire(&subject.alias).unwrap();
    let planted = path::alias_of(&world.place(&doomed.key), &name);
    world.overwrite(planted.as_str(), Some(b"anything".to_vec()));
    world.advance(7 * crate::common::DAY);
    assert_eq!(world.work(), 1);
    assert_eq!(world.alice().describe(&subject.alias)["KeyId"], subject.key);
    assert!(world.paths_with(planted.as_str()).is_empty());
}

#[test]
fn an_event_in_the_outbox_that_was_edited() {
    let world = World::new();
    world.key();
    world.key();
    let outbox = world.paths_with("sys/outbox/");
    let rows = world.dump();
    for damaged in [rows[&outbox[0]].clone(), rows[&outbox[1]][..50].to_vec()] {
        world.overwrite(&outbox[1], Some(damaged));
        let next = world.reopened();
        let recovered = block_on(next.service.outbox.recover(&next.service.kms.vault, &*next.audit));
        assert!(recovered.unwrap_err().to_string().contains(&outbox[1]));
    }
}

fn open(world: &World, root: &Root) -> Result<u32, String> {
    block_on(Keyring::open(&*world.store, root)).map(|keyring| keyring.version()).map_err(|fault| fault.to_string())
}

#[test]
fn domain_keys_that_were_edited() {
    let world = World::new();
    world.key();
    assert_eq!(open(&world, &world.root), Ok(1));
    let wrong = open(&world, &Root::other()).unwrap_err();
    assert!(wrong.contains("root key"), "{wrong}");
    let first = format!("{DOMAIN_PREFIX}00000001");
    let genuine = world.dump()[&first].clone();
    for at in [0, 30, genuine.len() - 1] {
        let mut value = genuine.clone();
        value[at] ^= 1;
        world.overwrite(&first, Some(value));
        assert!(open(&world, &world.root).is_err(), "byte {at}");
    }
    world.overwrite(&first, None);
    let lost = open(&world, &world.root).unwrap_err();
    assert!(lost.contains("no domain keys"), "{lost}");
    assert!(world.paths_with(DOMAIN_PREFIX).is_empty(), "and no new one is made");
    for stray in ["00000002", "00000003", "x"] {
        let path = format!("{DOMAIN_PREFIX}{stray}");
        world.overwrite(&first, Some(genuine.clone()));
        world.overwrite(&path, Some(genuine.clone()));
        assert!(open(&world, &world.root).is_err(), "{stray}");
        world.overwrite(&path, None);
    }
    assert_eq!(open(&world, &world.root), Ok(1));
}

#[test]
fn a_new_domain_key_seals_and_the_old_one_opens() {
    let world = World::new();
    let old = Subject::new(&world, KeyState::Enabled);
    let keyring = world.service.kms.vault.keyring();
    assert_eq!(block_on(keyring.rotate(&*world.store, &world.root)).unwrap(), 2);
    let new = Subject::new(&world, KeyState::Enabled);
    let sealed_by = |key: &str| world.dump()[path::key(&world.place(key)).as_str()][1..5].to_vec();
    assert_eq!((sealed_by(&old.key), sealed_by(&new.key)), (vec![0, 0, 0, 1], vec![0, 0, 0, 2]));
    for world in [&world, &world.reopened()] {
        world.alice().decrypts(&old.blob);
        world.alice().decrypts(&new.blob);
        world.alice().done("UpdateKeyDescription", &[("KeyId", &old.key), ("Description", "x")]);
    }
    assert_eq!(sealed_by(&old.key), [0, 0, 0, 2], "what is written anew is sealed anew");
    world.overwrite(&format!("{DOMAIN_PREFIX}00000002"), None);
    let reply = world.reopened().alice().reply("DescribeKey", &[("KeyId", &new.key)]);
    let cause = reply.outcome.fault.unwrap().to_string();
    assert!(cause.contains("domain key version 2"), "{cause}");
}

/// A key policy that was sealed by us and is none lets nobody pass; the account itself, which no policy binds, sets another.
#[test]
fn a_policy_that_does_not_read_is_a_fault() {
    let world = World::new();
    let (alice, bob) = (world.alice(), world.bob());
    let admin = alice.user("admin");
    alice.attach_system("AdministratorAccess", ("User", "admin"));
    let (admin, key) = (alice.with(&admin), world.key());
    let arn = world.place(&key).arn();
    for text in ["", "{}", r#"{"Version":"1","Statement":[{"Effect":"Deny"}]}"#] {
        world.edit_record(&key, |record| record.policy = serde_json::from_value(text.into()).unwrap());
        for caller in [&admin, &bob] {
            let reply = caller.reply("Encrypt", &[("KeyId", &arn), ("Plaintext", "AA==")]);
            assert_eq!(reply.status, 500, "{text}");
            assert!(reply.outcome.fault.unwrap().to_string().contains("a stored policy"));
        }
        alice.encrypt(&key);
        let default = jomae_api::policy::KeyPolicy::default_of(&world.alice.account);
        alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", default.as_str())]);
        admin.encrypt(&key);
    }
}

/// Nothing of a key, a description or a secret can be read in the store.
#[test]
fn the_store_shows_nothing() {
    let world = World::new();
    let key = world.alice().key(&[("Description", "very telling"), ("Tags", r#"[{"TagKey":"telling"}]"#)]);
    world.alice().encrypt(&key);
    let secrets = [b"telling".as_slice(), &world.alice.secret, b"Aliyun_AES_256", b"Enabled"];
    for (path, value) in world.dump() {
        assert!(!path.contains("telling"), "{path}");
        for secret in secrets {
            assert!(!value.windows(secret.len()).any(|window| window == secret), "{path}");
        }
    }
}
