//! The root key file: `RootMaterial::from_key_file`.
//!
//! Input: the file. A file that is read must be the one that is written for its key, save for blanks, the byte order mark, and
//! capitals where they mean nothing.

#![no_main]

use jomae_crypto::root::{KEY_FILE_BYTES_MAX, RootMaterial};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    match RootMaterial::from_key_file(file) {
        Ok(root) => {
            assert!(file.len() <= KEY_FILE_BYTES_MAX);
            let written = root.to_key_file();
            let text = std::str::from_utf8(file).unwrap();
            let lines = |text: &str| -> Vec<String> {
                let lines = text.trim_start_matches('\u{feff}').lines();
                let lines = lines.map(|line| line.split_ascii_whitespace().collect::<String>());
                lines.filter(|line| !line.is_empty()).collect()
            };
            let (read, expected) = (lines(text), lines(std::str::from_utf8(written.expose()).unwrap()));
            assert_eq!(read[1], expected[1]);
            assert!(read.len() == 3 && read.join("\n").eq_ignore_ascii_case(&expected.join("\n")));
            let again = RootMaterial::from_key_file(written.expose()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(again.key().expose(), root.key().expose());
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
});
