"""CreateKeyVersion, DescribeKeyVersion, ListKeyVersions, UpdateRotationPolicy."""

import datetime
from concurrent.futures import ThreadPoolExecutor

from kms import ABSENT_KEY, new_alias, unb64

VERSIONS_MAX = 50


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def add_version(api, key):
    answer = api("CreateKeyVersion", KeyId=key)["KeyVersion"]
    assert set(answer) == {"KeyId", "KeyVersionId", "CreationDate"}
    return answer["KeyVersionId"]


def test_a_new_version_encrypts_and_old_ones_decrypt(api, key):
    blobs = [api.encrypt(key, b"data 0")]
    versions = [api.describe(key)["PrimaryKeyVersion"]]
    for number in range(1, 4):
        versions.append(add_version(api, key))
        assert api.describe(key)["PrimaryKeyVersion"] == versions[-1]
        blobs.append(api.encrypt(key, f"data {number}".encode()))
    assert len(set(versions)) == 4
    for number, (blob, version) in enumerate(zip(blobs, versions)):
        assert unb64(blob).startswith(version.encode())
        opened = api("Decrypt", CiphertextBlob=blob)
        assert (opened["KeyId"], opened["KeyVersionId"]) == (key, version)
        assert unb64(opened["Plaintext"]) == f"data {number}".encode()
    assert api.versions(key) == versions[::-1]


def test_versions_made_at_the_same_time(api, key):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: add_version(api, key), range(16)))
    versions = api.versions(key)
    assert len(versions) == 17
    assert set(made) == set(versions[:-1])
    assert api.describe(key)["PrimaryKeyVersion"] == versions[0]


