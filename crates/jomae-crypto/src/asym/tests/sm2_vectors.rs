//! SM2 against the example of GB/T 32918.5-2017 and against OpenSSL 3.0.

use ::sm2::SecretKey;
use pkcs8::EncodePrivateKey as _;

use super::*;

const ID: &[u8] = b"1234567812345678";
const A: &str = "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc";
const B: &str = "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93";
const G: &str = "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
                 bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// SM3(`Z_A` ‖ message) with the usual user id, for the public key at the end of `spki`.
fn digest(spki: &[u8], message: &[u8]) -> [u8; 32] {
    let point = &spki[spki.len() - 64..];
    let z = sm3(&[&[0, 128], ID, &hex(A), &hex(B), &hex(G), point]);
    sm3(&[&z, message])
}

/// Appendix A of GB/T 32918.5-2017.
fn standard_key() -> PrivateKey {
    let scalar = hex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
    let der = SecretKey::from_slice(&scalar).unwrap().to_pkcs8_der().unwrap();
    PrivateKey::import(AsymSpec::EcSm2, der.as_bytes()).unwrap()
}

#[test]
fn the_example_of_the_standard_signature() {
    let key = standard_key();
    let spki = key.public_spki();
    let point = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
                 ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    assert_eq!(spki[spki.len() - 64..], hex(point));
    let e = digest(&spki, b"message digest");
    assert_eq!(e, hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")[..]);
    let r_s = "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3\
               022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
    assert!(verify(AsymSpec::EcSm2, SignAlg::Sm2Dsa, &spki, &e, &hex(r_s)));
}

#[test]
fn the_example_of_the_standard_ciphertext() {
    let x = "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73";
    let y = "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0";
    let c3 = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766";
    let c2 = "21886ca989ca9c7d58087307ca93092d651efa";
    let raw = hex(&format!("04{x}{y}{c3}{c2}"));
    let open = |ciphertext: &[u8]| standard_key().decrypt(EncAlg::Sm2Pke, ciphertext);
    assert_eq!(open(&raw).unwrap().expose(), b"encryption standard");
    let der = hex(&format!("307c0220{x}022100{y}0420{c3}0413{c2}"));
    assert_eq!(open(&der).unwrap().expose(), b"encryption standard");
    // Not taken: the older order of the parts, a point in compressed form, and DER that is no DER.
    assert!(open(&hex(&format!("04{x}{y}{c2}{c3}"))).is_err());
    assert!(open(&hex(&format!("02{x}{c3}{c2}"))).is_err());
    assert!(open(&hex(&format!("30817c0220{x}022100{y}0420{c3}0413{c2}"))).is_err());
    assert!(open(&hex(&format!("307c0220{x}022100{y}0420{c3}0413{c2}00"))).is_err());
    // A point off the curve.
    assert!(open(&hex(&format!("04{x}{x}{c3}{c2}"))).is_err());
}

const OPENSSL_PKCS8: &str = "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b02010104204df894d4967e90b1de40cb3fc4e1fb2e2b8ebbf2c417907f506f6795cd652267a144034200041021a37a14c3f66aed93edb996ed5cc3e2e138af40fa4f72c5d5f015f317610f091bf11f7d45314b776fe47e2d0e7f8c77c777ba5559b70c2844a17419c35df5";
const OPENSSL_SEC1: &str = "307702010104204df894d4967e90b1de40cb3fc4e1fb2e2b8ebbf2c417907f506f6795cd652267a00a06082a811ccf5501822da144034200041021a37a14c3f66aed93edb996ed5cc3e2e138af40fa4f72c5d5f015f317610f091bf11f7d45314b776fe47e2d0e7f8c77c777ba5559b70c2844a17419c35df5";
const OPENSSL_SPKI: &str = "3059301306072a8648ce3d020106082a811ccf5501822d034200041021a37a14c3f66aed93edb996ed5cc3e2e138af40fa4f72c5d5f015f317610f091bf11f7d45314b776fe47e2d0e7f8c77c777ba5559b70c2844a17419c35df5";
const OPENSSL_SIGNATURE: &str = "3046022100858456fcdcb388620f41840bd2b3c56b479e7eb9f4154b82625d1b2f984dee5e022100abd8c5c4901e2c553a01af1e74a46e00d2c692ac4fc4077ebf8bc2a196521a52";
const OPENSSL_CIPHERTEXT: &str = "307102210080d78fa2ceddb93770c52648e30ffb2da6ffd29a3df1c7bd0fd22ccc3c4a5493022100b00a8e1794c4a02dd7000df1e1c1eedd0490ae0a39513d739fd0aafbd6235fa70420d924d7e1412de8952fdbdc0eefb9a1a620a5d199dd1198abcc722fa6e41cf26f0407ec52c81b0e229c";

#[test]
fn keys_signatures_and_ciphertext_of_openssl_are_taken() {
    for der in [OPENSSL_PKCS8, OPENSSL_SEC1] {
        let key = PrivateKey::import(AsymSpec::EcSm2, &hex(der)).unwrap();
        assert_eq!(hex::encode(key.public_spki()), OPENSSL_SPKI);
        assert_eq!(key.decrypt(EncAlg::Sm2Pke, &hex(OPENSSL_CIPHERTEXT)).unwrap().expose(), b"message");
    }
    let spki = hex(OPENSSL_SPKI);
    assert_eq!(spec_of_spki(&spki), Some(AsymSpec::EcSm2));
    let e = digest(&spki, b"message");
    assert!(verify(AsymSpec::EcSm2, SignAlg::Sm2Dsa, &spki, &e, &hex(OPENSSL_SIGNATURE)));
}

#[test]
fn a_private_key_with_the_public_half_of_another_is_refused() {
    let scalar = "4df894d4967e90b1de40cb3fc4e1fb2e2b8ebbf2c417907f506f6795cd652267";
    for der in [OPENSSL_PKCS8, OPENSSL_SEC1] {
        let other = der.replace(scalar, "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
        assert_ne!(other, der);
        assert!(PrivateKey::import(AsymSpec::EcSm2, &hex(&other)).is_err());
    }
}

/// The scalar n - 1 makes a key pair but no signature; the standard excludes it.
#[test]
fn the_one_scalar_that_cannot_sign_is_refused() {
    let scalar = hex("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122");
    let der = SecretKey::from_slice(&scalar).unwrap().to_pkcs8_der().unwrap();
    assert!(PrivateKey::import(AsymSpec::EcSm2, der.as_bytes()).is_err());
}

/// The same key under the parameters of P-256, and SEC1 that names another curve.
#[test]
fn a_key_of_another_curve_is_refused() {
    let (sm2, p256) = ("06082a811ccf5501822d", "06082a8648ce3d030107");
    for der in [OPENSSL_PKCS8, OPENSSL_SEC1] {
        assert!(der.contains(sm2));
        let other = hex(&der.replace(sm2, p256));
        assert!(PrivateKey::import(AsymSpec::EcSm2, &other).is_err(), "{der}");
        assert!(PrivateKey::import(AsymSpec::EcP256, &other).is_err(), "{der}");
    }
}
