"""ReEncrypt, ExportDataKey, GenerateAndExportDataKey."""

import os

import pytest
from peers import ENCRYPTIONS, rsa_key, spki_of
from sm2_key import Sm2PrivateKey

from byok import OAEP_SHA_1, OAEP_SHA_256
from kms import ABSENT_KEY, b64, new_alias, unb64

CONTEXT = {"tenant": "4711", "für": "a b+c"}
SM2 = Sm2PrivateKey.generate()
EXPORTS = {
    "RSAES_OAEP_SHA_256": ("RSA_2048", rsa_key(2048), (OAEP_SHA_256,), 190),
    "RSAES_OAEP_SHA_1": ("RSA_2048", rsa_key(2048), (OAEP_SHA_1,), 214),
    "SM2PKE": ("EC_SM2", SM2, (), 1024),
}
each_export = pytest.mark.parametrize("algorithm", EXPORTS)


def export_to(algorithm):
    spec, private, _, _ = EXPORTS[algorithm]
    return {
        "PublicKeyBlob": b64(spki_of(private.public_key())),
        "WrappingKeySpec": spec,
        "WrappingAlgorithm": algorithm,
    }


def opened(algorithm, exported):
    _, private, arguments, _ = EXPORTS[algorithm]
    return private.decrypt(unb64(exported), *arguments)


@pytest.mark.parametrize("contexts", [(None, None), (CONTEXT, None), (None, CONTEXT), (CONTEXT, {"other": "1"})])
def test_from_one_symmetric_key_to_another(api, symmetric_key, contexts):
    before, after = contexts
    target = api.create_key(KeySpec="Aliyun_SM4")
    source_blob = api.encrypt(symmetric_key, b"data", **({"EncryptionContext": before} if before else {}))
    more = {"SourceEncryptionContext": before} if before else {}
    more |= {"DestinationEncryptionContext": after} if after else {}
    answer = api("ReEncrypt", CiphertextBlob=source_blob, DestinationKeyId=target, **more)
    # The answer names the source.
    assert answer["KeyId"] == symmetric_key
    assert unb64(source_blob).startswith(answer["KeyVersionId"].encode())

    blob = answer["CiphertextBlob"]
    reading = {"EncryptionContext": after} if after else {}
    result = api("Decrypt", CiphertextBlob=blob, **reading)
    assert (result["KeyId"], unb64(result["Plaintext"])) == (target, b"data")
    wrong = {"EncryptionContext": {"no": "such"}}
    api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob, **wrong)
    api.refused("ReEncrypt", "InvalidParameter", 400, CiphertextBlob=source_blob, DestinationKeyId=target,
                SourceEncryptionContext={"no": "such"})


def test_to_the_newest_version_of_the_same_key(api, key):
    blob = api.encrypt(key, b"data")
    version = api("CreateKeyVersion", KeyId=key)["KeyVersion"]["KeyVersionId"]
    answer = api("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key)
    assert unb64(answer["CiphertextBlob"]).startswith(version.encode())
    assert answer["KeyVersionId"] != version
    assert api.decrypt(answer["CiphertextBlob"]) == b"data"


@pytest.mark.parametrize("way", ENCRYPTIONS, ids=str)
def test_from_a_public_key(api, pair, symmetric_key, way):
    key, version = pair(way.spec, "ENCRYPT/DECRYPT")
    ciphertext = api.public_key(way.spec, key, version).encrypt(b"data", *way.arguments)
    source = {"SourceKeyId": key, "SourceKeyVersionId": version, "SourceEncryptionAlgorithm": way.algorithm}
    good = {"CiphertextBlob": b64(ciphertext), "DestinationKeyId": symmetric_key, **source}
    answer = api("ReEncrypt", DestinationEncryptionContext=CONTEXT, **good)
    assert (answer["KeyId"], answer["KeyVersionId"]) == (key, version)
    assert api.decrypt(answer["CiphertextBlob"], EncryptionContext=CONTEXT) == b"data"

    for name in ("SourceKeyVersionId", "SourceEncryptionAlgorithm"):
        api.refused("ReEncrypt", "MissingParameter", 400, **{k: v for k, v in good.items() if k != name})
    damaged = b64(ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))
    for change, code, status in (
        ({"CiphertextBlob": damaged}, "InvalidParameter", 400),
        ({"SourceEncryptionAlgorithm": "RSA_PSS_SHA_256"}, "InvalidParameter", 400),
        ({"SourceKeyVersionId": ABSENT_KEY}, "Forbidden.KeyVersionNotFound", 404),
        ({"SourceKeyId": ABSENT_KEY}, "Forbidden.KeyNotFound", 404),
        ({"SourceKeyId": symmetric_key}, "UnsupportedOperation", 400),
    ):
        api.refused("ReEncrypt", code, status, **good | change)


def test_what_cannot_be_reencrypted(api, key, pair):
    blob = api.encrypt(key, b"data")
    for change, code, status in (
        ({"DestinationKeyId": ABSENT_KEY}, "Forbidden.KeyNotFound", 404),
        ({"DestinationKeyId": new_alias()}, "Forbidden.AliasNotFound", 404),
        ({"DestinationKeyId": pair("RSA_2048", "ENCRYPT/DECRYPT")[0]}, "UnsupportedOperation", 400),
        ({"CiphertextBlob": "***"}, "InvalidParameter", 400),
        ({"CiphertextBlob": b64(b"short")}, "InvalidParameter", 400),
        ({"CiphertextBlob": b64(ABSENT_KEY.encode() + unb64(blob)[36:])}, "Forbidden.KeyNotFound", 404),
    ):
        api.refused("ReEncrypt", code, status, **{"CiphertextBlob": blob, "DestinationKeyId": key} | change)

    disabled = api.create_key()
    blob_of_disabled = api.encrypt(disabled, b"data")
    api("DisableKey", KeyId=disabled)
    api.refused("ReEncrypt", "Rejected.Disabled", 409, CiphertextBlob=blob, DestinationKeyId=disabled)
    api.refused("ReEncrypt", "Rejected.Disabled", 409, CiphertextBlob=blob_of_disabled, DestinationKeyId=key)


