//! `ImportKeyMaterial`: bring your own key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    limits,
    names::KeyRef,
    param::{Input, Invalid, Kind, Param, optional, parse_bytes, required},
};

pub struct ImportKeyMaterial {
    pub key: KeyRef,
    pub token: Vec<u8>,
    pub wrapped: Vec<u8>,
    /// Unix seconds; none: never.
    pub expires_at: Option<i64>,
}

static IMPORT_TOKEN: Param<Vec<u8>> =
    Param::new("ImportToken", Kind::Base64, "as GetParametersForImport gave it", "The token.", |text| {
        parse_bytes(text, limits::IMPORT_TOKEN_BYTES_MAX)
    });

static ENCRYPTED_KEY_MATERIAL: Param<Vec<u8>> = Param::new(
    "EncryptedKeyMaterial",
    Kind::Base64,
    "Base64 of the wrapped material",
    "The material, wrapped under the public key that belongs to the token.",
    |text| parse_bytes(text, limits::WRAPPED_MATERIAL_BYTES_MAX),
);

static KEY_MATERIAL_EXPIRE_UNIX: Param<i64> = Param::new(
    "KeyMaterialExpireUnix",
    Kind::Integer,
    "Unix seconds in the future; 0 or absent: never",
    "When the service forgets the material.",
    |text| text.parse().ok().filter(|secs| (0..=253_402_300_799).contains(secs)).ok_or(Invalid::Value),
)
.public();

impl Action for ImportKeyMaterial {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "ImportKeyMaterial",
        group: Group::Import,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&KEY_ID_ONLY),
            required(&IMPORT_TOKEN),
            required(&ENCRYPTED_KEY_MATERIAL),
            optional(&KEY_MATERIAL_EXPIRE_UNIX),
        ],
        states: StateRule::not_pending_deletion(Refusal::StateModifiedFailed),
        errors: &[
            Refusal::AliasUnsupported,
            Refusal::KeyNotFound,
            Refusal::OriginUnsupported,
            Refusal::KeyMaterialInvalid,
            Refusal::ImportTokenInvalid,
            Refusal::ImportTokenExpired,
            Refusal::StateModifiedFailed,
        ],
        doc: "Gives an EXTERNAL key its material. A key is bound for ever to the first material it was given; the same material may be imported again after it expired or was deleted.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("ImportToken", "aGVsbG8="),
            ("EncryptedKeyMaterial", "aGVsbG8="),
            ("KeyMaterialExpireUnix", "4102444800"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            key: input.required(&KEY_ID_ONLY)?,
            token: input.required(&IMPORT_TOKEN)?,
            wrapped: input.required(&ENCRYPTED_KEY_MATERIAL)?,
            expires_at: input.optional(&KEY_MATERIAL_EXPIRE_UNIX)?.filter(|secs| *secs != 0),
        })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:ImportKeyMaterial", Target::Key(&self.key))
    }
}
