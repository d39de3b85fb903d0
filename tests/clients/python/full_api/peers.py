"""Independent implementations of everything that has a standard form: `cryptography`, and gmssl for SM2."""

import base64
import functools
from dataclasses import dataclass
from typing import Any, Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils

from byok import OAEP_SHA_1, OAEP_SHA_256
from sm2_key import Sm2PrivateKey, Sm2PublicKey

DER = serialization.Encoding.DER


@functools.cache
def rsa_key(bits, number=0):
    """Made once for all tests; another `number` is another key."""
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Signature:
    """One way to sign, and how the other library is asked for it."""

    spec: str
    algorithm: str
    generate: Callable
    # What sign() and verify() take after the data.
    arguments: tuple
    # None: the message itself is signed.
    digest_bytes: int | None = 32

    def __str__(self):
        return f"{self.spec}-{self.algorithm}"


@dataclass(frozen=True)
class Encryption:
    spec: str
    algorithm: str
    generate: Callable
    # What encrypt() and decrypt() take after the data.
    arguments: tuple
    plaintext_bytes_max: int
    # How much longer a ciphertext is, or its fixed length.
    ciphertext_bytes: Callable[[int], int]

    def __str__(self):
        return f"{self.spec}-{self.algorithm}"


def prehashed(hash_):
    return utils.Prehashed(hash_)


def rsa_signature(bits, algorithm, pad):
    return Signature(f"RSA_{bits}", algorithm, lambda: rsa_key(bits), (pad, prehashed(hashes.SHA256())))


def ecdsa(spec, curve, hash_, algorithm):
    generate: Any = functools.partial(ec.generate_private_key, curve)
    return Signature(spec, algorithm, generate, (ec.ECDSA(prehashed(hash_)),), hash_.digest_size)


def rsa_encryption(bits, algorithm, pad, overhead_bytes):
    size = bits // 8
    return Encryption(f"RSA_{bits}", algorithm, lambda: rsa_key(bits), (pad,), size - overhead_bytes, lambda _: size)


PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
RSA_BITS = (2048, 3072, 4096)

SIGNATURES = [
    *(rsa_signature(bits, "RSA_PSS_SHA_256", PSS) for bits in RSA_BITS),
    *(rsa_signature(bits, "RSA_PKCS1_SHA_256", padding.PKCS1v15()) for bits in RSA_BITS),
    ecdsa("EC_P256", ec.SECP256R1(), hashes.SHA256(), "ECDSA_SHA_256"),
    ecdsa("EC_P256K", ec.SECP256K1(), hashes.SHA256(), "ECDSA_SHA_256"),
    Signature("EC_SM2", "SM2DSA", Sm2PrivateKey.generate, ()),
    # Extensions.
    ecdsa("EC_P384", ec.SECP384R1(), hashes.SHA384(), "ECDSA_SHA_384"),
    ecdsa("EC_P521", ec.SECP521R1(), hashes.SHA512(), "ECDSA_SHA_512"),
    Signature("EC_ED25519", "ED25519", ed25519.Ed25519PrivateKey.generate, (), None),
    Signature("ML_DSA_65", "ML_DSA_65", mldsa.MLDSA65PrivateKey.generate, (), None),
]

ENCRYPTIONS = [
    *(rsa_encryption(bits, "RSAES_OAEP_SHA_256", OAEP_SHA_256, 66) for bits in RSA_BITS),
    *(rsa_encryption(bits, "RSAES_OAEP_SHA_1", OAEP_SHA_1, 42) for bits in RSA_BITS),
    Encryption("EC_SM2", "SM2PKE", Sm2PrivateKey.generate, (), 6047, lambda plaintext_bytes: plaintext_bytes + 97),
]

MACS = {
    "HMAC_SHA_224": (28, hashes.SHA224()),
    "HMAC_SHA_256": (32, hashes.SHA256()),
    "HMAC_SHA_384": (48, hashes.SHA384()),
    "HMAC_SHA_512": (64, hashes.SHA512()),
    "HMAC_SM3": (32, hashes.SM3()),
}


def pkcs8_of(private):
    if isinstance(private, Sm2PrivateKey):
        return private.pkcs8()
    return private.private_bytes(DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def spki_of(public):
    if isinstance(public, Sm2PublicKey):
        return public.der()
    return public.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_pem(spec, pem):
    """The public key of an answer of GetPublicKey."""
    if spec != "EC_SM2":
        return serialization.load_pem_public_key(pem.encode())
    return Sm2PublicKey.from_der(der_of_pem(pem))


def der_of_pem(pem):
    lines = pem.splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    return base64.b64decode("".join(lines[1:-1]), validate=True)
