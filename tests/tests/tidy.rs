//! The rules of the repository that no compiler checks. Each rule is a function from text to findings, shown below to
//! find a bad sample, and then run over everything.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use toml::Table;

/// Which crates of ours each crate may use.
const ARROWS: [(&str, &[&str]); 12] = [
    ("jomae-crypto", &[]),
    ("jomae-files", &[]),
    ("jomae-etcd", &[]),
    ("jomae-hsm", &["jomae-crypto"]),
    ("jomae-console", &[]),
    ("jomae-api", &["jomae-crypto"]),
    ("jomae-core", &["jomae-api", "jomae-crypto"]),
    ("jomae-log", &["jomae-crypto", "jomae-files"]),
    ("jomae-client", &["jomae-api", "jomae-crypto", "jomae-files"]),
    (
        "jomae-server",
        &[
            "jomae-api",
            "jomae-client",
            "jomae-console",
            "jomae-core",
            "jomae-crypto",
            "jomae-etcd",
            "jomae-files",
            "jomae-hsm",
            "jomae-log",
        ],
    ),
    ("jomae", &["jomae-api", "jomae-client", "jomae-crypto", "jomae-files", "jomae-hsm", "jomae-log", "jomae-server"]),
    ("jomae-sim", &["jomae-core", "jomae-crypto"]),
];

/// Crates that know no runtime, file, socket, environment, clock or process.
const PURE: [&str; 3] = ["jomae-crypto", "jomae-api", "jomae-core"];
/// Ends the process when the system has no random bytes: then there is nothing safe to go on with.
const MAY_ABORT: &str = "crates/jomae-crypto/src/rng.rs";

/// Where the bytes of a secret may be reached; every place more is one more to audit.
const MAY_EXPOSE: [&str; 41] = [
    "crates/jomae-api/src/answer.rs",                     // the plaintext in an answer
    "crates/jomae-api/src/sign/secret.rs",                // the secret that verifies
    "crates/jomae-client/src/api.rs",                     // the secret that signs
    "crates/jomae-client/src/file/mod.rs",                // the data key of a file
    "crates/jomae-core/src/access/diagnosis.rs",          // what a denied caller was told, to who asks about it
    "crates/jomae-core/src/backend/software.rs",          // the material of keys, the plaintext to encrypt
    "crates/jomae-core/src/crypto/asymmetric_encrypt.rs", // the plaintext to encrypt
    "crates/jomae-core/src/crypto/generate_mac.rs",       // the message
    "crates/jomae-core/src/crypto/verify_mac.rs",         // the message
    "crates/jomae-core/src/crypto/mod.rs",                // the data key to export
    "crates/jomae-core/src/identity/token.rs",            // the secret of temporary credentials
    "crates/jomae-core/src/import/mod.rs",                // the wrapping key and what it unwraps
    "crates/jomae-core/src/keyring.rs",                   // domain keys
    "crates/jomae-core/src/ram/login.rs",                 // a password, to be held against the rules
    "crates/jomae-core/src/ram/mfa/picture.rs",           // the seed of a device, into its QR code
    "crates/jomae-core/src/ram/passkeys/challenge.rs",    // the challenge that a browser has kept
    "crates/jomae-core/src/ram/sign_in/browser.rs",       // the number of a known browser
    "crates/jomae-core/src/tx.rs",                        // the content of a record
    "crates/jomae-crypto/src/",                           // the ciphers
    "crates/jomae-hsm/src/",                              // to the token and back
    "crates/jomae-log/src/tail.rs",                       // the key of the MACs over the end of the audit log
    "crates/jomae-server/src/audit/signing_key.rs",       // the key that signs the audit log, into its sealed record
    "crates/jomae-server/src/nodes/authority.rs", // the key of the authority between nodes, from its sealed record
    "crates/jomae-server/src/nodes/joining.rs",   // what a newcomer is given, to be checked and written
    "crates/jomae-server/src/nodes/mod.rs",       // the secret of a join token, to be compared
    "crates/jomae-server/src/nodes/tokens.rs",    // the same, into its digest
    "crates/jomae-server/src/hsm/backend.rs",     // what goes to the token and comes from it
    "crates/jomae-server/src/nonces/mod.rs",      // the key of the hashes of nonces, from its sealed record
    "crates/jomae-server/src/secret_text.rs",     // keys in sealed records, as text
    "crates/jomae-server/src/bootstrap.rs",       // the first access key, into the file of the operator
    "crates/jomae-server/src/backup/create.rs",   // what is planted in a backup, into its digest
    "crates/jomae-server/src/backup/chain.rs",    // the same, to be compared
    "crates/jomae-server/src/backup/restore.rs",  // a new key file
    "crates/jomae-server/src/operate/identity.rs", // the identity in a backup, into the files that it was
    "crates/jomae-server/src/operator/client.rs", // the key of a new slot's provider, to the service
    "crates/jomae-server/src/operator/root.rs",   // the same, into the slot
    "crates/jomae-server/src/root_key/",          // the key file, and keys of providers
    "crates/jomae/src/root.rs",                   // a new key file and shares, into the files that are asked for
    "crates/jomae-sim/src/",                      // never in the product
    "crates/jomae/src/crypt.rs",                  // what was decrypted, to where it was asked for
    "crates/jomae/src/import.rs",                 // the public key and the wrapped material
];

