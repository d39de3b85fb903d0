//! `AttachPolicyToRole`: rights for a role.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

/// [`Attach`] for RAM roles.
pub type AttachPolicyToRole = Attach<attachments::Role>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToRole",
    doc: text!(
        "Gives a role the rights of a policy, from the next call on: at most "
        {limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX} " policies of the service and "
        {limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX} " of the account."
    ),
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
    ..ActionSpec::write(Group::Policies)
};
