//! Proofs of events and of consistency: `EventProof::parse` and `verify`, `verify_inclusion`, `verify_consistency`.
//!
//! Input: one byte that chooses: 0, the rest is a text; 1, the rest are two sizes and hashes; else the rest are changes
//! to a proof of event 13 in a log of 20. No other event may be proven to be there.

#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;

use jomae_crypto::asym::{AsymSpec, PrivateKey};
use jomae_fuzz::change;
use jomae_log::Timestamp;
use jomae_log::{
    Checkpoint, EventProof, Hash, Nodes, Signer, inclusion_proof, leaf_hash, node_hash, root_at, verify_consistency,
    verify_inclusion,
};
use libfuzzer_sys::fuzz_target;

const EVENT: &str = "{\"n\":13}";
const ORIGIN: &str = "log.example";

struct Log;

impl Nodes for Log {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let Some(below) = level.checked_sub(1) else {
            return Ok(leaf_hash(format!("{{\"n\":{index}}}").as_bytes()));
        };
        Ok(node_hash(&self.node(below, 2 * index)?, &self.node(below, 2 * index + 1)?))
    }
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let key = PrivateKey::import(AsymSpec::Ed25519, include_bytes!("../seeds/private_key/ed25519")).unwrap();
    Signer::new(ORIGIN, key).unwrap()
});
static PROOF: LazyLock<EventProof> = LazyLock::new(|| {
    let root = root_at(&Log, 20).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 20, root, time: Timestamp(1_800_000_000), state: None };
    EventProof {
        event: EVENT.into(),
        index: 13,
        proof: inclusion_proof(&Log, 13, 20).unwrap(),
        checkpoint: checkpoint.sign(&SIGNER).unwrap(),
    }
});

fn hashes(data: &[u8]) {
    let Some((sizes, rest)) = data.split_first_chunk::<16>() else { return };
    let (old, new) = sizes.split_at(8);
    let (old, new) = (u64::from_be_bytes(old.try_into().unwrap()), u64::from_be_bytes(new.try_into().unwrap()));
    let (hashes, _) = rest.as_chunks::<32>();
    let [first, second, proof @ ..] = hashes else { return };
    // Without a proof, two equal roots are the one thing that can be shown.
    if verify_inclusion(first, old, new, proof, second) {
        assert!(old < new && proof.is_empty() && first == second);
    }
    if verify_consistency(old, first, new, second, proof) {
        assert!(proof.is_empty() && (first == second || old == 0));
    }
}

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else { return };
    let bytes = match mode {
        0 => rest.to_vec(),
        1 => return hashes(rest),
        _ => {
            let mut bytes = PROOF.to_json().into_bytes();
            change(&mut bytes, rest);
            bytes
        }
    };
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    let Ok(proof) = EventProof::parse(text) else {
        return assert_ne!(text, PROOF.to_json(), "our own proof is not read");
    };
    assert_eq!(EventProof::parse(&proof.to_json()).as_ref(), Ok(&proof));
    assert!(proof.to_tlog_proof().ends_with(&proof.checkpoint));
    match proof.verify(SIGNER.verifier()) {
        Ok(checkpoint) => {
            assert_eq!((proof.event.as_str(), proof.index, checkpoint.size), (EVENT, 13, 20));
            assert_eq!(proof.proof, PROOF.proof);
        }
        Err(_) => assert_ne!(proof, *PROOF, "our own proof does not verify"),
    }
});
