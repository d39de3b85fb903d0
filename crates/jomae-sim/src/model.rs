//! Random commands on a store and on [`MemoryStore`], which must answer alike. Revisions may be numbered differently,
//! so they are compared by the commit that they stand for.

use std::collections::BTreeMap;

use jomae_core::store::{
    Change, Commit, Committed, Entry, Path, Revision, SCAN_LIMIT_MAX, Store, Write, memory::MemoryStore,
};
use proptest::{prelude::*, sample::select};

use crate::{block_on, store_suite::watchers};

/// Paths that share prefixes, differ in one byte, and sort differently in other orders than by bytes.
const PATHS: &[&str] = &["a", "a\0", "a/", "a/b", "a/b/c", "a/bc", "a0", "aa", "b", "\u{e9}", "\u{e9}/x", "\u{1f511}"];

/// What a commit expects of a path.
#[derive(Clone, Copy, Debug)]
pub enum Expectation {
    Absent,
    /// The revision that the path has now, or absence.
    Current,
    /// A revision that the path had before, if any.
    Old,
}

/// One random command.
#[derive(Clone, Debug)]
pub enum Command {
    Commit {
        expect: Vec<(&'static str, Expectation)>,
        writes: Vec<(&'static str, Option<Vec<u8>>)>,
    },
    Get(&'static str),
    Scan {
        prefix: String,
        after: Option<&'static str>,
        limit: usize,
    },
    Snapshot,
    /// The store is closed and opened again.
    Reopen,
}

/// Up to `commands_max` random commands.
pub fn commands(commands_max: usize) -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 1..=commands_max)
}

fn command() -> impl Strategy<Value = Command> {
    let path = || select(PATHS);
    let expectation =
        prop_oneof![1 => Just(Expectation::Absent), 4 => Just(Expectation::Current), 1 => Just(Expectation::Old)];
    let value = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
        1 => (1000_usize..20_000).prop_map(|bytes| Some(vec![7; bytes])),
        3 => Just(None),
    ];
    let expect = prop::collection::vec((path(), expectation), 0..3);
    let writes = prop::collection::btree_map(path(), value, 0..4).prop_map(|writes| writes.into_iter().collect());
    let prefix = (path(), 0_usize..4).prop_map(|(path, chars)| path.chars().take(chars).collect());
    let limit = prop_oneof![4 => 0_usize..8, 1 => Just(SCAN_LIMIT_MAX + 1)];
    prop_oneof![
        8 => (expect, writes).prop_map(|(expect, writes)| Command::Commit { expect, writes }),
        2 => path().prop_map(Command::Get),
        3 => (prefix, prop::option::of(path()), limit)
            .prop_map(|(prefix, after, limit)| Command::Scan { prefix, after, limit }),
        1 => Just(Command::Snapshot),
        1 => Just(Command::Reopen),
    ]
}

/// Runs the commands on the store and on the model, and panics at the first difference. `reopen` closes and opens a
/// store again; for a store without a disk it returns what it was given.
pub fn check<S: Store>(store: S, reopen: impl Fn(S) -> S, commands: &[Command]) {
    let model = MemoryStore::new();
    // An empty store need not begin at 0.
    let start = (store.revision().expect("revision works"), Revision(0));
    let mut pair = Pair { model_of: BTreeMap::from([start]), last: start };
    let mut store = store;
    let heard_of_model = watchers::listen(&model);
    let mut heard = watchers::listen(&store);
    let mut old = BTreeMap::new();
    for command in commands {
        match command {
            Command::Commit { expect, writes } => {
                let before = PATHS.iter().filter_map(|path| Some((*path, revisions(&store, &model, path)?)));
                let now: BTreeMap<&str, (Revision, Revision)> = before.collect();
                let (real, modelled) = both_commits(expect, writes, &now, &old);
                old.extend(now);
                pair.answered(block_on(store.commit(real)), block_on(model.commit(modelled)), command);
            }
            Command::Get(path) => {
                let found = store.get(path).expect("get works");
                let expected = model.get(path).expect("the model works");
                assert_eq!(found.map(|entry| pair.translated(entry)), expected, "{command:?}");
            }
            Command::Scan { prefix, after, limit } => {
                let found = store.scan(prefix, *after, *limit).expect("scan works");
                let expected = model.scan(prefix, *after, *limit).expect("the model works");
                assert_eq!(pair.all_translated(found), expected, "{command:?}");
            }
            Command::Snapshot => pair.check_everything(&store, &model),
            Command::Reopen => {
                store = reopen(store);
                heard = watchers::listen(&store);
            }
        }
        let told = watchers::take(&heard).into_iter().map(|change| pair.translated_change(change));
        assert_eq!(told.collect::<Vec<_>>(), watchers::take(&heard_of_model), "watchers after {command:?}");
    }
    pair.check_everything(&store, &model);
}

