//! Real etcd members for tests: on free ports of the loopback, in a temporary directory, killed when dropped.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// After this a member that does not serve has failed to start.
const START_MAX: Duration = Duration::from_secs(20);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pem {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "tests");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// The authority's own certificate, in PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// A certificate for a client, whose user is the common name, or for a server on the loopback.
    pub fn issue(&self, common_name: &str) -> Pem {
        self.issue_for(common_name, Duration::from_hours(24))
    }

    /// The same, for a time from now on.
    pub fn issue_for(&self, common_name: &str, time: Duration) -> Pem {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_after = (SystemTime::now() + time).into();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pem { certificate: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A cluster of members.
pub struct Etcd {
    directory: TempDir,
    members: Vec<Member>,
    authority: Option<Authority>,
}

struct Member {
    name: String,
    client_port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Etcd {
    /// One member, without TLS.
    pub fn start() -> Self {
        Self::cluster(1, None)
    }

    /// Members that want client certificates of one authority.
    pub fn start_tls(members: usize) -> Self {
        Self::cluster(members, Some(Authority::new()))
    }

    fn cluster(count: usize, authority: Option<Authority>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if let Some(authority) = &authority {
            let server = authority.issue("member");
            // Members come to each other, and the root user of the tests, with certificates too.
            for (name, pem) in [("server", server), ("root", authority.issue("root"))] {
                fs::write(directory.path().join(format!("{name}.pem")), pem.certificate).expect("written");
                fs::write(directory.path().join(format!("{name}.key")), pem.key).expect("written");
            }
            fs::write(directory.path().join("ca.pem"), authority.pem()).expect("written");
        }
        let ports = free_ports(2 * count);
        let scheme = if authority.is_some() { "https" } else { "http" };
        let peer = |n: usize| format!("{scheme}://127.0.0.1:{}", ports[2 * n + 1]);
        let cluster: Vec<String> = (0..count).map(|n| format!("n{n}={}", peer(n))).collect();
        let members = (0..count).map(|n| {
            let client = format!("{scheme}://127.0.0.1:{}", ports[2 * n]);
            let path = |name: &str| directory.path().join(name).display().to_string();
            let mut arguments = vec![
                ("--name", format!("n{n}")),
                ("--data-dir", path(&format!("data{n}"))),
                ("--listen-client-urls", client.clone()),
                ("--advertise-client-urls", client),
                ("--listen-peer-urls", peer(n)),
                ("--initial-advertise-peer-urls", peer(n)),
                ("--initial-cluster", cluster.join(",")),
                ("--heartbeat-interval", "50".to_owned()),
                ("--election-timeout", "500".to_owned()),
                ("--log-level", "warn".to_owned()),
            ];
            if authority.is_some() {
                for kind in ["", "peer-"] {
                    for (name, file) in
                        [("trusted-ca-file", "ca.pem"), ("cert-file", "server.pem"), ("key-file", "server.key")]
                    {
                        arguments.push((format!("--{kind}{name}").leak(), path(file)));
                    }
                    arguments.push((format!("--{kind}client-cert-auth").leak(), String::new()));
                }
            }
            let arguments = arguments
                .into_iter()
                .map(|(name, value)| if value.is_empty() { name.to_owned() } else { format!("{name}={value}") })
                .collect();
            Member { name: format!("n{n}"), client_port: ports[2 * n], arguments, process: None }
        });
        let members = members.collect();
        let mut etcd = Self { directory, members, authority };
        for n in 0..count {
            etcd.launch(n);
        }
        for n in 0..count {
            etcd.await_member(n);
        }
        etcd
    }

    fn scheme(&self) -> &'static str {
        if self.authority.is_some() { "https" } else { "http" }
    }

    /// Where each member listens for clients.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("{}://127.0.0.1:{}", self.scheme(), member.client_port)).collect()
    }

    /// The port on which a member listens for clients.
    pub fn client_port(&self, n: usize) -> u16 {
        self.members[n].client_port
    }

    /// Who has signed the members' certificates.
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("a cluster with TLS")
    }

    fn launch(&mut self, n: usize) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log(n)).expect("a log");
        let member = &mut self.members[n];
        let started = Command::new("etcd").args(&member.arguments).stdout(Stdio::null()).stderr(log).spawn();
        member.process = Some(started.expect("etcd starts; scripts/setup-tests installs it"));
    }

    fn log(&self, n: usize) -> PathBuf {
        self.directory.path().join(format!("log{n}"))
    }

    fn await_member(&mut self, n: usize) {
        let until = Instant::now() + START_MAX;
        let log = self.log(n);
        let member = &mut self.members[n];
        while TcpStream::connect(("127.0.0.1", member.client_port)).is_err() {
            let ended =
                member.process.as_mut().is_some_and(|process| process.try_wait().is_ok_and(|end| end.is_some()));
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(!ended && Instant::now() < until, "etcd {} does not serve: {}", member.name, said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills a member as a power cut does.
    pub fn kill(&mut self, n: usize) {
        if let Some(mut process) = self.members[n].process.take() {
            process.kill().expect("killed");
            process.wait().expect("gone");
        }
    }

    /// Starts a killed member again, on its data.
    pub fn restart(&mut self, n: usize) {
        self.launch(n);
        self.await_member(n);
    }

    /// Stops a member in its tracks; its sockets stay open.
    pub fn pause(&self, n: usize) {
        self.signal(n, "STOP");
    }

    /// Lets a stopped member go on.
    pub fn resume(&self, n: usize) {
        self.signal(n, "CONT");
    }

    fn signal(&self, n: usize, signal: &str) {
        let process = self.members[n].process.as_ref().expect("it runs");
        let status = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Which member leads.
    pub fn leader(&self) -> usize {
        let until = Instant::now() + START_MAX;
        loop {
            for n in 0..self.members.len() {
                let endpoint = self.endpoints()[n].clone();
                let status = self.control(&["--endpoints", &endpoint, "endpoint", "status", "-w", "fields"]);
                let field = |name: &str| {
                    let text = status.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\" : ")))?;
                    text.parse::<u64>().ok()
                };
                if field("Leader").is_some_and(|leader| leader != 0 && Some(leader) == field("MemberID")) {
                    return n;
                }
            }
            assert!(Instant::now() < until, "there is no leader");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs `etcdctl` as the root user and returns what it prints, whether or not it succeeds.
    pub fn control(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--command-timeout", "5s"]);
        if !arguments.contains(&"--endpoints") {
            command.args(["--endpoints", &self.endpoints().join(",")]);
        }
        if self.authority.is_some() {
            let path = |name: &str| self.directory.path().join(name);
            command.arg("--cacert").arg(path("ca.pem"));
            command.arg("--cert").arg(path("root.pem")).arg("--key").arg(path("root.key"));
        }
        let output = command.args(arguments).output().expect("etcdctl runs; scripts/setup-tests installs it");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// A further user by certificate, with the rights of that of [`enable_auth`](Self::enable_auth).
    pub fn add_user(&self, user: &str) {
        for step in [&["user", "add", user, "--no-password"][..], &["user", "grant-role", user, "store"]] {
            let said = self.control(step);
            assert!(!said.contains("Error"), "{step:?}: {said}");
        }
    }

    /// Turns authentication on, with a user by certificate who may use the keys of one prefix.
    pub fn enable_auth(&self, user: &str, prefix: &str) {
        let below = format!("{prefix}/");
        let steps: [&[&str]; 8] = [
            &["user", "add", "root", "--no-password"],
            &["role", "add", "root"],
            &["user", "grant-role", "root", "root"],
            &["role", "add", "store"],
            &["role", "grant-permission", "store", "readwrite", &below, "--prefix=true"],
            &["user", "add", user, "--no-password"],
            &["user", "grant-role", user, "store"],
            &["auth", "enable"],
        ];
        for step in steps {
            let said = self.control(step);
            assert!(!said.contains("Error"), "{step:?}: {said}");
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for n in 0..self.members.len() {
            self.kill(n);
        }
    }
}

/// Ports that were free a moment ago, all different.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}
