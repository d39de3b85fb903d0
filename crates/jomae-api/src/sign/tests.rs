use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_crypto::secret::SecretBytes;
use proptest::prelude::*;

use super::client::{ClientError, SignRequest, SignedRequest, SigningKey};
use super::*;
use crate::wire::Header;

const NOW: i64 = 1_795_432_407;
const DATE: &str = "2026-11-23T11:13:27Z";
const SECRET: &[u8] = b"testAccessKeySecret";

fn secret(secret: &[u8]) -> SigningSecret {
    SigningSecret::new(SecretBytes::new(secret.to_vec()))
}

fn der(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64.lines().collect::<String>()).unwrap()
}

fn private_key() -> Vec<u8> {
    der(include_str!("../../tests/keys/throwaway-rsa2048.pkcs8.b64"))
}

fn public_key() -> Vec<u8> {
    der(include_str!("../../tests/keys/throwaway-rsa2048.spki.b64"))
}

/// A request that can be damaged before it is read.
struct Sent {
    scheme: Scheme,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What the server made of a request.
#[derive(Debug, PartialEq)]
struct Seen {
    scheme: Scheme,
    access_key_id: String,
    action: String,
    api_version: String,
    nonce: String,
    security_token: Option<String>,
}

impl Sent {
    fn sign(scheme: Scheme, params: &[(&str, &str)], form: &[(&str, &str)], token: Option<&str>) -> Self {
        let private_key = private_key();
        let key = if scheme.is_rsa() { SigningKey::Pkcs8(&private_key) } else { SigningKey::Secret(SECRET) };
        let signed = SignRequest { key, params, form, security_token: token, ..template(scheme) }.sign().unwrap();
        let SignedRequest { query, headers, body } = signed;
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        Self { scheme, query, headers, body }
    }

    fn simple(scheme: Scheme) -> Self {
        Self::sign(scheme, &[("KeyId", "k")], &[], None)
    }

    fn header(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.headers.iter_mut().find(|(n, _)| n == name).unwrap().1
    }

