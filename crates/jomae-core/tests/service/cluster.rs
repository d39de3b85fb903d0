//! Several nodes over one store: who answers, what a revocation waits for, what is done once.

use std::{
    pin::pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use jomae_api::actions::trail::Positions;
use jomae_core::{
    audit::{
        Found, Page, Query,
        lookup::{OtherLog, OtherLogs, Unanswered},
    },
    cluster::{
        Cluster, Confirmed,
        machine::NotServing,
        record::{self, NodeName},
    },
    error::Fault,
    form::{self, FormRecord},
    store::{BoxFuture, Store as _},
    tx::Vault,
};
use jomae_sim::block_on;
use serde_json::{Value, json};

use crate::common::{HELLO, TestClock, World, allow, code_of};

const SECOND: u64 = 1_000_000_000;

fn cluster(world: &World) -> &Cluster {
    world.service.kms.vault.cluster().unwrap()
}

fn tick(world: &World) {
    block_on(cluster(world).tick()).unwrap();
}

fn pass(clock: &TestClock, secs: u64) {
    clock.steady_ns.fetch_add(secs * SECOND, Ordering::SeqCst);
}

/// Two nodes that serve, each with a clock, and the world that made their accounts.
fn pair() -> (World, [(World, Arc<TestClock>); 2]) {
    let first = World::new();
    let nodes = ["a", "b"].map(|name| {
        let clock = Arc::new(TestClock::default());
        let node = first.node(name, &clock);
        // The lease, then perhaps the work.
        tick(&node);
        tick(&node);
        assert_eq!(cluster(&node).serving(), Ok(()));
        (node, clock)
    });
    (first, nodes)
}

/// Runs a call while the nodes do what their servers would.
fn while_ticking<T: Send>(nodes: &[&World], call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let calling = scope.spawn(call);
        while !calling.is_finished() {
            for node in nodes {
                tick(node);
            }
            thread::yield_now();
        }
        calling.join().unwrap()
    })
}

