//! Keys in a session: making, bringing in, using, and trying whether they work.

use cryptoki::{
    error::{Error, RvError},
    mechanism::{
        Mechanism, MechanismType,
        aead::GcmParams,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams},
    },
    object::{Attribute, KeyType, ObjectHandle},
    session::Session,
};
use jomae_crypto::{
    asym::{self, EncAlg, SignAlg},
    secret::ct_eq,
};
use zeroize::Zeroize as _;

use super::{class, failed, form};
use crate::{
    kind::{Algorithm, Curve, Hash, Kind, Shape},
    wire::{Failure, KeyRef, Secret},
};

/// Length of the tag of AES-GCM, in bytes.
const TAG_BYTES: usize = 16;

/// How long an object lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// Until it is destroyed.
    Token,
    /// As long as the session.
    Session,
}

/// What every key of ours is: used in the token, never shown, under its id and label.
fn common(key: &KeyRef, label: &str, lasting: Lasting) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(lasting == Lasting::Token),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Id(key.id.to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    match key.kind.shape() {
        Shape::Aes { .. } => template.extend([Attribute::Encrypt(true), Attribute::Decrypt(true)]),
        Shape::Rsa { signs: false, .. } => template.push(Attribute::Decrypt(true)),
        Shape::Rsa { .. } | Shape::Ec(_) | Shape::Ed25519 => template.push(Attribute::Sign(true)),
        Shape::Hmac(_) => template.extend([Attribute::Sign(true), Attribute::Verify(true)]),
    }
    template
}

/// Makes a key, and gives the public half of a pair as SubjectPublicKeyInfo.
pub fn generate(
    session: &Session,
    key: &KeyRef,
    label: &str,
    lasting: Lasting,
) -> Result<(ObjectHandle, Option<Vec<u8>>), Failure> {
    let mut private = common(key, label, lasting);
    let (mechanism, mut public) = match key.kind.shape() {
        Shape::Aes { bytes } => return Ok((secret(session, &Mechanism::AesKeyGen, private, bytes)?, None)),
        Shape::Hmac(hash) => {
            private.push(Attribute::KeyType(KeyType::GENERIC_SECRET));
            return Ok((secret(session, &Mechanism::GenericSecretKeyGen, private, hash.bytes())?, None));
        }
        Shape::Rsa { bits, signs } => {
            let may = if signs { Attribute::Verify(true) } else { Attribute::Encrypt(true) };
            let public =
                vec![may, Attribute::ModulusBits(u64::from(bits).into()), Attribute::PublicExponent(vec![1, 0, 1])];
            (Mechanism::RsaPkcsKeyPairGen, public)
        }
        Shape::Ec(curve) => {
            let parameters = Attribute::EcParams(form::curve(curve));
            (Mechanism::EccKeyPairGen, vec![Attribute::Verify(true), parameters])
        }
        Shape::Ed25519 => {
            let parameters = Attribute::EcParams(form::ed25519());
            (Mechanism::EccEdwardsKeyPairGen, vec![Attribute::Verify(true), parameters])
        }
    };
    // The public half is kept in the record of the version; in the token it would take up room.
    public.push(Attribute::Token(false));
    let (public, private) = session.generate_key_pair(&mechanism, &public, &private).map_err(failed)?;
    let spki = form::public_key(session, public, key.kind);
    let _gone_with_the_session = session.destroy_object(public);
    match spki {
        Ok(spki) => Ok((private, Some(spki))),
        Err(failure) => {
            session.destroy_object(private).map_err(failed)?;
            Err(failure)
        }
    }
}

fn secret(
    session: &Session,
    mechanism: &Mechanism<'_>,
    mut template: Vec<Attribute>,
    bytes: usize,
) -> Result<ObjectHandle, Failure> {
    template.push(Attribute::ValueLen((bytes as u64).into()));
    session.generate_key(mechanism, &template).map_err(failed)
}

/// Brings in material that has been checked to be of the kind.
pub fn import(
    session: &Session,
    key: &KeyRef,
    label: &str,
    material: &[u8],
    lasting: Lasting,
) -> Result<ObjectHandle, Failure> {
    let mut template = common(key, label, lasting);
    template.push(Attribute::Class(class(key.kind)));
    match key.kind.shape() {
        Shape::Aes { .. } => {
            template.extend([Attribute::KeyType(KeyType::AES), Attribute::Value(material.to_vec())]);
        }
        Shape::Hmac(_) => {
            template.extend([Attribute::KeyType(KeyType::GENERIC_SECRET), Attribute::Value(material.to_vec())]);
        }
        Shape::Rsa { .. } => template.extend(form::rsa_private(material)?),
        Shape::Ec(curve) => template.extend([
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(form::curve(curve)),
            Attribute::Value(form::ec_private(material)?),
        ]),
        Shape::Ed25519 => template.extend([
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::EcParams(form::ed25519()),
            Attribute::Value(form::ed25519_private(material)?),
        ]),
    }
    let made = session.create_object(&template).map_err(failed);
    for attribute in &mut template {
        match attribute {
            Attribute::Value(secret)
            | Attribute::PrivateExponent(secret)
            | Attribute::Prime1(secret)
            | Attribute::Prime2(secret)
            | Attribute::Exponent1(secret)
            | Attribute::Exponent2(secret)
            | Attribute::Coefficient(secret) => secret.zeroize(),
            _ => {}
        }
    }
    made
}

