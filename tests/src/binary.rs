//! The binary under test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The built `jomae`: the one that `JOMAE_BIN` names, or one that is built now in the profile of this test.
pub fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("JOMAE_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // This test is <target>/<profile>/deps/<name>.
    let test = env::current_exe().expect("path of the test");
    let profile_dir = test.ancestors().nth(2).expect("a target directory").to_owned();
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => panic!("no profile in {}", test.display()),
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", "jomae", "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be run");
    assert!(built.success(), "jomae does not build");
    let binary = profile_dir.join("jomae");
    assert!(binary.is_file(), "{} is missing", binary.display());
    binary
}

/// The binary with nothing of the surrounding shell that could point it at another service.
pub fn command() -> Command {
    without_settings(Command::new(path()))
}

/// Takes the settings of any Jomae out of a command's environment.
pub fn without_settings(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        let ours = |prefix: &str| name.to_string_lossy().starts_with(prefix);
        if ours("JOMAE_") || ours("ALIBABA_CLOUD_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The library of the Debian package libfaketime, in the directory of whichever architecture this is.
pub fn faketime() -> String {
    let dirs = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = dirs.map(|dir| dir.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("libfaketime is missing: scripts/setup-tests installs it").to_str().unwrap().to_owned()
}
