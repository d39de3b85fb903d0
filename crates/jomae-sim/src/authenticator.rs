//! An authenticator in software, with the browser before it: makes passkeys and signs in with them, and lies where it is told to.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use coset::cbor::{Value, into_writer};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey, SignAlg},
    hash::sha256,
    rng,
};

/// Somebody is there.
pub const PRESENT: u8 = 1;
/// The authenticator knows who.
pub const VERIFIED: u8 = 1 << 2;
/// The passkey can be backed up.
pub const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// It is.
pub const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
/// Something follows behind the fixed fields.
pub const EXTENSIONS: u8 = 1 << 7;

/// One passkey. Everything that it says can be changed.
pub struct Authenticator {
    private: PrivateKey,
    pub credential_id: Vec<u8>,
    pub rp_id: String,
    pub flags: u8,
    pub counter: u32,
    /// Whether it counts on before it signs.
    pub is_counting: bool,
    /// As it is in COSE.
    pub key: Vec<(i64, Value)>,
    /// What stands behind everything else in the authenticator data.
    pub tail: Vec<u8>,
}

/// `clientDataJSON`, as a browser writes it.
pub fn client_data(kind: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#).into_bytes()
}

/// CBOR of a value.
pub fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).expect("a vector takes everything");
    bytes
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

impl Authenticator {
    /// A passkey for a relying party: P-256, Ed25519 or RSA with 2048 bits.
    pub fn new(spec: AsymSpec, rp_id: &str) -> Self {
        let private = PrivateKey::generate(spec).expect("a key");
        let spki = private.public_spki();
        // The bare key is the end of its SPKI, for RSA in DER before an exponent of 65537 (RFC 5280, RFC 8017).
        let end = |bytes: usize, behind: usize| Value::Bytes(spki[spki.len() - bytes - behind..][..bytes].to_vec());
        let int = |number: i64| Value::Integer(number.into());
        let key = match spec {
            AsymSpec::EcP256 => vec![(1, int(2)), (3, int(-7)), (-1, int(1)), (-2, end(32, 32)), (-3, end(32, 0))],
            AsymSpec::Ed25519 => vec![(1, int(1)), (3, int(-8)), (-1, int(6)), (-2, end(32, 0))],
            AsymSpec::Rsa2048 => {
                vec![(1, int(3)), (3, int(-257)), (-1, end(256, 5)), (-2, Value::Bytes(vec![1, 0, 1]))]
            }
            other => panic!("no passkeys of {other:?}"),
        };
        Self {
            private,
            credential_id: rng::public_array::<16>().to_vec(),
            rp_id: rp_id.to_owned(),
            flags: PRESENT | VERIFIED,
            counter: 1,
            is_counting: true,
            key,
            tail: Vec::new(),
        }
    }

    fn head(&self, more: u8) -> Vec<u8> {
        let (rp_id, counter) = (sha256(&[self.rp_id.as_bytes()]), self.counter.to_be_bytes());
        [&rp_id[..], &[self.flags | more], &counter].concat()
    }

    /// The key, in COSE.
    pub fn cose(&self) -> Value {
        Value::Map(self.key.iter().map(|(label, value)| (Value::Integer((*label).into()), value.clone())).collect())
    }

    /// What `navigator.credentials.create()` gives as `authData`.
    pub fn made(&self) -> Vec<u8> {
        let id_bytes = u16::try_from(self.credential_id.len()).expect("an id of that length").to_be_bytes();
        let model = [0; 16];
        [&self.head(ATTESTED)[..], &model, &id_bytes, &self.credential_id, &cbor(&self.cose()), &self.tail].concat()
    }

    /// The attestation object, without a statement.
    pub fn attestation(&self) -> Vec<u8> {
        attestation_of(&self.made())
    }

    /// What `navigator.credentials.get()` gives: authenticator data and signature.
    pub fn sign(&mut self, client_data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        if self.is_counting {
            self.counter += 1;
        }
        let data = [self.head(0), self.tail.clone()].concat();
        let message = [&data[..], &sha256(&[client_data])].concat();
        let signed = match self.private.spec() {
            AsymSpec::EcP256 => self.private.sign(SignAlg::EcdsaSha256, &sha256(&[&message])),
            AsymSpec::Ed25519 => self.private.sign(SignAlg::Ed25519, &message),
            _ => self.private.sign(SignAlg::RsaPkcs1Sha256, &sha256(&[&message])),
        };
        (data, signed.unwrap_or_else(|_| panic!("it signs")))
    }
}

/// An attestation object around authenticator data, without a statement.
pub fn attestation_of(data: &[u8]) -> Vec<u8> {
    cbor(&Value::Map(vec![
        (text("fmt"), text("none")),
        (text("attStmt"), Value::Map(Vec::new())),
        (text("authData"), Value::Bytes(data.to_vec())),
    ]))
}
