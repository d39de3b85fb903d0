"""The process: first start, signals, sudden death."""

import signal
import socket
import stat
import subprocess

from rpc import FORM, Rpc, form

from kms import b64, unb64
from server import read_env


def test_the_first_start_leaves_what_an_operator_needs(own_server):
    env_file = own_server.data / "env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert own_server.settings["JOMAE_ENDPOINT"].startswith("https://127.0.0.1:")
    assert (own_server.data / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    for path in ("/healthz", "/readyz", "/metrics"):
        status, _ = own_server.admin(path)
        assert status == 200, path


def test_admin_pages_are_not_on_the_public_port(own_server):
    rpc = Rpc(own_server)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert 400 <= rpc.send("GET", path).status < 500


def test_sigterm_ends_with_zero_and_a_later_start_knows_everything(own_server):
    rpc = Rpc(own_server)
    key = rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"]
    before = dict(own_server.settings)
    assert own_server.stop() == 0, own_server.log_text()
    own_server.start()
    assert own_server.settings | {"JOMAE_ADMIN": ""} == before | {"JOMAE_ADMIN": ""}
    assert rpc.get("DescribeKey", KeyId=key).ok()["KeyMetadata"]["KeyId"] == key


def test_what_was_answered_survives_kill_9(own_server):
    rpc = Rpc(own_server)
    keys = {}
    for round_ in range(3):
        for _ in range(5):
            key = rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"]
            keys[key] = rpc.get("Encrypt", KeyId=key, Plaintext=b64(key.encode())).ok()["CiphertextBlob"]
        disabled = rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"]
        alias = f"alias/round-{round_}"
        rpc.get("CreateAlias", AliasName=alias, KeyId=disabled).ok()
        rpc.get("DisableKey", KeyId=disabled).ok()
        own_server.kill()
        own_server.start()
        for key, blob in keys.items():
            assert unb64(rpc.get("Decrypt", CiphertextBlob=blob).ok()["Plaintext"]) == key.encode()
        assert rpc.get("DescribeKey", KeyId=alias).ok()["KeyMetadata"]["KeyState"] == "Disabled"
        rpc.get("Encrypt", KeyId=alias, Plaintext="AAAA").refused("Rejected.Disabled", 409)


def test_the_key_files_are_for_the_owner_alone(own_server):
    for path in own_server.data.rglob("*"):
        if path.is_file() and path.suffix not in (".pem", ".pub"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_secret_stays_behind(own_server):
    rpc = Rpc(own_server)
    key = rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"]
    plaintext = b"a-marked-plaintext-that-must-not-stay"
    blob = rpc.get("Encrypt", KeyId=key, Plaintext=b64(plaintext)).ok()["CiphertextBlob"]
    rpc.get("Decrypt", CiphertextBlob=blob).ok()
    data_key = rpc.get("GenerateDataKey", KeyId=key).ok()["Plaintext"]
    rpc.get("Encrypt", KeyId=key, Plaintext=b64(plaintext), EncryptionContext="[]").refused("InvalidParameter", 400)
    forged = rpc.parameters("Encrypt", KeyId=key, Plaintext=b64(plaintext), Signature="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    rpc.send("POST", "/", form(forged).encode(), FORM).refused("SignatureDoesNotMatch", 400)
    assert own_server.stop() == 0

    secrets = [plaintext, b64(plaintext).encode(), data_key.encode(), unb64(data_key)]
    files = [own_server.log, *(path for path in own_server.data.rglob("*") if path.is_file())]
    assert len(files) > 3
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path
        if path != own_server.data / "env":
            assert own_server.key_secret.encode() not in content, path


def test_sighup_does_not_disturb(own_server):
    rpc = Rpc(own_server)
    own_server.process.send_signal(signal.SIGHUP)
    for _ in range(20):
        rpc.get("DescribeRegions").ok()
    assert own_server.process.poll() is None


def test_a_data_directory_is_served_once(own_server):
    second = subprocess.run(
        [own_server.binary, "serve", "--data-dir", own_server.data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert second.stderr, "a refusal must say why"
    # Clients read the address from the file; the second process must not have touched it.
    assert read_env(own_server.data / "env") == own_server.settings
    Rpc(own_server).get("DescribeRegions").ok()


def test_plain_http_gets_no_answer_from_an_action(own_server):
    address, _, port = own_server.endpoint.rpartition(":")
    with socket.create_connection((address, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /?Action=DescribeRegions HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = b""
        try:
            while piece := connection.recv(65536):
                reply += piece
        except ConnectionError:
            pass
    assert b"200 OK" not in reply
    Rpc(own_server).get("DescribeRegions").ok()
