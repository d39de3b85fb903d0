//! What one account, or one stranger, may take of what all share.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use jomae_api::{
    actions::ACTIONS,
    names::AccountId,
    time::Timestamp,
    wire::{Header, Request},
};
use jomae_core::{
    audit::throttled::WINDOW_SECS,
    lane::Lane,
    rate::RateLimits,
    service::{Arrival, Limits},
    shares::Meter,
    wait::{Abandonment, Effort, Job, Pool},
};
use jomae_sim::block_on;

use crate::common::{Setup, World, code_of};

fn world(limits: Limits) -> World {
    World::with(Setup { limits, ..Setup::default() })
}

/// One management call a second.
fn slow_world() -> World {
    let rates = RateLimits { management_per_sec: Some(1), ..RateLimits::default() };
    world(Limits { rates, ..Limits::default() })
}

#[test]
fn throttled_calls_are_counted_together_and_their_parameters_are_not_kept() {
    let world = slow_world();
    world.alice().ok("ListKeys", &[]);
    let before = world.audit.len();
    let long = "d".repeat(8000);
    let params = [("Description", long.as_str())];
    for _ in 0..50 {
        let answer = code_of(&world.alice().call("CreateKey", &params));
        assert!(answer.contains("Throttling"), "{answer}");
    }
    // Another action of the same account is told of by itself.
    assert!(code_of(&world.alice().call("ListAliases", &[])).contains("Throttling"));
    let told = world.audit.events().split_off(before);
    assert_eq!(told.len(), 2);
    let (first, _) = &told[0];
    assert_eq!((&first["eventName"], &first["requestParameters"]), (&"CreateKey".into(), &serde_json::Value::Null));
    assert_eq!(first["additionalEventData"]["throttledCalls"], 1);
    let tell = |everything| {
        let now = Timestamp(world.now());
        block_on(world.service.throttled.tell(&*world.audit, now, everything)).unwrap();
        world.audit.events().split_off(before + 2)
    };
    assert_eq!(tell(false).len(), 0, "the window is not over");
    world.advance(WINDOW_SECS);
    let told = tell(false);
    assert_eq!(told.len(), 1);
    let (rest, _) = &told[0];
    assert_eq!((&rest["eventName"], &rest["errorCode"]), (&first["eventName"], &first["errorCode"]));
    assert_eq!(rest["additionalEventData"]["throttledCalls"], 49);
    assert_eq!(rest["userIdentity"], first["userIdentity"]);
    assert!(rest.to_string().len() < 1500, "no parameters");
    assert_eq!(tell(true).len(), 1, "told once");
}

#[test]
fn a_throttled_call_leaves_no_nonce_behind() {
    let world = slow_world();
    world.alice().ok("ListKeys", &[]);
    let nonces = world.service.authenticator.nonces.len();
    for _ in 0..20 {
        assert!(code_of(&world.alice().call("ListKeys", &[])).contains("Throttling"));
    }
    for _ in 0..20 {
        assert!(code_of(&world.alice().call("NoSuchAction", &[])).contains("Throttling"), "whatever is called");
    }
    assert_eq!(world.service.authenticator.nonces.len(), nonces);
}

#[test]
fn one_account_does_not_fill_the_memory_of_nonces() {
    let world = world(Limits { nonces_max: 90, ..Limits::default() });
    let taken = (0..200).filter(|_| world.alice().call("ListKeys", &[]).is_ok()).count();
    assert_eq!(taken, 80);
    for _ in 0..5 {
        world.bob().ok("ListKeys", &[]);
    }
    world.advance(3000);
    world.alice().ok("ListKeys", &[]);
}

/// Takes jobs and does none.
#[derive(Default)]
struct Stuck(Mutex<Vec<Box<dyn Job>>>);

impl Pool for Stuck {
    fn run(&self, _: Effort, _: &AccountId, job: Box<dyn Job>) {
        self.0.lock().unwrap().push(job);
    }
}

#[test]
fn a_call_that_was_given_up_leaves_nothing_and_its_work_is_not_done() {
    let mut world = World::new();
    let stuck = Arc::new(Stuck::default());
    world.service.kms.pool = stuck.clone();
    let key =
        world.alice().ok("CreateKey", &[("Origin", "EXTERNAL")])["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let (events, rows) = (world.audit.len(), world.dump());
    let params =
        [("KeyId", key.as_str()), ("WrappingKeySpec", "RSA_2048"), ("WrappingAlgorithm", "RSAES_OAEP_SHA_256")];
    let signed = world.alice().signed("GetParametersForImport", &params, "once");
    let headers: Vec<_> = signed.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let request = Request { method: "POST", path: "/", query: &signed.query, headers: &headers, body: &signed.body };
    let (abandonment, meter) = (Abandonment::possible(), Meter::default());
    meter.add(1_000_000_000);
    {
        let now = Timestamp(world.now());
        let arrival = Arrival {
            source_ip: "198.51.100.7",
            now,
            steady_ns: 0,
            abandonment: &abandonment,
            lane: &Lane::default(),
            meter: &meter,
        };
        let mut answer = pin!(world.service.answer(&request, arrival));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(answer.as_mut().poll(&mut cx), Poll::Pending));
        assert_eq!(world.service.shares.in_flight(), 1);
        assert!(stuck.0.lock().unwrap()[0].is_wanted());
        assert!(abandonment.give_up());
    }
    drop(meter);
    let share = world.service.shares.of(&world.alice.account);
    assert!((0..ACTIONS.len()).any(|action| share.is_costly(action)), "it is charged all the same");
    assert!(!stuck.0.lock().unwrap()[0].is_wanted());
    assert_eq!(world.service.shares.in_flight(), 0);
    assert_eq!((world.audit.len(), world.dump()), (events, rows));
}

#[test]
fn calls_under_way_have_an_end() {
    let world = world(Limits { calls_in_flight_max: 2, ..Limits::default() });
    let share = world.service.shares.of(&world.alice.account);
    let held = world.service.shares.enter(&share).unwrap();
    assert!(code_of(&world.alice().call("ListKeys", &[])).contains("Throttling"));
    world.bob().ok("ListKeys", &[]);
    drop(held);
    world.alice().ok("ListKeys", &[]);
}
