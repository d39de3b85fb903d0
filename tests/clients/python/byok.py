"""The caller's half of bringing one's own key: wrapping material under the public key that the service gave."""

import os

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kms import b64, unb64

OAEP_SHA_1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
OAEP_SHA_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)

RSA_PADDINGS = {
    "RSAES_PKCS1_V1_5": padding.PKCS1v15(),
    "RSAES_OAEP_SHA_1": OAEP_SHA_1,
    "RSAES_OAEP_SHA_256": OAEP_SHA_256,
}
# Extension: an AES key under RSA, and the material under the AES key (RFC 5649). Takes material of any length.
HYBRID_PADDINGS = {"RSA_AES_KEY_WRAP_SHA_1": OAEP_SHA_1, "RSA_AES_KEY_WRAP_SHA_256": OAEP_SHA_256}


def wrap(public_der, algorithm, material):
    """The wrapped material, for an RSA wrapping key in DER."""
    public = serialization.load_der_public_key(public_der)
    if algorithm in RSA_PADDINGS:
        return public.encrypt(material, RSA_PADDINGS[algorithm])
    aes_key = os.urandom(32)
    return public.encrypt(aes_key, HYBRID_PADDINGS[algorithm]) + keywrap.aes_key_wrap_with_padding(aes_key, material)


def parameters_for_import(kms, key, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    """The answer of GetParametersForImport."""
    return kms("GetParametersForImport", KeyId=key, WrappingKeySpec=spec, WrappingAlgorithm=algorithm)


def wrapped(given, algorithm, material):
    """What ImportKeyMaterial takes beside KeyId, from an answer of GetParametersForImport."""
    blob = wrap(unb64(given["PublicKey"]), algorithm, material)
    return {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b64(blob)}


def import_material(kms, key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    """All steps, with an RSA wrapping key."""
    given = parameters_for_import(kms, key, algorithm, spec)
    return kms("ImportKeyMaterial", KeyId=key, **wrapped(given, algorithm, material), **more)
