"""A cluster on one machine: etcd members, nodes and clients, each in a network namespace of its own, on one bridge.

Everything that a fault needs is a method here: processes that are killed or stopped, packets that are dropped in one
direction, clocks that jump, disks that are full or slow, certificates that expire. Needs root.
"""

import ctypes
import datetime
import glob
import ipaddress
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEASE_SECS = 5
READY_SECS_MAX = 60
PREFIX = "jcl"
CLONE_NEWNET = 0x40000000
# The bridge joins nothing but these namespaces, so that runs may share addresses.
NETWORK = "10.77.0"
CLIENT = f"{NETWORK}.31"
DISK_BYTES = 2 << 30


def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def until(condition, what, secs=READY_SECS_MAX):
    """Gives how long it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > secs:
            raise RuntimeError(f"{what}: not within {secs} s")
        time.sleep(0.05)
    return time.monotonic() - began


class Authority:
    """The one certificate authority of a lab."""

    def __init__(self, directory):
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
        self.file = directory / "ca.pem"
        self.file.write_bytes(pem(self._certificate(self.name, self.key.public_key(), 86400, authority=True)))

    def _certificate(self, subject, public, secs, authority=False, address=None):
        # Valid from yesterday, for the nodes whose clock goes back.
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(seconds=secs))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            names = [x509.IPAddress(ipaddress.ip_address(address))]
            made = made.add_extension(x509.ExtendedKeyUsage(uses), False)
            made = made.add_extension(x509.SubjectAlternativeName(names), False)
        return made.sign(self.key, hashes.SHA256())

    def issue(self, name, address, secs=86400):
        """NAME.pem and NAME.key, for servers and clients alike. Each is replaced in one step, the key first."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        files = {".key": private, ".pem": pem(self._certificate(subject, key.public_key(), secs, address=address))}
        for ending, content in files.items():
            new = self.directory / f"{name}{ending}.new"
            new.write_bytes(content)
            new.chmod(0o600)
            new.rename(self.directory / f"{name}{ending}")
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Host:
    """A namespace with one address and at most one process."""

    def __init__(self, lab, name, number):
        self.lab, self.name, self.address = lab, name, f"{NETWORK}.{number}"
        self.namespace = f"{lab.id}-{name}"
        self.directory = lab.directory / name
        self.directory.mkdir()
        self.log = self.directory / "log"
        self.process = None
        run("ip", "netns", "add", self.namespace)
        run("ip", "-n", lab.bridge, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "-n", lab.bridge, "link", "set", name, "master", "bridge", "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self.namespace, "link", "set", device, "up")

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, command)]

    def launch(self, *command, environment=None):
        """The process ends with the thread that starts it, so only the main thread does."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.inside(*command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": os.environ["PATH"]} | (environment or {}),
            )

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.alive:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        if self.alive:
            self.signal(signal.SIGCONT)

    def refuse_from(self, other):
        """Drops what comes from the other host: one direction of a cut."""
        run(*self.inside("iptables", "-w", "-A", "INPUT", "-s", other.address, "-j", "DROP"))

    def reset_connections_to(self, others, secs):
        """Breaks every connection to them at once."""
        rules = [["OUTPUT", "-p", "tcp", "-d", other.address, "-j", "REJECT", "--reject-with", "tcp-reset"] for other in others]
        for rule in rules:
            run(*self.inside("iptables", "-w", "-A", *rule))
        time.sleep(secs)
        for rule in rules:
            run(*self.inside("iptables", "-w", "-D", *rule))

    def join_again(self):
        run(*self.inside("iptables", "-w", "-F"))

    def cpu_secs(self):
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_text(self):
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else "(no output)"


class Member(Host):
    """One member of etcd, with TLS and client certificates."""

    def __init__(self, lab, name, number):
        super().__init__(lab, name, number)
        self.certificate, self.key = lab.authority.issue(name, self.address)
        self.data = self.directory / "data"
        self.slowed = None

    @property
    def client_url(self):
        return f"https://{self.address}:2379"

    @property
    def peer_url(self):
        return f"https://{self.address}:2380"

    def start(self, state="new", members=None):
        cluster = ",".join(f"{member.name}={member.peer_url}" for member in members or self.lab.members)
        self.launch(
            "etcd", "--name", self.name, "--data-dir", self.data, "--logger", "zap",
            "--heartbeat-interval", 100, "--election-timeout", 1000,
            "--listen-client-urls", self.client_url, "--advertise-client-urls", self.client_url,
            "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
            "--initial-cluster", cluster, "--initial-cluster-state", state, "--initial-cluster-token", self.lab.id,
            "--cert-file", self.certificate, "--key-file", self.key,
            "--client-cert-auth", "--trusted-ca-file", self.lab.authority.file,
            "--peer-cert-file", self.certificate, "--peer-key-file", self.key,
            "--peer-client-cert-auth", "--peer-trusted-ca-file", self.lab.authority.file,
        )  # fmt: skip

    def restart(self):
        self.start("existing")

    def slow_disk(self, secs):
        """Each sync takes this much longer. etcd makes its system calls without libc: only a tracer gets between."""
        delay = f"inject=fsync,fdatasync:delay_enter={int(secs * 1e6)}"
        command = ["strace", "-f", "-qq", "-p", str(self.process.pid), "-e", "trace=fsync,fdatasync", "-e", delay]
        self.slowed = subprocess.Popen([*command, "-o", "/dev/null"], stdin=subprocess.DEVNULL, start_new_session=True)

    def fast_disk(self):
        if self.slowed is not None:
            self.slowed.terminate()
            self.slowed.wait()
            self.slowed = None

    def lose_disk(self):
        """The member comes back with an empty disk, as a new member of the same name."""
        self.kill()
        shutil.rmtree(self.data)
        # The others may have to elect a leader first. What timed out may have been done all the same.
        until(lambda: self.number() is None or self._change("remove", self.number()), f"{self.name} is removed")

    def rejoin(self):
        # Right after a removal etcd may say that the rest is not healthy enough yet.
        until(lambda: self.number() or self._change("add", self.name, f"--peer-urls={self.peer_url}"), f"{self.name} is added")
        self.restart()

    @property
    def others(self):
        return [member for member in self.lab.members if member is not self]

    def number(self):
        """The id by which the other members know this one; None if they do not."""
        rows = json.loads(self.lab.etcdctl("member", "list", "-w", "json", through=self.others))["members"]
        # A member that was added and has not started yet has no name.
        return next((f"{row['ID']:x}" for row in rows if self.peer_url in row["peerURLs"]), None)

    def _change(self, *words):
        return self.lab.etcdctl_says("member", *words, through=self.others)


class Node(Host):
    """One `jomae serve`, with its data directory on a disk that can be filled."""

    def __init__(self, lab, name, number):
        super().__init__(lab, name, number)
        self.data = self.directory / "data"
        self.data.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", self.data)
        self.certificate, self.key = lab.authority.issue(name, self.address)
        self.renew_etcd_certificate()
        self.config = self.directory / "jomae.toml"
        self.config.write_text(node_config(self))
        self.clock = self.directory / "clock"
        self.set_clock(0)

    @property
    def endpoint(self):
        return f"{self.address}:8443"

    def start(self):
        environment = {}
        if self.lab.clocks:
            environment = {
                "LD_PRELOAD": faketime_library(),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
                # A lease is counted by the clock that no operator can set; a wrong date must not touch it.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self.launch(self.lab.binary, "serve", "--config", self.config, environment=environment)

    restart = start

    def renew_etcd_certificate(self, secs=86400):
        """The certificate by which etcd knows the node; clients see another one."""
        self.etcd_certificate, self.etcd_key = self.lab.authority.issue(f"{self.name}-etcd", self.address, secs)

    def reload(self):
        """Certificates and configuration are read again."""
        if self.alive:
            self.signal(signal.SIGHUP)

    def admin(self, path):
        """Status and text of a page of the admin listener; None if there is no answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://{self.address}:8444{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def ready(self):
        return self.admin("/readyz")[0] == 200

    def set_clock(self, secs):
        """Seconds that the date of this node is wrong from now on."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{secs:+}\n")
        new.rename(self.clock)

    def fill_disk(self):
        used = shutil.disk_usage(self.data).used
        run("mount", "-o", f"remount,size={used}", self.data)

    def free_disk(self):
        run("mount", "-o", f"remount,size={DISK_BYTES}", self.data)

    def stop(self):
        """SIGTERM; gives the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return "no end within 60 s"

    def verify_audit_log(self):
        """What `jomae audit verify` finds wrong with the log; nothing if it is whole."""
        log = self.audit_log()
        command = [self.lab.binary, "audit", "verify", "--log", log, "--key", log / "key.pub"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        return done.stdout + done.stderr if done.returncode else ""

    def audit_log(self):
        return self.data / "audit"

    def settings(self):
        """What the node wrote for its first caller."""
        lines = re.findall(r"^export (\w+)=(.*)$", (self.data / "env").read_text(), re.MULTILINE)
        return {name: "".join(shlex.split(value)) for name, value in lines}


def node_config(node):
    """The configuration of a node: the one place that knows the names of settings."""
    lab = node.lab
    text = f"""
data_dir = "{node.data}"
listen = "{node.endpoint}"
admin_listen = "{node.address}:8444"

[tls]
cert_file = "{node.certificate}"
key_file = "{node.key}"

[audit]
# The suite looks for each answered call in the log, after kills too.
durability = "{lab.durability}"
compress_closed = false
"""
    if lab.members:
        endpoints = json.dumps([member.client_url for member in lab.members])
        text += f"""
[store]
kind = "etcd"
endpoints = {endpoints}
prefix = "jomae"
ca_file = "{lab.authority.file}"
cert_file = "{node.etcd_certificate}"
key_file = "{node.etcd_key}"

[cluster]
node = "{node.name}"
listen = "{node.address}:8445"
lease_secs = {LEASE_SECS}
"""
    return text


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        raise RuntimeError("libfaketime is missing: scripts/setup-tests installs it")
    return found[0]


class Lab:
    """Use as a context: whatever happens in it, nothing of it is left behind but, if asked, its directory."""

    def __init__(self, binary, nodes=3, members=3, clocks=True, durability="strict"):
        remove_left_behind()
        self.id = f"{PREFIX}{os.getpid()}"
        self.binary, self.clocks, self.durability = Path(binary).resolve(), clocks, durability
        self.keep = False
        self.directory = Path(tempfile.mkdtemp(prefix=f"jomae-{self.id}-"))
        self.bridge = f"{self.id}-bridge"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.hosts, self.members, self.nodes = [], [], []
        try:
            self._build(nodes, members)
        except BaseException:
            self.close()
            raise

    def _build(self, nodes, members):
        run("ip", "netns", "add", self.bridge)
        run("ip", "-n", self.bridge, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.bridge, "link", "set", "bridge", "up")
        self.authority = Authority(self.directory)
        self.client = self._host(Host, "c1", 31)
        self.client_certificate, self.client_key = self.authority.issue("c1", CLIENT)
        # From here on this process and its threads are in the clients' namespace.
        with open(f"/run/netns/{self.client.namespace}") as namespace:
            enter(namespace.fileno())
        self.members += [self._host(Member, f"e{number}", 10 + number) for number in range(1, members + 1)]
        for member in self.members:
            member.start()
        if self.members:
            until(lambda: self.etcdctl_says("endpoint", "health"), "etcd is healthy")
        for number in range(1, nodes + 1):
            self.nodes.append(self._host(Node, f"n{number}", 20 + number))

    def _host(self, kind, name, number):
        host = kind(self, name, number)
        self.hosts.append(host)
        return host

    def start_nodes(self):
        """The first node makes the store and the root key, which the others get."""
        first, *others = self.nodes
        first.start()
        self.wait_ready([first])
        for node in others:
            shutil.copy2(first.data / "root.key", node.data / "root.key")
            node.start()
        self.wait_ready(others)
        settings = first.settings()
        self.region = settings["JOMAE_REGION"]
        self.root = settings["ALIBABA_CLOUD_ACCESS_KEY_ID"], settings["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]

    def wait_ready(self, nodes=None, secs=READY_SECS_MAX):
        """Gives how long it took until all of them were ready, and every member of etcd answered."""
        began = time.monotonic()
        until(lambda: len(self.etcd_status()) == len(self.members), "every member of etcd answers", secs)
        for node in nodes or self.nodes:
            try:
                until(lambda: not node.alive or node.ready(), f"{node.name} is ready", secs)
            except RuntimeError as error:
                raise RuntimeError(f"{error}; the end of its log:\n{node.log_text()}") from None
            if not node.alive:
                raise RuntimeError(f"{node.name} ended with {node.process.returncode}:\n{node.log_text()}")
        return time.monotonic() - began

    def etcdctl(self, *words, through=None):
        endpoints = ",".join(member.client_url for member in through or self.members)
        options = [f"--endpoints={endpoints}", f"--cacert={self.authority.file}", "--dial-timeout=2s", "--command-timeout=5s"]
        options += [f"--cert={self.client_certificate}", f"--key={self.client_key}"]
        return run("etcdctl", *options, *words, env={"PATH": os.environ["PATH"], "ETCDCTL_API": "3"})

    def etcdctl_says(self, *words, **options):
        """Whether the command went well."""
        try:
            self.etcdctl(*words, **options)
            return True
        except (RuntimeError, subprocess.TimeoutExpired):
            return False

    def etcd_status(self):
        """For each member that answers, what it says of itself."""
        status = {}
        for member in self.members:
            try:
                [row] = json.loads(self.etcdctl("endpoint", "status", "-w", "json", "--command-timeout=2s", through=[member]))
                status[member] = row["Status"]
            except (RuntimeError, ValueError, subprocess.TimeoutExpired):
                continue
        return status

    def leader(self):
        """The leader of etcd; waits for an election to end."""
        found = []

        def look():
            status = self.etcd_status()
            found[:] = [member for member, row in status.items() if row.get("leader") == row["header"]["member_id"]]
            return len(found) == 1

        until(look, "etcd has one leader")
        return found[0]

    def cut(self, some, others, answers_only=False):
        """Nothing passes between them; with `answers_only`, only what `others` send is lost."""
        for host in some:
            for other in others:
                host.refuse_from(other)
                if not answers_only:
                    other.refuse_from(host)

    def heal(self):
        """Ends every fault that a schedule may have left when it was broken off."""
        for host in self.hosts:
            host.join_again()
            host.resume()
        for member in self.members:
            member.fast_disk()
        for node in self.nodes:
            node.set_clock(0)
            node.free_disk()
        for host in (*self.members, *self.nodes):
            if not host.alive:
                host.restart()

    def close(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        for host in self.hosts:
            if isinstance(host, Member):
                host.fast_disk()
            host.kill()
        for node in self.nodes:
            # The data directory goes with its mount.
            if self.keep and node.audit_log().is_dir():
                shutil.copytree(node.audit_log(), node.directory / "audit", dirs_exist_ok=True)
        enter(self.home)
        os.close(self.home)
        remove(self.id, self.directory)
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def enter(namespace):
    """Moves this thread, and those that it starts, into the namespace behind the descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def remove(run_id, directory):
    """Takes away the mounts and namespaces of a run."""
    for line in Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{directory}/"):
            run("umount", "--lazy", place, check=False)
    for name in namespaces():
        if name.startswith(f"{run_id}-"):
            run("ip", "netns", "del", name, check=False)


def remove_left_behind():
    """Of runs that were killed themselves; their processes have ended with them."""
    for name in namespaces():
        number = re.fullmatch(rf"{PREFIX}(\d+)-\w+", name)
        if number and not Path(f"/proc/{number[1]}").exists():
            run_id = f"{PREFIX}{number[1]}"
            for directory in glob.glob(f"{tempfile.gettempdir()}/jomae-{run_id}-*"):
                remove(run_id, directory)
            remove(run_id, "/nonexistent")


def namespaces():
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()]
