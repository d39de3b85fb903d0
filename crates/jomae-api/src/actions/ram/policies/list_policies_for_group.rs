//! `ListPoliciesForGroup`: the policies of a group.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{names::GROUP_NAME, policies::params::AttachedOutput},
    error::Refusal,
    param::{Input, required},
};

pub struct ListPoliciesForGroup {
    pub group: String,
}

impl Action for ListPoliciesForGroup {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForGroup",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&GROUP_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::GroupNameLength, Refusal::GroupNameChars, Refusal::GroupNotFound],
        doc: "Lists the policies that are attached to a group, in the order of their attachment.",
        example: &[("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { group: input.required(&GROUP_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForGroup", Target::Ram(RamKind::Group, &self.group))
    }
}
