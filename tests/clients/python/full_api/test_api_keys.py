"""Keys, aliases, policies and the service itself."""

import json

import pytest

from kms import ABSENT_KEY, new_alias

SPECS = {
    "Aliyun_AES_256": ["ENCRYPT/DECRYPT"],
    "Aliyun_AES_192": ["ENCRYPT/DECRYPT"],
    "Aliyun_AES_128": ["ENCRYPT/DECRYPT"],
    "Aliyun_SM4": ["ENCRYPT/DECRYPT"],
    "RSA_2048": ["SIGN/VERIFY", "ENCRYPT/DECRYPT"],
    "RSA_3072": ["SIGN/VERIFY", "ENCRYPT/DECRYPT"],
    "RSA_4096": ["SIGN/VERIFY", "ENCRYPT/DECRYPT"],
    "EC_P256": ["SIGN/VERIFY"],
    "EC_P256K": ["SIGN/VERIFY"],
    "EC_SM2": ["SIGN/VERIFY", "ENCRYPT/DECRYPT"],
    "HMAC_SHA_224": ["GENERATE/VERIFY_MAC"],
    "HMAC_SHA_256": ["GENERATE/VERIFY_MAC"],
    "HMAC_SHA_384": ["GENERATE/VERIFY_MAC"],
    "HMAC_SHA_512": ["GENERATE/VERIFY_MAC"],
    "HMAC_SM3": ["GENERATE/VERIFY_MAC"],
    # Extensions.
    "EC_P384": ["SIGN/VERIFY"],
    "EC_P521": ["SIGN/VERIFY"],
    "EC_ED25519": ["SIGN/VERIFY"],
    "ML_DSA_65": ["SIGN/VERIFY"],
    "ML_KEM_768": ["ENCRYPT/DECRYPT"],
}
USAGES = ("ENCRYPT/DECRYPT", "SIGN/VERIFY", "GENERATE/VERIFY_MAC")


@pytest.mark.parametrize("spec", SPECS)
def test_specs_and_usages(api, spec):
    # EXTERNAL, so that no pair has to be made.
    for origin in ({}, {"Origin": "EXTERNAL"}):
        made = api("CreateKey", KeySpec=spec, **origin)["KeyMetadata"]
        assert (made["KeySpec"], made["KeyUsage"]) == (spec, SPECS[spec][0])
        described = api.describe(made["KeyId"])
        assert {name: described[name] for name in made} == made
        listed = api.all_rows("ListKeys", "Keys", "Key", Filters=[{"Key": "KeySpec", "Values": [spec]}])
        assert made["KeyId"] in {row["KeyId"] for row in listed}
    for usage in USAGES:
        wanted = {"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL"}
        if usage in SPECS[spec]:
            assert api("CreateKey", **wanted)["KeyMetadata"]["KeyUsage"] == usage
        else:
            api.refused("CreateKey", "InvalidParameter", 400, **wanted)


def test_keys_that_cannot_be_made(api):
    for wanted in (
        {"KeySpec": "AES_256"},
        {"KeySpec": "aliyun_aes_256"},
        {"KeyUsage": "encrypt/decrypt"},
        {"Origin": "external"},
        {"ProtectionLevel": "software"},
        {"DKMSInstanceId": "kst-x"},
        {"KeyStorageMechanism": "HsmInternal"},
        {"Description": "x" * 8193},
        {"Tags": "{}"},
        {"Policy": "{}"},
    ):
        api.refused("CreateKey", "InvalidParameter", 400, **wanted)
    api.refused("CreateKey", "Unsupported.ProtectionLevel", 400, ProtectionLevel="HSM")
    made = api("CreateKey", ProtectionLevel="SOFTWARE", Description="錠" * 8192)["KeyMetadata"]
    assert (made["KeyState"], made["Description"]) == ("Enabled", "錠" * 8192)


