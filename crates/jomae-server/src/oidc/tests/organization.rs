//! How people of a provider sign in to the console: the configuration, and what a browser holds meanwhile.

use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::time::Timestamp;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{ISSUER, NOW, config};
use crate::{
    config::{OidcConsoleConfig, OidcProviderConfig},
    oidc::{Trip, Verifier, organization::TRIP_SECS},
};

fn console() -> OidcConsoleConfig {
    OidcConsoleConfig {
        client_id: "second".into(),
        client_secret_file: None,
        role_arn: "acs:ram::1234567890123456:role/console".into(),
        redirect_uri: "https://kms.example.com:8445/sign-in/callback".into(),
        label: None,
        authorization_endpoint: None,
        token_endpoint: None,
    }
}

fn with(console: OidcConsoleConfig) -> OidcProviderConfig {
    OidcProviderConfig { console: Some(console), ..config(ISSUER) }
}

#[test]
fn only_who_is_configured_for_it_lets_people_in() {
    let other = OidcProviderConfig { name: "other".into(), ..config(ISSUER) };
    let organizations = Verifier::organizations(&[other, with(console())]).unwrap();
    assert_eq!(organizations.iter().map(|one| one.label.as_str()).collect::<Vec<_>>(), ["ci"]);
}

#[test]
fn mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        Some(path)
    };
    let secret = |file| OidcConsoleConfig { client_secret_file: file, ..console() };
    let redirect = |to: &str| OidcConsoleConfig { redirect_uri: to.into(), ..console() };
    for (console, expected) in [
        (OidcConsoleConfig { client_id: "third".into(), ..console() }, "none of the client_ids"),
        (
            OidcConsoleConfig { role_arn: "acs:ram::1234567890123457:role/console".into(), ..console() },
            "role_arn must be",
        ),
        (redirect("http://kms.example.com/sign-in/callback"), "redirect_uri must start"),
        (redirect("https://kms.example.com/callback"), "path /sign-in/callback"),
        (redirect("https://kms.example.com/sign-in/callback?a=b"), "path /sign-in/callback"),
        (OidcConsoleConfig { label: Some(String::new()), ..console() }, "label must have"),
        (OidcConsoleConfig { label: Some("a\nb".into()), ..console() }, "label must have"),
        (OidcConsoleConfig { token_endpoint: Some("https://a/token".into()), ..console() }, "give both"),
        (secret(Some(dir.path().join("absent"))), "client_secret_file"),
        (secret(file("empty", b"\n")), "must have one line"),
        (secret(file("two", b"a\nb\n")), "must have one line"),
        (secret(file("bytes", b"\xff")), "not UTF-8"),
        (secret(file("large", &[b'a'; 5000])), "longer than"),
    ] {
        let Err(error) = Verifier::organizations(&[with(console.clone())]) else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(Verifier::from_config(&[with(console)]).is_err(), "told at every start: {expected}");
    }
    let nowhere =
        OidcProviderConfig { issuer: "office".into(), jwks_uri: Some("https://a/keys".into()), ..with(console()) };
    assert!(Verifier::organizations(&[nowhere]).err().unwrap().to_string().contains("issuer is not a URL"));
    assert!(Verifier::organizations(&[with(secret(file("good", b"s3cret\r\n")))]).is_ok());
}

fn trip(secret: &str, provider: &str, back: &str) -> Trip {
    Trip::new(Zeroizing::new(secret.to_owned()), provider.to_owned(), back.to_owned(), NOW)
}

#[test]
fn an_answer_fits_one_sign_in() {
    let secret = "a".repeat(43);
    let one = trip(&secret, "provider", "/keys");
    let state = one.state();
    assert!(one.is_answered_by(&state));
    for other in
        [trip(&"b".repeat(43), "provider", "/keys"), trip(&secret, "other", "/keys"), trip(&secret, "provider", "/")]
    {
        assert!(!other.is_answered_by(&state) && other.state() != state);
    }
    assert!(!one.is_answered_by(""));
    let derived = [one.state(), one.nonce(), one.verifier().to_string()];
    assert!(derived.iter().all(|text| text.len() == 43 && !text.contains(&secret)));
    assert_ne!(derived[1], derived[2]);
}

#[test]
fn what_a_browser_holds_ends() {
    let cookie = trip(&"a".repeat(43), "provider", "/keys").to_cookie();
    for (at, is_good) in [(0, true), (TRIP_SECS - 1, true), (TRIP_SECS, false), (-1, false)] {
        assert_eq!(Trip::of_cookie(&cookie, Timestamp(NOW.0 + at)).is_some(), is_good, "{at}");
    }
    let back = URL_SAFE_NO_PAD.encode("/");
    let secret = "a".repeat(43);
    for bad in [
        String::new(),
        "...".to_owned(),
        format!("{secret}.{}.{back}", NOW.0),
        format!("{secret}.{}.{back}.{back}.", NOW.0),
        format!("{secret}.x.{back}.{back}"),
        format!("{secret}.{}.?.{back}", NOW.0),
        format!("a.{}.{back}.{back}", NOW.0),
        format!("{secret}.{}.{back}.{}", NOW.0, "A".repeat(3000)),
        format!("{secret}.{}.{back}.{back}", i64::MIN),
    ] {
        assert!(Trip::of_cookie(&bad, NOW).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_goes_into_a_cookie_comes_out(secret in "[A-Za-z0-9_-]{43}", provider in ".{0,150}", back in "/.{0,150}") {
        let trip = trip(&secret, &provider, &back);
        let read = Trip::of_cookie(&trip.to_cookie(), NOW).unwrap();
        prop_assert!(read.is_answered_by(&trip.state()));
        prop_assert_eq!((read.provider, read.back, read.began), (provider, back, NOW));
    }

    #[test]
    fn any_cookie_is_read(cookie in "[A-Za-z0-9_.-]{0,200}") {
        if let Some(trip) = Trip::of_cookie(&cookie, NOW) {
            prop_assert!(trip.is_answered_by(&trip.state()));
        }
    }
}
