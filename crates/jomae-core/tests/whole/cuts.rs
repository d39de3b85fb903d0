//! Whatever is put together from parts of a store's history: it is refused, or it is short of what was promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use jomae_core::{
    cluster::record::NodeName,
    store::{
        BoxFuture, Commit, Committed, Entry, Path, Revision, Snapshot, Store, StoreError, Watcher, memory::MemoryStore,
    },
    whole::{State, WholeStore},
};
use jomae_sim::store_suite::{commit, delete, everything, put};
use proptest::prelude::*;

use crate::common::{begun, checked, keyring, opened, store_of};

/// Commits are done at once, and answered when they are asked for the second time.
struct Slow(MemoryStore);

impl Store for Slow {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.0.get(path)
    }
    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        self.0.scan(prefix, after, limit)
    }
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            let answer = self.0.commit(commit).await;
            let mut asked = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut asked, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            answer
        })
    }
    fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision()
    }
    fn watch(&self, watcher: Watcher) {
        self.0.watch(watcher);
    }
    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        self.0.snapshot()
    }
}

type OnItsWay<'w> = Pin<Box<dyn Future<Output = Result<Committed, StoreError>> + Send + 'w>>;

fn poll(commit: &mut OnItsWay<'_>) -> bool {
    commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[derive(Clone, Debug)]
enum Action {
    /// A commit begins at a node: some of six records are written or removed.
    Begin(usize, Vec<(u8, Option<u8>)>),
    /// One of those on their way is asked for again.
    Answer(usize),
    /// A node looks at what the others have done.
    Refresh(usize),
}

fn actions(nodes: usize) -> impl Strategy<Value = Vec<Action>> {
    let value = prop::option::weighted(0.8, 0..3_u8);
    let begin = (0..nodes, prop::collection::btree_map(0..6_u8, value, 1..3));
    let action = prop_oneof![
        4 => begin.prop_map(|(node, writes)| Action::Begin(node, writes.into_iter().collect())),
        3 => (0..8_usize).prop_map(Action::Answer),
        1 => (0..nodes).prop_map(Action::Refresh),
    ];
    prop::collection::vec(action, 1..25)
}

/// Every value that ever stood at a path, oldest first; nothing among them.
type History = BTreeMap<Path, Vec<Option<Vec<u8>>>>;

fn note(history: &Mutex<History>, store: &dyn Store) {
    let now: BTreeMap<Path, Vec<u8>> = everything(store).into_iter().map(|(path, entry)| (path, entry.value)).collect();
    let mut history = history.lock().unwrap();
    let paths: BTreeSet<Path> = history.keys().chain(now.keys()).cloned().collect();
    for path in paths {
        let values = history.entry(path.clone()).or_insert_with(|| vec![None]);
        let value = now.get(&path).cloned();
        if values.last() != Some(&value) {
            values.push(value);
        }
    }
}

/// Plays the actions; gives the history and what is promised at the end, by each node.
fn play(actions: &[Action], names: &[&str]) -> (History, Vec<State>) {
    let plain = Arc::new(MemoryStore::new());
    drop(begun(plain.clone()));
    let inner = Arc::new(Slow(MemoryStore::new()));
    for (path, entry) in everything(&*plain) {
        jomae_sim::store_suite::done(&inner.0, vec![put(path.as_str(), entry.value)]);
    }
    let node = |name: &&str| {
        let whole = WholeStore::open(inner.clone(), keyring(), NodeName::new(name).as_ref()).unwrap();
        whole.begin_counting();
        whole
    };
    let nodes: Vec<Arc<WholeStore>> = names.iter().map(node).collect();
    let history = Mutex::default();
    note(&history, &inner.0);
    let mut under_way: Vec<OnItsWay<'_>> = Vec::new();
    for action in actions {
        match action {
            Action::Begin(node, writes) => {
                let writes = writes.iter().map(|(path, value)| {
                    let path = format!("r/{path}");
                    value.map_or_else(|| delete(&path), |value| put(&path, [value]))
                });
                let mut begun: OnItsWay<'_> = nodes[*node].commit(commit(&[], writes.collect()));
                if !poll(&mut begun) {
                    under_way.push(begun);
                }
            }
            Action::Answer(which) => {
                if let Some(at) = which.checked_rem(under_way.len())
                    && poll(&mut under_way[at])
                {
                    drop(under_way.remove(at));
                }
            }
            Action::Refresh(node) => nodes[*node].refresh().unwrap(),
        }
        note(&history, &inner.0);
    }
    for mut commit in under_way {
        while !poll(&mut commit) {
            note(&history, &inner.0);
        }
        note(&history, &inner.0);
    }
    let promised = nodes.iter().map(|node| {
        node.refresh().unwrap();
        let state = node.state().unwrap();
        assert_eq!(checked(node).unwrap().state, Some(state));
        state
    });
    let promised = promised.collect();
    (history.into_inner().unwrap(), promised)
}

type Picks = Vec<(prop::sample::Index, prop::sample::Index)>;

fn picks() -> impl Strategy<Value = Picks> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)
}

