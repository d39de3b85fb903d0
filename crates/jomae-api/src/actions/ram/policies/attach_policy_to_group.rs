//! `AttachPolicyToGroup`: rights for a group.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

pub type AttachPolicyToGroup = Attach<attachments::Group>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToGroup",
    doc: "Gives a group the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
    ..ActionSpec::write(Group::Policies)
};
