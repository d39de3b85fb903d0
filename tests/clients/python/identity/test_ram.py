"""RAM through the official SDKs: users, groups, access keys, policies, roles; paging, limits, errors."""

import json
import uuid

import pytest

from kms_error import KmsError

ENCRYPT = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}]}
LIST = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}]}


def fresh(kind):
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def refused(code, call, *words, **parameters):
    with pytest.raises(KmsError) as caught:
        call(*words, **parameters)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.fixture(params=["root", "old"])
def ram(request, first):
    """The same through both generations of the SDK."""
    return getattr(first, request.param).ram


def test_users(ram):
    name = fresh("user")
    made = ram("CreateUser", UserName=name, DisplayName="A B", Email="a@example.com", Comments="x")["User"]
    assert (made["UserName"], made["DisplayName"], made["Email"]) == (name, "A B", "a@example.com")
    assert ram("GetUser", UserName=name)["User"]["UserId"] == made["UserId"]
    assert refused("EntityAlreadyExists.User", ram, "CreateUser", UserName=name).status == 409
    other = fresh("user")
    ram("UpdateUser", UserName=name, NewUserName=other, NewComments="y")
    assert ram("GetUser", UserName=other)["User"]["UserId"] == made["UserId"]
    assert refused("EntityNotExist.User", ram, "GetUser", UserName=name).status == 404
    ram("DeleteUser", UserName=other)
    refused("EntityNotExist.User", ram, "DeleteUser", UserName=other)


def test_users_are_listed_page_by_page(first):
    names = sorted(fresh("page") for _ in range(5))
    for name in names:
        first.root.ram("CreateUser", UserName=name)
    seen, marker = [], None
    while True:
        more = {"Marker": marker} if marker else {}
        page = first.root.ram("ListUsers", MaxItems=2, **more)
        rows = page["Users"]["User"]
        assert len(rows) <= 2
        seen += [row["UserName"] for row in rows]
        if not page["IsTruncated"]:
            break
        marker = page["Marker"]
    assert [name for name in seen if name.startswith("page-")] == names
    assert len(seen) == len(set(seen))


def test_groups(ram):
    user, group = fresh("user"), fresh("group")
    ram("CreateUser", UserName=user)
    ram("CreateGroup", GroupName=group, Comments="c")
    ram("AddUserToGroup", UserName=user, GroupName=group)
    refused("EntityAlreadyExists.User.Group", ram, "AddUserToGroup", UserName=user, GroupName=group)
    assert [row["GroupName"] for row in ram("ListGroupsForUser", UserName=user)["Groups"]["Group"]] == [group]
    assert [row["UserName"] for row in ram("ListUsersForGroup", GroupName=group)["Users"]["User"]] == [user]
    refused("DeleteConflict.Group.User", ram, "DeleteGroup", GroupName=group)
    refused("DeleteConflict.User.Group", ram, "DeleteUser", UserName=user)
    ram("RemoveUserFromGroup", UserName=user, GroupName=group)
    ram("DeleteGroup", GroupName=group)
    ram("DeleteUser", UserName=user)


def test_access_keys(first, ram):
    user = fresh("user")
    ram("CreateUser", UserName=user)
    made = [ram("CreateAccessKey", UserName=user)["AccessKey"] for _ in range(2)]
    refused("LimitExceeded.User.AccessKey", ram, "CreateAccessKey", UserName=user)
    listed = ram("ListAccessKeys", UserName=user)["AccessKeys"]["AccessKey"]
    assert {row["AccessKeyId"] for row in listed} == {row["AccessKeyId"] for row in made}
    assert not any("AccessKeySecret" in row for row in listed), "the secret is shown once"
    caller = first.as_(made[0]["AccessKeyId"], made[0]["AccessKeySecret"])
    assert caller.sts("GetCallerIdentity")["IdentityType"] == "RAMUser"
    ram("UpdateAccessKey", UserName=user, UserAccessKeyId=made[0]["AccessKeyId"], Status="Inactive")
    refused("InvalidAccessKeyId.Inactive", caller.sts, "GetCallerIdentity")
    ram("UpdateAccessKey", UserName=user, UserAccessKeyId=made[0]["AccessKeyId"], Status="Active")
    caller.sts("GetCallerIdentity")
    refused("DeleteConflict.User.AccessKey", ram, "DeleteUser", UserName=user)
    for row in made:
        ram("DeleteAccessKey", UserName=user, UserAccessKeyId=row["AccessKeyId"])
    refused("InvalidAccessKeyId.NotFound", caller.sts, "GetCallerIdentity")
    ram("DeleteUser", UserName=user)


