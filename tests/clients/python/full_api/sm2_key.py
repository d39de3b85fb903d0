"""SM2 by gmssl, with the face that keys of `cryptography` have."""

import os

from Cryptodome.Util.asn1 import DerBitString, DerObjectId, DerOctetString, DerSequence
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from gmssl.sm2 import CryptSM2, default_ecc_table

ORDER = int(default_ecc_table["n"], 16)
ID_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
ID_SM2 = "1.2.156.10197.1.301"


def algorithm_identifier():
    return DerSequence([DerObjectId(ID_EC_PUBLIC_KEY), DerObjectId(ID_SM2)])


def gmssl(point, scalar=None):
    """`point` is x ‖ y in 64 bytes."""
    library = CryptSM2(private_key=scalar and f"{scalar:064x}", public_key="", mode=1, asn1=True)
    # Its constructor takes a point that begins with the byte 04 for one with a prefix.
    library.public_key = point.hex()
    return library


class Sm2PublicKey:
    def __init__(self, point):
        self.point = point
        self.library = gmssl(point)

    @classmethod
    def from_der(cls, spki):
        key = cls(spki[-64:])
        assert key.der() == spki, "not the SubjectPublicKeyInfo of an SM2 key"
        return key

    def der(self):
        return DerSequence([algorithm_identifier(), DerBitString(b"\x04" + self.point)]).encode()

    def verify(self, signature, digest):
        if not self.library.verify(signature.hex(), digest):
            raise InvalidSignature

    def digest(self, message):
        """SM3(Z ‖ message) with the usual user id 1234567812345678 in Z."""
        return bytes.fromhex(self.library._sm3_z(message))

    def encrypt(self, plain):
        """04 ‖ x ‖ y ‖ C3 ‖ C2. gmssl gives None where the standard asks for another random number."""
        while True:
            ciphertext = self.library.encrypt(plain)
            if ciphertext is not None:
                return b"\x04" + ciphertext

    def encrypt_der(self, plain):
        """The form of GM/T 0009."""
        ciphertext = self.encrypt(plain)[1:]
        x, y = (int.from_bytes(part, "big") for part in (ciphertext[:32], ciphertext[32:64]))
        return DerSequence([x, y, DerOctetString(ciphertext[64:96]), DerOctetString(ciphertext[96:])]).encode()


class Sm2PrivateKey:
    def __init__(self, scalar):
        self.scalar = scalar
        point = bytes.fromhex(gmssl(bytes(64))._kg(scalar, default_ecc_table["g"]))
        self.library = gmssl(point, scalar)
        self.public = Sm2PublicKey(point)

    @classmethod
    def generate(cls):
        return cls(int.from_bytes(os.urandom(40), "big") % (ORDER - 2) + 1)

    def public_key(self):
        return self.public

    def pkcs8(self):
        public = DerBitString(b"\x04" + self.public.point, explicit=1)
        sec1 = DerSequence([1, DerOctetString(self.scalar.to_bytes(32, "big")), public]).encode()
        return DerSequence([0, algorithm_identifier(), DerOctetString(sec1)]).encode()

    def sign(self, digest):
        nonce = int.from_bytes(os.urandom(40), "big") % (ORDER - 1) + 1
        return bytes.fromhex(self.library.sign(digest, f"{nonce:064x}"))

    def decrypt(self, ciphertext):
        """Takes 04 ‖ x ‖ y ‖ C3 ‖ C2, and looks at the hash C3, which gmssl does not."""
        assert ciphertext[0] == 4
        plain = self.library.decrypt(ciphertext[1:])
        shared = bytes.fromhex(self.library._kg(self.scalar, ciphertext[1:65].hex()))
        c3 = hashes.Hash(hashes.SM3())
        c3.update(shared[:32] + plain + shared[32:])
        assert c3.finalize() == ciphertext[65:97]
        return plain
