"""What a denied caller is told, as the official SDKs show it."""

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from kms_error import KmsError

POLICY = {
    "Version": "1",
    "Statement": [
        {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"},
        {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"},
    ],
}
MESSAGE = "EncodedDiagnosticMessage"


@pytest.fixture(scope="module")
def denied(first):
    """A user, its name and a key."""
    name, credentials = first.user(POLICY)
    key = first.root.kms("CreateKey")["KeyMetadata"]
    return name, credentials, key


def detail(call, *words, **parameters):
    with pytest.raises(KmsError) as caught:
        call(*words, **parameters)
    return caught.value.__cause__.access_denied_detail


def test_the_sdk_shows_who_lacks_what_and_the_administrator_why(first, denied):
    name, credentials, key = denied
    user = first.as_(*credentials)
    told = detail(user.kms, "DisableKey", KeyId=key["KeyId"])
    message = told.pop(MESSAGE)
    who = {
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": first.root.ram("GetUser", UserName=name)["User"]["UserId"],
        "AuthPrincipalOwnerId": first.number,
    }
    assert told == who | {
        "AuthAction": "kms:DisableKey",
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }
    decoded = first.root.ram("DecodeDiagnosticMessage", **{MESSAGE: message})["DecodedDiagnosticMessage"]
    assert decoded["AuthResource"] == key["Arn"]
    assert decoded["AuthPrincipal"] == who
    assert decoded["ExplicitDeny"] is False
    assert {"ConditionKey": "acs:SourceIp", "ConditionValues": ["127.0.0.1"]} in decoded["AuthConditions"]


def test_the_policy_that_denies_is_named(first, denied):
    _, credentials, key = denied
    told = detail(first.as_(*credentials).kms, "Encrypt", KeyId=key["KeyId"], Plaintext="YQ==")
    assert told["NoPermissionType"] == "ExplicitDeny"
    decoded = first.root.ram("DecodeDiagnosticMessage", **{MESSAGE: told[MESSAGE]})["DecodedDiagnosticMessage"]
    (policy,) = decoded["MatchedPolicies"]
    assert (policy["Effect"], policy["PolicyVersion"], policy["AttachedEntityType"]) == ("Deny", "v1", "RamUser")


def test_ram_tells_it_too_and_the_old_sdk_reads_the_error(first, denied):
    name, credentials, _ = denied
    assert detail(first.as_(*credentials).ram, "GetUser", UserName=name)["AuthAction"] == "ram:GetUser"
    with pytest.raises(KmsError) as caught:
        first.as_old(*credentials).ram("GetUser", UserName=name)
    assert isinstance(caught.value.__cause__, ServerException)
    assert (caught.value.code, caught.value.status) == ("NoPermission", 403)


def test_who_may_not_decode_and_what_is_no_message(first, denied):
    _, credentials, key = denied
    told = detail(first.as_(*credentials).kms, "DisableKey", KeyId=key["KeyId"])
    with pytest.raises(KmsError) as caught:
        first.as_(*credentials).ram("DecodeDiagnosticMessage", **{MESSAGE: told[MESSAGE]})
    assert caught.value.code == "NoPermission"
    with pytest.raises(KmsError) as caught:
        first.root.ram("DecodeDiagnosticMessage", **{MESSAGE: "AQ" + told[MESSAGE][3:]})
    assert (caught.value.code, caught.value.status) == ("EntityNotExist", 404)
