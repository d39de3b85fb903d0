//! `GetKeyPolicy`: the policy of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{KEY_ID_OR_ARN, POLICY_NAME},
    answer::answer,
    error::Refusal,
    names::KeyRef,
    param::{Input, optional, required},
};

pub struct GetKeyPolicy {
    pub key: KeyRef,
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
        params: &[required(&KEY_ID_OR_ARN), optional(&POLICY_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound],
        doc: "Gives the policy of a key as it was set, or the default one.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let key = input.required(&KEY_ID_OR_ARN)?;
        input.optional(&POLICY_NAME)?;
        Ok(Self { key })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:GetKeyPolicy", Target::Key(&self.key))
    }
}
