//! Workers that are to end while they start: a login that is cut off may break the token.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use jomae_hsm::{Hsm, Launch, Phase, Secret, Settings};
use jomae_sim::{
    softhsm::{PIN, Tokens},
    wait_until,
};

const LABEL: &str = "jomae ending";

struct Bench {
    _dir: tempfile::TempDir,
    tokens: Tokens,
    module: PathBuf,
}

impl Bench {
    fn new(how: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(dir.path());
        tokens.add(LABEL);
        tokens.misbehave(how);
        let module = tokens.fault_module();
        Self { _dir: dir, tokens, module }
    }

    fn start(&self, timeout: Duration) -> Hsm {
        let settings = Settings {
            module: self.module.clone(),
            token_label: LABEL.to_owned(),
            token_serial: None,
            sessions: 4,
            workers: 2,
            timeout,
            pin: Box::new(|| Ok(Secret::new(PIN.into()))),
        };
        let program = env!("CARGO_BIN_EXE_jomae-hsm-worker").into();
        Hsm::start(settings, Launch { program, args: Vec::new(), env: self.tokens.env(), without: Vec::new() }).unwrap()
    }
}

fn signal(worker: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &worker.to_string()]).status().unwrap().success());
}

/// Whether it is there, and no zombie.
fn runs(worker: u32) -> bool {
    Path::new(&format!("/proc/{worker}/exe")).read_link().is_ok()
}

#[test]
fn a_worker_ends_by_no_signal_that_goes_to_all_processes_of_a_service() {
    let bench = Bench::new("slow Login");
    let hsm = bench.start(Duration::from_secs(10));
    wait_until("a login", || bench.tokens.logins() == 1);
    let first = hsm.status().workers[0];
    for name in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        signal(first, name);
    }
    wait_until("both workers", || hsm.status().up == 2);
    for name in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        signal(first, name);
    }
    std::thread::sleep(Duration::from_millis(200));
    let status = hsm.status();
    assert_eq!((status.restarts, status.up, status.workers[0]), (0, 2, first));
}

#[test]
fn a_stop_waits_for_a_login_and_begins_no_other() {
    let bench = Bench::new("slow Login");
    let hsm = bench.start(Duration::from_secs(10));
    wait_until("a login", || bench.tokens.logins() == 1);
    let worker = hsm.status().workers[0];
    drop(hsm);
    assert_eq!((bench.tokens.logins(), bench.tokens.judged_logins()), (1, 1));
    assert!(!runs(worker));
}

#[test]
fn another_token_that_is_meant_cuts_off_no_login() {
    let bench = Bench::new("");
    let hsm = bench.start(Duration::from_secs(10));
    wait_until("both workers", || hsm.status().up == 2);
    bench.tokens.misbehave("slow Login");
    signal(hsm.status().workers[1], "-KILL");
    wait_until("a login", || bench.tokens.logins() == 3);
    hsm.expect_serial("another");
    wait_until("the refusal", || matches!(hsm.status().phase, Phase::Down { .. }) && hsm.status().workers.is_empty());
    assert_eq!((bench.tokens.logins(), bench.tokens.judged_logins()), (3, 3));
}

#[test]
fn a_stop_leaves_a_start_that_hangs_to_end_by_itself() {
    let bench = Bench::new("hang Login");
    let hsm = bench.start(Duration::from_secs(3));
    wait_until("a login", || bench.tokens.logins() == 1);
    let worker = hsm.status().workers[0];
    let began = Instant::now();
    drop(hsm);
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    assert!(runs(worker), "it may be in the middle of something");
    wait_until("its end", || !runs(worker));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
