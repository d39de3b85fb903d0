//! The secret of an access key, and the HMAC keys that the schemes make of it.

use std::sync::OnceLock;

use jomae_crypto::mac::MacKey;
use jomae_crypto::secret::SecretBytes;
use zeroize::Zeroizing;

use super::Scheme;

/// The secret of an access key. It keeps the HMAC keys that were made of it: clients stay with one scheme, and only
/// their first request pays for its key.
pub struct SigningSecret {
    secret: SecretBytes,
    rpc_v1: Kept,
    acs3: Kept,
    acs3_sm3: Kept,
    acs4: Kept,
    acs4_sm3: Kept,
}

/// Boxed: a key is large, and most are never made.
type Kept = OnceLock<Box<MacKey>>;

impl SigningSecret {
    /// A secret that has verified nothing yet.
    pub fn new(secret: SecretBytes) -> Self {
        let [rpc_v1, acs3, acs3_sm3, acs4, acs4_sm3] = [const { OnceLock::new() }; 5];
        Self { secret, rpc_v1, acs3, acs3_sm3, acs4, acs4_sm3 }
    }

    /// [`mac_key`], kept. `None` for the schemes whose credential is no secret.
    pub(super) fn mac_key(&self, scheme: Scheme) -> Option<&MacKey> {
        let kept = match scheme {
            Scheme::RpcV1HmacSha1 => &self.rpc_v1,
            Scheme::Acs3HmacSha256 => &self.acs3,
            Scheme::Acs3HmacSm3 => &self.acs3_sm3,
            Scheme::Acs4HmacSha256 => &self.acs4,
            Scheme::Acs4HmacSm3 => &self.acs4_sm3,
            Scheme::RpcV1RsaSha256 | Scheme::Acs3RsaSha256 => return None,
        };
        Some(kept.get_or_init(|| Box::new(mac_key(scheme, self.secret.expose()))))
    }
}

/// The key of a scheme's first HMAC: the secret, with what the scheme puts before or after it.
pub(super) fn mac_key(scheme: Scheme, secret: &[u8]) -> MacKey {
    let (before, after): (&[u8], &[u8]) = match scheme {
        Scheme::RpcV1HmacSha1 => (b"", b"&"),
        Scheme::Acs4HmacSha256 | Scheme::Acs4HmacSm3 => (b"aliyun_v4", b""),
        _ => (b"", b""),
    };
    let mut key = Zeroizing::new(Vec::with_capacity(before.len() + secret.len() + after.len()));
    for part in [before, secret, after] {
        key.extend_from_slice(part);
    }
    MacKey::new(scheme.mac_alg(), &key)
}
