#!/usr/bin/env python3
"""Holds docs/openapi.json against its standard, and against a running server.

    check_openapi.py ENV    the `env` file of the server's data directory

Calls every action that is described, and compares request and answer with the schemas. Run by run_examples.py.
"""

import base64
import hmac
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

DESCRIPTION = json.loads((Path(__file__).resolve().parents[2] / "docs/openapi.json").read_text())

# The version of the API that an action's chapter belongs to; of all other chapters that of the description.
VERSIONS = {"RAM": "2015-05-01", "Temporary": "2015-04-01", "Audit": "2020-07-06"}

problems = []
called = set()


def wrong(text):
    problems.append(text)
    print(f"WRONG  docs/openapi.json: {text}", flush=True)


def b64(data):
    return base64.b64encode(data).decode()


def resolved(node):
    """What a node is, or points to."""
    while "$ref" in node:
        target = DESCRIPTION
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def mismatches(schema, value):
    # References are resolved from the root of the description.
    schema = {**schema, "components": DESCRIPTION["components"]}
    checker = Draft202012Validator.FORMAT_CHECKER
    return [error.message for error in Draft202012Validator(schema, format_checker=checker).iter_errors(value)]


class Service:
    """The service as the oldest SDK calls it, since that one shows the bare answer."""

    def __init__(self, env, access_key=None):
        pairs = re.findall(r"^export (\w+)=(.*)$", Path(env).read_text(), re.M)
        self.env = {name: shlex.split(value)[0] for name, value in pairs}
        own = (self.env["ALIBABA_CLOUD_ACCESS_KEY_ID"], self.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
        self.client = AcsClient(
            *(access_key or own), self.env["JOMAE_REGION"], verify=self.env["JOMAE_CA_FILE"], auto_retry=False
        )

    def __call__(self, action, expected=200, **params):
        params = {name.replace("__", "."): str(value) for name, value in params.items()}
        operation = DESCRIPTION["paths"][f"/?Action={action}"]["post"]
        called.add(action)
        self.compare_request(action, operation, params)

        version = VERSIONS.get(operation["tags"][0].split()[0], DESCRIPTION["info"]["version"])
        domain = self.env["JOMAE_ENDPOINT"].removeprefix("https://")
        request = CommonRequest(domain=domain, version=version, action_name=action)
        request.set_protocol_type("https")
        request.set_method("POST")
        for name, value in params.items():
            # The SDK puts a RegionId of its own into the query, unless there is one.
            (request.add_query_param if name == "RegionId" else request.add_body_params)(name, value)
        request.set_accept_format("JSON")
        status, _, body, _ = self.client._implementation_of_do_action(request)
        if status != expected:
            raise SystemExit(f"{action} is answered {status}: {body}")
        response = operation["responses"].get(str(status))
        if response is None:
            wrong(f"{action} has no response {status}")
            return json.loads(body)
        answer = json.loads(body)
        schema = resolved(response)["content"]["application/json"]["schema"]
        for message in mismatches(schema, answer):
            wrong(f"{action} {status}: {message}")
        if status != 200 and answer["Code"] not in re.findall(r"[\w.]+\w", resolved(response)["description"]):
            wrong(f"{action} {status} does not name {answer['Code']}")
        return answer

    @staticmethod
    def compare_request(action, operation, params):
        if "requestBody" not in operation:
            if params:
                wrong(f"{action} takes parameters: {sorted(params)}")
            return
        schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        values = {}
        for name, value in params.items():
            kind = schema["properties"].get(name, {}).get("type")
            values[name] = json.loads(value.lower()) if kind in ("integer", "boolean") else value
        # What the description does not name, this service would ignore.
        for message in mismatches({**schema, "additionalProperties": False}, values):
            wrong(f"{action}: {message}")


def keys(kms):
    key = kms("CreateKey", Description="described", Tags='[{"TagKey":"a","TagValue":"b"}]', ClientToken="token-1")
    key = key["KeyMetadata"]["KeyId"]
    kms("DescribeKey", KeyId=key)
    kms("UpdateKeyDescription", KeyId=key, Description="described anew")
    kms("ListKeys", PageSize=100, Filters='[{"Key":"KeyState","Values":["Enabled"]}]')
    kms("GetKeyPolicy", KeyId=key)
    kms("SetKeyPolicy", KeyId=key, Policy=kms("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"])
    kms("SetDeletionProtection", KeyId=key, EnableDeletionProtection=True)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7, expected=409)
    kms("SetDeletionProtection", KeyId=key, EnableDeletionProtection=False)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    kms("DescribeKey", KeyId=key)
    kms("Encrypt", KeyId=key, Plaintext="aGk=", expected=409)
    kms("CancelKeyDeletion", KeyId=key)
    kms("DisableKey", KeyId=key)
    kms("EnableKey", KeyId=key)
    kms("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation=True, RotationInterval="30d")
    kms("DescribeKey", KeyId=key)
    version = kms("CreateKeyVersion", KeyId=key)["KeyVersion"]["KeyVersionId"]
    kms("DescribeKeyVersion", KeyId=key, KeyVersionId=version)
    kms("ListKeyVersions", KeyId=key)
    kms("DescribeKey", KeyId="alias/none", expected=404)
    return key


def names(kms, key):
    kms("CreateAlias", AliasName="alias/described", KeyId=key)
    kms("CreateAlias", AliasName="alias/described", KeyId=key, expected=400)
    kms("UpdateAlias", AliasName="alias/described", KeyId=key)
    kms("ListAliases")
    kms("ListAliasesByKeyId", KeyId=key)
    kms("DeleteAlias", AliasName="alias/described")
    kms("TagResource", KeyId=key, Tags='[{"TagKey":"c","TagValue":"d"}]')
    kms("ListResourceTags", KeyId=key)
    kms("UntagResource", KeyId=key, TagKeys='["c"]')
    some = {"RegionId": kms.env["JOMAE_REGION"], "ResourceType": "key"}
    kms("TagResources", **some, ResourceId__1=key, Tag__1__Key="e", Tag__1__Value="f")
    kms("ListTagResources", **some)
    kms("UntagResources", **some, ResourceId__1=key, TagKey__1="e")


def symmetric(kms, key, public_key):
    context = '{"tenant":"4711"}'
    encrypted = kms("Encrypt", KeyId=key, Plaintext="aGk=", EncryptionContext=context)["CiphertextBlob"]
    kms("Decrypt", CiphertextBlob=encrypted, EncryptionContext__tenant="4711")
    kms("Decrypt", CiphertextBlob=encrypted, expected=400)
    kms("Decrypt", CiphertextBlob=encrypted, EncryptionContext=context, DryRun=True, expected=400)
    kms("ReEncrypt", CiphertextBlob=encrypted, SourceEncryptionContext=context, DestinationKeyId=key)
    kms("GenerateDataKey", KeyId=key, KeySpec="AES_128")
    data_key = kms("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=16)["CiphertextBlob"]
    to = {"PublicKeyBlob": public_key, "WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_256"}
    kms("ExportDataKey", CiphertextBlob=data_key, **to)
    kms("GenerateAndExportDataKey", KeyId=key, **to)


def asymmetric(kms):
    """Gives the public key of an RSA key, in Base64 of DER."""

    def pair(**params):
        made = kms("CreateKey", **params)["KeyMetadata"]
        return {"KeyId": made["KeyId"], "KeyVersionId": made["PrimaryKeyVersion"]}

    rsa = pair(KeySpec="RSA_2048", KeyUsage="ENCRYPT/DECRYPT")
    encrypted = kms("AsymmetricEncrypt", **rsa, Algorithm="RSAES_OAEP_SHA_256", Plaintext="aGk=")["CiphertextBlob"]
    kms("AsymmetricDecrypt", **rsa, Algorithm="RSAES_OAEP_SHA_256", CiphertextBlob=encrypted)
    kms("AsymmetricSign", **rsa, Algorithm="RSA_PSS_SHA_256", Digest=b64(bytes(32)), expected=400)
    ec = pair(KeySpec="EC_P256")
    digest = {"Algorithm": "ECDSA_SHA_256", "Digest": b64(bytes(32))}
    signature = kms("AsymmetricSign", **ec, **digest)["Value"]
    kms("AsymmetricVerify", **ec, **digest, Value=signature)
    mac_key = kms("CreateKey", KeySpec="HMAC_SHA_256")["KeyMetadata"]["KeyId"]
    message = {"KeyId": mac_key, "Algorithm": "HMAC_SHA_256", "Message": "aGk="}
    kms("VerifyMac", **message, Mac=kms("GenerateMac", **message)["Mac"])
    pem = kms("GetPublicKey", **rsa)["PublicKey"]
    return "".join(pem.splitlines()[1:-1])


def imported(kms):
    key = kms("CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    wrapping = {"WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_256"}
    given = kms("GetParametersForImport", KeyId=key, **wrapping)
    public = serialization.load_der_public_key(base64.b64decode(given["PublicKey"]))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    material = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": b64(public.encrypt(os.urandom(32), oaep))}
    kms("ImportKeyMaterial", KeyId=key, **material, KeyMaterialExpireUnix=4102444800)
    kms("DescribeKey", KeyId=key)
    kms("DeleteKeyMaterial", KeyId=key)
    kms("ImportKeyMaterial", KeyId=key, ImportToken="AAAA", EncryptedKeyMaterial="AAAA", expected=400)


def statement(**members):
    return json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", **members}]})


def users(call):
    """Gives an access key of a user who may assume roles."""
    call("CreateUser", UserName="ann", DisplayName="Ann", Comments="described", Email="ann@example.com")
    call("CreateUser", UserName="ann", expected=409)
    call("GetUser", UserName="ann")
    call("GetUser", UserName="nobody", expected=404)
    call("UpdateUser", UserName="ann", NewComments="described anew", NewDisplayName="Ann B", NewUserName="anna")
    call("UpdateUser", UserName="anna", NewUserName="ann")
    call("ListUsers", MaxItems=1)
    call("CreateGroup", GroupName="people", Comments="described")
    call("GetGroup", GroupName="people")
    call("UpdateGroup", GroupName="people", NewComments="described anew")
    call("AddUserToGroup", UserName="ann", GroupName="people")
    call("ListGroups")
    call("ListGroupsForUser", UserName="ann")
    call("ListUsersForGroup", GroupName="people")
    made = call("CreateAccessKey", UserName="ann")["AccessKey"]
    named = {"UserName": "ann", "UserAccessKeyId": made["AccessKeyId"]}
    call("GetAccessKeyLastUsed", **named)
    call("ListAccessKeys", UserName="ann")
    call("UpdateAccessKey", **named, Status="Inactive")
    call("UpdateAccessKey", **named, Status="Active")
    return made["AccessKeyId"], made["AccessKeySecret"]


def code(seed, step):
    """What an authenticator app shows (RFC 6238)."""
    mac = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    number = int.from_bytes(mac[mac[-1] & 15 :][:4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def logins(call, user):
    """Lets the user sign in, with a second factor, and takes both away."""
    ann, password = {"UserName": "ann"}, "a-Long-passphrase-9"
    call("GetPasswordPolicy")
    call("SetPasswordPolicy", MinimumPasswordLength=10, RequireNumbers=True, HardExpiry=False)
    call("SetPasswordPolicy", MinimumPasswordLength=7, expected=400)
    call("CreateLoginProfile", **ann, Password="weak", expected=400)
    call("CreateLoginProfile", **ann, Password=password, PasswordResetRequired=True)
    call("CreateLoginProfile", **ann, Password=password, expected=409)
    call("GetLoginProfile", **ann)
    call("UpdateLoginProfile", **ann, MFABindRequired=True)
    user("ChangePassword", OldPassword=password, NewPassword=f"{password}9")
    call("ChangePassword", OldPassword=password, NewPassword=f"{password}9", expected=400)
    made = call("CreateVirtualMFADevice", VirtualMFADeviceName="anns")["VirtualMFADevice"]
    serial, step = {"SerialNumber": made["SerialNumber"]}, int(time.time()) // 30
    codes = [code(made["Base32StringSeed"], step - 1), code(made["Base32StringSeed"], step)]
    call("BindMFADevice", **ann, **serial, AuthenticationCode1=codes[1], AuthenticationCode2=codes[0], expected=403)
    call("BindMFADevice", **ann, **serial, AuthenticationCode1=codes[0], AuthenticationCode2=codes[1])
    call("ListVirtualMFADevices")
    call("GetUserMFAInfo", **ann)
    call("DeleteVirtualMFADevice", **serial, expected=409)
    call("UnbindMFADevice", **ann)
    # Only a browser can make a passkey.
    answer = {"Challenge": "AAAA", "ClientDataJSON": "e30=", "AttestationObject": "oA=="}
    user("CreatePasskey", PasskeyName="phone", **answer, expected=400)
    call("ListPasskeys", **ann)
    call("DeletePasskey", **ann, PasskeyId="0" * 32, expected=404)
    call("DeleteVirtualMFADevice", **serial)
    call("DeleteLoginProfile", **ann)
    call("GetLoginProfile", **ann, expected=404)


def policies(call):
    """Gives a role, which the user may assume."""
    account = call("GetCallerIdentity")["AccountId"]
    own = {"PolicyType": "Custom", "PolicyName": "described"}
    document = statement(Action="sts:AssumeRole", Resource="*")
    call("CreatePolicy", PolicyName="described", PolicyDocument=document, Description="described")
    call("CreatePolicy", PolicyName="x", PolicyDocument="{}", expected=400)
    call("GetPolicy", **own)
    call("UpdatePolicyDescription", PolicyName="described", NewDescription="described anew")
    call("CreatePolicyVersion", PolicyName="described", PolicyDocument=document, SetAsDefault=True)
    call("GetPolicyVersion", **own, VersionId="v2")
    call("ListPolicyVersions", **own)
    call("SetDefaultPolicyVersion", PolicyName="described", VersionId="v1")
    call("DeletePolicyVersion", PolicyName="described", VersionId="v2")
    call("ListPolicies", MaxItems=2)
    trust = statement(Action="sts:AssumeRole", Principal={"RAM": [f"acs:ram::{account}:root"]})
    role = call("CreateRole", RoleName="described", AssumeRolePolicyDocument=trust, Description="described")["Role"]
    call("GetRole", RoleName="described")
    call("UpdateRole", RoleName="described", NewDescription="described anew", NewMaxSessionDuration=7200)
    call("ListRoles")
    for kind, name in (("User", "ann"), ("Group", "people"), ("Role", "described")):
        holder = {f"{kind}Name": name}
        call(f"AttachPolicyTo{kind}", **own, **holder)
        call(f"AttachPolicyTo{kind}", **own, **holder, expected=409)
        call(f"ListPoliciesFor{kind}", **holder)
    call("ListEntitiesForPolicy", **own)
    return account, role["Arn"]


def sessions(call, user, account, role):
    asked = {"RoleArn": role, "RoleSessionName": "described"}
    user("AssumeRole", **asked, DurationSeconds=900, SourceIdentity="ann", Policy=statement(Action="kms:*", Resource="*"))
    call("AssumeRole", **asked, expected=403)
    denied = user("ListUsers", expected=403)["AccessDeniedDetail"]
    call("DecodeDiagnosticMessage", EncodedDiagnosticMessage=denied["EncodedDiagnosticMessage"])
    call("DecodeDiagnosticMessage", EncodedDiagnosticMessage="AQ==", expected=404)
    user("AssumeRole", **asked, DurationSeconds=1, expected=400)
    user("GetCallerIdentity")
    # Nobody vouches for anybody here: the description of a success is left to the tests of providers.
    provider = f"acs:ram::{account}:oidc-provider/none"
    call("AssumeRoleWithOIDC", **asked, OIDCProviderArn=provider, OIDCToken="a.b.c", expected=401)
    call("LookupEvents", MaxResults=2, Direction="BACKWARD")
    call("LookupEvents", LookupAttribute__1__Key="EventName", LookupAttribute__1__Value="AssumeRole")


def taken_away(call, access_key_id):
    own = {"PolicyType": "Custom", "PolicyName": "described"}
    call("DeletePolicy", PolicyName="described", expected=409)
    for kind, name in (("User", "ann"), ("Group", "people"), ("Role", "described")):
        call(f"DetachPolicyFrom{kind}", **own, **{f"{kind}Name": name})
    call("DeletePolicy", PolicyName="described", CascadingDelete=True)
    call("DeleteRole", RoleName="described")
    call("DeleteUser", UserName="ann", expected=409)
    call("DeleteAccessKey", UserName="ann", UserAccessKeyId=access_key_id)
    call("RemoveUserFromGroup", UserName="ann", GroupName="people")
    call("DeleteGroup", GroupName="people")
    call("DeleteUser", UserName="ann")


def main():
    validate(DESCRIPTION)
    kms = Service(sys.argv[1])
    kms("DescribeRegions")
    kms("DescribeAccountKmsStatus")
    kms("DescribeServer", expected=403)
    kms("OpenKmsService", expected=400)
    key = keys(kms)
    names(kms, key)
    symmetric(kms, key, asymmetric(kms))
    imported(kms)
    access_key = users(kms)
    logins(kms, Service(sys.argv[1], access_key))
    account, role = policies(kms)
    sessions(kms, Service(sys.argv[1], access_key), account, role)
    taken_away(kms, access_key[0])
    described = {path.partition("=")[2] for path in DESCRIPTION["paths"]}
    for action in sorted(described - called):
        wrong(f"{action} was not called")
    print(f"       docs/openapi.json: {len(called)} actions called as described", flush=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