def test_a_whole_life(api, key):
    api("UpdateKeyDescription", KeyId=key, Description="für 錠前")
    api("DisableKey", KeyId=key)
    assert (api.describe(key)["KeyState"], api.describe(key)["Description"]) == ("Disabled", "für 錠前")
    api("EnableKey", KeyId=key)
    api("SetDeletionProtection", KeyId=key, EnableDeletionProtection=True, DeletionProtectionDescription="archive")
    metadata = api.describe(key)
    assert (metadata["DeletionProtection"], metadata["DeletionProtectionDescription"]) == ("Enabled", "archive")
    api.refused("ScheduleKeyDeletion", "Rejected.DeletionProtected", 409, KeyId=key, PendingWindowInDays=30)
    api("SetDeletionProtection", KeyId=key, EnableDeletionProtection=False)
    api("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=30)
    assert api.describe(key)["KeyState"] == "PendingDeletion"
    for action, code, more in (
        ("EnableKey", "Rejected.StateModifiedFailed", {}),
        ("DisableKey", "Rejected.StateModifiedFailed", {}),
        ("ScheduleKeyDeletion", "Rejected.StateModifiedFailed", {"PendingWindowInDays": 7}),
        ("UpdateKeyDescription", "Rejected.PendingDeletion", {"Description": "x"}),
        ("SetDeletionProtection", "Rejected.PendingDeletion", {"EnableDeletionProtection": True}),
        ("CreateAlias", "Rejected.StateModifiedFailed", {"AliasName": new_alias()}),
    ):
        api.refused(action, code, 409, KeyId=key, **more)
    api("CancelKeyDeletion", KeyId=key)
    api.refused("CancelKeyDeletion", "Rejected.StateModifiedFailed", 409, KeyId=key)
    assert api.describe(key)["KeyState"] == "Enabled"


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("EnableKey", {}),
        ("DisableKey", {}),
        ("CancelKeyDeletion", {}),
        ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),
        ("UpdateKeyDescription", {"Description": "x"}),
        ("SetDeletionProtection", {"EnableDeletionProtection": True}),
        ("ListAliasesByKeyId", {}),
        ("CreateAlias", {"AliasName": "alias/never-made"}),
    ],
)
def test_actions_that_take_no_alias(api, action, more):
    api.refused(action, "Unsupported.Alias", 400, KeyId=new_alias(), **more)
    api.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, **more)


def test_how_a_key_is_described(api, key):
    alias, arn = new_alias(), api.describe(key)["Arn"]
    api("CreateAlias", AliasName=alias, KeyId=key)
    assert api.describe(alias) == api.describe(arn) == api.describe(key)
    api.refused("DescribeKey", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY)
    api.refused("DescribeKey", "Forbidden.AliasNotFound", 404, KeyId=new_alias())
    api.refused("DescribeKey", "Forbidden.KeyNotFound", 404, KeyId=arn.replace(api.server.region, "nowhere"))
    # The key of another account: whether it exists is not told.
    foreign = arn.replace(api.describe(key)["Creator"], "1000000000000001")
    api.refused("DescribeKey", "Forbidden.NoPermission", 403, KeyId=foreign)
    for text in ("alias/a b", "acs:kms:x", "a b", "x" * 300):
        api.refused("DescribeKey", "InvalidParameter", 400, KeyId=text)


def test_targets_of_deletion_protection(api, key):
    arn, other = api.describe(key)["Arn"], api.describe(api.create_key())["Arn"]
    on = {"EnableDeletionProtection": True}
    for target in ({"KeyId": key}, {"ProtectedResourceArn": arn}, {"KeyId": key, "ProtectedResourceArn": arn}):
        api("SetDeletionProtection", **on, **target)
        assert api.describe(key)["DeletionProtection"] == "Enabled"
        api("SetDeletionProtection", EnableDeletionProtection=False, DeletionProtectionDescription="not kept", **target)
        metadata = api.describe(key)
        assert metadata["DeletionProtection"] == "Disabled"
        assert not metadata.get("DeletionProtectionDescription")
    api.refused("SetDeletionProtection", "MissingParameter", 400, **on)
    api.refused("SetDeletionProtection", "MissingParameter", 400, KeyId=key)
    for target in (
        {"ProtectedResourceArn": key},
        {"KeyId": key, "ProtectedResourceArn": other},
        {"KeyId": key, "KmsInstanceId": "kst-x"},
    ):
        api.refused("SetDeletionProtection", "InvalidParameter", 400, **on, **target)
    absent = arn.replace(key, ABSENT_KEY)
    api.refused("SetDeletionProtection", "Forbidden.KeyNotFound", 404, ProtectedResourceArn=absent, **on)


def test_lists(api, key):
    assert key in {row["KeyId"] for row in api.all_rows("ListKeys", "Keys", "Key")}
    for wrong in ({"PageSize": 0}, {"PageSize": 101}, {"PageNumber": 0}, {"Filters": "{"}):
        api.refused("ListKeys", "InvalidParameter", 400, **wrong)
    for wrong in ({"PageSize": 0}, {"PageSize": 101}, {"PageNumber": 0}):
        api.refused("ListAliases", "InvalidParameter", 400, **wrong)
        api.refused("ListAliasesByKeyId", "InvalidParameter", 400, KeyId=key, **wrong)


