//! `ClientToken`: a retry makes nothing twice.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use jomae_api::time::Timestamp;
use jomae_core::client_token::sweep;
use jomae_sim::{block_on, faults::CommitFault};
use serde_json::{Value, json};

use crate::common::{DAY, SHANGHAI, World, code_of};

const TOKEN: (&str, &str) = ("ClientToken", "retry-1");
const BAD: &str = "400 InvalidParameter";

fn keys(world: &World) -> Value {
    world.alice().ok("ListKeys", &[])["TotalCount"].clone()
}

fn swept(world: &World) -> usize {
    block_on(sweep(&world.service.kms.vault, Timestamp(world.now()))).unwrap()
}

fn remembered(world: &World) -> usize {
    world.paths_with("sys/client-token").len()
}

#[test]
fn a_retry_gives_the_first_answer() {
    let world = World::new();
    let alice = world.alice();
    let params = [("Description", "orders"), TOKEN];
    let replies: Vec<_> = (0..3)
        .map(|_| {
            world.advance(60);
            let reply = alice.reply("CreateKey", &params);
            let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(body["RequestId"].take(), json!(reply.request_id));
            (body, reply.request_id)
        })
        .collect();
    assert_eq!(keys(&world), 1);
    assert!(replies.iter().all(|(body, _)| *body == replies[0].0), "dates too");
    assert!(replies[0].1 != replies[1].1 && replies[1].1 != replies[2].1, "each has its own RequestId");
    // After a restart, and whatever became of the key meanwhile.
    let again = world.reopened();
    let id = replies[0].0["KeyMetadata"]["KeyId"].as_str().unwrap();
    again.alice().done("DisableKey", &[("KeyId", id)]);
    assert_eq!(again.alice().ok("CreateKey", &params)["KeyMetadata"], replies[0].0["KeyMetadata"]);
    let xml = again.alice().reply("CreateKey", &[params[0], params[1], ("Format", "XML")]);
    assert!(String::from_utf8(xml.body).unwrap().contains(id));
    assert_eq!(keys(&world), 1);
    assert_ne!(alice.key(&[("Description", "orders")]), id, "without a token each is a new one");
}

#[test]
fn every_creating_call_takes_a_token() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let version = [("KeyId", key.as_str()), TOKEN];
    let made = alice.ok("CreateKeyVersion", &version);
    assert_eq!(alice.ok("CreateKeyVersion", &version), made);
    assert_eq!(alice.ok("ListKeyVersions", &[("KeyId", &key)])["TotalCount"], 2);
    let alias = [("KeyId", key.as_str()), ("AliasName", "alias/a"), TOKEN];
    for _ in 0..3 {
        alice.done("CreateAlias", &alias);
    }
    alice.refused("CreateAlias", &alias[..2], "400 AliasAlreadyExists");
    alice.ok("CreateKey", &[TOKEN]);
    assert_eq!(keys(&world), 2, "the same token of another action is another");
    // Elsewhere it means nothing.
    for _ in 0..2 {
        let sealed = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", "aGk="), TOKEN]);
        assert!(sealed["CiphertextBlob"].is_string());
    }
    assert_eq!(remembered(&world), 2 * 3, "each with its date");
}

#[test]
fn other_parameters_are_a_mistake() {
    let world = World::new();
    let alice = world.alice();
    let first = alice.key(&[("Description", "a"), ("KeySpec", "Aliyun_AES_128"), TOKEN]);
    let before = world.dump();
    for other in [
        &[("Description", "b"), ("KeySpec", "Aliyun_AES_128")][..],
        &[("Description", "a"), ("KeySpec", "Aliyun_AES_256")],
        &[("Description", "a")],
        &[("Description", "aKeySpec"), ("KeySpec", "Aliyun_AES_128")],
        &[("Description", "a"), ("KeySpec", "Aliyun_AES_128"), ("Tags", "[]")],
        &[],
    ] {
        alice.refused("CreateKey", &[other, &[TOKEN]].concat(), BAD);
    }
    assert_eq!(world.dump(), before);
    let unknown = [("Description", "a"), ("KeySpec", "Aliyun_AES_128"), ("Whatever", "x"), TOKEN];
    assert_eq!(alice.key(&unknown), first, "what is no parameter does not count");
    let (one, two) = (world.key(), world.key());
    alice.ok("CreateKeyVersion", &[("KeyId", &one), TOKEN]);
    alice.refused("CreateKeyVersion", &[("KeyId", &two), TOKEN], BAD);
}

#[test]
fn forms_of_tokens() {
    let world = World::new();
    let longest = "t".repeat(64);
    for token in ["a", "~!@#$%^&*()/\\\"'<>", &longest] {
        let key = world.alice().key(&[("ClientToken", token)]);
        assert_eq!(world.alice().key(&[("ClientToken", token)]), key, "{token}");
    }
    for token in [&"t".repeat(65), "a b", "\u{e9}", "a\n"] {
        world.alice().refused("CreateKey", &[("ClientToken", token)], BAD);
    }
    let without = [world.alice().key(&[("ClientToken", "")]), world.alice().key(&[("ClientToken", "")])];
    assert_ne!(without[0], without[1], "an empty one is none");
}

