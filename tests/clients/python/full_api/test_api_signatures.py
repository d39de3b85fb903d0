"""AsymmetricSign, AsymmetricVerify, GetPublicKey: every algorithm, against other libraries, in both directions."""

import hashlib
import os

import pytest
from cryptography.exceptions import InvalidSignature
from peers import SIGNATURES, der_of_pem, pkcs8_of, spki_of

from kms import ABSENT_KEY, b64, new_alias, unb64

USAGE = "SIGN/VERIFY"
# Of a message, where the message itself is signed.
MESSAGE_BYTES = 1000
MESSAGE_BYTES_MAX = 6144

each_signature = pytest.mark.parametrize("way", SIGNATURES, ids=str)


def to_sign(way):
    return os.urandom(way.digest_bytes or MESSAGE_BYTES)


def named(key_and_version, way):
    key, version = key_and_version
    return {"KeyId": key, "KeyVersionId": version, "Algorithm": way.algorithm}


def sign(api, target, data):
    answer = api("AsymmetricSign", Digest=b64(data), **target)
    assert (answer["KeyId"], answer["KeyVersionId"]) == (target["KeyId"], target["KeyVersionId"])
    return unb64(answer["Value"])


def is_genuine(api, target, data, signature):
    answer = api("AsymmetricVerify", Digest=b64(data), Value=b64(signature), **target)
    assert (answer["KeyId"], answer["KeyVersionId"]) == (target["KeyId"], target["KeyVersionId"])
    assert isinstance(answer["Value"], bool)
    return answer["Value"]


def flipped(data, at=-1):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


@each_signature
def test_signed_by_the_service(api, pair, way):
    """With a key of the service; other libraries verify with the public key that it gives."""
    target, data = named(pair(way.spec, USAGE), way), to_sign(way)
    public = api.public_key(way.spec, target["KeyId"], target["KeyVersionId"])
    signature = sign(api, target, data)
    public.verify(signature, data, *way.arguments)
    with pytest.raises(InvalidSignature):
        public.verify(signature, flipped(data), *way.arguments)

    assert is_genuine(api, target, data, signature)
    assert not is_genuine(api, target, flipped(data), signature)


@each_signature
def test_a_key_from_outside(api, way):
    """With a key of ours that was imported: signatures cross in both directions."""
    private = way.generate()
    target, data = named(api.import_pair(way.spec, USAGE, private), way), to_sign(way)
    pem = api("GetPublicKey", KeyId=target["KeyId"], KeyVersionId=target["KeyVersionId"])["PublicKey"]
    assert der_of_pem(pem) == spki_of(private.public_key())

    theirs = private.sign(data, *way.arguments)
    assert is_genuine(api, target, data, theirs)
    assert not is_genuine(api, target, flipped(data), theirs)
    private.public_key().verify(sign(api, target, data), data, *way.arguments)


