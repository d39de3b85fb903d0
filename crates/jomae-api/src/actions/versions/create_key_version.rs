//! `CreateKeyVersion`: a new version of a key.

use crate::actions::{
    params::{CLIENT_TOKEN, KEY_REF},
    prelude::*,
};

request! {
    pub struct CreateKeyVersion {
        key: KeyRef = required KEY_REF,
    }
    also optional CLIENT_TOKEN;
}

answer! {
    pub struct Output {
        /// The version.
        key_version: KeyVersionRow => "KeyVersion",
    }

    pub struct KeyVersionRow as "KeyVersion" {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// When it was made.
        creation_date: Timestamp => "CreationDate",
    }
}

impl Action for CreateKeyVersion {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateKeyVersion",
        states: StateRule::ENABLED_ONLY,
        errors: &[Refusal::OriginUnsupported, Refusal::OperationUnsupported, Refusal::LimitExceeded],
        doc: text!(
            "Makes a new version. That of a symmetric key becomes the primary one, which encrypts from now "
            "on; older versions decrypt for ever. An asymmetric key has at most "
            {limits::ASYMMETRIC_VERSIONS_MAX}
            " versions, which callers name. Keys with imported material and MAC keys have one version for life."
        ),
        example: &[A_KEY],
        ..ActionSpec::write(Group::Versions)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