/// Files among the actions that are none.
const SHARED_PARTS: [&str; 8] =
    ["attach", "attachments", "challenge", "entities", "mod", "params", "picture", "resource"];

const SOURCE_LINES_MAX: usize = 700;
const FILE_BYTES_MAX: u64 = 768 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file that is, or would be, in the repository, as paths from its root.
fn files() -> Vec<String> {
    let git =
        Command::new("git").current_dir(root()).args(["ls-files", "-z", "-c", "-o", "--exclude-standard"]).output();
    let listed = String::from_utf8(git.unwrap().stdout).unwrap();
    let files: BTreeSet<String> = listed.split('\0').filter(|f| root().join(f).is_file()).map(str::to_owned).collect();
    assert!(files.contains("Cargo.toml"), "the tidy tests need a git clone");
    files.into_iter().collect()
}

fn read(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(file)).unwrap()).into_owned()
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == extension)
}

fn rust_files() -> impl Iterator<Item = String> {
    files().into_iter().filter(|file| has_extension(file, "rs"))
}

/// The sources of a crate without the files that hold its unit tests.
fn product_sources() -> impl Iterator<Item = String> {
    rust_files().filter(|file| {
        let test = file.ends_with("/tests.rs") || file.ends_with("_tests.rs") || file.contains("/tests/");
        file.starts_with("crates/") && file.contains("/src/") && !test
    })
}

fn manifest(file: &str) -> Table {
    read(file).parse().unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The tokens of Rust text, groups opened up; of a literal text only its quotes remain.
fn tokens(source: &str) -> Vec<String> {
    fn flatten(stream: TokenStream, out: &mut Vec<String>) {
        for tree in stream {
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::None => ("", ""),
                    };
                    out.push(open.to_owned());
                    flatten(group.stream(), out);
                    out.push(close.to_owned());
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let is_text = text.contains(['"', '\'']);
                    out.push(if is_text { "\"\"".to_owned() } else { text });
                }
                other => out.push(other.to_string()),
            }
        }
    }
    let mut out = Vec::new();
    flatten(source.parse().unwrap_or_else(|error| panic!("{error}: {source}")), &mut out);
    out
}

/// The index after the group that opens at `open`.
fn group_end(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return at + 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn is_at(tokens: &[String], at: usize, pattern: &str) -> bool {
    pattern.split(' ').enumerate().all(|(offset, wanted)| tokens.get(at + offset).is_some_and(|token| token == wanted))
}

/// Whether the tokens, separated by blanks in `pattern`, occur in a row.
fn contains(tokens: &[String], pattern: &str) -> bool {
    (0..tokens.len()).any(|at| is_at(tokens, at, pattern))
}

/// The tokens without the items under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_at(tokens, at, "# [ cfg ( test ) ]") {
            while !matches!(tokens.get(at).map(String::as_str), None | Some("{" | ";")) {
                at += 1;
            }
            at = if is_at(tokens, at, "{") { group_end(tokens, at) } else { at + 1 };
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

/// Names that `std::{…}` and `std::name` bring in.
fn std_modules(tokens: &[String]) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for at in (0..tokens.len()).filter(|at| is_at(tokens, *at, "std : :")) {
        let next = at + 3;
        if !is_at(tokens, next, "{") {
            found.extend(tokens.get(next).map(String::as_str));
            continue;
        }
        let mut inner = next + 1;
        while inner + 1 < group_end(tokens, next) {
            found.insert(tokens[inner].as_str());
            while inner + 1 < group_end(tokens, next) && !is_at(tokens, inner, ",") {
                inner = if is_at(tokens, inner, "{") { group_end(tokens, inner) } else { inner + 1 };
            }
            inner += 1;
        }
    }
    found
}

