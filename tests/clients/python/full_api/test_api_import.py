"""GetParametersForImport, ImportKeyMaterial, DeleteKeyMaterial."""

import datetime
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sm2_key import Sm2PublicKey

from byok import HYBRID_PADDINGS, RSA_PADDINGS, import_material, parameters_for_import, wrapped
from kms import ABSENT_KEY, b64, new_alias, unb64
from kms_error import KmsError

EXPIRY_SECONDS = 8
EXPIRY_SECONDS_MAX = 90
MATERIAL_BYTES = {
    "Aliyun_AES_256": 32,
    "Aliyun_AES_192": 24,
    "Aliyun_AES_128": 16,
    "Aliyun_SM4": 16,
    "HMAC_SHA_256": 32,
    "HMAC_SM3": 32,
}


@pytest.fixture
def external(api):
    """A new key that waits for its material."""
    return api.create_key(Origin="EXTERNAL")


def state(api, key):
    return api.describe(key)["KeyState"]


def refused(api, key, code, **parameters):
    api.refused("ImportKeyMaterial", code, 400, KeyId=key, **parameters)


def test_a_new_external_key(api, external):
    metadata = api.describe(external)
    assert (metadata["Origin"], metadata["KeyState"]) == ("EXTERNAL", "PendingImport")
    assert metadata["MaterialExpireTime"] == ""
    assert api("ListKeyVersions", KeyId=external)["KeyVersions"] == {"KeyVersion": []}
    api.refused("Encrypt", "Rejected.PendingImport", 409, KeyId=external, Plaintext="AAAA")
    api.refused("GenerateDataKey", "Rejected.PendingImport", 409, KeyId=external)
    listed = api.all_rows("ListKeys", "Keys", "Key", Filters=[{"Key": "KeyState", "Values": ["PendingImport"]}])
    assert external in {row["KeyId"] for row in listed}


@pytest.mark.parametrize("algorithm", [*RSA_PADDINGS, *HYBRID_PADDINGS])
def test_rsa_wrapping(api, external, algorithm):
    given = parameters_for_import(api, external, algorithm)
    assert given["KeyId"] == external
    expiry = datetime.datetime.fromisoformat(given["TokenExpireTime"])
    day = datetime.timedelta(days=1)
    assert abs(expiry - datetime.datetime.now(datetime.UTC) - day) < datetime.timedelta(minutes=5)

    api("ImportKeyMaterial", KeyId=external, **wrapped(given, algorithm, os.urandom(32)))
    metadata = api.describe(external)
    assert (metadata["KeyState"], metadata["MaterialExpireTime"]) == ("Enabled", "")
    assert api.versions(external) == [metadata["PrimaryKeyVersion"]]
    assert api.decrypt(api.encrypt(external, b"data")) == b"data"


@pytest.mark.parametrize("algorithm", ["RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"])
def test_a_wrapping_key_of_4096_bits(api, external, algorithm):
    """Extension."""
    import_material(api, external, os.urandom(32), algorithm, "RSA_4096")
    assert api.decrypt(api.encrypt(external, b"data")) == b"data"


@pytest.mark.parametrize("form", ["encrypt", "encrypt_der"])
def test_sm2_wrapping(api, form):
    key = api.create_key(Origin="EXTERNAL", KeySpec="Aliyun_SM4")
    given = parameters_for_import(api, key, "SM2PKE", "EC_SM2")
    public = Sm2PublicKey.from_der(unb64(given["PublicKey"]))
    blob = getattr(public, form)(os.urandom(16))
    api("ImportKeyMaterial", KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=b64(blob))
    assert api.decrypt(api.encrypt(key, b"data")) == b"data"


@pytest.mark.parametrize(("spec", "material_bytes"), MATERIAL_BYTES.items())
def test_the_length_of_the_material(api, spec, material_bytes):
    key = api.create_key(Origin="EXTERNAL", KeySpec=spec)
    given = parameters_for_import(api, key)
    for length in {1, material_bytes - 1, material_bytes + 1, 16, 24, 32, 64} - {material_bytes}:
        refused(api, key, "InvalidKeyMaterial", **wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(length)))
    assert state(api, key) == "PendingImport"
    api("ImportKeyMaterial", KeyId=key, **wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(material_bytes)))
    assert state(api, key) == "Enabled"


