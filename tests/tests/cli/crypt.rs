//! `jomae encrypt` and `jomae decrypt`, and what happens to files when a signal ends a command.

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_tests::{Server, Site, binary, cli::run, random, tree};
use rustix::process::{Pid, Signal, kill_process};

use super::word;

fn set_up(site: &Site) -> (Server, std::path::PathBuf) {
    let server = site.start();
    server.jomae(&["key", "create", "--alias", "orders"]).ok();
    let dir = site.path("files");
    fs::create_dir(&dir).unwrap();
    (server, dir)
}

#[test]
fn small_data_there_and_back() {
    let site = Site::default();
    let (server, dir) = set_up(&site);
    for plain in [b"correct horse\n".to_vec(), vec![0], random::bytes(6144)] {
        // Through pipes, as text and as bytes, under either form of the alias.
        for words in [&["encrypt", "--key", "orders"][..], &["encrypt", "--key", "alias/orders", "--raw"]] {
            let sealed = server.jomae_with(words, &plain).ok();
            let text = String::from_utf8_lossy(&sealed.stdout).into_owned();
            assert_eq!(words.len() == 3, STANDARD.decode(text.trim_end()).is_ok());
            assert!(server.jomae_with(&["decrypt"], &sealed.stdout).ok().stdout == plain);
        }
        // Through files.
        let (clear, sealed, back) = (dir.join("clear"), dir.join("sealed"), dir.join("back"));
        fs::write(&clear, &plain).unwrap();
        let words = ["encrypt", "--key", "orders", "--context", "a=1", "--in", word(&clear), "-o", word(&sealed)];
        assert_eq!(server.jomae(&words).ok().text(), "");
        assert_eq!(fs::read_to_string(&sealed).unwrap().lines().count(), 1);
        let words = ["decrypt", "--context", "a=1", "--in", word(&sealed), "--out", word(&back)];
        assert_eq!(server.jomae(&words).ok().text(), "");
        assert!(fs::read(&back).unwrap() == plain);
        assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o600, "plaintext is private");
        for file in [clear, sealed, back] {
            fs::remove_file(file).unwrap();
        }
    }
    // What was encrypted as text by the API comes back as that text.
    let answer = server.jomae(&["call", "Encrypt", "--KeyId", "alias/orders", "--Plaintext", "p@ss"]).ok().json();
    let blob = answer["CiphertextBlob"].as_str().unwrap();
    assert_eq!(server.jomae_with(&["decrypt"], blob.as_bytes()).ok().text(), "p@ss");
}

#[test]
fn whatever_fails_writes_nothing() {
    let site = Site::default();
    let (mut server, dir) = set_up(&site);
    let at = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (small, large, empty) = (at("small", b"x"), at("large", &[0; 6145]), at("empty", b""));
    let sealed = at("sealed", server.jomae(&["encrypt", "--key", "orders", "--in", &small]).ok().stdout.as_slice());
    let (there, file) = (at("there", b"precious"), at("file", b"JOMAEFILE\x01"));
    let new = dir.join("new").to_str().unwrap().to_owned();
    let before = tree::read(&dir);
    let cases: [(&[&str], i32, &[&str]); 13] = [
        (&["encrypt", "--key", "order", "--in", &small], 3, &["Forbidden.AliasNotFound"]),
        (&["encrypt", "--key", "no key!", "--in", &small], 2, &["no key!"]),
        (&["encrypt", "--key", "orders", "--in", &large], 1, &["6145 bytes; Encrypt takes 6144; for more: jomae file"]),
        (&["encrypt", "--key", "orders", "--in", &empty], 1, &["empty"]),
        (&["encrypt", "--key", "orders", "--in", "/no/such/file"], 1, &["/no/such/file"]),
        (&["encrypt", "--key", "orders", "--context", "a", "--in", &small], 2, &["NAME=VALUE"]),
        (&["encrypt", "--region", "cn-beijing", "--key", "orders", "--in", &small], 3, &["RegionId", "--region"]),
        (&["decrypt", "--in", &small], 3, &["CiphertextBlob", "--context"]),
        (&["decrypt", "--in", &sealed, "--context", "a=1"], 3, &["CiphertextBlob", "--context"]),
        (&["decrypt", "--in", &empty], 1, &["empty"]),
        (&["decrypt", "--in", &file], 1, &["jomae file decrypt"]),
        (&["decrypt", "--in", &new], 1, &["new"]),
        (&["file", "decrypt", &small], 1, &["not a Jomae encrypted file"]),
    ];
    for (words, code, told) in cases {
        for out in [&["-o", &new][..], &["--force", "-o", &there]] {
            server.jomae(&[words, out].concat()).failed(code, told);
            assert!(tree::differences(&before, &tree::read(&dir)).is_empty(), "{words:?}");
        }
        let ran = server.jomae(words);
        assert!(ran.stdout.is_empty() && ran.code != Some(0), "{words:?}");
    }
    server.jomae(&["encrypt", "--key", "orders", "--in", &small, "-o", &there]).failed(1, &["exists"]);
    server.kill();
    server.jomae(&["encrypt", "--key", "orders", "--in", &small, "--force", "-o", &there]).failed(4, &["no answer"]);
    assert!(tree::differences(&before, &tree::read(&dir)).is_empty());
}

