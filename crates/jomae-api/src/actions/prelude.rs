//! What every declaration is written with.

pub(crate) use crate::{
    action::{
        Access, Action, ActionSpec, Base64, Class, Empty, Group, Need, RamKind, SecretBase64, SecretText, StateRule,
        Target,
    },
    answer::{List, answer},
    error::Refusal,
    limits,
    names::{AccountId, AliasName, KeyId, KeyRef, KeyVersionId, RegionId, RoleRef},
    param::{
        EncryptionContext, Input, Invalid, Kind, Param, Parameters, Plaintext, Use, optional, parse_bool, parse_bytes,
        parse_number, parse_secret, parse_text, request, required,
    },
    text::text,
    time::Timestamp,
};
