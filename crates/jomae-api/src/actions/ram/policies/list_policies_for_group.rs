//! `ListPoliciesForGroup`: the policies of a group.

use crate::actions::{
    prelude::*,
    ram::{names::GROUP_NAME, policies::params::AttachedOutput},
};

request! {
    pub struct ListPoliciesForGroup {
        group: String = required GROUP_NAME,
    }
}

impl Action for ListPoliciesForGroup {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForGroup",
        params: Self::PARAMS,
        errors: &[Refusal::GroupNotFound],
        doc: "Lists the policies that are attached to a group, in the order of their attachment.",
        example: &[("GroupName", "developers")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Group, &self.group))
    }
}