fn gcm<'a>(nonce: &'a mut [u8; 12], aad: &'a [u8]) -> Result<Mechanism<'a>, Error> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, aad, ((TAG_BYTES * 8) as u64).into())?))
}

/// AES-GCM; the tag is the last 16 bytes.
pub fn seal(
    session: &Session,
    key: ObjectHandle,
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut given = nonce;
    let sealed = session.encrypt(&gcm(&mut given, aad)?, key, plaintext)?;
    // Some tokens take a nonce of their own and write it over ours; what is under another one would never open.
    if given != nonce || sealed.len() != plaintext.len() + TAG_BYTES {
        return Err(Error::InvalidValue);
    }
    Ok(sealed)
}

/// The inverse; none if it does not open.
pub fn open(
    session: &Session,
    key: ObjectHandle,
    mut nonce: [u8; 12],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Option<Secret>, Error> {
    let length = ciphertext.len().checked_sub(TAG_BYTES);
    match session.decrypt(&gcm(&mut nonce, aad)?, key, ciphertext) {
        Ok(plaintext) if Some(plaintext.len()) == length => Ok(Some(Secret::new(plaintext))),
        Ok(mut other) => {
            other.zeroize();
            Err(Error::InvalidValue)
        }
        Err(error) if may_be_the_input(&error) => {
            // Whether it is the ciphertext or the token: what is known to open must open.
            if opens_what_it_seals(session, key)? { Ok(None) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}

/// Errors by which tokens say that a ciphertext does not fit.
const fn may_be_the_input(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::GeneralError
                | RvError::FunctionFailed
                // Kryoptic's for padding that does not fit.
                | RvError::DeviceError,
            _
        )
    )
}

/// Nonce and plaintext of this are always the same, so it gives away nothing however often it is done; no message has this
/// nonce.
fn opens_what_it_seals(session: &Session, key: ObjectHandle) -> Result<bool, Error> {
    let (nonce, aad, known) = ([0; 12], b"jomae check", [0x55; 32]);
    let sealed = seal(session, key, nonce, aad, &known)?;
    let opened = session.decrypt(&gcm(&mut { nonce }, aad)?, key, &sealed)?;
    Ok(ct_eq(&opened, &known) && sealed.get(..known.len()) != Some(&known[..]))
}

/// The mechanism, and the longest plaintext of a ciphertext of this length.
fn oaep(algorithm: Algorithm, ciphertext_bytes: usize) -> Option<(Mechanism<'static>, usize)> {
    let (hash, mgf, hash_bytes) = match algorithm {
        Algorithm::RsaesOaepSha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, 20),
        Algorithm::RsaesOaepSha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        _ => return None,
    };
    let longest = ciphertext_bytes.saturating_sub(2 * hash_bytes + 2);
    Some((Mechanism::RsaPkcsOaep(oaep_params(hash, mgf)), longest))
}

/// Decrypts; none if it does not decrypt, whatever the token says of it.
pub fn decrypt(
    session: &Session,
    key: ObjectHandle,
    algorithm: Algorithm,
    ciphertext: &[u8],
) -> Result<Option<Secret>, Error> {
    let Some((mechanism, longest)) = oaep(algorithm, ciphertext.len()) else { return Err(Error::NotSupported) };
    match session.decrypt(&mechanism, key, ciphertext) {
        Ok(plaintext) if plaintext.len() <= longest => Ok(Some(Secret::new(plaintext))),
        Ok(mut other) => {
            other.zeroize();
            Err(Error::InvalidValue)
        }
        Err(error) if may_be_the_input(&error) => {
            // Whether it is the ciphertext or the token: one that works does something else.
            session.generate_random_slice(&mut [0; 16])?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A signature in the form of jomae-crypto.
pub fn sign(
    session: &Session,
    key: ObjectHandle,
    kind: Kind,
    algorithm: Algorithm,
    input: &[u8],
) -> Result<Vec<u8>, Error> {
    let (signature, length) = match (algorithm, kind.shape()) {
        (Algorithm::RsaPssSha256, Shape::Rsa { signs: true, bits }) => {
            let params =
                PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32_u64.into() };
            (session.sign(&Mechanism::RsaPkcsPss(params), key, input)?, usize::from(bits / 8))
        }
        (Algorithm::RsaPkcs1Sha256, Shape::Rsa { signs: true, bits }) => {
            (session.sign(&Mechanism::RsaPkcs, key, &form::sha256_digest_info(input))?, usize::from(bits / 8))
        }
        (Algorithm::Ecdsa, Shape::Ec(curve)) => {
            let raw = session.sign(&Mechanism::Ecdsa, key, input)?;
            return form::ecdsa_signature(curve, &raw).ok_or(Error::InvalidValue);
        }
        (Algorithm::Ed25519, Shape::Ed25519) => {
            let params = EddsaParams::new(EddsaSignatureScheme::Ed25519);
            (session.sign(&Mechanism::Eddsa(params), key, input)?, 64)
        }
        _ => return Err(Error::NotSupported),
    };
    if signature.len() == length { Ok(signature) } else { Err(Error::InvalidValue) }
}

/// A MAC of its hash's full length.
pub fn mac(session: &Session, key: ObjectHandle, kind: Kind, message: &[u8]) -> Result<Vec<u8>, Error> {
    let Shape::Hmac(hash) = kind.shape() else { return Err(Error::NotSupported) };
    let mechanism = match hash {
        Hash::Sha224 => Mechanism::Sha224Hmac,
        Hash::Sha256 => Mechanism::Sha256Hmac,
        Hash::Sha384 => Mechanism::Sha384Hmac,
        Hash::Sha512 => Mechanism::Sha512Hmac,
    };
    let mac = session.sign(&mechanism, key, message)?;
    if mac.len() == hash.bytes() { Ok(mac) } else { Err(Error::InvalidValue) }
}

/// Whether a key does everything that its kind must, as whoever verifies it outside the token sees it.
pub fn check(session: &Session, key: ObjectHandle, kind: Kind, public: Option<&[u8]>) -> Result<(), Failure> {
    let works = match (kind.shape(), kind.pair(), public) {
        (Shape::Aes { .. }, ..) => opens_what_it_seals(session, key).map_err(failed)?,
        (Shape::Hmac(_), ..) => {
            let (a, b) = (mac(session, key, kind, b"a"), mac(session, key, kind, b"b"));
            let (a, b) = (a.map_err(failed)?, b.map_err(failed)?);
            a != b && a == mac(session, key, kind, b"a").map_err(failed)?
        }
        (Shape::Rsa { signs: false, .. }, Some(spec), Some(public)) => {
            let both = [
                (Algorithm::RsaesOaepSha1, EncAlg::RsaesOaepSha1),
                (Algorithm::RsaesOaepSha256, EncAlg::RsaesOaepSha256),
            ];
            let mut works = true;
            for (algorithm, same) in both {
                let sealed = asym::encrypt(spec, same, public, b"jomae check")
                    .map_err(|error| Failure::Nonsense(format!("a public key that does not encrypt: {error}")))?;
                let opened = decrypt(session, key, algorithm, &sealed).map_err(failed)?;
                works &= opened.is_some_and(|opened| opened.expose() == b"jomae check");
            }
            works
        }
        (shape, Some(spec), Some(public)) => {
            let algorithms: &[(Algorithm, SignAlg)] = match shape {
                Shape::Rsa { .. } => &[
                    (Algorithm::RsaPssSha256, SignAlg::RsaPssSha256),
                    (Algorithm::RsaPkcs1Sha256, SignAlg::RsaPkcs1Sha256),
                ],
                Shape::Ec(Curve::P384) => &[(Algorithm::Ecdsa, SignAlg::EcdsaSha384)],
                Shape::Ec(Curve::P521) => &[(Algorithm::Ecdsa, SignAlg::EcdsaSha512)],
                Shape::Ec(_) => &[(Algorithm::Ecdsa, SignAlg::EcdsaSha256)],
                _ => &[(Algorithm::Ed25519, SignAlg::Ed25519)],
            };
            let mut works = true;
            for (algorithm, same) in algorithms {
                let digest = vec![0x5a; same.digest_bytes().unwrap_or(20)];
                let signature = sign(session, key, kind, *algorithm, &digest).map_err(failed)?;
                works &= asym::verify(spec, *same, public, &digest, &signature);
            }
            works
        }
        _ => false,
    };
    if works { Ok(()) } else { Err(Failure::Nonsense(format!("a key of the kind {kind:?} that does not work"))) }
}

/// With an empty label, as the product has it.
fn oaep_params(hash: MechanismType, mgf: PkcsMgfType) -> PkcsOaepParams<'static> {
    PkcsOaepParams::new(hash, mgf, PkcsOaepSource::empty())
}
