"""AsymmetricEncrypt and AsymmetricDecrypt: every algorithm, against other libraries, in both directions."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem
from peers import ENCRYPTIONS, der_of_pem, spki_of

from kms import ABSENT_KEY, b64, new_alias, unb64

USAGE = "ENCRYPT/DECRYPT"

each_encryption = pytest.mark.parametrize("way", ENCRYPTIONS, ids=str)


def named(key_and_version, way):
    key, version = key_and_version
    return {"KeyId": key, "KeyVersionId": version, "Algorithm": way.algorithm}


def encrypt(api, target, plain):
    answer = api("AsymmetricEncrypt", Plaintext=b64(plain), **target)
    assert (answer["KeyId"], answer["KeyVersionId"]) == (target["KeyId"], target["KeyVersionId"])
    return unb64(answer["CiphertextBlob"])


def decrypt(api, target, ciphertext):
    answer = api("AsymmetricDecrypt", CiphertextBlob=b64(ciphertext), **target)
    assert (answer["KeyId"], answer["KeyVersionId"]) == (target["KeyId"], target["KeyVersionId"])
    return unb64(answer["Plaintext"])


def sizes(way):
    return (1, 32, way.plaintext_bytes_max)


@each_encryption
def test_a_key_of_the_service(api, pair, way):
    target = named(pair(way.spec, USAGE), way)
    public = api.public_key(way.spec, target["KeyId"], target["KeyVersionId"])
    for length in sizes(way):
        plain = os.urandom(length)
        assert decrypt(api, target, public.encrypt(plain, *way.arguments)) == plain
        ciphertext = encrypt(api, target, plain)
        assert len(ciphertext) == way.ciphertext_bytes(length)
        assert decrypt(api, target, ciphertext) == plain
        assert encrypt(api, target, plain) != ciphertext
    too_long = b64(bytes(way.plaintext_bytes_max + 1))
    api.refused("AsymmetricEncrypt", "InvalidParameter", 400, Plaintext=too_long, **target)


@each_encryption
def test_a_key_from_outside(api, way):
    private = way.generate()
    target = named(api.import_pair(way.spec, USAGE, private), way)
    pem = api("GetPublicKey", KeyId=target["KeyId"], KeyVersionId=target["KeyVersionId"])["PublicKey"]
    assert der_of_pem(pem) == spki_of(private.public_key())
    for length in sizes(way):
        plain = os.urandom(length)
        assert private.decrypt(encrypt(api, target, plain), *way.arguments) == plain
        assert decrypt(api, target, private.public_key().encrypt(plain, *way.arguments)) == plain


@each_encryption
def test_damage_is_refused_alike(api, pair, way):
    target = named(pair(way.spec, USAGE), way)
    good = encrypt(api, target, b"plain")
    changed = bytearray(good)
    changed[-1] ^= 1
    wrong = (bytes(changed), good[:-1], good + b"\0", bytes(len(good)), b"\xff" * len(good), b"x")
    messages = set()
    for ciphertext in wrong:
        error = api.refused("AsymmetricDecrypt", "InvalidParameter", 400, CiphertextBlob=b64(ciphertext), **target)
        messages.add(error.message.replace(error.request_id, ""))
    assert len(messages) == 1


def test_sm2_ciphertext_in_der(api, pair):
    key, version = pair("EC_SM2", USAGE)
    public = api.public_key("EC_SM2", key, version)
    target = {"KeyId": key, "KeyVersionId": version, "Algorithm": "SM2PKE"}
    for length in (1, 100, 6000):
        plain = os.urandom(length)
        assert decrypt(api, target, public.encrypt_der(plain)) == plain


def test_ml_kem(api, pair):
    """Extension: the ciphertext is an encapsulation, the plaintext the shared secret."""
    key, version = pair("ML_KEM_768", USAGE)
    public = api.public_key("ML_KEM_768", key, version)
    assert isinstance(public, mlkem.MLKEM768PublicKey)
    secret, ciphertext = public.encapsulate()
    target = {"KeyId": key, "KeyVersionId": version, "Algorithm": "ML_KEM_768"}
    assert decrypt(api, target, ciphertext) == secret
    api.refused("AsymmetricDecrypt", "InvalidParameter", 400, CiphertextBlob=b64(ciphertext[:-1]), **target)
    # A KEM encrypts nothing of the caller's.
    api.refused("AsymmetricEncrypt", "UnsupportedOperation", 400, Plaintext="AAAA", **target)


def test_oaep_hashes_are_not_mixed(api, pair):
    key, version = pair("RSA_2048", USAGE)
    target = {"KeyId": key, "KeyVersionId": version}
    ciphertext = encrypt(api, target | {"Algorithm": "RSAES_OAEP_SHA_1"}, b"plain")
    other = target | {"Algorithm": "RSAES_OAEP_SHA_256", "CiphertextBlob": b64(ciphertext)}
    api.refused("AsymmetricDecrypt", "InvalidParameter", 400, **other)


def test_versions_are_not_mixed(api):
    key, first = api.new_pair("EC_SM2", USAGE)
    second = api("CreateKeyVersion", KeyId=key)["KeyVersion"]["KeyVersionId"]
    target = {"KeyId": key, "Algorithm": "SM2PKE"}
    ciphertext = encrypt(api, target | {"KeyVersionId": first}, b"plain")
    assert decrypt(api, target | {"KeyVersionId": first}, ciphertext) == b"plain"
    wrong = target | {"KeyVersionId": second, "CiphertextBlob": b64(ciphertext)}
    api.refused("AsymmetricDecrypt", "InvalidParameter", 400, **wrong)
    assert api.public_key("EC_SM2", key, first).der() != api.public_key("EC_SM2", key, second).der()


def test_an_alias_and_a_full_name(api):
    key, version = api.new_pair("EC_SM2", USAGE)
    alias = new_alias()
    api("CreateAlias", AliasName=alias, KeyId=key)
    for name in (alias, api.describe(key)["Arn"]):
        target = {"KeyId": name, "KeyVersionId": version, "Algorithm": "SM2PKE"}
        sealed = api("AsymmetricEncrypt", Plaintext="AAAA", **target)
        opened = api("AsymmetricDecrypt", CiphertextBlob=sealed["CiphertextBlob"], **target)
        assert (sealed["KeyId"], opened["KeyId"], opened["Plaintext"]) == (key, key, "AAAA")


def test_what_does_not_fit(api, pair, symmetric_key):
    rsa, signing, sm2 = pair("RSA_2048", USAGE), pair("RSA_2048", "SIGN/VERIFY"), pair("EC_SM2", USAGE)
    blob = b64(bytes(256))
    for (key, version), algorithm in (
        (rsa, "SM2PKE"),
        (rsa, "RSA_PSS_SHA_256"),
        (rsa, "RSAES_PKCS1_V1_5"),
        (signing, "RSAES_OAEP_SHA_256"),
        (sm2, "RSAES_OAEP_SHA_256"),
    ):
        target = {"KeyId": key, "KeyVersionId": version, "Algorithm": algorithm}
        api.refused("AsymmetricEncrypt", "InvalidParameter", 400, Plaintext="AAAA", **target)
        api.refused("AsymmetricDecrypt", "InvalidParameter", 400, CiphertextBlob=blob, **target)

    target = {"KeyId": rsa[0], "KeyVersionId": rsa[1], "Algorithm": "RSAES_OAEP_SHA_256"}
    for action, more in (("AsymmetricEncrypt", {"Plaintext": "AAAA"}), ("AsymmetricDecrypt", {"CiphertextBlob": blob})):
        api.refused(action, "Forbidden.KeyNotFound", 404, **target | more | {"KeyId": ABSENT_KEY})
        api.refused(action, "Forbidden.KeyVersionNotFound", 404, **target | more | {"KeyVersionId": ABSENT_KEY})
        api.refused(action, "Forbidden.KeyVersionNotFound", 404, **target | more | {"KeyVersionId": sm2[1]})
        api.refused(action, "UnsupportedOperation", 400, **target | more | {"KeyId": symmetric_key})
        (name,) = more
        api.refused(action, "InvalidParameter", 400, **target | {name: "***"})
    # Encryption of the answer for an enclave is not offered; ignoring it would give the plaintext in the clear.
    sealed = b64(encrypt(api, target, b"plain"))
    api.refused("AsymmetricDecrypt", "InvalidParameter", 400, CiphertextBlob=sealed, Recipient="{}", **target)
