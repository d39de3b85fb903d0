//! Lists by page number, without counting everything each time and without holding everything in memory.
//!
//! For each list (the paths under one prefix) it keeps how many paths stand in blocks of a few hundred. A page then
//! costs one walk over the block counts and one short scan, wherever it stands; a million keys take some 4,000
//! blocks. Commits mark the blocks that they touch, and the next page counts those again from the store: so the
//! counts never depend on having heard of every change in the right order.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    error::Fault,
    store::{ChangeKind, Path, Phase, SCAN_LIMIT_MAX, Store},
    wait::yield_now,
};

/// Paths of a block when it is made.
const BLOCK_PATHS: usize = 256;
/// Lists that are counted at once; the least recently used gives way.
const LISTS_MAX: usize = 1024;

/// The counted lists of a store.
#[derive(Clone, Default)]
pub struct Ranks(Arc<Mutex<Lists>>);

#[derive(Default)]
struct Lists {
    by_prefix: BTreeMap<String, List>,
    uses: u64,
}

struct List {
    /// Blocks by the first path that they cover; the first covers everything from the prefix on.
    blocks: BTreeMap<String, Block>,
    /// False while the first count is under way: changes are only marked.
    counted: bool,
    /// Paths changed while the first count is under way.
    changed: Vec<String>,
    last_use: u64,
}

#[derive(Clone, Copy)]
struct Block {
    paths: u64,
    stale: bool,
}

/// Part of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Ranked {
    pub paths: Vec<Path>,
    /// How many paths the whole list has.
    pub total: u64,
}

impl Ranks {
    /// Counts the lists of a store, and hears of its changes from now on.
    pub fn watch(store: &dyn Store) -> Self {
        let ranks = Self::default();
        let watching = ranks.clone();
        store.watch(Box::new(move |phase, change| {
            // A block that was counted before the commit can be read must be counted again after it.
            if phase != Phase::Committed {
                return;
            }
            let created_or_deleted = change.writes.iter().filter(|(_, kind)| *kind != ChangeKind::Updated);
            let mut lists = watching.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (path, _) in created_or_deleted {
                lists.mark(path.as_str());
            }
        }));
        ranks
    }

    /// The paths under `prefix` from the `offset`-th on, at most `limit`.
    pub async fn page(&self, store: &dyn Store, prefix: &str, offset: u64, limit: usize) -> Result<Ranked, Fault> {
        let (block, skip, total) = loop {
            self.count_first(store, prefix).await?;
            let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lists.uses += 1;
            let uses = lists.uses;
            // A list may have given way to others just after it was counted.
            let Some(list) = lists.by_prefix.get_mut(prefix).filter(|list| list.counted) else { continue };
            list.last_use = uses;
            list.recount(store, prefix)?;
            break list.find(offset);
        };
        let mut paths = Vec::new();
        let Some(start) = block else { return Ok(Ranked { paths, total }) };
        // The block's first path is itself a row, so the scan begins just before it.
        let mut rows = scan_from(store, prefix, &start, skip.saturating_add(limit))?;
        if rows.len() > skip {
            paths.extend(rows.drain(skip..).take(limit));
        }
        Ok(Ranked { paths, total })
    }

    async fn count_first(&self, store: &dyn Store, prefix: &str) -> Result<(), Fault> {
        {
            let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lists.by_prefix.get(prefix).is_some_and(|list| list.counted) {
                return Ok(());
            }
            if !lists.by_prefix.contains_key(prefix) {
                lists.make_room();
                let last_use = lists.uses;
                let list = List { blocks: BTreeMap::new(), counted: false, changed: Vec::new(), last_use };
                lists.by_prefix.insert(prefix.to_owned(), list);
            }
        }
        let mut blocks = BTreeMap::new();
        let mut after: Option<Path> = None;
        loop {
            let rows = store.scan(prefix, after.as_ref().map(Path::as_str), BLOCK_PATHS)?;
            let Some((last, _)) = rows.last() else { break };
            let start = match &after {
                None => prefix.to_owned(),
                Some(_) => rows.first().map(|(path, _)| path.as_str().to_owned()).unwrap_or_default(),
            };
            blocks.insert(start, Block { paths: rows.len() as u64, stale: false });
            after = Some(last.clone());
            yield_now().await;
        }
        if blocks.is_empty() {
            blocks.insert(prefix.to_owned(), Block { paths: 0, stale: false });
        }
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uses = lists.uses;
        if let Some(list) = lists.by_prefix.get_mut(prefix)
            && !list.counted
        {
            list.blocks = blocks;
            list.counted = true;
            list.last_use = uses;
            for path in std::mem::take(&mut list.changed) {
                list.mark(&path);
            }
        }
        Ok(())
    }
}

