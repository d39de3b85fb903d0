//! The configuration: `Config::parse` and what follows from it.
//!
//! Input: the TOML text. A message about a mistake is one line for a person at a terminal.

#![no_main]

use jomae_server::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Config::parse(text) {
        Ok(config) => {
            match config.checked_regions() {
                Ok(regions) => {
                    assert!(regions.len() <= 1 + config.regions.len());
                    assert_eq!(regions[0].as_str(), config.region);
                }
                Err(error) => check_line(&error.to_string()),
            }
            let limits = config.http_limits();
            assert!(!limits.head_timeout.is_zero() && !limits.drain_timeout.is_zero());
            let _ = config.rate_limits();
            let _ = config.root_key_file();
        }
        Err(message) => {
            assert!(message.starts_with("line "));
            check_line(&message);
        }
    }
});

fn check_line(message: &str) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
}
