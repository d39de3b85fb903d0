//! A token every day, and shares on the day of the disaster: the steps of docs/tasks/hsm.md.

use std::{fs, path::Path};

use jomae_sim::softhsm::MODULE;
use jomae_tests::{
    binary,
    calls::{create_key, decrypt, encrypt},
    cli,
};

use crate::Bench;

const DAILY: &str = "[root_key]\nprovider = [\"pkcs11\", \"shares\"]\n";

/// `jomae …` with the configuration of the bench.
fn on(bench: &Bench, words: &[&str]) -> cli::Ran {
    let mut command = binary::command();
    command.args(words).arg("--config").arg(bench.site.path("jomae.toml"));
    command.arg("--data-dir").arg(bench.site.data()).envs(bench.tokens.env());
    cli::run(command, b"")
}

/// Succeeds; a worker may have logged something.
#[track_caller]
fn done(ran: &cli::Ran) -> &str {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_every_day_and_shares_on_the_day_of_the_disaster() {
    let bench = Bench::new();
    let (site, module) = (&bench.site, Path::new(MODULE));
    let mut server = bench.start_more(module, 10, "");
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "AAAA").await;
    let (shares, disk) = (site.path("s"), site.path("disk"));
    done(&on(&bench, &["root", "add", "pkcs11"]));
    done(&on(&bench, &["root", "add", "shares", "--open", "2", "--of", "3", "--to", shares.to_str().unwrap()]));
    assert_eq!(server.stop(), Some(0));
    let mut server = bench.start_more(module, 10, DAILY);
    done(&on(&bench, &["root", "remove", "file", "--yes"]));
    fs::remove_file(site.data().join("root.key")).unwrap();
    done(&on(&bench, &["backup", "create", "--whole", "--to", disk.to_str().unwrap()]));
    let made = cli::jomae(&["key", "create", "--help"]).ok();
    assert!(made.text().contains("--protection-level"));
    let words = ["key", "create", "--protection-level", "HSM", "--field", "ProtectionLevel"];
    assert_eq!(server.jomae(&words).ok().text(), "HSM\n");
    assert_eq!(server.stop(), Some(0));

    // Both are lost.
    bench.tokens.take_away();
    let held = [1, 3].map(|n| shares.join(format!("share-{n}.txt")).to_str().unwrap().to_owned());
    let given = ["--share", &held[0], "--share", &held[1]];
    let restore = [&["restore", "--from", disk.to_str().unwrap()][..], &given].concat();
    fs::remove_dir_all(site.data()).unwrap();
    let told = on(&bench, &restore);
    let step = done(&told).lines().find_map(|line| line.strip_prefix("before the start: jomae root add file "));
    let step = step.unwrap_or_else(|| panic!("{}", told.text())).split(';').next().unwrap();
    assert!(told.text().contains("no token with the label"), "{}", told.text());
    let mut command = binary::command();
    command.args(["root", "add", "file"]).args(step.split(' ')).envs(bench.tokens.env());
    done(&cli::run(command, b""));
    let mut server = bench.start_more(module, 10, "[root_key]\nprovider = [\"file\", \"shares\"]\n");
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    assert_eq!(server.stop(), Some(0));

    // With a new token the configuration can stay.
    fs::remove_dir_all(site.data()).unwrap();
    bench.tokens.add(crate::LABEL);
    // Writes the configuration.
    drop(bench.launch(module, 10, DAILY));
    done(&on(&bench, &restore));
    done(&on(&bench, &[&["root", "add", "pkcs11", "--name", "hsm-2"][..], &given].concat()));
    let mut server = bench.start_more(module, 10, DAILY);
    assert_eq!(decrypt(&server.client(), &blob).await, "AAAA");
    done(&on(&bench, &["root", "remove", "pkcs11", "--yes"]));
    assert_eq!(server.stop(), Some(0));
}