/// What a pure crate's source uses and must not.
fn impurities(source: &str) -> Vec<String> {
    let tokens = without_tests(&tokens(source));
    let banned = ["fs", "net", "env", "process", "os"];
    let mut found: Vec<String> = std_modules(&tokens)
        .into_iter()
        .filter(|name| banned.contains(name))
        .map(|name| format!("std::{name}"))
        .collect();
    let patterns = ["tokio", "SystemTime : : now", "Instant : : now", "thread : : sleep", "thread : : spawn"];
    found.extend(
        patterns.into_iter().filter(|pattern| contains(&tokens, pattern)).map(|pattern| pattern.replace(' ', "")),
    );
    found
}

/// What no source may hold, tests included; the rest is banned by lints.
fn skipped_or_unsafe(source: &str) -> Vec<&'static str> {
    let tokens = tokens(source);
    ["# [ ignore", "unsafe"].into_iter().filter(|pattern| contains(&tokens, pattern)).collect()
}

/// Types that hold secrets, each with what it has and must not have.
fn secret_types(source: &str) -> BTreeMap<String, Vec<&'static str>> {
    let tokens = tokens(source);
    let holds_secrets = |name: &str| {
        name.contains("Secret")
            || ["Key256", "RootMaterial", "StreamKey", "Keyring", "DataKey", "PrivateKey"].contains(&name)
    };
    let mut found = BTreeMap::new();
    for at in (1..tokens.len()).filter(|at| tokens[at - 1] == "struct" && holds_secrets(&tokens[*at])) {
        let name = &tokens[at];
        // The attributes stand between the end of the item before and the word `struct`.
        let before = tokens[..at].iter().rposition(|token| token == ";" || token == "}").unwrap_or(0);
        let attributes = &tokens[before..at];
        let shown = |what: &str| {
            let derived = contains(attributes, "derive (") && attributes.iter().any(|token| token == what);
            derived || contains(&tokens, &format!("{what} for {name}"))
        };
        let has = ["Debug", "Clone", "Display", "PartialEq"].into_iter().filter(|what| shown(what)).collect();
        found.insert(name.clone(), has);
    }
    found
}

/// Dependencies on crates of ours that a manifest names for the product.
fn arrows(manifest: &Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut collect = |table: &Table| {
        for section in ["dependencies", "build-dependencies"] {
            for (name, value) in table.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                let name = value.get("package").and_then(toml::Value::as_str).unwrap_or(name);
                found.extend(name.starts_with("jomae").then(|| name.to_owned()));
            }
        }
    };
    collect(manifest);
    for target in manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten() {
        target.1.as_table().into_iter().for_each(&mut collect);
    }
    found
}

fn has_workspace_lints(manifest: &Table) -> bool {
    manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

/// Crates that `deny.toml` bans, in the output of `cargo tree --prefix none`.
fn banned_crates<'t>(deny: &Table, tree: &'t str) -> Vec<&'t str> {
    let bans = deny["bans"]["deny"].as_array().unwrap();
    let is_banned = |name: &&str| bans.iter().any(|ban| ban["crate"].as_str() == Some(name));
    tree.lines().filter_map(|line| line.split(' ').next()).filter(is_banned).collect()
}

/// The names of the tests in Rust or Python text.
fn tests_in(file: &str, source: &str) -> BTreeSet<String> {
    if has_extension(file, "py") {
        let name = |line: &str| Some(line.trim_start().strip_prefix("def ")?.split('(').next()?.to_owned());
        return source.lines().filter_map(name).filter(|name| name.starts_with("test_")).collect();
    }
    let tokens = tokens(source);
    let is_test = |at: usize| {
        // The attributes stand between the end of the item before and the word `fn`.
        let before = tokens[..at].iter().rposition(|token| [";", "}", "{"].contains(&token.as_str())).unwrap_or(0);
        contains(&tokens[before..at], "# [ test ]") || contains(&tokens[before..at], "tokio : : test")
    };
    let functions = (0..tokens.len()).filter(|at| tokens[*at] == "fn");
    functions.filter(|at| is_test(*at)).filter_map(|at| tokens.get(at + 1).cloned()).collect()
}

