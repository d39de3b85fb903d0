//! A token of Kryoptic, in a directory of its own. The module is built by `scripts/setup-tests` (`tests/kryoptic`).

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::softhsm::PIN;

/// A directory with one token.
pub struct Token {
    dir: PathBuf,
    module: PathBuf,
}

impl Token {
    /// Makes a token with a label, for a test that is `<target>/<profile>/deps/<name>`.
    pub fn new(dir: &Path, label: &str) -> Self {
        let test = std::env::current_exe().expect("path of the test");
        let target = test.ancestors().nth(3).expect("a target directory");
        let module = target.join("tools/kryoptic/libkryoptic_pkcs11.so");
        assert!(module.exists(), "{} is missing: run scripts/setup-tests", module.display());
        let token = Self { dir: dir.to_owned(), module };
        let conf =
            format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", dir.join("token.sql").display());
        fs::create_dir_all(dir).and_then(|()| fs::write(token.conf(), conf)).expect("Kryoptic's configuration");
        token.tool(&["--init-token", "--slot", "1", "--label", label, "--so-pin", "so-98765"]);
        let security_officer = ["--login", "--login-type", "so", "--so-pin", "so-98765"];
        token.tool(&[&["--token-label", label, "--init-pin", "--pin", PIN], &security_officer[..]].concat());
        token
    }

    fn conf(&self) -> PathBuf {
        self.dir.join("kryoptic.conf")
    }

    fn tool(&self, args: &[&str]) {
        let mut command = Command::new("pkcs11-tool");
        command.arg("--module").arg(&self.module).args(args).envs(self.env());
        let done = command.output().expect("pkcs11-tool runs; scripts/setup-tests installs it");
        assert!(done.status.success(), "{done:?}");
    }

    /// The module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// What a process needs to find the token.
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        vec![("KRYOPTIC_CONF".into(), self.conf().into())]
    }
}
