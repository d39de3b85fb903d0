"""AssumeRoleWithOIDC through alibabacloud-credentials, and the session through alibabacloud-kms20160120."""

import base64
import json
import time

import pytest
from alibabacloud_credentials.client import Client as CredentialsClient
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.provider.oidc import OIDCRoleArnCredentialsProvider
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from darabonba.runtime import RuntimeOptions
from Tea.exceptions import TeaException

ISSUER = "https://ci.example.com"
SUBJECT = "repo:acme/app:main"


def text_of(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    """What a CI system has: a key, whose public half it publishes."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())

    def key_set(self):
        numbers = self.key.public_key().public_numbers()
        point = {name: text_of(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")}
        return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig", **point}]})

    def token(self, **changed):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "sts.aliyuncs.com", "sub": SUBJECT, "iat": now, "exp": now + 300, **changed}
        parts = ({"alg": "ES256", "kid": "k1", "typ": "JWT"}, claims)
        message = ".".join(text_of(json.dumps(part).encode()) for part in parts)
        signature = self.key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        return f"{message}.{text_of(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Site:
    """An account that trusts an issuer, and its role `deployer`, which may use keys."""

    def __init__(self, server, directory):
        self.server = server
        self.issuer = Issuer()
        self.token_file = directory / "token"
        common = {"endpoint": server.endpoint, "region_id": server.region, "ca": server.ca_file}
        keys = {"access_key_id": server.key_id, "access_key_secret": server.key_secret}
        self.config = common
        self.api = OpenApiClient(Config(**common, **keys))
        self.account = self.call("GetCallerIdentity", "2015-04-01")["AccountId"]
        self.key_id = self.call("CreateKey", "2016-01-20")["KeyMetadata"]["KeyId"]
        self.provider_arn = f"acs:ram::{self.account}:oidc-provider/ci"
        trust = {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Federated": [self.provider_arn]},
                    "Condition": {"StringEquals": {"oidc:aud": "sts.aliyuncs.com", "oidc:sub": SUBJECT}},
                }
            ],
        }
        self.ram("CreateRole", RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
        self.ram("AttachPolicyToRole", PolicyType="System", PolicyName="AliyunKMSCryptoUserAccess", RoleName="deployer")
        (directory / "keys.json").write_text(self.issuer.key_set())
        server.config = directory / "jomae.toml"
        server.config.write_text(
            f"""
            [[oidc_provider]]
            account = "{self.account}"
            name = "ci"
            issuer = "{ISSUER}"
            client_ids = ["sts.aliyuncs.com"]
            jwks_file = "{directory / "keys.json"}"
            """
        )
        assert server.stop() == 0
        server.start()

    def call(self, action, version, **parameters):
        params = Params(
            action=action,
            version=version,
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        return self.api.call_api(params, OpenApiRequest(query=parameters), RuntimeOptions())["body"]

    def ram(self, action, **parameters):
        return self.call(action, "2015-05-01", **parameters)

    def credentials(self, token):
        """Temporary credentials of the role, got with a token when they are needed."""
        self.token_file.write_text(token)
        provider = OIDCRoleArnCredentialsProvider(
            role_arn=f"acs:ram::{self.account}:role/deployer",
            oidc_provider_arn=self.provider_arn,
            oidc_token_file_path=str(self.token_file),
            role_session_name="build-7",
            sts_endpoint=self.server.endpoint,
        )
        # The library has no setting for authorities of one's own.
        provider._runtime_options["ca"] = self.server.ca_file
        return provider


@pytest.fixture
def site(own_server, tmp_path):
    return Site(own_server, tmp_path)


def test_a_token_is_enough_until_the_role_is_taken_away(site):
    credential = CredentialsClient(provider=site.credentials(site.issuer.token()))
    kms = KmsClient(Config(credential=credential, **site.config))
    plaintext = base64.b64encode(b"hello").decode()
    blob = kms.encrypt(models.EncryptRequest(key_id=site.key_id, plaintext=plaintext)).body.ciphertext_blob
    assert kms.decrypt(models.DecryptRequest(ciphertext_blob=blob)).body.plaintext == plaintext
    with pytest.raises(TeaException) as caught:
        kms.create_key(models.CreateKeyRequest())
    assert caught.value.code == "Forbidden.NoPermission"
    site.ram("DetachPolicyFromRole", PolicyType="System", PolicyName="AliyunKMSCryptoUserAccess", RoleName="deployer")
    with pytest.raises(TeaException) as caught:
        kms.decrypt(models.DecryptRequest(ciphertext_blob=blob))
    assert caught.value.code == "Forbidden.NoPermission"


def test_refused_tokens(site):
    for token, code in [
        (Issuer().token(), "AuthenticationFail.OIDCToken.InvalidSignature"),
        (site.issuer.token(exp=int(time.time()) - 1), "AuthenticationFail.OIDCToken.Expired"),
        (site.issuer.token(aud="sts.example.com"), "AuthenticationFail.OIDCToken.AudienceNotMatch"),
        (site.issuer.token(iss="https://other.example.com"), "AuthenticationFail.OIDCToken.IssuerNotMatch"),
        (site.issuer.token(sub="repo:acme/other:main"), "NoPermission"),
        ("no token", "AuthenticationFail.OIDCToken.Invalid"),
    ]:
        with pytest.raises(CredentialException) as caught:
            site.credentials(token).get_credentials()
        assert f'"Code":"{code}"' in str(caught.value), code
