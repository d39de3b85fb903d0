"""What all cryptographic actions have in common, and the symmetric ones."""

import json
import os
from pathlib import Path

import pytest
from peers import rsa_key, spki_of

from kms import ABSENT_KEY, b64, new_alias, unb64

ACTIONS = json.loads(
    (Path(__file__).resolve().parents[4] / "crates/jomae-api/tests/actions.json").read_text()
)["actions"]
REQUIRED = {
    action["name"]: [given["name"] for given in action["request"] if given["required"] is True] for action in ACTIONS
}
EXPORT = {
    "PublicKeyBlob": b64(spki_of(rsa_key(2048).public_key())),
    "WrappingKeySpec": "RSA_2048",
    "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
}
# Any text of the right form: a missing parameter is seen before the key is looked up.
BASE64 = ("Plaintext", "CiphertextBlob", "Digest", "Value", "Message", "Mac", "PublicKeyBlob")
CRYPTO = [
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateAndExportDataKey",
    "ExportDataKey",
    "ReEncrypt",
    "AsymmetricEncrypt",
    "AsymmetricDecrypt",
    "AsymmetricSign",
    "AsymmetricVerify",
    "GetPublicKey",
    "GenerateMac",
    "VerifyMac",
]
SYMMETRIC_SPECS = ("Aliyun_AES_256", "Aliyun_AES_192", "Aliyun_AES_128", "Aliyun_SM4")

each_action = pytest.mark.parametrize("action", CRYPTO)


class Calls:
    """One working call for each action, on keys of its own."""

    def __init__(self, api):
        self.api = api
        symmetric = api.create_key()
        signing, encrypting = api.new_pair("EC_P256", "SIGN/VERIFY"), api.new_pair("EC_SM2", "ENCRYPT/DECRYPT")
        authenticating = api.create_key(KeySpec="HMAC_SHA_256")
        self.keys = (symmetric, signing[0], encrypting[0], authenticating)

        sign = self.pair(signing) | {"Algorithm": "ECDSA_SHA_256", "Digest": b64(bytes(32))}
        encrypt = self.pair(encrypting) | {"Algorithm": "SM2PKE"}
        mac = {"KeyId": authenticating, "Algorithm": "HMAC_SHA_256", "Message": "AAAA"}
        blob = {"CiphertextBlob": api.encrypt(symmetric, os.urandom(32))}
        sealed = api("AsymmetricEncrypt", Plaintext="AAAA", **encrypt)["CiphertextBlob"]
        self.parameters = {
            "Encrypt": {"KeyId": symmetric, "Plaintext": "AAAA"},
            "Decrypt": blob,
            "GenerateDataKey": {"KeyId": symmetric},
            "GenerateDataKeyWithoutPlaintext": {"KeyId": symmetric},
            "GenerateAndExportDataKey": {"KeyId": symmetric} | EXPORT,
            "ExportDataKey": blob | EXPORT,
            "ReEncrypt": blob | {"DestinationKeyId": symmetric},
            "AsymmetricEncrypt": encrypt | {"Plaintext": "AAAA"},
            "AsymmetricDecrypt": encrypt | {"CiphertextBlob": sealed},
            "AsymmetricSign": sign,
            "AsymmetricVerify": sign | {"Value": api("AsymmetricSign", **sign)["Value"]},
            "GetPublicKey": self.pair(signing),
            "GenerateMac": mac,
            "VerifyMac": mac | {"Mac": api("GenerateMac", **mac)["Mac"]},
        }
        assert set(self.parameters) == set(CRYPTO)

    @staticmethod
    def pair(key_and_version):
        return dict(zip(("KeyId", "KeyVersionId"), key_and_version))

    def __getitem__(self, action):
        return dict(self.parameters[action])


@pytest.fixture(scope="module")
def calls(api):
    return Calls(api)


