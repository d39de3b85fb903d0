//! The tree against the definition, word by word.

use std::convert::Infallible;

use jomae_crypto::asym::{AsymSpec, PrivateKey};
use proptest::prelude::*;

use crate::{
    Frontier, Hash, Nodes, PROOF_HASHES_MAX, Signer, TreeError, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, root_at, verify_consistency, verify_inclusion,
};

/// Every leaf hash of a tree; the nodes above are made by the definition.
pub struct Leaves(pub Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let width = 1 << level;
        let start = usize::try_from(index).unwrap() * width;
        Ok(naive_root(&self.0[start..start + width]))
    }
}

/// MTH of RFC 6962 section 2.1, word by word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

pub fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|n| leaf_hash(format!("event {n}").as_bytes())).collect())
}

pub fn signer(name: &str) -> Signer {
    Signer::new(name, PrivateKey::generate(AsymSpec::Ed25519).unwrap()).unwrap()
}

fn size(leaves: &Leaves) -> u64 {
    leaves.0.len() as u64
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The tree that the implementations of Certificate Transparency test with, and its roots.
#[test]
fn the_tree_of_certificate_transparency_has_its_known_roots() {
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root().to_vec(), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (entry, root) in entries.iter().zip(roots) {
        frontier.push(leaf_hash(&hex(entry)));
        assert_eq!(frontier.root().to_vec(), hex(root), "{}", frontier.size());
    }
    let tree = Leaves(entries.iter().map(|entry| leaf_hash(&hex(entry))).collect());
    // The proofs that the same tests know.
    let proof = inclusion_proof(&tree, 5, 8).unwrap();
    let known = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof, known.map(|hash| <Hash>::try_from(hex(hash)).unwrap()));
    let proof = consistency_proof(&tree, 6, 8).unwrap();
    let known = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof, known.map(|hash| <Hash>::try_from(hex(hash)).unwrap()));
}

#[test]
fn the_frontier_gives_every_root_and_every_complete_subtree() {
    let tree = leaves(300);
    let mut frontier = Frontier::default();
    for count in 0..=tree.0.len() {
        assert_eq!(frontier.root(), naive_root(&tree.0[..count]), "{count}");
        assert_eq!(root_at(&tree, count as u64), Ok(frontier.root()));
        assert_eq!(Frontier::from_nodes(&tree, count as u64).as_ref(), Ok(&frontier));
        let again = Frontier::from_subtrees(frontier.size(), frontier.subtrees().to_vec());
        assert_eq!(again.as_ref(), Some(&frontier));
        assert_eq!(Frontier::from_subtrees(frontier.size() ^ 1, frontier.subtrees().to_vec()), None);
        let Some(leaf) = tree.0.get(count) else { break };
        let mut completed = Vec::new();
        frontier.push_with(*leaf, |level, index, hash| completed.push((level, index, *hash)));
        let levels = u64::from(frontier.size().trailing_zeros());
        assert_eq!(completed.len() as u64, levels + 1);
        for (number, (level, index, hash)) in completed.into_iter().enumerate() {
            assert_eq!((usize::from(level), index), (number, (frontier.size() >> level) - 1));
            assert_eq!(Ok(hash), tree.node(level, index));
        }
    }
}

#[test]
fn every_inclusion_proof_verifies_for_its_leaf_alone() {
    let tree = leaves(70);
    for size in 1..=70 {
        let root = root_at(&tree, size).unwrap();
        for index in 0..size {
            let proof = inclusion_proof(&tree, index, size).unwrap();
            let leaf = tree.0[usize::try_from(index).unwrap()];
            assert!(verify_inclusion(&leaf, index, size, &proof, &root), "{index} of {size}");
            for other in 0..size + 2 {
                assert_eq!(verify_inclusion(&leaf, other, size, &proof, &root), other == index, "{index} of {size}");
            }
            assert!(!verify_inclusion(&root, index, size, &proof, &root) || size == 1);
            assert!(proof.is_empty() || !verify_inclusion(&leaf, index, size, &proof[1..], &root));
            assert!(!verify_inclusion(&leaf, index, size, &[&proof[..], &[leaf]].concat(), &root));
        }
        assert_eq!(inclusion_proof(&tree, size, size), Err(TreeError::Range));
    }
}

