"""TagResource, UntagResource, ListResourceTags, and TagResources, UntagResources, ListTagResources."""

import pytest

from kms import ABSENT_KEY, new_alias

TAGS_MAX = 20
RESOURCES_MAX = 50
ALLOWED = "Az09/\\_-.+=:@"
BAD_KEYS = ("", "aliyun", "aliyun-x", "acs:x", "ü", "a*b", "x" * 129)
BAD_VALUES = ("ü", "a*b", "x" * 129)


def pairs(tags):
    """The form of the first generation."""
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def rows(tags):
    """The form of the second generation, which the SDK flattens to Tag.1.Key, Tag.1.Value, …"""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(api, key):
    listed = api("ListResourceTags", KeyId=key)["Tags"]["Tag"]
    assert all(row["KeyId"] == key for row in listed)
    tags = {row["TagKey"]: row["TagValue"] for row in listed}
    assert len(tags) == len(listed)
    return tags


@pytest.fixture
def here(server):
    return {"RegionId": server.region, "ResourceType": "key"}


def all_tag_rows(api, here, **more):
    """Every row of ListTagResources, page by page."""
    found, token = [], {}
    while True:
        answer = api("ListTagResources", **here, **more, **token)
        part = answer["TagResources"]["TagResource"]
        assert all(row["ResourceType"] == "key" for row in part)
        found += [(row["ResourceId"], row["TagKey"], row["TagValue"]) for row in part]
        if not answer["NextToken"]:
            return found
        assert len(part) >= 1
        token = {"NextToken": answer["NextToken"]}


def test_tags_of_one_key(api, key):
    assert api("ListResourceTags", KeyId=key)["Tags"] == {"Tag": []}
    api("TagResource", KeyId=key, Tags=pairs({"team": "orders", "stage": ""}))
    api("TagResource", KeyId=key, Tags=pairs({"team": "billing", ALLOWED: ALLOWED, "k" * 128: "v" * 128}))
    expected = {"team": "billing", "stage": "", ALLOWED: ALLOWED, "k" * 128: "v" * 128}
    assert tags_of(api, key) == expected
    api("UntagResource", KeyId=key, TagKeys=["stage", ALLOWED, "never there"])
    assert tags_of(api, key) == {"team": "billing", "k" * 128: "v" * 128}


def test_tags_from_the_start(api):
    tags = {f"k{number}": str(number) for number in range(TAGS_MAX)}
    key = api.create_key(Tags=pairs(tags))
    assert tags_of(api, key) == tags
    api.refused("TagResource", "Rejected.LimitExceeded", 400, KeyId=key, Tags=pairs({"more": ""}))
    api("TagResource", KeyId=key, Tags=pairs({"k0": "changed"}))
    assert tags_of(api, key) == tags | {"k0": "changed"}
    api.refused("CreateKey", "Rejected.LimitExceeded", 400, Tags=pairs(tags | {"more": ""}))


def test_tags_of_several_keys(api, key, here):
    keys = [key, api.create_key(), api.create_key()]
    expected = {"team": "orders", "stage": "test", "a + b": "= : /"}
    api("TagResources", ResourceId=keys, Tag=rows(expected), **here)
    assert [tags_of(api, each) for each in keys] == [expected] * 3
    listed = all_tag_rows(api, here, ResourceId=keys)
    assert sorted(listed) == sorted((each, name, value) for each in keys for name, value in expected.items())

    api("UntagResources", ResourceId=keys[:2], TagKey=["team", "never there"], **here)
    assert ["team" in tags_of(api, each) for each in keys] == [False, False, True]
    api("UntagResources", ResourceId=keys[:1], All=True, TagKey=["stage"], **here)
    assert set(tags_of(api, keys[0])) == set(expected) - {"team", "stage"}
    api("UntagResources", ResourceId=keys, All=True, **here)
    assert [tags_of(api, each) for each in keys] == [{}] * 3
    assert all_tag_rows(api, here, ResourceId=keys) == []


def test_find_by_tag(api, here):
    red, blue, plain = (api.create_key(Tags=pairs({"colour": colour, "all": ""})) for colour in ("red", "blue", ""))
    keys = [red, blue, plain]

    def found(*tags):
        return {row[0] for row in all_tag_rows(api, here, ResourceId=keys, Tag=[dict(tag) for tag in tags])}

    assert found({"Key": "colour", "Value": "red"}) == {red}
    assert found({"Key": "colour"}) == set(keys)
    assert found({"Key": "colour", "Value": "red"}, {"Key": "all"}) == {red}
    assert found({"Key": "colour", "Value": "green"}) == set()
    assert found({"Key": "Colour"}) == set()
    # Without ResourceId: every key of the region.
    assert {row[0] for row in all_tag_rows(api, here, Tag=[{"Key": "colour", "Value": "blue"}])} == {blue}


def test_pages(api, here):
    tags = {f"page{number}": "x" for number in range(TAGS_MAX)}
    keys = [api.create_key() for _ in range(22)]
    api("TagResources", ResourceId=keys, Tag=rows(tags), **here)
    first = api("ListTagResources", **here)
    assert first["NextToken"]
    listed = [row for row in all_tag_rows(api, here) if row[0] in keys]
    assert sorted(listed) == sorted((key, name, "x") for key in keys for name in tags)
    api("UntagResources", ResourceId=keys, All=True, **here)


