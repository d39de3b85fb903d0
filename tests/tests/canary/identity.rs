//! Secrets of those who call, of those who log in elsewhere, and of the service itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jomae_core::{
    audit::{AuditSink as _, Durability, Event},
    keyring::Keyring,
    store::Store as _,
};
use jomae_server::{
    bootstrap,
    config::Config,
    gateway, root_key,
    store::{Options, SqliteStore},
};
use jomae_tests::{
    Server, Site, cli,
    oidc::{Issuer, assume, provider, trust},
    party::{Line, Party},
    random,
    wire::Answer,
};
use serde_json::{Value, json};

use super::{Planted, TRACE};

/// Events of a block of the look-up index; a block has a file once it is full.
const BLOCK_EVENTS: usize = 16_384;
/// Fewer events than this test leaves.
const EVENTS_LEFT: usize = 30;

/// The test with all of its callers.
struct Stage<'s> {
    server: &'s Server,
    line: Line<'s>,
    root: Party,
    account: String,
    planted: Planted,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_caller_is_written() {
    let site = Site::default();
    let mut planted = Planted::default();
    fill_log(&site).await;
    let mut first = site.start();
    let account = Line::new(&first).ok(&Party::root(&first), "GetCallerIdentity", &[]);
    let account = account["AccountId"].as_str().unwrap().to_owned();
    planted.add("access key secret", first.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").as_bytes());
    assert_eq!(first.stop(), Some(0));

    let issuer = Issuer::default();
    let keys = site.write("keys.json", issuer.key_set());
    let config = format!("{TRACE}{}", provider(&account, &format!("jwks_file = {keys:?}")));
    let mut server = site.launch().config(&config).start();
    let (root, line) = (Party::root(&server), Line::new(&server));
    let mut stage = Stage { server: &server, line, root, account, planted };
    let user = stage.user();
    stage.session(&user);
    stage.federated(&issuer);
    stage.wrong_places(&user);
    stage.accounts(&site);
    stage.operator_socket();
    let mut planted = stage.planted;
    let shown = shown_log(&server, &site);
    let metrics = server.page("/metrics").expect("metrics").1;
    server.kill();

    for (number, key) in signing_keys(&site).await.iter().enumerate() {
        planted.add(&format!("signing key {number} of the log"), key);
    }
    assert!(planted.count > 40, "{}", planted.count);
    let allowed = |path: &str, label: &str| path == "env" && label.starts_with("access key secret");
    let (found, bytes) = planted.secrets.found_below(&site.data(), allowed);
    assert!(found.is_empty(), "in the data directory: {found:#?}");
    assert!(bytes > 1_000_000, "{bytes}");
    for (what, text) in [("log", server.stderr()), ("stdout", server.stdout()), ("metrics", metrics), ("shown", shown)]
    {
        assert!(text.len() > 50, "{what}: {text}");
        let found = planted.secrets.found_in(text.as_bytes());
        assert!(found.is_empty(), "in {what}: {found:?}");
    }
    assert!(server.stderr().contains("TRACE"), "the log was not at its most talkative");
    let (found, _) = planted.controls.found_below(&site.data(), |_, _| false);
    for control in ["name of the user (raw)", "access key id (raw)", "subject (raw)"] {
        assert!(found.iter().any(|line| line.starts_with("audit/") && line.contains(control)), "{control}: {found:?}");
    }
}

/// A service whose log is nearly as long as a block of the index.
async fn fill_log(site: &Site) {
    let config = Config { data_dir: site.data(), ..Config::default() };
    let started = bootstrap::open(&config, gateway::now()).await.unwrap();
    for number in 0..BLOCK_EVENTS - EVENTS_LEFT {
        let event = json!({
            "eventId": format!("old-{number}"), "eventTime": "2026-01-01T00:00:00Z", "eventName": "Encrypt",
            "userIdentity": { "accountId": "1" },
        });
        let event = Event::of_line(event.to_string().into_bytes());
        started.audit.append(&event, Durability::Handed).done.wait().await.unwrap();
    }
    started.audit.close();
    started.audit.keep_end(&started.service.kms.vault).await.unwrap();
}

/// What the service and the command line show of the log, also in files that leave the machine.
fn shown_log(server: &Server, site: &Site) -> String {
    let word = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, export) = (word(&site.data()), site.path("export"));
    let mut shown = String::new();
    for words in [vec!["audit", "search", "--event-name", "CreateAccessKey"], vec!["audit", "tail", "-n", "1000"]] {
        let listed = server.jomae(&words).ok();
        assert!(listed.text().contains("CreateAccessKey"), "{words:?}: {}", listed.text());
        shown.push_str(listed.text());
    }
    // An export ends with what a checkpoint covers, and the next one comes within a second.
    let events = server.audit().len();
    let covers =
        |note: &str| note.lines().nth(1).and_then(|size| size.parse().ok()).is_some_and(|size: usize| size >= events);
    let covered = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(100));
        covers(cli::jomae(&["audit", "checkpoint", "--data-dir", &data]).ok().text())
    });
    assert!(covered, "no checkpoint for a minute");
    cli::jomae(&["audit", "export", "--data-dir", &data, "--to", &word(&export)]).ok();
    let exported = fs::read_to_string(export).unwrap();
    let lines = exported.lines().count();
    assert!(lines > BLOCK_EVENTS, "the export has {lines} lines");
    shown.push_str(&exported);
    // Looking something up has the index written.
    let mut index = fs::read_dir(site.data().join("audit/index")).unwrap();
    assert!(index.any(|file| file.unwrap().metadata().unwrap().len() > 10_000), "no file of the index");
    shown
}

