"""Starts and stops the built server in a directory of its own."""

import os
import re
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30


class Server:
    """One `jomae serve` process over TLS on a free loopback port."""

    def __init__(self, directory):
        self.binary = Path(os.environ.get("JOMAE_BIN", REPOSITORY / "target/debug/jomae"))
        if not self.binary.is_file():
            raise RuntimeError(f"{self.binary} is missing: run `cargo build`, or set JOMAE_BIN")
        self.data = Path(directory) / "data"
        self.log = Path(directory) / "server.log"
        self.process = None
        self.settings = {}
        # A configuration file for the next start.
        self.config = None

    @property
    def endpoint(self):
        """Host and port, without the scheme."""
        return self.settings["JOMAE_ENDPOINT"].removeprefix("https://")

    @property
    def region(self):
        return self.settings["JOMAE_REGION"]

    @property
    def ca_file(self):
        return self.settings["JOMAE_CA_FILE"]

    @property
    def key_id(self):
        return self.settings["ALIBABA_CLOUD_ACCESS_KEY_ID"]

    @property
    def key_secret(self):
        return self.settings["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]

    def start(self):
        """Returns once /readyz answers 200. A second start keeps the port, so that clients go on working."""
        listen = self.endpoint if self.settings else "127.0.0.1:0"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("JOMAE_", "ALIBABA_CLOUD_"))}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    self.binary,
                    "serve",
                    "--data-dir",
                    self.data,
                    "--listen",
                    listen,
                    "--admin-listen",
                    "127.0.0.1:0",
                    *(["--config", self.config] if self.config else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        give_up_at = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < give_up_at:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode} while starting:\n{self.log_text()}")
            if self._ready():
                return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server was not ready after {READY_SECONDS_MAX} s:\n{self.log_text()}")

    def _ready(self):
        # After a restart the file may still hold the address of the old process, so it is read again each time.
        try:
            self.settings = read_env(self.data / "env")
            status, _ = self.admin("/readyz")
        except (OSError, KeyError):
            return False
        return status == 200

    def admin(self, path):
        """Status and text of a page of the admin listener."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.settings["JOMAE_ADMIN"] + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the server ran on {STOP_SECONDS_MAX} s after SIGTERM:\n{self.log_text()}") from None

    def kill(self):
        """SIGKILL: no chance to write anything more."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log_text(self):
        """The end of what the server printed."""
        return self.log.read_text(errors="replace")[-8000:] if self.log.exists() else "(no output)"


def read_env(path):
    """Reads the `export NAME=value` lines that an operator would source."""
    settings = {}
    for line in path.read_text().splitlines():
        match = re.fullmatch(r"export ([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
        if match:
            settings[match.group(1)] = "".join(shlex.split(match.group(2)))
    return settings