/// Runs the command line with a terminal as its standard output; gives what was shown there.
fn on_terminal(server: &Server, words: &str) -> (Option<i32>, String) {
    let mut command = binary::without_settings(Command::new("script"));
    command.envs(server.settings.iter().flatten());
    command.args(["-qec", &format!("{} {words}", binary::path().display()), "/dev/null"]);
    let ran = run(command, b"");
    (ran.code, String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn a_terminal_gets_no_binary() {
    let site = Site::default();
    let (server, dir) = set_up(&site);
    for (name, content) in [("text", &b"plain text\n"[..]), ("binary", b"\x1b[2J\x00")] {
        let file = dir.join(name);
        fs::write(&file, content).unwrap();
        server.jomae(&["encrypt", "--key", "orders", "--in", word(&file), "-o", word(&dir.join("small"))]).ok();
        server.jomae(&["file", "encrypt", "--key", "orders", word(&file), "-o", word(&dir.join("large"))]).ok();
        let (small, large) = (dir.join("small"), dir.join("large"));
        for words in [format!("decrypt --in {}", small.display()), format!("file decrypt {} -", large.display())] {
            let (code, shown) = on_terminal(&server, &words);
            if name == "text" {
                assert!(code == Some(0) && shown.contains("plain text"), "{words}: {shown}");
            } else {
                assert!(code == Some(1) && shown.contains("binary") && !shown.contains('\x1b'), "{words}: {shown}");
            }
        }
        let file = file.display();
        for words in [format!("encrypt --raw --key orders --in {file}"), format!("file encrypt --key orders {file} -")]
        {
            let (code, shown) = on_terminal(&server, &words);
            assert!(code == Some(1) && shown.contains("binary"), "{words}: {shown}");
        }
        let (code, shown) = on_terminal(&server, &format!("encrypt --key orders --in {file}"));
        assert!(code == Some(0) && STANDARD.decode(shown.trim()).is_ok(), "{shown}");
        fs::remove_file(small).unwrap();
        fs::remove_file(large).unwrap();
    }
}

/// A command that reads standard input, some of which it has read and written when this returns.
fn midway(server: &Server, words: &[&str], input: &[u8], dir: &Path) -> Child {
    // Whatever the test's own shell ignores.
    let mut command = binary::without_settings(Command::new("env"));
    command.arg("--default-signal").arg(binary::path()).args(words).envs(server.settings.iter().flatten());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("jomae can be run");
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(input).unwrap();
    let descriptors = format!("/proc/{}/fd", child.id());
    let written = || {
        let links = fs::read_dir(&descriptors).into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = links.filter(|link| fs::read_link(link).is_ok_and(|to| to.starts_with(dir)));
        ours.filter_map(|link| Some(fs::metadata(link).ok()?.len())).max().unwrap_or(0)
    };
    let began = Instant::now();
    while written() < 1 << 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(began.elapsed() < Duration::from_mins(1), "nothing is written");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let site = Site::default();
    let (server, dir) = set_up(&site);
    let plain = random::bytes(5 << 20);
    let sealed = server.jomae_with(&["file", "encrypt", "--key", "orders", "-"], &plain).ok().stdout;
    // As long as a name can be, with room for nothing.
    let out = dir.join("n".repeat(255));
    let before: [Option<&[u8]>; 2] = [None, Some(b"precious")];
    for there in before {
        if let Some(content) = there {
            fs::write(&out, content).unwrap();
        }
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
            for (words, input) in [
                (&["file", "encrypt", "--force", "--key", "orders", "-", word(&out)][..], &plain),
                (&["file", "decrypt", "--force", "-", word(&out)], &sealed),
            ] {
                // The end is held back: it is in the middle.
                let mut child = midway(&server, words, &input[..input.len() - 1], &dir);
                kill_process(Pid::from_child(&child), signal).unwrap();
                let status = child.wait().unwrap();
                let ended = status.code().map(|code| code - 128).or(status.signal());
                assert_eq!(ended, Some(signal.as_raw()), "{words:?}");
                let left: Vec<_> = tree::read(&dir).into_values().filter_map(|node| node.content).collect();
                assert!(left.iter().map(Vec::as_slice).eq(there), "{words:?}: something is left");
            }
        }
    }
    // What was ignored when it began stays so: nohup goes on.
    let words = ["file", "encrypt", "--force", "--key", "orders", "-", word(&out)];
    let mut command = Command::new("nohup");
    command.arg(binary::path()).args(words);
    let mut command = binary::without_settings(command);
    command.envs(server.settings.iter().flatten());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&plain[..3 << 20]).unwrap();
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    stdin.write_all(&plain[3 << 20..]).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let opened = server.jomae_with(&["file", "decrypt", "-"], &fs::read(&out).unwrap()).ok();
    assert!(opened.stdout == plain);
}
