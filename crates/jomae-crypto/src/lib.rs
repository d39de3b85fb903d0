//! Every cipher and every type that holds key bytes: the part an auditor reads first.
//!
//! Knows nothing of the API, of storage, of async or of time. All primitives come from libraries (aws-lc-rs; for
//! the Chinese standards `sm2`, `sm3`, `sm4` with `aes-gcm` and `hmac`; `argon2`; `totp-rs`; for DER and PEM `pkcs8`); this crate
//! fixes how they are combined.
//!
//! - [`sealed`] is the one authenticated-encryption construction of the product; [`envelope`], [`wrap`] and [`stream`]
//!   are its users. [`purpose`] tells the uses of keys apart.
//! - [`sym`] names the ciphers of symmetric keys, [`asym`] holds key pairs, [`import`] unwraps keys from outside.
//! - [`root`] makes the root key, [`root_slot`] gives it to several providers, one of which [`shares`]
//!   may be; [`secret`] holds key bytes; [`rng`] draws random bytes.
//! - [`root`] makes the root key; [`secret`] holds key bytes; [`rng`] draws random bytes.
//! - [`shredding`] holds the keys by whose destruction copies of key material become worthless.
//! - [`set`] is a hash of all records that follows each change.
//! - [`password`] keeps the passwords of people, [`totp`] checks the codes of their devices, [`passkey`] the signatures
//!   of their passkeys.
//! - [`hash`], [`mac`] and [`rsa`] are thin faces over the libraries.
//!
//! No function of this crate panics on any bytes from outside.

#![warn(missing_docs)]

pub mod asym;
pub mod envelope;
pub mod hash;
pub mod import;
pub mod mac;
pub mod passkey;
pub mod password;
pub mod pem;
pub mod purpose;
pub mod rng;
pub mod root;
pub mod root_slot;
pub mod rsa;
pub mod sealed;
pub mod secret;
pub mod set;
pub mod shares;
pub mod shredding;
pub mod stream;
pub mod sym;
pub mod totp;
pub mod wrap;

#[cfg(test)]
mod test_vectors;
#[cfg(test)]
mod wycheproof_tests;
