"""Bring your own key."""

import os
import time

from byok import import_material, parameters_for_import, wrapped


def test_import_delete_and_import_again(kms):
    key, material = kms.create_key(Origin="EXTERNAL"), os.urandom(32)
    assert kms.describe(key)["KeyState"] == "PendingImport"
    given = parameters_for_import(kms, key)
    wrong = wrapped(given, "RSAES_OAEP_SHA_256", os.urandom(31))
    kms.refused("ImportKeyMaterial", "InvalidKeyMaterial", 400, KeyId=key, **wrong)

    expires = int(time.time()) + 86_400
    right = wrapped(given, "RSAES_OAEP_SHA_256", material)
    kms("ImportKeyMaterial", KeyId=key, KeyMaterialExpireUnix=expires, **right)
    metadata = kms.describe(key)
    assert (metadata["KeyState"], metadata["Origin"]) == ("Enabled", "EXTERNAL")
    assert metadata["MaterialExpireTime"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
    blob = kms.encrypt(key, b"data")

    kms("DeleteKeyMaterial", KeyId=key)
    kms.refused("Decrypt", "Rejected.PendingImport", 409, CiphertextBlob=blob)
    kms.refused("ImportKeyMaterial", "InvalidImportToken", 400, KeyId=key, **right | {"ImportToken": "AAAA"})
    import_material(kms, key, material, "RSAES_PKCS1_V1_5")
    assert kms.decrypt(blob) == b"data"


def test_only_external_keys(kms, key):
    wanted = {"WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_256"}
    kms.refused("GetParametersForImport", "Unsupported.Origin", 400, KeyId=key, **wanted)
    kms.refused("DeleteKeyMaterial", "Unsupported.Origin", 400, KeyId=key)
