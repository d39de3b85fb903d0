"""Fixtures of the whole key and cryptography API through one client: the typed methods of the newest Python SDK."""

import pytest

from byok import import_material
from kms import Kms
from peers import load_pem, pkcs8_of


class Api(Kms):
    """The service, with what these tests do over and over."""

    def generic(self, action, **parameters):
        """The SDK's generic call: for what its models do not know."""
        return self.client.generic(action, parameters)

    def generic_refused(self, action, code, status, /, **parameters):
        """As `refused`, through the generic call."""
        return self.expect_refusal(code, status, lambda: self.generic(action, **parameters))

    def versions(self, key):
        """The ids of all versions, the newest first."""
        return [row["KeyVersionId"] for row in self.all_rows("ListKeyVersions", "KeyVersions", "KeyVersion", KeyId=key)]

    def public_key(self, spec, key, version):
        return load_pem(spec, self("GetPublicKey", KeyId=key, KeyVersionId=version)["PublicKey"])

    def new_pair(self, spec, usage):
        """(key, version) of a key pair that the service made."""
        key = self.create_key(KeySpec=spec, KeyUsage=usage)
        (version,) = self.versions(key)
        return key, version

    def import_pair(self, spec, usage, private):
        """(key, version) of a key pair that we made. The wrapping is an extension."""
        key = self.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
        import_material(self, key, pkcs8_of(private), "RSA_AES_KEY_WRAP_SHA_256")
        (version,) = self.versions(key)
        return key, version


@pytest.fixture(scope="session")
def api(server, make):
    return Api("tea3-acs3", server, make)


@pytest.fixture(scope="session")
def pair(api):
    """pair(spec, usage) -> (key, version), made once for each."""
    made = {}

    def pair(spec, usage):
        if (spec, usage) not in made:
            made[spec, usage] = api.new_pair(spec, usage)
        return made[spec, usage]

    return pair


@pytest.fixture(scope="session")
def symmetric_key(api):
    """A symmetric key that no test changes."""
    return api.create_key()


@pytest.fixture
def key(api):
    """A new symmetric key."""
    return api.create_key()


def pytest_collection_modifyitems(items):
    # What looks at all other tests comes last.
    items.sort(key=lambda item: item.name == "test_every_action_is_exercised")