def test_what_is_wrong_with_a_blob_does_not_show(api, external):
    """Bad padding, another padding, damage, another length: one refusal."""
    for algorithm in RSA_PADDINGS:
        given = parameters_for_import(api, external, algorithm)
        good = unb64(wrapped(given, algorithm, os.urandom(32))["EncryptedKeyMaterial"])
        other = "RSAES_OAEP_SHA_1" if algorithm != "RSAES_OAEP_SHA_1" else "RSAES_OAEP_SHA_256"
        messages = set()
        for blob in (
            unb64(wrapped(given, other, os.urandom(32))["EncryptedKeyMaterial"]),
            good[:-1] + bytes([good[-1] ^ 1]),
            os.urandom(256),
            bytes(256),
            b"\xff" * 256,
            good[:-1],
            good + b"\0",
            b"x",
        ):
            parameters = {"KeyId": external, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b64(blob)}
            error = api.refused("ImportKeyMaterial", "InvalidKeyMaterial", 400, **parameters)
            messages.add(error.message.replace(error.request_id, ""))
        assert len(messages) == 1
    assert state(api, external) == "PendingImport"


def test_a_token_belongs_to_one_key(api, external):
    other = api.create_key(Origin="EXTERNAL")
    given = parameters_for_import(api, external)
    parameters = wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(32))
    refused(api, other, "InvalidImportToken", **parameters)
    damaged = bytearray(unb64(given["ImportToken"]))
    damaged[-1] ^= 1
    for token in (b64(damaged), b64(b"token"), b64(os.urandom(2000))):
        refused(api, external, "InvalidImportToken", **parameters | {"ImportToken": token})

    # Token and public key belong together as well.
    second = parameters_for_import(api, external)
    assert (second["ImportToken"], second["PublicKey"]) != (given["ImportToken"], given["PublicKey"])
    refused(api, external, "InvalidKeyMaterial", **parameters | {"ImportToken": second["ImportToken"]})
    # A newer one does not end an older one, which may be used more than once.
    for _ in range(2):
        api("ImportKeyMaterial", KeyId=external, **parameters)


def test_a_key_is_bound_to_its_first_material(api, external):
    material = os.urandom(32)
    import_material(api, external, material)
    version = api.describe(external)["PrimaryKeyVersion"]
    blob = api.encrypt(external, b"data")
    given = parameters_for_import(api, external)
    refused(api, external, "InvalidKeyMaterial", **wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(32)))
    assert api.decrypt(blob) == b"data"

    api("DeleteKeyMaterial", KeyId=external)
    assert state(api, external) == "PendingImport"
    api.refused("Decrypt", "Rejected.PendingImport", 409, CiphertextBlob=blob)
    refused(api, external, "InvalidKeyMaterial", **wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(32)))
    api("DeleteKeyMaterial", KeyId=external)

    import_material(api, external, material, "RSAES_PKCS1_V1_5")
    assert state(api, external) == "Enabled"
    assert api.describe(external)["PrimaryKeyVersion"] == version
    assert api.decrypt(blob) == b"data"


def test_of_two_first_materials_one_wins(api, external):
    given = parameters_for_import(api, external)
    wrapped_ones = [wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(32)) for _ in range(8)]

    def attempt(parameters):
        try:
            api("ImportKeyMaterial", KeyId=external, **parameters)
        except KmsError as error:
            return error.code
        return "imported"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(attempt, wrapped_ones))
    assert sorted(outcomes) == ["InvalidKeyMaterial"] * 7 + ["imported"]
    assert attempt(wrapped_ones[outcomes.index("imported")]) == "imported"
    assert len(api.versions(external)) == 1


def test_two_keys_with_the_same_material_do_not_share_ciphertext(api, external):
    other, material = api.create_key(Origin="EXTERNAL"), os.urandom(32)
    for key in (external, other):
        import_material(api, key, material)
    mine, theirs = (api.describe(key)["PrimaryKeyVersion"].encode() for key in (external, other))
    blob = unb64(api.encrypt(external, b"data"))
    assert blob.startswith(mine)
    api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=b64(theirs + blob[len(mine) :]))


