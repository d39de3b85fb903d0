//! Looking up recorded events: what is asked, and what is found.

use jomae_api::{
    actions::trail::{
        Positions,
        lookup_events::{Attribute, Direction},
    },
    names::AccountId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{cluster::record::NodeName, error::Fault, store::BoxFuture, tx::Vault};

/// Which events are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// An account sees the events of its own principals, and those of others that were about what it owns.
    pub account: AccountId,
    /// First second of the range.
    pub from: Timestamp,
    /// Last second of the range.
    pub to: Timestamp,
    /// All must match exactly.
    pub attributes: Vec<(Attribute, String)>,
    pub direction: Direction,
    /// Most events of a page.
    pub limit: usize,
    /// Number of the event behind which the page begins, in the direction of the look-up.
    pub after: Option<u64>,
}

/// What was found in one log, in its order or the reverse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub events: Vec<Found>,
    /// Whether more follow.
    pub more: bool,
}

/// One event that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its number in the log.
    pub number: u64,
    /// Its line as it stands in the log, without the newline.
    pub line: String,
}

/// The logs of the other nodes of a cluster.
pub trait OtherLogs: Send + Sync {
    /// Asks all that the cluster knows of at the same time, and waits for a bounded time. A fault if it cannot be told which there are.
    fn lookup<'a>(
        &'a self,
        vault: &'a Vault,
        query: &'a Query,
        after: &'a Positions,
    ) -> BoxFuture<'a, Result<Vec<OtherLog>, Fault>>;
}

/// What one of them says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherLog {
    pub node: NodeName,
    pub page: Result<Page, Unanswered>,
}

/// The log of a node that did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// How many events it had, as the store knows.
    pub events: u64,
}

/// One page of several logs, each with its name: as many events as a page has, by time, each log in its own order. Where
/// the next page begins in each, if there is one.
pub fn merge(
    (direction, limit): (Direction, usize),
    before: &Positions,
    logs: Vec<(String, Page)>,
) -> (Vec<String>, Option<Positions>) {
    let mut after = before.clone();
    let mut more = logs.iter().any(|(_, page)| page.more);
    // A log that is alone has its order already.
    let is_alone = logs.len() == 1;
    let timed = |found: Found| (if is_alone { String::new() } else { time(&found.line).to_owned() }, found);
    let mut rest: Vec<_> =
        logs.into_iter().map(|(name, page)| (name, page.events.into_iter().map(timed).peekable())).collect();
    let mut events = Vec::new();
    loop {
        let heads = rest.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, (_, events))| events.peek().map(|(time, _)| (time, at)));
        let first = match direction {
            Direction::Forward => heads.min(),
            Direction::Backward => heads.max(),
        };
        let Some(at) = first.map(|(_, at)| at) else { break };
        if events.len() >= limit {
            more = true;
            break;
        }
        let next = rest.get_mut(at).and_then(|(name, events)| Some((&*name, events.next()?)));
        let Some((name, (_, found))) = next else { break };
        after.set(name, found.number);
        events.push(found.line);
    }
    (events, more.then_some(after))
}

/// When an event happened, as it stands there: texts of this form are in the order of their moments.
fn time(line: &str) -> &str {
    #[derive(Deserialize)]
    struct Timed<'e> {
        #[serde(rename = "eventTime", borrow)]
        time: &'e str,
    }
    serde_json::from_str::<Timed<'_>>(line).map_or("", |event| event.time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(number: u64, secs: i64, log: usize) -> Found {
        let time = Timestamp(1_800_000_000 + secs);
        Found { number, line: format!("{{\"eventTime\":\"{time}\",\"is\":\"{log}/{number}\"}}") }
    }

    /// One page after another, each log asked as a node would ask it; the second log does not answer for some pages.
    fn all_pages(direction: Direction, logs: &[Vec<Found>], limit: usize, silent_pages: usize) -> Vec<String> {
        let (mut events, mut after) = (Vec::new(), Positions::default());
        for page in 0.. {
            let asked = logs.iter().enumerate().filter(|(log, _)| *log != 1 || page >= silent_pages);
            let pages = asked.map(|(log, all)| {
                let name = format!("n{log}");
                let behind = |found: &&Found| match (after.of(&name), direction) {
                    (None, _) => true,
                    (Some(after), Direction::Forward) => found.number > after,
                    (Some(after), Direction::Backward) => found.number < after,
                };
                let mut rest: Vec<Found> = all.iter().filter(behind).cloned().collect();
                if direction == Direction::Backward {
                    rest.reverse();
                }
                let more = rest.len() > limit;
                rest.truncate(limit);
                (name, Page { events: rest, more })
            });
            let (lines, next) = merge((direction, limit), &after, pages.collect());
            assert!(lines.len() <= limit);
            events.extend(lines);
            match next {
                Some(next) => after = next,
                None if page + 1 < silent_pages => {}
                None => return events,
            }
        }
        events
    }

    fn logs() -> impl Strategy<Value = Vec<Vec<Found>>> {
        let log = proptest::collection::vec(0..4i64, 0..12);
        proptest::collection::vec(log, 1..5).prop_map(|logs| {
            let of = |(log, pauses): (usize, Vec<i64>)| {
                let mut secs = 0;
                let next = |(number, pause): (u64, i64)| {
                    secs += pause;
                    found(number, secs, log)
                };
                (0..).zip(pauses).map(next).collect()
            };
            logs.into_iter().enumerate().map(of).collect()
        })
    }

    proptest! {
        #[test]
        fn pages_of_several_logs_are_by_time_and_have_each_event_once(logs in logs(), limit in 1..6usize, forward: bool) {
            let direction = if forward { Direction::Forward } else { Direction::Backward };
            let seen = all_pages(direction, &logs, limit, 0);
            let times: Vec<&str> = seen.iter().map(|line| time(line)).collect();
            let in_order = if forward { times.is_sorted() } else { times.iter().rev().is_sorted() };
            prop_assert!(in_order, "{seen:?}");
            let sorted = |mut lines: Vec<String>| { lines.sort(); lines };
            let all = logs.iter().flatten().map(|found| found.line.clone()).collect();
            prop_assert_eq!(sorted(seen), sorted(all));
        }

        #[test]
        fn what_a_silent_log_has_comes_later_and_not_never(logs in logs(), limit in 1..6usize) {
            let seen = all_pages(Direction::Forward, &logs, limit, 1);
            let of_others = logs.iter().enumerate().filter(|(log, _)| *log != 1).map(|(_, log)| log.len()).sum::<usize>();
            // It is asked with the second page, if there is one.
            let is_asked = of_others > limit;
            let answered = logs.iter().enumerate().filter(|(log, _)| *log != 1 || is_asked).flat_map(|(_, log)| log);
            let mut expected: Vec<&str> = answered.map(|found| found.line.as_str()).collect();
            let mut seen: Vec<&str> = seen.iter().map(String::as_str).collect();
            expected.sort_unstable();
            seen.sort_unstable();
            prop_assert_eq!(seen, expected);
        }
    }
}
