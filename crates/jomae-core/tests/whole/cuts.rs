//! Whatever is put together from parts of a store's history: it is refused, or it is short of what was promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
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

use crate::common::{begun, checked, keyring, store_of};

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

/// A service of some nodes, and all that ever stood in its store.
struct World {
    inner: Arc<Slow>,
    nodes: Vec<Arc<WholeStore>>,
    history: Mutex<History>,
    nth: AtomicU64,
}

impl World {
    fn new(names: &[&str]) -> Self {
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
        let world =
            Self { nodes: names.iter().map(node).collect(), inner, history: Mutex::default(), nth: AtomicU64::new(0) };
        world.note();
        world
    }

    fn note(&self) {
        note(&self.history, &self.inner.0);
    }

    /// Plays the actions to their end; gives what is promised then, by each node, and how many values there have been at each path.
    fn play(&self, actions: &[Action]) -> (Vec<State>, BTreeMap<Path, usize>) {
        let mut under_way: Vec<OnItsWay<'_>> = Vec::new();
        for action in actions {
            match action {
                Action::Begin(node, writes) => {
                    let writes = writes.iter().map(|(path, value)| {
                        let path = format!("r/{path}");
                        // As sealed values are, no two are the same.
                        let nth = self.nth.fetch_add(1, Ordering::Relaxed);
                        value.map_or_else(|| delete(&path), |value| put(&path, format!("{value} {nth}")))
                    });
                    let mut begun: OnItsWay<'_> = self.nodes[*node].commit(commit(&[], writes.collect()));
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
                Action::Refresh(node) => self.nodes[*node].refresh().unwrap(),
            }
            self.note();
        }
        for mut commit in under_way {
            while !poll(&mut commit) {
                self.note();
            }
            self.note();
        }
        let promised = self.nodes.iter().map(|node| {
            node.refresh().unwrap();
            let state = node.state().unwrap();
            assert_eq!(checked(node).unwrap().state, Some(state));
            state
        });
        let promised: Vec<State> = promised.collect();
        assert!(promised.iter().all(|one| *one == promised[0]));
        let lengths = self.history().iter().map(|(path, values)| (path.clone(), values.len())).collect();
        (promised, lengths)
    }

    fn history(&self) -> History {
        self.history.lock().unwrap().clone()
    }
}

/// A store in which each path has the value of this number in its history; gives its changes if its parts fit together.
fn put_together(history: &History, picked: &BTreeMap<Path, usize>) -> Option<State> {
    let value = |(path, at): (&Path, &usize)| Some((path.clone(), history[path][*at].clone()?));
    let rows: Vec<_> = picked.iter().filter_map(value).collect();
    let whole = WholeStore::open(store_of(&rows), keyring(), None).ok()?;
    checked(&whole).ok()?.state
}

fn newest(history: &History) -> BTreeMap<Path, usize> {
    history.iter().map(|(path, values)| (path.clone(), values.len() - 1)).collect()
}

type Picks = Vec<(prop::sample::Index, prop::sample::Index)>;

fn picks() -> impl Strategy<Value = Picks> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)
}

