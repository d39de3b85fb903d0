//! `DescribeAccountKmsStatus`: whether the account may use the service.

use crate::actions::prelude::*;

request! {
    pub struct DescribeAccountKmsStatus {}
}

answer! {
    pub struct Output {
        /// Always Enabled.
        account_status: &'static str => "AccountStatus",
    }
}

impl Action for DescribeAccountKmsStatus {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DescribeAccountKmsStatus",
        doc: "Tells the state of the service for the account.",
        ..ActionSpec::read(Group::Service)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