@each_export
@pytest.mark.parametrize("context", [{}, {"EncryptionContext": CONTEXT}], ids=["plain", "context"])
def test_export(api, symmetric_key, algorithm, context):
    made = api("GenerateDataKey", KeyId=symmetric_key, **context)
    exported = api("ExportDataKey", CiphertextBlob=made["CiphertextBlob"], **export_to(algorithm), **context)
    assert (exported["KeyId"], exported["KeyVersionId"]) == (symmetric_key, made["KeyVersionId"])
    assert "Plaintext" not in exported
    assert opened(algorithm, exported["ExportedDataKey"]) == unb64(made["Plaintext"])


@each_export
@pytest.mark.parametrize(
    ("length", "data_key_bytes"),
    [
        ({}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"KeySpec": "AES_256"}, 32),
        ({"NumberOfBytes": 100, "KeySpec": "AES_128"}, 100),
    ],
)
def test_generate_and_export(api, symmetric_key, algorithm, length, data_key_bytes):
    context = {"EncryptionContext": CONTEXT}
    made = api("GenerateAndExportDataKey", KeyId=symmetric_key, **export_to(algorithm), **length, **context)
    assert made["KeyId"] == symmetric_key
    assert "Plaintext" not in made
    data_key = opened(algorithm, made["ExportedDataKey"])
    assert len(data_key) == data_key_bytes
    assert api.decrypt(made["CiphertextBlob"], **context) == data_key
    api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=made["CiphertextBlob"])


@each_export
def test_the_longest_data_key(api, symmetric_key, algorithm):
    longest = EXPORTS[algorithm][3]
    made = api("GenerateAndExportDataKey", KeyId=symmetric_key, NumberOfBytes=longest, **export_to(algorithm))
    assert len(opened(algorithm, made["ExportedDataKey"])) == longest
    too_long = {"KeyId": symmetric_key, "NumberOfBytes": longest + 1, **export_to(algorithm)}
    api.refused("GenerateAndExportDataKey", "InvalidParameter", 400, **too_long)
    if longest < 1024:
        blob = api.encrypt(symmetric_key, os.urandom(longest + 1))
        api.refused("ExportDataKey", "InvalidParameter", 400, CiphertextBlob=blob, **export_to(algorithm))


def test_public_keys_that_do_not_fit(api, symmetric_key):
    blob = api.encrypt(symmetric_key, os.urandom(32))
    rsa, sm2 = export_to("RSAES_OAEP_SHA_256"), export_to("SM2PKE")
    rsa_3072 = {"PublicKeyBlob": b64(spki_of(rsa_key(3072).public_key()))}
    for to in (
        rsa | {"WrappingAlgorithm": "SM2PKE"},
        sm2 | {"WrappingAlgorithm": "RSAES_OAEP_SHA_256"},
        rsa | {"WrappingKeySpec": "EC_SM2"},
        rsa | {"WrappingKeySpec": "RSA_3072"},
        rsa | {"WrappingAlgorithm": "RSAES_PKCS1_V1_5"},
        rsa | rsa_3072,
        rsa | {"PublicKeyBlob": sm2["PublicKeyBlob"]},
        sm2 | {"PublicKeyBlob": rsa["PublicKeyBlob"]},
        rsa | {"PublicKeyBlob": b64(unb64(rsa["PublicKeyBlob"])[:-1])},
        rsa | {"PublicKeyBlob": b64(b"no key")},
        rsa | {"PublicKeyBlob": "***"},
        # A point that is on no curve.
        sm2 | {"PublicKeyBlob": b64(unb64(sm2["PublicKeyBlob"])[:-64] + b"\x01" * 64)},
    ):
        api.refused("ExportDataKey", "InvalidParameter", 400, CiphertextBlob=blob, **to)
        api.refused("GenerateAndExportDataKey", "InvalidParameter", 400, KeyId=symmetric_key, **to)


def test_what_cannot_be_exported(api, key, pair):
    to = export_to("RSAES_OAEP_SHA_256")
    blob = api.encrypt(key, os.urandom(32), EncryptionContext=CONTEXT)
    context = {"EncryptionContext": CONTEXT}
    damaged = bytearray(unb64(blob))
    damaged[-1] ^= 1
    api.refused("ExportDataKey", "InvalidParameter", 400, CiphertextBlob=blob, **to)
    api.refused("ExportDataKey", "InvalidParameter", 400, CiphertextBlob=b64(damaged), **to, **context)
    absent = b64(ABSENT_KEY.encode() + unb64(blob)[36:])
    api.refused("ExportDataKey", "Forbidden.KeyNotFound", 404, CiphertextBlob=absent, **to)
    for name, code, status in (
        (ABSENT_KEY, "Forbidden.KeyNotFound", 404),
        (new_alias(), "Forbidden.AliasNotFound", 404),
        (pair("EC_P256", "SIGN/VERIFY")[0], "UnsupportedOperation", 400),
    ):
        api.refused("GenerateAndExportDataKey", code, status, KeyId=name, **to)
    for length in ({"NumberOfBytes": 0}, {"NumberOfBytes": 1025}, {"KeySpec": "AES_512"}):
        api.refused("GenerateAndExportDataKey", "InvalidParameter", 400, KeyId=key, **to, **length)
