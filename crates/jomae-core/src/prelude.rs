//! What every handler is written with.

pub(crate) use jomae_api::{
    answer::{Base64, Empty, List, SecretBase64, SecretText},
    error::Refusal,
    limits,
    names::AccountId,
    spec::{Algorithm, KeyKind, Purpose},
    time::Timestamp,
};
pub(crate) use jomae_crypto::secret::SecretBytes;

pub(crate) use crate::{
    access::Authorized,
    call::Call,
    error::{Error, Fault, Result},
    run::{Handle, Kms},
    tx::Tx,
};
