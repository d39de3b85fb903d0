//! `OpenKmsService`: open the service for the account.

use crate::actions::prelude::*;

request! {
    pub struct OpenKmsService {}
}

impl Action for OpenKmsService {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "OpenKmsService",
        errors: &[Refusal::ServiceOpened],
        doc: "Every account here has the service from the beginning, so this is always refused as opened already.",
        ..ActionSpec::write(Group::Service)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
