"""Two accounts on one server, each by its root access key, through the current and the old SDKs."""

import json
import subprocess
import uuid

import pytest

from sdks import OldSdk, Sdk


class Account:
    def __init__(self, server, number, key_id, key_secret):
        self.server, self.number = server, number
        self.root = Sdk(server, key_id, key_secret)
        self.old = OldSdk(server, key_id, key_secret)

    def as_(self, *credentials):
        return Sdk(self.server, *credentials)

    def as_old(self, *credentials):
        return OldSdk(self.server, *credentials)

    def policy(self, document):
        name = f"policy-{uuid.uuid4().hex[:12]}"
        self.root.ram("CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(document))
        return name

    def user(self, document=None):
        """Name and credentials of a new user, with one policy."""
        from sdks import of_access_key

        name = f"user-{uuid.uuid4().hex[:12]}"
        self.root.ram("CreateUser", UserName=name)
        if document is not None:
            policy = self.policy(document)
            self.root.ram("AttachPolicyToUser", PolicyType="Custom", PolicyName=policy, UserName=name)
        return name, of_access_key(self.root.ram("CreateAccessKey", UserName=name))

    def role(self, trust, document):
        """Name, policy and full name of a new role."""
        name = f"role-{uuid.uuid4().hex[:12]}"
        made = self.root.ram("CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        policy = self.policy(document)
        self.root.ram("AttachPolicyToRole", PolicyType="Custom", PolicyName=policy, RoleName=name)
        return name, policy, made["Role"]["Arn"]


def jomae(server, *words):
    """Runs the command line on the server's data directory."""
    ran = subprocess.run([server.binary, *words], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="session")
def first(server):
    number = Sdk(server, server.key_id, server.key_secret).sts("GetCallerIdentity")["AccountId"]
    return Account(server, number, server.key_id, server.key_secret)


@pytest.fixture(scope="session")
def second(server):
    made = json.loads(
        jomae(server, "account", "create", "--name", "second", "--data-dir", server.data, "--output", "json")
    )
    return Account(server, made["Account"], made["AccessKeyId"], made["AccessKeySecret"])
