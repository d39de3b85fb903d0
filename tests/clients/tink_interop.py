"""Our encrypted streams against Google Tink, both ways.

Usage: python tink_interop.py PATH_TO_STREAM_TOOL

PATH_TO_STREAM_TOOL is the built example `stream_tool` of the crate jomae-client. Needs the package `tink`.
Prints one line per check; the exit code is 0 only if all of them hold.
"""

import io
import os
import subprocess
import sys

import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

MIB = 1 << 20
HEADER = 40
TAG = 16
# The first segment holds MIB - 56 bytes of plaintext, every other MIB - 16.
FIRST = MIB - HEADER - TAG
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + MIB - TAG, 3 * MIB + 5]


class Sink(io.BytesIO):
    """Tink closes what it writes to; this keeps the bytes."""

    def close(self):
        self.content = self.getvalue()
        super().close()


def tink_primitive(key):
    """AES256_GCM_HKDF_1MB over a raw key, as Tink's template of that name has it."""
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=MIB, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    streaming_key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=params, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    entry = keyset.key.add(key_id=1, status=tink_pb2.ENABLED, output_prefix_type=tink_pb2.RAW)
    entry.key_data.type_url = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
    entry.key_data.value = streaming_key.SerializeToString()
    entry.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


def tink_seal(primitive, associated_data, plain):
    sink = Sink()
    with primitive.new_encrypting_stream(sink, associated_data) as stream:
        stream.write(plain)
    return sink.content


def tink_open(primitive, associated_data, sealed):
    """The plaintext, or None if Tink refuses the stream."""
    try:
        with primitive.new_decrypting_stream(io.BytesIO(sealed), associated_data) as stream:
            return stream.read()
    except tink.TinkError:
        return None


def ours(tool, verb, key, associated_data, data):
    """The output, or None if the tool refuses the stream."""
    command = [tool, verb, "--key", key.hex(), "--ad", associated_data.hex()]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout if done.returncode == 0 else None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tool = sys.argv[1]
    streaming_aead.register()
    failures = 0

    def check(holds, what):
        nonlocal failures
        failures += not holds
        print("ok  " if holds else "FAIL", what, flush=True)

    for size in SIZES:
        # A new key each time; associated data of the length of a real header.
        key, associated_data, plain = os.urandom(32), os.urandom(300), os.urandom(size)
        primitive = tink_primitive(key)
        from_us = ours(tool, "seal", key, associated_data, plain)
        from_tink = tink_seal(primitive, associated_data, plain)
        check(len(from_us) == len(from_tink), f"{size} bytes: both streams have the same length")
        check(tink_open(primitive, associated_data, from_us) == plain, f"{size} bytes: tink opens ours")
        check(ours(tool, "open", key, associated_data, from_tink) == plain, f"{size} bytes: we open tink's")

        for name, sealed in (("ours", from_us), ("tink's", from_tink)):
            cuts = {0, HEADER, HEADER + 1, len(sealed) - TAG, len(sealed) - 1}
            cuts |= {at for at in (MIB, 2 * MIB) if at < len(sealed)}
            for cut in sorted(cuts):
                part = sealed[:cut]
                check(tink_open(primitive, associated_data, part) is None, f"{size} bytes: tink refuses {name} cut at {cut}")
                check(ours(tool, "open", key, associated_data, part) is None, f"{size} bytes: we refuse {name} cut at {cut}")
        check(tink_open(primitive, b"other", from_us) is None, f"{size} bytes: tink refuses other associated data")
        check(ours(tool, "open", key, b"other", from_tink) is None, f"{size} bytes: we refuse other associated data")

    if failures:
        sys.exit(f"{failures} checks failed")


if __name__ == "__main__":
    main()
