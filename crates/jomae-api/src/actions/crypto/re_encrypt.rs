//! `ReEncrypt`: from one key to another, without showing the plaintext.

use jomae_crypto::envelope;

use crate::{
    actions::{
        params::{CIPHERTEXT_BLOB, DRY_RUN, is_plainly_a_key},
        prelude::*,
    },
    spec::Purpose,
};

/// A request of the action `ReEncrypt`.
pub struct ReEncrypt {
    /// What is encrypted anew, of either kind of [`Source`].
    pub ciphertext: Vec<u8>,
    /// How it is decrypted.
    pub source: Source,
    /// The key that encrypts it; symmetric.
    pub destination: KeyRef,
    /// The context of the new ciphertext.
    pub destination_context: EncryptionContext,
}

/// What the ciphertext is.
pub enum Source {
    /// A ciphertext blob, which names its key version.
    Symmetric {
        /// Of the key that encrypted it.
        version: KeyVersionId,
        /// With which it was encrypted.
        context: EncryptionContext,
    },
    /// Encrypted under the public key of a key of ours.
    PublicKey {
        /// Whose private half decrypts it.
        key: KeyRef,
        /// Asymmetric keys have no default version.
        version: KeyVersionId,
        /// One that encrypts.
        algorithm: Algorithm,
    },
}

answer! {
    pub struct Output {
        /// The ciphertext.
        ciphertext_blob: Base64 => "CiphertextBlob",
        /// ID of the key that decrypted the source.
        key_id: KeyId => "KeyId",
        /// ID of the version that decrypted the source.
        key_version_id: KeyVersionId => "KeyVersionId",
    }
}

param! {
    /// The key to encrypt under.
    DESTINATION_KEY_ID: KeyRef = Text "DestinationKeyId", "a key ID, alias/<name>, or the full name of a symmetric key",
        public_if(is_plainly_a_key), refuses(&[Refusal::KeyNotFound, Refusal::AliasNotFound]) =>
        |text| KeyRef::from_wire(text).ok_or(Invalid::Value);

    /// The key whose public key made the ciphertext.
    SOURCE_KEY_ID: KeyRef = Text "SourceKeyId",
        "a key ID, alias/<name>, or the full name of an asymmetric key; only for a public-key ciphertext",
        public_if(is_plainly_a_key) => |text| KeyRef::from_wire(text).ok_or(Invalid::Value);

    /// The version whose public key made the ciphertext.
    SOURCE_KEY_VERSION_ID: KeyVersionId = Text "SourceKeyVersionId", "needed with SourceKeyId",
        public_if(is_plainly_a_key), refuses(&[Refusal::KeyVersionNotFound]) =>
        |text| KeyVersionId::new(text).ok_or(Invalid::Value);

    /// How the ciphertext was made.
    SOURCE_ALGORITHM: Algorithm = Text "SourceEncryptionAlgorithm",
        "RSAES_OAEP_SHA_256, RSAES_OAEP_SHA_1 or SM2PKE; needed with SourceKeyId", public =>
        |text| {
            Algorithm::from_wire(text).filter(|algorithm| algorithm.purpose() == Purpose::Encrypt).ok_or(Invalid::Value)
        };

    /// What the ciphertext was bound to.
    SOURCE_CONTEXT: EncryptionContext = Map "SourceEncryptionContext",
        text!("a JSON object of strings, at most " {limits::ENCRYPTION_CONTEXT_CHARS_MAX} " characters"), public =>
        |text| EncryptionContext::from_json(text).ok_or(Invalid::Value);

    /// What the new ciphertext is bound to.
    DESTINATION_CONTEXT: EncryptionContext = Map "DestinationEncryptionContext",
        text!("a JSON object of strings, at most " {limits::ENCRYPTION_CONTEXT_CHARS_MAX} " characters"), public =>
        |text| EncryptionContext::from_json(text).ok_or(Invalid::Value);
}

impl Parameters for ReEncrypt {
    const PARAMS: &[Use] = &[
        required(&CIPHERTEXT_BLOB),
        required(&DESTINATION_KEY_ID),
        optional(&SOURCE_KEY_ID),
        optional(&SOURCE_KEY_VERSION_ID),
        optional(&SOURCE_ALGORITHM),
        optional(&SOURCE_CONTEXT),
        optional(&DESTINATION_CONTEXT),
        optional(&DRY_RUN),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let ciphertext = input.required(&CIPHERTEXT_BLOB)?;
        let destination = input.required(&DESTINATION_KEY_ID)?;
        let key = input.optional(&SOURCE_KEY_ID)?;
        let version = input.optional(&SOURCE_KEY_VERSION_ID)?;
        let algorithm = input.optional(&SOURCE_ALGORITHM)?;
        let context = input.context(&SOURCE_CONTEXT)?;
        let destination_context = input.context(&DESTINATION_CONTEXT)?;
        input.optional(&DRY_RUN)?;
        let source = match key {
            Some(key) => Source::PublicKey {
                key,
                version: version.ok_or(Refusal::ParameterMissing("SourceKeyVersionId"))?,
                algorithm: algorithm.ok_or(Refusal::ParameterMissing("SourceEncryptionAlgorithm"))?,
            },
            // Half of what a public-key source needs: ignoring it would take the blob for something else.
            None if version.is_some() || algorithm.is_some() => return Err(Refusal::ParameterMissing("SourceKeyId")),
            None => Source::Symmetric {
                version: envelope::version_id(&ciphertext)
                    .and_then(KeyVersionId::new)
                    .ok_or(Refusal::CiphertextInvalid)?,
                context,
            },
        };
        Ok(Self { ciphertext, source, destination, destination_context })
    }
}

/// What is needed on the source, and on the destination.
const FROM: &str = "kms:ReEncryptFrom";
const TO: &str = "kms:ReEncryptTo";

impl Action for ReEncrypt {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ReEncrypt",
        errors: &[Refusal::CiphertextInvalid, Refusal::OperationUnsupported],
        permissions: &[FROM, TO],
        doc: "Decrypts a ciphertext and encrypts the plaintext under another key, or under another context or version. The plaintext does not leave the service. KeyId and KeyVersionId of the answer are those of the source. Needs kms:ReEncryptFrom on the source and kms:ReEncryptTo on the destination.",
        example: &[A_CIPHERTEXT, ("DestinationKeyId", "alias/new")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        let from = match &self.source {
            Source::Symmetric { version, context } => {
                Need::new(FROM, Target::CiphertextOf(version)).in_context(context)
            }
            Source::PublicKey { key, .. } => Need::new(FROM, Target::Key(key)),
        };
        let to = Need::new(TO, Target::Key(&self.destination)).in_context(&self.destination_context);
        Access::two(from, to)
    }
}
