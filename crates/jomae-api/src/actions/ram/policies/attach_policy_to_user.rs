//! `AttachPolicyToUser`: rights for a user.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

pub type AttachPolicyToUser = Attach<attachments::User>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToUser",
    doc: "Gives a user the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
    ..ActionSpec::write(Group::Policies)
};
