//! The full check, for `jomae doctor`.

use std::path::Path;

use jomae_core::store::StoreError;
use rusqlite::Connection;

use super::{
    file::{self, OpenError},
    rows,
};

/// Problems after which a check stops looking.
const PROBLEMS_MAX: usize = 100;

/// What a full check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Readable records.
    pub records: u64,
    /// Bytes of their paths and values.
    pub bytes: u64,
    /// One line each, at most 100; empty if all is well.
    pub problems: Vec<String>,
}

/// Reads the whole file at `path`, which may be in use by a server, by SQLite's own `integrity_check` and by this
/// store's rules. Changes nothing. Takes time in proportion to the file.
///
/// # Errors
/// Only if the file cannot be opened as a store at all; everything else is a problem in the report.
pub fn check_file(path: &Path) -> Result<CheckReport, OpenError> {
    let (connection, _) = file::open_existing(path)?;
    let mut report = CheckReport::default();
    let checked = check_pages(&connection, &mut report).and_then(|()| check_records(&connection, &mut report));
    if let Err(error) = checked {
        report.problems.push(error.to_string());
    }
    report.problems.truncate(PROBLEMS_MAX);
    Ok(report)
}

fn check_pages(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.problems.push(line);
        }
    }
    Ok(())
}

fn check_records(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    // Both reads show one moment.
    connection.execute_batch("BEGIN")?;
    let newest = rows::store_revision(connection)?.unsigned_abs();
    let mut statement = connection.prepare("SELECT revision, value, path FROM records ORDER BY path")?;
    let mut found = statement.query([])?;
    while report.problems.len() < PROBLEMS_MAX
        && let Some(row) = found.next()?
    {
        match rows::record(row) {
            Ok((path, entry)) => {
                report.records += 1;
                report.bytes += path.as_str().len() as u64 + entry.value.len() as u64;
                if entry.revision.0 > newest {
                    report.problems.push(format!("the record \"{path}\" is newer than the store's revision {newest}"));
                }
            }
            Err(StoreError::Damaged(what)) => report.problems.push(what),
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    Ok(())
}
