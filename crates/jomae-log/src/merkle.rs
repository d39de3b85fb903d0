//! The Merkle tree of RFC 6962 section 2.1: its hashes, and the edge at which it grows.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_crypto::hash::sha256;

use crate::proof::{self, Nodes};

/// A hash of the tree: SHA-256, 32 bytes.
pub type Hash = [u8; 32];

/// The hash of an event: its line, without the newline.
pub fn leaf_hash(line: &[u8]) -> Hash {
    sha256(&[&[0], line])
}

/// The hash of the node over two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The right edge of a growing tree: enough to append leaves and to give the root, at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees that the tree consists of, the largest and leftmost first: one for each bit
    /// of `size` that is set.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree that consists of these complete subtrees, the largest first; `None` unless their number is that of the
    /// bits set in `size`.
    pub fn from_subtrees(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (u64::try_from(roots.len()) == Ok(u64::from(size.count_ones()))).then_some(Self { size, roots })
    }

    /// The tree of the first `size` leaves.
    pub fn from_nodes<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let roots =
            proof::subtrees(0, size).map(|(level, index)| nodes.node(level, index)).collect::<Result<_, _>>()?;
        Ok(Self { size, roots })
    }

    /// The roots of the complete subtrees, the largest first.
    pub fn subtrees(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf, and tells the level, the index on that level and the hash of every subtree that it completes,
    /// the leaf itself (level 0) first.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u8, u64, &Hash)) {
        let mut hash = leaf;
        completed(0, self.size, &hash);
        for level in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
            let above = level + 1;
            completed(u8::try_from(above).unwrap_or(u8::MAX), self.size.checked_shr(above).unwrap_or(0), &hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        proof::fold(&self.roots)
    }
}

/// A hash as text: base64 with padding.
pub(crate) fn hash_text(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

/// What [`hash_text`] writes.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    // The decoder refuses everything but the one text that the encoder would write.
    (text.len() == 44).then(|| STANDARD.decode(text).ok()?.try_into().ok()).flatten()
}

/// A decimal number without sign or leading zeros.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
