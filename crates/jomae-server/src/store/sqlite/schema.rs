//! What the file must hold beside its rows: exactly the two tables, and nothing that acts by itself.
//!
//! Who can write the file can plant a trigger that swallows a change, or a view in a table's place. Records are sealed,
//! but a change that is answered and not made needs no key. So the whole of `sqlite_schema` is compared, and what
//! could act is switched off in every connection besides.

use jomae_core::store::StoreError;
use rusqlite::{Connection, config::DbConfig, types::ValueRef};

/// `sqlite_schema` keeps the text of a statement to the byte, its blanks too. Stores are compared with these texts, so
/// they are part of the stored format.
const RECORDS: &str = "CREATE TABLE records (
        path TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID";
const META: &str = "CREATE TABLE meta (
        name TEXT NOT NULL PRIMARY KEY,
        number INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID";
/// Name and statement of each table; a table without row ids has no index of its own.
const TABLES: [(&str, &str); 2] = [("records", RECORDS), ("meta", META)];

/// Differences that are named one by one.
const DIFFERENCES_SHOWN_MAX: usize = 3;
/// Characters of a foreign name that are shown.
const NAME_CHARS_MAX: usize = 60;

/// The statements that make a new store; to be run in a transaction.
pub(super) fn statements() -> String {
    format!("{RECORDS}; {META}; INSERT INTO meta (name, number) VALUES ('revision', 0);")
}

/// Switches off, in a connection, all that a schema could do by itself. Nothing here changes the file.
pub(super) fn disarm(connection: &Connection) -> rusqlite::Result<()> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(switch, on)?;
    }
    connection.pragma_update(None, "cell_size_check", "ON")
}

/// Why a schema is not ours.
pub(super) enum Mismatch {
    /// What is more, less or different, in words of ours.
    Different(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Mismatch {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Mismatch> for StoreError {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::Different(what) => Self::Damaged(format!("the schema of the store was changed: {what}")),
            Mismatch::Sqlite(error) => super::rows::read_failed(&error),
        }
    }
}

/// Compares every row of `sqlite_schema` with what this program makes, and the encoding, which decides the order of
/// paths. The work does not grow with the number of records.
pub(super) fn compare(connection: &Connection) -> Result<(), Mismatch> {
    let mut differences = Vec::new();
    let mut seen = [false; TABLES.len()];
    let mut statement = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, table, sql) = (text(row, 0)?, text(row, 1)?, text(row, 2)?, text(row, 3)?);
        let expected = TABLES.iter().position(|(ours, _)| kind == "table" && *ours == name && *ours == table);
        match expected.and_then(|at| Some((seen.get_mut(at)?, TABLES.get(at)?))) {
            Some((seen, (_, made_by))) if !*seen && sql == *made_by => *seen = true,
            Some((seen, _)) => {
                *seen = true;
                differences.push(format!("the table {} is another one", shown(&name)));
            }
            None if kind == "table" => differences.push(format!("the table {} is none of ours", shown(&name))),
            None => {
                let kind = match kind.as_str() {
                    kind @ ("trigger" | "view" | "index") => kind,
                    _ => "entry",
                };
                differences.push(format!("the {kind} {} on {} is none of ours", shown(&name), shown(&table)));
            }
        }
    }
    for (name, _) in TABLES.iter().zip(seen).filter_map(|(table, seen)| (!seen).then_some(table)) {
        differences.push(format!("the table {} is missing", shown(name)));
    }
    let encoding: String = connection.pragma_query_value(None, "encoding", |row| row.get(0))?;
    if encoding != "UTF-8" {
        differences.push(format!("text is stored as {}", shown(&encoding)));
    }
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
    differences.truncate(DIFFERENCES_SHOWN_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Mismatch::Different(format!("{}{more}", differences.join("; "))))
}

/// The number that SQLite raises with every change of the schema. Whoever edits `sqlite_schema` by hand can keep it as
/// it was, but then connections that are open go on with the schema that they have read before.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}

/// A column as text; what is not text cannot equal any of ours.
fn text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("({})", other.data_type()),
    })
}

/// A name that somebody else chose, safe to print in one line.
fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
