//! `DescribeKey`: what is known of a key.

use crate::actions::{
    metadata::{KeyMetadata, UsageStatistics},
    params::KEY_REF,
    prelude::*,
};

request! {
    pub struct DescribeKey {
        key: KeyRef = required KEY_REF,
    }
}

answer! {
    pub struct Output {
        /// The key.
        key_metadata: KeyMetadata => "KeyMetadata",
        /// What key or version has been used for, a few seconds late; absent if for nothing yet.
        usage_statistics: Option<UsageStatistics> => extension "UsageStatistics",
    }
}

impl Action for DescribeKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DescribeKey",
        shareable: true,
        doc: "Tells state, dates, origin and protection of a key, in any state.",
        example: &[A_KEY],
        ..ActionSpec::read(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
