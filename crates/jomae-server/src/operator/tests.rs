use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    Hold, NewKey, OperatorApi, OperatorError, ReplayRequest, SimulateRequest, create_account, create_key,
    list_accounts, replay, simulate, socket, socket_path, too_long,
};
use crate::{
    backup::schedule::{Backups, Counts},
    bootstrap::{self, Started, audit_dir},
    config::Config,
    exchange::BODY_BYTES_MAX,
    gateway,
};

struct Running {
    started: Started,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

fn config(dir: &TempDir) -> Config {
    Config { data_dir: dir.path().join("data"), ..Config::default() }
}

fn api(config: &Config, started: &Started) -> Arc<OperatorApi> {
    let (service, holder) = (Arc::clone(&started.service), Arc::clone(&started.root_holder));
    let backups = Backups::new(started, config.clone(), Counts::default());
    let hold = Hold::Service { service, nodes: None, backups: Arc::new(backups), console: None };
    Arc::new(OperatorApi::new(hold, config.clone(), holder))
}

async fn start(config: &Config) -> Running {
    let started = bootstrap::open(config, gateway::now()).await.unwrap();
    let socket = socket::listen(&config.data_dir).unwrap();
    let api = api(config, &started);
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(socket::serve(socket, api, stopped));
    Running { started, stop, served }
}

impl Running {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.served.await.unwrap();
        self.started.audit.close();
    }
}

fn events(config: &Config) -> Vec<Value> {
    let mut events = Vec::new();
    for segment in jomae_log::layout::segments(&audit_dir(&config.data_dir)).unwrap() {
        let text = fs::read_to_string(segment.path).unwrap();
        events.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    events
}

fn named<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["eventName"] == name).collect()
}

fn parts(key: &NewKey) -> (String, String, String) {
    let parts = key.parts().unwrap();
    (parts.account.to_owned(), parts.access_key_id.to_owned(), parts.access_key_secret.to_owned())
}

