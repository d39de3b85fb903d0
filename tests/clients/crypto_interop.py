"""Our cryptography against independent implementations, both ways.

Usage: python crypto_interop.py PATH_TO_CRYPTO_TOOL

PATH_TO_CRYPTO_TOOL is the built example `crypto_tool` of the crate jomae-crypto. Needs the packages `cryptography` and,
for SM2, `gmssl`. Prints one line per check; the exit code is 0 only if all of them hold.
"""

import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from Cryptodome.Util.asn1 import DerOctetString, DerSequence
from gmssl import sm2

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "crates/jomae-crypto/tests/vectors"
DER, PKCS8, SPKI = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.PublicFormat.SubjectPublicKeyInfo,
)
CLEAR = serialization.NoEncryption()

RSA_BITS = {"Rsa2048": 2048, "Rsa3072": 3072, "Rsa4096": 4096}
CURVES = {
    "EcP256": (ec.SECP256R1(), hashes.SHA256(), "EcdsaSha256"),
    "EcP256K": (ec.SECP256K1(), hashes.SHA256(), "EcdsaSha256"),
    "EcP384": (ec.SECP384R1(), hashes.SHA384(), "EcdsaSha384"),
    "EcP521": (ec.SECP521R1(), hashes.SHA512(), "EcdsaSha512"),
}
OAEP = {
    "RsaesOaepSha1": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RsaesOaepSha256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}
RSA_SIGN = {
    "RsaPssSha256": padding.PSS(padding.MGF1(hashes.SHA256()), 32),
    "RsaPkcs1Sha256": padding.PKCS1v15(),
}
MACS = {
    "Sha1": hashes.SHA1(),
    "Sha224": hashes.SHA224(),
    "Sha256": hashes.SHA256(),
    "Sha384": hashes.SHA384(),
    "Sha512": hashes.SHA512(),
    "Sm3": hashes.SM3(),
}
failures = 0


def check(what, holds):
    global failures
    print(("ok    " if holds else "WRONG ") + what, flush=True)
    failures += not holds


class Tool:
    """The example program, running: one request and one answer at a time."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, op, **fields):
        request = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
        self.process.stdin.write(json.dumps({"op": op, **request}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def bytes(self, op, result, **fields):
        """The named result, or None if the tool refused."""
        value = self(op, **fields).get(result)
        return None if value is None else bytes.fromhex(value)


def verifies(call):
    try:
        call()
        return True
    except InvalidSignature:
        return False


def both_keys(tool, spec, generate):
    """(name, private key of `cryptography`, PKCS#8, SPKI), once made here and once made by the tool."""
    ours = tool("generate", spec=spec)
    private = bytes.fromhex(ours["private"])
    key = serialization.load_der_private_key(private, None)
    yield f"{spec}, key of ours", key, private, bytes.fromhex(ours["public"])
    key = generate()
    private = key.private_bytes(DER, PKCS8, CLEAR)
    imported = tool("import", spec=spec, private=private)
    public = key.public_key().public_bytes(DER, SPKI)
    check(f"{spec}: a key from outside is imported", imported.get("public") == public.hex())
    yield f"{spec}, key of theirs", key, private, public


def check_public(tool, name, spec, key, public):
    check(f"{name}: SPKI", key.public_key().public_bytes(DER, SPKI) == public)
    check(f"{name}: spec of the SPKI", tool("spec", public=public)["spec"] == spec)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, SPKI).decode()
    check(f"{name}: PEM", tool("pem", public=public)["pem"] == pem)


def check_signatures(tool, name, spec, alg, private, public, digest, sign, verify):
    """`sign()` and `verify(signature)` are those of the other library."""
    ours = tool.bytes("sign", "signature", spec=spec, private=private, alg=alg, input=digest)
    check(f"{name}: {alg} signed by us", verifies(lambda: verify(ours)))
    theirs = sign()
    valid = tool("verify", spec=spec, public=public, alg=alg, input=digest, signature=theirs).get("valid")
    check(f"{name}: {alg} verified by us", valid is True)
    other = bytes([digest[0] ^ 1]) + digest[1:]
    valid = tool("verify", spec=spec, public=public, alg=alg, input=other, signature=theirs).get("valid")
    check(f"{name}: {alg} refused by us for another message", valid is False)


