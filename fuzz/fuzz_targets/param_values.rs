//! The value of each declared parameter, and the smaller readers of text: names, tags, intervals, time stamps.
//!
//! Input: one byte that chooses the parameter, then the text. What is not a valid value is shown nowhere; what is read
//! must be written back as it was.

#![no_main]

use std::sync::LazyLock;

use jomae_api::actions::ACTIONS;
use jomae_api::actions::params::{parse_rotation_interval, parse_tags};
use jomae_api::limits;
use jomae_api::names::{AccountId, AliasName, KeyId, KeyRef, RegionId, alias_arn, key_arn};
use jomae_api::param::{ParamInfo, Secrecy, parse_bool, parse_bytes, parse_number, parse_text};
use jomae_api::sign::{SKEW_SECS_MAX, check_time};
use jomae_api::time::Timestamp;
use libfuzzer_sys::fuzz_target;

static PARAMS: LazyLock<Vec<&'static dyn ParamInfo>> =
    LazyLock::new(|| ACTIONS.iter().flat_map(|spec| spec.params).map(|used| used.param).collect());

fuzz_target!(|data: (u8, &str)| {
    let (choice, text) = data;
    let param = PARAMS[usize::from(choice) % PARAMS.len()];
    let accepted = param.accepts(text);
    let shown = param.shows(text);
    assert!(!shown || (accepted && param.secrecy() == Secrecy::Public));

    match KeyRef::from_wire(text) {
        Some(KeyRef::Id(id)) => assert_eq!(id.as_str(), text),
        Some(KeyRef::Alias(name)) => assert_eq!(name.to_wire(), text),
        Some(KeyRef::Arn { region, account, id }) => assert_eq!(key_arn(&region, &account, &id), text),
        Some(KeyRef::AliasArn { region, account, name }) => assert_eq!(alias_arn(&region, &account, &name), text),
        None => assert!(KeyId::new(text).is_none() && AliasName::from_wire(text).is_none()),
    }
    assert!(AccountId::new(text).is_none_or(|id| id.as_str().len() == 16));
    assert!(RegionId::new(text).is_none_or(|id| id.as_str() == text && text.len() <= 32));

    if let Ok(tags) = parse_tags(text) {
        assert!(tags.len() <= limits::TAGS_MAX);
        for (key, value) in &tags {
            assert!(limits::TAG_KEY_CHARS.contains(&key.len()) && value.len() <= limits::TAG_VALUE_CHARS_MAX);
        }
    }
    if let Ok(secs) = parse_rotation_interval(text) {
        assert!(limits::ROTATION_INTERVAL_SECS.contains(&secs));
    }
    if let Ok(bytes) = parse_bytes(text, 64) {
        assert!(bytes.len() <= 64);
    }
    assert!(
        parse_number(text, &(3..=9)).is_ok_and(|number| (3..=9).contains(&number))
            || parse_number(text, &(3..=9)).is_err()
    );
    assert!(parse_bool(text).is_err() || text.len() <= 5);
    assert!(parse_text(text, 10).is_ok() == (text.chars().count() <= 10));

    let now = 1_795_432_407;
    if let Ok(moment) = check_time(text, now) {
        assert!(moment.abs_diff(now) <= SKEW_SECS_MAX);
        assert_eq!(Timestamp(moment).to_string(), text);
    }
});