fn refusal<T>(result: Result<T, OperatorError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was done"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_through_the_socket_and_without_it() {
    let dir = TempDir::new().unwrap();
    let config = config(&dir);
    let running = start(&config).await;
    let permissions = fs::metadata(socket_path(&config.data_dir)).unwrap().permissions().mode();
    assert_eq!(permissions & 0o777, 0o600);
    let (first, first_id, secret) = parts(&create_account(&config, "Müller & Söhne").await.unwrap());
    assert_eq!((first.len(), secret.len()), (16, 30));
    let (again, second_id, _) = parts(&create_key(&config, &first).await.unwrap());
    assert_eq!(again, first);
    assert_ne!(first_id, second_id);
    let listed = list_accounts(&config).await.unwrap();
    let names: Vec<&Value> = listed["accounts"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&&json!("Müller & Söhne")) && names.contains(&&json!("default")));

    for _ in 0..3 {
        create_key(&config, &first).await.unwrap();
    }
    assert!(refusal(create_key(&config, &first).await).contains("5 access keys"));
    assert!(refusal(create_key(&config, "1234567890123456").await).contains("no account 1234567890123456"));
    assert!(refusal(create_key(&config, "12").await).contains("16 digits"));
    assert!(refusal(create_key(&config, "../x").await).contains("16 digits"));
    assert!(refusal(create_account(&config, "").await).contains("characters"));
    assert!(refusal(create_account(&config, "a\nb").await).contains("characters"));
    running.stop().await;
    assert!(!socket_path(&config.data_dir).exists());

    // The same on the store itself; a socket that a kill has left is none.
    drop(std::os::unix::net::UnixListener::bind(socket_path(&config.data_dir)).unwrap());
    let (offline, offline_id, _) = parts(&create_account(&config, "Offline").await.unwrap());
    assert_eq!(list_accounts(&config).await.unwrap()["accounts"].as_array().unwrap().len(), 3);
    assert!(
        named(&events(&config), "CreateAccount").iter().all(|event| event["requestParameters"]["Name"] != "Offline")
    );

    // Its event is in the log as soon as there is a service again.
    let running = start(&config).await;
    let events = events(&config);
    let made = named(&events, "CreateAccount");
    assert_eq!(made.len(), 2);
    assert_eq!(made[0]["userIdentity"]["accountId"], first);
    assert_eq!(made[0]["userIdentity"]["type"], "system");
    assert_eq!(made[0]["userIdentity"]["userName"], "operator");
    assert_eq!(made[0]["eventType"], "ConsoleOperation");
    assert_eq!(made[0]["requestParameters"], json!({ "Name": "Müller & Söhne" }));
    assert_eq!(made[1]["userIdentity"]["accountId"], offline);
    assert_eq!(made[1]["referencedResources"]["ACS::RAM::AccessKey"][0], offline_id);
    assert_eq!(named(&events, "CreateAccountKey").len(), 4);
    assert_eq!(named(&events, "ListAccounts").len(), 1);
    assert!(!events.iter().any(|event| event.to_string().contains(&secret)));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense() {
    let dir = TempDir::new().unwrap();
    let config = config(&dir);
    let missing = refusal(list_accounts(&config).await);
    assert!(missing.contains("there is no store"), "{missing}");
    let running = start(&config).await;
    let api = api(&config, &running.started);
    for (method, path, body, status) in [
        (Method::GET, "/", "", StatusCode::NOT_FOUND),
        (Method::GET, "/accounts/1/keys/2", "", StatusCode::NOT_FOUND),
        (Method::DELETE, "/accounts", "", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/simulate", "", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/accounts", "", StatusCode::BAD_REQUEST),
        (Method::POST, "/accounts", "{}", StatusCode::BAD_REQUEST),
        (Method::POST, "/accounts", r#"{"name":"a","more":1}"#, StatusCode::BAD_REQUEST),
        (Method::POST, "/accounts/1/keys", "", StatusCode::BAD_REQUEST),
        (Method::POST, "/simulate", r#"{"principal":"x","action":"kms:Decrypt"}"#, StatusCode::BAD_REQUEST),
        (Method::POST, "/replay", r#"{"account":"x"}"#, StatusCode::BAD_REQUEST),
    ] {
        let answer = api.answer(&method, path, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(told["error"].as_str().is_some_and(|error| !error.contains('\n')), "{told}");
    }
    // Over the wire a body has an end.
    let http = reqwest::Client::builder().unix_socket(socket_path(&config.data_dir)).no_proxy().build().unwrap();
    let large = "x".repeat(BODY_BYTES_MAX + 1);
    let answer = http.post("http://operator/accounts").body(large).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulations_and_replays() {
    let dir = TempDir::new().unwrap();
    let config = config(&dir);
    let running = start(&config).await;
    let account = running.started.first.as_ref().unwrap().account.to_string();
    let question = || SimulateRequest {
        principal: format!("acs:ram::{account}:root"),
        action: "kms:ListKeys".into(),
        ..SimulateRequest::default()
    };
    let answer = simulate(&config, &question()).await.unwrap();
    assert_eq!((&answer["allowed"], &answer["permission"]), (&json!(true), &json!("kms:ListKeys")));
    for (change, word) in [
        (SimulateRequest { time: Some("yesterday".into()), ..question() }, "yesterday"),
        (SimulateRequest { source_ip: Some("here".into()), ..question() }, "IP"),
        (SimulateRequest { instead_of: Some("x".into()), ..question() }, "no other"),
        (SimulateRequest { policy: Some("{}".into()), ..question() }, "policy"),
        (SimulateRequest { principal: "ann".into(), ..question() }, "acs:ram"),
    ] {
        let error = refusal(simulate(&config, &change).await);
        assert!(error.contains(word), "{error}");
    }
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let asked = || ReplayRequest {
        account: account.clone(),
        policy: policy.into(),
        instead_of: Some("AliyunKMSFullAccess".into()),
        ..ReplayRequest::default()
    };
    let found = replay(&config, &asked()).await.unwrap();
    assert_eq!((&found["denied_total"], &found["calls"]), (&json!(0), &json!(0)));
    assert!(found["note"].as_str().unwrap().contains("as of now"));
    for (change, word) in [
        (ReplayRequest { add_to: Some("user/x".into()), ..asked() }, "either"),
        (ReplayRequest { instead_of: None, ..asked() }, "either"),
        (ReplayRequest { instead_of: Some("none".into()), ..asked() }, "no policy none"),
        (ReplayRequest { instead_of: None, add_to: Some("user/x".into()), ..asked() }, "user x"),
        (ReplayRequest { instead_of: None, add_to: Some("x".into()), ..asked() }, "group/<name>"),
        (
            ReplayRequest {
                from: Some("2026-01-02T00:00:00Z".into()),
                until: Some("2026-01-01T00:00:00Z".into()),
                ..asked()
            },
            "ends before",
        ),
    ] {
        let error = refusal(replay(&config, &change).await);
        assert!(error.contains(word), "{error}");
    }
    running.stop().await;
    let events = events(&config);
    let simulated = named(&events, "SimulatePolicy");
    assert_eq!(simulated.len(), 1);
    assert_eq!(simulated[0]["requestParameters"]["Permission"], "kms:ListKeys");
    assert!(!named(&events, "ReplayPolicy").is_empty());
    // And of the store of a stopped service.
    assert_eq!(simulate(&config, &question()).await.unwrap()["allowed"], true);
    assert_eq!(replay(&config, &asked()).await.unwrap()["denied_total"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_socket_is_named() {
    let dir = TempDir::new().unwrap();
    let config = config(&dir);
    let started = bootstrap::open(&config, gateway::now()).await.unwrap();
    let error = refusal(list_accounts(&config).await);
    assert!(error.contains("has the store open") && error.contains("operator.sock"), "{error}");
    drop(started);
}

#[test]
fn a_path_that_is_too_long_is_named() {
    let deep = Path::new("/").join("d".repeat(93));
    let path = socket_path(&deep);
    assert_eq!(path.as_os_str().len(), 108);
    let why = too_long(&path).unwrap();
    assert!(why.contains("108 bytes") && why.contains("107") && why.contains(path.to_str().unwrap()), "{why}");
    assert_eq!(too_long(&socket_path(&Path::new("/").join("d".repeat(92)))), None);
    assert!(socket::listen(&deep).is_none());
    // Nor is a directory that cannot hold one a reason not to serve.
    assert!(socket::listen(Path::new("/dev/null")).is_none());
}
