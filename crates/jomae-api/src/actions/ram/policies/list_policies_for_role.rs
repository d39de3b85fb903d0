//! `ListPoliciesForRole`: the policies of a role.

use super::attachments::{self, ListPolicies};
use crate::actions::prelude::*;

/// [`ListPolicies`] for RAM roles.
pub type ListPoliciesForRole = ListPolicies<attachments::Role>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "ListPoliciesForRole",
    doc: "Lists the policies that are attached to a role, in the order of their attachment.",
    example: &[("RoleName", "deployer")],
    ..ActionSpec::read(Group::Policies)
};
