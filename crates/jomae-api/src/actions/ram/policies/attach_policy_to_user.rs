//! `AttachPolicyToUser`: rights for a user.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

/// [`Attach`] for RAM users.
pub type AttachPolicyToUser = Attach<attachments::User>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToUser",
    doc: text!(
        "Gives a user the rights of a policy, from the next call on: at most "
        {limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX} " policies of the service and "
        {limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX} " of the account."
    ),
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
    ..ActionSpec::write(Group::Policies)
};
