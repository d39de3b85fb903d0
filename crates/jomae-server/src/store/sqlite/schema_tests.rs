//! A schema that is not ours is refused and named, and no write that was not made is answered as done.

use std::{cell::Cell, fs, path::Path as FilePath};

use jomae_core::store::{Commit, Committed, Store, StoreError};
use jomae_sim::{
    block_on,
    store_suite::{commit, delete, done, everything, get, put},
};
use rusqlite::Connection;

use super::{
    Arc, SqliteStore,
    backup::backup_file,
    check::check_file,
    file::{self, OpenError, Options},
    tests::{directory, open},
    writer::{Answer, Job, Shared, Writer},
};

/// Runs SQL behind the store's back.
fn tamper(path: &FilePath, sql: &str) {
    Connection::open(path).and_then(|connection| connection.execute_batch(sql)).expect("the SQL runs");
}

const SWALLOW_UPDATES: &str = "CREATE TRIGGER t1 BEFORE UPDATE ON records BEGIN SELECT RAISE(IGNORE); END;";

#[test]
fn a_schema_that_is_not_ours_is_refused_and_named() {
    let edit = |change: &str| format!("PRAGMA writable_schema = ON; {change}");
    let cases = [
        (SWALLOW_UPDATES.to_owned(), "the trigger \"t1\" on \"records\" is none of ours"),
        (
            "CREATE TRIGGER t2 AFTER UPDATE ON meta BEGIN UPDATE meta SET number = 1; END".to_owned(),
            "the trigger \"t2\" on \"meta\" is none of ours",
        ),
        ("CREATE INDEX extra ON records (revision)".to_owned(), "the index \"extra\" on \"records\" is none of ours"),
        ("CREATE VIEW seen AS SELECT 1".to_owned(), "the view \"seen\" on \"seen\" is none of ours"),
        ("CREATE TABLE more (x)".to_owned(), "the table \"more\" is none of ours"),
        ("CREATE TABLE \"two\nlines\u{1b}[2J\" (x)".to_owned(), "the table \"two\\nlines\\u{1b}[2J\" is none of ours"),
        ("ANALYZE".to_owned(), "the table \"sqlite_stat1\" is none of ours"),
        ("DROP TABLE meta".to_owned(), "the table \"meta\" is missing"),
        (
            "ALTER TABLE records RENAME TO kept; CREATE VIEW records AS SELECT path, revision, value FROM kept"
                .to_owned(),
            "the table \"records\" is missing",
        ),
        ("ALTER TABLE records ADD COLUMN more TEXT".to_owned(), "the table \"records\" is another one"),
        (
            edit("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', 'NOT  NULL') WHERE name = 'meta'"),
            "the table \"meta\" is another one",
        ),
        (
            // SQLite reads the statement, whatever the row calls itself.
            edit(
                "INSERT INTO sqlite_schema VALUES ('table', 'records', 'records', 0,
                 'CREATE TRIGGER t3 BEFORE UPDATE ON records BEGIN SELECT RAISE(IGNORE); END')",
            ),
            "malformed database schema (records)",
        ),
    ];
    for (sql, expected) in cases {
        let (directory, path) = directory();
        done(&open(&path), vec![put("a", "x")]);
        tamper(&path, &sql);
        let before = fs::read(&path).expect("readable");
        let copy = directory.path().join("copy");
        let refused = [
            SqliteStore::open(&path, &Options::default()).map(drop).expect_err(&sql).to_string(),
            check_file(&path).map(drop).expect_err(&sql).to_string(),
            backup_file(&path, &copy).map(drop).expect_err(&sql).to_string(),
        ];
        for refusal in refused {
            assert!(refusal.contains(expected), "{sql}: {refusal}");
            assert!(!refusal.contains(char::is_control), "{sql}: {refusal:?}");
        }
        assert!(!copy.exists(), "{sql}: a failed copy leaves nothing");
        assert!(fs::read(&path).expect("readable") == before, "{sql}: the file was changed");
    }
}

#[test]
fn a_store_in_another_encoding_is_refused() {
    let (_directory, path) = directory();
    tamper(&path, &format!("PRAGMA encoding = 'UTF-16le'; {}", super::schema::statements()));
    tamper(&path, &format!("PRAGMA application_id = {}; PRAGMA user_version = 1", file::APPLICATION_ID));
    let refused = SqliteStore::open(&path, &Options::default()).map(drop).expect_err("refused");
    assert!(
        matches!(&refused, OpenError::Schema { differences, .. } if differences == "text is stored as \"UTF-16le\"")
    );
}

