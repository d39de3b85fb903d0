//! Bringing key material in: unwrapping what a client wrapped for us, and the client's side of it.
//!
//! | algorithm             | wrapping key | blob                                                                 |
//! |-----------------------|--------------|----------------------------------------------------------------------|
//! | `RsaesPkcs1V15`       | RSA          | RSAES-PKCS1-v1_5 (RFC 8017) of the material                          |
//! | `RsaesOaepSha1`, `…Sha256` | RSA     | RSAES-OAEP of the material, MGF1 with the same hash, empty label     |
//! | `Sm2Pke`              | SM2          | SM2 encryption of the material, raw or DER; see [`crate::asym`]      |
//! | `RsaAesKeyWrapSha1`, `…Sha256` | RSA | RSAES-OAEP of a new 256-bit AES key, then AES-KWP (RFC 5649) of the material under it (PKCS#11 `CKM_RSA_AES_KEY_WRAP`) |
//!
//! # No padding oracle
//!
//! Whoever can see, by error or by time, whether the padding of a PKCS#1 v1.5 blob of their choice is good can decrypt
//! a captured blob (Bleichenbacher). The library reports bad padding as an error. Therefore [`unwrap_material`] always
//! gives material: where a blob does not unwrap to the expected length it takes a substitute, derived from the private
//! key and the blob before the blob is looked at, and chooses between the two in constant time. The caller does
//! everything with the material that it would do with a good one, and only as its last step calls
//! [`Unwrapped::accept`]. One refusal in total still is one bit: a caller who lets the same wrapping key be tried without
//! limit rebuilds the oracle, so it must drop the wrapping key after a few refusals.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::asym::{self, AsymSpec, EncAlg, EncryptRefused, PrivateKey, Undecipherable};
use crate::hash::sha256;
use crate::purpose::Purpose;
use crate::rng;
use crate::sealed::hkdf_sha256;
use crate::secret::{Key256, SecretBytes, assert_not_impl};

/// The longest material in bytes: a PKCS#8 private key of any [`AsymSpec`] fits.
pub const MATERIAL_BYTES_MAX: usize = 6 * 1024;

/// The longest blob that is looked at, in bytes.
pub const BLOB_BYTES_MAX: usize = MATERIAL_BYTES_MAX + 1024;

/// Length of the substitute if the caller expects no certain length, in bytes.
const SUBSTITUTE_BYTES: usize = 32;

/// How material is wrapped; the table of the module has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WrapAlg {
    /// RSAES-PKCS1-v1_5.
    RsaesPkcs1V15,
    /// RSAES-OAEP with SHA-1.
    RsaesOaepSha1,
    /// RSAES-OAEP with SHA-256.
    RsaesOaepSha256,
    /// SM2 encryption.
    Sm2Pke,
    /// AES-KWP under a key that travels by RSAES-OAEP with SHA-1.
    RsaAesKeyWrapSha1,
    /// AES-KWP under a key that travels by RSAES-OAEP with SHA-256.
    RsaAesKeyWrapSha256,
}

impl WrapAlg {
    /// All algorithms.
    pub const ALL: [Self; 6] = [
        Self::RsaesPkcs1V15,
        Self::RsaesOaepSha1,
        Self::RsaesOaepSha256,
        Self::Sm2Pke,
        Self::RsaAesKeyWrapSha1,
        Self::RsaAesKeyWrapSha256,
    ];

    /// Whether a wrapping key of `spec` is for this.
    pub const fn fits(self, spec: AsymSpec) -> bool {
        match self {
            Self::Sm2Pke => matches!(spec, AsymSpec::EcSm2),
            _ => spec.rsa_modulus_bytes().is_some(),
        }
    }

    /// The longest material that this wraps under a key of `spec`, in bytes; `None` if the two do not fit.
    pub const fn material_bytes_max(self, spec: AsymSpec) -> Option<usize> {
        match self {
            Self::RsaesPkcs1V15 => match spec.rsa_modulus_bytes() {
                Some(modulus) => Some(modulus - 11),
                None => None,
            },
            Self::RsaesOaepSha1 => EncAlg::RsaesOaepSha1.plaintext_bytes_max(spec),
            Self::RsaesOaepSha256 => EncAlg::RsaesOaepSha256.plaintext_bytes_max(spec),
            Self::Sm2Pke => EncAlg::Sm2Pke.plaintext_bytes_max(spec),
            Self::RsaAesKeyWrapSha1 | Self::RsaAesKeyWrapSha256 => {
                if self.fits(spec) {
                    Some(MATERIAL_BYTES_MAX)
                } else {
                    None
                }
            }
        }
    }
}

