//! SIGKILL under load, again and again, on one data directory: what was answered is true, and nothing is half done.
//!
//! `JOMAE_CRASH_ROUNDS` sets the number of kills (default 100); the log that each is held against grows with them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod audit;
mod load;
mod log;
mod model;
mod people;
mod verify;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jomae_tests::{Site, calls, cli, random};
use tokio::task::JoinSet;

use audit::AuditTrail;
use load::Calls;
use log::Log;
use model::Lane;

const ROUNDS: u64 = 100;
const LANES: usize = 8;
/// Every key of the whole run is looked at each time so many rounds are over.
const FULL_CHECK_EVERY: u64 = 20;
/// Longest time from the start of the load to the kill.
const LOAD_MS_MAX: u64 = 130;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_every_kill() {
    let rounds = std::env::var("JOMAE_CRASH_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    let site = Site::default();
    let mut lanes: Vec<Lane> = (0..LANES).map(|_| Lane::default()).collect();
    let mut trail = AuditTrail::new(&site.data());
    let mut unanswered = Unanswered::default();
    let (mut answered, mut killed_in_call) = (0, 0);
    let mut server = site.start();
    let log = Log::new(&site);
    for round in 1..=rounds {
        let calls = Arc::new(Calls::new(&server));
        let mut tasks = JoinSet::new();
        for lane in lanes.drain(..) {
            tasks.spawn(load::run(Arc::clone(&calls), lane, round));
        }
        tokio::time::sleep(Duration::from_micros(random::below(LOAD_MS_MAX * 1000))).await;
        server.kill();
        lanes = tasks.join_all().await;
        answered += calls.count();
        killed_in_call += lanes.iter().filter(|lane| lane.pending.is_some()).count();
        trail.expect(calls.take_answered());
        log.keep_checkpoint();
        let all = round % FULL_CHECK_EVERY == 0 || round == rounds;
        if all {
            // What a kill leaves can be verified as it is.
            log.verify();
        }

        server = site.start();
        trail.check();
        log.verify();
        let calls = Arc::new(Calls::new(&server));
        unanswered.add(verify::settle(&calls, &mut lanes, &trail, round).await);
        let mut tasks = JoinSet::new();
        for lane in lanes.drain(..) {
            tasks.spawn(verify::lane(Arc::clone(&calls), lane, (!all).then_some(round)));
        }
        lanes = tasks.join_all().await;
        verify::totals(&calls, &lanes).await;
        trail.expect(calls.take_answered());
        if all {
            log.prove_consistency();
            for lane in &lanes {
                lane.people.compare_events(&trail);
            }
        }
    }
    assert_eq!(server.stop(), Some(0));
    trail.check();
    let verified = log.verify();
    assert!(!verified.text().contains("not yet covered"), "a stop leaves a checkpoint of all: {}", verified.text());
    let changes: u64 = lanes.iter().map(|lane| lane.people.changes()).sum();
    assert_eq!(trail.changes_of_people(), changes, "changes of people in the log and in the model");
    let data = site.data();
    let examined = cli::jomae(&["doctor", "--data-dir", data.to_str().unwrap()]).ok();
    assert!(!examined.text().contains("WRONG"), "{}", examined.text());
    let keys: usize = lanes.iter().map(|lane| lane.keys.len()).sum();
    println!(
        "{rounds} kills, {answered} calls answered, {killed_in_call} changes under way when killed ({} of them were \
         done), {keys} keys, {changes} changes of people, {} audit events",
        unanswered.done,
        trail.len()
    );
    assert_eq!(unanswered.without_event, 0, "changes without an audit event");
    assert!(answered > rounds && killed_in_call > 0, "the kills did not meet a server at work");
}

/// What became of changes whose callers got no answer.
#[derive(Clone, Copy, Default)]
struct Unanswered {
    done: usize,
    without_event: usize,
}

impl Unanswered {
    fn add(&mut self, other: Self) {
        self.done += other.done;
        self.without_event += other.without_event;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_is_killed_is_finished_by_the_next_one() {
    let began = Instant::now();
    drop(Site::default().start());
    let start_us = u64::try_from(began.elapsed().as_micros()).unwrap();
    for _ in 0..40 {
        let site = Site::default();
        for _ in 0..=random::below(2) {
            site.launch().start_and_kill_after(Duration::from_micros(random::below(start_us)));
        }
        let mut running = site.start();
        let client = running.client();
        let key = calls::create_key(&client, "first").await;
        let blob = calls::encrypt(&client, &key, "aGVsbG8=").await;
        running.kill();
        let running = site.start();
        assert_eq!(calls::decrypt(&running.client(), &blob).await, "aGVsbG8=");
    }
}
