//! People with key pairs of the tool `age` or of OpenSSH, the official ones: scripts/setup-tests installs them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::cli::{self, Ran};

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `age …`, or another program.
fn tool(program: &str, words: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(program);
    command.args(words);
    cli::run(command, input)
}

/// Somebody who has made a key pair.
pub struct Person {
    /// The file with the private key.
    pub identity: PathBuf,
    /// The public key, `age1…` or `ssh-ed25519 … comment`.
    pub recipient: String,
}

/// `ssh-keygen …`. `identity`: a file that is not there, for the private key. Gives the line with the public one.
pub fn ssh_key(identity: &Path, more: &[&str]) -> String {
    let words = ["-q", "-C", "somebody@jomae.test", "-f", word(identity)];
    tool("ssh-keygen", &[&words, more].concat(), b"").ok();
    fs::read_to_string(identity.with_added_extension("pub")).unwrap()
}

impl Person {
    /// By `age-keygen`. `identity`: a file that is not there.
    pub fn new(identity: PathBuf) -> Self {
        let made = tool("age-keygen", &["-o", word(&identity)], b"");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let recipient = tool("age-keygen", &["-y", word(&identity)], b"").ok().text().trim().to_owned();
        Self { identity, recipient }
    }

    /// By `ssh-keygen`, of the kind that is taken. `identity`: a file that is not there.
    pub fn with_ssh_key(identity: PathBuf) -> Self {
        let recipient = ssh_key(&identity, &["-t", "ed25519", "-N", ""]).trim().to_owned();
        Self { identity, recipient }
    }

    /// What is in a file that was encrypted to this person, by `age -d`.
    pub fn decrypt(&self, sealed: &Path) -> Ran {
        tool("age", &["-d", "-i", word(&self.identity), word(sealed)], b"")
    }

    /// Encrypts a file to this person, by `age`. `more`: more of its words.
    pub fn encrypt(&self, plain: &Path, sealed: &Path, more: &[&str]) {
        let public = self.identity.with_added_extension("recipients");
        fs::write(&public, &self.recipient).unwrap();
        tool("age", &[more, &["-R", word(&public), "-o", word(sealed), word(plain)]].concat(), &[]).ok();
        // As every file with a share is to be.
        fs::set_permissions(sealed, Permissions::from_mode(0o600)).unwrap();
    }
}
