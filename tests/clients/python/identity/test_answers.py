"""Every answer of RAM, STS and LookupEvents against the response models of the current SDKs: names, nesting, types."""

import json
import re
import typing
import uuid

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions
from darabonba.model import DaraModel

from clients import CLIENTS
from kms_error import KmsError
from sdks import PARTS, Sdk, of_access_key, of_credentials
from server import REPOSITORY

VERSIONS = {"ram": "2015-05-01", "sts": "2015-04-01", "trail": "2020-07-06"}

# Members of the models that no answer has, for there is nothing that they could tell.
NEVER = {
    "GetUser": {"User.LastLoginDate"},
    "GetRole": {"Role.IsServiceLinkedRole", "Role.LatestDeletionTask", "Role.RolePrincipalName"},
    "GetPolicy": {"Policy.PolicyDocument"},
    "ListPolicies": {"Policies.Policy.Tags"},
    "ListRoles": {"Roles.Role.Tags"},
}
# Members of answers that the models do not know.
MORE = {
    "CreatePolicy": {"Policy.UpdateDate"},
    "CreateRole": {"Role.UpdateDate"},
    "GetAccessKeyLastUsed": {"AccessKeyLastUsed.ServiceName"},
}


class Recorder:
    """Calls an action as a generic request, and keeps what was wrong with its answer."""

    def __init__(self, sdk):
        self.sdk, self.seen = sdk, {}

    def __call__(self, part, action, **parameters):
        body = raw(self.sdk, part, action, parameters)
        model = getattr(PARTS[part][1], f"{action}ResponseBody")().from_map(body)
        absent, wrong = set(), set()
        look(model, "", absent, wrong)
        assert not wrong, f"{action}: {wrong}"
        told = self.seen.setdefault((part, action), [set(), set()])
        told[0] |= absent
        told[1] |= paths(body) - paths(model.to_map())
        return body


def raw(sdk, part, action, parameters):
    client, _ = sdk.clients[part]
    call = Params(
        action=action,
        version=VERSIONS[part],
        protocol="HTTPS",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    query = {name: str(value) for name, value in parameters.items()}
    return client.call_api(call, OpenApiRequest(query=query), RuntimeOptions())["body"]


def wire_name(attribute):
    return "".join(word.capitalize() for word in attribute.split("_"))


def look(model, prefix, absent, wrong):
    """Collects members that are absent, and those of another type than the model's."""
    hints = typing.get_type_hints(type(model).__init__)
    for attribute, value in vars(model).items():
        if attribute not in hints:
            continue
        path = prefix + wire_name(attribute)
        if value is None:
            absent.add(path)
        elif isinstance(value, DaraModel):
            look(value, f"{path}.", absent, wrong)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, DaraModel):
                    look(item, f"{path}.", absent, wrong)
        elif hints[attribute] in (str, int, bool) and type(value) is not hints[attribute]:
            wrong.add(f"{path} is {type(value).__name__}")


