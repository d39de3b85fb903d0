"""GenerateMac and VerifyMac, with material of ours, so that another library can compute the same."""

import os

import pytest
from cryptography.hazmat.primitives.hmac import HMAC
from peers import MACS

from byok import import_material
from kms import ABSENT_KEY, b64, new_alias, unb64

each_mac = pytest.mark.parametrize("algorithm", MACS)


def mac(api, key, algorithm, message):
    answer = api("GenerateMac", KeyId=key, Algorithm=algorithm, Message=b64(message))
    assert answer["Algorithm"] == algorithm
    return unb64(answer["Mac"])


def is_genuine(api, key, algorithm, message, code):
    answer = api("VerifyMac", KeyId=key, Algorithm=algorithm, Message=b64(message), Mac=b64(code))
    assert (answer["KeyId"], answer["Algorithm"]) == (key, algorithm)
    assert isinstance(answer["Value"], bool)
    return answer["Value"]


@each_mac
def test_against_another_library(api, algorithm):
    material_bytes, hash_ = MACS[algorithm]
    material = os.urandom(material_bytes)
    key = api.create_key(KeySpec=algorithm, Origin="EXTERNAL")
    import_material(api, key, material)
    for length in (1, 63, 64, 65, 1000, 6144):
        message = os.urandom(length)
        theirs = HMAC(material, hash_)
        theirs.update(message)
        expected = theirs.finalize()
        assert mac(api, key, algorithm, message) == expected
        assert is_genuine(api, key, algorithm, message, expected)


@each_mac
def test_a_key_of_the_service(api, algorithm):
    metadata = api("CreateKey", KeySpec=algorithm)["KeyMetadata"]
    assert (metadata["KeySpec"], metadata["KeyUsage"]) == (algorithm, "GENERATE/VERIFY_MAC")
    key = metadata["KeyId"]
    code = mac(api, key, algorithm, b"message")
    assert len(code) == MACS[algorithm][1].digest_size
    assert code == mac(api, key, algorithm, b"message")
    assert code != mac(api, api.create_key(KeySpec=algorithm), algorithm, b"message")
    assert is_genuine(api, key, algorithm, b"message", code)
    assert not is_genuine(api, key, algorithm, b"massage", code)
    for wrong in (code[:-1], code[:-1] + bytes([code[-1] ^ 1]), bytes(len(code)), b"x"):
        assert not is_genuine(api, key, algorithm, b"message", wrong)


def test_names_and_refusals(api, symmetric_key):
    key, alias = api.create_key(KeySpec="HMAC_SHA_256"), new_alias()
    api("CreateAlias", AliasName=alias, KeyId=key)
    good = {"KeyId": key, "Algorithm": "HMAC_SHA_256", "Message": "AAAA"}
    code = api("GenerateMac", **good)["Mac"]
    for name in (alias, api.describe(key)["Arn"]):
        assert api("GenerateMac", **good | {"KeyId": name})["KeyId"] == key
        answer = api("VerifyMac", Mac=code, **good | {"KeyId": name})
        assert (answer["KeyId"], answer["Value"]) == (key, True)

    for action, more in (("GenerateMac", {}), ("VerifyMac", {"Mac": code})):
        for refusal, status, change in (
            ("InvalidParameter", 400, {"Algorithm": "HMAC_SHA_512"}),
            ("InvalidParameter", 400, {"Algorithm": "ECDSA_SHA_256"}),
            ("InvalidParameter", 400, {"Message": "***"}),
            ("InvalidParameter", 400, {"Message": b64(bytes(6145))}),
            ("UnsupportedOperation", 400, {"KeyId": symmetric_key}),
            ("Forbidden.KeyNotFound", 404, {"KeyId": ABSENT_KEY}),
            ("Forbidden.AliasNotFound", 404, {"KeyId": new_alias()}),
        ):
            api.refused(action, refusal, status, **good | more | change)
    api.refused("VerifyMac", "InvalidParameter", 400, Mac="***", **good)
    api.refused("Encrypt", "UnsupportedOperation", 400, KeyId=key, Plaintext="AAAA")
    api.refused("CreateKeyVersion", "UnsupportedOperation", 400, KeyId=key)
