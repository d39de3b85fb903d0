//! `AttachPolicyToGroup`: rights for a group.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

/// [`Attach`] for RAM groups.
pub type AttachPolicyToGroup = Attach<attachments::Group>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToGroup",
    doc: text!(
        "Gives a group the rights of a policy, from the next call on: at most "
        {limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX} " policies of the service and "
        {limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX} " of the account."
    ),
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
    ..ActionSpec::write(Group::Policies)
};
