//! Each sentence of the module's comment. What follows when nodes, store and clocks come together is simulated in
//! `jomae-sim`.

use super::*;

const SECOND: u64 = 1_000_000_000;
const TERM: u64 = 10 * SECOND;
const TIMING: Timing = Timing::of_secs(10);

fn at(steady_ns: u64) -> Now {
    let secs = i64::try_from(steady_ns / SECOND).unwrap();
    Now { steady_ns, wall_secs: 1_800_000_000 + secs }
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn record(incarnation: &str) -> NodeRecord {
    NodeRecord { beat: 1, ..NodeRecord::new(incarnation, format!("home of {incarnation}"), 10) }
}

/// The record of a node as it is committed at a moment.
fn beaten(incarnation: &str, applied: u64, now: Now) -> NodeRecord {
    NodeRecord { applied, wall_secs: now.wall_secs, ..record(incarnation) }
}

fn machine() -> Machine {
    Machine::new(name("a"), record("a1"), TIMING)
}

fn sees(machine: &mut Machine, who: &str, record: NodeRecord, revision: u64, now: Now) {
    machine.see(&name(who), Some((record, Revision(revision))), now);
    machine.applied(Revision(revision));
}

fn beat(machine: &mut Machine, now: Now) -> Option<(Option<Revision>, NodeRecord)> {
    machine.tick(now).into_iter().find_map(|step| match step {
        Step::Beat { expect, record } => Some((expect, record)),
        _ => None,
    })
}

fn fenced(machine: &mut Machine, now: Now) -> Vec<(String, Revision)> {
    let steps = machine.tick(now).into_iter();
    let fences = steps.filter_map(|step| match step {
        Step::Fence { node, expect } => Some((node.to_string(), expect)),
        _ => None,
    });
    fences.collect()
}

/// At which revision of the work lease it takes the work, if it does: 0 if there was none.
fn takes_work(machine: &mut Machine, now: Now) -> Option<u64> {
    machine.tick(now).into_iter().find_map(|step| match step {
        Step::Work { expect, .. } => Some(expect.map_or(0, |known| known.0)),
        _ => None,
    })
}

/// A machine whose first beat, sent at a moment, was committed with a revision and seen at once.
fn serving(sent: u64, revision: u64) -> Machine {
    let mut machine = machine();
    let (_, own) = beat(&mut machine, at(sent)).unwrap();
    sees(&mut machine, "a", own, revision, at(sent));
    machine
}

#[test]
fn it_serves_until_the_term_after_the_moment_before_the_beat_was_sent() {
    let mut machine = machine();
    assert_eq!(machine.serving(at(0)), Err(NotServing::NoLease));
    let (expect, own) = beat(&mut machine, at(SECOND)).unwrap();
    assert_eq!(expect, None);
    machine.beat_ended(own.beat, Sent::Maybe);
    assert_eq!(machine.serving(at(2 * SECOND)), Err(NotServing::NoLease), "sent and answered is not seen");
    sees(&mut machine, "a", own, 7, at(4 * SECOND));
    assert_eq!(machine.serving(at(4 * SECOND)), Ok(()));
    assert_eq!(machine.serving(at(SECOND + TERM - 1)), Ok(()));
    assert_eq!(machine.serving(at(SECOND + TERM)), Err(NotServing::NoLease));
}

#[test]
fn a_beat_requires_the_one_before() {
    let mut machine = serving(0, 7);
    let (expect, own) = beat(&mut machine, at(2 * SECOND)).unwrap();
    assert_eq!((expect, own.beat), (Some(Revision(7)), 3));
}

#[test]
fn a_beat_that_is_seen_too_late_gives_nothing() {
    let mut machine = machine();
    let (_, own) = beat(&mut machine, at(0)).unwrap();
    sees(&mut machine, "a", own, 7, at(TERM));
    assert_eq!(machine.serving(at(TERM)), Err(NotServing::NoLease));
}

#[test]
fn who_is_fenced_serves_no_more_and_begins_anew() {
    let mut machine = serving(0, 7);
    machine.see(&name("a"), None, at(SECOND));
    assert_eq!(machine.serving(at(SECOND)), Err(NotServing::NoLease));
    let (expect, _) = beat(&mut machine, at(2 * SECOND)).unwrap();
    assert_eq!(expect, None);
}

#[test]
fn a_beat_from_before_the_fence_gives_no_lease() {
    let mut machine = serving(0, 7);
    let (_, own) = beat(&mut machine, at(2 * SECOND)).unwrap();
    machine.see(&name("a"), None, at(3 * SECOND));
    sees(&mut machine, "a", own, 9, at(3 * SECOND));
    assert_eq!(machine.serving(at(3 * SECOND)), Err(NotServing::NoLease));
}

#[test]
fn who_is_silent_is_fenced_if_the_record_is_still_the_one_that_was_seen() {
    let mut machine = machine();
    sees(&mut machine, "b", beaten("b1", 1, at(0)), 5, at(SECOND));
    assert_eq!(fenced(&mut machine, at(SECOND + TIMING.silence_ns())), []);
    sees(&mut machine, "b", beaten("b1", 1, at(0)), 6, at(2 * SECOND));
    assert_eq!(fenced(&mut machine, at(2 * SECOND + TIMING.silence_ns())), []);
    assert_eq!(fenced(&mut machine, at(2 * SECOND + TIMING.silence_ns() + 1)), [("b".to_owned(), Revision(6))]);
    machine.see(&name("b"), None, at(20 * SECOND));
    assert_eq!(fenced(&mut machine, at(90 * SECOND)), []);
}

#[test]
fn every_beat_says_how_far_its_node_has_come() {
    let mut machine = serving(0, 7);
    machine.applied(Revision(12));
    machine.applied(Revision(11));
    let (_, own) = beat(&mut machine, at(2 * SECOND)).unwrap();
    assert_eq!(own.applied, 12);
}

#[test]
fn who_is_asked_beats_at_once() {
    let mut machine = serving(0, 7);
    assert_eq!(beat(&mut machine, at(SECOND)), None);
    machine.asked();
    assert!(beat(&mut machine, at(SECOND)).is_some());
    assert_eq!(beat(&mut machine, at(SECOND)), None, "asked once, said once");
    machine.asked();
    assert_eq!(beat(&mut machine, at(SECOND + 1)), None, "the last one is under way");
}

#[test]
fn a_barrier_is_passed_when_no_record_is_left_that_says_less() {
    let mut machine = serving(0, 7);
    sees(&mut machine, "b", beaten("b1", 3, at(0)), 8, at(0));
    sees(&mut machine, "c", beaten("c1", 10, at(0)), 9, at(0));
    assert!(!machine.is_passed(Revision(10)), "this node is not there");
    machine.applied(Revision(10));
    assert!(!machine.is_passed(Revision(10)));
    assert_eq!(machine.behind(Revision(10)), [&name("b")]);
    let mut told = beaten("b1", 10, at(0));
    sees(&mut machine, "b", told.clone(), 11, at(0));
    assert!(machine.is_passed(Revision(10)) && machine.behind(Revision(10)).is_empty());
    told.applied = 11;
    sees(&mut machine, "c", told, 12, at(0));
    assert!(!machine.is_passed(Revision(11)));
    machine.see(&name("b"), None, at(0));
    assert!(machine.is_passed(Revision(11)), "who has no lease any more is not waited for");
}

fn holds(machine: &mut Machine, by: &str, incarnation: &str, revision: u64) {
    let record = WorkRecord { node: name(by), incarnation: incarnation.to_owned() };
    machine.see_work(Some((record, Revision(revision))));
}

#[test]
fn the_work_lease_lasts_as_long_as_the_record_of_its_node() {
    let mut machine = machine();
    assert_eq!(takes_work(&mut machine, at(0)), None, "without a lease no work");
    let mut other = serving(0, 7);
    assert_eq!(takes_work(&mut other, at(0)), Some(0));
    sees(&mut other, "b", beaten("b1", 7, at(0)), 8, at(0));
    holds(&mut other, "b", "b1", 9);
    assert_eq!((takes_work(&mut other, at(0)), other.worker()), (None, Some(&name("b"))));
    sees(&mut other, "b", beaten("b2", 7, at(0)), 10, at(0));
    assert_eq!(takes_work(&mut other, at(0)), Some(9), "its holder is another process");
    holds(&mut other, "b", "b2", 11);
    other.see(&name("b"), None, at(0));
    assert_eq!((takes_work(&mut other, at(0)), other.worker()), (Some(11), None));
    assert!(!other.has_work(at(0)));
    holds(&mut other, "a", "a1", 12);
    assert!(other.has_work(at(0)) && !other.has_work(at(TERM)));
    assert_eq!(takes_work(&mut other, at(0)), None);
    holds(&mut other, "a", "a0", 13);
    assert!(!other.has_work(at(0)), "a former process had it");
}

#[test]
fn a_name_in_use_is_left_alone_until_its_node_is_silent() {
    let mut machine = machine();
    sees(&mut machine, "a", beaten("x", 1, at(0)), 5, at(0));
    assert_eq!(beat(&mut machine, at(TIMING.silence_ns())), None);
    assert_eq!(machine.serving(at(SECOND)), Err(NotServing::NameTaken));
    let (expect, _) = beat(&mut machine, at(TIMING.silence_ns() + 1)).unwrap();
    assert_eq!(expect, Some(Revision(5)));
    // Its own former process is gone, as the data directory is here.
    let mut machine = Machine::new(name("a"), record("a1"), TIMING);
    sees(&mut machine, "a", NodeRecord { incarnation: "a0".to_owned(), ..record("a1") }, 5, at(0));
    assert_eq!(beat(&mut machine, at(0)).unwrap().0, Some(Revision(5)));
}

#[test]
fn who_has_lost_the_name_serves_no_more() {
    let mut machine = serving(0, 7);
    sees(&mut machine, "a", beaten("x", 1, at(0)), 8, at(SECOND));
    assert_eq!(machine.serving(at(SECOND)), Err(NotServing::NameTaken));
}

#[test]
fn who_leaves_serves_nobody_and_takes_its_record_away() {
    let mut machine = serving(0, 7);
    assert_eq!(machine.leave(), Some(Step::Fence { node: name("a"), expect: Revision(7) }));
    assert_eq!(machine.serving(at(0)), Err(NotServing::Leaving));
    assert_eq!(beat(&mut machine, at(5 * SECOND)), None);
    assert_eq!(takes_work(&mut machine, at(5 * SECOND)), None);
    let mut other = Machine::new(name("a"), record("a1"), TIMING);
    sees(&mut other, "a", beaten("x", 1, at(0)), 5, at(0));
    assert_eq!(other.leave(), None, "the record of another process is not its own to take");
}

#[test]
fn the_clock_of_most_nodes_is_right() {
    let mut machine = serving(0, 7);
    let wrong = |now: Now| Now { wall_secs: now.wall_secs + CLOCKS_APART_SECS_MAX + 1, ..now };
    sees(&mut machine, "b", beaten("b1", 7, wrong(at(0))), 8, at(0));
    assert_eq!(machine.serving(at(0)), Ok(()), "of two nobody can say");
    assert_eq!(takes_work(&mut machine, at(0)), None, "but nobody works");
    sees(&mut machine, "c", beaten("c1", 7, at(0)), 9, at(0));
    holds(&mut machine, "b", "b1", 10);
    assert_eq!(machine.serving(at(0)), Ok(()));
    assert_eq!(takes_work(&mut machine, at(0)), Some(10), "from one whose clock is wrong");
    sees(&mut machine, "c", beaten("c1", 7, wrong(at(0))), 11, at(0));
    assert_eq!(machine.serving(at(0)), Err(NotServing::Clock));
    assert_eq!(takes_work(&mut machine, at(0)), None);
}

#[test]
fn the_oldest_node_says_which_form_is_written() {
    let mut machine = Machine::new(name("a"), NodeRecord { form: 3, ..record("a1") }, TIMING);
    assert_eq!(machine.common_form(), 3);
    sees(&mut machine, "b", NodeRecord { form: 2, ..record("b1") }, 5, at(0));
    assert_eq!(machine.common_form(), 2);
}

#[test]
fn the_silence_outlasts_the_term_on_the_slowest_clock() {
    // While the slowest clock counts the term, another counts this much.
    let slowest_permille = 1000 - TIMING.drift_permille;
    assert!(TIMING.silence_ns() * slowest_permille >= TERM * 1000);
    assert!((TIMING.silence_ns() - 1) * slowest_permille < TERM * 1000, "and no longer than needed");
}

/// The node that had the name may still wait for a barrier of a change that it has made.
#[test]
fn a_barrier_waits_for_the_process_that_has_taken_the_name() {
    let mut machine = serving(0, 7);
    sees(&mut machine, "a", beaten("x", 8, at(TERM)), 8, at(TERM));
    machine.applied(Revision(12));
    assert!(!machine.is_passed(Revision(12)));
    assert_eq!(machine.behind(Revision(12)), [&name("a")]);
}

#[test]
fn who_works_notices_at_once_that_its_own_clock_has_jumped() {
    let mut machine = serving(0, 7);
    sees(&mut machine, "b", beaten("b1", 7, at(0)), 8, at(0));
    sees(&mut machine, "c", beaten("c1", 7, at(0)), 9, at(0));
    holds(&mut machine, "a", "a1", 10);
    let later = at(SECOND);
    assert!(machine.has_work(later));
    let jumped = Now { wall_secs: later.wall_secs + 3600, ..later };
    assert!(!machine.has_work(jumped));
    assert_eq!(machine.serving(jumped), Err(NotServing::Clock));
}

#[test]
fn time_that_has_passed_since_a_beat_is_no_difference_of_clocks() {
    let mut machine = Machine::new(name("a"), record("a1"), Timing::of_secs(1000));
    let (_, own) = beat(&mut machine, at(0)).unwrap();
    sees(&mut machine, "a", own, 7, at(0));
    sees(&mut machine, "b", beaten("b1", 7, at(0)), 8, at(0));
    sees(&mut machine, "c", beaten("c1", 7, at(0)), 9, at(0));
    assert_eq!(machine.serving(at(200 * SECOND)), Ok(()));
}

#[test]
fn what_a_resync_tells_again_is_no_sign_of_life() {
    let mut machine = machine();
    sees(&mut machine, "b", beaten("b1", 1, at(0)), 5, at(0));
    sees(&mut machine, "b", beaten("b1", 1, at(0)), 5, at(8 * SECOND));
    assert_eq!(fenced(&mut machine, at(TIMING.silence_ns() + 1)).len(), 1);
}

#[test]
fn a_beat_whose_fate_is_not_known_costs_no_lease() {
    let mut machine = serving(0, 7);
    let (_, lost) = beat(&mut machine, at(2 * SECOND)).unwrap();
    machine.beat_ended(lost.beat, Sent::Maybe);
    let (expect, next) = beat(&mut machine, at(4 * SECOND)).unwrap();
    assert_eq!((expect, next.beat), (Some(Revision(7)), lost.beat + 1), "only one of the two can get through");
    sees(&mut machine, "a", next, 8, at(4 * SECOND));
    assert_eq!(machine.lease_until_ns(), 4 * SECOND + TERM);
    machine.asked();
    assert!(beat(&mut machine, at(4 * SECOND + 1)).is_some());
}

#[test]
fn of_two_beats_under_way_the_one_that_comes_gives_the_lease_from_when_it_was_sent() {
    let mut machine = serving(0, 7);
    let (_, slow) = beat(&mut machine, at(2 * SECOND)).unwrap();
    beat(&mut machine, at(4 * SECOND)).unwrap();
    sees(&mut machine, "a", slow, 8, at(5 * SECOND));
    assert_eq!(machine.lease_until_ns(), 2 * SECOND + TERM);
}

#[test]
fn a_node_whose_watch_stands_gets_no_beat_through() {
    let mut machine = serving(0, 7);
    let expected: Vec<_> = (1..60).filter_map(|tick| beat(&mut machine, at(tick * SECOND))).map(|it| it.0).collect();
    assert!(expected.len() > 20 && expected.iter().all(|expect| *expect == Some(Revision(7))));
    assert_eq!(machine.serving(at(TERM)), Err(NotServing::NoLease));
}

/// To which form it raises the floor, over which record of it, and under which work lease.
fn raises(machine: &mut Machine, now: Now) -> Option<(Option<Revision>, Revision, u32)> {
    machine.tick(now).into_iter().find_map(|step| match step {
        Step::Form { expect, work, form } => Some((expect, work, form)),
        _ => None,
    })
}

#[test]
fn the_floor_is_raised_by_the_worker_when_all_can_read_more() {
    let mut machine = Machine::new(name("a"), NodeRecord { form: 3, ..record("a1") }, TIMING);
    let (_, own) = beat(&mut machine, at(0)).unwrap();
    sees(&mut machine, "a", own, 1, at(0));
    assert_eq!((raises(&mut machine, at(0)), machine.form()), (None, 1), "the work is nobody's");
    machine.see_work(Some((WorkRecord { node: name("a"), incarnation: "a1".to_owned() }, Revision(2))));
    sees(&mut machine, "b", NodeRecord { form: 1, ..beaten("b1", 1, at(0)) }, 3, at(0));
    assert_eq!(raises(&mut machine, at(0)), None, "b reads no more");
    assert_eq!(machine.oldest(), Some((&name("b"), 1)));
    sees(&mut machine, "b", NodeRecord { form: 2, ..beaten("b2", 1, at(0)) }, 4, at(0));
    assert_eq!(raises(&mut machine, at(0)), Some((None, Revision(2), 2)));
    assert_eq!(machine.form(), 1, "not before it is seen");
    machine.see_form(Some((2, Revision(5))));
    assert_eq!((raises(&mut machine, at(0)), machine.form()), (None, 2));
    machine.see(&name("b"), None, at(0));
    assert_eq!(raises(&mut machine, at(0)), Some((Some(Revision(5)), Revision(2), 3)), "who is gone holds nobody back");
}

#[test]
fn who_cannot_read_what_the_floor_allows_does_not_serve() {
    let mut machine = serving(0, 1);
    machine.see_form(Some((form::NEWEST, Revision(2))));
    assert_eq!(machine.serving(at(0)), Ok(()));
    machine.see_form(Some((form::NEWEST + 1, Revision(3))));
    assert_eq!(machine.serving(at(0)), Err(NotServing::Form));
    assert!(!machine.has_work(at(0)) && machine.form() == form::NEWEST);
}