/// The raw private keys that sign the log, from the sealed record in the store.
async fn signing_keys(site: &Site) -> Vec<Vec<u8>> {
    // A copy: opening a store changes it.
    let copy = site.path("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(site.data().join(name), copy.join(name)).unwrap();
    }
    let config = Config { data_dir: site.data(), ..Config::default() };
    let store = SqliteStore::open(&copy.join("store.db"), &Options::default()).unwrap();
    let root = root_key::open(&config, &store).await.unwrap().root;
    let keyring = Keyring::open(&store, &root).await.unwrap();
    let sealed = store.get("sys/audit-key").unwrap().expect("the log has a key");
    let record = keyring.open_record("sys/audit-key", &sealed.value).unwrap();
    let record: Value = serde_json::from_slice(record.expose()).unwrap();
    let keys = record["keys"].as_array().unwrap().iter();
    keys.map(|key| {
        let pkcs8 = STANDARD.decode(key["private"].as_str().unwrap()).unwrap();
        // RFC 8410: the OCTET STRING that holds the OCTET STRING of 32 bytes.
        let at = memchr::memmem::find(&pkcs8, &[0x04, 0x22, 0x04, 0x20]).expect("an Ed25519 key") + 4;
        pkcs8[at..at + 32].to_vec()
    })
    .collect()
}

