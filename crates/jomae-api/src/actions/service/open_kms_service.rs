//! `OpenKmsService`: open the service for the account.

use crate::actions::prelude::*;

request! {
    pub struct OpenKmsService {}
}

impl Action for OpenKmsService {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "OpenKmsService",
        group: Group::Service,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::ServiceOpened],
        doc: "Every account here has the service from the beginning, so this is always refused as opened already.",
        example: &[],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:OpenKmsService", Target::Service)
    }
}
