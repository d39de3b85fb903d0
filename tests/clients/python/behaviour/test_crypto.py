"""Encrypt, decrypt and data keys."""

import os

import pytest

from kms import ABSENT_KEY, b64, unb64

CONTEXT = {"tenant": "4711", "purpose": "a b+c/ü\"\\"}
PLAINTEXT_BYTES_MAX = 6144


@pytest.mark.parametrize(
    "data",
    [b"x", bytes(range(256)), "Grüße, 錠前".encode(), b"\x00" * 33, b"\xfb\xff\xfe" * 5],
    ids=["one-byte", "all-bytes", "utf-8", "zeros", "plus-and-slash-in-base64"],
)
def test_data_comes_back_as_it_was(kms, key, data):
    answer = kms("Encrypt", KeyId=key, Plaintext=b64(data))
    assert answer["KeyId"] == key
    blob = answer["CiphertextBlob"]
    # Every public sample starts with the version id.
    assert unb64(blob).startswith(answer["KeyVersionId"].encode())
    opened = kms("Decrypt", CiphertextBlob=blob)
    assert unb64(opened["Plaintext"]) == data
    assert (opened["KeyId"], opened["KeyVersionId"]) == (key, answer["KeyVersionId"])


def test_the_same_data_never_gives_the_same_ciphertext(kms, key):
    assert kms.encrypt(key, b"data") != kms.encrypt(key, b"data")


def test_size_limit(kms, key):
    data = os.urandom(PLAINTEXT_BYTES_MAX)
    assert kms.decrypt(kms.encrypt(key, data)) == data
    kms.refused("Encrypt", "InvalidParameter", 400, KeyId=key, Plaintext=b64(data + b"x"))


@pytest.mark.parametrize("text", ["example", "***", "A", "AAA", "AA==A", "hello, world", "Grüße\n錠前"])
def test_text_that_is_no_base64_comes_back_as_it_was(kms, key, text):
    """As Terraform sends it: alicloud_kms_ciphertext { plaintext = "example" }."""
    blob = kms("Encrypt", KeyId=key, Plaintext=text)["CiphertextBlob"]
    assert kms("Decrypt", CiphertextBlob=blob)["Plaintext"] == text


def test_line_ends_in_base64_do_not_count_and_blanks_do(kms, key):
    wrapped = "aGVs\r\nbG8=\n"
    blob = kms("Encrypt", KeyId=key, Plaintext=wrapped)["CiphertextBlob"]
    lines = "\n".join(blob[at : at + 76] for at in range(0, len(blob), 76)) + "\n"
    assert kms("Decrypt", CiphertextBlob=lines)["Plaintext"] == "aGVsbG8="
    kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob[:76] + " " + blob[76:])
    kms.refused("Encrypt", "InvalidParameter", 400, KeyId=key, Plaintext="aGVs bG8=")


def test_context_is_a_map(kms, key):
    blob = kms.encrypt(key, b"data", EncryptionContext=CONTEXT)
    assert kms.decrypt(blob, EncryptionContext=CONTEXT) == b"data"
    assert kms.decrypt(blob, EncryptionContext=dict(reversed(CONTEXT.items()))) == b"data"


def test_a_wrong_context_opens_nothing_and_looks_like_damage(kms, key):
    blob = kms.encrypt(key, b"data", EncryptionContext=CONTEXT)
    wrong = [
        CONTEXT | {"more": ""},
        {"tenant": CONTEXT["tenant"]},
        CONTEXT | {"tenant": "4712"},
        CONTEXT | {"purpose": CONTEXT["purpose"].upper()},
    ]
    errors = [kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob, EncryptionContext=w) for w in wrong]
    errors.append(kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob))
    damaged = bytearray(unb64(blob))
    damaged[-1] ^= 1
    errors.append(
        kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=b64(damaged), EncryptionContext=CONTEXT)
    )
    assert len({plain_message(error) for error in errors}) == 1

    without = kms.encrypt(key, b"data")
    kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=without, EncryptionContext={"a": "b"})


def plain_message(error):
    """The tea clients weave status and request id into the text."""
    return error.message.replace(error.request_id, "")


def test_a_blob_that_is_none(kms):
    kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=b64(b"short"))
    kms.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob="***")


def test_a_blob_of_an_unknown_key(kms, key):
    blob = unb64(kms.encrypt(key, b"data"))
    kms.refused("Decrypt", "Forbidden.KeyNotFound", 404, CiphertextBlob=b64(ABSENT_KEY.encode() + blob[36:]))


def test_encrypt_by_arn(kms, key):
    blob = kms.encrypt(kms.describe(key)["Arn"], b"data")
    assert kms.decrypt(blob) == b"data"


@pytest.mark.parametrize(
    ("length", "expected_bytes"),
    [
        ({}, 32),
        ({"KeySpec": "AES_256"}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": 1024}, 1024),
        ({"KeySpec": "AES_256", "NumberOfBytes": 17}, 17),
    ],
    ids=["default", "aes-256", "aes-128", "1-byte", "1024-bytes", "bytes-win"],
)
def test_data_keys(kms, key, length, expected_bytes):
    answer = kms("GenerateDataKey", KeyId=key, EncryptionContext=CONTEXT, **length)
    data_key = unb64(answer["Plaintext"])
    assert (answer["KeyId"], len(data_key)) == (key, expected_bytes)
    assert kms.decrypt(answer["CiphertextBlob"], EncryptionContext=CONTEXT) == data_key

    sealed = kms("GenerateDataKeyWithoutPlaintext", KeyId=key, EncryptionContext=CONTEXT, **length)
    assert "Plaintext" not in sealed
    assert len(kms.decrypt(sealed["CiphertextBlob"], EncryptionContext=CONTEXT)) == expected_bytes


def test_data_key_limits(kms, key):
    for action in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        kms.refused(action, "InvalidParameter", 400, KeyId=key, NumberOfBytes=0)
        kms.refused(action, "InvalidParameter", 400, KeyId=key, NumberOfBytes=1025)
        kms.refused(action, "InvalidParameter", 400, KeyId=key, KeySpec="AES_512")
        kms.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY)


def test_dry_run(kms, key):
    blob = kms.encrypt(key, b"data")
    kms.refused("Encrypt", "DryRunOperationError", 400, KeyId=key, Plaintext="AAAA", DryRun="true")
    kms.refused("Decrypt", "DryRunOperationError", 400, CiphertextBlob=blob, DryRun="true")
    kms.refused("GenerateDataKey", "DryRunOperationError", 400, KeyId=key, DryRun="true")
    kms.refused("Encrypt", "ValidationError", 400, KeyId=key, Plaintext="AAA =", DryRun="true")
    assert kms.decrypt(blob, DryRun="false") == b"data"
