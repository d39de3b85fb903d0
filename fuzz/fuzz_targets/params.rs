//! Query and form body: `Params::parse`.
//!
//! Input: the query, a line feed, the body. What is read must be sorted and unique, agree with another reader of forms,
//! and read the same again when it is written with every byte escaped.

#![no_main]

use std::collections::BTreeMap;

use jomae_api::wire::Params;
use jomae_api::wire::params::PARAMS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (query, body) = (&data[..at], data.get(at + 1..));
    let Ok(query) = std::str::from_utf8(query) else { return };
    let Ok(params) = Params::parse(query, body) else { return };

    let read: Vec<(&str, &str)> = params.iter().collect();
    assert!(read.len() == params.len() && read.len() <= PARAMS_MAX);
    assert!(read.is_sorted_by(|a, b| a.0 < b.0), "not sorted, or a name twice");
    for (name, value) in &read {
        assert_eq!(params.get(name), Some(*value));
    }
    assert!(params.iter_query().count() <= read.len());
    for list in ["Tag", "ResourceId", query.get(..1).unwrap_or_default()] {
        for member in params.numbered(list) {
            assert!((1..=1000).contains(&member.number));
        }
    }

    let mut other = BTreeMap::new();
    for text in [query.as_bytes(), body.unwrap_or_default()] {
        other.extend(form_urlencoded::parse(text));
    }
    assert!(other.iter().map(|(name, value)| (&**name, &**value)).eq(read.iter().copied()), "readers disagree");

    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let written: Vec<String> = read.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let written = written.join("&");
    // Escapes can make it longer than a query may be.
    if let Ok(again) = Params::parse(&written, None) {
        assert!(again.iter().eq(read), "changed by escaping");
    } else {
        assert!(written.len() > jomae_api::wire::QUERY_BYTES_MAX);
    }
});