/// Material that was unwrapped, or its substitute. Which of the two does not show until [`Unwrapped::accept`].
pub struct Unwrapped {
    material: SecretBytes,
    genuine: Choice,
}

assert_not_impl!(Unwrapped: std::fmt::Debug, Clone, PartialEq, serde::Serialize);

impl Unwrapped {
    /// The material or its substitute.
    pub fn material(&self) -> &SecretBytes {
        &self.material
    }

    /// The material if the blob unwrapped to the expected length, else `None`. To be called last; see the module.
    pub fn accept(self) -> Option<SecretBytes> {
        bool::from(self.genuine).then_some(self.material)
    }
}

/// Unwraps `blob` with the private half of the wrapping key. With `expected_bytes`, material of another length counts
/// as damage. PKCS#1 v1.5 accepts nothing without it, since the length would show whether the padding was good.
pub fn unwrap_material(wrapping: &PrivateKey, alg: WrapAlg, blob: &[u8], expected_bytes: Option<usize>) -> Unwrapped {
    let substitute = substitute(wrapping, alg, blob, expected_bytes);
    if alg == WrapAlg::RsaesPkcs1V15 {
        return unwrap_pkcs1_v15(wrapping, blob, expected_bytes, substitute);
    }
    let unwrapped = unwrap_reported(wrapping, alg, blob).ok();
    match unwrapped.filter(|material| expected_bytes.is_none_or(|expected| expected == material.len())) {
        Some(material) => Unwrapped { material, genuine: Choice::from(1) },
        None => Unwrapped { material: substitute, genuine: Choice::from(0) },
    }
}

/// What stands in for the material: the same bytes each time for the same key and blob, and unpredictable without the
/// key.
fn substitute(wrapping: &PrivateKey, alg: WrapAlg, blob: &[u8], expected_bytes: Option<usize>) -> SecretBytes {
    let bytes = expected_bytes.unwrap_or(SUBSTITUTE_BYTES).min(MATERIAL_BYTES_MAX);
    let mut out = Zeroizing::new(vec![0; bytes]);
    let derived = wrapping.to_pkcs8().ok().and_then(|pkcs8| {
        let label: &[u8] = if alg == WrapAlg::RsaesPkcs1V15 { b"pkcs1-v1.5" } else { b"other" };
        let info = [Purpose::SubstituteMaterial.label().as_bytes(), &[0], label];
        hkdf_sha256(pkcs8.expose(), &sha256(&[blob]), &info, &mut out)
    });
    if derived.is_none() {
        rng::fill(&mut out);
    }
    SecretBytes::new(std::mem::take(&mut *out))
}

/// Runs the same steps for good and bad padding. What it branches on is known to whoever made the blob: the kind of the
/// key, the expected length and the length of the blob.
fn unwrap_pkcs1_v15(
    wrapping: &PrivateKey,
    blob: &[u8],
    expected_bytes: Option<usize>,
    substitute: SecretBytes,
) -> Unwrapped {
    let spec = wrapping.spec();
    let (Some(modulus_bytes), Some(expected), Some(longest)) =
        (spec.rsa_modulus_bytes(), expected_bytes, WrapAlg::RsaesPkcs1V15.material_bytes_max(spec))
    else {
        return Unwrapped { material: substitute, genuine: Choice::from(0) };
    };
    if expected > longest || blob.len() != modulus_bytes {
        return Unwrapped { material: substitute, genuine: Choice::from(0) };
    }
    let mut out = Zeroizing::new(vec![0; modulus_bytes]);
    let outcome = wrapping.decrypt_pkcs1_v15(blob, &mut out);
    let good_padding = Choice::from(u8::from(outcome.is_ok()));
    let genuine = good_padding & outcome.unwrap_or_default().ct_eq(&expected);
    let mut material = Zeroizing::new(vec![0; expected]);
    for (chosen, (substituted, unwrapped)) in material.iter_mut().zip(substitute.expose().iter().zip(out.iter())) {
        *chosen = u8::conditional_select(substituted, unwrapped, genuine);
    }
    Unwrapped { material: SecretBytes::new(std::mem::take(&mut *material)), genuine }
}