#[test]
fn a_token_is_forgotten_after_a_day() {
    let world = World::new();
    let alice = world.alice();
    let first = alice.key(&[TOKEN]);
    world.advance(DAY - 1);
    assert_eq!((alice.key(&[TOKEN]), swept(&world)), (first.clone(), 0));
    world.advance(1);
    assert_eq!(remembered(&world), 2, "nobody has swept yet");
    let second = alice.key(&[TOKEN]);
    assert_ne!(second, first, "it is over on the second, swept or not");
    assert_eq!(alice.key(&[TOKEN]), second);
    // The sweep takes the first date and not the token that was used anew.
    assert_eq!((swept(&world), remembered(&world)), (1, 2));
    assert_eq!(alice.key(&[TOKEN]), second);
    world.advance(DAY);
    assert_eq!((swept(&world), remembered(&world), swept(&world)), (1, 0, 0));
    assert_ne!(alice.key(&[TOKEN]), second);
}

#[test]
fn many_tokens_are_swept_in_turns() {
    let world = World::new();
    for n in 0..130 {
        world.alice().key(&[("ClientToken", &format!("t{n}"))]);
    }
    world.advance(DAY);
    let late = world.alice().key(&[TOKEN]);
    let mut turns = Vec::new();
    while remembered(&world) > 2 {
        turns.push(swept(&world));
    }
    assert_eq!(turns, [50, 50, 30]);
    assert_eq!(swept(&world), 0);
    assert_eq!(world.alice().key(&[TOKEN]), late);
    world.store.faults().script_commits([Some(CommitFault::Conflict)]);
    world.advance(DAY);
    assert_eq!((swept(&world), swept(&world)), (0, 1), "a conflict waits for the next turn");
}

#[test]
fn accounts_and_regions_have_their_own() {
    let world = World::new();
    let places = [world.alice(), world.alice().at(SHANGHAI), world.bob(), world.bob().at(SHANGHAI)];
    let keys: Vec<_> = places.iter().map(|client| client.key(&[TOKEN])).collect();
    for (client, key) in places.iter().zip(&keys) {
        assert_eq!(client.key(&[TOKEN]), *key);
        assert_eq!(client.ok("ListKeys", &[])["TotalCount"], 1);
    }
}

/// What was refused, or did not happen, is not remembered.
#[test]
fn only_what_was_made_is_remembered() {
    let world = World::new();
    let alice = world.alice();
    alice.refused("CreateKey", &[("ProtectionLevel", "HSM"), TOKEN], "400 Unsupported.ProtectionLevel");
    world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
    alice.refused("CreateKey", &[TOKEN], "503 ServiceUnavailableTemporary");
    assert_eq!(remembered(&world), 0);
    let key = alice.key(&[TOKEN]);
    assert_eq!(keys(&world), 1);
    // A lost answer is what tokens are for.
    world.store.faults().script_commits([Some(CommitFault::UnknownWithEffect)]);
    let lost = [("ClientToken", "retry-2")];
    alice.refused("CreateKey", &lost, "503 ServiceUnavailableTemporary");
    let found = alice.key(&lost);
    assert_eq!((keys(&world), found != key), (json!(2), true));
    // A retry needs what the first call needed.
    alice.done("DisableKey", &[("KeyId", &key)]);
    let version = [("KeyId", key.as_str()), TOKEN];
    alice.refused("CreateKeyVersion", &version, "409 Rejected.Disabled");
}

/// Each call has its event; a retry's is no change.
#[test]
fn audit() {
    let world = World::new();
    let before = world.audit.len();
    let key = world.alice().key(&[TOKEN]);
    let commits = world.store.faults().commits();
    world.alice().key(&[TOKEN]);
    assert_eq!(world.store.faults().commits(), commits, "a retry writes nothing");
    let events = world.audit.events().split_off(before);
    assert_eq!(events.len(), 2);
    for (event, _) in &events {
        assert_eq!((&event["eventName"], &event["requestParameters"]), (&"CreateKey".into(), &json!({})));
        assert!(event.get("errorCode").is_none());
    }
    assert_eq!(events[0].0["referencedResources"]["ACS::KMS::Key"], json!([key]));
    assert!(!world.audit.text().contains(TOKEN.1));
    assert!(world.paths_with(TOKEN.1).is_empty(), "nor does the store show it");
}

#[test]
fn many_retries_at_once_make_one_key() {
    let world = Arc::new(World::new());
    for round in 0..10 {
        let token = format!("round-{round}");
        let start = Barrier::new(6);
        let mut made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let answer = world.alice().call("CreateKey", &[("ClientToken", &token)]);
                        assert_eq!(code_of(&answer), "200");
                        answer.unwrap()["KeyMetadata"].to_string()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        made.dedup();
        assert_eq!(made.len(), 1);
        assert_eq!(keys(&world), round + 1);
    }
}
