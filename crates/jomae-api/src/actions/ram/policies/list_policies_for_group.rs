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
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::GroupNameLength, Refusal::GroupNameChars, Refusal::GroupNotFound],
        doc: "Lists the policies that are attached to a group, in the order of their attachment.",
        example: &[("GroupName", "developers")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForGroup", Target::Ram(RamKind::Group, &self.group))
    }
}
