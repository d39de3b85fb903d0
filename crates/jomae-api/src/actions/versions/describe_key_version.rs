//! `DescribeKeyVersion`: when a version was made.

use crate::actions::{
    metadata::UsageStatistics,
    params::{KEY_REF, KEY_VERSION_ID},
    prelude::*,
    versions::create_key_version::KeyVersionRow,
};

request! {
    pub struct DescribeKeyVersion {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
    }
}

answer! {
    pub struct Output {
        /// The version.
        key_version: KeyVersionRow => "KeyVersion",
        /// What key or version has been used for, a few seconds late; absent if for nothing yet.
        usage_statistics: Option<UsageStatistics> => extension "UsageStatistics",
    }
}

impl Action for DescribeKeyVersion {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DescribeKeyVersion",
        doc: "Tells of one version of a key.",
        example: &[A_KEY, A_VERSION],
        ..ActionSpec::read(Group::Versions)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
