//! From a page to the API: every call goes through the service as one of an SDK does.

use jomae_api::{
    action::{ActionSpec, Api},
    actions,
    wire::Params,
};
use jomae_console::{MadeCall, Refusal};
use jomae_core::{identity::Caller, service::Reply};
use serde_json::Value;

use super::Console;
use crate::http::Incoming;

/// A parameter: name and value.
pub(super) type Param = (String, String);

/// Makes the calls of one page, for whoever has signed in, and keeps what they were.
pub(super) struct Asker<'a> {
    pub(super) console: &'a Console,
    pub(super) incoming: Incoming<'a>,
    pub(super) caller: &'a Caller,
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
        Ok(self.console.gateway.answer_signed_in(self.caller, (api, action), &params, self.incoming).await)
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
