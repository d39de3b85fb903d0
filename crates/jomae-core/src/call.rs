//! What is known of a call before its action is.

use std::borrow::Cow;

use jomae_api::{
    names::{KeyId, KeyPlace, RegionId},
    time::Timestamp,
    wire::Format,
};
use jomae_crypto::rng;

use crate::{identity::caller::Caller, store::Path, wait::Abandonment};

/// One call: who, when, where. The clock was read once.
pub struct Call<'r> {
    /// A lower-case UUID.
    pub request_id: Cow<'r, str>,
    pub now: Timestamp,
    pub caller: Caller,
    pub region: RegionId,
    /// The Host that the client named.
    pub host: Cow<'r, str>,
    pub source_ip: Cow<'r, str>,
    pub user_agent: Cow<'r, str>,
    pub format: Format,
    /// `ExternalId`, which trust policies can ask for.
    pub external_id: Option<Cow<'r, str>>,
    /// Where its nonce stands in the store, if a change is to be bound to it.
    pub nonce_place: Option<Path>,
    /// Whether it can still be given up.
    pub abandonment: Abandonment,
    /// By which way it came.
    pub channel: Channel,
}

/// By which way a call came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// A request of the API, which proves by itself who calls.
    #[default]
    Api,
    /// A page of the console, by somebody who has signed in there.
    Console,
}

impl Channel {
    /// `eventType` of its calls.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Api => "ApiCall",
            Self::Console => "ConsoleOperation",
        }
    }
}

impl Call<'_> {
    /// A key of the caller's account, in the region of the call.
    pub fn own_key(&self, id: KeyId) -> KeyPlace {
        KeyPlace { account: self.caller.account().clone(), region: self.region.clone(), id }
    }

    /// The same, to be kept longer than its request.
    pub fn into_owned(self) -> Call<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Call {
            request_id: owned(self.request_id),
            host: owned(self.host),
            source_ip: owned(self.source_ip),
            user_agent: owned(self.user_agent),
            external_id: self.external_id.map(owned),
            ..self
        }
    }
}

/// A random lower-case UUID.
pub fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(rng::public_array()).into_uuid().to_string()
}