/// Stores that exist already hold these very bytes.
#[test]
fn the_statements_of_stores_made_before_stay() {
    let (_directory, path) = directory();
    drop(open(&path));
    let stored = Connection::open(&path).and_then(|connection| {
        connection
            .prepare("SELECT sql FROM sqlite_schema ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()
    });
    let head = "CREATE TABLE meta (\n        name TEXT NOT NULL PRIMARY KEY,\n        number INTEGER NOT NULL\n    )";
    let records = "CREATE TABLE records (\n        path TEXT NOT NULL PRIMARY KEY,\n        \
                   revision INTEGER NOT NULL,\n        value BLOB NOT NULL\n    )";
    let expected = [head, records].map(|head| format!("{head} STRICT, WITHOUT ROWID"));
    assert_eq!(stored.expect("readable"), expected);
}

#[test]
fn what_a_schema_could_do_by_itself_is_switched_off() {
    let (_directory, path) = directory();
    done(&open(&path), vec![put("a", "old")]);
    tamper(&path, SWALLOW_UPDATES);
    let connection = Connection::open(&path).expect("opens");
    super::schema::disarm(&connection).expect("switched");
    let updated = connection.execute("UPDATE records SET value = x'00'", []).expect("updated");
    assert_eq!(updated, 1, "the trigger did not run");
    assert!(connection.execute_batch("CREATE VIEW v AS SELECT 1; SELECT * FROM v").is_err());
    let _ = connection.execute_batch("PRAGMA writable_schema = ON");
    assert!(connection.execute("UPDATE sqlite_schema SET sql = NULL", []).is_err(), "the schema is not writable");
}

#[test]
fn a_schema_changed_under_an_open_store_stops_its_writes_until_it_is_mended() {
    let (_directory, path) = directory();
    let store = open(&path);
    done(&store, vec![put("a", "x")]);
    tamper(&path, SWALLOW_UPDATES);
    for _ in 0..2 {
        let answer = block_on(store.commit(commit(&[], vec![put("a", "y")])));
        assert!(matches!(&answer, Err(StoreError::Damaged(what)) if what.contains("\"t1\"")), "{answer:?}");
    }
    assert_eq!(get(&store, "a").map(|entry| entry.value), Some(b"x".to_vec()), "reads go on");
    tamper(&path, "DROP TRIGGER t1");
    done(&store, vec![put("a", "z")]);
    // Rewriting the file raises the number of the schema and leaves the schema as it is.
    tamper(&path, "VACUUM");
    done(&store, vec![put("b", "z")]);
    assert_eq!(everything(&store).len(), 2);
}

/// A writer on a connection in which triggers run, as if nothing before it had helped.
fn careless(path: &FilePath, commits: Vec<Commit>) -> Vec<Answer> {
    let connection = Connection::open(path).expect("opens");
    let revision = super::rows::store_revision(&connection).expect("readable");
    let writer = Writer {
        schema_version: Cell::new(super::schema::version(&connection).expect("readable")),
        connection,
        revision,
        group_commits_max: 1,
        shared: Arc::new(Shared::default()),
        _lock: Arc::new(file::lock(path).expect("locked")),
    };
    let (jobs, queue) = super::mpsc::channel();
    let answers: Vec<_> = commits
        .into_iter()
        .map(|commit| {
            let (answer, answered) = super::oneshot::channel();
            jobs.send(Job { commit, answer }).expect("taken");
            answered
        })
        .collect();
    drop(jobs);
    writer.run(&queue);
    answers.into_iter().map(|answered| answered.blocking_recv().expect("answered")).collect()
}

#[test]
fn a_write_that_touches_no_row_is_damage() {
    let swallow = |when: &str| format!("CREATE TRIGGER t BEFORE {when} BEGIN SELECT RAISE(IGNORE); END");
    let cases = [
        (swallow("UPDATE ON records"), put("a", "new")),
        (swallow("INSERT ON records"), put("b", "new")),
        (swallow("DELETE ON records"), delete("a")),
        (swallow("UPDATE ON meta"), put("a", "new")),
    ];
    for (sql, write) in cases {
        let (_directory, path) = directory();
        done(&open(&path), vec![put("a", "old"), put("other", "old")]);
        tamper(&path, &sql);
        // The first write of the commit would work, and must not stay either.
        let answers = careless(&path, vec![commit(&[], vec![delete("absent"), put("other", "old"), write])]);
        assert!(matches!(answers.as_slice(), [Err(StoreError::Damaged(_))]), "{sql}: {answers:?}");
        tamper(&path, "DROP TRIGGER t");
        let store = open(&path);
        assert_eq!(get(&store, "a").map(|entry| entry.value), Some(b"old".to_vec()), "{sql}");
        assert_eq!(everything(&store).len(), 2, "{sql}");
        drop(store);
        let answers = careless(&path, vec![commit(&[], vec![delete("absent")])]);
        assert!(matches!(answers.as_slice(), [Ok(Committed::Done(_))]), "nothing to delete is no damage: {answers:?}");
    }
}
