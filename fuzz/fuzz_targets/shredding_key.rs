//! Shredding keys: their files (`KeyFile::from_bytes`, `EscrowFile::from_bytes`), their names (`ShreddingKeyId::from_text`), and
//! material under them (`ShreddingKeyId::of_wrapped`).
//!
//! Input: a file in one of the two directories, or what stands in the store.

#![no_main]

use jomae_core::shredding::record::{EscrowFile, FILE_BYTES_MAX, KeyFile};
use jomae_crypto::{secret::Key256, shredding::ShreddingKeyId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(file) = KeyFile::from_bytes(input) {
        assert!(input.len() <= FILE_BYTES_MAX);
        let again = file.to_bytes().expect("what was read can be written");
        assert_eq!(KeyFile::from_bytes(&again), Ok(file));
    }
    if let Ok(file) = EscrowFile::from_bytes(input) {
        assert!(file.open(&Key256::random()).is_err());
        let again = file.to_bytes().expect("what was read can be written");
        assert_eq!(EscrowFile::from_bytes(&again), Ok(file));
    }
    if let Some(text) = std::str::from_utf8(input).ok().filter(|text| ShreddingKeyId::from_text(text).is_some()) {
        let id = ShreddingKeyId::from_text(text).map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some(text));
    }
    if let Some(id) = ShreddingKeyId::of_wrapped(input) {
        assert_eq!(input.first(), Some(&jomae_crypto::shredding::FORM));
        let _ = id.to_string();
    }
});
