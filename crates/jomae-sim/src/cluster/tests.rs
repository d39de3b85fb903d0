//! A run that goes wrong names its seed: `JOMAE_CLUSTER_SEED=7 cargo test -p jomae-sim one_seed -- --nocapture` tells
//! what happens in it. `JOMAE_CLUSTER_SECONDS=600` plays new seeds for as long.

use std::{
    num::NonZero,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::*;

const SEEDS: u64 = 1000;

/// Plays the seeds on every processor until one goes wrong or `until` has come. Gives what has happened, and in how
/// many runs.
fn play(seeds: Range<u64>, until: Option<Instant>) -> Result<(Happened, u64), String> {
    let next = AtomicU64::new(seeds.start);
    let one_thread = || {
        let (mut happened, mut runs) = (Happened::default(), 0);
        while until.is_none_or(|until| Instant::now() < until) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let more = run(seed, None, false).map_err(|violation| format!("JOMAE_CLUSTER_SEED={seed}: {violation}"))?;
            happened.add(more);
            runs += 1;
        }
        Ok::<_, String>((happened, runs))
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..thread::available_parallelism().map_or(1, NonZero::get)).map(|_| scope.spawn(one_thread)).collect();
        let (mut happened, mut runs) = (Happened::default(), 0);
        for thread in threads {
            let (more, played): (Happened, u64) = thread.join().unwrap()?;
            happened.add(more);
            runs += played;
        }
        Ok((happened, runs))
    })
}

#[test]
fn nothing_goes_wrong_whatever_goes_wrong() {
    let begun = Instant::now();
    let (happened, runs) = play(0..SEEDS, None).unwrap();
    println!("{runs} runs, {:?}: {happened:?}", begun.elapsed());
    // There was enough to check.
    let Happened { used, refused, revoked, in_doubt, fenced, took_over, done, confirmed, unknown, .. } = happened;
    for often in [used, refused, revoked, fenced, took_over, done, confirmed, unknown] {
        assert!(often > runs, "{happened:?}");
    }
    for sometimes in [in_doubt, happened.resynced, happened.rivals, happened.conflicts, happened.upgraded] {
        assert!(sometimes > runs / 10, "{happened:?}");
    }
    assert!(happened.too_old > 0, "{happened:?}");
    assert!(happened.counted > runs, "{happened:?}");
}

#[test]
fn nothing_goes_wrong_for_as_long_as_one_likes() {
    let Ok(secs) = std::env::var("JOMAE_CLUSTER_SECONDS") else { return };
    let until = Instant::now() + Duration::from_secs(secs.parse().unwrap());
    let first = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() << 32;
    println!("{:?}", play(first..u64::MAX, Some(until)).unwrap());
}

#[test]
fn one_seed_is_told() {
    let Ok(seed) = std::env::var("JOMAE_CLUSTER_SEED") else { return };
    println!("{:?}", run(seed.parse().unwrap(), None, true).unwrap());
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..3 {
        assert_eq!(run(seed, None, false), run(seed, None, false));
    }
}

/// Some run with the mistake goes wrong, and says so in these words.
fn finds(bug: Bug, seeds_max: u64, words: &[&str]) {
    let found = (0..seeds_max).find_map(|seed| Some((seed, run(seed, Some(bug), false).err()?)));
    let (seed, violation) = found.unwrap_or_else(|| panic!("{bug:?} was not found in {seeds_max} runs"));
    println!("{bug:?}, seed {seed}: {violation}");
    assert!(words.iter().any(|words| violation.contains(words)), "{violation}");
}

const USED: &str = "used key";
const FENCED: &str = "was fenced while it served";
const TWINS: &str = "serve under one name";

#[test]
fn a_lease_without_the_drift_is_found() {
    finds(Bug::NoDriftAllowed, 200, &[USED, FENCED, TWINS]);
}

#[test]
fn a_lease_from_when_the_beat_was_seen_is_found() {
    finds(Bug::LeaseFromSeen, 500, &[USED, FENCED, TWINS]);
}

#[test]
fn a_barrier_that_forgets_a_node_is_found() {
    finds(Bug::ForgetfulBarrier, 100, &[USED]);
}

#[test]
fn a_barrier_that_forgets_who_has_taken_the_name_is_found() {
    finds(Bug::NameForgotten, 5000, &[USED]);
}

#[test]
fn beats_that_do_not_wait_for_the_watch_are_found() {
    finds(Bug::BeatsAnyway, 2000, &["its barrier"]);
}

#[test]
fn a_resync_of_two_moments_is_found() {
    finds(Bug::MixedResync, 100, &[USED, "what was never true at once"]);
}

#[test]
fn work_that_does_not_compare_the_work_lease_is_found() {
    finds(Bug::WorkUncompared, 500, &["was done in another"]);
}

#[test]
fn a_fence_without_its_condition_is_found() {
    finds(Bug::FenceUnconditional, 100, &[USED, FENCED]);
}

#[test]
fn a_floor_above_what_a_node_reads_is_found() {
    finds(Bug::FormTooSoon, 100, &["shuts out"]);
}

#[test]
fn a_node_that_ignores_the_floor_is_found() {
    finds(Bug::FormIgnored, 500, &["reads form 1 and met"]);
}

const TELLS: &str = "the hash over all records tells";

/// Every run in which the store goes back goes wrong by it, and there are many.
fn always_finds(how: Rollback, seeds: u64) {
    let mut found = 0;
    for seed in 0..seeds {
        match run(seed, Some(Bug::Rollback(how)), false) {
            Ok(happened) => assert_eq!(happened.overlooked, 0, "{how:?} was not found, seed {seed}"),
            Err(violation) => {
                assert!(violation.contains(TELLS), "seed {seed}: {violation}");
                found += 1;
            }
        }
    }
    println!("{how:?}: found in {found} runs of {seeds}");
    assert!(found > seeds / 2, "{how:?} happened in {found} runs of {seeds}");
}

#[test]
fn a_record_that_is_set_back_is_always_found() {
    always_finds(Rollback::SetBack, 40);
}

#[test]
fn a_record_that_is_removed_is_always_found() {
    always_finds(Rollback::Removed, 40);
}

#[test]
fn an_older_store_beneath_running_nodes_is_always_found() {
    always_finds(Rollback::Older, 40);
}

#[test]
fn an_older_store_beneath_stopped_nodes_is_found() {
    finds(Bug::Rollback(Rollback::OlderAtRest), 20, &[TELLS]);
}

#[test]
fn a_commit_that_is_undone_with_its_part_of_the_hash_is_found() {
    finds(Bug::Rollback(Rollback::Undone), 20, &[TELLS]);
}
