//! What the command line says of itself.

use std::fs;

use jomae_tests::{cli, cli::jomae};

use super::word;

#[test]
fn help_and_version() {
    let help = jomae(&["--help"]).ok();
    for command in [
        "serve",
        "call",
        "key",
        "alias",
        "file",
        "user",
        "group",
        "role",
        "session",
        "account",
        "policy",
        "audit",
        "backup",
        "restore",
        "doctor",
        "health",
        "store",
        "domain-key",
    ] {
        assert!(help.text().contains(&format!("\n  {command} ")), "{command}");
        let help = jomae(&[command, "--help"]).ok();
        assert!(help.text().to_lowercase().contains("usage"), "{command}: {}", help.text());
    }
    assert!(help.text().contains("Exit status:"));
    assert!(jomae(&["--version"]).ok().text().starts_with("jomae "));
}

#[test]
fn help_of_an_action_is_its_declaration() {
    let help = jomae(&["call", "ScheduleKeyDeletion", "--help"]).ok();
    assert!(help.text().contains("--PendingWindowInDays (required)"), "{}", help.text());
    assert!(help.text().contains("7–366"), "{}", help.text());
    assert!(jomae(&["call", "--help"]).ok().text().contains("Usage: jomae call"));
    jomae(&["call", "NoSuchAction", "--help"]).failed(2, &["NoSuchAction"]);
}

/// `JOMAE_UPDATE=1` writes it anew.
#[test]
fn the_reference_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let mut command = jomae_tests::binary::command();
    // What the environment holds is not in it.
    command.args(["man", "--reference"]).env("JOMAE_ENDPOINT", "https://somewhere:1");
    let now = cli::run(command, b"").ok();
    if std::env::var_os("JOMAE_UPDATE").is_some() {
        fs::write(&path, now.text()).unwrap();
    }
    assert!(!now.text().contains("somewhere"));
    assert!(fs::read_to_string(&path).unwrap() == now.text(), "docs/cli.md is not current: JOMAE_UPDATE=1 writes it");
}

#[test]
fn completions() {
    let bash = jomae(&["completions", "bash"]).ok();
    // Bash completes a word with it.
    let mut command = std::process::Command::new("bash");
    command.args([
        "--norc",
        "-c",
        "source /dev/stdin; COMP_WORDS=(jomae al); COMP_CWORD=1; _jomae jomae al jomae; echo \"${COMPREPLY[*]}\"",
    ]);
    assert_eq!(cli::run(command, &bash.stdout).ok().text(), "alias\n");
    // And what the API knows.
    for (words, completed) in
        [("call GenerateDataKeyW", "GenerateDataKeyWithoutPlaintext"), ("key create --spec RSA_20", "RSA_2048")]
    {
        let count = words.split(' ').count();
        let script = format!(
            "source /dev/stdin; COMP_WORDS=(jomae {words}); COMP_CWORD={count}; _jomae jomae {} {}; echo \"${{COMPREPLY[*]}}\"",
            words.rsplit(' ').next().unwrap(),
            words.rsplit(' ').nth(1).unwrap()
        );
        let mut command = std::process::Command::new("bash");
        command.args(["--norc", "-c", &script]);
        assert_eq!(cli::run(command, &bash.stdout).ok().text(), format!("{completed}\n"));
    }
    // And what the service knows.
    let site = jomae_tests::Site::default();
    let server = site.start();
    for alias in ["team/orders", "team/bills", "web"] {
        server.jomae(&["key", "create", "--alias", alias]).ok();
    }
    for (words, completed) in [
        ("key describe team/", "team/bills\nteam/orders\n"),
        ("encrypt --key alias/w", "alias/web\n"),
        ("key list --region cn-h", "cn-hangzhou\n"),
        ("al", "alias\n"),
    ] {
        let count = words.split(' ').count();
        let script = format!(
            "PATH=$1:$PATH; source /dev/stdin; COMP_WORDS=(jomae {words}); COMP_CWORD={count}; \
             _jomae_names jomae {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\" | sort",
            words.rsplit(' ').next().unwrap(),
            words.rsplit(' ').nth(1).unwrap_or("jomae")
        );
        let mut command = std::process::Command::new("bash");
        let place = std::path::Path::new(jomae_tests::binary::command().get_program()).parent().unwrap().to_owned();
        command.args(["--norc", "-c", &script, "bash"]).arg(place).envs(server.settings.iter().flatten());
        assert_eq!(cli::run(command, &bash.stdout).ok().text(), completed, "{words}");
    }
    assert!(jomae(&["completions", "zsh"]).ok().text().starts_with("#compdef jomae"));
    let fish = jomae(&["completions", "fish"]).ok();
    assert!(fish.text().contains("complete -c jomae") && fish.text().contains("domain-key"));
    assert_eq!(jomae(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn manual_pages() {
    let page = jomae(&["man"]).ok();
    assert!(page.text().contains(".TH jomae 1"), "{}", page.text());
    assert!(page.text().contains(".SH NAME"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(jomae(&["man", "--directory", word(dir.path())]).ok().text(), "");
    let mut names: Vec<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in [
        "jomae.1",
        "jomae-serve.1",
        "jomae-key-create.1",
        "jomae-file-encrypt.1",
        "jomae-domain-key-rotate.1",
        "jomae-audit-verify.1",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    let page = fs::read_to_string(dir.path().join("jomae-key-list.1")).unwrap();
    for part in [".SH EXAMPLES", "jomae key list", ".SH ENVIRONMENT", "JOMAE_ENDPOINT", ".SH \"EXIT STATUS\""] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(jomae(&["man", "key", "list"]).ok().text(), page);
    jomae(&["man", "key", "lst"]).failed(2, &["is list meant?"]);
    let missing = dir.path().join("missing");
    jomae(&["man", "--directory", word(&missing)]).failed(1, &["manual page"]);
}
