//! Headers of the PROXY protocol: `read_proxy_header`.
//!
//! Input: the start of a connection. Where a header ends must follow from its own bytes alone, and what was said of fewer
//! bytes must stay true.

#![no_main]

use jomae_server::http::{Told, read_proxy_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = read_proxy_header(data);
    if let Told::Header { bytes, .. } = whole {
        assert!(bytes > 0 && bytes <= data.len() && bytes <= 16 + 4096);
        assert!(read_proxy_header(&data[..bytes]) == whole, "what follows changes the header");
    }
    for end in [data.len() / 2, data.len() / 3, data.len().saturating_sub(1)] {
        let told = read_proxy_header(&data[..end]);
        assert!(told == Told::Partial || told == whole, "decided too early");
    }
});
