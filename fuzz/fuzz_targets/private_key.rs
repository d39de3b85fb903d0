//! Private keys from outside: `PrivateKey::import`, and the PEM around them.
//!
//! Input: a key file. At most one kind of key may take it, and what is taken must be whole: it is stored and read back,
//! and its public half is a valid key of the same kind.

#![no_main]

use jomae_crypto::asym::{AsymSpec, DER_BYTES_MAX, PrivateKey, spec_of_spki};
use jomae_crypto::pem;
use jomae_crypto::secret::SecretBytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(der) = pem::content(SecretBytes::new(data.to_vec())) else { return };
    let der = der.expose();
    let mut taken = Vec::new();
    for spec in AsymSpec::ALL {
        let Ok(key) = PrivateKey::import(spec, der) else { continue };
        taken.push(spec);
        assert!(key.spec() == spec && der.len() <= DER_BYTES_MAX);
        assert_eq!(spec_of_spki(&key.public_spki()), Some(spec));
        let stored = key.to_pkcs8().unwrap();
        assert!(stored.len() <= DER_BYTES_MAX);
        let Ok(again) = PrivateKey::from_pkcs8(spec, stored.expose()) else { panic!("{spec:?} is not read back") };
        assert_eq!(again.public_spki(), key.public_spki());
    }
    assert!(taken.len() <= 1, "{taken:?}");
    for spec in AsymSpec::ALL {
        if let Ok(key) = PrivateKey::from_pkcs8(spec, der) {
            assert_eq!(key.spec(), spec);
        }
    }
});
