//! What the browser says of the page that has asked: `clientDataJSON` (section 5.8.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{CLIENT_DATA_BYTES_MAX, Expected, Mistake};

/// What was asked of an authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    const fn type_of_client_data(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// The members that count. Browsers may add others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    /// The page around a frame, if it is another one's.
    top_origin: Option<String>,
}

impl ClientData {
    /// Reads them; too long ones are not looked at.
    pub fn read(json: &[u8]) -> Result<Self, Mistake> {
        if json.len() > CLIENT_DATA_BYTES_MAX {
            return Err(Mistake::ClientData);
        }
        serde_json::from_slice(json).map_err(|_| Mistake::ClientData)
    }

    pub(super) fn check(&self, ceremony: Ceremony, expected: &Expected<'_>) -> Result<(), Mistake> {
        if self.r#type != ceremony.type_of_client_data() {
            return Err(Mistake::Type);
        }
        if self.challenge != URL_SAFE_NO_PAD.encode(expected.challenge) {
            return Err(Mistake::Challenge);
        }
        if self.origin != expected.origin || self.cross_origin || self.top_origin.is_some() {
            return Err(Mistake::Origin);
        }
        Ok(())
    }
}
