//! `UpdatePolicyDescription`: other words for a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{NEW_DESCRIPTION, POLICY_NAME, PolicyOutput},
};

request! {
    pub struct UpdatePolicyDescription {
        name: String = required POLICY_NAME,
        description: String = required_maybe_empty NEW_DESCRIPTION,
    }
}

impl Action for UpdatePolicyDescription {
    type Output = PolicyOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdatePolicyDescription",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::RamDescriptionLength,
            Refusal::PolicyNotFound,
        ],
        doc: "Changes the description of a policy of the account.",
        example: &[("PolicyName", "encrypt-only"), ("NewDescription", "For the importer")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:UpdatePolicyDescription", Target::Ram(RamKind::Policy, &self.name))
    }
}
