//! Whom the service tells of itself.

use jomae_api::time::Timestamp;
use jomae_core::{host::Operators, operator};
use jomae_sim::block_on;
use serde_json::json;

use crate::common::{World, allow, region};

#[test]
fn the_service_tells_of_itself_to_accounts_that_are_named_and_to_those_there_who_may() {
    let world = World::new();
    let alice = world.alice();
    assert_eq!(alice.ok("DescribeServer", &[])["Version"], json!("test"));
    let may = alice.user_with("may", &allow(&["kms:DescribeServer"], "*"));
    alice.with(&may).ok("DescribeServer", &[]);
    let may_not = alice.user_with("may-not", &allow(&["kms:ListKeys"], "*"));
    alice.with(&may_not).refused("DescribeServer", &[], "403 Forbidden.NoPermission");

    // The account itself, and whoever has all of its rights.
    let bob = world.bob();
    bob.refused("DescribeServer", &[], "403 Forbidden.NotOperator");
    let admin = bob.user_with("admin", &allow(&["*"], "*"));
    bob.with(&admin).refused("DescribeServer", &[], "403 Forbidden.NotOperator");
    let events = world.audit.events();
    let (event, _) = events.last().unwrap();
    assert_eq!((&event["eventName"], &event["errorCode"]), (&json!("DescribeServer"), &json!("Forbidden.NotOperator")));
}

/// A role of an account that is named is of that account, whoever has assumed it.
#[test]
fn a_role_of_the_operator_may_be_given_to_others() {
    let world = World::new();
    let (alice, bob) = (world.alice(), world.bob());
    let bobs = format!("acs:ram::{}:root", world.bob.account);
    let role = alice.role_with("watch", &crate::common::trust(&[&bobs]), &allow(&["kms:DescribeServer"], "*"));
    let watcher = bob.user_with("watcher", &allow(&["sts:AssumeRole"], "*"));
    let session = bob.with(&watcher).assume(&role, &[]);
    bob.with(&session).ok("DescribeServer", &[]);
}

#[test]
fn the_only_account_is_so_until_there_is_another() {
    let world = World::new();
    let vault = &world.service.kms.vault;
    let the_only = Operators { accounts: Vec::new(), the_only: true };
    let includes = |account| the_only.include(&vault.reading(), account).unwrap();
    assert!(!includes(&world.alice.account) && !includes(&world.bob.account), "there are two");
    let (hangzhou, now) = (region("cn-hangzhou"), Timestamp(world.now()));
    block_on(operator::set_account_disabled(vault, &hangzhou, &world.bob.account, true, now)).unwrap();
    assert!(!includes(&world.alice.account), "a disabled account is there still");
    block_on(operator::delete_account(vault, &hangzhou, &world.bob.account, now)).unwrap();
    assert!(includes(&world.alice.account) && !includes(&world.bob.account));
    assert!(!Operators::default().include(&vault.reading(), &world.alice.account).unwrap(), "nobody by default");
}
