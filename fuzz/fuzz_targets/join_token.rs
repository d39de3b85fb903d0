//! Join tokens: `nodes::token_is_for`.
//!
//! Input: what an operator carries from one machine to another.

#![no_main]

use jomae_core::cluster::record::NodeName;
use jomae_server::nodes::token_is_for;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &[u8]| {
    if let Some(node) = token_is_for(token) {
        assert!(NodeName::new(node.as_str()).is_some());
        assert!(token.len() <= 64 * 1024);
    }
});
