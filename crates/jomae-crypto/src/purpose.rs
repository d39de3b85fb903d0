//! What key bytes and digests are for: the one list of the labels that tell the uses apart.

macro_rules! purposes {
    ($($(#[$doc:meta])+ $purpose:ident = $label:literal;)+) => {
        /// What something is sealed, derived, hashed or signed for. Whatever is keyed or hashed takes its label from here,
        /// so that bytes made for one purpose never pass for another. A label never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Purpose {
            $($(#[$doc])+ $purpose,)+
        }

        impl Purpose {
            /// All purposes.
            pub const ALL: &[Self] = &[$(Self::$purpose),+];

            /// The label: ASCII without a NUL, which ends it where something follows.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$purpose => $label,)+
                }
            }
        }
    };
}

purposes! {
    // Of sealed messages, whose keys are derived under the label (`crate::sealed`).
    /// The `CiphertextBlob` of an AES-256 key; see [`crate::envelope`].
    CmkEnvelope = "jomae/v1/cmk-envelope";
    /// The `CiphertextBlob` of an AES-128 key.
    CmkEnvelopeAes128 = "jomae/v1/cmk-envelope-aes-128";
    /// The `CiphertextBlob` of an AES-192 key.
    CmkEnvelopeAes192 = "jomae/v1/cmk-envelope-aes-192";
    /// The `CiphertextBlob` of an SM4 key.
    CmkEnvelopeSm4 = "jomae/v1/cmk-envelope-sm4";
    /// The `CiphertextBlob` of a key in a token; see [`crate::envelope::token`].
    CmkEnvelopeToken = "jomae/v1/cmk-envelope-token";
    /// What a key in a token is called there, under a domain key; see [`crate::wrap`].
    TokenHandle = "jomae/v1/token-handle";
    /// The material of a key version under a domain key; see [`crate::wrap`].
    CmkMaterial = "jomae/v1/cmk-material";
    /// Wrapped material once more under a shredding key; see [`crate::shredding`].
    Shredded = "jomae/v1/shredded";
    /// A shredding key under a domain key.
    ShreddingKey = "jomae/v1/shredding-key";
    /// A domain key under the root key.
    DomainKey = "jomae/v1/domain-key";
    /// The secret half of a slot under the key of its provider; see [`crate::root_slot`].
    RootSlotKey = "jomae/v1/root-slot-key";
    /// The root key in a slot, under the shared secret of a key encapsulation.
    RootInSlot = "jomae/v1/root-in-slot";
    /// The list of slots under the root key.
    RootSlots = "jomae/v1/root-slots";
    /// The key that backups are signed with, vouched for under the key of a slot's provider.
    SlotVoucher = "jomae/v1/slot-voucher";
    /// The key of the objects of a backup under the root key.
    BackupKey = "jomae/v1/backup-key";
    /// The manifest of a backup under the root key.
    BackupManifest = "jomae/v1/backup-manifest";
    /// 32 bytes under a key in a token, as AAD; see `jomae-hsm`.
    TokenWrap = "jomae/v1/token-wrap";
    /// The secret of an access key under a domain key.
    AccessKey = "jomae/v1/access-key";
    /// The seed of a virtual MFA device under a domain key.
    MfaSeed = "jomae/v1/mfa-seed";
    /// By what a browser is known again in which somebody has signed in, under a domain key.
    KnownBrowser = "jomae/v1/known-browser";
    /// What a passkey is asked to sign, and for what, under a domain key.
    PasskeyChallenge = "jomae/v1/passkey-challenge";
    /// A record of the store under a domain key.
    Record = "jomae/v1/record";
    /// An import token, with its wrapping key, under a domain key.
    ImportToken = "jomae/v1/import-token";
    /// A security token, with its session, under a domain key.
    SecurityToken = "jomae/v1/security-token";
    /// What is told of a denied permission, under a domain key.
    DiagnosticMessage = "jomae/v1/diagnostic-message";

    // Of other derivations, digests, MACs and signatures, at the head of what goes in.
    /// HKDF: what stands in for material that does not unwrap; see [`crate::import`].
    SubstituteMaterial = "jomae/v1/substitute-material";
    /// SHA-256: the AAD with which a token encrypts the secret of a message; see [`crate::envelope::token`].
    CmkTokenSecret = "jomae/v1/cmk-token-secret";
    /// SHA-256: by what a key knows its imported material again.
    ImportedMaterial = "jomae/v1/imported-material";
    /// SHA-256: the check value of a root key file, whose first line it is too; see [`crate::root`].
    RootKeyFile = "jomae root key v1";
    /// SHA-256: by what a share of a provider's key is known again, whose first line it is too; see [`crate::shares`].
    RootKeyShare = "jomae root share v1";
    /// SHA-256: by what a root key is told from others.
    RootKeyId = "jomae root key id v1";
    /// SHA-256: what a `NextToken` of LookupEvents was made for.
    LookupEventsToken = "jomae LookupEvents token";
    /// SHA-256: what the store keeps of a token with which a node joins a cluster.
    JoinToken = "jomae join token v1";
    /// HKDF, from a domain key: the keys of the hash over all records; see [`crate::set`].
    StateOfStore = "jomae/v1/state-of-store";
    /// HMAC-SHA256: the audit log as a run wrote it, beyond its newest checkpoint.
    AuditTail = "jomae audit tail v1";
    /// Ed25519: the first line of a receipt of the audit log.
    AuditReceipt = "jomae-receipt/v1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_differ_and_hold_no_nul() {
        for (i, a) in Purpose::ALL.iter().enumerate() {
            assert!(a.label().bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{a:?}");
            for b in &Purpose::ALL[i + 1..] {
                assert_ne!(a.label(), b.label());
            }
        }
    }
}
