//! Key specs and wrapping algorithms, with the limits that follow from them.

use crate::{
    actions::metadata::{KeySpec, KeyUsage},
    limits,
    spec::{Algorithm, KeyKind, Purpose, SPECS, SpecRow, WRAPPING_KEYS, WrappingAlgorithm},
};

/// One use of one kind of key.
pub(super) struct KeyUse {
    pub(super) row: &'static SpecRow,
    pub(super) usage: KeyUsage,
    /// `None`: the cipher is part of the spec.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) actions: &'static str,
    pub(super) limit: String,
}

/// Every spec × usage × algorithm that there is.
pub(super) fn uses() -> impl Iterator<Item = KeyUse> {
    SPECS.iter().flat_map(|row| {
        row.usages.iter().flat_map(move |usage| {
            let algorithms: Vec<_> = match row.kind {
                KeyKind::Symmetric => vec![None],
                _ => row.algorithms.iter().filter(|a| row.takes(*usage, **a)).map(|a| Some(*a)).collect(),
            };
            algorithms.into_iter().map(move |algorithm| KeyUse {
                row,
                usage: *usage,
                algorithm,
                actions: actions(algorithm),
                limit: limit(row.spec, algorithm),
            })
        })
    })
}

fn actions(algorithm: Option<Algorithm>) -> &'static str {
    match algorithm.map(Algorithm::purpose) {
        None => "Encrypt, Decrypt, ReEncrypt, data keys",
        Some(Purpose::Encrypt) => "AsymmetricEncrypt, AsymmetricDecrypt, source of ReEncrypt",
        Some(Purpose::Decapsulate) => "AsymmetricDecrypt",
        Some(Purpose::Sign) => "AsymmetricSign, AsymmetricVerify",
        Some(Purpose::Mac) => "GenerateMac, VerifyMac",
    }
}

fn limit(spec: KeySpec, algorithm: Option<Algorithm>) -> String {
    let Some(algorithm) = algorithm else { return format!("plaintext of 1–{} bytes", limits::PLAINTEXT_BYTES_MAX) };
    match algorithm.purpose() {
        Purpose::Encrypt => {
            let longest = spec.asymmetric().zip(algorithm.encryption());
            let longest = longest.and_then(|(spec, algorithm)| algorithm.plaintext_bytes_max(spec)).unwrap_or(0);
            format!("plaintext of 1–{longest} bytes")
        }
        Purpose::Decapsulate => "encapsulation of 1088 bytes".to_owned(),
        Purpose::Sign => match algorithm.digest_bytes() {
            Some(bytes) => format!("digest of {bytes} bytes"),
            None => format!("message of 1–{} bytes", limits::MESSAGE_BYTES_MAX),
        },
        Purpose::Mac => format!("message of 1–{} bytes", limits::MESSAGE_BYTES_MAX),
    }
}

/// One way to wrap material for import.
pub(super) struct Wrapping {
    pub(super) key: KeySpec,
    pub(super) algorithm: WrappingAlgorithm,
    pub(super) material_bytes_max: usize,
    pub(super) extension: bool,
}

/// Every wrapping key × wrapping algorithm that fit.
pub(super) fn wrappings() -> impl Iterator<Item = Wrapping> {
    WRAPPING_KEYS.iter().flat_map(|(key, extension)| {
        let fitting = WrappingAlgorithm::ALL.iter().filter(|algorithm| algorithm.fits(*key));
        fitting.filter_map(|algorithm| {
            let material_bytes_max = algorithm.wrapping().material_bytes_max(key.asymmetric()?)?;
            let extension = *extension || algorithm.extension();
            Some(Wrapping { key: *key, algorithm: *algorithm, material_bytes_max, extension })
        })
    })
}
