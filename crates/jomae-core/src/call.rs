//! What is known of a call before its action is.

use jomae_api::{
    names::{KeyId, KeyPlace, RegionId},
    time::Timestamp,
    wire::Format,
};
use jomae_crypto::rng;

use crate::{identity::caller::Caller, wait::Abandonment};

/// One call: who, when, where. The clock was read once.
pub struct Call {
    /// A lower-case UUID.
    pub request_id: String,
    pub now: Timestamp,
    pub caller: Caller,
    pub region: RegionId,
    /// The Host that the client named.
    pub host: String,
    pub source_ip: String,
    pub user_agent: String,
    pub format: Format,
    /// `ExternalId`, which trust policies can ask for.
    pub external_id: Option<String>,
    /// Whether it can still be given up.
    pub abandonment: Abandonment,
}

impl Call {
    /// A key of the caller's account, in the region of the call.
    pub fn own_key(&self, id: KeyId) -> KeyPlace {
        KeyPlace { account: self.caller.account().clone(), region: self.region.clone(), id }
    }
}

/// A random lower-case UUID.
pub fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(rng::public_array()).into_uuid().to_string()
}
