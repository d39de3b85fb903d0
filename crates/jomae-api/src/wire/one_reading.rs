//! What can be read in two ways is refused: a proxy in front, a log behind and this service must see the same request.
//!
//! A parameter given twice is refused where parameters are read ([`super::params`]). Here: headers given twice, and what
//! can stand in a header and in a parameter.

use super::{Params, Request};
use crate::error::Refusal;

/// Headers that decide what a request means, beside all of `x-acs-*`. Each stands in a request once: neither SDKs nor
/// proxies send them twice, and of two, equal or not, one reader takes the first and another the last.
const SINGLE: [&str; 7] =
    ["host", "content-type", "content-length", "content-encoding", "authorization", "date", "x-jomae-receipt"];

/// What stands in a parameter in RPC v1 and in a header in ACS. Some SDKs send both, and then they are equal.
const TWO_PLACES: [(&str, &str); 6] = [
    ("Action", "x-acs-action"),
    ("Version", "x-acs-version"),
    ("SignatureNonce", "x-acs-signature-nonce"),
    ("SecurityToken", "x-acs-security-token"),
    ("AccessKeyId", "x-acs-accesskey-id"),
    ("Timestamp", "x-acs-date"),
];

/// Refuses a request that two readers could understand differently.
///
/// # Errors
/// [`Refusal::RequestUnreadable`].
pub fn check(request: &Request<'_>, params: &Params<'_>) -> Result<(), Refusal> {
    for (at, header) in request.headers.iter().enumerate() {
        let twin = |other: &super::Header<'_>| {
            other.name.len() == header.name.len() && other.name.eq_ignore_ascii_case(header.name)
        };
        if is_single(header.name) && request.headers.iter().skip(at + 1).any(twin) {
            return Err(Refusal::RequestUnreadable);
        }
    }
    for (param, name) in TWO_PLACES {
        if let (Some(value), Some(header)) = (params.given(param), request.header(name))
            && value.as_bytes() != header.trim_ascii()
        {
            return Err(Refusal::RequestUnreadable);
        }
    }
    // Two signatures: which one counts?
    if params.given("Signature").is_some() && request.header("authorization").is_some_and(is_acs) {
        return Err(Refusal::RequestUnreadable);
    }
    Ok(())
}

fn is_single(name: &str) -> bool {
    let is_acs = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-acs-"));
    is_acs || SINGLE.iter().any(|single| single.len() == name.len() && single.eq_ignore_ascii_case(name))
}

fn is_acs(authorization: &[u8]) -> bool {
    authorization.trim_ascii_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"ACS"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Header;

    fn checked(query: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let headers: Vec<_> = headers.iter().map(|&(name, value)| Header { name, value: value.as_bytes() }).collect();
        let request = Request { method: "POST", path: "/", query, headers: &headers, body: &[] };
        check(&request, &Params::parse(query, None).unwrap())
    }

    const NO: Result<(), Refusal> = Err(Refusal::RequestUnreadable);

    #[test]
    fn headers_that_decide_stand_once() {
        for name in SINGLE.into_iter().chain(["x-acs-action", "x-acs-version", "x-acs-anything"]) {
            assert_eq!(checked("", &[(name, "a")]), Ok(()), "{name}");
            let upper = name.to_ascii_uppercase();
            for (one, other) in [("a", "b"), ("a", "a"), ("", "")] {
                assert_eq!(checked("", &[(name, one), ("accept", "x"), (&upper, other)]), NO, "{name}");
            }
        }
        // Lists may come in parts, and proxies add to them.
        for name in ["accept", "via", "x-forwarded-for", "cookie", "x-acs"] {
            assert_eq!(checked("", &[(name, "a"), (name, "b")]), Ok(()), "{name}");
        }
    }

    #[test]
    fn parameters_and_headers_say_the_same() {
        for (param, header) in TWO_PLACES {
            assert_eq!(checked(&format!("{param}=a"), &[(header, "a")]), Ok(()), "{param}");
            assert_eq!(checked(&format!("{param}=a"), &[(header, " a ")]), Ok(()), "{param}");
            assert_eq!(checked(&format!("{param}="), &[(header, "a")]), Ok(()), "{param}: empty is absent");
            for other in ["b", "A", "aa", ""] {
                assert_eq!(checked(&format!("{param}=a"), &[(header, other)]), NO, "{param} {other}");
            }
        }
        assert_eq!(checked("RegionId=a", &[("x-acs-region-id", "b")]), Ok(()), "neither is read");
    }

    #[test]
    fn one_signature() {
        for scheme in ["ACS3-HMAC-SHA256 x", " acs4-hmac-sm3 x"] {
            assert_eq!(checked("Signature=a", &[("authorization", scheme)]), NO);
            assert_eq!(checked("", &[("authorization", scheme)]), Ok(()));
        }
        assert_eq!(checked("Signature=a", &[("authorization", "Basic x")]), Ok(()));
    }
}