impl Lists {
    /// Marks the block that covers a path, in the list that holds it. Prefixes end in `/` and none is within another,
    /// so at most one list can hold it: the last one at or before the path.
    fn mark(&mut self, path: &str) {
        let range = self.by_prefix.range_mut::<str, _>((Bound::Unbounded, Bound::Included(path)));
        if let Some((prefix, list)) = range.last()
            && path.starts_with(prefix.as_str())
        {
            if list.counted { list.mark(path) } else { list.changed.push(path.to_owned()) }
        }
    }

    fn make_room(&mut self) {
        while self.by_prefix.len() >= LISTS_MAX {
            let Some(oldest) = self.by_prefix.iter().min_by_key(|(_, l)| l.last_use).map(|(p, _)| p.clone()) else {
                return;
            };
            self.by_prefix.remove(&oldest);
        }
    }
}

impl List {
    fn mark(&mut self, path: &str) {
        if let Some((_, block)) = self.blocks.range_mut::<str, _>((Bound::Unbounded, Bound::Included(path))).last() {
            block.stale = true;
        }
    }

    /// Counts the marked blocks again, splitting those that have grown.
    fn recount(&mut self, store: &dyn Store, prefix: &str) -> Result<(), Fault> {
        let stale: Vec<String> =
            self.blocks.iter().filter(|(_, block)| block.stale).map(|(start, _)| start.clone()).collect();
        for start in stale {
            let after = (Bound::Excluded(start.as_str()), Bound::Unbounded);
            let end = self.blocks.range::<str, _>(after).next().map(|(next, _)| next.clone());
            let mut fresh = BTreeMap::new();
            let mut at = start.clone();
            loop {
                let mut rows = scan_from(store, prefix, &at, 2 * BLOCK_PATHS)?;
                rows.retain(|path| end.as_deref().is_none_or(|end| path.as_str() < end));
                let Some(next) = rows.get(BLOCK_PATHS).filter(|_| rows.len() == 2 * BLOCK_PATHS) else {
                    fresh.insert(at, Block { paths: rows.len() as u64, stale: false });
                    break;
                };
                let next = next.as_str().to_owned();
                fresh.insert(std::mem::replace(&mut at, next), Block { paths: BLOCK_PATHS as u64, stale: false });
            }
            self.blocks.remove(&start);
            if let Some(first) = fresh.get(&start).copied()
                && first.paths == 0
                && start != prefix
            {
                fresh.remove(&start);
            }
            self.blocks.append(&mut fresh);
        }
        Ok(())
    }

    /// The block in which the `offset`-th path stands, how many of its paths come before, and the total.
    fn find(&self, offset: u64) -> (Option<String>, usize, u64) {
        let mut before = 0u64;
        let mut found = None;
        for (start, block) in &self.blocks {
            if found.is_none() && offset < before + block.paths {
                found = Some((start.clone(), usize::try_from(offset - before).unwrap_or(usize::MAX)));
            }
            before += block.paths;
        }
        match found {
            Some((start, skip)) => (Some(start), skip, before),
            None => (None, 0, before),
        }
    }
}

/// Up to `limit` paths under `prefix`, from `start` on, itself included.
fn scan_from(store: &dyn Store, prefix: &str, start: &str, limit: usize) -> Result<Vec<Path>, Fault> {
    let mut paths = Vec::new();
    if start.len() > prefix.len() && store.get(start)?.is_some() {
        paths.push(Path::new(start));
    }
    let mut after = (start.len() > prefix.len()).then(|| start.to_owned());
    while paths.len() < limit {
        let wanted = (limit - paths.len()).min(SCAN_LIMIT_MAX);
        let rows = store.scan(prefix, after.as_deref(), wanted)?;
        let short = rows.len() < wanted;
        paths.extend(rows.into_iter().map(|(path, _)| path));
        after = paths.last().map(|path| path.as_str().to_owned());
        if short {
            break;
        }
    }
    Ok(paths)
}
