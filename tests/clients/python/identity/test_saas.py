"""A provider works with its customer's key, as long as the customer lets it; and the customer can prove what was done."""

import base64
import json
import shutil
import subprocess

import pytest

from kms_error import KmsError
from sdks import of_credentials

SECRET = base64.b64encode(b"card 4711").decode()


def refused(call, *words, **parameters):
    with pytest.raises(KmsError) as caught:
        call(*words, **parameters)
    return f"{caught.value.status} {caught.value.code}"


def jomae(server, *words, code=0):
    ran = subprocess.run([server.binary, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("generation", ["tea", "core"])
def test_a_provider_a_customer_and_the_customers_officer(server, first, second, generation, tmp_path):
    customer, provider = first, second
    key = customer.root.kms("CreateKey", Description="of the customer")["KeyMetadata"]["KeyId"]
    arn = f"acs:kms:{server.region}:{customer.number}:key/{key}"
    tenant = {"tenant": "customer-7"}
    blob = customer.root.kms("Encrypt", KeyId=key, Plaintext=SECRET, EncryptionContext=tenant)["CiphertextBlob"]
    other = customer.root.kms("Encrypt", KeyId=key, Plaintext=SECRET, EncryptionContext={"tenant": "8"})["CiphertextBlob"]

    # The customer lets the provider decrypt under one key with one context, and nothing else.
    trust = {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"RAM": [f"acs:ram::{provider.number}:root"]},
                "Condition": {"StringEquals": {"sts:ExternalId": "contract-7"}},
            }
        ],
    }
    may = {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": arn,
                "Condition": {"StringEquals": {"kms:EncryptionContext/tenant": "customer-7"}},
            }
        ],
    }
    role, policy, role_arn = customer.role(trust, may)
    _, worker = provider.user(
        {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn}]}
    )
    as_ = provider.as_ if generation == "tea" else provider.as_old
    sts = provider.as_(*worker).sts
    assert refused(sts, "AssumeRole", RoleArn=role_arn, RoleSessionName="worker-1") == "403 NoPermission"
    answer = sts("AssumeRole", RoleArn=role_arn, RoleSessionName="worker-1", ExternalId="contract-7", DurationSeconds=900)
    session = as_(*of_credentials(answer))

    def decrypt(ciphertext, context):
        stated = context if generation == "tea" else json.dumps(context)
        return session.kms("Decrypt", CiphertextBlob=ciphertext, EncryptionContext=stated)

    assert decrypt(blob, tenant)["Plaintext"] == SECRET
    assert refused(decrypt, other, {"tenant": "8"}) == "403 Forbidden.NoPermission"
    assert refused(session.kms, "Encrypt", KeyId=key, Plaintext=SECRET) == "403 Forbidden.NoPermission"
    assert refused(session.kms, "DescribeKey", KeyId=key) == "403 Forbidden.NoPermission"

    # The customer takes it away: the very next call fails.
    customer.root.ram("DetachPolicyFromRole", PolicyType="Custom", PolicyName=policy, RoleName=role)
    assert refused(decrypt, blob, tenant) == "403 Forbidden.NoPermission"

    # The officer, on another machine: a copy of the log, the public key, nothing else.
    elsewhere = tmp_path / "elsewhere"
    export = tmp_path / "export.jsonl"
    # A checkpoint follows at the latest a second after the last event.
    jomae(server, "audit", "export", "--log", server.data / "audit", "--account", customer.number, "--to", export)
    vkey = (server.data / "audit" / "key.pub").read_text().strip()
    checked = jomae(server, "audit", "check-export", export, "--key", vkey)
    assert checked.startswith("proven, all of them of the log"), checked
    shutil.copytree(server.data / "audit", elsewhere)
    jomae(server, "audit", "verify", "--log", elsewhere, "--key", vkey)
    events = [
        event
        for segment in sorted(elsewhere.glob("*.jsonl"))
        for event in map(json.loads, segment.read_text().splitlines())
        if event["userIdentity"].get("userName") == f"{role}:worker-1"
    ]
    assert [(event["eventName"], event.get("errorCode")) for event in events] == [
        ("Decrypt", None),
        ("Decrypt", "Forbidden.NoPermission"),
        ("Encrypt", "Forbidden.NoPermission"),
        ("DescribeKey", "Forbidden.NoPermission"),
        ("Decrypt", "Forbidden.NoPermission"),
    ]
    assert events[0]["referencedResources"] == {"ACS::KMS::Key": [key]}
    assert json.loads(events[0]["requestParameters"]["EncryptionContext"]) == tenant

    # And through the API, with the official SDK.
    found = customer.root.trail(
        "LookupEvents", LookupAttribute=[{"Key": "ResourceName", "Value": key}], MaxResults="50"
    )["Events"]
    names = [event["eventName"] for event in found if event["userIdentity"]["userName"] == f"{role}:worker-1"]
    assert names.count("Decrypt") >= 1
    by_user = customer.root.trail(
        "LookupEvents", LookupAttribute=[{"Key": "User", "Value": f"{role}:worker-1"}], MaxResults="50"
    )["Events"]
    assert len(by_user) == 5
    assert by_user == customer.root.trail(
        "LookupEvents",
        LookupAttribute=[{"Key": "User", "Value": f"{role}:worker-1"}],
        Direction="FORWARD",
        MaxResults="50",
    )["Events"][::-1]

    # A changed log does not pass.
    segment = max(elsewhere.glob("*.jsonl"))
    lines = segment.read_bytes().splitlines(keepends=True)
    gone = next(n for n, line in enumerate(lines) if f"{role}:worker-1".encode() in line)
    segment.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    ran = subprocess.run(
        [server.binary, "audit", "verify", "--log", elsewhere, "--key", vkey], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode != 0
    assert str(gone) in ran.stdout + ran.stderr, "the place is named"


def test_events_are_looked_up_page_by_page(first):
    key = first.root.kms("CreateKey")["KeyMetadata"]["KeyId"]
    for _ in range(25):
        first.root.kms("DescribeKey", KeyId=key)
    asked = {"LookupAttribute": [{"Key": "ResourceName", "Value": key}], "MaxResults": "10"}
    seen, more = [], {}
    while True:
        page = first.root.trail("LookupEvents", **asked, **more)
        seen += page["Events"]
        if not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    assert len(seen) == 26
    assert len({event["eventId"] for event in seen}) == 26
    assert seen[-1]["eventName"] == "CreateKey"
    both = [{"Key": "ResourceName", "Value": key}, {"Key": "EventName", "Value": "CreateKey"}]
    assert len(first.root.trail("LookupEvents", LookupAttribute=both)["Events"]) == 1


def test_a_stranger_finds_no_events_of_others(first, second):
    key = first.root.kms("CreateKey")["KeyMetadata"]["KeyId"]
    asked = {"LookupAttribute": [{"Key": "ResourceName", "Value": key}]}
    assert len(first.root.trail("LookupEvents", **asked)["Events"]) == 1
    assert second.root.trail("LookupEvents", **asked)["Events"] == []
