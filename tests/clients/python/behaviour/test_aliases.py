"""Aliases."""

from kms import ABSENT_KEY, new_alias


def test_an_alias_stands_for_its_key(kms, key):
    alias = new_alias()
    kms("CreateAlias", AliasName=alias, KeyId=key)
    assert kms.describe(alias)["KeyId"] == key
    blob = kms.encrypt(alias, b"data")
    assert kms.decrypt(blob) == b"data"
    answer = kms("GenerateDataKey", KeyId=alias)
    assert answer["KeyId"] == key


def test_a_name_is_taken_once(kms, key):
    alias = new_alias()
    kms("CreateAlias", AliasName=alias, KeyId=key)
    kms.refused("CreateAlias", "AliasAlreadyExists", 400, AliasName=alias, KeyId=key)
    kms.refused("CreateAlias", "AliasAlreadyExists", 400, AliasName=alias, KeyId=kms.create_key())


def test_update_moves_the_alias_and_old_ciphertext_still_opens(kms, key):
    alias, other = new_alias(), kms.create_key()
    kms("CreateAlias", AliasName=alias, KeyId=key)
    blob = kms.encrypt(alias, b"data")
    kms("UpdateAlias", AliasName=alias, KeyId=other)
    assert kms.describe(alias)["KeyId"] == other
    assert kms.decrypt(blob) == b"data"


def test_lists(kms, key):
    aliases = sorted(new_alias() for _ in range(3))
    for alias in aliases:
        kms("CreateAlias", AliasName=alias, KeyId=key)
    rows = kms.all_rows("ListAliasesByKeyId", "Aliases", "Alias", KeyId=key)
    assert sorted(row["AliasName"] for row in rows) == aliases
    for row in rows:
        assert row["KeyId"] == key
        assert row["AliasArn"].startswith(f"acs:kms:{kms.server.region}:")
        assert row["AliasArn"].endswith(f":{row['AliasName']}")
    everything = kms.all_rows("ListAliases", "Aliases", "Alias")
    assert all(row in everything for row in rows)
    page = kms("ListAliasesByKeyId", KeyId=key, PageNumber=2, PageSize=2)
    assert (len(page["Aliases"]["Alias"]), page["TotalCount"]) == (1, 3)
    assert kms("ListAliasesByKeyId", KeyId=kms.create_key())["Aliases"] == {"Alias": []}


def test_delete(kms, key):
    alias = new_alias()
    kms("CreateAlias", AliasName=alias, KeyId=key)
    kms("DeleteAlias", AliasName=alias)
    kms.refused("DeleteAlias", "Forbidden.AliasNotFound", 404, AliasName=alias)
    assert kms.describe(key)["KeyState"] == "Enabled"
    kms("CreateAlias", AliasName=alias, KeyId=kms.create_key())


def test_an_alias_that_is_not_there(kms, key):
    alias = new_alias()
    kms.refused("DescribeKey", "Forbidden.AliasNotFound", 404, KeyId=alias)
    kms.refused("Encrypt", "Forbidden.AliasNotFound", 404, KeyId=alias, Plaintext="AAAA")
    kms.refused("UpdateAlias", "Forbidden.AliasNotFound", 404, AliasName=alias, KeyId=key)


def test_bad_targets_and_names(kms, key):
    kms.refused("CreateAlias", "Forbidden.KeyNotFound", 404, AliasName=new_alias(), KeyId=ABSENT_KEY)
    kms.refused("CreateAlias", "Unsupported.Alias", 400, AliasName=new_alias(), KeyId=new_alias())
    for name in ("no-prefix", "alias/", "alias/bläh", "alias/with blank", "alias/acs/kms", "alias/" + "x" * 256):
        kms.refused("CreateAlias", "InvalidParameter", 400, AliasName=name, KeyId=key)
    assert kms("ListAliasesByKeyId", KeyId=key)["TotalCount"] == 0


def test_a_key_on_its_way_out_takes_no_alias(kms, key):
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    kms.refused("CreateAlias", "Rejected.StateModifiedFailed", 409, AliasName=new_alias(), KeyId=key)
