//! The header of an encrypted file: `Header::read`.
//!
//! Input: the beginning of a file. What is read must be a prefix of the input and read the same when written again; what
//! is shown to a person must not hold characters that act on a terminal.

#![no_main]

use jomae_api::param::EncryptionContext;
use jomae_client::file::{self, HEADER_BODY_BYTES_MAX, Header, MAGIC};
use libfuzzer_sys::fuzz_target;

fn check_shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    match Header::read(&mut rest) {
        Ok((header, bytes)) => {
            assert!(data.starts_with(&bytes) && rest.len() == data.len() - bytes.len());
            assert!(bytes.len() <= MAGIC.len() + 1 + 4 + HEADER_BODY_BYTES_MAX);
            check_shown(&header.region);
            check_shown(&header.key_id);
            // Our own writer may need more escapes than the one who wrote it, and so exceed the limit.
            if let Ok(written) = header.to_bytes() {
                let (again, _) = Header::read(&mut written.as_slice()).unwrap();
                assert_eq!(again, header);
            }
            let context: EncryptionContext =
                header.context_keys.iter().map(|name| (name.clone(), String::new())).collect();
            header.check_context(&context).unwrap();
            if let Err(error) = header.check_context(&EncryptionContext::default()) {
                check_shown(&error.to_string());
            }
            assert_eq!(file::inspect(&mut &*data).unwrap(), header);
        }
        Err(error) => check_shown(&error.to_string()),
    }
});
