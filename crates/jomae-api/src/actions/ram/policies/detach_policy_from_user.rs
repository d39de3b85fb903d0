//! `DetachPolicyFromUser`: rights taken from a user.

use super::attachments::{self, Detach};
use crate::actions::prelude::*;

/// [`Detach`] for RAM users.
pub type DetachPolicyFromUser = Detach<attachments::User>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "DetachPolicyFromUser",
    doc: "Takes the rights of a policy from a user, from the next call on.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
    ..ActionSpec::write(Group::Policies)
};
