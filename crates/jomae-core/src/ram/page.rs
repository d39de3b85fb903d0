//! Pages of lists that are sorted by name.

use jomae_api::actions::ram::listing::{Listing, marker_after};

use super::scan;
use crate::prelude::*;

/// Some rows of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// `Marker` of the next page; none at the end.
    pub marker: Option<String>,
}

/// A page of the names that stand under a prefix in the store.
pub fn names(tx: &Tx<'_>, prefix: &str, listing: &Listing) -> Result<Page<String>, Fault> {
    let (rows, is_truncated) = scan::names(tx, prefix, listing.after.as_deref(), listing.rows_max)?;
    let marker = rows.last().filter(|_| is_truncated).map(|name| marker_after(name));
    Ok(Page { rows, marker })
}
/// A page of rows that are all at hand, each with its name, in any order.
pub fn slice<T>(mut rows: Vec<(String, T)>, listing: &Listing) -> Page<T> {
    rows.retain(|(name, _)| listing.after.as_ref().is_none_or(|after| name > after));
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let is_truncated = rows.len() > listing.rows_max;
    rows.truncate(listing.rows_max);
    let marker = rows.last().filter(|_| is_truncated).map(|(name, _)| marker_after(name));
    Page { rows: rows.into_iter().map(|(_, row)| row).collect(), marker }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_join_to_the_whole(names in prop::collection::btree_set("[a-z]{1,3}", 0..40), rows_max in 1..50usize) {
            let rows: Vec<(String, String)> = names.iter().rev().map(|name| (name.clone(), name.clone())).collect();
            let mut joined: Vec<String> = Vec::new();
            loop {
                let page = slice(rows.clone(), &Listing { after: joined.last().cloned(), rows_max });
                prop_assert!(page.rows.len() <= rows_max);
                joined.extend(page.rows);
                let more = joined.len() < names.len();
                prop_assert_eq!(page.marker.clone(), joined.last().filter(|_| more).map(|name| marker_after(name)));
                if !more {
                    break;
                }
            }
            prop_assert_eq!(joined, names.into_iter().collect::<Vec<_>>());
        }
    }
}
