//! `ListPoliciesForRole`: the policies of a role.

use crate::actions::{
    prelude::*,
    ram::{policies::params::AttachedOutput, roles::params::ROLE_NAME},
};

request! {
    pub struct ListPoliciesForRole {
        role: String = required ROLE_NAME,
    }
}

impl Action for ListPoliciesForRole {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForRole",
        params: Self::PARAMS,
        errors: &[Refusal::RoleNotFound],
        doc: "Lists the policies that are attached to a role, in the order of their attachment.",
        example: &[("RoleName", "deployer")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Role, &self.role))
    }
}