/// Some paths have what stood there before, the others what stands there now. Against the newest promise it passes for the newest
/// store only; against an earlier one, if it lacks nothing that had been promised then.
fn try_together(names: &[&str], before: &[Action], after: &[Action], picks: Picks) -> Result<(), TestCaseError> {
    let world = World::new(names);
    let (earlier, lengths) = world.play(before);
    let (promised, _) = world.play(after);
    let history = world.history();
    let mut picked = newest(&history);
    for (which, when) in picks {
        let path = which.get(&history.keys().collect::<Vec<_>>()).to_owned().clone();
        let at = when.index(history[&path].len());
        picked.insert(path, at);
    }
    let value = |(path, at): (&Path, &usize)| history[path][*at].clone();
    let is_newest = picked.iter().map(value).eq(newest(&history).iter().map(value));
    let found = put_together(&history, &picked);
    let passes = |promised: State| found.is_some_and(|found| found.changes > promised.changes || found == promised);
    prop_assert_eq!(passes(promised[0]), is_newest);
    if passes(earlier[0]) {
        for (path, at) in &picked {
            let known = lengths.get(path).copied().unwrap_or(0);
            // What was removed may be so once more.
            let latest = history[path].iter().rposition(|value| *value == history[path][*at]).unwrap();
            prop_assert!(latest + 1 >= known, "{path}: value {at} of {known}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_that_is_put_together_passes_for_the_newest(
        before in actions(1), after in actions(1), picks in picks(),
    ) {
        try_together(&[""], &before, &after, picks)?;
    }

    /// Three nodes, which know of each other what they last looked at.
    #[test]
    fn nothing_that_is_put_together_of_several_nodes_passes_for_the_newest(
        before in actions(3), after in actions(3), picks in picks(),
    ) {
        try_together(&["a", "b", "c"], &before, &after, picks)?;
    }
}

const fn begin(node: usize, path: u8, value: u8) -> Once {
    Once(node, path, value)
}

struct Once(usize, u8, u8);

fn all(begun: &[Once]) -> Vec<Action> {
    begun.iter().map(|Once(node, path, value)| Action::Begin(*node, vec![(*path, Some(*value))])).collect()
}

/// Sets paths back in every way; gives how many ways pass, and panics if one does in which a record is older than was promised.
fn set_back(history: &History, promised: State, paths: &[(&str, usize)]) -> usize {
    let find = |path: &str| history.keys().find(|at| at.as_str() == path).unwrap().clone();
    let mut ways = vec![newest(history)];
    for (path, _) in paths {
        let path = find(path);
        let values = 0..history[&path].len();
        ways = ways
            .into_iter()
            .flat_map(|way| values.clone().map(move |at| (way.clone(), at)))
            .map(|(mut way, at)| {
                way.insert(path.clone(), at);
                way
            })
            .collect();
    }
    let passes = |way: &&BTreeMap<Path, usize>| {
        put_together(history, way).is_some_and(|found| found.changes >= promised.changes)
    };
    let passing: Vec<_> = ways.iter().filter(passes).collect();
    for way in &passing {
        for (path, least) in paths {
            assert!(way[&find(path)] >= *least, "{path} is older than was promised: {}", way[&find(path)]);
        }
    }
    passing.len()
}

/// The case for which lanes know of each other: a lane goes back with all that it wrote, and others have gone on by as much.
#[test]
fn a_lane_does_not_go_back_alone() {
    let world = World::new(&[""]);
    for value in 0..2 {
        world.play(&all(&[begin(0, 1, value)]));
    }
    let (promised, _) = world.play(&[]);
    // Three at a time, in three lanes.
    world.play(&all(&[begin(0, 3, 0), begin(0, 2, 0), begin(0, 4, 0)]));
    let history = world.history();
    let lanes = history.keys().filter(|path| path.as_str().starts_with("sys/whole/lane/")).count();
    assert_eq!(lanes, 3);
    // The newest; and without the last commit of the first lane, which the others did not know of.
    assert_eq!(set_back(&history, promised[0], &[("r/1", 2), ("r/3", 0), ("sys/whole/lane/00", 2)]), 2);
}

/// The same between nodes.
#[test]
fn a_node_does_not_go_back_alone() {
    let world = World::new(&["a", "b"]);
    for value in 0..2 {
        world.play(&all(&[begin(0, 1, value)]));
    }
    let (promised, _) = world.play(&[]);
    for value in 0..4 {
        world.play(&all(&[begin(1, 2, value)]));
    }
    let history = world.history();
    assert_eq!(set_back(&history, promised[1], &[("r/1", 2), ("sys/whole/node/a/00", 2)]), 1);
}
