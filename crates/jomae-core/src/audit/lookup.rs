//! Looking up recorded events: what is asked, and what is found.

use jomae_api::{
    actions::trail::lookup_events::{Attribute, Direction},
    names::AccountId,
    time::Timestamp,
};

/// Which events are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What was found, in the order of the log or its reverse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Each as its line stands in the log, without the newline.
    pub events: Vec<String>,
    /// Number of the last event of the page, if more follow.
    pub next: Option<u64>,
}
