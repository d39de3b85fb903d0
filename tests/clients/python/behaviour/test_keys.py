"""Keys: create, describe, list, states, deletion."""

import datetime
import re

from kms import ABSENT_KEY

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def moment(text):
    assert TIME.fullmatch(text), text
    return datetime.datetime.fromisoformat(text)


def test_a_new_key_has_the_documented_defaults(kms):
    metadata = kms("CreateKey", Description="für die Datenbank 'a' + b")["KeyMetadata"]
    key = metadata["KeyId"]
    assert metadata["Arn"] == f"acs:kms:{kms.server.region}:{metadata['Creator']}:key/{key}"
    assert re.fullmatch(r"\d{16}", metadata["Creator"])
    assert {name: metadata[name] for name in ("KeyState", "KeySpec", "KeyUsage", "Origin", "ProtectionLevel")} == {
        "KeyState": "Enabled",
        "KeySpec": "Aliyun_AES_256",
        "KeyUsage": "ENCRYPT/DECRYPT",
        "Origin": "Aliyun_KMS",
        "ProtectionLevel": "SOFTWARE",
    }
    assert metadata["Description"] == "für die Datenbank 'a' + b"
    assert metadata["AutomaticRotation"] == "Disabled"
    assert metadata["DeleteDate"] == ""
    assert metadata["MaterialExpireTime"] == ""
    assert metadata["PrimaryKeyVersion"]
    assert "NextRotationDate" not in metadata
    assert "RotationInterval" not in metadata
    moment(metadata["CreationDate"])
    assert metadata["LastRotationDate"] == metadata["CreationDate"]


def test_describe_answers_what_create_answered(kms):
    created = kms("CreateKey", Description="one")["KeyMetadata"]
    described = kms.describe(created["KeyId"])
    assert described["DeletionProtection"] == "Disabled"
    assert {name: described[name] for name in created} == created
    assert kms.describe(created["Arn"]) == described


def test_create_refuses_bad_values(kms):
    kms.refused("CreateKey", "InvalidParameter", 400, KeySpec="Aliyun_AES_257")
    kms.refused("CreateKey", "InvalidParameter", 400, KeyUsage="SIGN/VERIFY", KeySpec="Aliyun_AES_256")
    kms.refused("CreateKey", "InvalidParameter", 400, Origin="aliyun_kms")
    kms.refused("CreateKey", "InvalidParameter", 400, Description="x" * 8193)


def test_a_key_that_is_not_there(kms):
    for action in ("DescribeKey", "EnableKey", "DisableKey", "CancelKeyDeletion"):
        kms.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY)
    kms.refused("ScheduleKeyDeletion", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, PendingWindowInDays=7)
    kms.refused("UpdateKeyDescription", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, Description="x")


def test_list_keys_in_pages(kms):
    made = {kms.create_key() for _ in range(3)}
    rows = kms.all_rows("ListKeys", "Keys", "Key")
    listed = [row["KeyId"] for row in rows]
    assert len(listed) == len(set(listed))
    assert made <= set(listed)
    assert all(row["KeyArn"].endswith(f":key/{row['KeyId']}") for row in rows)

    small = [
        row["KeyId"]
        for page in (1, 2)
        for row in kms("ListKeys", PageNumber=page, PageSize=2)["Keys"]["Key"]
    ]
    assert small == listed[: len(small)] and len(small) >= 3

    default = kms("ListKeys")
    assert (default["PageNumber"], default["PageSize"]) == (1, 10)
    assert len(default["Keys"]["Key"]) == min(10, default["TotalCount"])


def test_a_page_past_the_end_is_empty(kms, key):
    answer = kms("ListKeys", PageNumber=1000000, PageSize=100)
    assert answer["Keys"] == {"Key": []}
    assert answer["TotalCount"] >= 1


def test_page_limits(kms):
    kms.refused("ListKeys", "InvalidParameter", 400, PageNumber=0)
    kms.refused("ListKeys", "InvalidParameter", 400, PageSize=0)
    kms.refused("ListKeys", "InvalidParameter", 400, PageSize=101)


def test_list_keys_with_filters(kms):
    enabled, disabled = kms.create_key(), kms.create_key()
    kms("DisableKey", KeyId=disabled)

    def listed(*filters):
        rows = kms.all_rows("ListKeys", "Keys", "Key", Filters=[{"Key": k, "Values": list(v)} for k, v in filters])
        return {row["KeyId"] for row in rows}

    assert enabled in listed(("KeyState", ["Enabled"]))
    assert disabled not in listed(("KeyState", ["Enabled"]))
    assert {enabled, disabled} <= listed(("KeyState", ["Enabled", "Disabled"]))
    assert {enabled, disabled} <= listed(("KeyState", ["Enabled"]), ("KeyState", ["Disabled"]))
    assert disabled in listed(("KeyState", ["Disabled"]), ("KeySpec", ["Aliyun_AES_256"]))
    assert disabled not in listed(("KeyState", ["Disabled"]), ("KeyUsage", ["SIGN/VERIFY"]))
    kms.refused("ListKeys", "InvalidParameter", 400, Filters="[{]")


