//! Calls that were throttled, counted together: the first of an account and action has an event at once, those that
//! follow within [`WINDOW_SECS`] have one together at its end.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jomae_api::{action::ActionSpec, error::Refusal, names::AccountId, time::Timestamp};

use super::{AuditSink, Durability, Event, Telling, call_event};
use crate::{
    call::{Call, new_request_id},
    error::Fault,
};

/// How long calls are counted before they are told, in seconds.
pub const WINDOW_SECS: i64 = 60;

/// What was counted and not yet told. At most one entry for each account and action.
#[derive(Default)]
pub struct Throttled(Mutex<HashMap<(AccountId, Option<&'static str>), Counted>>);

struct Counted {
    spec: Option<&'static ActionSpec>,
    /// The first call after the one that has an event of its own.
    first: Option<Call<'static>>,
    refusal: Refusal,
    count: u64,
    begun: Timestamp,
}

impl Throttled {
    /// Counts a call; gives its event if it is the first of its kind for a while.
    pub fn note(&self, spec: Option<&'static ActionSpec>, call: Call<'_>, refusal: Refusal) -> Option<Event> {
        let kind = (call.caller.account().clone(), spec.map(|spec| spec.name));
        let mut kinds = self.kinds();
        if let Some(counted) = kinds.get_mut(&kind) {
            counted.count += 1;
            counted.refusal = refusal;
            if counted.first.is_none() {
                counted.first = Some(call.into_owned());
            }
            return None;
        }
        let event = event(spec, &call.request_id, &call, refusal, 1);
        kinds.insert(kind, Counted { spec, first: None, refusal, count: 0, begun: call.now });
        Some(event)
    }

    /// Tells what was counted for long enough, or everything. Called every second, and at a stop.
    pub async fn tell(&self, audit: &dyn AuditSink, now: Timestamp, everything: bool) -> Result<(), Fault> {
        let over: Vec<Counted> = {
            let mut kinds = self.kinds();
            // A clock that was set back ends a window too.
            let is_over = |counted: &Counted| !(0..WINDOW_SECS).contains(&(now.0 - counted.begun.0));
            let over = kinds.extract_if(|_, counted| everything || is_over(counted));
            over.map(|(_, counted)| counted).collect()
        };
        for Counted { spec, first, refusal, count, .. } in over {
            let Some(first) = first else { continue };
            let event = event(spec, &new_request_id(), &first, refusal, count);
            audit.append(&event, Durability::Handed).done.wait().await.map_err(Fault::unavailable)?;
        }
        Ok(())
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<(AccountId, Option<&'static str>), Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(spec: Option<&ActionSpec>, id: &str, first: &Call<'_>, refusal: Refusal, count: u64) -> Event {
    call_event(spec, id, first, &Telling::Throttled { count, since: first.now }, Some(refusal))
}
