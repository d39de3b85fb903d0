//! `DescribeAccountKmsStatus`: whether the account may use the service.

use crate::actions::prelude::*;

request! {
    pub struct DescribeAccountKmsStatus {}
}

answer! {
    /// The answer.
    pub struct Output {
        /// Always Enabled.
        account_status: &'static str => "AccountStatus",
    }
}

impl Action for DescribeAccountKmsStatus {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeAccountKmsStatus",
        group: Group::Service,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[],
        doc: "Tells the state of the service for the account.",
        example: &[],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:DescribeAccountKmsStatus", Target::Service)
    }
}
