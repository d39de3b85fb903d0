//! The requests: what they ask for and how they are signed.

use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use jomae_api::{
    API_VERSION, actions,
    sign::{
        Scheme,
        client::{ClientError, SignRequest, SigningKey},
    },
    time::Timestamp,
};

/// 32 random bytes in Base64.
pub const PLAINTEXT: &str = "WXtvUsC+jhO4c4WJo4DB1uUc4CmjlSGJA+68Pbxh/Q0=";

/// One thing to ask for.
pub enum Call {
    /// Encrypts [`PLAINTEXT`] under the key with this id.
    Encrypt(String),
    /// Decrypts this blob.
    Decrypt(String),
    /// Makes a data key under the key with this id.
    GenerateDataKey(String),
    /// Describes the key with this id.
    Describe(String),
    /// Signs [`PLAINTEXT`], which is as long as a SHA-256 digest.
    Sign { key: String, version: String, algorithm: &'static str },
    /// Creates a key of this spec.
    CreateKey(String),
    /// Lists this page of 100 keys.
    ListKeys(String),
    /// An action of whichever API has it, and text that stands in the answer.
    Any { action: &'static str, params: Vec<(&'static str, String)>, expected: &'static str },
}

impl Call {
    /// Text that stands in every good answer.
    pub const fn expected(&self) -> &'static str {
        match self {
            Self::Encrypt(_) | Self::GenerateDataKey(_) => r#""CiphertextBlob":""#,
            Self::Decrypt(_) => PLAINTEXT,
            Self::Describe(_) | Self::CreateKey(_) => r#""KeyMetadata":{"#,
            Self::Sign { .. } => r#""Value":""#,
            Self::ListKeys(_) => r#""KeyId":""#,
            Self::Any { expected, .. } => expected,
        }
    }
}

/// Who signs. No `Debug`.
pub struct Credentials {
    pub access_key_id: String,
    pub secret: String,
    /// Of temporary credentials.
    pub security_token: Option<String>,
}

/// Signs calls. No `Debug`.
pub struct Signer {
    scheme: Scheme,
    credentials: Credentials,
    host: String,
    run: u64,
    count: AtomicU64,
}

impl Signer {
    pub fn new(scheme: Scheme, credentials: Credentials, host: &str) -> Self {
        Self {
            scheme,
            credentials,
            host: host.to_owned(),
            run: RandomState::new().hash_one(0),
            count: AtomicU64::new(0),
        }
    }

    /// Signs the same way for somebody else.
    pub fn of(&self, credentials: Credentials) -> Self {
        Self::new(self.scheme, credentials, &self.host)
    }