    fn add(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Replaces text in `Authorization`.
    fn replace(mut self, from: &str, to: &str) -> Self {
        let authorization = self.header("authorization");
        let text = String::from_utf8(authorization.clone()).unwrap();
        assert!(text.contains(from));
        *authorization = text.replace(from, to).into_bytes();
        self
    }

    fn with<T>(
        &self,
        credential: Credential<'_>,
        see: impl FnOnce(&Presented<'_>, &Params<'_>) -> T,
    ) -> Result<T, SignError> {
        let headers: Vec<Header<'_>> = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let request = Request { method: "POST", path: "/", query: &self.query, headers: &headers, body: &self.body };
        let params = Params::parse(request.query, request.form()).map_err(|_| SignError::DoesNotMatch)?;
        let presented = Presented::read(&request, &params)?;
        check_time(presented.timestamp_text, NOW)?;
        presented.verify(credential)?;
        Ok(see(&presented, &params))
    }

    fn see<T>(&self, see: impl FnOnce(&Presented<'_>, &Params<'_>) -> T) -> Result<T, SignError> {
        let public_key = public_key();
        let secret = secret(SECRET);
        let rsa = self.scheme.is_rsa();
        self.with(if rsa { Credential::RsaPublicKey(&public_key) } else { Credential::Secret(&secret) }, see)
    }

    fn answer(&self) -> Result<(), SignError> {
        self.see(|_, _| ())
    }

    /// All that a handler could see of the parameters.
    fn meaning(&self) -> Option<Vec<(String, String, bool)>> {
        let header = |name: &str| self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
        let form = header("content-type").is_some_and(crate::wire::is_form).then_some(self.body.as_slice());
        let params = Params::parse(&self.query, form).ok()?;
        let in_query: Vec<&str> = params.iter_query().map(|(name, _)| name).collect();
        Some(params.iter().map(|(n, v)| (n.to_owned(), v.to_owned(), in_query.contains(&n))).collect())
    }
}

fn template(scheme: Scheme) -> SignRequest<'static> {
    SignRequest {
        scheme,
        access_key_id: "testAccessKeyId",
        key: SigningKey::Secret(SECRET),
        security_token: None,
        action: "Encrypt",
        version: "2016-01-20",
        host: "kms.test:8443",
        method: "POST",
        params: &[],
        form: &[],
        date: DATE,
        nonce: "0123456789abcdef",
        region: "cn-hangzhou",
    }
}

#[test]
fn time_stamps() {
    assert_eq!(check_time(DATE, NOW), Ok(NOW));
    assert_eq!(check_time(DATE, NOW + 900), Ok(NOW));
    assert_eq!(check_time(DATE, NOW - 900), Ok(NOW));
    assert_eq!(check_time(DATE, NOW + 901), Err(SignError::TimestampExpired));
    assert_eq!(check_time(DATE, NOW - 901), Err(SignError::TimestampExpired));
    assert_eq!(check_time(DATE, i64::MIN), Err(SignError::TimestampExpired));
    assert_eq!(check_time("2024-02-29T23:59:59Z", 1_709_251_199), Ok(1_709_251_199));
    for malformed in [
        "",
        "2026-11-23",
        "2026-11-23 11:13:27Z",
        "2026-11-23T11:13:27z",
        "2026-11-23T11:13:27",
        "2026-11-23T11:13:27Z ",
        "2026-11-23T11:13:60Z",
        "2026-11-23T24:00:00Z",
        "2025-02-29T11:13:27Z",
        "2026-13-01T11:13:27Z",
        "-026-11-23T11:13:27Z",
        "2026-11-23T11:13:2éZ",
        "2026-11-23T11:13:27+00:00",
    ] {
        assert_eq!(check_time(malformed, NOW), Err(SignError::TimestampFormat), "{malformed}");
    }
}

#[test]
fn the_other_kind_of_credential_never_matches() {
    let public_key = public_key();
    let (right, empty) = (secret(SECRET), secret(b""));
    for scheme in Scheme::ALL {
        let sent = Sent::simple(scheme);
        assert_eq!(sent.answer(), Ok(()), "{scheme:?}");
        let other = if scheme.is_rsa() { Credential::Secret(&right) } else { Credential::RsaPublicKey(&public_key) };
        assert_eq!(sent.with(other, |_, _| ()), Err(SignError::DoesNotMatch), "{scheme:?}");
        let wrong = if scheme.is_rsa() { Credential::RsaPublicKey(b"") } else { Credential::Secret(&empty) };
        assert_eq!(sent.with(wrong, |_, _| ()), Err(SignError::DoesNotMatch), "{scheme:?}");
    }
}

#[test]
fn one_secret_serves_every_scheme_more_than_once() {
    let (right, wrong) = (secret(SECRET), secret(b"another"));
    for scheme in Scheme::ALL.repeat(2).into_iter().filter(|scheme| !scheme.is_rsa()) {
        for sent in [Sent::simple(scheme), Sent::sign(scheme, &[], &[("KeyId", "k")], None)] {
            assert_eq!(sent.with(Credential::Secret(&right), |_, _| ()), Ok(()), "{scheme:?}");
            let refused = sent.with(Credential::Secret(&wrong), |_, _| ());
            assert_eq!(refused, Err(SignError::DoesNotMatch), "{scheme:?}");
        }
    }
}

#[test]
fn client_refuses_what_the_server_would() {
    for scheme in Scheme::ALL {
        let error = |request: SignRequest<'_>| request.sign().err();
        let wrong_key = if scheme.is_rsa() { SigningKey::Secret(SECRET) } else { SigningKey::Pkcs8(b"x") };
        assert_eq!(error(SignRequest { key: wrong_key, ..template(scheme) }), Some(ClientError::WrongKey));
        let twice = SignRequest { params: &[("a", "1")], form: &[("a", "1")], ..template(scheme) };
        assert_eq!(error(twice), Some(ClientError::DuplicateName));
    }
    assert_eq!(
        SignRequest { params: &[("Action", "x")], ..template(Scheme::RpcV1HmacSha1) }.sign().err(),
        Some(ClientError::DuplicateName)
    );
}

#[test]
fn bearer_forms_and_foreign_methods_are_refused() {
    let rpc =
        |query: &str| Sent { scheme: Scheme::RpcV1HmacSha1, query: query.to_owned(), headers: vec![], body: vec![] };
    let bearer = Err(SignError::UnsupportedBearer);
    assert_eq!(rpc("SignatureType=BEARERTOKEN&Action=x").answer(), bearer);
    assert_eq!(rpc("BearerToken=t&Timestamp=x&SignatureNonce=n").answer(), bearer);
    assert_eq!(rpc("").add("x-acs-bearer-token", "t").answer(), bearer);
    assert_eq!(rpc("").add("x-acs-zero-trust-idtoken", "t").answer(), bearer);
    assert_eq!(rpc("").add("Authorization", "bearer t").answer(), bearer);
    let method = Err(SignError::UnsupportedSignatureMethod);
    assert_eq!(
        rpc("").add("Authorization", "ACS4-RSA-SHA256 Credential=a,SignedHeaders=b,Signature=c").answer(),
        method
    );
    assert_eq!(rpc("").add("Authorization", "acs id:signature").answer(), method);
    let signed = Sent::simple(Scheme::RpcV1HmacSha1).query;
    assert_eq!(rpc(&signed.replace("HMAC-SHA1", "HMAC-SHA256")).answer(), method);
    assert_eq!(rpc(&format!("{signed}&SignatureType=PRIVATEKEY")).answer(), method);
    let version = signed.replace("SignatureVersion=1.0", "SignatureVersion=1.1");
    assert_eq!(rpc(&version).answer(), Err(SignError::UnsupportedSignatureVersion));
    assert_eq!(rpc(&signed.replace("Action=Encrypt", "Action=")).answer(), Err(SignError::MissingAction));
    assert_eq!(rpc("").answer(), Err(SignError::MissingParameter("AccessKeyId")));
}

#[test]
fn authorization_must_be_whole() {
    let sent = || Sent::simple(Scheme::Acs3HmacSha256);
    let incomplete = Err(SignError::IncompleteSignature);
    for (from, to) in [
        ("host;", ""),
        ("x-acs-date;", ""),
        ("host;", "host;host;"),
        ("host;", "host;;"),
        ("host;", "Host;"),
        ("host;", "host;user-agent;"),
        ("Credential=testAccessKeyId", "Credential="),
        ("Credential=testAccessKeyId,", ""),
        ("Credential=testAccessKeyId", "Credential=a,Credential=b"),
        (",Signature=", ",Other=1,Signature="),
    ] {
        assert_eq!(sent().replace(from, to).answer(), incomplete, "{from} {to}");
    }
    assert_eq!(sent().add("X-Acs-Other", "1").answer(), incomplete);
    assert_eq!(sent().add("X-Other", "1").answer(), Ok(()));
    let mut form = Sent::simple(Scheme::Acs3HmacSha256).add("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.answer(), Ok(()));
    form.body = b"KeyId2=x".to_vec();
    assert_eq!(form.answer(), incomplete);
}

#[test]
fn acs4_scope_must_be_of_the_same_day() {
    let sent = || Sent::simple(Scheme::Acs4HmacSha256);
    for to in ["20261124/", "2026-11-23/", "20261123//", "20261123/x/", ""] {
        assert_eq!(sent().replace("20261123/", to).answer(), Err(SignError::IncompleteSignature), "{to}");
    }
    assert_eq!(sent().replace("cn-hangzhou", "cn-beijing").answer(), Err(SignError::DoesNotMatch));
    assert_eq!(sent().replace("_v4_request", "_v5_request").answer(), Err(SignError::IncompleteSignature));
}

#[test]
fn a_header_that_decides_something_counts_once() {
    // `a,b` signed once must not be accepted again as `a` and `b`: that would be a new nonce.
    let signed = SignRequest { nonce: "a,b", ..template(Scheme::Acs3HmacSha256) }.sign().unwrap();
    let headers: Vec<_> = signed.headers.into_iter().map(|(n, v)| (n.to_owned(), v.into_bytes())).collect();
    let mut sent = Sent { scheme: Scheme::Acs3HmacSha256, query: signed.query, headers, body: signed.body };
    assert_eq!(sent.answer(), Ok(()));
    *sent.header("x-acs-signature-nonce") = b"a".to_vec();
    let sent = sent.add("x-acs-signature-nonce", "b");
    assert_eq!(sent.answer(), Err(SignError::DoesNotMatch));
}

#[test]
fn limits() {
    let long = "n".repeat(NONCE_BYTES_MAX + 1);
    let id = "k".repeat(ACCESS_KEY_ID_BYTES_MAX + 1);
    let token = "t".repeat(HEADER_VALUE_BYTES_MAX + 1);
    for scheme in [Scheme::RpcV1HmacSha1, Scheme::Acs3HmacSha256, Scheme::Acs4HmacSm3] {
        let answer = |request: SignRequest<'_>| {
            let signed = request.sign().unwrap();
            let headers = signed.headers.into_iter().map(|(n, v)| (n.to_owned(), v.into_bytes())).collect();
            Sent { scheme, query: signed.query, headers, body: signed.body }.answer()
        };
        let request = template(scheme);
        let invalid = |name| Err(SignError::InvalidParameter(name));
        assert_eq!(answer(SignRequest { nonce: &long[1..], ..request }), Ok(()));
        assert_eq!(answer(SignRequest { nonce: &long, ..request }), invalid("SignatureNonce"));
        assert_eq!(answer(SignRequest { access_key_id: &id[1..], ..request }), Ok(()));
        assert_eq!(answer(SignRequest { access_key_id: &id, ..request }), invalid("AccessKeyId"));
        assert_eq!(answer(SignRequest { security_token: Some(&token[1..]), ..request }), Ok(()));
        assert!(answer(SignRequest { security_token: Some(&token), ..request }).is_err());
    }
    let incomplete = Err(SignError::IncompleteSignature);
    let mut many = Sent::simple(Scheme::Acs3HmacSha256);
    let room = HEADERS_MAX - many.headers.len();
    many.headers.extend((0..room).map(|n| (format!("x-{n}"), vec![])));
    assert_eq!(many.answer(), Ok(()));
    assert_eq!(many.add("x-more", "").answer(), incomplete);
    let names = (0..HEADERS_MAX).map(|n| format!("h{n}")).collect::<Vec<_>>().join(";") + ";";
    let many_names = Sent::simple(Scheme::Acs3HmacSha256).replace("SignedHeaders=", &format!("SignedHeaders={names}"));
    assert_eq!(many_names.answer(), incomplete);
    let blank = " ".repeat(AUTHORIZATION_BYTES_MAX);
    let padded = Sent::simple(Scheme::Acs3HmacSha256).replace(",Signature", &format!(",{blank}Signature"));
    assert_eq!(padded.answer(), incomplete);
}

fn pairs() -> impl Strategy<Value = (Vec<(String, String)>, usize)> {
    // Lower-case names cannot meet the common parameters of v1.
    let values = prop_oneof![".{0,12}", "[a-zA-Z0-9+/]{0,40}={0,2}"];
    proptest::collection::btree_map("[a-zé.0-9*]{1,6}", values, 0..6)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_flat_map(|pairs| {
            let len = pairs.len();
            (Just(pairs), 0..=len)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_signed_verifies_and_what_was_changed_does_not(
        (pairs, cut) in pairs(),
        token in proptest::option::of("[a-zA-Z0-9+/=]{1,20}"),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (params, form) = pairs.split_at(cut);
        for scheme in Scheme::ALL {
            let mut sent = Sent::sign(scheme, params, form, token.as_deref());
            let seen = sent.see(|presented, received| {
                for (name, value) in &pairs {
                    assert_eq!(received.get(name), Some(*value));
                }
                Seen {
                    scheme: presented.scheme,
                    access_key_id: presented.access_key_id.to_owned(),
                    action: presented.action.to_owned(),
                    api_version: presented.api_version.to_owned(),
                    nonce: presented.nonce.to_owned(),
                    security_token: presented.security_token.map(str::to_owned),
                }
            });
            prop_assert_eq!(seen, Ok(Seen {
                scheme,
                access_key_id: "testAccessKeyId".to_owned(),
                action: "Encrypt".to_owned(),
                api_version: "2016-01-20".to_owned(),
                nonce: "0123456789abcdef".to_owned(),
                security_token: token.clone(),
            }));

            let before = sent.meaning();
            let byte = byte & 0x7f;
            let query_bytes = sent.query.len();
            if query_bytes + sent.body.len() == 0 {
                continue;
            }
            let at = place.index(query_bytes + sent.body.len());
            let changed = if let Some(at) = at.checked_sub(query_bytes) {
                std::mem::replace(&mut sent.body[at], byte)
            } else {
                let mut query = std::mem::take(&mut sent.query).into_bytes();
                let changed = std::mem::replace(&mut query[at], byte);
                sent.query = String::from_utf8(query).unwrap();
                changed
            };
            // Another spelling of the same query is the same request; the body is signed as it is under ACS.
            let in_acs_body = at >= query_bytes && !scheme.is_rpc();
            if changed == byte || (sent.meaning() == before && !in_acs_body) {
                prop_assert_eq!(sent.answer(), Ok(()));
            } else {
                prop_assert!(sent.answer().is_err(), "{:?} at {}", scheme, at);
            }
        }
    }

    #[test]
    fn a_changed_header_fails(header in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for scheme in [Scheme::Acs3HmacSha256, Scheme::Acs3HmacSm3, Scheme::Acs3RsaSha256, Scheme::Acs4HmacSha256, Scheme::Acs4HmacSm3] {
            let mut sent = Sent::sign(scheme, &[("a", "b")], &[("c", "d")], Some("token"));
            let signed: Vec<usize> =
                (0..sent.headers.len()).filter(|at| sent.headers[*at].0 != "accept").collect();
            let (name, value) = &mut sent.headers[signed[header.index(signed.len())]];
            let name = name.clone();
            let at = place.index(value.len());
            let changed = std::mem::replace(&mut value[at], byte);
            if changed != byte {
                prop_assert!(sent.answer().is_err(), "{:?} {} {}", scheme, name, at);
            }
        }
    }

    #[test]
    fn never_panics(
        authorization in "(ACS[34]-(HMAC|RSA)-(SHA256|SM3) )?((Credential|SignedHeaders|Signature|x)=[a-z/0-9;=-]{0,30},? ?){0,4}",
        names in proptest::collection::vec("(x-acs-(date|action|version|signature-nonce|content-sha256)|host|[a-z-]{1,5})", 0..8),
        value in proptest::collection::vec(any::<u8>(), 0..30),
        query in "(Signature|SignatureMethod|HMAC-SHA1|AccessKeyId|[&=%A-F0-9+])*",
    ) {
        let mut headers: Vec<(String, Vec<u8>)> = names.into_iter().map(|name| (name, value.clone())).collect();
        headers.push(("authorization".to_owned(), authorization.into_bytes()));
        let sent = Sent { scheme: Scheme::Acs3HmacSha256, query, headers, body: value };
        prop_assert!(sent.answer().is_err());
    }
}
