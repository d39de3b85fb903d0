//! The token as what opens the store.

use std::path::Path;

use jomae_sim::softhsm::{MODULE, PIN};
use jomae_tests::{
    binary,
    calls::{create_key, decrypt, encrypt},
    cli,
};

use crate::{Bench, metric, wait_until};

const BY_TOKEN: &str = "[root_key]\nprovider = \"pkcs11\"\n";
const BY_EITHER: &str = "[root_key]\nprovider = [\"pkcs11\", \"file\"]\n";

/// `jomae root …` with the configuration of the bench.
fn root(bench: &Bench, words: &[&str]) -> cli::Ran {
    jomae(bench, &[&["root"], words].concat())
}

fn jomae(bench: &Bench, words: &[&str]) -> cli::Ran {
    let (config, data) = (bench.site.path("jomae.toml"), bench.site.data());
    let mut command = binary::command();
    command.args(words);
    command.arg("--config").arg(config).arg("--data-dir").arg(data).envs(bench.tokens.env());
    cli::run(command, b"")
}

/// A start that ends for want of the token; what the worker has logged stands before.
#[track_caller]
/// `code`: 5 for a start that is not to be made again by itself.
fn refused(ran: &cli::Ran, code: i32, why: &str) {
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    assert!(last.contains("the token, for the root key") && last.contains(why), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_the_store_and_no_file_does() {
    let bench = Bench::new();
    let mut server = bench.start_more(Path::new(MODULE), 10, BY_TOKEN);
    assert!(server.stdout().contains("cannot be copied") && !server.stdout().contains("keep a copy"));
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "AAAA").await;
    assert_eq!(server.stop(), Some(0));
    assert!(!bench.site.data().join("root.key").exists());
    let mut server = bench.start_more(Path::new(MODULE), 10, BY_TOKEN);
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    assert!(server.stderr().contains("nothing opens this store but a token"), "{}", server.stderr());
    root(&bench, &["rotate"]).ok();
    assert_eq!(server.stop(), Some(0));

    // Without the token, with another of the same label, and with a wrong PIN, which is tried once.
    bench.tokens.take_away();
    refused(&bench.fails(Path::new(MODULE), BY_TOKEN), 1, "no token with the label");
    bench.tokens.add(crate::LABEL);
    // That one gets no PIN: it is known before a login that it is another.
    let module = bench.tokens.fault_module();
    let before = bench.tokens.logins();
    refused(&bench.fails(&module, BY_TOKEN), 1, "and the keys are in");
    let ran = root(&bench, &["status"]);
    assert!(ran.stderr.contains("and the keys are in"), "{}", ran.stderr);
    assert_eq!(bench.tokens.logins(), before);
    bench.tokens.put_back();
    let mut server = bench.start_more(Path::new(MODULE), 10, BY_TOKEN);
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    assert_eq!(server.stop(), Some(0));
    std::fs::write(bench.tokens.pin_file(), "1111-wrong\n").unwrap();
    let before = bench.tokens.logins();
    refused(&bench.fails(&module, BY_TOKEN), 5, "PIN");
    assert_eq!(bench.tokens.logins(), before + 1);

    // Nor by any other process, as long as the file stays what it is.
    refused(&bench.fails(&module, BY_TOKEN), 5, "touch ");
    for words in [&["root", "status"][..], &["account", "list"], &["doctor"]] {
        let ran = jomae(&bench, words);
        let told = String::from_utf8_lossy(&ran.stdout).into_owned() + &ran.stderr;
        assert!(ran.code != Some(0) && told.contains("the token refused the PIN in "), "{words:?}: {told}");
    }
    assert_eq!(bench.tokens.logins(), before + 1);
    let note = bench.site.data().join("hsm-pin.json");
    assert!(!std::fs::read_to_string(&note).unwrap().contains("1111"));

    // The same one, since somebody has touched it, and the right one.
    std::fs::write(bench.tokens.pin_file(), "1111-wrong\n").unwrap();
    refused(&bench.fails(&module, BY_TOKEN), 5, "the token refuses the PIN");
    assert_eq!(bench.tokens.logins(), before + 2);
    std::fs::write(bench.tokens.pin_file(), format!("{PIN}\n")).unwrap();
    let mut server = bench.start_more(&module, 10, BY_TOKEN);
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    wait_until("both workers", || metric(&server, "jomae_hsm_workers_up") > 1.0);
    assert!(!note.exists());
    assert_eq!(server.stop(), Some(0));
}

/// The module ends before it says what the token said of the PIN; each start is a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pin_is_tried_once_by_all_processes_even_if_none_hears_that_it_was_wrong() {
    let bench = Bench::new();
    let module = bench.tokens.fault_module();
    assert_eq!(bench.start_more(&module, 10, BY_TOKEN).stop(), Some(0));
    std::fs::write(bench.tokens.pin_file(), "1111-wrong\n").unwrap();
    bench.tokens.misbehave("late-crash Login");
    let before = bench.tokens.logins();
    for code in [1, 5, 5, 5] {
        refused(&bench.fails(&module, BY_TOKEN), code, "");
    }
    assert_eq!(bench.tokens.logins(), before + 1);
}

/// An HSM every day, and a file on the day of the disaster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_added_to_a_service_and_a_file_still_opens() {
    let bench = Bench::new();
    let mut server = bench.start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "AAAA").await;
    root(&bench, &["add", "pkcs11", "--name", "hsm"]).ok();
    root(&bench, &["rotate"]).ok();
    assert_eq!(server.stop(), Some(0));
    for (more, used) in [(BY_TOKEN, "hsm"), (BY_EITHER, "hsm")] {
        let mut server = bench.start_more(Path::new(MODULE), 10, more);
        assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
        let shown = root(&bench, &["status", "--query", "[?InUse].Slot", "--output", "json"]).ok();
        assert!(shown.text().contains(used), "{}", shown.text());
        let shown = root(&bench, &["status"]).ok();
        assert!(shown.text().contains("key jomae-root in the token "), "{}", shown.text());
        assert_eq!(server.stop(), Some(0));
    }
    bench.tokens.take_away();
    let mut server = bench.start_more(Path::new(MODULE), 10, BY_EITHER);
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    assert_eq!(server.stop(), Some(0));
}
