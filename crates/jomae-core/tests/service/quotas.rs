//! How many keys, aliases, users, groups, roles and policies an account may have.

use std::sync::Barrier;

use jomae_core::quota::Quotas;
use jomae_sim::block_on;

use crate::common::{Client, SHANGHAI, Setup, World, allow, code_of, trust};

const FULL: &str = "400 Rejected.LimitExceeded";

fn world(quotas: Quotas) -> World {
    World::with(Setup { quotas, ..Setup::default() })
}

fn create_keys(client: Client<'_>, count: usize) -> Vec<String> {
    (0..count).map(|_| client.key(&[])).collect()
}

#[test]
fn keys_are_counted_in_all_regions_until_they_are_destroyed() {
    let world = world(Quotas { keys: 3, ..Quotas::default() });
    let alice = world.alice();
    let keys = create_keys(alice, 2);
    alice.at(SHANGHAI).key(&[("KeySpec", "EC_P256"), ("KeyUsage", "SIGN/VERIFY")]);
    for client in [alice, alice.at(SHANGHAI)] {
        let before = world.dump();
        client.refused("CreateKey", &[], FULL);
        client.refused("CreateKey", &[("Origin", "EXTERNAL")], FULL);
        assert_eq!(world.dump(), before);
    }
    create_keys(world.bob(), 3);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &keys[0]), ("PendingWindowInDays", "7")]);
    alice.refused("CreateKey", &[], FULL);
    world.advance(7 * 86_400);
    block_on(world.service.do_due_work(jomae_api::time::Timestamp(world.now()))).unwrap();
    alice.refused("DescribeKey", &[("KeyId", &keys[0])], "404 Forbidden.KeyNotFound");
    alice.key(&[]);
    alice.refused("CreateKey", &[], FULL);
    // More may be had at once when the operator says so, and none goes when less may be.
    world.service.kms.quotas.set_quotas(Quotas { keys: 4, ..Quotas::default() });
    alice.key(&[]);
    world.service.kms.quotas.set_quotas(Quotas { keys: 1, ..Quotas::default() });
    alice.refused("CreateKey", &[], FULL);
    alice.describe(&keys[1]);
    world.service.kms.quotas.set_quotas(Quotas { keys: 0, ..Quotas::default() });
    create_keys(alice, 40);
}

#[test]
fn aliases_are_counted_until_they_or_their_key_go() {
    let world = world(Quotas { aliases: 2, ..Quotas::default() });
    let alice = world.alice();
    let keys = create_keys(alice, 2);
    let create = |name: &str, key: &str| code_of(&alice.call("CreateAlias", &[("AliasName", name), ("KeyId", key)]));
    assert_eq!(create("alias/a", &keys[0]), "200");
    assert_eq!(create("alias/b", &keys[0]), "200");
    assert_eq!(create("alias/c", &keys[0]), FULL);
    assert_eq!(create("alias/a", &keys[0]), "400 AliasAlreadyExists");
    alice.done("UpdateAlias", &[("AliasName", "alias/a"), ("KeyId", &keys[1])]);
    assert_eq!(create("alias/c", &keys[0]), FULL);
    alice.done("DeleteAlias", &[("AliasName", "alias/a")]);
    assert_eq!(create("alias/c", &keys[0]), "200");
    assert_eq!(create("alias/d", &keys[1]), FULL);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &keys[0]), ("PendingWindowInDays", "7")]);
    world.advance(7 * 86_400);
    block_on(world.service.do_due_work(jomae_api::time::Timestamp(world.now()))).unwrap();
    assert_eq!(create("alias/d", &keys[1]), "200");
    assert_eq!(create("alias/e", &keys[1]), "200");
    assert_eq!(create("alias/f", &keys[1]), FULL);
}

/// However many make keys at once, and delete aliases meanwhile, the quota holds to the last one.
#[test]
fn many_at_once() {
    const THREADS: usize = 16;
    const EACH: usize = 8;
    const QUOTA: u32 = 70;
    let world = world(Quotas { keys: QUOTA, aliases: QUOTA, ..Quotas::default() });
    let named = world.key();
    let start = Barrier::new(THREADS);
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (world, start, named) = (&world, &start, &named);
                scope.spawn(move || {
                    start.wait();
                    let mut made = (0, 0);
                    for turn in 0..EACH {
                        let key = code_of(&world.alice().call("CreateKey", &[]));
                        assert!(key == "200" || key == FULL, "{key}");
                        made.0 += u32::from(key == "200");
                        let name = format!("alias/{thread}-{turn}");
                        let params = [("AliasName", name.as_str()), ("KeyId", named)];
                        let alias = code_of(&world.alice().call("CreateAlias", &params));
                        assert!(alias == "200" || alias == FULL, "{alias}");
                        if alias == "200" {
                            world.alice().done("DeleteAlias", &params[..1]);
                            made.1 += u32::from(code_of(&world.alice().call("CreateAlias", &params)) == "200");
                        }
                    }
                    made
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let keys = 1 + made.iter().map(|(keys, _)| keys).sum::<u32>();
    assert_eq!(keys, QUOTA, "not one more, and not one less");
    assert_eq!(world.alice().ok("ListKeys", &[])["TotalCount"], QUOTA);
    let aliases = made.iter().map(|(_, aliases)| aliases).sum::<u32>();
    assert!(aliases <= QUOTA, "{aliases}");
    for number in aliases..QUOTA {
        world.alice().done("CreateAlias", &[("AliasName", &format!("alias/more-{number}")), ("KeyId", &named)]);
    }
    world.alice().refused("CreateAlias", &[("AliasName", "alias/last"), ("KeyId", &named)], FULL);
}

#[test]
fn quotas_of_ram_are_the_operators() {
    let quotas = Quotas { users: 1, groups: 1, roles: 1, policies: 1, ..Quotas::default() };
    let world = world(quotas);
    let alice = world.alice();
    let principal = format!("acs:ram::{}:root", world.alice.account);
    let policy = allow(&["kms:*"], "*");
    let creates = |name: &'static str| {
        [
            ("CreateUser", vec![("UserName", name.to_owned())], "409 LimitExceeded.User"),
            ("CreateGroup", vec![("GroupName", name.to_owned())], "409 LimitExceeded.Group"),
            (
                "CreateRole",
                vec![("RoleName", name.to_owned()), ("AssumeRolePolicyDocument", trust(&[&principal]))],
                "409 LimitExceeded.Role",
            ),
            (
                "CreatePolicy",
                vec![("PolicyName", name.to_owned()), ("PolicyDocument", policy.clone())],
                "409 LimitExceeded.Policy",
            ),
        ]
    };
    let call = |action: &str, params: &[(&str, String)]| {
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        code_of(&alice.call(action, &params))
    };
    for (action, params, _) in creates("one") {
        assert_eq!(call(action, &params), "200", "{action}");
    }
    for (action, params, full) in creates("two") {
        assert_eq!(call(action, &params), full, "{action}");
    }
    world.service.kms.quotas.set_quotas(Quotas { users: 0, groups: 0, roles: 0, policies: 0, ..quotas });
    for (action, params, _) in creates("two") {
        assert_eq!(call(action, &params), "200", "{action}");
    }
}
