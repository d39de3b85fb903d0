//! One backend for each protection level.

use jomae_api::actions::metadata::ProtectionLevel;

use super::KeyBackend;
use crate::error::Fault;

/// The backends of a service. A key says at which level it is.
pub struct Levels {
    software: Box<dyn KeyBackend>,
    hsm: Option<Box<dyn KeyBackend>>,
}

impl Levels {
    /// Without a token.
    pub fn software(software: impl KeyBackend + 'static) -> Self {
        Self { software: Box::new(software), hsm: None }
    }

    /// With a token.
    #[must_use]
    pub fn with_hsm(self, hsm: Box<dyn KeyBackend>) -> Self {
        Self { hsm: Some(hsm), ..self }
    }

    /// That of a level; none where there is no token.
    pub fn find(&self, level: ProtectionLevel) -> Option<&dyn KeyBackend> {
        match level {
            ProtectionLevel::Software => Some(&*self.software),
            ProtectionLevel::Hsm => self.hsm.as_deref(),
        }
    }

    /// That of a key which is there, and whose token may be configured no more.
    pub fn of(&self, level: ProtectionLevel) -> Result<&dyn KeyBackend, Fault> {
        self.find(level).ok_or_else(|| Fault::unavailable("the key is in a token, and the configuration names none"))
    }
}
