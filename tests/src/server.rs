//! The real server in a directory of its own.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use jomae_client::api::{Client, Settings};
use jomae_crypto::secret::SecretBytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, cli::Ran};

/// Time for a start or a stop before a test gives up. Generous: it never decides between right and wrong.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(3);

/// A directory for one data directory and all that is around it.
pub struct Site {
    root: TempDir,
    starts: AtomicU32,
}

impl Default for Site {
    fn default() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory"), starts: AtomicU32::new(0) }
    }
}

impl Site {
    /// The data directory; the first start makes it.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path beside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file beside the data directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file in the temporary directory");
        path
    }

    /// A server with the defaults, ready.
    pub fn start(&self) -> Server {
        self.launch().start()
    }

    /// A start with settings of its own.
    pub fn launch(&self) -> Launch<'_> {
        Launch {
            site: self,
            data: self.data(),
            listen: "127.0.0.1:0".into(),
            admin_listen: "127.0.0.1:0".into(),
            config: None,
            variables: Vec::new(),
            before: None,
            flags: Vec::new(),
        }
    }
}

/// How a server is started.
#[must_use]
pub struct Launch<'s> {
    site: &'s Site,
    data: PathBuf,
    listen: String,
    admin_listen: String,
    config: Option<PathBuf>,
    variables: Vec<(String, String)>,
    before: Option<String>,
    flags: Vec<&'static str>,
}

impl Launch<'_> {
    /// With this configuration (TOML).
    pub fn config(mut self, toml: &str) -> Self {
        self.config = Some(self.site.write("jomae.toml", toml));
        self
    }

    /// With the configuration file at a path, which need not be there.
    pub fn config_at(mut self, path: &Path) -> Self {
        self.config = Some(path.to_owned());
        self
    }

    /// With another data directory.
    pub fn data(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.data);
        self
    }

    /// On this address, or a name and a port.
    pub fn listen(mut self, address: impl Display) -> Self {
        self.listen = address.to_string();
        self
    }

    /// With the admin listener on this address.
    pub fn admin_listen(mut self, address: SocketAddr) -> Self {
        self.admin_listen = address.to_string();
        self
    }

    /// With a variable in its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a flag of the command line.
    pub fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push(flag);
        self
    }

    /// After these commands of a shell, in its process: limits and ignored signals are inherited.
    pub fn after(mut self, shell: &str) -> Self {
        self.before = Some(shell.to_owned());
        self
    }

    fn spawn(&self) -> (Child, PathBuf, PathBuf) {
        let start = self.site.starts.fetch_add(1, Ordering::Relaxed);
        let mut command = match &self.before {
            None => Command::new(binary::path()),
            Some(shell) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\"")]).arg(binary::path());
                command
            }
        };
        command.arg("serve").arg("--data-dir").arg(&self.data);
        command.args(["--listen", &self.listen, "--admin-listen", &self.admin_listen]);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.args(&self.flags);
        let mut command = binary::without_settings(command);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = |name: &str| {
            let path = self.site.path(&format!("{name}-{start}"));
            (File::create(&path).expect("a file for the output"), path)
        };
        let ((stdout, stdout_path), (stderr, stderr_path)) = (output("stdout"), output("stderr"));
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().expect("jomae can be run");
        (child, stdout_path, stderr_path)
    }

    /// Starts, and returns as soon as the server is ready.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|ran| panic!("the server does not start: {}", ran.stderr))
    }

    /// Starts, and returns as soon as the server is ready or has given up.
    pub fn try_start(self) -> Result<Server, Ran> {
        let (child, stdout, stderr) = self.spawn();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let data = self.data.clone();
        let mut server = Server { child, data, stdout, stderr, listening: nowhere, admin: nowhere, settings: None };
        let announced = server.wait_for("to say where it listens", |server| {
            let text = server.stdout();
            let Some((_, announced)) = text.split_once("Jomae serves https://") else { return false };
            let Some((line, _)) = announced.split_once('\n') else { return false };
            let (listening, rest) = line.split_once(' ').expect("an address");
            let (_, admin) = rest.split_once("admin http://").expect("an admin address");
            server.listening = listening.parse().expect("an address");
            // In JSON the line goes on.
            let admin = admin.split('"').next().unwrap_or_default();
            server.admin = admin.parse().expect("an address");
            true
        });
        announced?;
        server.wait_for("to be ready", |server| server.page("/readyz").is_some_and(|(status, _)| status == 200))?;
        server.settings = read_env(&self.data.join("env"));
        Ok(server)
    }

    /// Starts, and does not wait for anything.
    pub fn begin(self) -> Child {
        self.spawn().0
    }

    /// Starts, and kills it after a while, wherever it is then.
    pub fn start_and_kill_after(self, time: Duration) {
        let (mut child, ..) = self.spawn();
        thread::sleep(time);
        let _ = child.kill();
        child.wait().expect("the killed server");
    }

    /// Starts, and waits for the server to give up.
    #[track_caller]
    pub fn fails(self) -> Ran {
        match self.try_start() {
            Ok(server) => panic!("the server runs, although it must not: {}", server.stdout()),
            Err(ran) => ran,
        }
    }
}

