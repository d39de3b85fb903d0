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
    pub struct Output {
        /// The policy, as JSON text.
        policy: String => "Policy",
    }
}

impl Action for GetKeyPolicy {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetKeyPolicy",
        doc: "Gives the policy of a key as it was set, or the default one.",
        example: &[A_KEY],
        ..ActionSpec::read(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
