"""alibabacloud-kms20160120, 2.x and 3.x: ACS3 by default, ACS4 and RPC v1 by configuration."""

import functools
import inspect
import json
import re

from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client as SdkClient
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions
from Tea.exceptions import TeaException, UnretryableException

from kms_error import KmsError

# Parameters that the models declare as JSON text, while a test states them as values.
JSON_TEXT = ("Filters", "Tags", "TagKeys")

# Action -> what the typed method of the SDK has met in this process: ANSWERED, or the code of a refusal.
# For an action that the SDK has no method for, what the generic call has met.
OUTCOMES = {}
ANSWERED = "answered"


class Client:
    def __init__(self, endpoint, region, ca_file, key_id, key_secret, **options):
        self.sdk = SdkClient(
            Config(
                access_key_id=key_id,
                access_key_secret=key_secret,
                endpoint=endpoint,
                region_id=region,
                ca=ca_file,
                **options,
            )
        )

    def send(self, action, parameters):
        """The SDK's own response object: headers, status_code, body."""
        method = getattr(self.sdk, snake_case(action))
        arguments = []
        if inspect.signature(method).parameters:
            stated = {
                name: json.dumps(value) if name in JSON_TEXT and not isinstance(value, str) else value
                for name, value in parameters.items()
            }
            request = getattr(models, f"{action}Request")().from_map(stated)
            # The models drop what they do not know; a test must not lose a parameter that way.
            assert set(stated) <= set(request.to_map()), f"{action} of this SDK does not take all of {sorted(stated)}"
            arguments.append(request)
        else:
            assert not parameters, f"{action} of this SDK takes no parameters"
        return recording_outcome(action, method, *arguments)

    def call(self, action, parameters):
        return self.send(action, parameters).body.to_map()

    def generic(self, action, parameters):
        """The SDK's generic call, which takes actions, parameters and answers that its models do not know."""
        params = Params(
            action=action,
            version="2016-01-20",
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        has_method = hasattr(self.sdk, snake_case(action))
        call = raising_kms_errors if has_method else functools.partial(recording_outcome, action)
        return call(self.sdk.call_api, params, OpenApiRequest(query=parameters), RuntimeOptions())["body"]


def recording_outcome(action, call, *arguments):
    outcomes = OUTCOMES.setdefault(action, set())
    try:
        response = raising_kms_errors(call, *arguments)
    except KmsError as error:
        outcomes.add(error.code)
        raise
    outcomes.add(ANSWERED)
    return response


def raising_kms_errors(call, *arguments):
    try:
        return call(*arguments)
    except UnretryableException as error:
        # With signature v4 the client wraps the refusal.
        inner = error.inner_exception
        if not isinstance(inner, TeaException):
            raise
        raise refusal(inner) from error
    except TeaException as error:
        raise refusal(error) from error


def refusal(error):
    data = error.data or {}
    status = data.get("statusCode", getattr(error, "status_code", None))
    return KmsError(error.code, status, data.get("RequestId"), error.message)


def snake_case(name):
    """DescribeAccountKmsStatus -> describe_account_kms_status."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