/// Some paths have what stood there before, the others what stands there now: that is refused, or short of every promise.
fn put_together(history: &History, picks: Picks, promised: &[State]) -> Result<(), TestCaseError> {
    let newest: Vec<(Path, Option<Vec<u8>>)> =
        history.iter().map(|(path, values)| (path.clone(), values.last().cloned().flatten())).collect();
    let mut mixed = newest.clone();
    for (which, when) in picks {
        let (path, value) = which.get_mut(&mut mixed);
        *value = history[path][when.index(history[path].len())].clone();
    }
    let is_newest = mixed == newest;
    let rows: Vec<_> = mixed.into_iter().filter_map(|(path, value)| Some((path, value?))).collect();
    let found = WholeStore::open(store_of(&rows), keyring(), None).map(|whole| checked(&whole));
    match found {
        Ok(Ok(found)) if is_newest => prop_assert_eq!(found.state, promised.first().copied()),
        Ok(Ok(found)) => {
            let is_less = |state: State| promised.iter().all(|promised| state.changes < promised.changes);
            prop_assert!(found.state.is_none_or(is_less), "{:?} of {:?}", found.state, promised);
        }
        Ok(Err(_)) | Err(_) => prop_assert!(!is_newest),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_that_is_put_together_passes_for_the_newest(actions in actions(1), picks in picks()) {
        let (history, promised) = play(&actions, &[""]);
        put_together(&history, picks, &promised)?;
    }

    /// Three nodes, which know of each other what they last looked at.
    #[test]
    fn nothing_that_is_put_together_of_several_nodes_passes_for_the_newest(actions in actions(3), picks in picks()) {
        let (history, promised) = play(&actions, &["a", "b", "c"]);
        prop_assert!(promised.iter().all(|one| *one == promised[0]));
        put_together(&history, picks, &promised)?;
    }
}

/// The case for which lanes know of each other: a record goes back with the lane that wrote it, while others went on.
#[test]
fn a_lane_does_not_go_back_alone() {
    let begin = |path: u8, value: u8| Action::Begin(0, vec![(path, Some(value))]);
    // The first lane writes record 1, is held up at the second commit, and a second lane goes on.
    let actions =
        [begin(1, 0), Action::Answer(0), begin(1, 1), begin(2, 0), Action::Answer(0), begin(3, 1), Action::Answer(0)];
    let (history, promised) = play(&actions);
    let actions = [
        begin(1, 0),
        Action::Answer(0),
        begin(1, 1),
        begin(2, 0),
        Action::Answer(0),
        begin(3, 1),
        Action::Answer(0),
    ];
    let (history, promised) = play(&actions, &[""]);
    let lanes = history.keys().filter(|path| path.as_str().starts_with("sys/whole/lane/")).count();
    assert_eq!(lanes, 2);
    let mut refused = 0;
    let at = |path: &str| history.keys().find(|at| at.as_str() == path).unwrap();
    let (record, lane) = (at("r/1"), at("sys/whole/lane/00"));
    for (of_record, of_lane) in (0..history[record].len()).flat_map(|r| (0..history[lane].len()).map(move |l| (r, l))) {
        let rows: Vec<_> = history
            .iter()
            .filter_map(|(path, values)| {
                let value = if path == record {
                    &values[of_record]
                } else if path == lane {
                    &values[of_lane]
                } else {
                    values.last()?
                };
                Some((path.clone(), value.clone()?))
            })
            .collect();
        let is_newest = of_record + 1 == history[record].len() && of_lane + 1 == history[lane].len();
        let found = checked(&opened(store_of(&rows)));
        let passes = found.is_ok_and(|found| found.state.is_some_and(|state| state.changes >= promised[0].changes));
        assert_eq!(passes, is_newest, "record {of_record}, lane {of_lane}");
        refused += usize::from(!passes);
    }
    assert!(refused > 3);
}
