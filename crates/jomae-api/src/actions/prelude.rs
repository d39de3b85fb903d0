//! What every declaration is written with.

pub(crate) use jomae_crypto::secret::SecretBytes;

pub(crate) use crate::{
    action::{Access, Action, ActionSpec, Class, Group, Need, RamKind, StateRule, Target},
    actions::params::{A_CIPHERTEXT, A_KEY, A_VERSION},
    answer::{Base64, Empty, List, SecretBase64, SecretText, answer},
    error::Refusal,
    limits,
    names::{AccountId, AliasName, KeyId, KeyRef, KeyVersionId, RegionId, RoleRef},
    param::{
        EncryptionContext, Input, Invalid, Kind, NOT_OFFERED, Param, Parameters, Plaintext, Tags, Use, not_offered,
        optional, param, parse_bool, parse_bytes, parse_number, parse_secret, parse_text, request, required,
    },
    policy::{Malformed, TooCostly},
    spec::{Algorithm, KeySpec},
    text::text,
    time::Timestamp,
};