@each_signature
def test_what_is_no_signature_is_false_and_no_error(api, pair, way):
    target, data = named(pair(way.spec, USAGE), way), to_sign(way)
    signature = sign(api, target, data)
    wrong = (
        flipped(signature, 0),
        flipped(signature, len(signature) // 2),
        flipped(signature),
        signature[:-1],
        signature + b"\0",
        bytes(len(signature)),
        b"\xff" * len(signature),
        b"x",
        os.urandom(8192),
    )
    assert [is_genuine(api, target, data, text) for text in wrong] == [False] * len(wrong)


@each_signature
def test_the_length_of_a_digest(api, pair, way):
    target = named(pair(way.spec, USAGE), way)
    if way.digest_bytes is None:
        longest = os.urandom(MESSAGE_BYTES_MAX)
        assert is_genuine(api, target, longest, sign(api, target, longest))
        wrong = (MESSAGE_BYTES_MAX + 1,)
    else:
        wrong = (1, way.digest_bytes - 1, way.digest_bytes + 1, 20, 128)
    for length in wrong:
        digest = b64(bytes(length))
        api.refused("AsymmetricSign", "InvalidParameter", 400, Digest=digest, **target)
        api.refused("AsymmetricVerify", "InvalidParameter", 400, Digest=digest, Value="AAAA", **target)


def test_a_signature_belongs_to_one_key_and_one_version(api, pair):
    key, version = pair("EC_P256", USAGE)
    other = api("CreateKeyVersion", KeyId=key)["KeyVersion"]["KeyVersionId"]
    target = {"KeyId": key, "Algorithm": "ECDSA_SHA_256"}
    digest = os.urandom(32)
    signature = sign(api, target | {"KeyVersionId": version}, digest)
    assert is_genuine(api, target | {"KeyVersionId": version}, digest, signature)
    assert not is_genuine(api, target | {"KeyVersionId": other}, digest, signature)

    stranger, its_version = api.new_pair("EC_P256", USAGE)
    target |= {"KeyId": stranger}
    assert not is_genuine(api, target | {"KeyVersionId": its_version}, digest, signature)
    crossed = target | {"KeyVersionId": version, "Digest": b64(digest)}
    api.refused("AsymmetricSign", "Forbidden.KeyVersionNotFound", 404, **crossed)
    api.refused("AsymmetricVerify", "Forbidden.KeyVersionNotFound", 404, Value=b64(signature), **crossed)
    api.refused("GetPublicKey", "Forbidden.KeyVersionNotFound", 404, KeyId=stranger, KeyVersionId=version)


def test_an_alias_and_a_full_name(api):
    key, version = api.new_pair("EC_P256", USAGE)
    alias = new_alias()
    api("CreateAlias", AliasName=alias, KeyId=key)
    more = {"KeyVersionId": version, "Algorithm": "ECDSA_SHA_256", "Digest": b64(bytes(32))}
    for name in (alias, api.describe(key)["Arn"]):
        signed = api("AsymmetricSign", KeyId=name, **more)
        verified = api("AsymmetricVerify", KeyId=name, Value=signed["Value"], **more)
        public = api("GetPublicKey", KeyId=name, KeyVersionId=version)
        assert [answer["KeyId"] for answer in (signed, verified, public)] == [key] * 3
        assert verified["Value"] is True


def test_an_algorithm_must_fit_spec_and_usage(api, pair):
    digest = b64(bytes(32))
    cases = [
        (pair("EC_P256", USAGE), "RSA_PSS_SHA_256"),
        (pair("EC_P256", USAGE), "SM2DSA"),
        (pair("EC_P256", USAGE), "ECDSA_SHA_384"),
        (pair("RSA_2048", USAGE), "ECDSA_SHA_256"),
        (pair("RSA_2048", USAGE), "RSAES_OAEP_SHA_256"),
        (pair("RSA_2048", "ENCRYPT/DECRYPT"), "RSA_PSS_SHA_256"),
        (pair("EC_SM2", "ENCRYPT/DECRYPT"), "SM2DSA"),
        (pair("EC_P256", USAGE), "ecdsa_sha_256"),
        (pair("EC_P256", USAGE), "HMAC_SHA_256"),
    ]
    for (key, version), algorithm in cases:
        target = {"KeyId": key, "KeyVersionId": version, "Algorithm": algorithm, "Digest": digest}
        api.refused("AsymmetricSign", "InvalidParameter", 400, **target)
        api.refused("AsymmetricVerify", "InvalidParameter", 400, Value="AAAA", **target)


def test_keys_that_are_not_asymmetric(api, symmetric_key, pair):
    for key in (symmetric_key, api.create_key(KeySpec="HMAC_SHA_256")):
        (version,) = api.versions(key)
        target = {"KeyId": key, "KeyVersionId": version}
        signing = target | {"Algorithm": "ECDSA_SHA_256", "Digest": b64(bytes(32))}
        api.refused("AsymmetricSign", "UnsupportedOperation", 400, **signing)
        api.refused("AsymmetricVerify", "UnsupportedOperation", 400, Value="AAAA", **signing)
        api.refused("GetPublicKey", "UnsupportedOperation", 400, **target)

    key, version = pair("EC_P256", USAGE)
    api.refused("Encrypt", "UnsupportedOperation", 400, KeyId=key, Plaintext="AAAA")
    api.refused("GenerateDataKey", "UnsupportedOperation", 400, KeyId=key)
    api.refused("GenerateMac", "UnsupportedOperation", 400, KeyId=key, Algorithm="HMAC_SHA_256", Message="AAAA")


def test_what_is_not_there_or_not_readable(api, pair):
    key, version = pair("EC_P256", USAGE)
    good = {"KeyId": key, "KeyVersionId": version, "Algorithm": "ECDSA_SHA_256", "Digest": b64(bytes(32))}
    absent = good | {"KeyId": ABSENT_KEY}
    api.refused("AsymmetricSign", "Forbidden.KeyNotFound", 404, **absent)
    api.refused("AsymmetricSign", "Forbidden.AliasNotFound", 404, **good | {"KeyId": new_alias()})
    api.refused("AsymmetricVerify", "Forbidden.KeyNotFound", 404, Value="AAAA", **absent)
    api.refused("AsymmetricSign", "Forbidden.KeyVersionNotFound", 404, **good | {"KeyVersionId": ABSENT_KEY})
    api.refused("AsymmetricSign", "InvalidParameter", 400, **good | {"Digest": "***"})
    api.refused("AsymmetricVerify", "InvalidParameter", 400, Value="***", **good)
    api.refused("GetPublicKey", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, KeyVersionId=version)
    api.refused("GetPublicKey", "Forbidden.KeyVersionNotFound", 404, KeyId=key, KeyVersionId=ABSENT_KEY)


def test_sm2_with_the_hash_of_the_standard(api, pair):
    """The digest is SM3(Z ‖ message), which the caller makes: with the public key, as gmssl does it."""
    target = named(pair("EC_SM2", USAGE), next(way for way in SIGNATURES if way.algorithm == "SM2DSA"))
    public = api.public_key("EC_SM2", target["KeyId"], target["KeyVersionId"])
    message = "合同 № 1".encode()
    signature = sign(api, target, public.digest(message))
    assert public.library.verify_with_sm3(signature.hex(), message)


def test_private_keys_that_do_not_fit_are_not_imported(api):
    from byok import parameters_for_import, wrapped

    algorithm = "RSA_AES_KEY_WRAP_SHA_256"
    by_spec = {way.spec: way for way in SIGNATURES}
    private = pkcs8_of(by_spec["EC_P256"].generate())
    key = api.create_key(KeySpec="EC_P256", Origin="EXTERNAL")
    given = parameters_for_import(api, key, algorithm)
    for material in (
        pkcs8_of(by_spec["EC_P256K"].generate()),
        pkcs8_of(by_spec["EC_SM2"].generate()),
        private[:-1],
        private + b"\0",
        hashlib.sha256(b"no key at all").digest(),
    ):
        api.refused("ImportKeyMaterial", "InvalidKeyMaterial", 400, KeyId=key, **wrapped(given, algorithm, material))
        assert api.describe(key)["KeyState"] == "PendingImport"
    api("ImportKeyMaterial", KeyId=key, **wrapped(given, algorithm, private))
    assert api.describe(key)["KeyState"] == "Enabled"
