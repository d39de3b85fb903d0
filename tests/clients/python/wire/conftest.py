"""Fixtures of the hand-written requests."""

import pytest

from rpc import Rpc


@pytest.fixture(scope="session")
def rpc(server):
    return Rpc(server)


@pytest.fixture(scope="session")
def wire_key(rpc):
    return rpc.post_query("CreateKey").ok()["KeyMetadata"]["KeyId"]
