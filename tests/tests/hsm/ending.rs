//! Services that end while their workers start, or work.

use std::{
    path::Path,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use jomae_client::api::CallError;
use jomae_sim::softhsm::MODULE;
use jomae_tests::calls::ask;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Bench, children, wait_until, workers};

fn end(mut service: Child, signal: Signal, with_workers: bool) {
    let pid = Pid::from_child(&service);
    let workers = children(pid);
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
    for worker in workers.into_iter().filter(|_| with_workers) {
        let _ = kill_process(worker, signal);
    }
    service.wait().unwrap();
}

/// `SoftHSM` empties the token's file before it writes it anew, at each login.
#[test]
fn a_token_is_whole_whenever_a_service_is_ended_while_it_starts() {
    let bench = Bench::new();
    drop(bench.start());
    for round in 0..40_u64 {
        let service = bench.launch(Path::new(MODULE), 10, "").begin();
        let pid = Pid::from_child(&service);
        let until = Instant::now() + Duration::from_mins(1);
        while children(pid).is_empty() {
            assert!(Instant::now() < until, "no worker");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(2 + round * 37 % 90));
        let signal = if round % 4 == 3 { Signal::KILL } else { Signal::TERM };
        let workers = children(pid);
        end(service, signal, round % 2 == 0 && signal == Signal::TERM);
        wait_until("the end of the workers", || {
            !workers.iter().any(|worker| rustix::process::test_kill_process(*worker).is_ok())
        });
        assert!(bench.tokens.are_whole(), "round {round}, {signal:?}");
    }
}

#[test]
fn a_login_is_finished_when_the_service_is_killed_and_a_start_that_hangs_is_ended() {
    let bench = Bench::new();
    let module = bench.tokens.fault_module();
    bench.tokens.misbehave("slow Login");
    let service = bench.launch(&module, 10, "").begin();
    wait_until("a login", || bench.tokens.logins() == 1);
    let workers = children(Pid::from_child(&service));
    end(service, Signal::KILL, false);
    let have_ended =
        |workers: &[Pid]| !workers.iter().any(|worker| rustix::process::test_kill_process(*worker).is_ok());
    wait_until("the end of the workers", || have_ended(&workers));
    assert_eq!(bench.tokens.judged_logins(), 1);

    bench.tokens.misbehave("hang Login");
    let service = bench.launch(&module, 1, "").begin();
    wait_until("a login", || bench.tokens.logins() == 2);
    let workers = children(Pid::from_child(&service));
    end(service, Signal::KILL, false);
    assert!(!have_ended(&workers));
    wait_until("the end of the workers", || have_ended(&workers));
}

/// As a service manager stops all processes of a service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_all_processes_fails_no_call_that_was_accepted() {
    let bench = Bench::new();
    for _ in 0..3 {
        let mut server = bench.start();
        let client = server.client();
        let answer = ask(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
        let key = answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        let (good, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let mut callers = Vec::new();
        for _ in 0..8 {
            let (client, key) = (server.client(), key.clone());
            let (good, refused) = (Arc::clone(&good), Arc::clone(&refused));
            callers.push(tokio::spawn(async move {
                loop {
                    match client.call("Encrypt", &[("KeyId", &key), ("Plaintext", "AAAA")]).await {
                        Ok(_) => good.fetch_add(1, Ordering::Relaxed),
                        Err(CallError::Refused { status, .. }) => {
                            return refused.store(status >= 500, Ordering::Relaxed);
                        }
                        // Not accepted any more.
                        Err(_) => return,
                    };
                }
            }));
        }
        wait_until("load", || good.load(Ordering::Relaxed) > 100);
        for worker in workers(&server) {
            assert!(Command::new("kill").args(["-TERM", &worker.to_string()]).status().unwrap().success());
        }
        assert_eq!(server.stop(), Some(0));
        for caller in callers {
            caller.await.unwrap();
        }
        assert!(!refused.load(Ordering::Relaxed), "after {}", good.load(Ordering::Relaxed));
    }
}
