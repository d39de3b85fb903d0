//! Reading records out of SQLite, which is not trusted to hold only what was put there.

use std::vec;

use jomae_core::store::{Entry, PATH_BYTES_MAX, Path, Revision, StoreError, VALUE_BYTES_MAX};
use rusqlite::{Connection, ErrorCode, Row, types::ValueRef};

/// Records that a snapshot reads at a time.
const SNAPSHOT_PAGE_RECORDS: usize = 64;

/// What a failed read means to the caller.
pub(super) fn read_failed(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// The entry of a row whose first columns are revision and value; `path` is for the error.
pub(super) fn entry(row: &Row<'_>, path: &[u8]) -> Result<Entry, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of the record \"{}\"", path.escape_ascii()));
    let column = |n: usize| row.get_ref(n).map_err(|error| read_failed(&error));
    let ValueRef::Integer(revision) = column(0)? else { return Err(damaged("the revision")) };
    let revision = u64::try_from(revision).map_err(|_| damaged("the revision"))?;
    match column(1)? {
        ValueRef::Blob(value) if value.len() <= VALUE_BYTES_MAX => {
            Ok(Entry { value: value.to_vec(), revision: Revision(revision) })
        }
        _ => Err(damaged("the value")),
    }
}

/// The store's revision.
pub(super) fn store_revision(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("SELECT number FROM meta WHERE name = 'revision'", [], |row| row.get(0))
}

/// Up to `limit` records whose paths start with `prefix` and come after `after`, in one read transaction.
pub(super) fn scan(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(Path, Entry)>, StoreError> {
    let failed = |error: rusqlite::Error| read_failed(&error);
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let (sql, start) = match after {
        Some(after) if after >= prefix => {
            ("SELECT revision, value, path FROM records WHERE path > ?1 ORDER BY path", after)
        }
        _ => ("SELECT revision, value, path FROM records WHERE path >= ?1 ORDER BY path", prefix),
    };
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([start]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if !path_bytes(row)?.starts_with(prefix.as_bytes()) {
            break;
        }
        found.push(record(row)?);
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// The record of a row whose columns are revision, value and path.
pub(super) fn record(row: &Row<'_>) -> Result<(Path, Entry), StoreError> {
    let path = path_bytes(row)?;
    Ok((path_from(path)?, entry(row, path)?))
}

fn path_bytes<'a>(row: &'a Row<'_>) -> Result<&'a [u8], StoreError> {
    match row.get_ref(2).map_err(|error| read_failed(&error))? {
        ValueRef::Text(path) => Ok(path),
        _ => Err(StoreError::Damaged("a path is not text".to_owned())),
    }
}

fn path_from(bytes: &[u8]) -> Result<Path, StoreError> {
    let shown = || bytes.get(..PATH_BYTES_MAX).unwrap_or(bytes).escape_ascii();
    if bytes.is_empty() || bytes.len() > PATH_BYTES_MAX {
        return Err(StoreError::Damaged(format!("the length of the path \"{}\"", shown())));
    }
    let text = std::str::from_utf8(bytes);
    text.map(Path::new).map_err(|_| StoreError::Damaged(format!("the path \"{}\" is not UTF-8", shown())))
}

/// All records of the moment at which a read transaction began, a page at a time.
pub(super) struct SnapshotRows {
    connection: Connection,
    page: vec::IntoIter<(Path, Entry)>,
    last: Option<Path>,
    ended: bool,
}

impl SnapshotRows {
    /// Takes a connection of its own, because a read transaction stays open on it.
    pub(super) fn begin(connection: Connection) -> Result<Self, StoreError> {
        // A transaction's moment is that of its first read, not that of BEGIN.
        let begun = connection.execute_batch("BEGIN").and_then(|()| store_revision(&connection));
        begun.map_err(|error| read_failed(&error))?;
        Ok(Self { connection, page: Vec::new().into_iter(), last: None, ended: false })
    }
}

impl Iterator for SnapshotRows {
    type Item = Result<(Path, Entry), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.page.next() {
            return Some(Ok(record));
        }
        if self.ended {
            return None;
        }
        let last = self.last.as_ref().map(Path::as_str);
        match scan(&self.connection, "", last, SNAPSHOT_PAGE_RECORDS) {
            Ok(page) => {
                self.ended = page.len() < SNAPSHOT_PAGE_RECORDS;
                self.last = page.last().map(|(path, _)| path.clone());
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
