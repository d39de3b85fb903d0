//! The audit trail: looking up what was recorded.

mod lookup_events;
