//! Encrypting, decrypting, signing.

pub mod asymmetric_decrypt;
pub mod asymmetric_encrypt;
pub mod asymmetric_sign;
pub mod asymmetric_verify;
pub mod decrypt;
pub mod encrypt;
pub mod export_data_key;
pub mod generate_and_export_data_key;
pub mod generate_data_key;
pub mod generate_data_key_without_plaintext;
pub mod generate_mac;
pub mod get_public_key;
pub mod re_encrypt;
pub mod verify_mac;
