//! What goes wrong with a token stays with the token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use jomae_client::api::{CallError, Client};
use jomae_tests::calls::{ask, create_key, decrypt, encrypt, refused};
use rustix::process::Signal;

use crate::{Bench, kill_workers, metric, wait_until, workers};

async fn make(client: &Client) -> String {
    let answer = ask(client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

async fn is_up(client: &Client, key: &str) -> bool {
    client.call("Encrypt", &[("KeyId", key), ("Plaintext", "AAAA")]).await.is_ok()
}

async fn wait_for_token(client: &Client, key: &str) {
    let until = Instant::now() + Duration::from_mins(1);
    while !is_up(client, key).await {
        assert!(Instant::now() < until, "the token does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_unavailable(client: &Client, key: &str) {
    let refusal = refused(client, "Encrypt", &[("KeyId", key), ("Plaintext", "AAAA")]).await;
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "ServiceUnavailableTemporary"));
}

/// Calls of one key until told to stop: how many were answered, and how many were told to come back.
async fn load(client: Client, key: String, stop: Arc<AtomicBool>, good: Arc<AtomicU32>, bad: Arc<AtomicU32>) {
    while !stop.load(Ordering::Relaxed) {
        match client.call("Encrypt", &[("KeyId", &key), ("Plaintext", "AAAA")]).await {
            Ok(_) => good.fetch_add(1, Ordering::Relaxed),
            Err(CallError::Refused { status: 503, .. }) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                bad.fetch_add(1, Ordering::Relaxed)
            }
            Err(error) => panic!("{error}"),
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_killed_under_load_and_no_call_of_a_software_key_fails() {
    let bench = Bench::new();
    let server = bench.start();
    let client = server.client();
    let (in_token, software) = (make(&client).await, create_key(&client, "software").await);
    let stop = Arc::new(AtomicBool::new(false));
    let counts: [Arc<AtomicU32>; 4] = Default::default();
    let [token_good, token_bad, software_good, software_bad] = counts.clone();
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (good, bad) = (Arc::clone(&token_good), Arc::clone(&token_bad));
        callers.push(tokio::spawn(load(server.client(), in_token.clone(), Arc::clone(&stop), good, bad)));
        let (good, bad) = (Arc::clone(&software_good), Arc::clone(&software_bad));
        callers.push(tokio::spawn(load(server.client(), software.clone(), Arc::clone(&stop), good, bad)));
    }
    for count in [2, 1, 2, 1] {
        tokio::time::sleep(Duration::from_millis(800)).await;
        wait_for_token(&client, &in_token).await;
        kill_workers(&server, count);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let [token_good, token_bad, software_good, software_bad] = counts.map(|count| count.load(Ordering::Relaxed));
    assert_eq!(software_bad, 0, "of {software_good}");
    assert!(software_good > 200 && token_good > 100 && token_bad > 0, "{software_good} {token_good} {token_bad}");
    wait_for_token(&client, &in_token).await;
    wait_until("both workers", || metric(&server, "jomae_hsm_workers_up") > 1.0);
    assert!(metric(&server, "jomae_hsm_worker_restarts_total") >= 6.0);
    assert!(metric(&server, "jomae_hsm_up") > 0.0);
    assert!(metric(&server, "jomae_hsm_calls_total") > 100.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pin_is_tried_once_until_an_operator_says_so() {
    let bench = Bench::new();
    let right = std::fs::read(bench.tokens.pin_file()).unwrap();
    std::fs::write(bench.tokens.pin_file(), "1111-wrong\n").unwrap();
    let server = bench.start_faulty(10);
    let client = server.client();
    let software = create_key(&client, "software").await;
    encrypt(&client, &software, "AAAA").await;
    let refusal = refused(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "ServiceUnavailableTemporary"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.tokens.logins(), 1);
    assert!(server.stderr().contains("the token refuses the PIN"), "{}", server.stderr());
    assert!(metric(&server, "jomae_hsm_up") < 1.0);
    // A restart does not try it, and SIGHUP does.
    drop(server);
    let mut server = bench.start_faulty(10);
    let client = server.client();
    assert!(server.stderr().contains("the token refused the PIN in "), "{}", server.stderr());
    assert_eq!(bench.tokens.logins(), 1);
    server.signal(Signal::HUP);
    wait_until("a try", || bench.tokens.logins() == 2);
    std::fs::write(bench.tokens.pin_file(), right).unwrap();
    // What the token says of the wrong one is heard first.
    wait_until("its refusal", || server.stderr().contains("the token refuses the PIN"));
    server.signal(Signal::HUP);
    server.wait_for_log("token in use");
    let key = make(&client).await;
    assert!(is_up(&client, &key).await);
    wait_until("both workers", || metric(&server, "jomae_hsm_workers_up") > 1.0);
    assert_eq!(bench.tokens.logins(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_goes_or_is_replaced_is_missed_by_name() {
    let bench = Bench::new();
    let (key, software, blob) = {
        let server = bench.start();
        let client = server.client();
        let (key, software) = (make(&client).await, create_key(&client, "software").await);
        let blob = encrypt(&client, &key, "AAAA").await;
        (key, software, blob)
    };
    bench.tokens.take_away();
    let server = bench.start();
    let client = server.client();
    is_unavailable(&client, &key).await;
    encrypt(&client, &software, "AAAA").await;
    assert!(server.stderr().contains("no token with the label"), "{}", server.stderr());
    drop(server);
    // Another one of the same label, also for a service that begins with it.
    bench.tokens.add(crate::LABEL);
    let server = bench.start();
    let client = server.client();
    is_unavailable(&client, &key).await;
    let refusal = refused(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    assert_eq!(refusal.status, 503);
    assert!(server.stderr().contains("and the keys are in"), "{}", server.stderr());
    bench.tokens.put_back();
    wait_for_token(&client, &key).await;
    assert_eq!(decrypt(&client, &blob).await, "AAAA");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_goes_while_it_is_used_is_an_outage() {
    let bench = Bench::new();
    let server = bench.start();
    let client = server.client();
    let (key, doomed) = (make(&client).await, make(&client).await);
    let blob = encrypt(&client, &key, "AAAA").await;
    wait_until("both workers", || metric(&server, "jomae_hsm_workers_up") > 1.0);
    bench.tokens.take_away();
    for _ in 0..4 {
        is_unavailable(&client, &key).await;
        is_unavailable(&client, &doomed).await;
    }
    wait_until("the outage", || metric(&server, "jomae_hsm_up") < 1.0);
    bench.tokens.put_back();
    wait_for_token(&client, &key).await;
    assert_eq!(decrypt(&client, &blob).await, "AAAA");
    assert!(metric(&server, "jomae_faults_total") < 1.0);
}

/// An outage is told when it begins and when it ends, and is no fault of each call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_twice_and_no_call_is_a_fault() {
    let bench = Bench::new();
    let mut server = bench.start_faulty(10);
    let client = server.client();
    let key = make(&client).await;
    wait_until("both workers", || metric(&server, "jomae_hsm_workers_up") > 1.0);
    bench.tokens.misbehave("refuse Login");
    kill_workers(&server, 2);
    for _ in 0..200 {
        while is_up(&client, &key).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    is_unavailable(&client, &key).await;
    assert!(metric(&server, "jomae_hsm_up") < 1.0);
    bench.tokens.misbehave("");
    wait_for_token(&client, &key).await;
    server.wait_for_log("the token is in service again");
    let log = server.stderr();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() == 1 && errors[0].contains("the token is out of service"), "{errors:#?}");
    let ends: Vec<&str> = log.lines().filter(|line| line.contains("the token is in service again")).collect();
    let refused = ends[0].split("refused=").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(ends.len() == 1 && refused >= 200, "{ends:#?}");
    assert!(log.lines().filter(|line| line.contains("WARN")).count() < 10, "{log}");
    assert!(metric(&server, "jomae_faults_total") < 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_hangs_or_crashes_delays_no_software_key() {
    let bench = Bench::new();
    let server = bench.start_faulty(6);
    // A service waits ten seconds for its token, which may not be enough on a busy machine, and then begins without it.
    wait_until("the token", || metric(&server, "jomae_hsm_up") > 0.0);
    let client = server.client();
    let (key, software) = (make(&client).await, create_key(&client, "software").await);
    for how in ["hang Encrypt", "crash Encrypt", "forget Encrypt", "nonsense Encrypt"] {
        wait_for_token(&client, &key).await;
        bench.tokens.misbehave(how);
        let (other, wanted) = (server.client(), key.clone());
        let began = Instant::now();
        let failing = tokio::spawn(async move { is_unavailable(&other, &wanted).await });
        let mut slowest = Duration::ZERO;
        while !failing.is_finished() {
            let began = Instant::now();
            encrypt(&client, &software, "AAAA").await;
            slowest = slowest.max(began.elapsed());
        }
        failing.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(40), "{how}: {:?}", began.elapsed());
        assert!(slowest < Duration::from_secs(5), "{how}: {slowest:?}");
        bench.tokens.misbehave("");
    }
    wait_for_token(&client, &key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_in_the_token_and_not_committed_is_destroyed() {
    let bench = Bench::new();
    let server = bench.start_faulty(2);
    let client = server.client();
    bench.tokens.misbehave("hang Encrypt");
    let refusal = refused(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    assert_eq!(refusal.status, 503);
    bench.tokens.misbehave("");
    wait_until("an empty token", || bench.objects().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_workers_end_with_the_service() {
    let bench = Bench::new();
    for kill in [false, true] {
        let mut server = bench.start();
        let workers = workers(&server);
        assert_eq!(workers.len(), 2);
        for worker in &workers {
            let shown = std::fs::read(format!("/proc/{worker}/cmdline")).unwrap();
            assert_eq!(shown, b"jomae\0hsm-worker\0");
        }
        if kill {
            server.kill();
        } else {
            assert_eq!(server.stop(), Some(0));
        }
        let is_there = |worker: &u32| std::path::Path::new(&format!("/proc/{worker}")).exists();
        wait_until("the end of the workers", || !workers.iter().any(is_there));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_looks_for_the_token_and_tries_no_pin() {
    let bench = Bench::new();
    drop(bench.start_faulty(10));
    let logins = bench.tokens.logins();
    let examine = || {
        let mut command = jomae_tests::binary::command();
        command
            .args(["doctor", "--data-dir"])
            .arg(bench.site.data())
            .arg("--config")
            .arg(bench.site.path("jomae.toml"));
        command.envs(bench.tokens.env());
        jomae_tests::cli::run(command, b"")
    };
    let ran = examine();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(told.contains("token") && told.contains("\"jomae\", serial number"), "{told}");
    bench.tokens.take_away();
    let ran = examine();
    assert_ne!(ran.code, Some(0));
    let told = String::from_utf8_lossy(&ran.stdout).into_owned() + &ran.stderr;
    assert!(told.contains("no token with the label"), "{told}");
    assert_eq!(bench.tokens.logins(), logins);
}