fn revisions(store: &dyn Store, model: &dyn Store, path: &str) -> Option<(Revision, Revision)> {
    let real = store.get(path).expect("get works")?.revision;
    let modelled = model.get(path).expect("the model works").expect("the model has it too").revision;
    Some((real, modelled))
}

fn both_commits(
    expect: &[(&'static str, Expectation)],
    writes: &[(&'static str, Option<Vec<u8>>)],
    now: &BTreeMap<&str, (Revision, Revision)>,
    old: &BTreeMap<&str, (Revision, Revision)>,
) -> (Commit, Commit) {
    let expected: Vec<(Path, Option<(Revision, Revision)>)> = expect
        .iter()
        .map(|(path, expectation)| {
            let revision = match expectation {
                Expectation::Absent => None,
                Expectation::Current => now.get(path).copied(),
                Expectation::Old => old.get(path).copied(),
            };
            (Path::new(*path), revision)
        })
        .collect();
    let writes: Vec<Write> = writes
        .iter()
        .map(|(path, value)| match value {
            Some(value) => Write::Put(Path::new(*path), value.clone()),
            None => Write::Delete(Path::new(*path)),
        })
        .collect();
    let real = expected.iter().map(|(path, both)| (path.clone(), both.map(|both| both.0))).collect();
    let modelled = expected.into_iter().map(|(path, both)| (path, both.map(|both| both.1))).collect();
    (Commit { expect: real, writes: writes.clone() }, Commit { expect: modelled, writes })
}

/// Which revision of the model stands for which of the store.
struct Pair {
    model_of: BTreeMap<Revision, Revision>,
    last: (Revision, Revision),
}

impl Pair {
    fn answered<E: std::fmt::Debug>(
        &mut self,
        real: Result<Committed, E>,
        modelled: Result<Committed, E>,
        command: &Command,
    ) {
        match (real, modelled) {
            (Ok(Committed::Done(real)), Ok(Committed::Done(modelled))) => {
                assert_eq!(real > self.last.0, modelled > self.last.1, "revisions grow together: {command:?}");
                assert!(real >= self.last.0, "revisions never shrink: {command:?}");
                self.last = (real, modelled);
                self.model_of.insert(real, modelled);
            }
            (Ok(Committed::Conflict), Ok(Committed::Conflict)) => {}
            (real, modelled) => panic!("{command:?}: the store said {real:?}, the model {modelled:?}"),
        }
    }

    fn model_revision(&self, real: Revision) -> Revision {
        *self.model_of.get(&real).unwrap_or_else(|| panic!("no commit was answered with {real:?}"))
    }

    fn translated(&self, entry: Entry) -> Entry {
        Entry { revision: self.model_revision(entry.revision), value: entry.value }
    }

    fn all_translated(&self, entries: Vec<(Path, Entry)>) -> Vec<(Path, Entry)> {
        entries.into_iter().map(|(path, entry)| (path, self.translated(entry))).collect()
    }

    fn translated_change(&self, change: Change) -> Change {
        Change { revision: self.model_revision(change.revision), writes: change.writes }
    }

    fn check_everything(&self, store: &dyn Store, model: &dyn Store) {
        let rows = |store: &dyn Store| -> Vec<(Path, Entry)> {
            store.snapshot().expect("snapshot works").map(|row| row.expect("a readable record")).collect()
        };
        assert_eq!(self.all_translated(rows(store)), rows(model), "snapshots");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{CommitFault, FaultStore};

    proptest! {
        #[test]
        fn the_model_agrees_with_itself(commands in commands(40)) {
            check(MemoryStore::new(), |store| store, &commands);
        }
    }

    #[test]
    #[should_panic(expected = "the store said Ok(Conflict)")]
    fn a_store_that_answers_otherwise_is_found() {
        let store = FaultStore::new(MemoryStore::new());
        store.script_commits([None, Some(CommitFault::Conflict)]);
        let put = Command::Commit { expect: vec![], writes: vec![("a", Some(b"x".to_vec()))] };
        check(store, |store| store, &[put.clone(), put]);
    }

    #[test]
    #[should_panic(expected = "snapshots")]
    fn a_store_that_forgets_is_found() {
        let put = Command::Commit { expect: vec![], writes: vec![("a", Some(b"x".to_vec()))] };
        check(MemoryStore::new(), |_| MemoryStore::new(), &[put, Command::Reopen]);
    }
}
