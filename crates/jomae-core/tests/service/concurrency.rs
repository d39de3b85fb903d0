//! Many threads at once. No test depends on time: what must hold holds in every order.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ScopedJoinHandle},
};

use jomae_api::actions::metadata::KeyState;
use jomae_core::record::{Job, path};

use crate::common::{HELLO, Setup, Subject, World, code_of};

/// Once `DisableKey` is answered nobody can use the key, and once `EnableKey` is answered everybody can, whoever had it
/// in memory. The epoch is even while the key is known to be enabled, and odd while it is known to be disabled.
#[test]
fn a_key_is_off_when_the_answer_says_so() {
    // With a cache that holds everything, and one that hardly holds anything.
    for cache_entries_max in [10_000, 1] {
        let world = World::with(Setup { cache_entries_max, ..Setup::default() });
        let subject = Subject::new(&world, KeyState::Enabled);
        let (epoch, changing, done) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let sure = AtomicU64::new(0);
        thread::scope(|scope| {
            let users = ["Encrypt", "Decrypt", "GenerateDataKey"].map(|action| {
                let (world, subject) = (&world, &subject);
                let (epoch, changing, done, sure) = (&epoch, &changing, &done, &sure);
                scope.spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        let before = epoch.load(Ordering::SeqCst);
                        let quiet = !changing.load(Ordering::SeqCst);
                        let answer = code_of(&world.alice().call(action, &subject.params(action)));
                        assert!(["200", "409 Rejected.Disabled"].contains(&answer.as_str()), "{answer}");
                        let quiet = quiet && !changing.load(Ordering::SeqCst);
                        if quiet && epoch.load(Ordering::SeqCst) == before {
                            assert_eq!(answer == "200", before % 2 == 0, "{action} in epoch {before}");
                            sure.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            });
            for round in 1..=300u64 {
                let action = if round % 2 == 1 { "DisableKey" } else { "EnableKey" };
                changing.store(true, Ordering::SeqCst);
                world.alice().done(action, &[("KeyId", &subject.key)]);
                epoch.store(round, Ordering::SeqCst);
                changing.store(false, Ordering::SeqCst);
                // Our own next call sees it too.
                let answer = world.alice().call("Encrypt", &[("KeyId", &subject.key), ("Plaintext", HELLO)]);
                assert_eq!(code_of(&answer) == "200", round % 2 == 0);
            }
            let enough = sure.load(Ordering::SeqCst) + 10;
            while sure.load(Ordering::SeqCst) < enough && !users.iter().any(ScopedJoinHandle::is_finished) {
                thread::yield_now();
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn one_of_many_gets_the_name() {
    let world = World::new();
    let keys: Vec<_> = (0..8).map(|_| world.key()).collect();
    for round in 0..20 {
        let name = format!("alias/n{round}");
        let start = Barrier::new(keys.len());
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = keys
                .iter()
                .map(|key| {
                    let (world, name, start) = (&world, &name, &start);
                    scope.spawn(move || {
                        start.wait();
                        code_of(&world.alice().call("CreateAlias", &[("AliasName", name), ("KeyId", key)]))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer == "200" || answer == "400 AliasAlreadyExists"), "{answers:?}");
        let winner = answers.iter().position(|answer| answer == "200").unwrap();
        assert_eq!(world.alice().describe(&name)["KeyId"], keys[winner]);
    }
    assert_names_agree(&world);
}

/// All changes of RAM count in one record of their account. However many come at once, none loses until it gives up.
#[test]
fn many_changes_of_one_account_at_once_are_all_made() {
    let world = World::new();
    world.store.slow.store(true, Ordering::Relaxed);
    let start = Barrier::new(80);
    let answers: Vec<String> = thread::scope(|scope| {
        let create = |n| {
            let (world, start) = (&world, &start);
            move || {
                start.wait();
                code_of(&world.alice().call("CreateUser", &[("UserName", &format!("u{n}"))]))
            }
        };
        let threads: Vec<_> = (0..80).map(|n| scope.spawn(create(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer == "200"), "{answers:?}");
}

/// Every alias stands in both of its places, and nowhere else.
fn assert_names_agree(world: &World) {
    let rows = world.dump();
    let pieces = |path: &str| path.splitn(5, '/').map(str::to_owned).collect::<Vec<_>>();
    let mut by_name: Vec<_> = Vec::new();
    let mut by_key: Vec<_> = Vec::new();
    for path in rows.keys().filter(|path| path.starts_with("a/")) {
        let pieces = pieces(path);
        match pieces[3].as_str() {
            "alias" => {
                let key = world.alice().describe(&format!("alias/{}", pieces[4]))["KeyId"].clone();
                by_name.push(format!("{}/{}", key.as_str().unwrap(), pieces[4]));
            }
            "alias-of" => by_key.push(pieces[4].clone()),
            _ => {}
        }
    }
    by_name.sort_unstable();
    by_key.sort_unstable();
    assert_eq!(by_name, by_key);
}

/// Everything at once on a few keys and names; afterwards the records fit together.
#[test]
fn whatever_happens_the_records_fit_together() {
    let world = World::new();
    let keys: Vec<_> =
        (0..3).map(|_| world.alice().key(&[("EnableAutomaticRotation", "true"), ("RotationInterval", "7d")])).collect();
    thread::scope(|scope| {
        for worker in 0..4u32 {
            let (world, keys) = (&world, &keys);
            scope.spawn(move || {
                let mut seed = worker;
                for _ in 0..150 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let key = ("KeyId", keys[(seed >> 8) as usize % keys.len()].as_str());
                    let name = format!("alias/n{}", (seed >> 16) % 4);
                    let alias = ("AliasName", name.as_str());
                    let answer = match (seed >> 24) % 9 {
                        0 => world.alice().call("DisableKey", &[key]),
                        1 => world.alice().call("EnableKey", &[key]),
                        2 => world.alice().call("ScheduleKeyDeletion", &[key, ("PendingWindowInDays", "7")]),
                        3 => world.alice().call("CancelKeyDeletion", &[key]),
                        4 => world.alice().call("CreateAlias", &[key, alias]),
                        5 => world.alice().call("UpdateAlias", &[key, alias]),
                        6 => world.alice().call("DeleteAlias", &[alias]),
                        7 => world.alice().call("GenerateDataKey", &[key]),
                        _ => world.alice().call("UpdateKeyDescription", &[key, ("Description", &name)]),
                    };
                    if let Err((status, code)) = answer {
                        assert!([400, 404, 409].contains(&status), "{status} {code}");
                    }
                }
            });
        }
    });
    assert_names_agree(&world);
    let mut due = Vec::new();
    for key in &keys {
        let (place, record) = (world.place(key), world.record(key).unwrap());
        assert_eq!(record.delete_at.is_some(), record.state == KeyState::PendingDeletion);
        due.extend(record.delete_at.map(|at| path::due(at, Job::Destroy, &place).to_string()));
        due.push(path::due(record.next_rotation_date().unwrap().0, Job::Rotate, &place).to_string());
    }
    due.sort_unstable();
    assert_eq!(world.paths_with("sys/due/"), due);
}

#[test]
fn one_of_many_replays_is_answered() {
    let world = World::new();
    for round in 0..20 {
        let signed = world.alice().signed("CreateKey", &[], &format!("same-{round}"));
        let start = Barrier::new(4);
        let accepted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        usize::from(world.alice().reply_to(&signed, "POST").status == 200)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(accepted, 1);
    }
    assert_eq!(world.alice().ok("ListKeys", &[])["TotalCount"], 20);
}

#[test]
fn lists_count_what_others_make() {
    let world = World::new();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..100 {
                    world.key();
                }
            });
        }
        let mut last = 0;
        while last < 300 {
            let answer = world.alice().ok("ListKeys", &[("PageSize", "100")]);
            let total = answer["TotalCount"].as_u64().unwrap();
            assert!(total >= last, "a count never shrinks while keys are only made");
            last = total;
        }
    });
    assert_eq!(world.alice().ok("ListKeys", &[])["TotalCount"], 300);
}
