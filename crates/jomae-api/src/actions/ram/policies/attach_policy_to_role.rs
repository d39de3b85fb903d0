//! `AttachPolicyToRole`: rights for a role.

use super::attachments::{self, Attach};
use crate::actions::prelude::*;

pub type AttachPolicyToRole = Attach<attachments::Role>;

pub(super) const SHEET: ActionSpec = ActionSpec {
    name: "AttachPolicyToRole",
    doc: "Gives a role the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
    example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
    ..ActionSpec::write(Group::Policies)
};
