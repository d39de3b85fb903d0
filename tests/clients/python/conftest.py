"""Fixtures: a running server, and every official client pointed at it."""

import ipaddress
import importlib
import sys
import tempfile

import pytest

from clients import CLIENTS
from kms import Kms
from server import Server


def refuse_remote(event, arguments):
    """Nothing in these tests may leave the machine, whatever a client tries on its own."""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not ipaddress.ip_address(address[0]).is_loopback:
            raise RuntimeError(f"a test tried to reach {address}")
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
        raise RuntimeError(f"a test tried to look up {arguments[0]}")


sys.addaudithook(refuse_remote)


def pytest_addoption(parser):
    parser.addoption(
        "--clients",
        default=",".join(name for name in CLIENTS if name != "tea2-acs3"),
        help=f"comma-separated clients the behaviour tests run through, of: {', '.join(CLIENTS)}",
    )


def pytest_generate_tests(metafunc):
    if "kms" in metafunc.fixturenames:
        names = metafunc.config.getoption("--clients").split(",")
        unknown = [name for name in names if name not in CLIENTS]
        if unknown:
            raise pytest.UsageError(f"no such client: {unknown}")
        metafunc.parametrize("kms", names, indirect=True, scope="session")


def make_client(name, server, key_id=None, key_secret=None):
    """The adapter `name`, by default with the server's first access key."""
    module, options = CLIENTS[name]
    return importlib.import_module(module).Client(
        server.endpoint,
        server.region,
        server.ca_file,
        key_id or server.key_id,
        key_secret or server.key_secret,
        **options,
    )


@pytest.fixture(scope="session")
def make():
    """make(client_name, server, key_id=None, key_secret=None) -> adapter."""
    return make_client


@pytest.fixture(scope="session")
def server():
    """One server for all tests that do not stop it."""
    with tempfile.TemporaryDirectory(prefix="jomae-test-") as directory:
        server = Server(directory)
        try:
            yield server.start()
            _, metrics = server.admin("/metrics")
            assert "jomae_faults_total 0\n" in metrics, f"the server answered with a fault of its own:\n{server.log_text()}"
            assert server.stop() == 0, f"SIGTERM must end the server with 0:\n{server.log_text()}"
        finally:
            server.kill()


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may stop, kill and start again."""
    server = Server(tmp_path)
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def kms(request, server):
    """The service as one official client shows it; the test runs once for each client."""
    return Kms(request.param, server, make_client)


@pytest.fixture
def key(kms):
    """The id of a new symmetric key."""
    return kms.create_key()
