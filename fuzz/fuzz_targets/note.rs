//! Signed notes and checkpoints: `VerifierKey::parse`, `note::open`, `Checkpoint::parse`, `checkpoint::split_file`.
//!
//! Input: one byte that chooses: 0, the rest is a text; else the rest are changes to a note that our key signed. No
//! other text than that one may be taken for signed.

#![no_main]

use std::sync::LazyLock;

use jomae_crypto::asym::{AsymSpec, PrivateKey};
use jomae_fuzz::change;
use jomae_log::checkpoint::{Checkpoint, split_file};
use jomae_log::note::{self, Signer, VerifierKey};
use libfuzzer_sys::fuzz_target;

const TEXT: &str = "log.example\n5\nTjuy+3sfR43P5x+2MWMVGaO8oSya78oWEr/OTBOoYmQ=\n2027-01-15T08:00:00Z\n";

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let key = PrivateKey::import(AsymSpec::Ed25519, include_bytes!("../seeds/private_key/ed25519")).unwrap();
    Signer::new("log.example", key).unwrap()
});
static NOTE: LazyLock<String> = LazyLock::new(|| SIGNER.sign(TEXT).unwrap());

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else { return };
    let bytes = if *mode == 0 {
        rest.to_vec()
    } else {
        let mut bytes = NOTE.clone().into_bytes();
        change(&mut bytes, rest);
        bytes
    };
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text.trim_ascii());
    }
    match note::open(text, &[SIGNER.verifier()]) {
        Ok(signed) => assert_eq!(signed, TEXT),
        Err(_) => assert_ne!(text, *NOTE, "our own note does not open"),
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert!(text.starts_with(&checkpoint.text()));
    }
    if let Ok(checkpoint) = Checkpoint::open(text, SIGNER.verifier()) {
        assert_eq!(checkpoint.text(), TEXT);
    }
    let (notes, rest) = split_file(text);
    let joined: String = notes.iter().flat_map(|note| [*note, "\n"]).collect();
    assert_eq!(joined + rest, text);
});
