//! `jomae policy`: checks and simulations.

use std::path::{Path, PathBuf};

use jomae_tests::{Ran, Server, Site, cli::jomae};
use serde_json::{Value, json};

use super::{key, word};

fn document(statements: &[Value]) -> String {
    json!({ "Version": "1", "Statement": statements }).to_string()
}

fn allow(action: &str) -> String {
    document(&[json!({ "Effect": "Allow", "Action": action, "Resource": "*" })])
}

#[test]
fn check_names_the_place() {
    let site = Site::default();
    let good = site.write("good.json", allow("kms:*"));
    assert!(jomae(&["policy", "check", word(&good)]).ok().text().contains("identity policy, 1 statement"));
    jomae(&["policy", "check", word(&good), "--form", "key"]).failed(1, &["no key policy", "Statement 1: Principal"]);
    let bad = site.write(
        "bad.json",
        document(&[
            json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": { "Like": { "x": "y" } } }),
        ]),
    );
    jomae(&["policy", "check", word(&bad)]).failed(1, &["bad.json", "Statement 2: Condition"]);
    let trust = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::1234567890123456:root"]}}]}"#;
    let mut command = jomae_tests::binary::command();
    command.args(["policy", "check", "-", "--form", "trust"]);
    jomae_tests::cli::run(command, trust.as_bytes()).ok();
    let missing = site.path("missing");
    jomae(&["policy", "check", word(&missing)]).failed(1, &["missing"]);
    let large = site.write("large", vec![b' '; 70_000]);
    jomae(&["policy", "check", word(&large)]).failed(1, &["65536"]);
}

/// A service with a key, and a user who may encrypt.
struct Scene {
    server: Server,
    data: PathBuf,
    account: String,
    arn: String,
    user: Vec<(String, String)>,
}

impl Scene {
    fn new(site: &Site) -> Self {
        let server = site.start();
        let id = key(&server);
        let described = server.jomae(&["key", "describe", &id, "--output", "json"]).ok().json();
        let arn = described["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        let account = arn.split(':').nth(3).unwrap().to_owned();
        let call = |action: &str, words: &[&str]| server.jomae(&[&["call", action], words].concat()).ok().json();
        call("CreateUser", &["--UserName", "ann"]);
        let made = call("CreateAccessKey", &["--UserName", "ann"]);
        let text = |name: &str| made["AccessKey"][name].as_str().unwrap().to_owned();
        let user = vec![
            ("ALIBABA_CLOUD_ACCESS_KEY_ID".to_owned(), text("AccessKeyId")),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET".to_owned(), text("AccessKeySecret")),
        ];
        let policy = allow("kms:Encrypt");
        call("CreatePolicy", &["--PolicyName", "use", "--PolicyDocument", &policy]);
        let words = ["--PolicyType", "Custom", "--PolicyName", "use", "--UserName", "ann"];
        call("AttachPolicyToUser", &words);
        Self { data: site.data(), server, account, arn, user }
    }

    fn as_user(&self, words: &[&str]) -> Ran {
        let mut command = jomae_tests::binary::command();
        command.args(words).envs(self.server.settings.iter().flatten());
        command.envs(self.user.iter().map(|(name, value)| (name, value)));
        jomae_tests::cli::run(command, b"")
    }

    fn simulate(&self, words: &[&str]) -> Ran {
        jomae(&[&["policy", "simulate", "--data-dir", word(&self.data)], words].concat())
    }

    fn ask(&self, action: &str, words: &[&str]) -> Ran {
        let ann = format!("acs:ram::{}:user/ann", self.account);
        let first = ["--principal", &ann, "--action", action, "--resource", &self.arn];
        self.simulate(&[&first[..], words].concat())
    }

    fn replay(&self, policy: &Path, words: &[&str]) -> Ran {
        let first = ["--replay", "--account", &self.account, "--policy", word(policy)];
        self.simulate(&[&first[..], words].concat())
    }
}

/// Ends with 1 and says nothing on standard error: the answer is no.
#[track_caller]
fn no(ran: Ran) -> Ran {
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    ran
}

#[test]
fn would_it_be_allowed_and_why() {
    let site = Site::default();
    let mut scene = Scene::new(&site);
    let allowed = scene.ask("kms:Encrypt", &[]).ok();
    assert!(allowed.text().starts_with("allowed: kms:Encrypt on acs:kms:"), "{}", allowed.text());
    assert!(allowed.text().contains("use, statement 1, allows it"), "{}", allowed.text());
    let denied = no(scene.ask("kms:Decrypt", &[]));
    assert!(denied.text().starts_with("denied: kms:Decrypt on "), "{}", denied.text());
    let json = no(scene.ask("kms:Decrypt", &["--output", "json"])).json();
    assert_eq!(json["allowed"], false);

    let conditions = site.write(
        "conditions.json",
        document(&[json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {
            "StringEquals": { "kms:EncryptionContext/tenant": "a", "kms:tag/team": "orders" },
            "IpAddress": { "acs:SourceIp": "198.51.100.0/24" },
            "DateLessThan": { "acs:CurrentTime": "2020-01-01T00:00:00Z" },
        } })]),
    );
    let all = [
        ["--context", "tenant=a"],
        ["--tag", "team=orders"],
        ["--source-ip", "198.51.100.7"],
        ["--time", "2019-12-31T00:00:00Z"],
        ["--policy", word(&conditions)],
    ];
    scene.ask("kms:Decrypt", all.as_flattened()).ok();
    for (without, word) in [(0, "kms:EncryptionContext/tenant"), (1, "kms:tag/team"), (2, "acs:SourceIp")] {
        let some: Vec<&str> =
            all.iter().enumerate().filter(|(at, _)| *at != without).flat_map(|(_, words)| *words).collect();
        let denied = no(scene.ask("kms:Decrypt", &some));
        assert!(denied.text().contains(word), "{}", denied.text());
    }
    // Instead of the policy that allows Encrypt now.
    no(scene.ask("kms:Encrypt", &["--policy", word(&conditions), "--instead-of", "use"]));
    scene.ask("kms:Encrypt", &["--policy", word(&conditions)]).ok();

    // What went wrong is no denial.
    scene.ask("kms:Nothing", &[]).failed(2, &["kms:Nothing"]);
    scene.ask("kms:Encrypt", &["--context", "tenant"]).failed(2, &["NAME=VALUE"]);
    scene.ask("kms:Encrypt", &["--time", "tomorrow"]).failed(2, &["2026-11-27"]);
    scene.ask("kms:Encrypt", &["--policy", word(&site.path("missing"))]).failed(2, &["missing"]);
    scene.ask("kms:Encrypt", &["--policy", word(&conditions), "--instead-of", "none"]).failed(2, &["no policy none"]);
    let nobody = format!("acs:ram::{}:user/nobody", scene.account);
    scene.simulate(&["--principal", &nobody, "--action", "kms:ListKeys"]).failed(2, &["user nobody"]);
    assert_eq!(scene.simulate(&["--action", "kms:ListKeys"]).code, Some(2));
    assert_eq!(scene.simulate(&["--replay"]).code, Some(2));

    // The same without a service.
    assert_eq!(scene.server.stop(), Some(0));
    scene.ask("kms:Encrypt", &[]).ok();
    no(scene.ask("kms:Decrypt", &[]));
    jomae(&["policy", "simulate", "--data-dir", "/nowhere", "--principal", &nobody, "--action", "kms:ListKeys"])
        .failed(2, &["/nowhere"]);
}

