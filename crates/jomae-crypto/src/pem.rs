//! Key files as people have them: raw bytes, DER, or PEM.

use pkcs8::SecretDocument;

use crate::secret::SecretBytes;

/// The text is PEM, but not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPem;

impl std::fmt::Display for BadPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the file begins like PEM and is none")
    }
}

impl std::error::Error for BadPem {}

/// The content of a key file: the DER inside if it is PEM (RFC 7468), else the bytes as they are.
pub fn content(file: SecretBytes) -> Result<SecretBytes, BadPem> {
    if !file.expose().starts_with(b"-----BEGIN ") {
        return Ok(file);
    }
    let text = std::str::from_utf8(file.expose()).map_err(|_| BadPem)?;
    let (_, document) = SecretDocument::from_pem(text).map_err(|_| BadPem)?;
    Ok(SecretBytes::new(document.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        let read = |bytes: &[u8]| content(SecretBytes::new(bytes.to_vec())).map(|found| found.expose().to_vec());
        assert_eq!(read(&[7; 32]), Ok(vec![7; 32]));
        let pem = "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n-----END PRIVATE KEY-----\n";
        assert_eq!(read(pem.as_bytes()), Ok(vec![0x30, 3, 2, 1, 5]));
        assert_eq!(read(b"-----BEGIN PRIVATE KEY-----\nnonsense"), Err(BadPem));
        assert_eq!(read(b"-----BEGIN \xff"), Err(BadPem));
    }
}