def test_policies_and_versions(ram):
    name = fresh("policy")
    made = ram("CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(ENCRYPT), Description="d")["Policy"]
    assert (made["PolicyType"], made["DefaultVersion"]) == ("Custom", "v1")
    refused("EntityAlreadyExists.Policy", ram, "CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(ENCRYPT))
    second = ram("CreatePolicyVersion", PolicyName=name, PolicyDocument=json.dumps(LIST), SetAsDefault=True)
    assert second["PolicyVersion"]["VersionId"] == "v2"
    got = ram("GetPolicy", PolicyType="Custom", PolicyName=name)
    assert got["Policy"]["DefaultVersion"] == "v2"
    assert json.loads(got["DefaultPolicyVersion"]["PolicyDocument"]) == LIST
    for _ in range(3):
        ram("CreatePolicyVersion", PolicyName=name, PolicyDocument=json.dumps(LIST))
    refused("LimitExceeded.Policy.Version", ram, "CreatePolicyVersion", PolicyName=name, PolicyDocument=json.dumps(LIST))
    versions = ram("ListPolicyVersions", PolicyType="Custom", PolicyName=name)["PolicyVersions"]["PolicyVersion"]
    assert len(versions) == 5
    refused("DeleteConflict.Policy.Version", ram, "DeletePolicy", PolicyName=name)
    for row in versions:
        if not row["IsDefaultVersion"]:
            ram("DeletePolicyVersion", PolicyName=name, VersionId=row["VersionId"])
    ram("DeletePolicy", PolicyName=name)


@pytest.mark.parametrize(
    "document, place",
    [
        ('{"Version":"2","Statement":[]}', "Version"),
        ({"Version": "1", "Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}, "Statement 1: Effect"),
        (
            {
                "Version": "1",
                "Statement": [
                    ENCRYPT["Statement"][0],
                    {**ENCRYPT["Statement"][0], "Condition": {"StringFoo": {"kms:tag/a": "b"}}},
                ],
            },
            "Statement 2: Condition",
        ),
        ({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "NotResource": "*"}]}, "Statement 1"),
    ],
)
def test_a_bad_policy_is_refused_with_its_place(ram, document, place):
    text = document if isinstance(document, str) else json.dumps(document)
    error = refused("MalformedPolicyDocument", ram, "CreatePolicy", PolicyName=fresh("policy"), PolicyDocument=text)
    assert place in error.message, error.message


def test_system_policies(ram):
    listed = ram("ListPolicies", PolicyType="System", MaxItems=100)["Policies"]["Policy"]
    names = {row["PolicyName"] for row in listed}
    assert {"AliyunKMSFullAccess", "AliyunKMSReadOnlyAccess", "AliyunKMSCryptoAdminAccess", "AliyunKMSCryptoUserAccess"} <= names
    got = ram("GetPolicy", PolicyType="System", PolicyName="AliyunKMSCryptoUserAccess")
    assert "kms:Decrypt" in got["DefaultPolicyVersion"]["PolicyDocument"]


def test_roles(first, ram):
    name = fresh("role")
    trust = {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": [f"acs:ram::{first.number}:root"]}}
        ],
    }
    made = ram("CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Description="d")["Role"]
    assert made["Arn"] == f"acs:ram::{first.number}:role/{name}"
    ram("AttachPolicyToRole", PolicyType="System", PolicyName="AliyunKMSReadOnlyAccess", RoleName=name)
    attached = ram("ListPoliciesForRole", RoleName=name)["Policies"]["Policy"]
    assert [row["PolicyName"] for row in attached] == ["AliyunKMSReadOnlyAccess"]
    refused("DeleteConflict.Role.Policy", ram, "DeleteRole", RoleName=name)
    entities = ram("ListEntitiesForPolicy", PolicyType="System", PolicyName="AliyunKMSReadOnlyAccess")
    assert name in [row["RoleName"] for row in entities["Roles"]["Role"]]
    ram("DetachPolicyFromRole", PolicyType="System", PolicyName="AliyunKMSReadOnlyAccess", RoleName=name)
    ram("UpdateRole", RoleName=name, NewAssumeRolePolicyDocument=json.dumps(trust))
    ram("DeleteRole", RoleName=name)
    refused("EntityNotExist.Role", ram, "GetRole", RoleName=name)


def test_accounts_do_not_meet(first, second):
    name = fresh("user")
    first.root.ram("CreateUser", UserName=name)
    refused("EntityNotExist.User", second.root.ram, "GetUser", UserName=name)
    second.root.ram("CreateUser", UserName=name)
    second.root.ram("DeleteUser", UserName=name)
    first.root.ram("GetUser", UserName=name)
    assert name not in json.dumps(second.root.ram("ListUsers"))
