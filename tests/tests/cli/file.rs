//! `jomae file`: encrypted files.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use jomae_tests::{Server, Site, cli, random, tree};

use super::{key, word};

/// A directory for files, and a server with a key.
fn set_up(site: &Site) -> (Server, String, std::path::PathBuf) {
    let server = site.start();
    let id = key(&server);
    let dir = site.path("files");
    fs::create_dir(&dir).unwrap();
    (server, id, dir)
}

#[test]
fn paths_and_streams() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    for bytes in [0, 1, 1_000_000, 1 << 20, 3_500_000] {
        let plain = random::bytes(bytes);
        let file = dir.join("data.tar");
        fs::write(&file, &plain).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        // Nothing is said, and no progress shown, when standard error is no terminal.
        assert_eq!(server.jomae(&["file", "encrypt", "--key", &id, word(&file)]).ok().text(), "");
        let sealed = dir.join("data.tar.jomae");
        assert_eq!(fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o640);
        fs::remove_file(&file).unwrap();
        assert_eq!(server.jomae(&["file", "decrypt", word(&sealed)]).ok().text(), "");
        assert!(fs::read(&file).unwrap() == plain, "{bytes}");
        let named = dir.join("named");
        server.jomae(&["file", "decrypt", word(&sealed), word(&named)]).ok();
        assert!(fs::read(&named).unwrap() == plain, "{bytes}");

        let piped = server.jomae_with(&["file", "encrypt", "--key", &id, "-"], &plain).ok();
        let opened = server.jomae_with(&["file", "decrypt", "-"], &piped.stdout).ok();
        assert!(opened.stdout == plain, "{bytes}");
        let from_path = server.jomae(&["file", "decrypt", word(&sealed), "-"]).ok();
        assert!(from_path.stdout == plain, "{bytes}");
        for file in [file, sealed, named] {
            fs::remove_file(file).unwrap();
        }
        assert!(tree::read(&dir).is_empty());
    }
}

#[test]
fn inspection_needs_no_service() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    let file = dir.join("f");
    fs::write(&file, "hello").unwrap();
    server.jomae(&["file", "encrypt", "--key", &id, "--context", "tenant=4711", word(&file)]).ok();
    let shown = cli::jomae(&["file", "inspect", word(&dir.join("f.jomae")), "--output", "json"]).ok().json();
    assert_eq!(shown["KeyId"], *id);
    assert_eq!(shown["Region"], "cn-hangzhou");
    assert_eq!(shown["EncryptionContextKeys"][0], "tenant");
    assert!(!shown.to_string().contains("4711"), "values are not stored");
    cli::jomae(&["file", "inspect", word(&file)]).failed(1, &["not a Jomae encrypted file"]);
}

#[test]
fn contexts() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    let (file, sealed, out) = (dir.join("f"), dir.join("f.jomae"), dir.join("out"));
    fs::write(&file, "hello").unwrap();
    let decrypt = |contexts: &[&str]| {
        let mut words = vec!["file", "decrypt", word(&sealed), word(&out)];
        words.extend(contexts.iter().flat_map(|pair| ["--context", pair]));
        server.jomae(&words)
    };
    server.jomae(&["file", "encrypt", "--key", &id, "--context", "a=1", "--context", "b=x=y", word(&file)]).ok();
    decrypt(&["a=2", "b=x=y"]).failed(3, &["InvalidParameter", "request id"]);
    decrypt(&[]).failed(1, &["\"a\"", "\"b\""]);
    decrypt(&["a=1"]).failed(1, &["\"b\""]);
    decrypt(&["a=1", "b=x=y", "c=2"]).failed(1, &["\"c\""]);
    decrypt(&["a=1", "a=1"]).failed(2, &["`a` twice"]);
    decrypt(&["a"]).failed(2, &["NAME=VALUE"]);
    assert!(!out.exists());
    decrypt(&["b=x=y", "a=1"]).ok();
    assert_eq!(fs::read(&out).unwrap(), b"hello");
}

