//! Callers with credentials of their own, on one connection.

use std::time::{SystemTime, UNIX_EPOCH};

use jomae_api::{
    actions,
    sign::{
        Scheme,
        client::{SignRequest, SigningKey},
    },
    time::Timestamp,
};
use serde_json::Value;

use crate::{
    Server, random,
    wire::{self, Answer, Wire},
};

/// Somebody with credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub id: String,
    pub secret: String,
    /// Of temporary credentials.
    pub token: Option<String>,
}

impl Party {
    /// The account that the first start makes.
    pub fn root(server: &Server) -> Self {
        let setting = |name| server.setting(name).to_owned();
        Self {
            id: setting("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            secret: setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            token: None,
        }
    }

    /// From the answer of `CreateAccessKey`.
    pub fn of_access_key(answer: &Value) -> Self {
        let text = |name: &str| answer["AccessKey"][name].as_str().expect("an access key").to_owned();
        Self { id: text("AccessKeyId"), secret: text("AccessKeySecret"), token: None }
    }

    /// From the answer of `AssumeRole`.
    pub fn of_credentials(answer: &Value) -> Self {
        let text = |name: &str| answer["Credentials"][name].as_str().expect("credentials").to_owned();
        Self { id: text("AccessKeyId"), secret: text("AccessKeySecret"), token: Some(text("SecurityToken")) }
    }
}

/// A connection over which anybody may call.
pub struct Line<'s> {
    server: &'s Server,
    wire: Wire,
    host: String,
    /// What is added to the clock of this machine for signatures, in seconds.
    pub shift_secs: i64,
}

impl<'s> Line<'s> {
    pub fn new(server: &'s Server) -> Self {
        let host = format!("localhost:{}", server.listening.port());
        Self { server, wire: Wire::tls(server), host, shift_secs: 0 }
    }

    /// How far the server's clock is from that of this machine, in seconds, by the date of an answer; 0 within a minute.
    pub fn behind_secs(&mut self) -> i64 {
        let answer = self.wire.ask(format!("GET /?Action=Time HTTP/1.1\r\nhost: {}\r\n\r\n", self.host));
        let date = answer.header("date").expect("a date");
        let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).expect("a date of HTTP");
        let behind = moment.as_second() - jiff::Timestamp::now().as_second();
        if behind.abs() < 60 { 0 } else { behind }
    }

    /// Calls an action of whichever API has it.
    pub fn call(&mut self, party: &Party, action: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.request(party, action, form);
        self.wire.ask(request)
    }

    /// As [`Line::call`], with a header that is not signed.
    pub fn call_with(&mut self, party: &Party, action: &str, form: &[(&str, &str)], header: &str) -> Answer {
        let request = self.request(party, action, form);
        self.wire.ask(wire::with_header(&request, header))
    }

    fn request(&self, party: &Party, action: &str, form: &[(&str, &str)]) -> Vec<u8> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        let now = i64::try_from(since.as_secs()).expect("a time") + self.shift_secs;
        let spec = actions::find(action).expect("an action");
        let request = SignRequest {
            scheme: Scheme::Acs3HmacSha256,
            access_key_id: &party.id,
            key: SigningKey::Secret(party.secret.as_bytes()),
            security_token: party.token.as_deref(),
            action,
            version: spec.api().version(),
            host: &self.host,
            method: "POST",
            params: &[],
            form,
            date: &Timestamp(now).to_string(),
            nonce: &random::word(32),
            region: self.server.setting("JOMAE_REGION"),
        };
        wire::http_request(&request.sign().expect("a signature"))
    }

    /// The members of an answer that must be a success.
    #[track_caller]
    pub fn ok(&mut self, party: &Party, action: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.call(party, action, form);
        assert_eq!(answer.status, 200, "{action} {form:?}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// `"200"`, or status and code of a refusal.
    pub fn outcome(&mut self, party: &Party, action: &str, form: &[(&str, &str)]) -> String {
        let answer = self.call(party, action, form);
        if answer.status == 200 { "200".to_owned() } else { format!("{} {}", answer.status, answer.code()) }
    }
}