def test_update_description(kms, key):
    kms("UpdateKeyDescription", KeyId=key, Description="before")
    assert kms.describe(key)["Description"] == "before"
    kms("UpdateKeyDescription", KeyId=key, Description="+ % & = ü 錠")
    assert kms.describe(key)["Description"] == "+ % & = ü 錠"


def test_disable_and_enable(kms, key):
    blob = kms.encrypt(key, b"data")
    kms("DisableKey", KeyId=key)
    kms("DisableKey", KeyId=key)
    assert kms.describe(key)["KeyState"] == "Disabled"
    kms.refused("Encrypt", "Rejected.Disabled", 409, KeyId=key, Plaintext="AAAA")
    kms.refused("Decrypt", "Rejected.Disabled", 409, CiphertextBlob=blob)
    kms.refused("GenerateDataKey", "Rejected.Disabled", 409, KeyId=key)
    kms.refused("GenerateDataKeyWithoutPlaintext", "Rejected.Disabled", 409, KeyId=key)
    kms("EnableKey", KeyId=key)
    kms("EnableKey", KeyId=key)
    assert kms.describe(key)["KeyState"] == "Enabled"
    assert kms.decrypt(blob) == b"data"


def test_schedule_and_cancel_deletion(kms, key):
    blob = kms.encrypt(key, b"data")
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    after = datetime.datetime.now(datetime.timezone.utc)

    metadata = kms.describe(key)
    assert metadata["KeyState"] == "PendingDeletion"
    window = datetime.timedelta(days=7)
    assert before + window <= moment(metadata["DeleteDate"]) <= after + window

    kms.refused("ScheduleKeyDeletion", "Rejected.StateModifiedFailed", 409, KeyId=key, PendingWindowInDays=7)
    kms.refused("EnableKey", "Rejected.StateModifiedFailed", 409, KeyId=key)
    kms.refused("DisableKey", "Rejected.StateModifiedFailed", 409, KeyId=key)
    kms.refused("UpdateKeyDescription", "Rejected.PendingDeletion", 409, KeyId=key, Description="x")
    kms.refused("Encrypt", "Rejected.PendingDeletion", 409, KeyId=key, Plaintext="AAAA")
    kms.refused("Decrypt", "Rejected.PendingDeletion", 409, CiphertextBlob=blob)
    assert key in {row["KeyId"] for row in kms.all_rows("ListKeys", "Keys", "Key")}

    kms("CancelKeyDeletion", KeyId=key)
    metadata = kms.describe(key)
    assert (metadata["KeyState"], metadata["DeleteDate"]) == ("Enabled", "")
    assert kms.decrypt(blob) == b"data"
    kms.refused("CancelKeyDeletion", "Rejected.StateModifiedFailed", 409, KeyId=key)


def test_deletion_window_limits(kms, key):
    kms.refused("ScheduleKeyDeletion", "InvalidParameter", 400, KeyId=key, PendingWindowInDays=6)
    kms.refused("ScheduleKeyDeletion", "InvalidParameter", 400, KeyId=key, PendingWindowInDays=367)
    assert kms.describe(key)["KeyState"] == "Enabled"
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=366)


def test_deletion_protection(kms, key):
    arn = kms.describe(key)["Arn"]
    kms(
        "SetDeletionProtection",
        ProtectedResourceArn=arn,
        EnableDeletionProtection=True,
        DeletionProtectionDescription="holds the archive",
    )
    metadata = kms.describe(key)
    assert metadata["DeletionProtection"] == "Enabled"
    assert metadata["DeletionProtectionDescription"] == "holds the archive"

    # The code is ours, no public page names one.
    kms.refused("ScheduleKeyDeletion", "Rejected.DeletionProtected", 409, KeyId=key, PendingWindowInDays=7)
    assert kms.describe(key)["KeyState"] == "Enabled"

    kms("SetDeletionProtection", ProtectedResourceArn=arn, EnableDeletionProtection=False)
    assert kms.describe(key)["DeletionProtection"] == "Disabled"
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)


def test_actions_on_a_key_id_refuse_an_alias(kms, key):
    for action in ("EnableKey", "DisableKey", "CancelKeyDeletion", "ListAliasesByKeyId"):
        kms.refused(action, "Unsupported.Alias", 400, KeyId="alias/some")
    kms.refused("ScheduleKeyDeletion", "Unsupported.Alias", 400, KeyId="alias/some", PendingWindowInDays=7)
    kms.refused("UpdateKeyDescription", "Unsupported.Alias", 400, KeyId="alias/some", Description="x")