@each_action
def test_dry_run(api, calls, action):
    """It always fails, and says whether the call would have worked."""
    good = calls[action]
    assert api(action, **good)
    assert api(action, **good, DryRun="false")
    for yes in ("true", "True"):
        api.refused(action, "DryRunOperationError", 400, **good, DryRun=yes)
    for name in REQUIRED[action]:
        api.refused(action, "ValidationError", 400, **{k: v for k, v in good.items() if k != name}, DryRun="true")
    for name in set(good) & set(BASE64):
        api.refused(action, "ValidationError", 400, **good | {name: "AAA ="}, DryRun="true")
    api.refused(action, "InvalidParameter", 400, **good, DryRun="maybe")
    if "KeyId" in good:
        api.refused(action, "Forbidden.KeyNotFound", 404, **good | {"KeyId": ABSENT_KEY}, DryRun="true")


@each_action
def test_required_parameters(api, calls, action):
    good = calls[action]
    assert set(REQUIRED[action]) == set(good)
    for name in good:
        error = api.refused(action, "MissingParameter", 400, **{k: v for k, v in good.items() if k != name})
        assert f'The parameter "{name}" is needed but not provided.' in error.message
        api.refused(action, "MissingParameter", 400, **good | {name: ""})
    for name in set(good) & set(BASE64):
        api.refused(action, "InvalidParameter", 400, **good | {name: "AAA ="})


# A ciphertext blob names its key by itself.
@pytest.mark.parametrize("action", [action for action in CRYPTO if action not in ("Decrypt", "ExportDataKey")])
def test_how_a_key_is_named(api, calls, action):
    good = calls[action]
    name = "DestinationKeyId" if action == "ReEncrypt" else "KeyId"
    key, alias = good[name], new_alias()
    api("CreateAlias", AliasName=alias, KeyId=key)
    for text in (alias, api.describe(key)["Arn"]):
        assert api(action, **good | {name: text})["KeyId"] == key
    api.refused(action, "Forbidden.KeyNotFound", 404, **good | {name: ABSENT_KEY})
    api.refused(action, "Forbidden.AliasNotFound", 404, **good | {name: new_alias()})
    elsewhere = api.describe(key)["Arn"].replace(api.server.region, "nowhere")
    api.refused(action, "Forbidden.KeyNotFound", 404, **good | {name: elsewhere})
    api("DeleteAlias", AliasName=alias)


def test_states(api):
    calls = Calls(api)

    def attempt(code):
        for action in CRYPTO:
            if code is None or action == "GetPublicKey":
                # What was signed before stays verifiable.
                assert api(action, **calls[action])
            else:
                api.refused(action, code, 409, **calls[action])

    for change, code, more in (
        ("DisableKey", "Rejected.Disabled", {}),
        ("EnableKey", None, {}),
        ("ScheduleKeyDeletion", "Rejected.PendingDeletion", {"PendingWindowInDays": 7}),
        ("CancelKeyDeletion", None, {}),
    ):
        for key in calls.keys:
            api(change, KeyId=key, **more)
        attempt(code)


@pytest.mark.parametrize("action", ["Decrypt", "GenerateDataKey", "AsymmetricDecrypt"])
def test_answers_for_an_enclave_are_refused(api, calls, action):
    """Not offered, and not ignored either: that would send the plaintext in the clear."""
    api.refused(action, "InvalidParameter", 400, **calls[action], Recipient='{"Type":"x"}')


@pytest.mark.parametrize("spec", SYMMETRIC_SPECS)
def test_symmetric_specs(api, spec):
    key = api.create_key(KeySpec=spec)
    context = {"EncryptionContext": {"a": "1", "b": ""}}
    for data in (b"x", os.urandom(6144)):
        blob = api.encrypt(key, data, **context)
        assert api.decrypt(blob, **context) == data
        api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob)
    made = api("GenerateDataKey", KeyId=key, KeySpec="AES_128", **context)
    assert api.decrypt(made["CiphertextBlob"], **context) == unb64(made["Plaintext"])
    without = api("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64, **context)
    assert len(api.decrypt(without["CiphertextBlob"], **context)) == 64


def test_ciphertext_of_another_spec(api):
    """A blob names its cipher; another cipher in its place must open nothing."""
    blobs = {spec: unb64(api.encrypt(api.create_key(KeySpec=spec), b"data")) for spec in SYMMETRIC_SPECS}
    for spec, blob in blobs.items():
        for other in set(SYMMETRIC_SPECS) - {spec}:
            changed = blob[:36] + blobs[other][36:37] + blob[37:]
            assert changed != blob
            api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=b64(changed))