#[test]
fn what_a_policy_would_have_changed() {
    let site = Site::default();
    let mut scene = Scene::new(&site);
    let encrypt = |context: &str| {
        let words =
            ["call", "Encrypt", "--KeyId", &scene.arn, "--Plaintext", "aGVsbG8=", "--EncryptionContext", context];
        scene.as_user(&words).ok();
    };
    encrypt(r#"{"tenant":"a"}"#);
    encrypt(r#"{"tenant":"b"}"#);
    encrypt(r#"{"tenant":"b"}"#);
    scene.as_user(&["call", "ListKeys"]).failed(3, &["Forbidden.NoPermission"]);
    let narrower = site.write(
        "narrower.json",
        document(&[
            json!({ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
                    "Condition": { "StringEquals": { "kms:EncryptionContext/tenant": "a" } } }),
            json!({ "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*" }),
        ]),
    );
    let found = no(scene.replay(&narrower, &["--instead-of", "use"]));
    let text = found.text();
    assert!(text.contains("2 calls would be denied"), "{text}");
    assert!(text.contains("1 call would be allowed"), "{text}");
    assert!(text.contains(&format!("acs:ram::{}:user/ann  kms:Encrypt  {}", scene.account, scene.arn)), "{text}");
    assert!(text.contains("Taken as of now"), "{text}");
    let json = no(scene.replay(&narrower, &["--instead-of", "use", "--output", "json"])).json();
    assert_eq!((&json["denied_total"], &json["allowed_total"]), (&json!(2), &json!(1)));
    let named = json["denied"][0]["event_id"].as_str().unwrap();
    let events = scene.server.audit();
    let event = events.iter().find(|event| event["eventId"] == *named).unwrap();
    assert_eq!(event["eventName"], "Encrypt");

    // Added, it takes nothing away; added as a denial it does.
    scene.replay(&narrower, &["--add-to", "user/ann"]).ok();
    let denial =
        site.write("denial.json", document(&[json!({ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" })]));
    assert!(no(scene.replay(&denial, &["--add-to", "user/ann"])).text().starts_with("3 calls would be denied"));
    // Nothing was called before the epoch of this service.
    let range = ["--from", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"];
    scene.replay(&denial, &[&["--add-to", "user/ann"][..], &range].concat()).ok();
    scene.replay(&denial, &[]).failed(2, &["--instead-of", "--add-to"]);
    scene.replay(&denial, &["--add-to", "ann"]).failed(2, &["user/<name>"]);

    assert_eq!(scene.server.stop(), Some(0));
    assert!(no(scene.replay(&denial, &["--add-to", "user/ann"])).text().starts_with("3 calls would be denied"));
}