#[test]
fn existing_outputs_are_left_alone() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    let (file, sealed) = (dir.join("f"), dir.join("f.jomae"));
    fs::write(&file, "hello").unwrap();
    server.jomae(&["file", "encrypt", "--key", &id, word(&file)]).ok();
    let before = tree::read(&dir);
    server.jomae(&["file", "encrypt", "--key", &id, word(&file)]).failed(1, &[word(&sealed), "left as it is"]);
    server.jomae(&["file", "decrypt", word(&sealed)]).failed(1, &[word(&file), "left as it is"]);
    assert!(tree::differences(&before, &tree::read(&dir)).is_empty());
    server.jomae(&["file", "encrypt", "--force", "--key", &id, word(&file)]).ok();
    assert_eq!(tree::differences(&before, &tree::read(&dir)), ["f.jomae"]);
    // In place.
    server.jomae(&["file", "encrypt", "--force", "--key", &id, word(&file), word(&file)]).ok();
    server.jomae(&["file", "decrypt", "--force", word(&file), word(&file)]).ok();
    assert_eq!(fs::read(&file).unwrap(), b"hello");
    server.jomae(&["file", "decrypt", word(&file)]).failed(2, &[".jomae"]);
}

#[test]
fn a_damaged_file_leaves_no_output() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    let (file, sealed, out) = (dir.join("f"), dir.join("f.jomae"), dir.join("out"));
    fs::write(&file, random::bytes(2_500_000)).unwrap();
    server.jomae(&["file", "encrypt", "--key", &id, word(&file)]).ok();
    let own = fs::read(&sealed).unwrap();
    let header = own.iter().position(|byte| *byte == b'}').unwrap();
    let flipped = |at: usize| {
        let mut bytes = own.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damaged = [
        ("cut by a byte", own[..own.len() - 1].to_vec()),
        ("cut between segments", own[..header + 1 + (1 << 20)].to_vec()),
        ("cut in the header", own[..header].to_vec()),
        ("nothing but the header", own[..=header].to_vec()),
        ("empty", Vec::new()),
        ("longer", [own.as_slice(), b"x"].concat()),
        ("twice", [own.as_slice(), &own].concat()),
        ("first byte of the data", flipped(header + 60)),
        ("middle", flipped(own.len() / 2)),
        ("last byte", flipped(own.len() - 1)),
        ("magic", flipped(0)),
        ("version", flipped(9)),
        ("length of the header", flipped(13)),
    ];
    let check = |what: &str, names: &[&str]| {
        let before: Vec<String> = tree::read(&dir).into_keys().collect();
        let ran = server.jomae(&["file", "decrypt", word(&sealed), word(&out)]);
        assert_eq!(ran.code, Some(1), "{what}: {}", ran.stderr);
        ran.failed(1, names);
        let after: Vec<String> = tree::read(&dir).into_keys().collect();
        assert_eq!(before, after, "{what}: something is left");
        let ran = server.jomae(&["file", "decrypt", word(&sealed), "-"]);
        assert_eq!(ran.code, Some(1), "{what}: {}", ran.stderr);
    };
    for (what, content) in damaged {
        fs::write(&sealed, content).unwrap();
        check(what, &[]);
    }
    // A change in the encrypted data key is for the service to see.
    fs::write(&sealed, &own).unwrap();
    let marker = b"\"encrypted_key\":\"";
    let at = memchr::memmem::find(&own, marker).unwrap() + marker.len() + 100;
    let mut bytes = own.clone();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    fs::write(&sealed, bytes).unwrap();
    let ran = server.jomae(&["file", "decrypt", word(&sealed), word(&out)]);
    assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.stderr);
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_read_or_written() {
    let site = Site::default();
    let (server, id, dir) = set_up(&site);
    let missing = dir.join("missing");
    server.jomae(&["file", "encrypt", "--key", &id, word(&missing)]).failed(1, &["missing"]);
    server.jomae(&["file", "encrypt", "--key", &id, word(&dir)]).failed(1, &[word(&dir)]);
    let file = dir.join("f");
    fs::write(&file, "hello").unwrap();
    let nowhere = dir.join("no/such/f");
    server.jomae(&["file", "encrypt", "--key", &id, word(&file), word(&nowhere)]).failed(1, &["no/such/f"]);
    let device = Path::new("/dev/null");
    server.jomae(&["file", "encrypt", "--force", "--key", &id, word(&file), word(device)]).failed(1, &["/dev/null"]);
    server.jomae(&["file", "encrypt", "--key", "alias/none", word(&file)]).failed(3, &["Forbidden.AliasNotFound"]);
    assert_eq!(tree::read(&dir).len(), 1);
    server.jomae(&["file", "encrypt", "--key", &id, word(&file)]).ok();
    server.jomae(&["key", "disable", &id]).ok();
    fs::remove_file(&file).unwrap();
    let sealed = dir.join("f.jomae");
    server.jomae(&["file", "decrypt", word(&sealed)]).failed(3, &["Rejected.Disabled"]);
    assert!(!file.exists());
}
