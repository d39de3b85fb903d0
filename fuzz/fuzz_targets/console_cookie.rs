//! The `Cookie` header of the console: `cookie`.
//!
//! Input: the header, as text. A value must stand in it under its name, and two of one name are none.

#![no_main]

use jomae_server::console::cookie;
use libfuzzer_sys::fuzz_target;

const NAME: &str = "__Host-jomae-session";

fuzz_target!(|header: &str| {
    if let Some(value) = cookie(header, NAME) {
        assert!(header.contains(&format!("{NAME}={value}")) && !value.contains(';'));
        let twice = format!("{header};{NAME}=x");
        assert!(cookie(&twice, NAME).is_none(), "two readers could take different ones");
    }
    assert_eq!(cookie(&format!("a=b; {NAME}=c"), NAME), Some("c"));
});