def test_expiry(api, external):
    material = os.urandom(32)
    given = parameters_for_import(api, external)
    parameters = wrapped(given, "RSAES_OAEP_SHA_256", material)
    now = int(time.time())
    for moment in (1, now - 60, -1):
        refused(api, external, "InvalidParameter", KeyMaterialExpireUnix=moment, **parameters)
    expires = now + 86_400
    api("ImportKeyMaterial", KeyId=external, KeyMaterialExpireUnix=expires, **parameters)
    shown = datetime.datetime.fromisoformat(api.describe(external)["MaterialExpireTime"])
    assert shown.timestamp() == expires
    blob = api.encrypt(external, b"data")

    api("ImportKeyMaterial", KeyId=external, KeyMaterialExpireUnix=0, **parameters)
    assert api.describe(external)["MaterialExpireTime"] == ""

    api("ImportKeyMaterial", KeyId=external, KeyMaterialExpireUnix=int(time.time()) + EXPIRY_SECONDS, **parameters)
    give_up_at = time.monotonic() + EXPIRY_SECONDS_MAX
    while state(api, external) == "Enabled" and time.monotonic() < give_up_at:
        time.sleep(0.2)
    assert state(api, external) == "PendingImport"
    assert api.describe(external)["MaterialExpireTime"] == ""
    api.refused("Decrypt", "Rejected.PendingImport", 409, CiphertextBlob=blob)
    api("ImportKeyMaterial", KeyId=external, **parameters)
    assert api.decrypt(blob) == b"data"


def test_states(api, external):
    material = os.urandom(32)
    import_material(api, external, material)
    api("DisableKey", KeyId=external)
    import_material(api, external, material)
    assert state(api, external) == "Disabled"
    api("EnableKey", KeyId=external)

    parameters = wrapped(parameters_for_import(api, external), "RSAES_OAEP_SHA_256", material)
    api("ScheduleKeyDeletion", KeyId=external, PendingWindowInDays=7)
    date = api.describe(external)["DeleteDate"]
    api.refused("ImportKeyMaterial", "Rejected.StateModifiedFailed", 409, KeyId=external, **parameters)
    assert parameters_for_import(api, external)["ImportToken"]
    api("DeleteKeyMaterial", KeyId=external)
    metadata = api.describe(external)
    assert (metadata["KeyState"], metadata["DeleteDate"]) == ("PendingDeletion", date)
    # There is nothing to use, so the key cannot be enabled by cancelling.
    api("CancelKeyDeletion", KeyId=external)
    assert state(api, external) == "PendingImport"


def test_only_external_keys(api, symmetric_key, external):
    parameters = wrapped(parameters_for_import(api, external), "RSAES_OAEP_SHA_256", os.urandom(32))
    wanted = {"WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_256"}
    for key, code, status in (
        (symmetric_key, "Unsupported.Origin", 400),
        (new_alias(), "Unsupported.Alias", 400),
        (ABSENT_KEY, "Forbidden.KeyNotFound", 404),
    ):
        api.refused("GetParametersForImport", code, status, KeyId=key, **wanted)
        api.refused("ImportKeyMaterial", code, status, KeyId=key, **parameters)
        api.refused("DeleteKeyMaterial", code, status, KeyId=key)
    api.refused("CreateKeyVersion", "Rejected.PendingImport", 409, KeyId=external)
    api("ImportKeyMaterial", KeyId=external, **parameters)
    api.refused("CreateKeyVersion", "Unsupported.Origin", 400, KeyId=external)
    rotate = {"KeyId": external, "EnableAutomaticRotation": True, "RotationInterval": "30d"}
    api.refused("UpdateRotationPolicy", "Unsupported.Origin", 400, **rotate)


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "SM2PKE"),
        ("EC_SM2", "RSAES_OAEP_SHA_256"),
        ("RSA_1024", "RSAES_OAEP_SHA_256"),
        ("EC_P256", "RSAES_OAEP_SHA_256"),
        ("RSA_2048", "RSAES_OAEP_SHA_512"),
        ("rsa_2048", "RSAES_OAEP_SHA_256"),
    ],
)
def test_wrappings_that_do_not_exist(api, external, spec, algorithm):
    wanted = {"KeyId": external, "WrappingKeySpec": spec, "WrappingAlgorithm": algorithm}
    api.refused("GetParametersForImport", "InvalidParameter", 400, **wanted)


def test_what_is_not_base64(api, external):
    parameters = wrapped(parameters_for_import(api, external), "RSAES_OAEP_SHA_256", os.urandom(32))
    for name in parameters:
        refused(api, external, "InvalidParameter", **parameters | {name: "***"})
