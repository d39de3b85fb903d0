//! The line of passphrase parameters: `PassphraseParams::from_line`. Nothing is derived: that costs memory and time.
//!
//! Input: the line. What is read must be written as the same parameters, in a line that fits the limit.

#![no_main]

use jomae_crypto::root::{PARAMS_LINE_BYTES_MAX, PassphraseParams};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    match PassphraseParams::from_line(line) {
        Ok(params) => {
            let written = params.to_line();
            assert!(written.len() <= PARAMS_LINE_BYTES_MAX && written.len() <= line.len());
            let again = PassphraseParams::from_line(&written).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(again.to_line(), written);
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
});