def paths(value, prefix=""):
    if isinstance(value, list):
        return set().union(*(paths(item, prefix) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = {prefix + name for name in value}
    return found.union(*(paths(item, f"{prefix}{name}.") for name, item in value.items()))


# What signs people in has tests of its own beside these: test_sign_in.py.
SIGN_IN = {
    "CreateLoginProfile",
    "GetLoginProfile",
    "UpdateLoginProfile",
    "DeleteLoginProfile",
    "ChangePassword",
    "GetPasswordPolicy",
    "SetPasswordPolicy",
    "CreateVirtualMFADevice",
    "DeleteVirtualMFADevice",
    "ListVirtualMFADevices",
    "BindMFADevice",
    "UnbindMFADevice",
    "GetUserMFAInfo",
    # Of ours: the SDKs have no such actions.
    "CreatePasskey",
    "ListPasskeys",
    "DeletePasskey",
}


def offered(part):
    """What the page says that there is."""
    page = (REPOSITORY / "docs/compatibility.md").read_text()
    section = page.split(f"\n## Actions of {part.upper()}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_member_of_every_answer(first):
    name = f"all-{uuid.uuid4().hex[:12]}"
    document = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
    trusted = {"RAM": [f"acs:ram::{first.number}:root"]}
    trust = json.dumps(
        {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]}
    )
    # Root may not assume roles, so a user does all of it.
    first.root.ram("CreateUser", UserName=f"{name}-doer")
    first.root.ram(
        "AttachPolicyToUser", PolicyType="System", PolicyName="AdministratorAccess", UserName=f"{name}-doer"
    )
    key = of_access_key(first.root.ram("CreateAccessKey", UserName=f"{name}-doer"))
    sdk = Sdk(first.server, *key)
    call = Recorder(sdk)

    def ram(action, **parameters):
        return call("ram", action, **parameters)

    user, group, role = {"UserName": name}, {"GroupName": name}, {"RoleName": name}
    policy = {"PolicyType": "Custom", "PolicyName": name}
    of_policy = {"PolicyName": name}
    contact = dict(Email="a@example.com", MobilePhone="86-18600008888", Comments="<&\"'> ü")
    made = ram("CreateUser", DisplayName="張 強", **contact, **user)["User"]
    assert made["DisplayName"] == "張 強" and made["Comments"] == "<&\"'> ü"
    ram("GetUser", **user)
    ram("UpdateUser", NewComments="", NewDisplayName="", **user)
    ram("CreateGroup", Comments="c", **group)
    ram("GetGroup", **group)
    ram("UpdateGroup", NewComments="d", **group)
    for action, container, of in [
        ("ListGroupsForUser", ("Groups", "Group"), user),
        ("ListUsersForGroup", ("Users", "User"), group),
        ("ListAccessKeys", ("AccessKeys", "AccessKey"), user),
        ("ListPoliciesForUser", ("Policies", "Policy"), user),
        ("ListPoliciesForGroup", ("Policies", "Policy"), group),
    ]:
        outer, inner = container
        assert raw(sdk, "ram", action, of)[outer] == {inner: []}, "an empty list is there, and is empty"
    ram("AddUserToGroup", **user, **group)
    ram("ListGroupsForUser", **user)
    ram("ListUsersForGroup", MaxItems=1, **group)
    key_id = ram("CreateAccessKey", **user)["AccessKey"]["AccessKeyId"]
    ram("ListAccessKeys", **user)
    ram("GetAccessKeyLastUsed", UserAccessKeyId=key_id, **user)
    ram("UpdateAccessKey", UserAccessKeyId=key_id, Status="Inactive", **user)
    ram("CreatePolicy", PolicyDocument=document, Description="d", **of_policy)
    ram("UpdatePolicyDescription", NewDescription="", **of_policy)
    ram("GetPolicy", **policy)
    ram("CreatePolicyVersion", PolicyDocument=document, **of_policy)
    ram("GetPolicyVersion", VersionId="v1", **policy)
    ram("ListPolicyVersions", **policy)
    ram("SetDefaultPolicyVersion", VersionId="v2", **of_policy)
    made = ram("CreateRole", AssumeRolePolicyDocument=trust, Description="d", AllowConsoleLogin="false", **role)["Role"]
    assert made["AllowConsoleLogin"] is False
    ram("GetRole", **role)
    ram("UpdateRole", NewDescription="", NewMaxSessionDuration=7200, **role)
    for kind, of in [("User", user), ("Group", group), ("Role", role)]:
        ram(f"AttachPolicyTo{kind}", **policy, **of)
        ram(f"ListPoliciesFor{kind}", **of)
    ram("ListEntitiesForPolicy", **policy)
    assumed = call("sts", "AssumeRole", RoleArn=made["Arn"], RoleSessionName="me", SourceIdentity="somebody")
    given = assumed["Credentials"]
    session = Sdk(first.server, given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"])
    assert raw(session, "sts", "GetCallerIdentity", {})["RoleId"] == made["RoleId"]
    deny = {"Effect": "Deny", "Action": "ram:ListUsers", "Resource": "*"}
    denying = json.dumps({"Version": "1", "Statement": [deny]})
    ram("CreatePolicyVersion", PolicyDocument=denying, SetAsDefault="true", **of_policy)
    with pytest.raises(ClientException) as denied:
        raw(session, "ram", "ListUsers", {})
    message = denied.value.access_denied_detail["EncodedDiagnosticMessage"]
    ram("DecodeDiagnosticMessage", EncodedDiagnosticMessage=message)
    ram("SetDefaultPolicyVersion", VersionId="v2", **of_policy)
    ram("DeletePolicyVersion", VersionId="v3", **of_policy)
    call("sts", "GetCallerIdentity")
    call("trail", "LookupEvents", MaxResults=1)
    # To the end of each list, one row a page; somewhere in each there is a page that is not the last one.
    other = f"{name}-2"
    ram("CreateGroup", GroupName=other)
    ram("CreateRole", RoleName=other, AssumeRolePolicyDocument=trust)
    for container in ("Users", "Groups", "Roles", "Policies"):
        action, marker, rows = f"List{container}", {}, []
        while True:
            page = ram(action, MaxItems=1, **marker)
            rows += next(iter(page[container].values()))
            assert page["IsTruncated"] is ("Marker" in page)
            if not page["IsTruncated"]:
                break
            marker = {"Marker": page["Marker"]}
        assert next(iter(ram(action, MaxItems=1000)[container].values())) == rows
    ram("DeleteGroup", GroupName=other)
    ram("DeleteRole", RoleName=other)
    for kind, of in [("User", user), ("Group", group), ("Role", role)]:
        ram(f"DetachPolicyFrom{kind}", **policy, **of)
    ram("DeletePolicyVersion", VersionId="v1", **of_policy)
    ram("DeletePolicy", **of_policy)
    ram("DeleteAccessKey", UserAccessKeyId=key_id, **user)
    ram("RemoveUserFromGroup", **user, **group)
    ram("DeleteGroup", **group)
    ram("DeleteRole", **role)
    ram("DeleteUser", **user)

    for (part, action), (absent, more) in call.seen.items():
        if part == "trail":
            # Events are plain objects in the model.
            more = {path for path in more if not path.startswith("Events.")}
        # Absent from the last page alone; a user has no role.
        absent -= {"Marker"} if action.startswith("List") else set()
        absent -= {"RoleId"} if action == "GetCallerIdentity" else set()
        assert absent == NEVER.get(action, set()), action
        assert more == MORE.get(action, set()), action

    # What the SDKs know and we do not offer says so, and pretends nothing.
    for part in ("ram", "sts"):
        models = PARTS[part][1]
        known = {word.removesuffix("ResponseBody") for word in dir(models) if word.endswith("ResponseBody")}
        called = {action for of, action in call.seen if of == part}
        # It needs no access key, and has its tests beside those of the credentials library.
        called |= {"AssumeRoleWithOIDC"} if part == "sts" else SIGN_IN
        assert called == offered(part)
        for action in known - called:
            with pytest.raises(Exception) as caught:
                raw(sdk, part, action, {})
            assert caught.value.code == "InvalidAction.NotFound", action


def test_errors_as_the_sdk_shows_them(first):
    with pytest.raises(KmsError) as caught:
        first.root.ram("GetUser", UserName="nobody-at-all")
    error = caught.value
    assert (error.status, error.code) == (404, "EntityNotExist.User")
    assert "The user does not exist." in error.message
    assert uuid.UUID(error.request_id)
    with pytest.raises(KmsError) as caught:
        first.old.ram("GetUser", UserName="nobody-at-all")
    error = caught.value
    assert (error.status, error.code, error.message) == (404, "EntityNotExist.User", "The user does not exist.")
    assert uuid.UUID(error.request_id)


# ACS4 needs the gateway that the KMS client alone brings.
@pytest.mark.parametrize("name", ["tea3-acs3", "tea3-acs3-sm3", "tea3-rpc-v1"])
def test_every_signature_of_the_current_sdks(first, name):
    _, options = CLIENTS[name]
    user = f"signed-{uuid.uuid4().hex[:12]}"
    root = Sdk(first.server, first.server.key_id, first.server.key_secret, **options)
    root.ram("CreateUser", UserName=user, DisplayName="張 強", Comments="a&b=c/d?e+f~*'(é)%20")
    assert root.ram("GetUser", UserName=user)["User"]["Comments"] == "a&b=c/d?e+f~*'(é)%20"
    # And with temporary credentials.
    trusted = {"RAM": [f"acs:ram::{first.number}:root"]}
    trust = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]}

    def may(action, resource):
        return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}

    role, _, arn = first.role(trust, may("ram:ListUsers", "*"))
    _, worker = first.user(may("sts:AssumeRole", arn))
    assumed = Sdk(first.server, *worker, **options).sts("AssumeRole", RoleArn=arn, RoleSessionName="c3a9")
    session = Sdk(first.server, *of_credentials(assumed), **options)
    assert session.sts("GetCallerIdentity")["Arn"] == f"acs:ram::{first.number}:assumed-role/{role}/c3a9"
    assert session.ram("ListUsers", MaxItems=1)["Users"]["User"]
    with pytest.raises(KmsError) as caught:
        session.trail("LookupEvents", MaxResults="1")
    assert (caught.value.status, caught.value.code) == (403, "NoPermission")
    # A session's key without its token, and with another's.
    key_id, secret, token = of_credentials(assumed)
    for credentials, code in [
        ((key_id, secret), "MissingSecurityToken"),
        ((key_id, secret, token[:-2]), "InvalidSecurityToken.Malformed"),
        ((*worker, token), "InvalidSecurityToken.MismatchWithAccessKey"),
    ]:
        with pytest.raises(KmsError) as caught:
            Sdk(first.server, *credentials, **options).sts("GetCallerIdentity")
        assert caught.value.code == code