#[test]
fn every_consistency_proof_verifies_for_its_sizes_alone() {
    let tree = leaves(70);
    let roots: Vec<Hash> = (0..=70).map(|size| root_at(&tree, size).unwrap()).collect();
    for new in 0..=70_usize {
        for old in 0..=new {
            let proof = consistency_proof(&tree, old as u64, new as u64).unwrap();
            let verify = |old: usize, new: usize, proof: &[Hash]| {
                verify_consistency(old as u64, &roots[old], new as u64, &roots[new], proof)
            };
            assert!(verify(old, new, &proof), "{old} to {new}");
            if old > 0 && old < new {
                let wrong = leaf_hash(b"x");
                assert!(!verify_consistency(old as u64, &wrong, new as u64, &roots[new], &proof));
                assert!(!verify_consistency(old as u64, &roots[old], new as u64, &wrong, &proof));
                assert!(!verify(old, new, &proof[1..]));
                assert!(!verify(old, new, &[&proof[..], &[roots[new]]].concat()));
                assert!(!verify(old - 1, new, &proof) || old == 1);
            }
            assert!(new == old || !verify(new, old, &proof));
        }
        assert_eq!(consistency_proof(&tree, new as u64 + 1, new as u64), Err(TreeError::Range));
    }
}

#[test]
fn the_largest_numbers_are_no_trouble() {
    /// A tree in which every node has a hash, which need not fit.
    struct Endless;
    impl Nodes for Endless {
        type Error = Infallible;
        fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
            Ok(leaf_hash(&[&[level], index.to_be_bytes().as_slice()].concat()))
        }
    }
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1, (1 << 63) - 1] {
        for index in [0, 1, size / 2, size - 1] {
            let proof = inclusion_proof(&Endless, index, size).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX);
            assert!(!verify_inclusion(&[1; 32], index, size, &proof, &[0; 32]));
            let proof = consistency_proof(&Endless, index, size).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX);
            assert!(!verify_consistency(index, &[1; 32], size, &[0; 32], &proof));
        }
        assert!(!verify_inclusion(&[1; 32], 0, size, &vec![[0; 32]; PROOF_HASHES_MAX + 1], &[0; 32]));
    }
}

proptest! {
    #[test]
    fn a_changed_bit_anywhere_breaks_an_inclusion_proof(count in 1_u64..200, index: u64, bit: usize) {
        let tree = leaves(count);
        let index = index % count;
        let mut proof = inclusion_proof(&tree, index, count).unwrap();
        let mut leaf = tree.0[usize::try_from(index).unwrap()];
        let mut root = root_at(&tree, count).unwrap();
        let place = bit / 8 % (64 + proof.len() * 32);
        let changed = [leaf.as_mut_slice(), root.as_mut_slice(), proof.as_flattened_mut()];
        *changed.into_iter().flatten().nth(place).unwrap() ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&leaf, index, count, &proof, &root));
    }

    #[test]
    fn a_changed_bit_anywhere_breaks_a_consistency_proof(new in 2_u64..200, old: u64, bit: usize) {
        let tree = leaves(new);
        let old = 1 + old % (new - 1);
        let mut proof = consistency_proof(&tree, old, new).unwrap();
        let mut roots = [root_at(&tree, old).unwrap(), root_at(&tree, new).unwrap()];
        let place = bit / 8 % (64 + proof.len() * 32);
        let changed = [roots.as_flattened_mut(), proof.as_flattened_mut()];
        *changed.into_iter().flatten().nth(place).unwrap() ^= 1 << (bit % 8);
        prop_assert!(!verify_consistency(old, &roots[0], new, &roots[1], &proof));
    }

    #[test]
    fn no_made_up_proof_verifies(
        sizes: (u64, u64), proof in proptest::collection::vec(any::<Hash>(), 0..80), hashes: (Hash, Hash)
    ) {
        prop_assert!(!verify_inclusion(&hashes.0, sizes.0, sizes.1, &proof, &hashes.1));
        prop_assert!(!verify_consistency(sizes.0, &hashes.0, sizes.1, &hashes.1, &proof));
    }

    #[test]
    fn a_tree_over_other_events_is_not_consistent(old in 1_u64..60, more in 1_u64..60, changed: u64) {
        let tree = leaves(old + more);
        let mut other = leaves(old + more);
        other.0[usize::try_from(changed % old).unwrap()] = leaf_hash(b"changed");
        let proof = consistency_proof(&other, old, size(&other)).unwrap();
        let (before, after) = (root_at(&tree, old).unwrap(), root_at(&other, size(&other)).unwrap());
        prop_assert!(!verify_consistency(old, &before, size(&other), &after, &proof));
    }
}
