"""The official SDKs of RAM, STS, ActionTrail and KMS, pointed at the server, for any credentials."""

import importlib
import json
import re

from alibabacloud_actiontrail20200706.client import Client as TrailClient
from alibabacloud_actiontrail20200706 import models as trail_models
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
from aliyunsdkcore.client import AcsClient
from Tea.exceptions import TeaException

from kms_error import KmsError

PARTS = {
    "ram": (RamClient, ram_models),
    "sts": (StsClient, sts_models),
    "trail": (TrailClient, trail_models),
    "kms": (KmsClient, kms_models),
}


class Sdk:
    """The current SDKs (tea), under one caller's credentials: sdk.ram("CreateUser", UserName="x") -> dict."""

    def __init__(self, server, key_id, key_secret, token=None, **options):
        config = dict(
            access_key_id=key_id,
            access_key_secret=key_secret,
            security_token=token,
            endpoint=server.endpoint,
            region_id=server.region,
            ca=server.ca_file,
            **options,
        )
        self.clients = {name: (make(Config(**config)), models) for name, (make, models) in PARTS.items()}

    def __getattr__(self, name):
        if name not in PARTS:
            raise AttributeError(name)
        return lambda action, **parameters: self.call(name, action, parameters)

    def call(self, name, action, parameters):
        client, models = self.clients[name]
        method = getattr(client, snake_case(action))
        arguments = []
        if parameters:
            request = getattr(models, f"{action}Request")().from_map(parameters)
            assert set(parameters) <= set(request.to_map()), f"{action} does not take all of {sorted(parameters)}"
            arguments.append(request)
        try:
            return method(*arguments).body.to_map()
        except TypeError:
            # Some methods want a request even if it says nothing.
            return method(getattr(models, f"{action}Request")()).body.to_map()
        except TeaException as error:
            data = error.data or {}
            status = data.get("statusCode", getattr(error, "status_code", None))
            raise KmsError(error.code, status, data.get("RequestId"), error.message) from error


class OldSdk:
    """aliyun-python-sdk-ram and -sts over RPC signature v1."""

    PACKAGES = {"ram": "aliyunsdkram.request.v20150501", "sts": "aliyunsdksts.request.v20150401", "kms": "aliyunsdkkms.request.v20160120"}

    def __init__(self, server, key_id, key_secret, token=None):
        self.endpoint = server.endpoint
        credential = StsTokenCredential(key_id, key_secret, token) if token else AccessKeyCredential(key_id, key_secret)
        self.sdk = AcsClient(region_id=server.region, credential=credential, verify=server.ca_file, auto_retry=False)

    def __getattr__(self, name):
        if name not in self.PACKAGES:
            raise AttributeError(name)
        return lambda action, **parameters: self.call(name, action, parameters)

    def call(self, name, action, parameters):
        module = importlib.import_module(f"{self.PACKAGES[name]}.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self.endpoint)
        request.set_protocol_type("https")
        request.set_accept_format("json")
        for parameter, value in parameters.items():
            getattr(request, f"set_{parameter}")(value)
        try:
            return json.loads(self.sdk.do_action_with_exception(request))
        except ServerException as error:
            raise KmsError(
                error.get_error_code(), error.get_http_status(), error.get_request_id(), error.get_error_msg()
            ) from error


def snake_case(name):
    """AssumeRoleWithOIDC -> assume_role_with_oidc."""
    name = name.replace("OIDC", "Oidc")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def of_credentials(answer):
    """(key id, secret, token) of an answer of AssumeRole."""
    given = answer["Credentials"]
    return given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"]


def of_access_key(answer):
    return answer["AccessKey"]["AccessKeyId"], answer["AccessKey"]["AccessKeySecret"]
