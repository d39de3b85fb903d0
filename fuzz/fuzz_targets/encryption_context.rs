//! The JSON of an `EncryptionContext`.
//!
//! Input: the text. It must mean what another JSON reader sees, and nothing that is ambiguous may be taken.

#![no_main]

use std::collections::BTreeMap;

use jomae_api::limits::ENCRYPTION_CONTEXT_CHARS_MAX;
use jomae_api::param::EncryptionContext;
use jomae_crypto::envelope::canonical_context;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let value = serde_json::from_str::<Value>(text);
    let Some(context) = EncryptionContext::from_json(text) else {
        // Members given twice are the one thing that the other reader takes and we do not; then it sees fewer.
        if let Ok(Value::Object(members)) = value {
            let written = serde_json::to_string(&members).unwrap();
            assert!(
                text.chars().count() > ENCRYPTION_CONTEXT_CHARS_MAX
                    || members.values().any(|value| !value.is_string())
                    || text.trim().len() > written.len(),
                "refused without a reason"
            );
        }
        return;
    };
    assert!(text.chars().count() <= ENCRYPTION_CONTEXT_CHARS_MAX);
    let Ok(Value::Object(members)) = value else { panic!("not an object to another reader") };
    let expected: BTreeMap<String, String> =
        members.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect();
    assert_eq!(context.pairs(), &expected);

    // Canonical bytes, read back by hand: count, then lengths and texts.
    let canonical = canonical_context(context.pairs());
    let mut rest = canonical.as_bytes();
    let mut number = || {
        let (first, tail) = rest.split_first_chunk::<4>().unwrap();
        let length = u32::from_be_bytes(*first) as usize;
        rest = tail;
        length
    };
    assert_eq!(number(), expected.len());
    let mut back = BTreeMap::new();
    for _ in 0..expected.len() {
        let mut text = || {
            let (first, tail) = rest.split_first_chunk::<4>().unwrap();
            let (text, tail) = tail.split_at(u32::from_be_bytes(*first) as usize);
            rest = tail;
            String::from_utf8(text.to_vec()).unwrap()
        };
        let name = text();
        assert!(back.insert(name, text()).is_none());
    }
    assert!(rest.is_empty() && back == expected);
});
