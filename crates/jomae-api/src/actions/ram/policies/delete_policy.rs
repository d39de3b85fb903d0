//! `DeletePolicy`: away with a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{CASCADING_DELETE, POLICY_NAME},
};

request! {
    pub struct DeletePolicy {
        name: String = required POLICY_NAME,
        cascading: bool = optional CASCADING_DELETE or false,
    }
}

impl Action for DeletePolicy {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeletePolicy",
        errors: &[
            Refusal::PolicyNotFound,
            Refusal::PolicyHasUser,
            Refusal::PolicyHasGroup,
            Refusal::PolicyHasRole,
            Refusal::PolicyHasVersions,
        ],
        doc: "Deletes a policy of the account that is attached to nobody.",
        example: &[("PolicyName", "encrypt-only"), ("CascadingDelete", "true")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
