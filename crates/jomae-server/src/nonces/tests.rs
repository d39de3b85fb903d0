use std::fs;

use jomae_core::nonce::Seen;
use tempfile::TempDir;

use super::*;
use crate::{
    bootstrap::{self, Started},
    config::Config,
};

fn config(dir: &TempDir) -> Config {
    Config { data_dir: dir.path().join("data"), ..Config::default() }
}

async fn start(config: &Config) -> Started {
    let started = bootstrap::open(config, gateway::now()).await.unwrap();
    started.run.begin(&started.service).await.unwrap();
    started
}

fn accept(started: &Started, nonce: &str) -> Seen {
    accept_signed(started, nonce, gateway::now().0)
}

fn accept_signed(started: &Started, nonce: &str, signed_at_secs: i64) -> Seen {
    started.service.authenticator.nonces.remember("LTAIcanary", nonce, signed_at_secs, gateway::now().0, true)
}

async fn stop(started: Started) {
    started.run.end(&started.service).await.unwrap();
    assert_eq!(accept(&started, "late"), Seen::PerhapsBefore);
    started.audit.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_stop_hands_the_nonces_on_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir);
    let file = file_path(&config.data_dir);
    let started = start(&config).await;
    assert_eq!(started.run.found(), Found::default());
    let signed_at = gateway::now().0;
    assert_eq!(accept_signed(&started, "canary-nonce", signed_at), Seen::First);
    stop(started).await;
    let kept = fs::read(&file).unwrap();
    assert_eq!(kept.len(), 8 + 20);
    assert!(memchr::memmem::find(&kept, b"anary").is_none());

    // A start that fails, or an opening that serves nobody, takes nothing away.
    drop(bootstrap::open(&config, gateway::now()).await.unwrap());
    let started = start(&config).await;
    assert_eq!(started.run.found(), Found { nonces: 1, unclean: false });
    assert!(!file.exists());
    assert_eq!(accept_signed(&started, "canary-nonce", signed_at), Seen::Before);
    assert_eq!(accept(&started, "second"), Seen::First);
    drop(started);

    // An old file hides no crash.
    fs::write(&file, &kept).unwrap();
    let started = start(&config).await;
    assert_eq!(started.run.found(), Found { nonces: 0, unclean: true });
    assert_eq!(accept_signed(&started, "second", signed_at), Seen::PerhapsBefore);
    assert_eq!(accept(&started, "third"), Seen::First, "the start has waited");
    let third_at = gateway::now().0;
    stop(started).await;

    // What the crash has left unknown stays so over a clean stop.
    let started = start(&config).await;
    assert_eq!(started.run.found(), Found { nonces: 1, unclean: false });
    assert_eq!(accept_signed(&started, "second", signed_at), Seen::PerhapsBefore);
    assert_eq!(accept_signed(&started, "third", third_at), Seen::Before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_the_last_stops_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir);
    let file = file_path(&config.data_dir);
    let started = start(&config).await;
    for n in 0..5 {
        accept(&started, &n.to_string());
    }
    stop(started).await;
    let kept = fs::read(&file).unwrap();
    let damages: [fn(&mut Vec<u8>); 4] =
        [|bytes| bytes.truncate(88), |bytes| bytes.extend([0; 20]), |bytes| bytes[9] ^= 1, |bytes| bytes.clear()];
    for damage in damages {
        let mut bytes = kept.clone();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let started = bootstrap::open(&config, gateway::now()).await.unwrap();
        assert_eq!(started.run.found(), Found { nonces: 0, unclean: true });
    }
    fs::remove_file(&file).unwrap();
    assert!(bootstrap::open(&config, gateway::now()).await.unwrap().run.found().unclean);
    // Fewer can be remembered than there are.
    fs::write(&file, &kept).unwrap();
    let mut small = config.clone();
    small.server.nonces_max = 4;
    assert!(bootstrap::open(&small, gateway::now()).await.unwrap().run.found().unclean);
    assert_eq!(bootstrap::open(&config, gateway::now()).await.unwrap().run.found().nonces, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_ahead_of_the_clock_are_covered() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir);
    let started = start(&config).await;
    let signed_at = gateway::now().0 + 5;
    assert_eq!(accept_signed(&started, "ahead", signed_at), Seen::First);
    started.run.keep_ahead(&started.service).await.unwrap();
    drop(started);
    let started = start(&config).await;
    assert_eq!(accept_signed(&started, "ahead", signed_at), Seen::PerhapsBefore);
    assert_eq!(accept_signed(&started, "later", gateway::now().0 + 6), Seen::First);
}
