//! `DetachPolicyFromGroup`: rights taken from a group.

use super::attachments::{self, Detach};
use crate::actions::prelude::*;

/// [`Detach`] for RAM groups.
pub type DetachPolicyFromGroup = Detach<attachments::Group>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "DetachPolicyFromGroup",
    doc: "Takes the rights of a policy from a group, from the next call on.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
    ..ActionSpec::write(Group::Policies)
};
