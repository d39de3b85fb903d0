//! `ListPoliciesForUser`: the policies of a user.

use super::attachments::{self, ListPolicies};
use crate::actions::prelude::*;

/// [`ListPolicies`] for RAM users.
pub type ListPoliciesForUser = ListPolicies<attachments::User>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "ListPoliciesForUser",
    doc: "Lists the policies that are attached to a user, in the order of their attachment. Those of its groups are not among them.",
    example: &[("UserName", "alice")],
    ..ActionSpec::read(Group::Policies)
};
