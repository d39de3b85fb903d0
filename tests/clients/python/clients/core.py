"""aliyun-python-sdk-core with aliyun-python-sdk-kms: RPC signature v1, everything in the query of a POST."""

import importlib
import json

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

from kms_error import KmsError

# Lists that this client flattens by itself, under the plural of their wire name.
FLATTENED = {"ResourceId": "ResourceIds", "Tag": "Tags", "TagKey": "TagKeys"}


class Client:
    def __init__(self, endpoint, region, ca_file, key_id, key_secret):
        self.endpoint = endpoint
        # `verify` takes the CA file. The client must not retry: a test counts calls.
        self.sdk = AcsClient(key_id, key_secret, region, verify=ca_file, auto_retry=False)

    def request(self, action, parameters):
        """The typed request of the SDK, with the endpoint set."""
        module = importlib.import_module(f"aliyunsdkkms.request.v20160120.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self.endpoint)
        request.set_accept_format("json")
        for name, value in parameters.items():
            if name == "RegionId":
                # This client always states its own region.
                assert value == self.sdk.get_region_id()
                continue
            if name in FLATTENED:
                getattr(request, f"set_{FLATTENED[name]}")(value)
                continue
            # This client takes maps and lists as JSON text.
            text = json.dumps(value) if isinstance(value, (dict, list)) else value
            getattr(request, f"set_{name}")(text)
        return request

    def call(self, action, parameters):
        try:
            body = self.sdk.do_action_with_exception(self.request(action, parameters))
        except ServerException as error:
            raise KmsError(
                error.get_error_code(), error.get_http_status(), error.get_request_id(), error.get_error_msg()
            ) from error
        return json.loads(body)