impl Stage<'_> {
    fn ok(&mut self, action: &str, form: &[(&str, &str)]) -> Value {
        let root = self.root.clone();
        self.line.ok(&root, action, form)
    }

    /// Checks that an answer, its head too, has none of the secrets so far.
    #[track_caller]
    fn clean(&self, answer: &Answer) {
        let mut bytes = answer.body.clone();
        for (name, value) in &answer.headers {
            bytes.extend_from_slice(format!("\n{name}: {value}").as_bytes());
        }
        let found = self.planted.secrets.found_in(&bytes);
        assert!(found.is_empty(), "in an answer: {found:?}");
    }

    fn plant(&mut self, whose: &str, party: &Party) {
        self.planted.add(&format!("secret of {whose}"), party.secret.as_bytes());
        if let Some(token) = &party.token {
            self.planted.add(&format!("security token of {whose}"), token.as_bytes());
            let token = URL_SAFE_NO_PAD.decode(token).unwrap();
            self.planted.add(&format!("part of the security token of {whose}"), &token[token.len() / 2..][..24]);
        }
    }

    /// A RAM user: the secret stands in one answer, once, and nowhere else.
    fn user(&mut self) -> Party {
        let name = format!("user-{}", random::word(16));
        self.planted.controls.add("name of the user", name.as_bytes());
        let of = [("UserName", name.as_str())];
        self.ok("CreateUser", &of);
        let all = [("PolicyType", "System"), ("PolicyName", "AdministratorAccess"), ("UserName", name.as_str())];
        self.ok("AttachPolicyToUser", &all);
        let root = self.root.clone();
        let made = self.line.call_with(&root, "CreateAccessKey", &of, "x-jomae-receipt: true");
        assert_eq!(made.status, 200);
        assert!(made.header("x-jomae-receipt").is_some_and(|receipt| receipt.len() > 100), "no receipt");
        let user = Party::of_access_key(&made.json());
        let body = String::from_utf8(made.body.clone()).unwrap();
        assert_eq!(body.matches(&user.secret).count(), 1);
        self.plant("a user", &user);
        self.planted.controls.add("access key id", user.id.as_bytes());
        self.clean(&Answer { body: Vec::new(), ..made });

        let key = ("UserAccessKeyId", user.id.as_str());
        for (action, form) in [
            ("ListAccessKeys", vec![of[0]]),
            ("GetAccessKeyLastUsed", vec![of[0], key]),
            ("UpdateAccessKey", vec![of[0], key, ("Status", "Inactive")]),
            ("UpdateAccessKey", vec![of[0], key, ("Status", "Active")]),
            ("GetUser", vec![of[0]]),
        ] {
            let answer = self.line.call(&root, action, &form);
            assert_eq!(answer.status, 200, "{action}");
            self.clean(&answer);
        }
        self.clean(&self.line_of(&user, "GetCallerIdentity", &[]));
        let mistaken = Party { secret: self.planted.text("secret of nobody"), ..user.clone() };
        let answer = self.line_of(&mistaken, "GetCallerIdentity", &[]);
        assert_eq!(answer.code(), "SignatureDoesNotMatch");
        self.clean(&answer);

        // A second one, which is deleted.
        let other = Party::of_access_key(&self.ok("CreateAccessKey", &of));
        self.plant("a deleted access key", &other);
        self.ok("DeleteAccessKey", &[of[0], ("UserAccessKeyId", &other.id)]);
        assert_eq!(self.line_of(&other, "GetCallerIdentity", &[]).code(), "InvalidAccessKeyId.NotFound");
        user
    }

    fn line_of(&self, party: &Party, action: &str, form: &[(&str, &str)]) -> Answer {
        Line::new(self.server).call(party, action, form)
    }

    /// A session of a role, narrowed, and what it calls.
    fn session(&mut self, user: &Party) {
        let role = format!("role-{}", random::word(16));
        let arn = format!("acs:ram::{}:role/{role}", self.account);
        let trust = format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":"acs:ram::{}:root"}}}}]}}"#,
            self.account
        );
        self.ok("CreateRole", &[("RoleName", &role), ("AssumeRolePolicyDocument", &trust)]);
        let crypto = [("PolicyType", "System"), ("PolicyName", "AliyunKMSFullAccess"), ("RoleName", &role)];
        self.ok("AttachPolicyToRole", &crypto);
        let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
        // What the owner of the role and its user have agreed: not for others to read.
        let agreed = self.planted.text("external id");
        let form =
            [("RoleArn", arn.as_str()), ("RoleSessionName", "canary"), ("Policy", policy), ("ExternalId", &agreed)];
        let assumed = self.line.call_with(user, "AssumeRole", &form, "x-jomae-receipt: true");
        assert_eq!(assumed.status, 200, "{}", String::from_utf8_lossy(&assumed.body));
        let session = Party::of_credentials(&assumed.json());
        self.plant("a session", &session);
        self.clean(&Answer { body: Vec::new(), ..assumed });
        for (action, form) in [("GetCallerIdentity", &[][..]), ("ListKeys", &[]), ("CreateKey", &[])] {
            let answer = self.line_of(&session, action, form);
            assert_eq!(answer.status, 200, "{action}");
            self.clean(&answer);
        }
        assert_eq!(self.line_of(&session, "ListUsers", &[]).code(), "NoPermission");

        let token = self.planted.text("token of nobody");
        for (party, code) in [
            (Party { token: None, ..session.clone() }, "MissingSecurityToken"),
            (Party { token: Some(token), ..session.clone() }, "InvalidSecurityToken.Malformed"),
            (Party { secret: user.secret.clone(), ..session.clone() }, "SignatureDoesNotMatch"),
            (Party { token: session.token.clone(), ..user.clone() }, "InvalidSecurityToken.MismatchWithAccessKey"),
        ] {
            let answer = self.line_of(&party, "GetCallerIdentity", &[]);
            assert_eq!(answer.code(), code);
            if code == "SignatureDoesNotMatch" {
                // The string to sign goes back to whoever sent it, with the token; never what signs.
                let text = String::from_utf8_lossy(&answer.body);
                assert!(!text.contains(&session.secret) && !text.contains(&user.secret));
            } else {
                self.clean(&answer);
            }
        }
    }

    /// Tokens of an identity provider, accepted and refused.
    fn federated(&mut self, issuer: &Issuer) {
        let role = format!("role-{}", random::word(16));
        let trust = trust(&self.account);
        self.ok("CreateRole", &[("RoleName", &role), ("AssumeRolePolicyDocument", &trust)]);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(since.as_secs()).unwrap();
        let subject = format!("repo:acme/app:{}", random::word(16));
        self.planted.controls.add("subject", subject.as_bytes());
        for (name, token, code) in [
            ("accepted", issuer.token(&subject, now + 300), None),
            ("expired", issuer.token("repo:acme/app:old", now - 1000), Some("AuthenticationFail.OIDCToken.Expired")),
            (
                "of another issuer",
                Issuer::default().token(&subject, now + 300),
                Some("AuthenticationFail.OIDCToken.InvalidSignature"),
            ),
            ("without trust", issuer.token("repo:acme/other", now + 300), Some("NoPermission")),
        ] {
            self.planted.add(&format!("OIDC token {name}"), token.as_bytes());
            let signature = token.rsplit('.').next().unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            self.planted.add(&format!("signature of the OIDC token {name}"), &signature);
            let answer = assume(self.server, &self.account, &role, &token);
            if let Some(code) = code {
                assert_eq!(answer.code(), code, "{name}");
                self.clean(&answer);
                continue;
            }
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let session = Party::of_credentials(&answer.json());
            self.plant("a session of an OIDC token", &session);
            let own = self.line_of(&session, "GetCallerIdentity", &[]);
            assert_eq!(own.status, 200);
            self.clean(&own);
        }
        for name in ["text instead of an OIDC token", "broken.OIDC.token"] {
            let token = self.planted.text(name);
            let answer = assume(self.server, &self.account, &role, &format!("{token}.{token}.x"));
            assert_eq!(answer.code(), "AuthenticationFail.OIDCToken.Invalid");
            self.clean(&answer);
        }
    }

    /// Secrets in parameters that are meant for something else.
    fn wrong_places(&mut self, user: &Party) {
        let root = self.root.clone();
        for (action, name) in [
            ("CreateUser", "UserName"),
            ("GetUser", "UserName"),
            ("ListUsers", "MaxItems"),
            ("ListUsers", "Marker"),
            ("CreateAccessKey", "UserName"),
            ("UpdateAccessKey", "Status"),
            ("DeleteAccessKey", "UserAccessKeyId"),
            ("CreatePolicy", "PolicyName"),
            ("CreatePolicy", "PolicyDocument"),
            ("AttachPolicyToUser", "PolicyType"),
            ("CreateRole", "AssumeRolePolicyDocument"),
            ("CreateRole", "MaxSessionDuration"),
            ("AssumeRole", "RoleArn"),
            ("AssumeRole", "RoleSessionName"),
            ("AssumeRole", "DurationSeconds"),
            ("AssumeRole", "Policy"),
            ("LookupEvents", "StartTime"),
            ("LookupEvents", "NextToken"),
            ("LookupEvents", "MaxResults"),
            ("LookupEvents", "LookupAttribute.1.Key"),
        ] {
            // Not a name that something could have.
            let secret = format!("Canary {} !", random::word(24));
            self.planted.add(&format!("secret in {name} of {action}"), secret.as_bytes());
            let answer = self.line.call(&root, action, &[(name, &secret)]);
            assert!(answer.status >= 400, "{action} {name}");
            self.clean(&answer);
        }
        // What is easily mistaken for an ID by whoever pastes it.
        let secret = user.secret.as_str();
        for (action, form) in [
            ("DeleteAccessKey", vec![("UserAccessKeyId", secret)]),
            ("GetAccessKeyLastUsed", vec![("UserAccessKeyId", secret)]),
            ("LookupEvents", vec![("LookupAttribute.1.Key", "EventAccessKeyId"), ("LookupAttribute.1.Value", secret)]),
            ("Encrypt", vec![("KeyId", "alias/x"), ("AccessKeySecret", secret)]),
        ] {
            let answer = self.line.call(&root, action, &form);
            self.clean(&answer);
        }
        let secret = self.planted.text("secret in the header that asks for a receipt");
        let answer = self.line.call_with(&root, "ListUsers", &[], &format!("x-jomae-receipt: {secret}"));
        assert_eq!((answer.status, answer.header("x-jomae-receipt")), (200, None));
        self.clean(&answer);
    }

    /// Accounts of the operator's, through the command line and the socket.
    fn accounts(&mut self, site: &Site) {
        let data = site.data();
        let place = ["--data-dir", data.to_str().unwrap(), "--output", "json"];
        let made = cli::jomae(&[&["account", "create", "--name", "other"][..], &place].concat()).ok();
        let secret = made.json()["AccessKeySecret"].as_str().unwrap().to_owned();
        assert_eq!(made.text().matches(&secret).count(), 1);
        self.planted.add("secret of another account", secret.as_bytes());
        let account = made.json()["Account"].as_str().unwrap().to_owned();
        let env = site.path("other-env");
        let to = ["--env-file", env.to_str().unwrap()];
        let written = cli::jomae(&[&["account", "key", &account][..], &place, &to].concat()).ok();
        let settings = jomae_tests::server::read_env(&env).unwrap();
        self.planted.add("further secret of an account", settings["ALIBABA_CLOUD_ACCESS_KEY_SECRET"].as_bytes());
        let listed = cli::jomae(&[&["account", "list"][..], &place].concat()).ok();
        for ran in [written, listed] {
            assert!(ran.text().contains(&account));
            assert_eq!(self.planted.secrets.found_in(&ran.stdout), Vec::<&str>::new());
        }
    }

    /// What the socket answers, to right requests and to wrong ones.
    fn operator_socket(&mut self) {
        let mut secret = |name: &str| self.planted.text(name);
        let requests = [
            ("GET", "/accounts".to_owned(), String::new(), 200),
            (
                "POST",
                "/accounts".to_owned(),
                format!("{{\"name\": \"x\", \"password\": \"{}\"}}", secret("unknown member")),
                400,
            ),
            ("POST", "/accounts".to_owned(), format!("{{\"name\": [\"{}\"]}}", secret("name that is a list")), 400),
            ("POST", "/accounts".to_owned(), secret("body that is no JSON"), 400),
            (
                "POST",
                "/accounts".to_owned(),
                format!("{{\"name\": \"{}{}\"}}", secret("long name"), "x".repeat(64)),
                400,
            ),
            ("POST", format!("/accounts/{}/keys", secret("account that is none")), "null".to_owned(), 400),
            ("GET", format!("/{}", secret("path of the socket")), String::new(), 404),
            ("POST", "/simulate".to_owned(), format!("{{\"principal\": \"{}\"}}", secret("principal")), 400),
        ];
        for (method, path, body, status) in requests {
            let mut stream = UnixStream::connect(self.server.data.join("operator.sock")).unwrap();
            let length = body.len();
            write!(stream, "{method} {path} HTTP/1.1\r\nHost: operator\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {answer}");
            assert_eq!(self.planted.secrets.found_in(answer.as_bytes()), Vec::<&str>::new(), "{method} {path}");
        }
    }
}
