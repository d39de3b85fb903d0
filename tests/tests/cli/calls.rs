//! `jomae call`, exit codes, and where settings come from.

use std::{fs, process::Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_tests::{Site, binary, cli, random};

use super::{key, word};

#[test]
fn the_private_key_of_a_certificate() {
    let site = Site::default();
    let server = site.start();
    server.jomae(&["key", "create", "--alias", "alias/web"]).ok();
    // Any PEM private key will do; here is one.
    let plain = fs::read(site.data().join("tls/server.key")).unwrap();
    let file = site.write("server.key", &plain);
    let at = format!("@{}", word(&file));
    let words = ["call", "Encrypt", "--KeyId", "alias/web", "--Plaintext", &at];
    let blob = server.jomae(&words).ok().json()["CiphertextBlob"].as_str().unwrap().to_owned();
    let saved = site.write("server.key.encrypted", format!("{blob}\n"));
    let at = format!("@{}", word(&saved));
    let opened = server.jomae(&["call", "Decrypt", "--CiphertextBlob", &at]).ok().json();
    assert_eq!(STANDARD.decode(opened["Plaintext"].as_str().unwrap()).unwrap(), plain);
    let table = server.jomae(&["call", "Decrypt", "--CiphertextBlob", &blob, "--output", "table"]).ok();
    let row = table.text().lines().find_map(|line| line.strip_prefix("Plaintext ")).unwrap();
    assert_eq!(STANDARD.decode(row.trim()).unwrap(), plain);
}

#[test]
fn where_values_come_from() {
    let site = Site::default();
    let server = site.start();
    let id = key(&server);
    let context = "{\"tenant\":\"4711\"}";
    let words = ["call", "Encrypt", "--Plaintext", "@-", "--KeyId", &id, "--EncryptionContext", context];
    let binary = random::bytes(6144);
    let blob = server.jomae_with(&words, &binary).ok().json()["CiphertextBlob"].as_str().unwrap().to_owned();
    let with_context = format!("--EncryptionContext={context}");
    let words = ["call", "Decrypt", "--CiphertextBlob", "@-", &with_context];
    let opened = server.jomae_with(&words, format!("{blob}\r\n").as_bytes()).ok().json();
    assert_eq!(STANDARD.decode(opened["Plaintext"].as_str().unwrap()).unwrap(), binary);
    server
        .jomae(&["call", "Decrypt", "--CiphertextBlob", &blob])
        .failed(3, &["InvalidParameter", "encryption context", "request id"]);
    // Base64 that is given in words is taken as it is.
    server.jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", "aGVsbG8="]).ok();

    let note = site.write("note", "from a file\n");
    let at = format!("@{}", word(&note));
    let described = || {
        server.jomae(&["key", "describe", &id, "--output", "json"]).ok().json()["KeyMetadata"]["Description"].clone()
    };
    server.jomae(&["call", "UpdateKeyDescription", "--KeyId", &id, "--Description", &at]).ok();
    assert_eq!(described(), "from a file");
    server.jomae(&["call", "UpdateKeyDescription", "--KeyId", &id, "--Description", "@@home"]).ok();
    assert_eq!(described(), "@home");
    server.jomae(&["call", "UpdateKeyDescription", "--KeyId", &id, "--Description", "--looks-like-a-flag"]).ok();
    assert_eq!(described(), "--looks-like-a-flag");
    server.jomae(&["call", "UpdateKeyDescription", "--KeyId", &id, "--Description="]).ok();
    assert_eq!(described(), "");

    let json = server.jomae(&["call", "ListKeys", "--output", "json"]).ok().json();
    assert_eq!(json["TotalCount"], 1);
    let json = server.jomae(&["call", "--output", "json", "ListKeys"]).ok().json();
    assert_eq!(json["TotalCount"], 1);
    let table = server.jomae(&["call", "--output", "table", "ListKeys"]).ok();
    assert!(table.text().lines().any(|line| line.split_whitespace().eq(["TotalCount", "1"])), "{}", table.text());
}

#[test]
fn exit_codes() {
    let site = Site::default();
    let mut server = site.start();
    let id = key(&server);
    let saved = server.settings.clone();

    // 1: a failure on this side.
    let missing = site.path("missing");
    let at = format!("@{}", word(&missing));
    server.jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", &at]).failed(1, &["missing"]);
    let large = site.write("large", vec![0; 128 * 1024 + 1]);
    let at = format!("@{}", word(&large));
    server.jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", &at]).failed(1, &["jomae file encrypt"]);
    let bytes = site.write("bytes", [0xff, 0xfe]);
    let at = format!("@{}", word(&bytes));
    server.jomae(&["call", "DescribeKey", "--KeyId", &at]).failed(1, &["--KeyId takes text"]);
    server.jomae(&["key", "list", "--ca-file", word(&missing)]).failed(1, &["missing"]);
    server.jomae(&["key", "list", "--ca-file", word(&bytes)]).failed(1, &["bytes"]);

    // 2: wrong usage.
    server.jomae(&["call", "DescribeKey", "KeyId", &id]).failed(2, &["--Name value"]);
    server.jomae(&["call", "DescribeKey", "--KeyId"]).failed(2, &["--KeyId"]);
    server.jomae(&["call", "DescribeKey", "--KeyId", &id, "--KeyId", &id]).failed(2, &["twice"]);
    server.jomae(&["call", "CreateAccessKey", "--Username", "billing"]).failed(2, &["--UserName"]);
    server.jomae(&["call", "ListKeys", "--PageSize", "1", "--output", "xml"]).failed(2, &["json or table"]);
    for words in [
        &["nonsense"][..],
        &[],
        &["key"],
        &["key", "create", "--nonsense"],
        &["call"],
        &["key", "list", "--output", "xml"],
    ] {
        let ran = server.jomae(words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{words:?}");
    }

    // 3: the service refused.
    let ran = server.jomae(&["call", "DescribeKey", "--KeyId", "alias/none"]);
    let id_of_call = ran.stderr.split("request id ").nth(1).unwrap().get(..36).unwrap().to_owned();
    ran.failed(3, &["Forbidden.AliasNotFound"]);
    assert!(server.audit().iter().any(|event| event["requestId"] == *id_of_call));
    server.jomae(&["call", "NoSuchAction"]).failed(3, &["InvalidAction.NotFound"]);
    server.jomae(&["call", "DescribeKey"]).failed(3, &["MissingParameter", "KeyId"]);
    let large = site.write("large", vec![0; 6145]);
    let at = format!("@{}", word(&large));
    server
        .jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", &at])
        .failed(3, &["InvalidParameter", "Plaintext", "6145 bytes; Encrypt takes 6144; for more: jomae file encrypt"]);
    server.jomae(&["call", "Decript", "--CiphertextBlob", "x"]).failed(2, &["is Decrypt meant?", "--list"]);
    server.jomae(&["key", "create", "--spec", "RSA_2084"]).failed(3, &["InvalidParameter", "is RSA_2048 meant?"]);
    let listed = cli::jomae(&["call", "--list"]).ok();
    assert!(["CreateKey", "AssumeRole", "LookupEvents"].iter().all(|name| listed.text().contains(name)));
    let settings = server.settings.as_mut().unwrap();
    settings.insert("ALIBABA_CLOUD_ACCESS_KEY_SECRET".into(), "not the secret".into());
    let ran = server.jomae(&["key", "list"]).failed(3, &["SignatureDoesNotMatch"]);
    assert!(!ran.stderr.contains("string to sign is:"), "{}", ran.stderr);
    server.settings.as_mut().unwrap().insert("ALIBABA_CLOUD_ACCESS_KEY_ID".into(), "LTAInobody".into());
    server.jomae(&["key", "list"]).failed(3, &["InvalidAccessKeyId.NotFound"]);
    server.settings = saved;

    // 4: no answer, or none of this API.
    let admin = format!("https://{}", server.admin);
    server.jomae(&["key", "list", "--endpoint", &admin]).failed(4, &["no answer", &admin, "does not speak TLS"]);
    let other = Site::default();
    let other = other.start();
    let foreign = format!("https://{}", other.listening);
    server.jomae(&["key", "list", "--endpoint", &foreign]).failed(4, &["no answer", &foreign, "JOMAE_CA_FILE"]);
    server.kill();
    server.jomae(&["key", "list"]).failed(4, &["no answer"]);
}

#[test]
fn settings() {
    let named = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = binary::command();
        command.args(words).envs(variables.iter().copied());
        cli::run(command, b"")
    };
    let words = ["key", "list"];
    named(&words, &[]).failed(2, &["JOMAE_ENDPOINT", "--endpoint", "jomae-data/env"]);
    let endpoint = ("JOMAE_ENDPOINT", "https://127.0.0.1:1");
    named(&words, &[endpoint]).failed(2, &["ALIBABA_CLOUD_ACCESS_KEY_ID"]);
    let id = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI");
    named(&words, &[endpoint, id]).failed(2, &["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]);
    let secret = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s");
    named(&words, &[endpoint, id, secret]).failed(4, &["no answer from https://127.0.0.1:1", "refused", "jomae serve"]);
    named(&words, &[("JOMAE_ENDPOINT", "http://127.0.0.1:1"), id, secret]).failed(1, &["https://"]);
    // Without a scheme it is https, which is all that the service speaks.
    named(&words, &[("JOMAE_ENDPOINT", "127.0.0.1:1/\n"), id, secret])
        .failed(4, &["no answer from https://127.0.0.1:1"]);
    for (name, value) in [("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI\nmore"), ("JOMAE_ENDPOINT", "https://127\n.0.0.1:1")] {
        let ran = named(&words, &[endpoint, id, secret, (name, value)]).failed(2, &[name, "control character"]);
        assert!(!ran.stderr.contains("LTAI") && !ran.stderr.contains(".0.0.1"), "{}", ran.stderr);
    }
    for endpoint in ["8443", ":8443"] {
        named(&words, &[("JOMAE_ENDPOINT", endpoint), id, secret])
            .failed(2, &["names no host", "https://localhost:8443"]);
    }
    named(&words, &[("JOMAE_ENDPOINT", "nowhere at all"), id, secret]).failed(1, &["not a URL"]);
    // A flag wins over the environment.
    let flagged = ["key", "list", "--endpoint", "https://127.0.0.1:2"];
    named(&flagged, &[endpoint, id, secret]).failed(4, &["https://127.0.0.1:2"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut command = binary::command();
    let mut child = command.arg("man").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

/// Settings that come out of mounted secrets and files end in a line end.
#[test]
fn line_ends_behind_settings_do_not_count() {
    let site = Site::default();
    let server = site.start();
    for end in ["\n", "\r\n"] {
        for name in [
            "JOMAE_ENDPOINT",
            "JOMAE_CA_FILE",
            "JOMAE_REGION",
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        ] {
            let mut command = binary::command();
            command.args(["key", "list"]).envs(server.settings.iter().flatten());
            command.env(name, format!("{}{end}", server.setting(name)));
            cli::run(command, b"").ok();
        }
    }
    for endpoint in [format!("https://{}/", server.listening), server.listening.to_string()] {
        server.jomae(&["key", "list", "--endpoint", &endpoint]).ok();
    }
    let mut command = binary::command();
    command.args(["key", "list"]).envs(server.settings.iter().flatten());
    command.env("ALIBABA_CLOUD_SECURITY_TOKEN", "a\u{1b}b");
    cli::run(command, b"").failed(2, &["ALIBABA_CLOUD_SECURITY_TOKEN", "control character"]);
}
