//! Key material that a client wrapped for us: `import::unwrap_material`.
//!
//! Input: one byte for the algorithm, one byte that chooses: 0, the rest is the blob; else the rest are changes to a
//! blob that we wrapped. Only that blob may be accepted. PKCS#1 v1.5 is left out of that rule: its padding is too weak
//! to promise it.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_crypto::asym::{AsymSpec, PrivateKey};
use jomae_crypto::import::{WrapAlg, unwrap_material, wrap_material};
use jomae_crypto::secret::SecretBytes;
use jomae_fuzz::change;
use libfuzzer_sys::fuzz_target;

const MATERIAL: [u8; 32] = [9; 32];

fn key(spec: AsymSpec, der: &[u8]) -> PrivateKey {
    PrivateKey::import(spec, der).unwrap_or_else(|error| panic!("{spec:?}: {error}"))
}

static RSA: LazyLock<PrivateKey> = LazyLock::new(|| {
    let text = include_str!("../../crates/jomae-api/tests/keys/throwaway-rsa2048.pkcs8.b64");
    key(AsymSpec::Rsa2048, &STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap())
});
static SM2: LazyLock<PrivateKey> =
    LazyLock::new(|| key(AsymSpec::EcSm2, include_bytes!("../seeds/private_key/sm2-sec1")));

fn wrapping(alg: WrapAlg) -> &'static PrivateKey {
    if alg.fits(AsymSpec::EcSm2) { &SM2 } else { &RSA }
}

static WRAPPED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let wrap = |alg| wrap_material(&wrapping(alg).public_spki(), alg, &SecretBytes::new(MATERIAL.to_vec())).unwrap();
    WrapAlg::ALL.into_iter().map(wrap).collect()
});

fuzz_target!(|data: &[u8]| {
    let [choice, mode, rest @ ..] = data else { return };
    let index = usize::from(*choice) % WrapAlg::ALL.len();
    let (alg, wrapped) = (WrapAlg::ALL[index], &WRAPPED[index]);
    let blob = if *mode == 0 {
        rest.to_vec()
    } else {
        let mut blob = wrapped.clone();
        change(&mut blob, rest);
        blob
    };
    let genuine = &blob == wrapped;
    for expected in [Some(32), None, Some(31)] {
        let unwrapped = unwrap_material(wrapping(alg), alg, &blob, expected);
        let stands_in = unwrapped.material().expose().to_vec();
        assert_eq!(stands_in.len(), expected.unwrap_or(32));
        match unwrapped.accept() {
            Some(material) => {
                assert_eq!(material.expose(), stands_in);
                let strict = alg != WrapAlg::RsaesPkcs1V15;
                assert!(genuine || !strict, "{alg:?}: a changed blob is accepted");
                assert!(!genuine || (material.expose() == MATERIAL && expected != Some(31)));
            }
            None => {
                let takes = expected == Some(32) || (expected.is_none() && alg != WrapAlg::RsaesPkcs1V15);
                assert!(!genuine || !takes, "{alg:?}: our own blob is refused");
                // The substitute is the same each time, or its change would tell.
                let again = unwrap_material(wrapping(alg), alg, &blob, expected);
                assert_eq!(again.material().expose(), stands_in);
            }
        }
    }
});
