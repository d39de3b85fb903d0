"""LookupEvents through the official SDK: every attribute, time ranges, directions, pages."""

import datetime
import time
import uuid

import pytest

from kms_error import KmsError
from sdks import of_credentials
from test_sessions import statement, trust_in


def found(account, *attributes, **more):
    asked = [{"Key": key, "Value": value} for key, value in attributes]
    return account.root.trail("LookupEvents", LookupAttribute=asked, MaxResults="50", **more)["Events"]


def refused(account, **parameters):
    with pytest.raises(KmsError) as caught:
        account.root.trail("LookupEvents", **parameters)
    assert caught.value.status == 400
    return caught.value.code


@pytest.fixture(scope="module")
def deeds(first):
    """A role's session has encrypted once and been refused once, under a key of its own."""
    key = first.root.kms("CreateKey")["KeyMetadata"]["KeyId"]
    role, _, arn = first.role(trust_in(first), statement("kms:Encrypt"))
    user, worker = first.user(statement("sts:AssumeRole", arn))
    session = of_credentials(first.as_(*worker).sts("AssumeRole", RoleArn=arn, RoleSessionName="s-1"))
    kms = first.as_(*session).kms
    request = kms("Encrypt", KeyId=key, Plaintext="Y2FyZCA0NzEx")["RequestId"]
    with pytest.raises(KmsError):
        kms("DescribeKey", KeyId=key)
    # Events of cryptographic calls are found once they are in the files.
    give_up_at = time.monotonic() + 30
    while not found(first, ("EventId", request)):
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    return {"key": key, "role": role, "user": user, "session": session, "worker": worker, "request": request}


def test_every_attribute_finds(first, deeds):
    by_session = ("EventAccessKeyId", deeds["session"][0])
    newest_first = ["DescribeKey", "Encrypt"]
    assert [event["eventName"] for event in found(first, by_session)] == newest_first
    for attribute, names in [
        (("EventName", "Encrypt"), ["Encrypt"]),
        (("EventName", "encrypt"), []),
        (("ServiceName", "Kms"), newest_first),
        (("ServiceName", "Ram"), []),
        (("User", f"{deeds['role']}:s-1"), newest_first),
        (("User", deeds["user"]), []),
        (("EventId", deeds["request"]), ["Encrypt"]),
        (("ResourceType", "ACS::KMS::Key"), newest_first),
        (("ResourceName", deeds["key"]), newest_first),
        (("EventRW", "Read"), newest_first),
        (("EventRW", "Write"), []),
        (("SourceIpAddress", "127.0.0.1"), newest_first),
        (("SourceIpAddress", "127.0.0.2"), []),
        (("EventType", "ApiCall"), newest_first),
        (("RoleName", deeds["role"]), newest_first),
        # Of the same key twice the second counts.
        (("EventAccessKeyId", deeds["worker"][0]), ["AssumeRole"]),
    ]:
        assert [event["eventName"] for event in found(first, by_session, attribute)] == names, attribute
        turned = found(first, attribute, by_session, Direction="FORWARD")
        if attribute[0] != by_session[0]:
            assert [event["eventName"] for event in turned] == names[::-1], attribute
    # The third is ignored.
    third = found(first, by_session, ("EventName", "Encrypt"), ("EventName", "Decrypt"))
    assert [event["eventName"] for event in third] == ["Encrypt"]
    for key in ("SensitiveAction", "eventname", "Unknown"):
        assert refused(first, LookupAttribute=[{"Key": key, "Value": "x"}]) == "InvalidParameter"
    assert refused(first, LookupAttribute=[{"Value": "x"}]) == "InvalidParameter"


def test_time_ranges(first, deeds):
    event = found(first, ("EventId", deeds["request"]))[0]
    at = datetime.datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ")

    def seen(start, end):
        shift = lambda seconds: (at + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        page = first.root.trail(
            "LookupEvents",
            StartTime=shift(start),
            EndTime=shift(end),
            LookupAttribute=[{"Key": "EventId", "Value": deeds["request"]}],
        )
        assert (page["StartTime"], page["EndTime"]) == (shift(start), shift(end))
        return len(page["Events"])

    ranges = [(0, 0), (-1, 0), (0, 1), (-3600, 3600), (-20, -1), (1, 20), (-9_000_000, -8_000_000)]
    assert [seen(*span) for span in ranges] == [1, 1, 1, 1, 0, 0, 0]
    now = event["eventTime"]
    assert refused(first, StartTime=now) == refused(first, EndTime=now) == "MissingParameter"
    earlier = "2020-01-01T00:00:00Z"
    for start, end in [(now, earlier), ("2020-01-01", now), (earlier, "2020-01-01T00:00:00+08:00")]:
        assert refused(first, StartTime=start, EndTime=end) == "InvalidParameter", (start, end)
    for name, value in [("Direction", "backward"), ("MaxResults", "51"), ("MaxResults", "-1"), ("NextToken", "x")]:
        assert refused(first, **{name: value}) == "InvalidParameter", (name, value)


@pytest.mark.parametrize("direction", ["BACKWARD", "FORWARD"])
def test_pages_in_both_directions(first, second, direction):
    name = f"paged-{uuid.uuid4().hex[:12]}"
    made = [first.root.ram("CreateGroup", GroupName=f"{name}-{number}")["RequestId"] for number in range(7)]
    asked = {
        "LookupAttribute": [{"Key": "EventName", "Value": "CreateGroup"}],
        "Direction": direction,
        "MaxResults": "2",
    }
    seen, more, pages = [], {}, 0
    while True:
        page = first.root.trail("LookupEvents", **asked, **more)
        seen += [event["eventId"] for event in page["Events"]]
        pages += 1
        if "NextToken" not in page:
            break
        assert len(page["Events"]) == 2
        more = {"NextToken": page["NextToken"]}
        # What is made meanwhile neither shifts nor repeats a row.
        if pages == 1:
            first.root.ram("CreateGroup", GroupName=f"{name}-late")
    assert [row for row in seen if row in made] == (made if direction == "FORWARD" else made[::-1])
    assert len(seen) == len(set(seen)) and pages > 3
    # A token goes with its account and its question.
    changed = asked | {"MaxResults": "3"}, asked | {"Direction": "FORWARD" if direction == "BACKWARD" else "BACKWARD"}
    for other in changed:
        assert refused(first, **other, **more) == "InvalidParameter"
    assert refused(second, **asked, **more) == "InvalidParameter"
