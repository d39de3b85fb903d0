"""What official clients see of a rate limit, and on what they wait and try again."""

import json
import tempfile
import time
from pathlib import Path

import pytest

from clients import CLIENTS
from kms_error import KmsError
from server import Server

# The codes on which the vendor's clients of KMS wait and try again; on no other.
BACK_OFF = {"Rejected.Throttling", "ServiceUnavailableTemporary", "InternalFailure"}


@pytest.fixture(scope="module")
def slow_server():
    with tempfile.TemporaryDirectory(prefix="jomae-test-") as directory:
        server = Server(directory)
        server.config = Path(directory) / "jomae.toml"
        server.config.write_text("[limits]\nmanagement_per_sec = 2\n")
        try:
            yield server.start()
        finally:
            server.stop()


def throttled(client, action="DescribeRegions"):
    for _ in range(20):
        try:
            client.call(action, {})
        except KmsError as error:
            return error
    raise AssertionError("no limit")


@pytest.mark.parametrize("name", [name for name in CLIENTS if name != "tea2-acs3"])
def test_kms_says_what_its_clients_wait_for(slow_server, make, name):
    client = make(name, slow_server)
    error = throttled(client)
    assert error.code in BACK_OFF
    assert (error.code, error.status) == ("Rejected.Throttling", 429), str(error)
    assert "QPS Limit Exceeded" in error.message
    time.sleep(1)
    client.call("DescribeRegions", {})


def test_the_wait_is_told_and_is_enough(slow_server, make):
    core = make("core-v1", slow_server)
    time.sleep(1)
    for _ in range(20):
        status, headers, body = core.sdk.get_response(core.request("DescribeRegions", {}))
        if status != 200:
            break
    assert (status, json.loads(body)["Code"]) == (429, "Rejected.Throttling")
    wait_ms = int(headers["x-acs-retry-after"])
    assert 0 < wait_ms <= 1000
    assert int(headers["Retry-After"]) == 1
    time.sleep(wait_ms / 1000 + 0.01)
    status, _, _ = core.sdk.get_response(core.request("DescribeRegions", {}))
    assert status == 200
