//! Tokens of SoftHSM, each in a directory of its own, and a module between them and the worker that misbehaves on demand.
//! SoftHSM is Debian's `softhsm2` (`scripts/setup-tests`).

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Debian's SoftHSM.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The PIN of every token here.
pub const PIN: &str = "2468-correct";
const FAULT_MODULE: &str = include_str!("fault_module.c");

/// A directory with tokens.
pub struct Tokens {
    dir: PathBuf,
}

impl Tokens {
    /// No token yet.
    pub fn new(dir: &Path) -> Self {
        let tokens = Self { dir: dir.to_owned() };
        fs::create_dir_all(dir.join("tokens")).expect("a directory for tokens");
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            dir.join("tokens").display()
        );
        fs::write(tokens.conf(), conf).expect("SoftHSM's configuration");
        fs::write(tokens.fault_file(), "").expect("the file of the fault module");
        fs::write(tokens.pin_file(), format!("{PIN}\n")).expect("the file with the PIN");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(tokens.pin_file(), mode).expect("a private file");
        tokens
    }

    fn conf(&self) -> PathBuf {
        self.dir.join("softhsm2.conf")
    }

    fn fault_file(&self) -> PathBuf {
        self.dir.join("fault")
    }

    /// A file with the PIN, private.
    pub fn pin_file(&self) -> PathBuf {
        self.dir.join("pin")
    }

    /// What a process needs to find these tokens.
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        vec![("SOFTHSM2_CONF".into(), self.conf().into()), ("JOMAE_FAULT".into(), self.fault_file().into())]
    }

    /// Makes a token.
    pub fn add(&self, label: &str) {
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--so-pin", "so-9876", "--pin", PIN])
            .env("SOFTHSM2_CONF", self.conf())
            .output()
            .expect("softhsm2-util runs; scripts/setup-tests installs it");
        assert!(made.status.success(), "{made:?}");
    }

    /// Takes all tokens away; what is given back by [`Tokens::put_back`].
    pub fn take_away(&self) {
        fs::rename(self.dir.join("tokens"), self.dir.join("away")).expect("tokens to take away");
        fs::create_dir(self.dir.join("tokens")).expect("an empty directory");
    }

    /// Puts the tokens back that were taken away, in place of those made since.
    pub fn put_back(&self) {
        fs::remove_dir_all(self.dir.join("tokens")).expect("tokens to remove");
        fs::rename(self.dir.join("away"), self.dir.join("tokens")).expect("tokens to put back");
    }

    /// The module that misbehaves, built now.
    pub fn fault_module(&self) -> PathBuf {
        let (source, module) = (self.dir.join("fault.c"), self.dir.join("fault.so"));
        fs::write(&source, FAULT_MODULE).expect("the source");
        let built = Command::new("gcc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", &format!("-DSOFTHSM=\"{MODULE}\""), "-o"])
            .args([&module, &source])
            .arg("-ldl")
            .output()
            .expect("gcc runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        module
    }

    /// From now on it misbehaves so: `crash Sign`, `hang Encrypt` … Empty: not at all.
    pub fn misbehave(&self, how: &str) {
        let new = self.dir.join("fault.new");
        fs::write(&new, how).and_then(|()| fs::rename(new, self.fault_file())).expect("the file of the fault module");
    }

    /// How often somebody has tried to log in.
    pub fn logins(&self) -> usize {
        self.noted("logins")
    }

    /// How many of these logins the token has judged: what went before it did not cut them off.
    pub fn judged_logins(&self) -> usize {
        self.noted("judged")
    }

    fn noted(&self, what: &str) -> usize {
        fs::read_to_string(self.dir.join("fault").with_extension(what)).map_or(0, |text| text.lines().count())
    }

    /// Whether every token is whole: a login that is cut off leaves an empty file.
    pub fn are_whole(&self) -> bool {
        let tokens: Vec<_> = fs::read_dir(self.dir.join("tokens")).expect("tokens").flatten().collect();
        let is_whole =
            |dir: &fs::DirEntry| fs::metadata(dir.path().join("token.object")).is_ok_and(|file| file.len() > 0);
        !tokens.is_empty() && tokens.iter().all(is_whole)
    }
}
