//! Public keys from outside: `spec_of_spki`, and what is done with them.
//!
//! Input: a DER `SubjectPublicKeyInfo`. No signature that the fuzzer can make verifies, and a key of one kind serves no
//! other.

#![no_main]

use jomae_crypto::asym::{self, AsymSpec, DER_BYTES_MAX, EncAlg, EncryptRefused, SignAlg};
use jomae_crypto::pem;
use jomae_crypto::secret::SecretBytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|spki: &[u8]| {
    let found = asym::spec_of_spki(spki);
    assert!(found.is_none() || spki.len() <= DER_BYTES_MAX);
    let signatures: [&[u8]; 5] = [b"", spki, &[0; 64], &[0x30, 6, 2, 1, 0, 2, 1, 0], &[0x30, 6, 2, 1, 1, 2, 1, 1]];
    for alg in SignAlg::ALL {
        let message = vec![0xA5; alg.digest_bytes().unwrap_or(32)];
        for spec in AsymSpec::ALL.into_iter().filter(|spec| alg.fits(*spec)) {
            for signature in signatures {
                // Some points of low order make such signatures true for Ed25519, to whoever owns such a key.
                let taken = asym::verify(spec, alg, spki, &message, signature);
                assert!(!taken || spec == AsymSpec::Ed25519, "{alg:?}");
            }
        }
    }
    for alg in EncAlg::ALL {
        for spec in AsymSpec::ALL.into_iter().filter(|spec| alg.plaintext_bytes_max(*spec).is_some()) {
            match asym::encrypt(spec, alg, spki, b"plaintext") {
                Ok(ciphertext) => assert!(ciphertext.len() > 9 && found == Some(spec)),
                Err(why) => assert!(found != Some(spec) || why != EncryptRefused::PublicKey, "{spec:?}: {why}"),
            }
        }
    }
    assert_eq!(asym::encapsulate(spki).is_ok(), found == Some(AsymSpec::MlKem768));
    let text = asym::spki_to_pem(spki);
    assert!(text.is_empty() == (spki.len() > DER_BYTES_MAX));
    if found.is_some() {
        let Ok(back) = pem::content(SecretBytes::new(text.into_bytes())) else { panic!("our own PEM is refused") };
        assert_eq!(back.expose(), spki);
    }
});