fn is_pending<T>(future: impl Future<Output = T>) -> bool {
    matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

#[test]
fn a_node_without_a_lease_answers_nobody() {
    let first = World::new();
    let clock = Arc::new(TestClock::default());
    let node = first.node("a", &clock);
    let key = first.key();
    let encrypt = [("KeyId", key.as_str()), ("Plaintext", HELLO)];
    let refused = |node: &World| {
        let reply = node.alice().reply("Encrypt", &encrypt);
        assert_eq!((reply.status, reply.retry_after_ms), (503, Some(1000)));
    };
    refused(&node);
    tick(&node);
    node.alice().ok("Encrypt", &encrypt);
    // Up to the term, and no longer, whatever happens elsewhere.
    pass(&clock, 9);
    node.alice().ok("Encrypt", &encrypt);
    pass(&clock, 1);
    refused(&node);
    tick(&node);
    node.alice().ok("Encrypt", &encrypt);
    block_on(cluster(&node).leave()).unwrap();
    refused(&node);
    assert_eq!(cluster(&node).serving(), Err(NotServing::Leaving));
    assert!(node.paths_with(record::NODES).is_empty());
}

#[test]
fn a_revocation_is_answered_when_it_holds_everywhere() {
    let (_, [(a, clock), (b, _)]) = pair();
    let key = a.key();
    assert!(clock.confirmed.lock().unwrap().is_empty(), "to make something takes nothing away");
    let disabled = while_ticking(&[&a, &b], || a.alice().reply("DisableKey", &[("KeyId", &key)]).status);
    assert_eq!(disabled, 200);
    assert!(matches!(clock.confirmed.lock().unwrap()[..], [Confirmed::Everywhere { .. }]));
    b.alice().refused("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], "409 Rejected.Disabled");
    let (event, _) = a.audit.events().pop().unwrap();
    assert_eq!(event["eventName"], "DisableKey");
    assert!(event["additionalEventData"]["barrierMilliseconds"].is_u64(), "{event}");
}

#[test]
fn a_barrier_waits_for_the_last_node_or_for_its_lease_to_end() {
    let (_, [(a, of_a), (b, of_b)]) = pair();
    let key = a.key();
    a.edit_nothing();
    let revision = a.store.revision().unwrap();
    assert!(is_pending(cluster(&a).confirmed(revision)), "b has said nothing yet");
    tick(&b);
    // A marker asks for a word; without one it comes with the next beat.
    pass(&of_b, 2);
    tick(&b);
    assert!(!is_pending(cluster(&a).confirmed(revision)));
    // b stands still: its lease ends, a removes it, and nothing is waited for any more.
    a.edit_nothing();
    let revision = a.store.revision().unwrap();
    assert!(is_pending(cluster(&a).confirmed(revision)));
    for _ in 0..12 {
        pass(&of_a, 1);
        tick(&a);
    }
    assert!(!is_pending(cluster(&a).confirmed(revision)));
    assert!(!a.paths_with("sys/cluster/node/").iter().any(|path| path.ends_with("/b")));
    // What b did not hear of, it does not serve.
    pass(&of_b, 12);
    assert_eq!(b.alice().reply("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]).status, 503);
}

/// Who is told that it is in doubt finds the change made, and its event in the log.
#[test]
fn a_change_that_not_everybody_confirms_is_in_doubt() {
    let (_, [(a, clock), (b, _)]) = pair();
    let key = a.key();
    let status = thread::scope(|scope| {
        let calling = scope.spawn(|| a.alice().reply("DisableKey", &[("KeyId", &key)]).status);
        while !calling.is_finished() {
            thread::yield_now();
            // b lives on, and never says how far it is.
            if !a.paths_with("sys/cluster/barrier/a").is_empty() {
                pass(&clock, 1);
                cluster(&a).expire();
            }
        }
        calling.join().unwrap()
    });
    assert_eq!(status, 503);
    assert_eq!(*clock.confirmed.lock().unwrap(), [Confirmed::InDoubt]);
    let (event, _) = a.audit.events().pop().unwrap();
    assert_eq!((&event["eventName"], &event["errorCode"]), (&json!("DisableKey"), &json!(null)));
    assert_eq!(b.state_of(&key), "Disabled");
}

#[test]
fn a_change_is_made_once_in_all() {
    let (_, [(a, _), (b, _)]) = pair();
    let key = a.key();
    let alias = [("AliasName", "alias/once"), ("KeyId", key.as_str())];
    let seen = a.alice().signed("CreateAlias", &alias, "seen");
    assert_eq!(a.alice().reply_to(&seen, "POST").status, 200);
    let gone = while_ticking(&[&a, &b], || a.alice().reply("DeleteAlias", &[("AliasName", "alias/once")]).status);
    assert_eq!(gone, 200);
    assert_eq!(b.alice().reply_to(&seen, "POST").outcome.refusal, Some(jomae_api::error::Refusal::NonceUsed));
    // Also one that would change nothing.
    let enable = a.alice().signed("EnableKey", &[("KeyId", &key)], "enable");
    let enabled = while_ticking(&[&a, &b], || a.alice().reply_to(&enable, "POST").status);
    assert_eq!(enabled, 200);
    assert_eq!(b.alice().reply_to(&enable, "POST").outcome.refusal, Some(jomae_api::error::Refusal::NonceUsed));
    assert_eq!(a.paths_with("sys/nonce/").len(), 4);
    let now = jomae_api::time::Timestamp(a.now() + 901);
    assert_eq!(block_on(jomae_core::cluster::nonces::sweep(&a.service.kms.vault, now)).unwrap(), 4);
    assert!(a.paths_with("sys/nonce/").is_empty());
}

#[test]
fn work_is_done_by_one_node_and_not_finished_by_one_that_was_held_up() {
    let (_, [(a, of_a), (b, of_b)]) = pair();
    assert!(cluster(&a).has_work() && !cluster(&b).has_work());
    let key = a.key();
    let schedule = [("KeyId", key.as_str()), ("PendingWindowInDays", "7")];
    assert_eq!(while_ticking(&[&a, &b], || a.alice().reply("ScheduleKeyDeletion", &schedule).status), 200);
    let later = a.now() + 8 * 86_400;
    let now = jomae_api::time::Timestamp(later);
    assert_eq!(block_on(b.service.do_due_work(now)).unwrap(), 0, "it is not b's");
    // a has begun and stands still until b has taken over.
    let begun = a.service.kms.vault.working().unwrap();
    for _ in 0..12 {
        pass(&of_b, 1);
        tick(&b);
    }
    assert!(cluster(&b).has_work());
    let mut begun = begun;
    begun.delete_whatever(jomae_core::store::Path::new("sys/due/anything"));
    assert_eq!(block_on(begun.commit()).unwrap(), jomae_core::tx::CommitOutcome::Conflict);
    assert!(a.service.kms.vault.working().is_err());
    pass(&of_a, 12);
    assert_eq!(block_on(a.service.do_due_work(now)).unwrap(), 0);
    assert_eq!(block_on(b.service.do_due_work(now)).unwrap(), 1);
    assert!(b.record(&key).is_none());
}

#[test]
fn who_joins_sees_everybody_and_a_record_that_cannot_be_read_is_not_passed_over() {
    let (first, [(a, _), (b, _)]) = pair();
    for n in 0..600 {
        first.overwrite(&format!("sys/cluster/barrier/x{n}"), Some(vec![1]));
    }
    let clock = Arc::new(TestClock::default());
    let late = first.node("late", &clock);
    assert_eq!(cluster(&late).members().len(), 2);
    assert!(cluster(&late).unreadable().is_none());
    tick(&late);
    first.overwrite("sys/cluster/node/odd", Some(vec![1, 2, 3]));
    assert!(cluster(&a).unreadable().is_some_and(|why| why.contains("sys/cluster/node/odd")));
    let revision = a.store.revision().unwrap();
    assert!(is_pending(cluster(&late).confirmed(revision)));
    first.overwrite("sys/cluster/node/odd", None);
    assert!(cluster(&a).unreadable().is_none());
    assert_eq!(cluster(&b).members().len(), 3);
    assert_eq!(cluster(&b).name(), &NodeName::new("b").unwrap());
}

/// What was made on one node can be used on the other at once, credentials included.
#[test]
fn what_is_new_is_known_everywhere() {
    let (_, [(a, _), (b, _)]) = pair();
    let key = a.key();
    let user = while_ticking(&[&a, &b], || a.alice().user_with("ann", &allow(&["kms:Encrypt"], "*")));
    assert_eq!(code_of(&b.alice().with(&user).call("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)])), "200");
}

impl World {
    /// A commit that changes nothing of anybody's.
    fn edit_nothing(&self) {
        self.overwrite("sys/cluster/barrier/x", Some(vec![1]));
    }

    fn state_of(&self, key: &str) -> String {
        format!("{:?}", self.record(key).unwrap().state)
    }
}

/// Who is told that a key is disabled already relies on it as much as the one who has disabled it.
#[test]
fn what_is_so_already_is_answered_when_it_is_so_everywhere() {
    let (_, [(a, clock), (b, _)]) = pair();
    let key = a.key();
    assert_eq!(while_ticking(&[&a, &b], || a.alice().reply("DisableKey", &[("KeyId", &key)]).status), 200);
    assert_eq!(while_ticking(&[&a, &b], || a.alice().reply("DisableKey", &[("KeyId", &key)]).status), 200);
    assert_eq!(clock.confirmed.lock().unwrap().len(), 2);
}

/// Another node with two events, and one that does not answer.
struct Others(Mutex<Vec<Option<u64>>>);

impl OtherLogs for Others {
    fn lookup<'a>(
        &'a self,
        _: &'a Vault,
        query: &'a Query,
        after: &'a Positions,
    ) -> BoxFuture<'a, Result<Vec<OtherLog>, Fault>> {
        self.0.lock().unwrap().push(after.of("n2"));
        let behind = after.of("n2").map_or(0, |after| after + 1);
        let line = |number| format!("{{\"eventTime\":\"2000-01-01T00:00:0{number}Z\",\"is\":\"n2/{number}\"}}");
        let mut rest = (behind..2).map(|number| Found { number, line: line(number) });
        let events: Vec<Found> = rest.by_ref().take(query.limit).collect();
        let page = Page { events, more: rest.next().is_some() };
        let node = |name| NodeName::new(name).unwrap();
        let answers = vec![
            OtherLog { node: node("n2"), page: Ok(page) },
            OtherLog { node: node("n3"), page: Err(Unanswered { events: 77 }) },
        ];
        Box::pin(std::future::ready(Ok(answers)))
    }
}

#[test]
fn the_logs_of_all_nodes_are_asked() {
    let (_, [(mut world, _), _]) = pair();
    let others = Arc::new(Others(Mutex::default()));
    world.service.kms.other_logs = Some(others.clone());
    world.alice().ok("ListKeys", &[]);
    let (direction, one) = (("Direction", "FORWARD"), ("MaxResults", "1"));
    let mut seen: Vec<Value> = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..3 {
        let mut params = vec![direction, one];
        params.extend(token.as_deref().map(|token| ("NextToken", token)));
        let page = world.alice().ok("LookupEvents", &params);
        assert_eq!(page["UnansweredNodes"], serde_json::json!([{"Node": "n3", "Events": 77}]));
        seen.extend(page["Events"].as_array().unwrap().iter().cloned());
        token = page["NextToken"].as_str().map(str::to_owned);
    }
    assert_eq!((&seen[0]["is"], &seen[1]["is"]), (&"n2/0".into(), &"n2/1".into()));
    assert_eq!(seen[2]["eventName"], "ListKeys");
    assert_eq!(*others.0.lock().unwrap(), [None, Some(0), Some(1)]);
}

#[test]
fn nothing_is_written_that_another_node_cannot_read_and_who_cannot_read_it_stops() {
    let (_, [(one, _), (other, _)]) = pair();
    for node in [&one, &other] {
        assert!(cluster(node).may_write(form::OLDEST).is_ok());
        let refused = cluster(node).may_write(form::OLDEST + 1).unwrap_err().to_string();
        assert!(refused.contains("until every node can read them"), "{refused}");
    }
    // As the worker of a newer version does once it has seen no older node.
    let mut tx = one.service.kms.vault.writing();
    tx.put(form::path(), &FormRecord { form: form::NEWEST + 1 }).unwrap();
    block_on(tx.commit()).unwrap();
    for node in [&one, &other] {
        assert_eq!(cluster(node).serving(), Err(NotServing::Form));
        node.alice().refused("ListKeys", &[], "503 ServiceUnavailableTemporary");
    }
}