def test_aliases(api, key):
    alias, other = new_alias(), api.create_key()
    api("CreateAlias", AliasName=alias, KeyId=key)
    api.refused("CreateAlias", "AliasAlreadyExists", 400, AliasName=alias, KeyId=key)
    assert api.describe(alias)["KeyId"] == key
    (row,) = api("ListAliasesByKeyId", KeyId=key)["Aliases"]["Alias"]
    assert (row["AliasName"], row["KeyId"]) == (alias, key)
    assert row in api.all_rows("ListAliases", "Aliases", "Alias")
    api("UpdateAlias", AliasName=alias, KeyId=other)
    assert api.describe(alias)["KeyId"] == other
    api.refused("UpdateAlias", "Forbidden.KeyNotFound", 404, AliasName=alias, KeyId=ABSENT_KEY)
    api("DeleteAlias", AliasName=alias)
    for action, more in (("DeleteAlias", {}), ("UpdateAlias", {"KeyId": key})):
        api.refused(action, "Forbidden.AliasNotFound", 404, AliasName=alias, **more)
    for name in ("no-prefix", "alias/", "alias/a b", "alias/acs/x"):
        api.refused("CreateAlias", "InvalidParameter", 400, AliasName=name, KeyId=key)
    api.refused("DeleteAlias", "InvalidParameter", 400, AliasName="no-prefix")


def policy_of(account, **change):
    statement = {
        "Sid": "operators",
        "Effect": "Allow",
        "Principal": {"RAM": [f"acs:ram::{account}:user/alice", f"acs:ram::{account}:*"]},
        "Action": ["kms:*"],
        "Resource": ["*"],
    }
    return {"Version": "1", "Statement": [statement | change]}


def test_key_policy(api, key):
    metadata = api.describe(key)
    arn, account = metadata["Arn"], metadata["Creator"]
    default = json.loads(api("GetKeyPolicy", KeyId=key)["Policy"])
    assert default["Statement"][0]["Effect"] == "Allow"
    # Kept as the text that was given.
    text = json.dumps(policy_of(account), indent=2)
    api("SetKeyPolicy", KeyId=key, Policy=text)
    assert api("GetKeyPolicy", KeyId=key)["Policy"] == text
    assert api("GetKeyPolicy", KeyId=arn, PolicyName="default")["Policy"] == text
    other = json.dumps(policy_of(account, Sid="others"))
    api("SetKeyPolicy", KeyId=arn, Policy=other, PolicyName="default")
    assert api("GetKeyPolicy", KeyId=key)["Policy"] == other
    longest = text + " " * (32_768 - len(text))
    made = api.create_key(Policy=longest)
    assert api("GetKeyPolicy", KeyId=made)["Policy"] == longest

    for policy in (
        "",
        "{",
        "[]",
        "null",
        json.dumps(policy_of(account) | {"Version": "2"}),
        json.dumps({"Version": "1", "Statement": []}),
        json.dumps(policy_of(account, Effect="Maybe")),
        json.dumps(policy_of(account, Action=["oss:*"])),
        json.dumps(policy_of(account, Resource=["acs:kms:*"])),
        json.dumps(policy_of(account, Principal={"RAM": ["alice"]})),
        json.dumps(policy_of(account, NotAction=["kms:*"])),
        longest + " ",
    ):
        code = "InvalidParameter" if policy else "MissingParameter"
        api.refused("SetKeyPolicy", code, 400, KeyId=key, Policy=policy)
    assert api("GetKeyPolicy", KeyId=key)["Policy"] == other

    for action, more in (("GetKeyPolicy", {}), ("SetKeyPolicy", {"Policy": text})):
        api.refused(action, "InvalidParameter", 400, KeyId=key, PolicyName="other", **more)
        api.refused(action, "Unsupported.Alias", 400, KeyId=new_alias(), **more)
        api.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, **more)
    api("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert api("GetKeyPolicy", KeyId=key)["Policy"] == other
    api.refused("SetKeyPolicy", "Rejected.PendingDeletion", 409, KeyId=key, Policy=text)


def test_the_service_itself(api, server):
    assert {"RegionId": server.region} in api("DescribeRegions")["Regions"]["Region"]
    assert api("DescribeAccountKmsStatus")["AccountStatus"] == "Enabled"
    api.refused("OpenKmsService", "Forbidden.Opened", 400)
    stranger = api.with_credentials(key_secret="not-the-secret")
    for action in ("DescribeRegions", "DescribeAccountKmsStatus", "OpenKmsService"):
        stranger.refused(action, "SignatureDoesNotMatch", 400)