/// Waits until the process ends.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("the state of the server") {
            return Some(status);
        }
        thread::sleep(POLL);
    }
    None
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The `export` lines of the file for the operator's shell, read by a shell.
pub fn read_env(path: &Path) -> Option<BTreeMap<String, String>> {
    if !path.exists() {
        return None;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", ". \"$1\" && env -0", "sh"]).arg(path).env_clear();
    shell.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = shell.output().expect("a shell");
    assert!(output.status.success(), "{} cannot be sourced", path.display());
    let text = String::from_utf8(output.stdout).expect("text");
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(name, _)| name.starts_with("JOMAE_") || name.starts_with("ALIBABA_CLOUD_"));
    Some(ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    pub data: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
    pub listening: SocketAddr,
    pub admin: SocketAddr,
    /// What `DIR/env` says; none if it is not there.
    pub settings: Option<BTreeMap<String, String>>,
}

impl Server {
    /// Waits for something. An error is how the server ended meanwhile.
    fn wait_for(&mut self, what: &str, mut ready: impl FnMut(&mut Self) -> bool) -> Result<(), Ran> {
        let began = Instant::now();
        while !ready(self) {
            if let Some(status) = self.child.try_wait().expect("the state of the server") {
                let stdout = fs::read(&self.stdout).unwrap_or_default();
                return Err(Ran { code: status.code(), stdout, stderr: self.stderr() });
            }
            assert!(began.elapsed() < PATIENCE, "the server takes too long {what}:\n{}", self.stderr());
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// A line of `DIR/env`.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.as_ref().and_then(|settings| settings.get(name)).map(String::as_str).expect("a setting")
    }

    /// Settings for a client at the server's present address.
    pub fn client_settings(&self) -> Settings {
        Settings {
            endpoint: format!("https://{}", self.listening),
            ca_file: Some(self.setting("JOMAE_CA_FILE").to_owned()),
            region: self.setting("JOMAE_REGION").to_owned(),
            access_key_id: self.setting("ALIBABA_CLOUD_ACCESS_KEY_ID").to_owned(),
            access_key_secret: SecretBytes::new(self.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").into()),
            security_token: None,
        }
    }

    /// A new client with connections of its own.
    pub fn client(&self) -> Client {
        Client::new(self.client_settings()).expect("a client")
    }

    /// Runs the command line with the settings of `DIR/env`.
    pub fn jomae(&self, words: &[&str]) -> Ran {
        self.jomae_with(words, b"")
    }

    /// The same, with a standard input.
    pub fn jomae_with(&self, words: &[&str], input: &[u8]) -> Ran {
        let mut command = binary::command();
        command.args(words).envs(self.settings.iter().flatten());
        command.env("JOMAE_ENDPOINT", format!("https://{}", self.listening));
        crate::cli::run(command, input)
    }

    /// A page of the admin listener: status and text. `None` if nobody answers.
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What the kernel tells of the process under `/proc`.
    pub fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid().as_raw_nonzero())).expect("a file of /proc")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server can be signalled");
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of the server").is_none()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("the killed server");
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for the end; the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let status = wait(&mut self.child).unwrap_or_else(|| panic!("the server does not stop:\n{}", self.stderr()));
        status.code()
    }

    /// Waits until the operator's log has a text.
    pub fn wait_for_log(&mut self, text: &str) {
        let logged = self.wait_for(&format!("to log `{text}`"), |server| server.stderr().contains(text));
        logged.unwrap_or_else(|ran| panic!("the server ended: {}", ran.stderr));
    }

    /// What it wrote to standard output.
    pub fn stdout(&self) -> String {
        read_text(&self.stdout)
    }

    /// What it wrote to standard error: its log.
    pub fn stderr(&self) -> String {
        read_text(&self.stderr)
    }

    /// The events of the audit log so far, whole lines only.
    pub fn audit(&self) -> Vec<Value> {
        audit_events(&self.data)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of the audit log in a data directory, oldest first. A last line without its end is left out.
pub fn audit_events(data: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("audit"))
        .expect("an audit log")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let mut events = Vec::new();
    for file in files {
        let text = fs::read(file).expect("an audit file");
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            events.push(serde_json::from_slice(line).expect("an event is JSON"));
        }
    }
    events
}