    /// Writes the bytes of a request with a nonce that was never used and the current date in place of `out`.
    pub fn write(&self, call: &Call, date: &mut Date, out: &mut Vec<u8>) -> Result<(), ClientError> {
        let nonce = format!("{:016x}{:016x}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        let any: Vec<(&str, &str)>;
        let mut version = API_VERSION;
        let (action, params): (_, &[(&str, &str)]) = match call {
            Call::Encrypt(key) => ("Encrypt", &[("KeyId", key), ("Plaintext", PLAINTEXT)]),
            Call::Decrypt(blob) => ("Decrypt", &[("CiphertextBlob", blob)]),
            Call::GenerateDataKey(key) => ("GenerateDataKey", &[("KeyId", key)]),
            Call::Describe(key) => ("DescribeKey", &[("KeyId", key)]),
            Call::Sign { key, version, algorithm } => (
                "AsymmetricSign",
                &[("KeyId", key), ("KeyVersionId", version), ("Algorithm", algorithm), ("Digest", PLAINTEXT)],
            ),
            Call::CreateKey(spec) => ("CreateKey", &[("KeySpec", spec)]),
            Call::ListKeys(page) => ("ListKeys", &[("PageNumber", page), ("PageSize", "100")]),
            Call::Any { action, params, .. } => {
                version = actions::find(action).map_or(API_VERSION, |spec| spec.api().version());
                any = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
                (action, &any)
            }
        };
        let request = SignRequest {
            scheme: self.scheme,
            access_key_id: &self.credentials.access_key_id,
            key: SigningKey::Secret(self.credentials.secret.as_bytes()),
            security_token: self.credentials.security_token.as_deref(),
            action,
            version,
            host: &self.host,
            method: "POST",
            params,
            form: &[],
            date: date.now(),
            nonce: &nonce,
            region: "",
        };
        let signed = request.sign()?;
        out.clear();
        out.extend_from_slice(b"POST /?");
        out.extend_from_slice(signed.query.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &signed.headers {
            for piece in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(piece);
            }
        }
        out.extend_from_slice(b"content-length: 0\r\n\r\n");
        Ok(())
    }
}

/// The date as requests carry it, written once a second.
#[derive(Default)]
pub struct Date {
    secs: u64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &str {
        let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if secs != self.secs {
            self.secs = secs;
            self.text = Timestamp(secs.cast_signed()).to_string();
        }
        &self.text
    }
}

/// The bytes of a request that nobody signs; each header as `NAME: VALUE`.
pub fn post(host: &str, path: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n");
    for header in headers {
        let _ = write!(head, "{header}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What the connections send, in turn.
pub enum Work {
    /// Calls, each signed when it is sent, by the signers in turn.
    Signed { signers: Vec<Signer>, calls: Vec<Call>, next: AtomicUsize },
    /// The same bytes again and again.
    Repeated(Vec<u8>),
}

impl Work {
    pub fn signed(signers: Vec<Signer>, calls: Vec<Call>) -> Self {
        Self::Signed { signers, calls, next: AtomicUsize::new(0) }
    }

    /// The first of the calls.
    pub fn repeated(signer: &Signer, calls: &[Call]) -> Result<Self, ClientError> {
        let mut bytes = Vec::new();
        if let Some(call) = calls.first() {
            signer.write(call, &mut Date::default(), &mut bytes)?;
        }
        Ok(Self::Repeated(bytes))
    }

    /// Puts the next request in place of `out`; returns what must stand in the answer.
    pub fn next(&self, date: &mut Date, out: &mut Vec<u8>) -> Result<&'static str, ClientError> {
        match self {
            Self::Signed { signers, calls, next } => {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let call = calls.get(at % calls.len().max(1));
                let signer = signers.get(at % signers.len().max(1));
                let (Some(call), Some(signer)) = (call, signer) else { return Ok("") };
                signer.write(call, date, out)?;
                Ok(call.expected())
            }
            Self::Repeated(bytes) => {
                if out.is_empty() {
                    out.extend_from_slice(bytes);
                }
                Ok("")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn signer(scheme: Scheme, security_token: Option<&str>) -> Signer {
        let (access_key_id, secret) = ("id".to_owned(), "secret".to_owned());
        let security_token = security_token.map(str::to_owned);
        Signer::new(scheme, Credentials { access_key_id, secret, security_token }, "127.0.0.1:8443")
    }

    #[test]
    fn every_request_has_its_own_nonce_and_signature() {
        for scheme in [Scheme::RpcV1HmacSha1, Scheme::Acs3HmacSha256] {
            let signers = vec![signer(scheme, None)];
            let work = Work::signed(signers, vec![Call::Encrypt("a".to_owned()), Call::Decrypt("b".to_owned())]);
            let (mut seen, mut out, mut date) = (HashSet::new(), Vec::new(), Date::default());
            for _ in 0..10 {
                work.next(&mut date, &mut out).unwrap();
                let text = String::from_utf8(out.clone()).unwrap();
                assert!(text.starts_with("POST /?") && text.ends_with("\r\n\r\n"));
                assert!(text.contains("\r\nhost: 127.0.0.1:8443\r\n"));
                assert!(text.contains("ignature"));
                assert!(seen.insert(text));
            }
        }
    }

    #[test]
    fn signers_take_turns() {
        let signers = ["first", "second"].map(|id| {
            let credentials =
                Credentials { access_key_id: id.to_owned(), secret: "secret".to_owned(), security_token: None };
            Signer::new(Scheme::RpcV1HmacSha1, credentials, "127.0.0.1:8443")
        });
        let work = Work::signed(signers.into(), vec![Call::Encrypt("a".to_owned())]);
        let (mut out, mut date) = (Vec::new(), Date::default());
        for id in ["first", "second", "first"] {
            work.next(&mut date, &mut out).unwrap();
            assert!(str::from_utf8(&out).unwrap().contains(&format!("AccessKeyId={id}")));
        }
    }

    #[test]
    fn a_post_is_what_was_given() {
        let bytes = post("127.0.0.1:1", "/v1/x", &["X-Token: t".to_owned()], b"{}");
        let text = "POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:1\r\nX-Token: t\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(bytes, text.as_bytes());
    }

    #[test]
    fn repeated_work_is_the_same() {
        let signer = signer(Scheme::RpcV1HmacSha1, None);
        let work = Work::repeated(&signer, &[Call::Encrypt("a".to_owned())]).unwrap();
        let (mut first, mut second, mut date) = (Vec::new(), Vec::new(), Date::default());
        work.next(&mut date, &mut first).unwrap();
        work.next(&mut date, &mut second).unwrap();
        assert_eq!(first, second);
        assert!(first.starts_with(b"POST /?"));
    }

    #[test]
    fn the_api_and_the_token_stand_in_the_request() {
        let call = Call::Any { action: "GetUser", params: vec![("UserName", "u".to_owned())], expected: "" };
        for (scheme, token) in [(Scheme::RpcV1HmacSha1, "SecurityToken=tok"), (Scheme::Acs3HmacSha256, "token: tok")] {
            let mut out = Vec::new();
            signer(scheme, Some("tok")).write(&call, &mut Date::default(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for part in ["2015-05-01", "UserName=u", token] {
                assert!(text.contains(part), "{part} is not in {text}");
            }
        }
    }
}
