"""Session policies and receipts through the official SDKs."""

import json
import subprocess
import uuid

import pytest
from alibabacloud_kms20160120.client import Client
from alibabacloud_kms20160120.models import EncryptRequest
from alibabacloud_tea_openapi.models import Config, GlobalParameters

from kms_error import KmsError
from sdks import of_credentials

SECRET = "Y2FyZCA0NzEx"


def statement(action, resource="*", **more):
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}]}


def trust_in(account):
    principal = {"RAM": [f"acs:ram::{account.number}:root"]}
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}


def refused(call, *words, **parameters):
    with pytest.raises(KmsError) as caught:
        call(*words, **parameters)
    return f"{caught.value.status} {caught.value.code}"


@pytest.mark.parametrize("generation", ["tea", "core"])
def test_a_session_policy_narrows_and_never_widens(first, generation):
    key = first.root.kms("CreateKey")["KeyMetadata"]["KeyId"]
    _, _, role = first.role(trust_in(first), statement(["kms:Encrypt", "kms:Decrypt"]))
    _, worker = first.user(statement("sts:AssumeRole", role))
    as_ = first.as_ if generation == "tea" else first.as_old
    sts = as_(*worker).sts

    def session(policy):
        answer = sts("AssumeRole", RoleArn=role, RoleSessionName="narrow", Policy=json.dumps(policy))
        return as_(*of_credentials(answer))

    narrow = session(statement(["kms:Encrypt", "kms:DescribeKey"]))
    blob = narrow.kms("Encrypt", KeyId=key, Plaintext=SECRET)["CiphertextBlob"]
    assert refused(narrow.kms, "Decrypt", CiphertextBlob=blob) == "403 Forbidden.NoPermission"
    assert refused(narrow.kms, "DescribeKey", KeyId=key) == "403 Forbidden.NoPermission", "the role may not"
    # Who narrowed himself cannot step out of it by another session.
    assert refused(narrow.sts, "AssumeRole", RoleArn=role, RoleSessionName="again") == "403 NoPermission"
    elsewhere = session(statement("kms:*", f"acs:kms:*:{first.number}:key/{uuid.uuid4()}"))
    assert refused(elsewhere.kms, "Encrypt", KeyId=key, Plaintext=SECRET) == "403 Forbidden.NoPermission"

    assume = {"RoleArn": role, "RoleSessionName": "narrow"}
    unknown = json.dumps(statement("kms:Encrypt", Condition={"StringEquals": {"acs:Unknown": "x"}}))
    assert refused(sts, "AssumeRole", Policy=unknown, **assume) == "400 InvalidParameter.PolicyGrammar"
    long = json.dumps(statement("kms:Encrypt")) + " " * 2048
    assert refused(sts, "AssumeRole", Policy=long, **assume) == "400 InvalidParameter.PolicySize"


def test_a_receipt_is_asked_for_with_the_sdk_and_kept(server, first, tmp_path):
    kms = Client(
        Config(
            access_key_id=server.key_id,
            access_key_secret=server.key_secret,
            endpoint=server.endpoint,
            region_id=server.region,
            ca=server.ca_file,
            global_parameters=GlobalParameters(headers={"x-jomae-receipt": "true"}),
        )
    )
    key = first.root.kms("CreateKey")["KeyMetadata"]["KeyId"]
    answer = kms.encrypt(EncryptRequest(key_id=key, plaintext=SECRET))
    receipt, index = answer.headers["x-jomae-receipt"], answer.headers["x-jomae-audit-index"]
    kept = tmp_path / "receipt"
    kept.write_text(receipt)
    # Its event is on disk already, so the file of the log has it at once, at the place that was told.
    words = [server.binary, "audit", "receipt", f"@{kept}", "--data-dir", server.data]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert index in ran.stdout, ran.stdout
    lines = b"".join(path.read_bytes() for path in sorted((server.data / "audit").rglob("*.jsonl"))).splitlines()
    event = json.loads(lines[int(index)])
    assert (event["eventName"], event["requestId"]) == ("Encrypt", answer.body.request_id)

    # Another's receipt is none for this log.
    kept.write_text(receipt[:-8] + ("A" * 8 if receipt[-8:] != "A" * 8 else "B" * 8))
    assert subprocess.run(words, capture_output=True, text=True, timeout=60).returncode != 0