def rsa_keys(tool):
    for spec, bits in RSA_BITS.items():
        for name, key, private, public in both_keys(tool, spec, lambda: rsa.generate_private_key(65537, bits)):
            check(f"{name}: size", key.key_size == bits)
            check_public(tool, name, spec, key, public)
            digest = os.urandom(32)
            prehashed = utils.Prehashed(hashes.SHA256())
            for alg, pad in RSA_SIGN.items():
                check_signatures(
                    tool, name, spec, alg, private, public, digest,
                    lambda: key.sign(digest, pad, prehashed),
                    lambda signature: key.public_key().verify(signature, digest, pad, prehashed),
                )
            for alg, pad in OAEP.items():
                longest = bits // 8 - (42 if alg == "RsaesOaepSha1" else 66)
                for length in (0, 1, longest):
                    plain = os.urandom(length)
                    ours = tool.bytes("encrypt", "ciphertext", spec=spec, public=public, alg=alg, plaintext=plain)
                    check(f"{name}: {alg} {length} bytes encrypted by us", key.decrypt(ours, pad) == plain)
                    theirs = key.public_key().encrypt(plain, pad)
                    ours = tool.bytes("decrypt", "plaintext", spec=spec, private=private, alg=alg, ciphertext=theirs)
                    check(f"{name}: {alg} {length} bytes decrypted by us", ours == plain)
                answer = tool("encrypt", spec=spec, public=public, alg=alg, plaintext=os.urandom(longest + 1))
                check(f"{name}: {alg} {longest + 1} bytes refused", "error" in answer)
            check_wrapping(tool, name, spec, key, private, public)
        traditional = key.private_bytes(DER, serialization.PrivateFormat.TraditionalOpenSSL, CLEAR)
        imported = tool("import", spec=spec, private=traditional)
        check(f"{spec}: PKCS#1 is imported", imported.get("public") == public.hex())


def check_wrapping(tool, name, spec, key, private, public):
    material = os.urandom(32)
    simple = {**OAEP, "RsaesPkcs1V15": padding.PKCS1v15()}
    for alg, pad in simple.items():
        blob = tool.bytes("wrap", "blob", public=public, alg=alg, material=material)
        check(f"{name}: {alg} wrapped by us", key.decrypt(blob, pad) == material)
        blob = key.public_key().encrypt(material, pad)
        ours = tool.bytes("unwrap", "material", spec=spec, private=private, alg=alg, blob=blob, bytes=32)
        check(f"{name}: {alg} unwrapped by us", ours == material)
    inner = ec.generate_private_key(ec.SECP256R1()).private_bytes(DER, PKCS8, CLEAR)
    for alg, oaep in (("RsaAesKeyWrapSha1", "RsaesOaepSha1"), ("RsaAesKeyWrapSha256", "RsaesOaepSha256")):
        blob = tool.bytes("wrap", "blob", public=public, alg=alg, material=inner)
        modulus = key.key_size // 8
        kek = key.decrypt(blob[:modulus], OAEP[oaep])
        unwrapped = keywrap.aes_key_unwrap_with_padding(kek, blob[modulus:])
        check(f"{name}: {alg} wrapped by us", len(kek) == 32 and unwrapped == inner)
        kek = os.urandom(32)
        blob = key.public_key().encrypt(kek, OAEP[oaep]) + keywrap.aes_key_wrap_with_padding(kek, inner)
        ours = tool.bytes("unwrap", "material", spec=spec, private=private, alg=alg, blob=blob)
        check(f"{name}: {alg} unwrapped by us", ours == inner)


def ec_keys(tool):
    for spec, (curve, hash_, alg) in CURVES.items():
        for name, key, private, public in both_keys(tool, spec, lambda: ec.generate_private_key(curve)):
            check_public(tool, name, spec, key, public)
            digest = os.urandom(hash_.digest_size)
            ecdsa = ec.ECDSA(utils.Prehashed(hash_))
            check_signatures(
                tool, name, spec, alg, private, public, digest,
                lambda: key.sign(digest, ecdsa),
                lambda signature: key.public_key().verify(signature, digest, ecdsa),
            )
        sec1 = key.private_bytes(DER, serialization.PrivateFormat.TraditionalOpenSSL, CLEAR)
        check(f"{spec}: SEC1 is imported", tool("import", spec=spec, private=sec1).get("public") == public.hex())


def other_keys(tool):
    message = os.urandom(1000)
    signers = (("Ed25519", ed25519.Ed25519PrivateKey.generate), ("MlDsa65", mldsa.MLDSA65PrivateKey.generate))
    for spec, generate in signers:
        for name, key, private, public in both_keys(tool, spec, generate):
            check_public(tool, name, spec, key, public)
            check_signatures(
                tool, name, spec, spec, private, public, message,
                lambda: key.sign(message),
                lambda signature: key.public_key().verify(signature, message),
            )