/// Links of a document that are labelled with one name in code: the name, and the file from the root.
fn named_in(document: &str, text: &str) -> Vec<(String, String)> {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let linked = |rest: &str| {
        let (name, rest) = rest.split_once("`](")?;
        let (target, _) = rest.split_once(')')?;
        let file = target.strip_prefix("../").map_or_else(|| format!("{folder}/{target}"), str::to_owned);
        is_name(name).then(|| (name.to_owned(), file))
    };
    text.split("[`").skip(1).filter_map(linked).collect()
}

fn none<T: std::fmt::Debug>(findings: &[T]) {
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn comments_and_texts_are_no_code() {
    let source = "a::b /* x */ [ 'c', \"s\", b\"u\", 7] // w\n";
    assert_eq!(tokens(source).join(" "), r#"a : : b [ "" , "" , "" , 7 ]"#);
}

#[test]
fn crates_depend_upwards_only() {
    let mut seen = Vec::new();
    for file in files().iter().filter(|file| file.starts_with("crates/") && file.ends_with("/Cargo.toml")) {
        let manifest = manifest(file);
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let (_, allowed) =
            ARROWS.iter().find(|(crate_name, _)| *crate_name == name).unwrap_or_else(|| panic!("{name}?"));
        for used in arrows(&manifest) {
            assert!(allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
        seen.push(name);
    }
    assert_eq!(seen.len(), ARROWS.len());
    let bad: Table =
        "[dependencies]\na = { package = \"jomae-core\" }\n[target.x.dependencies]\njomae-sim = \"1\"".parse().unwrap();
    assert_eq!(arrows(&bad).into_iter().collect::<Vec<_>>(), ["jomae-core", "jomae-sim"]);
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let members = files().into_iter().filter(|file| file.ends_with("Cargo.toml") && !file.starts_with("fuzz/"));
    none(&members.filter(|file| file != "Cargo.toml" && !has_workspace_lints(&manifest(file))).collect::<Vec<_>>());
    assert_eq!(manifest("Cargo.toml")["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    assert!(!has_workspace_lints(&"[lints]\nworkspace = false".parse().unwrap()));
    // A crate's own clippy.toml replaces that of the workspace, which must therefore stand in it.
    let own = files().into_iter().filter(|file| file.starts_with("crates/") && file.ends_with("/clippy.toml"));
    for (file, name, value) in
        own.flat_map(|file| manifest("clippy.toml").into_iter().map(move |(k, v)| (file.clone(), k, v)))
    {
        assert_eq!(manifest(&file).get(&name), Some(&value), "{file}: {name}");
    }
}

#[test]
fn pure_crates_reach_nothing() {
    let pure = |file: &String| PURE.iter().any(|name| file.starts_with(&format!("crates/{name}/src/")));
    for file in product_sources().filter(pure) {
        let allowed: &[&str] = if file == MAY_ABORT { &["std::process"] } else { &[] };
        assert_eq!(impurities(&read(&file)), allowed, "{file}");
    }
    for name in PURE {
        assert!(!read(&format!("crates/{name}/Cargo.toml")).contains("tokio"), "{name}");
    }
    for bad in [
        "use std::fs;",
        "use std::{collections::{BTreeMap, btree_map::Entry}, net::TcpStream};",
        "fn f() { std::env::var(\"A\"); }",
        "mod a { use std::process; }",
        "fn f() { let t = std::time::SystemTime::now(); }",
        "fn f() { Instant::now() }",
        "fn f() { thread::sleep(d) }",
        "use tokio::sync::Mutex;",
        "#[cfg(test)] mod tests {} use std::os::unix;",
    ] {
        assert_eq!(impurities(bad).len(), 1, "{bad}");
    }
    let good = "//! std::fs\nuse std::{fmt, sync::{Arc, Mutex}}; const A: &str = \"std::fs\"; #[cfg(test)] mod t { use std::fs; }";
    none(&impurities(good));
}

#[test]
fn banned_crates_are_not_shipped() {
    let arguments = ["tree", "--locked", "--workspace", "--target", "all", "-e", "normal,build", "--prefix", "none"];
    let tree = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|line| line.starts_with("aws-lc-rs ")), "cargo tree shows nothing");
    let deny = manifest("deny.toml");
    none(&banned_crates(&deny, &tree));
    assert_eq!(banned_crates(&deny, "a v1\nring v0.17.0\nstring v1\nrsa v0.9.0 (*)"), ["ring", "rsa"]);
}

/// What an auditor must not need for the verifier of the audit log.
#[test]
fn the_verifier_of_the_log_builds_alone() {
    let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "-p", "jomae-log"];
    let tree = Command::new(env!("CARGO")).current_dir(root()).args(tree).output().unwrap();
    assert!(tree.status.success());
    let tree = String::from_utf8(tree.stdout).unwrap();
    let needed: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(needed.contains("jomae-crypto"), "{needed:?}");
    for crate_name in ["jomae-api", "jomae-core", "rusqlite", "hyper", "rustls", "tokio"] {
        assert!(!needed.contains(crate_name), "{crate_name}");
    }
}

#[test]
fn sources_are_short() {
    let lines = |file: &String| read(file).lines().count();
    let sources = rust_files().filter(|file| file.starts_with("crates/") && file.contains("/src/"));
    none(&sources.filter(|file| lines(file) > SOURCE_LINES_MAX).collect::<Vec<_>>());
}

#[test]
fn no_test_is_skipped_and_nothing_is_unsafe() {
    for file in rust_files().filter(|file| !file.starts_with("fuzz/")) {
        assert_eq!(skipped_or_unsafe(&read(&file)), [""; 0], "{file}");
    }
    for bad in ["#[test] #[ignore] fn f() {}", "#[ignore = \"slow\"] fn f() {}", "fn f() { unsafe { g() } }"] {
        assert_eq!(skipped_or_unsafe(bad).len(), 1, "{bad}");
    }
    none(&skipped_or_unsafe("#![forbid(unsafe_code)] // not unsafe\nconst A: &str = \"#[ignore]\"; fn ignore() {}"));
}

#[test]
fn secrets_cannot_be_shown_or_copied() {
    let mut found = BTreeSet::new();
    for file in product_sources() {
        for (name, has) in secret_types(&read(&file)) {
            assert_eq!(has, [""; 0], "{name} in {file}");
            found.insert(name);
        }
    }
    for name in
        ["SecretBytes", "SecretBase64", "Key256", "RootMaterial", "StreamKey", "Keyring", "DataKey", "PrivateKey"]
    {
        assert!(found.contains(name), "{name} is no longer seen");
    }
    for bad in [
        "struct A; #[derive(Clone)] pub struct SecretText(String);",
        "#[derive(Default, Debug)] #[repr(C)] pub(crate) struct Key256([u8; 32]);",
        "pub struct RootMaterial(u8); impl std::fmt::Debug for RootMaterial {}",
    ] {
        assert_eq!(secret_types(bad).values().flatten().count(), 1, "{bad}");
    }
    none(&secret_types("#[derive(Clone)] struct A {} /// Debug\n struct SecretText(String);")["SecretText"]);
}

#[test]
fn secrets_are_exposed_in_few_places() {
    let exposes = |source: &str| contains(&without_tests(&tokens(source)), ". expose (");
    let exposing: Vec<String> = product_sources().filter(|file| exposes(&read(file))).collect();
    let listed = |file: &String| MAY_EXPOSE.iter().any(|place| file.starts_with(place));
    none(&exposing.iter().filter(|file| !listed(file)).collect::<Vec<_>>());
    let used = |place: &&str| exposing.iter().any(|file| file.starts_with(place));
    let unused: Vec<&str> = MAY_EXPOSE.into_iter().filter(|place| !place.contains("-sim") && !used(place)).collect();
    none(&unused);
    assert!(
        exposes("fn f() { key.expose(); }")
            && !exposes("// key.expose()\n#[cfg(test)] mod t { fn f() { k.expose() } }")
    );
}

#[test]
fn actions_and_handlers_have_the_same_names() {
    let stems = |prefix: &str, groups: &[&str]| -> BTreeSet<String> {
        let inside = |file: &str| {
            let (group, name) = file.strip_prefix(prefix)?.strip_suffix(".rs")?.rsplit_once('/')?;
            (groups.contains(&group) && !SHARED_PARTS.contains(&name)).then(|| name.to_owned())
        };
        files().iter().filter_map(|file| inside(file)).collect()
    };
    let both = ["aliases", "crypto", "import", "keys", "sts", "tags", "trail", "versions"];
    let ram = ["access_keys", "groups", "logins", "mfa", "passkeys", "policies", "roles", "users"];
    let ram = ram.map(|group| format!("ram/{group}"));
    let ram: Vec<&str> = ram.iter().map(String::as_str).collect();
    let declared = stems("crates/jomae-api/src/actions/", &[&both[..], &ram, &["service"]].concat());
    let handled = stems("crates/jomae-core/src/", &[&both[..], &ram, &["account"]].concat());
    assert_eq!(declared, handled);
    let snake = |name: &str| {
        let chars: Vec<char> = name.chars().collect();
        let mut text = String::new();
        for (at, c) in chars.iter().enumerate() {
            // A word begins behind a small letter, and before one: VirtualMFADevice has three.
            let begins = at > 0
                && c.is_uppercase()
                && (chars[at - 1].is_lowercase() || chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
            if begins {
                text.push('_');
            }
            text.extend(c.to_lowercase());
        }
        text
    };
    let named: BTreeSet<String> = jomae_api::actions::ACTIONS.iter().map(|spec| snake(spec.name)).collect();
    assert_eq!(declared, named);
}

#[test]
fn files_are_small() {
    let too_large = |file: &String| fs::metadata(root().join(file)).unwrap().len() > FILE_BYTES_MAX;
    none(&files().into_iter().filter(too_large).collect::<Vec<_>>());
}

#[test]
fn every_fuzz_target_is_listed_and_has_seeds() {
    let manifest = manifest("fuzz/Cargo.toml");
    let listed: BTreeSet<String> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    let files = files();
    let under = |prefix: &str| -> BTreeSet<String> {
        let first = |file: &String| Some(file.strip_prefix(prefix)?.split(['/', '.']).next()?.to_owned());
        files.iter().filter_map(first).collect()
    };
    assert_eq!(under("fuzz/fuzz_targets/"), listed);
    assert_eq!(under("fuzz/seeds/"), listed);
}

/// What the document says is shown by a test is shown by one that there is, and every threat names one at least.
#[test]
fn every_test_that_security_names_exists() {
    const DOCUMENT: &str = "docs/security.md";
    let text = read(DOCUMENT);
    let named = named_in(DOCUMENT, &text);
    assert!(named.len() > 100, "{}", named.len());
    let there = |file: &str| root().join(file).is_file();
    none(
        &named
            .iter()
            .filter(|(name, file)| !there(file) || !tests_in(file, &read(file)).contains(name))
            .collect::<Vec<_>>(),
    );
    let threats = text.split_once("\n## Who gets what\n").unwrap().1.split_once("\n## ").unwrap().0;
    for threat in threats.split("\n### ").skip(1) {
        let title = threat.lines().next().unwrap();
        assert!(!named_in(DOCUMENT, threat).is_empty() || title == "Not protected against", "{title}: no test");
    }
    let rust = "fn a() {} #[test] fn b() {} #[tokio::test(flavor = \"x\")] async fn c() { fn d() {} } \
                proptest! { #[test] fn e(x in 0..1) {} } // #[test] fn f() {}";
    assert_eq!(tests_in("a.rs", rust).into_iter().collect::<Vec<_>>(), ["b", "c", "e"]);
    assert_eq!(tests_in("a.py", "def test_a(x):\n  pass\ndef other():\n").into_iter().collect::<Vec<_>>(), ["test_a"]);
    let links = "[`a`](../x/y.rs), [b](../c.rs), [`d e`](f.rs) and [`g`](h.py)";
    let pair = |(name, file): (&str, &str)| (name.to_owned(), file.to_owned());
    assert_eq!(named_in("docs/z.md", links), [("a", "x/y.rs"), ("g", "docs/h.py")].map(pair));
}

#[test]
fn scripts_can_be_run() {
    let executable = |file: &String| fs::metadata(root().join(file)).unwrap().permissions().mode() & 0o111 == 0o111;
    let script = |file: &String| file.starts_with("scripts/") || read(file).starts_with("#!/");
    let (good, bad): (Vec<String>, Vec<String>) = files().into_iter().filter(script).partition(executable);
    none(&bad);
    assert!(good.iter().any(|file| file == "scripts/test"));
}
