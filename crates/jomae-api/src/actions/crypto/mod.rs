//! Encrypting and decrypting.

pub mod decrypt;
pub mod encrypt;
pub mod generate_data_key;
pub mod generate_data_key_without_plaintext;
