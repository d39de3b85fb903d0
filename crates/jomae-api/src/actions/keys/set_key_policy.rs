//! `SetKeyPolicy`: another policy for a key.

use crate::{
    actions::{
        params::{KEY_ID_OR_ARN, POLICY, POLICY_NAME},
        prelude::*,
    },
    policy::KeyPolicy,
};

request! {
    pub struct SetKeyPolicy {
        key: KeyRef = required KEY_ID_OR_ARN,
        policy: KeyPolicy = required POLICY,
    }
    also optional POLICY_NAME;
}

impl Action for SetKeyPolicy {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "SetKeyPolicy",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound],
        doc: "Replaces the policy of a key. It counts from the next call on: what it says beside RAM policies is told in docs/security.md.",
        example: &[
            A_KEY,
            (
                "Policy",
                "{\"Version\":\"1\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"RAM\":[\"acs:ram::1234567890123456:*\"]},\"Action\":[\"kms:*\"],\"Resource\":[\"*\"]}]}",
            ),
        ],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
