"""Signatures and public-key encryption, checked by another library."""

import os

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from byok import OAEP_SHA_256
from kms import ABSENT_KEY, b64, unb64

SHA_256 = utils.Prehashed(hashes.SHA256())


def new_pair(kms, spec, usage):
    """Its names, and the public key."""
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)
    (row,) = kms.all_rows("ListKeyVersions", "KeyVersions", "KeyVersion", KeyId=key)
    target = {"KeyId": key, "KeyVersionId": row["KeyVersionId"]}
    pem = kms("GetPublicKey", **target)["PublicKey"]
    return target, serialization.load_pem_public_key(pem.encode())


@pytest.mark.parametrize(
    ("spec", "algorithm", "arguments"),
    [
        ("EC_P256", "ECDSA_SHA_256", (ec.ECDSA(SHA_256),)),
        ("RSA_2048", "RSA_PSS_SHA_256", (padding.PSS(padding.MGF1(hashes.SHA256()), 32), SHA_256)),
    ],
)
def test_sign_and_verify(kms, spec, algorithm, arguments):
    target, public = new_pair(kms, spec, "SIGN/VERIFY")
    target["Algorithm"] = algorithm
    digest = os.urandom(32)
    signature = kms("AsymmetricSign", Digest=b64(digest), **target)["Value"]
    public.verify(unb64(signature), digest, *arguments)
    for data, genuine in ((digest, True), (os.urandom(32), False)):
        assert kms("AsymmetricVerify", Digest=b64(data), Value=signature, **target)["Value"] is genuine
    kms.refused("AsymmetricSign", "InvalidParameter", 400, Digest=b64(digest[:-1]), **target)
    kms.refused("AsymmetricSign", "InvalidParameter", 400, Digest=b64(digest), **target | {"Algorithm": "SM2DSA"})
    absent = target | {"KeyVersionId": ABSENT_KEY}
    kms.refused("AsymmetricSign", "Forbidden.KeyVersionNotFound", 404, Digest=b64(digest), **absent)


def test_encrypt_and_decrypt(kms):
    target, public = new_pair(kms, "RSA_2048", "ENCRYPT/DECRYPT")
    target["Algorithm"] = "RSAES_OAEP_SHA_256"
    theirs = b64(public.encrypt(b"data", OAEP_SHA_256))
    assert unb64(kms("AsymmetricDecrypt", CiphertextBlob=theirs, **target)["Plaintext"]) == b"data"
    ours = kms("AsymmetricEncrypt", Plaintext=b64(bytes(190)), **target)["CiphertextBlob"]
    assert unb64(kms("AsymmetricDecrypt", CiphertextBlob=ours, **target)["Plaintext"]) == bytes(190)
    kms.refused("AsymmetricEncrypt", "InvalidParameter", 400, Plaintext=b64(bytes(191)), **target)
    kms.refused("AsymmetricDecrypt", "InvalidParameter", 400, CiphertextBlob=b64(bytes(256)), **target)
