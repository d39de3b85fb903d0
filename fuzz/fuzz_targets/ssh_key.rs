//! Keys of people from outside: the line with a public key (`Person::from_str`), and the file with private ones
//! (`Identities::in_file`), of SSH and of age.
//!
//! Input: such a line, or such a file. Who is taken is read again as the same, and what is encrypted to the public half of a
//! private key of SSH opens with it.

#![no_main]

use std::path::Path;

use jomae_server::root_key::{
    people::{IDENTITY_BYTES_MAX, Identities, Person},
    ssh::{Identity, LINE_BYTES_MAX},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(person) = std::str::from_utf8(input).ok().and_then(|text| text.parse::<Person>().ok()) {
        let line = person.to_string();
        assert!(line.len() <= LINE_BYTES_MAX);
        assert!(line.parse::<Person>().is_ok_and(|again| again == person), "{line}");
        assert!(person.seal(b"share").is_ok());
    }
    if input.len() > IDENTITY_BYTES_MAX {
        return;
    }
    let identities = Identities::in_file(Path::new("key"), input);
    if let Ok(identity) = Identity::from_openssh(input) {
        let sealed = Person::Ssh(identity.recipient().clone()).seal(b"share").expect("there is somebody to open it");
        let opened = identities.ok().and_then(|identities| identities.open(sealed.as_bytes()));
        assert_eq!(opened.expect("it is the one that opens it").as_slice(), b"share");
    }
});
