//! The root key file: `RootMaterial::from_key_file`.
//!
//! Input: the file. A file that is read must be the one that is written for its key, save for line ends.

#![no_main]

use jomae_crypto::root::{KEY_FILE_BYTES_MAX, RootMaterial};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    match RootMaterial::from_key_file(file) {
        Ok(root) => {
            assert!(file.len() <= KEY_FILE_BYTES_MAX);
            let written = root.to_key_file();
            let read: Vec<&str> = std::str::from_utf8(file).unwrap().lines().collect();
            let expected: Vec<&str> = std::str::from_utf8(written.expose()).unwrap().lines().collect();
            assert_eq!(read, expected);
            let again = RootMaterial::from_key_file(written.expose()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(again.key().expose(), root.key().expose());
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
});
