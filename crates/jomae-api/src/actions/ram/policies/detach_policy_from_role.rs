//! `DetachPolicyFromRole`: rights taken from a role.

use super::attachments::{self, Detach};
use crate::actions::prelude::*;

/// [`Detach`] for RAM roles.
pub type DetachPolicyFromRole = Detach<attachments::Role>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "DetachPolicyFromRole",
    doc: "Takes the rights of a policy from a role, from the next call on.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
    ..ActionSpec::write(Group::Policies)
};
