//! `GetKeyPolicy`: the policy of a key.

use crate::actions::{
    params::{KEY_ID_OR_ARN, POLICY_NAME},
    prelude::*,
};

request! {
    pub struct GetKeyPolicy {
        key: KeyRef = required KEY_ID_OR_ARN,
    }
    also optional POLICY_NAME;
}

answer! {
    /// The answer.
    pub struct Output {
        /// The policy, as JSON text.
        policy: String => "Policy",
    }
}

impl Action for GetKeyPolicy {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetKeyPolicy",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound],
        doc: "Gives the policy of a key as it was set, or the default one.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:GetKeyPolicy", Target::Key(&self.key))
    }
}
