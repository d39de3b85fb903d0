//! Key policies: `KeyPolicy::from_json`.
//!
//! Input: the text. A policy that is taken is kept as it is, and has the members that it must have to another reader.

#![no_main]

use jomae_api::limits::POLICY_BYTES_MAX;
use jomae_api::policy::KeyPolicy;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Some(policy) = KeyPolicy::from_json(text) else { return };
    assert!(text.len() <= POLICY_BYTES_MAX);
    assert_eq!(policy.as_str(), text);
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["Version"], "1");
    let statements = document["Statement"].as_array().unwrap();
    assert!(!statements.is_empty());
    for statement in statements {
        assert!(matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")));
        for list in [&statement["Action"], &statement["Resource"], &statement["Principal"]["RAM"]] {
            let one = list.is_string();
            assert!(
                one || list.as_array().is_some_and(|texts| !texts.is_empty() && texts.iter().all(Value::is_string))
            );
        }
    }
});
