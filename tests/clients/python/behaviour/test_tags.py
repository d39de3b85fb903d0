"""Tags, in both generations of actions."""

from kms import ABSENT_KEY


def tags_of(kms, key):
    return {row["TagKey"]: row["TagValue"] for row in kms("ListResourceTags", KeyId=key)["Tags"]["Tag"]}


def test_tags_of_one_key(kms):
    key = kms.create_key(Tags=[{"TagKey": "team", "TagValue": "orders"}])
    kms("TagResource", KeyId=key, Tags=[{"TagKey": "a + b=c", "TagValue": "/:@"}, {"TagKey": "stage", "TagValue": ""}])
    assert tags_of(kms, key) == {"team": "orders", "a + b=c": "/:@", "stage": ""}
    kms("UntagResource", KeyId=key, TagKeys=["team", "stage"])
    assert tags_of(kms, key) == {"a + b=c": "/:@"}
    kms.refused("TagResource", "InvalidParameter", 400, KeyId=key, Tags=[{"TagKey": "acs:x", "TagValue": ""}])
    kms.refused("TagResource", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, Tags=[{"TagKey": "x", "TagValue": ""}])


def test_tags_of_several_keys(kms, key):
    keys, here = [key, kms.create_key()], {"RegionId": kms.server.region, "ResourceType": "key"}
    tags = [{"Key": "team", "Value": "a + b"}, {"Key": "stage", "Value": "test"}]
    kms("TagResources", ResourceId=keys, Tag=tags, **here)
    assert [tags_of(kms, each) for each in keys] == [{"team": "a + b", "stage": "test"}] * 2
    answer = kms("ListTagResources", ResourceId=keys, Tag=tags[:1], **here)
    rows = answer["TagResources"]["TagResource"]
    assert {(row["ResourceId"], row["TagKey"]) for row in rows} == {(k, t["Key"]) for k in keys for t in tags}
    assert all(row["ResourceType"] == "key" for row in rows)
    assert answer["NextToken"] == ""
    kms("UntagResources", ResourceId=keys[:1], TagKey=["team"], **here)
    kms("UntagResources", ResourceId=keys[1:], All=True, **here)
    assert [tags_of(kms, each) for each in keys] == [{"stage": "test"}, {}]
    kms.refused("TagResources", "Forbidden.KeyNotFound", 404, ResourceId=[key, ABSENT_KEY], Tag=tags, **here)
    kms.refused("TagResources", "InvalidParameter", 400, ResourceId=keys, Tag=tags, **here | {"ResourceType": "disk"})
    assert tags_of(kms, key) == {"stage": "test"}