/// The algorithms whose outcome may show: OAEP, SM2 and key wrap fail in one way, which says nothing of the plaintext.
fn unwrap_reported(wrapping: &PrivateKey, alg: WrapAlg, blob: &[u8]) -> Result<SecretBytes, Undecipherable> {
    if blob.len() > BLOB_BYTES_MAX {
        return Err(Undecipherable);
    }
    match alg {
        WrapAlg::RsaesOaepSha1 => wrapping.decrypt(EncAlg::RsaesOaepSha1, blob),
        WrapAlg::RsaesOaepSha256 => wrapping.decrypt(EncAlg::RsaesOaepSha256, blob),
        WrapAlg::Sm2Pke => wrapping.decrypt(EncAlg::Sm2Pke, blob),
        WrapAlg::RsaAesKeyWrapSha1 => unwrap_hybrid(wrapping, EncAlg::RsaesOaepSha1, blob),
        WrapAlg::RsaAesKeyWrapSha256 => unwrap_hybrid(wrapping, EncAlg::RsaesOaepSha256, blob),
        WrapAlg::RsaesPkcs1V15 => Err(Undecipherable),
    }
}

fn unwrap_hybrid(wrapping: &PrivateKey, oaep: EncAlg, blob: &[u8]) -> Result<SecretBytes, Undecipherable> {
    let modulus_bytes = wrapping.spec().rsa_modulus_bytes().ok_or(Undecipherable)?;
    let (wrapped_kek, wrapped) = blob.split_at_checked(modulus_bytes).ok_or(Undecipherable)?;
    let kek = wrapping.decrypt(oaep, wrapped_kek)?;
    let kek = AesKek::new(&AES_256, kek.expose()).map_err(|_| Undecipherable)?;
    let mut out = Zeroizing::new(vec![0; wrapped.len()]);
    let material_bytes = kek.unwrap_with_padding(wrapped, &mut out).map_err(|_| Undecipherable)?.len();
    out.truncate(material_bytes);
    if material_bytes > MATERIAL_BYTES_MAX {
        return Err(Undecipherable);
    }
    Ok(SecretBytes::new(std::mem::take(&mut *out)))
}

/// The client's side: wraps `material` to the public key `spki`, which must be of a spec that [`WrapAlg::fits`].
pub fn wrap_material(spki: &[u8], alg: WrapAlg, material: &SecretBytes) -> Result<Vec<u8>, EncryptRefused> {
    let spec = asym::spec_of_spki(spki).ok_or(EncryptRefused::PublicKey)?;
    let material_bytes_max = alg.material_bytes_max(spec).ok_or(EncryptRefused::Algorithm)?;
    if material.is_empty() {
        return Err(EncryptRefused::Empty);
    }
    if material.len() > material_bytes_max {
        return Err(EncryptRefused::TooLong);
    }
    let plaintext = material.expose();
    match alg {
        WrapAlg::RsaesPkcs1V15 => asym::encrypt_pkcs1_v15(spki, plaintext),
        WrapAlg::RsaesOaepSha1 => asym::encrypt(spec, EncAlg::RsaesOaepSha1, spki, plaintext),
        WrapAlg::RsaesOaepSha256 => asym::encrypt(spec, EncAlg::RsaesOaepSha256, spki, plaintext),
        WrapAlg::Sm2Pke => asym::encrypt(spec, EncAlg::Sm2Pke, spki, plaintext),
        WrapAlg::RsaAesKeyWrapSha1 => wrap_hybrid(spec, EncAlg::RsaesOaepSha1, spki, plaintext),
        WrapAlg::RsaAesKeyWrapSha256 => wrap_hybrid(spec, EncAlg::RsaesOaepSha256, spki, plaintext),
    }
}

fn wrap_hybrid(spec: AsymSpec, oaep: EncAlg, spki: &[u8], material: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    let kek = Key256::random();
    let mut blob = asym::encrypt(spec, oaep, spki, kek.expose())?;
    let kek = AesKek::new(&AES_256, kek.expose()).map_err(|_| EncryptRefused::Library)?;
    // KWP pads to whole blocks of 8 bytes and puts one more in front.
    let mut wrapped = vec![0; material.len().next_multiple_of(8) + 8];
    let wrapped = kek.wrap_with_padding(material, &mut wrapped).map_err(|_| EncryptRefused::Library)?;
    blob.extend_from_slice(wrapped);
    Ok(blob)
}

#[cfg(test)]
mod tests;