def test_all_keys_or_none(api, key, here):
    full = api.create_key(Tags=pairs({f"k{number}": "" for number in range(TAGS_MAX)}))
    gone = api.create_key()
    api("ScheduleKeyDeletion", KeyId=gone, PendingWindowInDays=7)
    for last, code, status in (
        (full, "Rejected.LimitExceeded", 400),
        (gone, "Rejected.PendingDeletion", 409),
        (ABSENT_KEY, "Forbidden.KeyNotFound", 404),
    ):
        api.refused("TagResources", code, status, ResourceId=[key, last], Tag=rows({"new": "x"}), **here)
        assert tags_of(api, key) == {}
    api("TagResource", KeyId=key, Tags=pairs({"old": "x"}))
    for last, code, status in ((gone, "Rejected.PendingDeletion", 409), (ABSENT_KEY, "Forbidden.KeyNotFound", 404)):
        api.refused("UntagResources", code, status, ResourceId=[key, last], All=True, **here)
        assert tags_of(api, key) == {"old": "x"}
    # Reading is allowed in any state.
    assert tags_of(api, gone) == {}
    for action, more in (("TagResource", {"Tags": pairs({"a": "b"})}), ("UntagResource", {"TagKeys": ["a"]})):
        api.refused(action, "Rejected.PendingDeletion", 409, KeyId=gone, **more)


@pytest.mark.parametrize("tag", [*((name, "v") for name in BAD_KEYS), *(("k", value) for value in BAD_VALUES)])
def test_bad_tags(api, key, here, tag):
    name, value = tag
    tags = {name: value}
    api.refused("TagResource", "InvalidParameter", 400, KeyId=key, Tags=pairs(tags))
    api.refused("CreateKey", "InvalidParameter", 400, Tags=pairs(tags))
    api.refused("TagResources", "InvalidParameter", 400, ResourceId=[key], Tag=rows(tags), **here)
    assert tags_of(api, key) == {}


def test_what_is_no_list(api, key):
    for text in ("{}", "[", "[1]", '["a"]', '[{"TagKey":1,"TagValue":"v"}]', '[{"Key":"k","Value":"v"}]'):
        api.refused("TagResource", "InvalidParameter", 400, KeyId=key, Tags=text)
    for text in ("{}", "[", "[1]", "team"):
        api.refused("UntagResource", "InvalidParameter", 400, KeyId=key, TagKeys=text)


def test_targets_of_the_first_generation(api, key):
    for action, more in (("TagResource", {"Tags": pairs({"a": "b"})}), ("UntagResource", {"TagKeys": ["a"]})):
        api.refused(action, "MissingParameter", 400, **more)
        api.refused(action, "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY, **more)
        api.refused(action, "Unsupported.Alias", 400, KeyId=new_alias(), **more)
        # There are no secrets and certificates to tag yet.
        for other in ("SecretName", "CertificateId"):
            api.refused(action, "InvalidParameter", 400, KeyId=key, **{other: "x"}, **more)
    api.refused("ListResourceTags", "Forbidden.KeyNotFound", 404, KeyId=ABSENT_KEY)
    api.refused("ListResourceTags", "Unsupported.Alias", 400, KeyId=new_alias())


def test_targets_of_the_second_generation(api, key, here):
    tag = {"Tag": rows({"a": "b"})}
    cases = (("TagResources", tag), ("UntagResources", {"TagKey": ["a"]}), ("ListTagResources", {}))
    for action, more in cases:
        good = {"ResourceId": [key], **here, **more}
        assert api(action, **good)
        api.refused(action, "InvalidParameter", 400, **good | {"ResourceType": "instance"})
        api.refused(action, "InvalidParameter", 400, **good | {"RegionId": "elsewhere"})
        api.refused(action, "Forbidden.KeyNotFound", 404, **good | {"ResourceId": [ABSENT_KEY]})
        many = [f"{number:08x}{ABSENT_KEY[8:]}" for number in range(RESOURCES_MAX + 1)]
        api.refused(action, "InvalidParameter", 400, **good | {"ResourceId": many})
    api.refused("TagResources", "MissingParameter", 400, **here, **tag)
    api.refused("TagResources", "MissingParameter", 400, ResourceId=[key], **here)
    api.refused("UntagResources", "MissingParameter", 400, ResourceId=[key], **here)
    api.refused("UntagResources", "MissingParameter", 400, ResourceId=[key], All=False, **here)
    too_many = rows({f"k{number}": "" for number in range(TAGS_MAX + 1)})
    api.refused("TagResources", "Rejected.LimitExceeded", 400, ResourceId=[key], Tag=too_many, **here)
    api.refused("ListTagResources", "InvalidParameter", 400, NextToken="x" * 1000, **here)


def test_fifty_keys_at_once(api, here):
    keys = [api.create_key() for _ in range(RESOURCES_MAX)]
    api("TagResources", ResourceId=keys, Tag=rows({"batch": "50"}), **here)
    assert {row[0] for row in all_tag_rows(api, here, Tag=[{"Key": "batch", "Value": "50"}])} == set(keys)
    api("UntagResources", ResourceId=keys, All=True, **here)