def test_describe_and_list(api, key):
    made = [api.describe(key)["PrimaryKeyVersion"], *(add_version(api, key) for _ in range(4))]
    rows = api.all_rows("ListKeyVersions", "KeyVersions", "KeyVersion", KeyId=key)
    assert [row["KeyVersionId"] for row in rows] == made[::-1]
    for row in rows:
        described = api("DescribeKeyVersion", KeyId=key, KeyVersionId=row["KeyVersionId"])["KeyVersion"]
        assert described == row
        assert (row["KeyId"], set(row)) == (key, {"KeyId", "KeyVersionId", "CreationDate"})
    dates = [moment(row["CreationDate"]) for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert api.describe(key)["LastRotationDate"] == rows[0]["CreationDate"]

    page = api("ListKeyVersions", KeyId=key, PageNumber=2, PageSize=2)
    assert [row["KeyVersionId"] for row in page["KeyVersions"]["KeyVersion"]] == [made[2], made[1]]
    assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (5, 2, 2)
    assert api("ListKeyVersions", KeyId=key, PageNumber=9)["KeyVersions"] == {"KeyVersion": []}


def test_an_alias_and_a_full_name(api, key):
    alias = new_alias()
    api("CreateAlias", AliasName=alias, KeyId=key)
    for name in (alias, api.describe(key)["Arn"]):
        version = add_version(api, name)
        described = api("DescribeKeyVersion", KeyId=name, KeyVersionId=version)["KeyVersion"]
        assert (described["KeyId"], described["KeyVersionId"]) == (key, version)
        assert api("ListKeyVersions", KeyId=name)["KeyVersions"]["KeyVersion"][0] == described


def test_an_asymmetric_key_has_named_versions(api):
    key, first = api.new_pair("EC_P256", "SIGN/VERIFY")
    for _ in range(VERSIONS_MAX - 1):
        add_version(api, key)
    versions = api.versions(key)
    assert len(set(versions)) == VERSIONS_MAX
    assert versions[-1] == first
    publics = {api("GetPublicKey", KeyId=key, KeyVersionId=version)["PublicKey"] for version in versions}
    assert len(publics) == VERSIONS_MAX
    api.refused("CreateKeyVersion", "Rejected.LimitExceeded", 400, KeyId=key)


def test_refusals(api, key):
    other = api.create_key()
    (foreign,) = api.versions(other)
    describe = ("DescribeKeyVersion", {"KeyVersionId": foreign})
    for action, more in (("CreateKeyVersion", {}), ("ListKeyVersions", {}), describe):
        api.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, **more)
        api.refused(action, "Forbidden.AliasNotFound", 404, KeyId=new_alias(), **more)
    for version in (ABSENT_KEY, foreign):
        api.refused("DescribeKeyVersion", "Forbidden.KeyVersionNotFound", 404, KeyId=key, KeyVersionId=version)
    for paging in ({"PageNumber": 0}, {"PageSize": 0}, {"PageSize": 101}):
        api.refused("ListKeyVersions", "InvalidParameter", 400, KeyId=key, **paging)

    api("DisableKey", KeyId=key)
    api.refused("CreateKeyVersion", "Rejected.Disabled", 409, KeyId=key)
    assert len(api.versions(key)) == 1
    api("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    api.refused("CreateKeyVersion", "Rejected.PendingDeletion", 409, KeyId=key)
    (version,) = api.versions(key)
    assert api("DescribeKeyVersion", KeyId=key, KeyVersionId=version)["KeyVersion"]["KeyVersionId"] == version


def rotation(api, key):
    metadata = api.describe(key)
    return metadata["AutomaticRotation"], metadata.get("RotationInterval"), metadata.get("NextRotationDate")


def test_rotation_policy(api, key):
    assert rotation(api, key) == ("Disabled", None, None)
    for interval, seconds in (("365d", 31_536_000), ("168h", 604_800), ("1051200m", 63_072_000), ("604800s", 604_800)):
        api("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation=True, RotationInterval=interval)
        metadata = api.describe(key)
        assert (metadata["AutomaticRotation"], metadata["RotationInterval"]) == ("Enabled", f"{seconds}s")
        following = moment(metadata["LastRotationDate"]) + datetime.timedelta(seconds=seconds)
        assert moment(metadata["NextRotationDate"]) == following

    api("DisableKey", KeyId=key)
    assert rotation(api, key)[0] == "Suspended"
    change = {"KeyId": key, "EnableAutomaticRotation": False}
    api.refused("UpdateRotationPolicy", "Rejected.Disabled", 409, **change)
    api("EnableKey", KeyId=key)
    assert rotation(api, key)[0] == "Enabled"
    api("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert rotation(api, key)[0] == "Suspended"
    api.refused("UpdateRotationPolicy", "Rejected.PendingDeletion", 409, **change)
    api("CancelKeyDeletion", KeyId=key)

    # An interval that is given while switching off counts for nothing.
    api("UpdateRotationPolicy", RotationInterval="30d", **change)
    assert rotation(api, key) == ("Disabled", None, None)


def test_a_version_made_by_hand_moves_the_next_rotation(api, key):
    api("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation=True, RotationInterval="7d")
    version = add_version(api, key)
    created = api("DescribeKeyVersion", KeyId=key, KeyVersionId=version)["KeyVersion"]["CreationDate"]
    metadata = api.describe(key)
    assert metadata["LastRotationDate"] == created
    assert moment(metadata["NextRotationDate"]) - moment(created) == datetime.timedelta(days=7)


def test_rotation_from_the_start(api):
    metadata = api("CreateKey", EnableAutomaticRotation=True, RotationInterval="30d")["KeyMetadata"]
    assert (metadata["AutomaticRotation"], metadata["RotationInterval"]) == ("Enabled", "2592000s")
    assert rotation(api, metadata["KeyId"]) == ("Enabled", "2592000s", metadata["NextRotationDate"])
    off = api("CreateKey", EnableAutomaticRotation=False, RotationInterval="30d")["KeyMetadata"]
    assert off["AutomaticRotation"] == "Disabled"
    assert "RotationInterval" not in off
    api.refused("CreateKey", "MissingParameter", 400, EnableAutomaticRotation=True)
    for kind in ({"KeySpec": "RSA_2048"}, {"KeySpec": "HMAC_SM3"}, {"Origin": "EXTERNAL"}):
        wanted = {"EnableAutomaticRotation": True, "RotationInterval": "30d", **kind}
        api.refused("CreateKey", "InvalidParameter", 400, **wanted)


def test_rotation_policies_that_are_refused(api, key, pair):
    change = {"KeyId": key, "EnableAutomaticRotation": True}
    api.refused("UpdateRotationPolicy", "MissingParameter", 400, **change)
    for interval in ("6d", "731d", "604799s", "63072001s", "30", "d", "-30d", "30w", "30 d", "3e1d", "9" * 30 + "d"):
        api.refused("UpdateRotationPolicy", "InvalidParameter", 400, RotationInterval=interval, **change)
    change["RotationInterval"] = "30d"
    for other, code, status in (
        (ABSENT_KEY, "Forbidden.KeyNotFound", 404),
        (new_alias(), "Unsupported.Alias", 400),
        (pair("EC_P256", "SIGN/VERIFY")[0], "UnsupportedOperation", 400),
        (api.create_key(KeySpec="HMAC_SHA_256"), "UnsupportedOperation", 400),
    ):
        api.refused("UpdateRotationPolicy", code, status, **change | {"KeyId": other})
    assert rotation(api, key) == ("Disabled", None, None)
