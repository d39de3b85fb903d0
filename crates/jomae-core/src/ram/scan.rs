//! What stands under a prefix, beyond what one scan returns.

use crate::{
    prelude::*,
    store::{Path, SCAN_LIMIT_MAX},
};

/// What follows `prefix` in up to `rows_max` paths that come after `prefix` and `after`, in their order; and whether
/// there are more.
pub fn names(tx: &Tx<'_>, prefix: &str, after: Option<&str>, rows_max: usize) -> Result<(Vec<String>, bool), Fault> {
    let mut last = after.map(|after| format!("{prefix}{after}"));
    let mut names = Vec::new();
    while names.len() <= rows_max {
        let paths = tx.paths(prefix, last.as_deref(), rows_max + 1 - names.len())?;
        let Some(end) = paths.last() else { break };
        last = Some(end.as_str().to_owned());
        names.extend(paths.iter().filter_map(|path| path.as_str().strip_prefix(prefix)).map(str::to_owned));
    }
    let more = names.len() > rows_max;
    names.truncate(rows_max);
    Ok((names, more))
}

/// How many paths start with `prefix`.
pub fn count(tx: &Tx<'_>, prefix: &str) -> Result<u32, Fault> {
    let (mut count, mut last): (usize, Option<Path>) = (0, None);
    loop {
        let paths = tx.paths(prefix, last.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
        count += paths.len();
        match paths.last() {
            Some(end) if paths.len() == SCAN_LIMIT_MAX => last = Some(end.clone()),
            _ => return u32::try_from(count).map_err(Fault::internal),
        }
    }
}