def ml_kem(tool):
    # Our key does not hold the seed, which is all that the other library reads: only its public half crosses over.
    ours = tool("generate", spec="MlKem768")
    public = serialization.load_der_public_key(bytes.fromhex(ours["public"]))
    check("MlKem768, key of ours: SPKI", public.public_bytes(DER, SPKI).hex() == ours["public"])
    secret, ciphertext = public.encapsulate()
    opened = tool.bytes("decapsulate", "secret", spec="MlKem768", private=ours["private"], ciphertext=ciphertext)
    check("MlKem768: decapsulated by us", opened == secret)
    key = mlkem.MLKEM768PrivateKey.generate()
    public = key.public_key().public_bytes(DER, SPKI)
    check("MlKem768, key of theirs: spec of the SPKI", tool("spec", public=public)["spec"] == "MlKem768")
    sealed = tool("encapsulate", public=public)
    opened = key.decapsulate(bytes.fromhex(sealed["ciphertext"]))
    check("MlKem768: encapsulated by us", opened.hex() == sealed["secret"])


def gmssl_key(scalar, public, **options):
    key = sm2.CryptSM2(private_key=scalar.hex(), public_key="", mode=1, **options)
    # Its constructor takes a point that begins with the byte 04 for one with a prefix, and cuts that off.
    key.public_key = public[-64:].hex()
    return key


def sm2_encrypt(key, plain):
    """gmssl gives None where the standard asks for another random number, which is likely for a single byte."""
    while True:
        ciphertext = key.encrypt(plain)
        if ciphertext is not None:
            return ciphertext


def sm2_der(ciphertext):
    """The DER form (GM/T 0009) of a ciphertext x ‖ y ‖ C3 ‖ C2."""
    x, y = (int.from_bytes(part, "big") for part in (ciphertext[:32], ciphertext[32:64]))
    return DerSequence([x, y, DerOctetString(ciphertext[64:96]), DerOctetString(ciphertext[96:])]).encode()


def sm2_keys(tool):
    """gmssl takes the bare numbers of a key; they are at fixed places in the DER of our own keys."""
    ours = tool("generate", spec="EcSm2")
    private, public = bytes.fromhex(ours["private"]), bytes.fromhex(ours["public"])
    scalar = private[private.index(b"\x02\x01\x01\x04\x20") + 5 :][:32]
    theirs = gmssl_key(scalar, public, asn1=True)
    point = theirs._kg(int(scalar.hex(), 16), theirs.ecc_table["g"])
    check("EcSm2: the public key belongs to the private", point == public[-64:].hex())
    digest = os.urandom(32)
    signature = tool.bytes("sign", "signature", spec="EcSm2", private=private, alg="Sm2Dsa", input=digest)
    check("EcSm2: signed by us", theirs.verify(signature.hex(), digest))
    signature = bytes.fromhex(theirs.sign(digest, "%064x" % int.from_bytes(os.urandom(31), "big")))
    fields = {"spec": "EcSm2", "public": public, "alg": "Sm2Dsa"}
    check("EcSm2: verified by us", tool("verify", **fields, input=digest, signature=signature)["valid"] is True)
    other = tool("verify", **fields, input=os.urandom(32), signature=signature)
    check("EcSm2: another digest refused", other["valid"] is False)
    message = b"message of some length"
    e = bytes.fromhex(theirs._sm3_z(message))
    signature = tool.bytes("sign", "signature", spec="EcSm2", private=private, alg="Sm2Dsa", input=e)
    check("EcSm2: SM3(Z, message) signed by us", theirs.verify_with_sm3(signature.hex(), message))
    raw = gmssl_key(scalar, public)
    for length in (1, 32, 33, 6047):
        plain = os.urandom(length)
        ciphertext = tool.bytes("encrypt", "ciphertext", spec="EcSm2", public=public, alg="Sm2Pke", plaintext=plain)
        check(f"EcSm2: {length} bytes have 97 more when encrypted", len(ciphertext) == length + 97)
        # gmssl leaves the 04 in front of the point out.
        check(f"EcSm2: {length} bytes encrypted by us", raw.decrypt(ciphertext[1:]) == plain)
        # gmssl does not look at the hash.
        shared = bytes.fromhex(raw._kg(int(scalar.hex(), 16), ciphertext[1:65].hex()))
        c3 = hashes.Hash(hashes.SM3())
        c3.update(shared[:32] + plain + shared[32:])
        check(f"EcSm2: {length} bytes hashed by us", c3.finalize() == ciphertext[65:97])
        ciphertext = b"\x04" + sm2_encrypt(raw, plain)
        opened = tool.bytes("decrypt", "plaintext", spec="EcSm2", private=private, alg="Sm2Pke", ciphertext=ciphertext)
        check(f"EcSm2: {length} bytes decrypted by us", opened == plain)
        der = sm2_der(sm2_encrypt(raw, plain))
        opened = tool.bytes("decrypt", "plaintext", spec="EcSm2", private=private, alg="Sm2Pke", ciphertext=der)
        check(f"EcSm2: {length} bytes in DER decrypted by us", opened == plain)
    material = os.urandom(16)
    blob = tool.bytes("wrap", "blob", public=public, alg="Sm2Pke", material=material)
    check("EcSm2: wrapped by us", raw.decrypt(blob[1:]) == material)
    blob = sm2_der(sm2_encrypt(raw, material))
    fields = {"spec": "EcSm2", "private": private, "alg": "Sm2Pke"}
    check("EcSm2: unwrapped by us", tool.bytes("unwrap", "material", **fields, blob=blob, bytes=16) == material)


