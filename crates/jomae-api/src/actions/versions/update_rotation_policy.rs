//! `UpdateRotationPolicy`: whether and how often a key rotates by itself.

use crate::actions::{
    params::{ENABLE_AUTOMATIC_ROTATION, KEY_ID_ONLY, ROTATION_INTERVAL},
    prelude::*,
};

request! {
    pub struct UpdateRotationPolicy {
        key: KeyRef = required KEY_ID_ONLY,
        /// Seconds between rotations; none switches rotation off.
        interval_secs: Option<i64> = required ENABLE_AUTOMATIC_ROTATION and optional ROTATION_INTERVAL => interval_secs,
    }
}

fn interval_secs(input: Input<'_>) -> Result<Option<i64>, Refusal> {
    let enable = input.required(&ENABLE_AUTOMATIC_ROTATION)?;
    enable.then(|| input.required(&ROTATION_INTERVAL)).transpose()
}

impl Action for UpdateRotationPolicy {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateRotationPolicy",
        states: StateRule::ENABLED_ONLY,
        errors: &[Refusal::OriginUnsupported, Refusal::OperationUnsupported],
        doc: "Switches automatic rotation on or off. The next rotation is one interval after the last; if that is past, the key rotates at once. For symmetric keys of this service's making only.",
        example: &[A_KEY, ("EnableAutomaticRotation", "true"), ("RotationInterval", "30d")],
        ..ActionSpec::write(Group::Versions)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
