//! Secrets are planted everywhere a caller or an operator could put one, in the right places and in wrong ones; then
//! every byte that the service has written is searched for them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod identity;

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_client::api::Client;
use jomae_tests::{
    Server, Site,
    calls::{ask, create_key, decrypt, encrypt, refused},
    cli, random,
    scan::Secrets,
    wire::{Wire, signed, with_header},
};

/// What is searched for, and what must be found so that the search proves something.
#[derive(Default)]
struct Planted {
    secrets: Secrets,
    count: usize,
    controls: Secrets,
}

impl Planted {
    fn add(&mut self, name: &str, secret: &[u8]) {
        self.count += 1;
        self.secrets.add(name, secret);
    }

    /// A new secret that is text, as a password is.
    fn text(&mut self, name: &str) -> String {
        let text = format!("Canary-{}", random::word(24));
        self.add(name, text.as_bytes());
        text
    }
}

/// Everything, also what libraries say of frames and records.
const TRACE: &str = "[log]\nlevel = \"trace,h2=trace,hyper=trace,hyper_util=trace,rustls=trace,reqwest=trace\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_written_with_a_key_file_and_sigkill() {
    let site = Site::default();
    let server = site.launch().config(TRACE).start();
    let root_key_file = fs::read_to_string(site.data().join("root.key")).unwrap();
    let root_key = STANDARD.decode(root_key_file.lines().nth(1).unwrap()).unwrap();
    let mut planted = Planted::default();
    planted.add("root key", &root_key);
    check(&site, server, planted, Server::kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_written_with_a_passphrase_and_sigterm() {
    let site = Site::default();
    let mut planted = Planted::default();
    let passphrase = planted.text("passphrase");
    let config = format!("{TRACE}format = \"json\"\n[root_key]\nprovider = \"passphrase\"\n");
    let launch = || site.launch().config(&config).variable("JOMAE_ROOT_PASSPHRASE", &passphrase);
    drop(launch().start());
    let mistaken = planted.text("wrong passphrase");
    let failed = site.launch().config(&config).variable("JOMAE_ROOT_PASSPHRASE", &mistaken).fails();
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let server = launch().start();
    check(&site, server, planted, |server| assert_eq!(server.stop(), Some(0))).await;
}

async fn check(site: &Site, mut server: Server, mut planted: Planted, end: impl FnOnce(&mut Server)) {
    planted.add("access key secret", server.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").as_bytes());
    let client = server.client();
    let description = format!("control-{}", random::word(24));
    let key = create_key(&client, &description).await;
    planted.controls.add("description", description.as_bytes());
    planted.controls.add("key id", key.as_bytes());
    right_places(&client, &key, &mut planted).await;
    other_keys(&client, site, &server, &mut planted).await;
    wrong_places(&client, &key, &mut planted).await;
    raw_bytes(&server, &key, &mut planted);
    let metrics = server.page("/metrics").expect("metrics").1;
    let data = site.data();
    let backup = site.path("backup");
    cli::jomae(&["backup", "create", "--data-dir", data.to_str().unwrap(), "--to", backup.to_str().unwrap()]).ok();

    end(&mut server);
    assert!(planted.count > 30, "{}", planted.count);
    let allowed = |path: &str, label: &str| {
        (path == "env" && label.starts_with("access key secret"))
            || (path == "root.key" && label.starts_with("root key"))
    };
    let (found, bytes) = planted.secrets.found_below(&data, allowed);
    assert!(found.is_empty(), "in the data directory: {found:#?}");
    assert!(bytes > 20_000, "{bytes}");
    let (found, bytes) = planted.secrets.found_below(&backup, |_, _| false);
    assert!(found.is_empty(), "in the backup: {found:#?}");
    assert!(bytes > 10_000, "{bytes}");
    for (what, text) in [("stdout", server.stdout()), ("stderr", server.stderr()), ("metrics", metrics)] {
        assert!(text.len() > 50, "{what}: {text}");
        let found = planted.secrets.found_in(text.as_bytes());
        assert!(found.is_empty(), "in {what}: {found:?}");
    }
    assert!(server.stderr().contains("TRACE"), "the log was not at its most talkative");
    assert_controls(&planted.controls, site);
}

/// The search finds what is there: the description in the audit log, the key's id in the store too.
fn assert_controls(controls: &Secrets, site: &Site) {
    let (found, _) = controls.found_below(&site.data(), |_, _| false);
    let has = |path: &str, what: &str| found.iter().any(|line| line.starts_with(path) && line.contains(what));
    assert!(has("audit/", "description (raw)"), "{found:?}");
    assert!(has("audit/", "key id (raw)"), "{found:?}");
    assert!(has("store.db", "key id (raw)"), "{found:?}");
    // Records are sealed: even what is no secret cannot be read in the store.
    assert!(!has("store.db", "description"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_left_in_the_write_ahead_log() {
    let site = Site::default();
    let mut server = site.launch().config(TRACE).start();
    let client = server.client();
    let mut planted = Planted::default();
    planted.add("access key secret", server.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").as_bytes());
    let key = create_key(&client, "wal").await;
    right_places(&client, &key, &mut planted).await;
    server.kill();
    let log = fs::read(site.data().join("store.db-wal")).unwrap();
    assert!(memchr::memmem::find(&log, key.as_bytes()).is_some(), "the log holds the last commits");
    assert_eq!(planted.secrets.found_in(&log), Vec::<&str>::new());
}

/// Plaintexts and data keys, as they should travel.
async fn right_places(client: &Client, key: &str, planted: &mut Planted) {
    for n in 0..4 {
        let plaintext = random::bytes(24 + n);
        planted.add(&format!("plaintext {n}"), &plaintext);
        let plaintext = STANDARD.encode(plaintext);
        let blob = encrypt(client, key, &plaintext).await;
        assert_eq!(decrypt(client, &blob).await, plaintext);
    }
    let password = planted.text("password as plaintext");
    encrypt(client, key, &STANDARD.encode(password)).await;
    for bytes in ["16", "32", "64", "1024"] {
        let answer = ask(client, "GenerateDataKey", &[("KeyId", key), ("NumberOfBytes", bytes)]).await;
        let data_key = STANDARD.decode(answer["Plaintext"].as_str().unwrap()).unwrap();
        planted.add(&format!("data key of {bytes} bytes"), &data_key);
        if data_key.len() > 32 {
            planted.add(&format!("part of the data key of {bytes} bytes"), &data_key[17..41]);
        }
    }
    let answer = ask(client, "GenerateDataKeyWithoutPlaintext", &[("KeyId", key)]).await;
    let data_key = decrypt(client, answer["CiphertextBlob"].as_str().unwrap()).await;
    planted.add("data key without plaintext", &STANDARD.decode(data_key).unwrap());
}

/// Secrets of other kinds of keys: material of one's own, what is encrypted to a public key, what is authenticated.
async fn other_keys(client: &Client, site: &Site, server: &Server, planted: &mut Planted) {
    let made = ask(client, "CreateKey", &[("Origin", "EXTERNAL")]).await;
    let external = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    let material = random::bytes(32);
    planted.add("key material", &material);
    let file = site.write("material", &material);
    server.jomae(&["key", "import", external, "--material", file.to_str().unwrap()]).ok();
    fs::remove_file(file).unwrap();
    let secret = random::bytes(40);
    planted.add("plaintext that is encrypted anew", &secret);
    let blob = encrypt(client, external, &STANDARD.encode(&secret)).await;
    let other = create_key(client, "other").await;
    ask(client, "ReEncrypt", &[("CiphertextBlob", &blob), ("DestinationKeyId", &other)]).await;

    let made = ask(client, "CreateKey", &[("KeySpec", "RSA_2048"), ("KeyUsage", "ENCRYPT/DECRYPT")]).await;
    let key = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    let versions = ask(client, "ListKeyVersions", &[("KeyId", key)]).await;
    let version = versions["KeyVersions"]["KeyVersion"][0]["KeyVersionId"].as_str().unwrap();
    let secret = planted.text("plaintext under a public key");
    let plaintext = STANDARD.encode(&secret);
    let common = [("KeyId", key), ("KeyVersionId", version), ("Algorithm", "RSAES_OAEP_SHA_256")];
    let params = [common[0], common[1], common[2], ("Plaintext", &plaintext)];
    let sealed = ask(client, "AsymmetricEncrypt", &params).await;
    let blob = sealed["CiphertextBlob"].as_str().unwrap();
    let params = [common[0], common[1], common[2], ("CiphertextBlob", blob)];
    assert_eq!(ask(client, "AsymmetricDecrypt", &params).await["Plaintext"], plaintext);

    let made = ask(client, "CreateKey", &[("KeySpec", "HMAC_SHA_256"), ("KeyUsage", "GENERATE/VERIFY_MAC")]).await;
    let key = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    let secret = planted.text("message that is authenticated");
    let params = [("KeyId", key), ("Algorithm", "HMAC_SHA_256"), ("Message", &STANDARD.encode(&secret))];
    ask(client, "GenerateMac", &params).await;
}

/// Secrets in parameters that are meant for something else.
async fn wrong_places(client: &Client, key: &str, planted: &mut Planted) {
    let hello = STANDARD.encode("hello");
    for name in ["KeyId", "Plaintext", "EncryptionContext", "DryRun", "NoSuchParameter", "CiphertextBlob", "Filters"] {
        let secret = planted.text(&format!("plaintext in {name}"));
        let mut params = vec![("KeyId", key), ("Plaintext", hello.as_str())];
        params.retain(|(given, _)| *given != name);
        params.push((name, &secret));
        // Some of these succeed: an unknown parameter is not looked at.
        let _ = client.call("Encrypt", &params).await;
    }
    let secret = planted.text("plaintext as the name of a parameter");
    let _ = client.call("Encrypt", &[("KeyId", key), ("Plaintext", &hello), (&secret, "x")]).await;
    let secret = planted.text("plaintext in broken JSON");
    let context = format!("{{\"password\": \"{secret}");
    refused(client, "Encrypt", &[("KeyId", key), ("Plaintext", &hello), ("EncryptionContext", &context)]).await;
    let secret = planted.text("plaintext in JSON of another form");
    let context = format!("{{\"password\": [\"{secret}\"]}}");
    refused(client, "Encrypt", &[("KeyId", key), ("Plaintext", &hello), ("EncryptionContext", &context)]).await;
    let secret = planted.text("action");
    refused(client, &secret, &[]).await;
    for (action, name) in [
        ("DescribeKey", "KeyId"),
        ("DisableKey", "KeyId"),
        ("CreateAlias", "AliasName"),
        ("DeleteAlias", "AliasName"),
        ("CreateKey", "KeySpec"),
        ("CreateKey", "Origin"),
        ("CreateKey", "Tags"),
        ("ListKeys", "PageNumber"),
        ("ScheduleKeyDeletion", "PendingWindowInDays"),
        ("Decrypt", "CiphertextBlob"),
        ("GenerateDataKey", "NumberOfBytes"),
        ("GenerateDataKey", "KeySpec"),
        ("GenerateMac", "Message"),
        ("AsymmetricDecrypt", "CiphertextBlob"),
        ("AsymmetricSign", "Digest"),
        ("ImportKeyMaterial", "EncryptedKeyMaterial"),
        ("ImportKeyMaterial", "ImportToken"),
        ("ReEncrypt", "CiphertextBlob"),
        ("ExportDataKey", "PublicKeyBlob"),
        ("SetKeyPolicy", "Policy"),
        ("TagResource", "Tags"),
        ("UpdateRotationPolicy", "RotationInterval"),
        ("DescribeKeyVersion", "KeyVersionId"),
    ] {
        let secret = planted.text(&format!("secret in {name} of {action}"));
        let mut params = vec![("KeyId", key)];
        params.retain(|(given, _)| *given != name);
        params.push((name, &secret));
        refused(client, action, &params).await;
    }
}

/// Secrets in what is not a signed request, or not even HTTP.
fn raw_bytes(server: &Server, key: &str, planted: &mut Planted) {
    let hello = STANDARD.encode("hello");
    let form = [("KeyId", key), ("Plaintext", hello.as_str())];
    let host = server.listening.to_string();

    let secret = planted.text("secret in a header");
    let request = with_header(&signed(server, &host, "Encrypt", &form), &format!("X-Password: {secret}"));
    assert_eq!(Wire::tls(server).ask(request).status, 200);

    let secret = planted.text("secret in the name of a header");
    let request = with_header(&signed(server, &host, "Encrypt", &form), &format!("{secret}: x"));
    assert_eq!(Wire::tls(server).ask(request).status, 200);

    let secret = planted.text("plaintext in a request with a wrong signature");
    let request = signed(server, &host, "Encrypt", &[("KeyId", key), ("Plaintext", &STANDARD.encode(&secret))]);
    let mut request = String::from_utf8(request).unwrap();
    let at = request.find("Signature=").unwrap() + "Signature=".len();
    request.replace_range(at..at + 8, "00000000");
    assert_eq!(Wire::tls(server).ask(request).code(), "SignatureDoesNotMatch");

    for (name, template) in [
        ("query of an unsigned request", "GET /?Action=Encrypt&Plaintext=SECRET HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("path", "GET /SECRET HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("method", "SECRET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("version", "GET / SECRET\r\nHost: h\r\n\r\n"),
        ("Authorization", "GET / HTTP/1.1\r\nAuthorization: Basic SECRET\r\n\r\n"),
        ("access key id", "GET /?Action=DescribeKey&AccessKeyId=SECRET HTTP/1.1\r\n\r\n"),
        (
            "Authorization of ACS3",
            "GET / HTTP/1.1\r\nx-acs-action: ListKeys\r\nx-acs-version: 2016-01-20\r\nx-acs-date: SECRET\r\nx-acs-signature-nonce: SECRET\r\nAuthorization: ACS3-HMAC-SHA256 Credential=SECRET,SignedHeaders=host,Signature=SECRET\r\n\r\n",
        ),
        ("request that is none", "SECRET\r\n\r\n"),
        ("bytes that are not text", "\0\u{1}SECRET\r\n\r\n"),
    ] {
        let secret = planted.text(name);
        let answer = Wire::tls(server).ask(template.replace("SECRET", &secret));
        assert!(answer.status >= 400, "{name}");
    }
    let secret = planted.text("body of an unsigned request");
    let body = format!("Action=Encrypt&Plaintext={secret}");
    let head = "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let answer = Wire::tls(server).ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert!(answer.status >= 400);
    let secret = planted.text("plain HTTP");
    assert_eq!(Wire::plain(server).ask(format!("GET /?Password={secret} HTTP/1.1\r\n\r\n")).status, 400);
}
