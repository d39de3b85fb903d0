"""Versions and rotation."""

import datetime

from kms import ABSENT_KEY, unb64


def test_a_new_version_encrypts_and_old_ones_decrypt(kms, key):
    old = kms.encrypt(key, b"old")
    made = kms("CreateKeyVersion", KeyId=key)["KeyVersion"]
    assert made["KeyId"] == key
    version = made["KeyVersionId"]
    assert kms.describe(key)["PrimaryKeyVersion"] == version
    new = kms.encrypt(key, b"new")
    assert unb64(new).startswith(version.encode())
    assert (kms.decrypt(old), kms.decrypt(new)) == (b"old", b"new")

    rows = kms.all_rows("ListKeyVersions", "KeyVersions", "KeyVersion", KeyId=key)
    assert rows[0] == kms("DescribeKeyVersion", KeyId=key, KeyVersionId=version)["KeyVersion"] == made
    assert unb64(old).startswith(rows[1]["KeyVersionId"].encode())
    assert len(rows) == 2
    page = kms("ListKeyVersions", KeyId=key, PageNumber=2, PageSize=1)
    assert (page["KeyVersions"]["KeyVersion"], page["TotalCount"]) == (rows[1:], 2)
    kms.refused("DescribeKeyVersion", "Forbidden.KeyVersionNotFound", 404, KeyId=key, KeyVersionId=ABSENT_KEY)
    kms.refused("CreateKeyVersion", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY)


def test_rotation_policy(kms, key):
    kms("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation=True, RotationInterval="30d")
    metadata = kms.describe(key)
    assert (metadata["AutomaticRotation"], metadata["RotationInterval"]) == ("Enabled", "2592000s")
    last, following = (
        datetime.datetime.fromisoformat(metadata[name]) for name in ("LastRotationDate", "NextRotationDate")
    )
    assert following - last == datetime.timedelta(days=30)
    kms("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation=False)
    assert kms.describe(key)["AutomaticRotation"] == "Disabled"

    kms.refused("UpdateRotationPolicy", "MissingParameter", 400, KeyId=key, EnableAutomaticRotation=True)
    bad = {"EnableAutomaticRotation": True, "RotationInterval": "6d"}
    kms.refused("UpdateRotationPolicy", "InvalidParameter", 400, KeyId=key, **bad)
    made = kms("CreateKey", EnableAutomaticRotation=True, RotationInterval="168h")["KeyMetadata"]
    assert (made["AutomaticRotation"], made["RotationInterval"]) == ("Enabled", "604800s")
