"""Keeps notes, each encrypted under a key of Jomae, with the official SDK: pip install alibabacloud-kms20160120

    PUT /NAME     keeps the body, of up to 6144 bytes
    GET /NAME     gives it back

The files hold ciphertext alone, and one that is given another name cannot be decrypted: its name is in the encryption
context.
"""

import base64
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alibabacloud_kms20160120.client import Client
from alibabacloud_kms20160120.models import DecryptRequest, EncryptRequest
from alibabacloud_tea_openapi.models import Config

KEY = "alias/notes"
NOTE_BYTES_MAX = 6144
DIRECTORY = Path(os.environ["STATE_DIRECTORY"])

client = Client(
    Config(
        endpoint=os.environ["JOMAE_ENDPOINT"].removeprefix("https://"),
        ca=os.environ["JOMAE_CA_FILE"],
        region_id="cn-hangzhou",
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    )
)


def context(name):
    return {"service": "notes", "name": name}


def keep(name, note):
    plaintext = base64.b64encode(note).decode()
    request = EncryptRequest(key_id=KEY, plaintext=plaintext, encryption_context=context(name))
    (DIRECTORY / name).write_text(client.encrypt(request).body.ciphertext_blob)


def read(name):
    ciphertext = (DIRECTORY / name).read_text()
    request = DecryptRequest(ciphertext_blob=ciphertext, encryption_context=context(name))
    return base64.b64decode(client.decrypt(request).body.plaintext)


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def name(self):
        match = re.fullmatch(r"/([a-z0-9-]{1,64})", self.path)
        return match and match[1]

    def do_PUT(self):
        length = int(self.headers.get("Content-Length", 0))
        if not self.name() or length > NOTE_BYTES_MAX:
            return self.answer(400)
        keep(self.name(), self.rfile.read(length))
        self.answer(204)

    def do_GET(self):
        if not self.name() or not (DIRECTORY / self.name()).exists():
            return self.answer(404)
        self.answer(200, read(self.name()))


ThreadingHTTPServer(("127.0.0.1", 8001), Handler).serve_forever()
