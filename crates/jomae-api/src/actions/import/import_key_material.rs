//! `ImportKeyMaterial`: bring your own key.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct ImportKeyMaterial {
        key: KeyRef = required KEY_ID_ONLY,
        token: Vec<u8> = required IMPORT_TOKEN,
        wrapped: Vec<u8> = required ENCRYPTED_KEY_MATERIAL,
        /// Unix seconds; none: never.
        expires_at: Option<i64> = optional KEY_MATERIAL_EXPIRE_UNIX => expires_at,
    }
}

param! {
    /// The token.
    IMPORT_TOKEN: Vec<u8> = Base64 "ImportToken", "as GetParametersForImport gave it" => |text| {
        parse_bytes(text, limits::IMPORT_TOKEN_BYTES_MAX)
    };

    /// The material, wrapped under the public key that belongs to the token.
    ENCRYPTED_KEY_MATERIAL: Vec<u8> = Base64 "EncryptedKeyMaterial", "Base64 of the wrapped material" =>
        |text| parse_bytes(text, limits::WRAPPED_MATERIAL_BYTES_MAX);

    /// When the service forgets the material.
    KEY_MATERIAL_EXPIRE_UNIX: i64 = Integer "KeyMaterialExpireUnix", "Unix seconds in the future; 0 or absent: never",
        public => |text| text.parse().ok().filter(|secs| (0..=253_402_300_799).contains(secs)).ok_or(Invalid::Value);
}

/// Zero stands for never.
fn expires_at(input: Input<'_>) -> Result<Option<i64>, Refusal> {
    Ok(input.optional(&KEY_MATERIAL_EXPIRE_UNIX)?.filter(|secs| *secs != 0))
}

impl Action for ImportKeyMaterial {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "ImportKeyMaterial",
        states: StateRule::not_pending_deletion(Refusal::StateModifiedFailed),
        errors: &[
            Refusal::OriginUnsupported,
            Refusal::KeyMaterialInvalid,
            Refusal::ImportTokenInvalid,
            Refusal::ImportTokenExpired,
        ],
        doc: "Gives an EXTERNAL key its material. A key is bound for ever to the first material it was given; the same material may be imported again after it expired or was deleted.",
        example: &[
            A_KEY,
            ("ImportToken", "aGVsbG8="),
            ("EncryptedKeyMaterial", "aGVsbG8="),
            ("KeyMaterialExpireUnix", "4102444800"),
        ],
        ..ActionSpec::write(Group::Import)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
