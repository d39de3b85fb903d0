//! Secret bytes in a record of the server's own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_crypto::secret::SecretBytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// Secret bytes as Base64 text: DER PKCS#8 of a private key, or a key of MACs.
pub struct SecretText(pub SecretBytes);

impl SecretText {
    pub fn of(secret: &SecretBytes) -> Self {
        Self(SecretBytes::new(secret.expose().to_vec()))
    }

    pub fn copy(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.expose())))
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'de str>::deserialize(deserializer)?;
        // The cause would hold a character of the text.
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not Base64"))?;
        Ok(Self(SecretBytes::new(bytes)))
    }
}