def macs(tool):
    for alg, hash_ in MACS.items():
        for key_bytes, message_bytes in ((1, 0), (32, 1), (64, 100), (200, 6144)):
            key, message = os.urandom(key_bytes), os.urandom(message_bytes)
            theirs = HMAC(key, hash_)
            theirs.update(message)
            ours = tool.bytes("mac", "mac", alg=alg, key=key, message=message)
            check(f"HMAC {alg}, {key_bytes}-byte key, {message_bytes} bytes", ours == theirs.finalize())


ENVELOPE = {
    "AES-256": (1, 32, "cmk-envelope", algorithms.AES, "Aes256"),
    "AES-128": (2, 16, "cmk-envelope-aes-128", algorithms.AES, "Aes128"),
    "AES-192": (3, 24, "cmk-envelope-aes-192", algorithms.AES, "Aes192"),
    "SM4": (4, 16, "cmk-envelope-sm4", algorithms.SM4, "Sm4"),
}


def prefixed(text):
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


def binding_bytes(vector):
    return b"".join(prefixed(vector[name]) for name in ("account", "region", "key_id", "version_id", "spec", "usage"))


def canonical_context(pairs):
    items = sorted((pairs or {}).items(), key=lambda pair: pair[0].encode())
    return len(items).to_bytes(4, "big") + b"".join(prefixed(text) for pair in items for text in pair)


def hkdf(key, salt, info, length):
    prk = hmac.digest(salt, key, hashlib.sha256)
    okm, block = b"", b""
    while len(okm) < length:
        block = hmac.digest(prk, block + info + bytes([len(okm) // 32 + 1]), hashlib.sha256)
        okm += block
    return okm[:length]


def envelope_blob(vector):
    """The blob of a vector by the description of the format, without any code of the product."""
    number, key_bytes, purpose, cipher, _ = ENVELOPE[vector.get("cipher", "AES-256")]
    salt = bytes.fromhex(vector["salt"])
    info = b"jomae/v1/" + purpose.encode() + b"\0" + salt + binding_bytes(vector)
    okm = hkdf(bytes.fromhex(vector["material"]), bytes(32), info, key_bytes + 32)
    number += 0x10 if vector.get("content") == "text" else 0
    header = vector["version_id"].encode() + bytes([number])
    encryptor = Cipher(cipher(okm[:key_bytes]), modes.GCM(bytes(12))).encryptor()
    encryptor.authenticate_additional_data(header + canonical_context(vector["context"]))
    ciphertext = encryptor.update(bytes.fromhex(vector["plaintext"])) + encryptor.finalize()
    return header + salt + okm[key_bytes:] + ciphertext + encryptor.tag


def envelopes(tool):
    vectors = json.loads((VECTORS / "envelope-v1.json").read_text())["envelope"]
    vectors += json.loads((VECTORS / "envelope-ciphers.json").read_text())["envelope_ciphers"]
    vectors += json.loads((VECTORS / "envelope-text.json").read_text())["envelope_text"]
    for vector in vectors:
        name = f"envelope, {vector['name']}"
        check(f"{name}: vector", envelope_blob(vector).hex() == vector["blob"])
        opened = tool("envelope_open", **vector)
        check(f"{name}: opened by us", opened.get("plaintext") == vector["plaintext"])
        fields = {**vector, "cipher": ENVELOPE[vector.get("cipher", "AES-256")][4]}
        blob = tool("envelope_seal", **fields)["blob"]
        again = envelope_blob({**vector, "salt": blob[74:138]})
        check(f"{name}: sealed by us", again.hex() == blob)


def main():
    tool = Tool(sys.argv[1])
    for part in (envelopes, macs, ec_keys, other_keys, ml_kem, sm2_keys, rsa_keys):
        part(tool)
    tool.process.stdin.close()
    return 1 if failures or tool.process.wait() else 0


if __name__ == "__main__":
    sys.exit(main())
