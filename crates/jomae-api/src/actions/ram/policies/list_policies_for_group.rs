//! `ListPoliciesForGroup`: the policies of a group.

use super::attachments::{self, ListPolicies};
use crate::actions::prelude::*;

/// [`ListPolicies`] for RAM groups.
pub type ListPoliciesForGroup = ListPolicies<attachments::Group>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "ListPoliciesForGroup",
    doc: "Lists the policies that are attached to a group, in the order of their attachment.",
    example: &[("GroupName", "developers")],
    ..ActionSpec::read(Group::Policies)
};
