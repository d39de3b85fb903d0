//! `OpenKmsService`: open the service for the account.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    error::Refusal,
    param::Input,
};

pub struct OpenKmsService {}

impl Action for OpenKmsService {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "OpenKmsService",
        group: Group::Service,
        class: Class::Management,
        effect: Effect::Write,
        params: &[],
        states: StateRule::ANY,
        errors: &[Refusal::ServiceOpened],
        doc: "Every account here has the service from the beginning, so this is always refused as opened already.",
        example: &[],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let _ = input;
        Ok(Self {})
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:OpenKmsService", Target::Service)
    }
}
