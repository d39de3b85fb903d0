//! The newest events, and what comes after them.

use std::{collections::VecDeque, path::Path, time::Duration};

use jomae_api::time::Timestamp;
use jomae_client::api::Client;
use jomae_log::{
    Lines,
    layout::{self, Segment},
};
use jomae_server::gateway;
use serde_json::Value;

use super::events::{Events, page, pages};
use crate::{
    args::{Remote, Show},
    connect::{access_key_id, block_on, client},
    output::Failure,
};

/// How often the service is asked for new events.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often files are looked at for new events.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How far a follower looks back: an event may come into the log later than others of its second, in seconds.
const OVERLAP_SECS: i64 = 2;
/// Most events that are shown of the past, and remembered as shown.
const EVENTS_MAX: usize = 10_000;

/// Of the caller's account, through the service.
pub fn of_account(remote: &Remote, follow: bool, count: usize) -> Result<(), Failure> {
    let client = client(&remote.connection)?;
    block_on(async {
        let mut seen = last(&client, count.min(EVENTS_MAX), follow).await?;
        seen.reverse();
        let past = seen.len().saturating_sub(count);
        let mut shown = Events::new(&remote.show);
        seen.iter().skip(past).try_for_each(|event| shown.show(event))?;
        if follow { follow_account(shown, &client, &seen).await } else { Ok(()) }
    })
}

async fn follow_account(mut events: Events<'_>, client: &Client, seen: &[Value]) -> Result<(), Failure> {
    let own = access_key_id()?;
    let mut shown: VecDeque<String> = seen.iter().map(id).collect();
    let mut since = seen.last().and_then(moment).unwrap_or_else(gateway::now);
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let from = Timestamp(since.0.saturating_sub(OVERLAP_SECS));
        let until = gateway::now().max(from);
        let params = [
            ("Direction", "FORWARD".to_owned()),
            ("MaxResults", "50".to_owned()),
            ("StartTime", from.to_string()),
            ("EndTime", until.to_string()),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value));
        pages(client, &params, &mut |event| {
            since = moment(event).unwrap_or(since).max(since);
            let id = id(event);
            if shown.contains(&id) {
                return Ok(());
            }
            shown.push_back(id);
            if shown.len() > EVENTS_MAX {
                shown.pop_front();
            }
            // The look-ups of this very command would show themselves for ever.
            let is_own = event.get("eventName").is_some_and(|name| name == "LookupEvents")
                && event.pointer("/userIdentity/accessKeyId").is_some_and(|key| *key == *own);
            if is_own { Ok(()) } else { events.show(event) }
        })
        .await?;
    }
}

fn id(event: &Value) -> String {
    event.get("eventId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn moment(event: &Value) -> Option<Timestamp> {
    Timestamp::parse(event.get("eventTime")?.as_str()?)
}

/// The last events, the newest first: at least `count`, and for a follower all those that it would look at again.
async fn last(client: &Client, count: usize, follow: bool) -> Result<Vec<Value>, Failure> {
    let params = [("MaxResults".to_owned(), if follow { 50 } else { count.clamp(1, 50) }.to_string())];
    let (mut all, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let (events, next) = page(client, &params, token.as_deref()).await?;
        all.extend(events);
        let secs = |event: Option<&Value>| event.and_then(moment).map_or(0, |moment| moment.0);
        let overlaps = follow && secs(all.last()) >= secs(all.first()) - OVERLAP_SECS;
        match next {
            Some(next) if all.len() < count || (overlaps && all.len() < EVENTS_MAX) => token = Some(next),
            _ => break,
        }
    }
    if !follow {
        all.truncate(count);
    }
    Ok(all)
}

/// Of all accounts, from the files.
pub fn of_files(show: &Show, dir: &Path, follow: bool, count: usize) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{}: {error}", dir.display()));
    let mut newest: VecDeque<String> = VecDeque::new();
    let segments = layout::segments(dir).map_err(failed)?;
    let mut position = None;
    for segment in segments.iter().rev() {
        let (lines, bytes) = last_lines(segment, count.min(EVENTS_MAX) - newest.len().min(count)).map_err(failed)?;
        position.get_or_insert_with(|| Position { segment: segment.clone(), bytes });
        for line in lines.into_iter().rev() {
            newest.push_front(line);
        }
        if newest.len() >= count.min(EVENTS_MAX) {
            break;
        }
    }
    let mut events = Events::new(show);
    newest.iter().try_for_each(|line| show_line(&mut events, line))?;
    if follow {
        loop {
            std::thread::sleep(LOOK_EVERY);
            read_on(dir, &mut position, &mut |line| show_line(&mut events, line))?;
        }
    }
    Ok(())
}

fn show_line(events: &mut Events<'_>, line: &str) -> Result<(), Failure> {
    // A line that is no JSON is damage, which is for `verify` to tell.
    serde_json::from_str::<Value>(line).map_or(Ok(()), |event| events.show(&event))
}

/// How far a file has been read.
struct Position {
    segment: Segment,
    bytes: u64,
}

/// The last lines of a file, and how many bytes its whole lines have.
fn last_lines(segment: &Segment, count: usize) -> std::io::Result<(VecDeque<String>, u64)> {
    let (mut lines, mut kept) = (Lines::open(&segment.path)?, VecDeque::new());
    while let Some(line) = lines.next_line()? {
        kept.push_back(String::from_utf8_lossy(line).into_owned());
        if kept.len() > count {
            kept.pop_front();
        }
    }
    Ok((kept, lines.offset()))
}

/// Reads what has come since, in this file and in those after it.
fn read_on(
    dir: &Path,
    position: &mut Option<Position>,
    each: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{}: {error}", dir.display()));
    // A file that has a successor gets no more lines: the list is made before the last look at it.
    let segments = layout::segments(dir).map_err(failed)?;
    if position.is_none() {
        *position = segments.first().map(|segment| Position { segment: segment.clone(), bytes: 0 });
    }
    while let Some(at) = position {
        let mut lines = Lines::open_at(&at.segment.path, at.bytes).map_err(failed)?;
        while let Some(line) = lines.next_line().map_err(failed)? {
            each(&String::from_utf8_lossy(line))?;
        }
        at.bytes = lines.offset();
        // By its number: it may have been compressed meanwhile.
        let current = segments.iter().position(|segment| segment.first == at.segment.first);
        match current.and_then(|current| segments.get(current + 1)) {
            Some(next) => *position = Some(Position { segment: next.clone(), bytes: 0 }),
            None => return Ok(()),
        }
    }
    Ok(())
}
