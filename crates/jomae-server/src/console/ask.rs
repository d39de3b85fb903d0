//! From a page to the API: every call goes through the service as one of an SDK does.

use jomae_api::{
    action::{ActionSpec, Api},
    actions,
    wire::Params,
};
use jomae_console::{MadeCall, Refusal};
use jomae_core::{
    ram::sign_in::{NoCaller, SignedIn},
    service::Reply,
};
use serde_json::Value;
use zeroize::Zeroize as _;

use super::Console;
use crate::{gateway, http::Incoming};

/// A parameter: name and value.
pub(super) type Param = (String, String);

/// Makes the calls of one page, for whoever has signed in, and keeps what they were.
pub(super) struct Asker<'a> {
    pub(super) console: &'a Console,
    pub(super) incoming: Incoming<'a>,
    pub(super) signed_in: &'a SignedIn,
    pub(super) made: Vec<MadeCall>,
}

/// Parameters from pairs; what is empty is left out.
pub(super) fn given(pairs: &[(&str, &str)]) -> Vec<Param> {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Asker<'_> {
    /// Calls an action. The call is kept to be shown, whatever its answer.
    pub(super) async fn ask(&mut self, action: &str, params: Vec<Param>) -> Result<Value, Refusal> {
        let api = actions::find(action).map_or(Api::Kms, ActionSpec::api);
        let reply = self.send(api, action, &params).await?;
        let (service, version) = (api.name(), api.version());
        self.made.push(MadeCall { service, version, action: action.to_owned(), params });
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if reply.status == 200 { Ok(body) } else { Err(refusal(&body, reply.request_id)) }
    }

    async fn send(&self, api: Api, action: &str, params: &[Param]) -> Result<Reply, Refusal> {
        let pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let params = Params::of(&pairs).map_err(|error| {
            let refusal = jomae_api::error::Refusal::from(error);
            let (code, message) = (refusal.code().to_owned(), refusal.message().into_owned());
            Refusal { code, message, ..Refusal::default() }
        })?;
        // Looked up with every call, and not once for the page.
        let vault = &self.console.service.kms.vault;
        let caller = self
            .signed_in
            .caller(vault, action, gateway::now())
            .map_err(|why| Refusal { code: code_of(&why).to_owned(), ..Refusal::default() })?;
        Ok(self.console.gateway.answer_signed_in(&caller, (api, action), &params, self.incoming).await)
    }

    /// Shows the values of these parameters nowhere, where the call is shown.
    pub(super) fn conceal(&mut self, names: &[&str]) {
        let params = self.made.iter_mut().flat_map(|call| &mut call.params);
        for (_, value) in params.filter(|(name, _)| names.contains(&name.as_str())) {
            value.zeroize();
            value.push('…');
        }
    }
}

/// By what a page knows why nobody is there to call.
fn code_of(why: &NoCaller) -> &'static str {
    match why {
        NoCaller::Ended => "SessionEnded",
        NoCaller::PasswordMustChange => "PasswordMustChange",
        NoCaller::DeviceMustBeBound => "DeviceMustBeBound",
        NoCaller::Failed(fault) => {
            tracing::error!(cause = %fault, "whoever has signed in to the console cannot be looked up");
            "ServiceUnavailableTemporary"
        }
    }
}

fn refusal(body: &Value, request_id: String) -> Refusal {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let detail = body.get("AccessDeniedDetail");
    let permission = detail.map(|detail| text(detail, "AuthAction")).filter(|permission| !permission.is_empty());
    let is_explicit = detail.is_some_and(|detail| text(detail, "NoPermissionType") == "ExplicitDeny");
    Refusal { code: text(body, "Code"), message: text(body, "Message"), request_id, permission, is_explicit }
}

/// The rows of a list, `{"Keys":{"Key":[…]}}`.
pub(super) fn rows(answer: &Value, list: &str, row: &str) -> Vec<Value> {
    answer.get(list).and_then(|list| list.get(row)).and_then(Value::as_array).cloned().unwrap_or_default()
}
