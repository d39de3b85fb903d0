//! Receipts: `Receipt::open`.
//!
//! Input: one byte that chooses: 0, the rest is a text; 1, the rest is a text that our key signs; else the rest are
//! changes to a receipt. Only that receipt may open, or a signed text that has its form.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jomae_crypto::asym::{AsymSpec, PrivateKey};
use jomae_fuzz::change;
use jomae_log::Timestamp;
use jomae_log::receipt::RECEIPT_BYTES_MAX;
use jomae_log::{Receipt, Signer, leaf_hash};
use libfuzzer_sys::fuzz_target;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let key = PrivateKey::import(AsymSpec::Ed25519, include_bytes!("../seeds/private_key/ed25519")).unwrap();
    Signer::new("log.example", key).unwrap()
});
static RECEIPT: LazyLock<Receipt> = LazyLock::new(|| Receipt {
    origin: "log.example".into(),
    index: 13,
    leaf: leaf_hash(b"{\"n\":13}"),
    event_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73".into(),
    time: Timestamp(1_800_000_000),
});
static SENT: LazyLock<String> = LazyLock::new(|| RECEIPT.sign(&SIGNER).unwrap());

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else { return };
    let sent = match mode {
        1 => {
            let Ok(note) = std::str::from_utf8(rest).map_err(drop).and_then(|text| SIGNER.sign(text).map_err(drop))
            else {
                return;
            };
            URL_SAFE_NO_PAD.encode(note)
        }
        mode => {
            let mut bytes = if *mode == 0 { rest.to_vec() } else { SENT.clone().into_bytes() };
            if *mode != 0 {
                change(&mut bytes, rest);
            }
            let Ok(sent) = String::from_utf8(bytes) else { return };
            sent
        }
    };
    match Receipt::open(&sent, SIGNER.verifier()) {
        Ok(receipt) => {
            assert!(sent.trim_ascii().len() <= RECEIPT_BYTES_MAX);
            // The text of a receipt is the only one with its meaning, and the signature the only one of the text.
            assert_eq!(receipt.sign(&SIGNER).as_deref(), Ok(sent.trim_ascii()));
            assert!(*mode == 1 || receipt == *RECEIPT);
        }
        Err(_) => assert_ne!(sent, *SENT, "our own receipt does not open"),
    }
});
