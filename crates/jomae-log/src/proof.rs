//! Proofs of inclusion and of consistency: made as RFC 6962 section 2.1 defines them, checked as RFC 9162 sections
//! 2.1.3.2 and 2.1.4.2 say.

use crate::merkle::{Hash, empty_root, node_hash};

/// No proof has more hashes than this, whatever the size of the tree.
pub const PROOF_HASHES_MAX: usize = 65;

/// Gives the hashes of a tree.
pub trait Nodes {
    /// Why a hash could not be given.
    type Error;

    /// The root of the complete subtree number `index` of those over 2^`level` leaves. Level 0 are the leaf hashes.
    /// Only subtrees that lie wholly within the size asked about are asked for.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// There is no such tree, or no such leaf in it.
    #[error("the event or the smaller tree lies beyond the end of the tree")]
    Range,
    /// A hash could not be had.
    #[error("{0}")]
    Node(E),
}

/// The complete subtrees, as level and index, that leaves `start..end` consist of. `start` is a multiple of every power
/// of two up to `end - start`, as it is for each range in the definition of the tree.
pub fn subtrees(start: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let level = end.checked_sub(at)?.checked_ilog2()?;
        let index = at >> level;
        at += 1 << level;
        u8::try_from(level).ok().map(|level| (level, index))
    })
}

/// The root over complete subtrees, the largest and leftmost first.
pub fn fold(roots: &[Hash]) -> Hash {
    let mut roots = roots.iter().rev();
    let Some(last) = roots.next() else { return empty_root() };
    roots.fold(*last, |right, left| node_hash(left, &right))
}

fn range<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, TreeError<N::Error>> {
    let roots: Result<Vec<Hash>, _> = subtrees(start, end).map(|(level, index)| nodes.node(level, index)).collect();
    Ok(fold(&roots.map_err(TreeError::Node)?))
}

/// The root of the tree over the first `size` leaves.
pub fn root_at<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, TreeError<N::Error>> {
    range(nodes, 0, size)
}

/// The largest power of two below `size`, which is 2 or more.
fn split(size: u64) -> u64 {
    (size - 1).checked_ilog2().map_or(1, |level| 1 << level)
}

/// The hashes that lead from leaf `index` to the root of the tree over the first `size` leaves.
pub fn inclusion_proof<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, TreeError<N::Error>> {
    if index >= size {
        return Err(TreeError::Range);
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree over the first `new` leaves begins with that over the first `old`.
pub fn consistency_proof<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, TreeError<N::Error>> {
    if old > new {
        return Err(TreeError::Range);
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    // The old root itself is known to the verifier.
    if start != 0 {
        proof.push(range(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `proof` shows that leaf `index` of the tree of `size` leaves with this root has the hash `leaf`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    let (mut number, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            hash = node_hash(sibling, &hash);
            // The node has no sibling on the levels on which it is the last and its number is even.
            let levels = if number & 1 == 1 { 0 } else { number.trailing_zeros().min(63) };
            (number, last) = (number >> levels, last >> levels);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `new` leaves begins with the `old` leaves of the other. Every tree begins
/// with the empty one.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root && (old > 0 || *old_root == empty_root());
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let mut rest = proof;
    let first = if old.is_power_of_two() {
        *old_root
    } else {
        let Some((first, others)) = rest.split_first() else { return false };
        rest = others;
        *first
    };
    let levels = (old - 1).trailing_ones().min(63);
    let (mut number, mut last) = ((old - 1) >> levels, (new - 1) >> levels);
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let levels = if number & 1 == 1 { 0 } else { number.trailing_zeros().min(63) };
            (number, last) = (number >> levels, last >> levels);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}
