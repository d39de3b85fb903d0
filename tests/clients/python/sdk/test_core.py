"""What is particular to aliyun-python-sdk-core."""

import json

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.request import CommonRequest

from kms import b64


@pytest.fixture
def core(server, make):
    return make("core-v1", server)


def test_the_request_id_stands_in_body_and_header(core):
    status, headers, body = core.sdk.get_response(core.request("DescribeRegions", {}))
    assert status == 200
    assert headers["x-acs-request-id"] == json.loads(body)["RequestId"]


def test_the_context_is_sent_as_typed(core):
    key = core.call("CreateKey", {})["KeyMetadata"]["KeyId"]
    typed = '{ "b":"\\u00fc",\n "a" : "1 2" }'
    blob = core.call("Encrypt", {"KeyId": key, "Plaintext": b64(b"data"), "EncryptionContext": typed})["CiphertextBlob"]
    same = json.dumps({"a": "1 2", "b": "ü"}, ensure_ascii=False)
    assert core.call("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": same})["Plaintext"] == b64(b"data")


def test_the_default_protocol_of_a_request_is_tls(core):
    assert core.request("DescribeRegions", {}).get_protocol_type() == "https"


def common(core, action, method="POST"):
    request = CommonRequest()
    request.set_domain(core.endpoint)
    request.set_protocol_type("https")
    request.set_version("2016-01-20")
    request.set_action_name(action)
    request.set_method(method)
    request.set_accept_format("json")
    return request


def test_a_common_request_by_get_and_post(core):
    for method in ("GET", "POST"):
        answer = json.loads(core.sdk.do_action_with_exception(common(core, "DescribeRegions", method)))
        assert answer["Regions"]["Region"]


def test_an_action_that_does_not_exist(core):
    with pytest.raises(ServerException) as caught:
        core.sdk.do_action_with_exception(common(core, "MakeCoffee"))
    assert caught.value.get_error_code() == "InvalidAction.NotFound"
    assert caught.value.get_http_status() == 404


def test_the_endpoint_may_be_set_for_a_whole_client(server, core):
    core.sdk.add_endpoint(server.region, "Kms", server.endpoint)
    request = core.request("DescribeRegions", {})
    request.set_endpoint(None)
    assert json.loads(core.sdk.do_action_with_exception(request))["Regions"]


def test_an_unknown_authority_is_not_trusted(server, make, tmp_path):
    import certifi
    from aliyunsdkcore.acs_exception.exceptions import ClientException

    client = make("core-v1", server)
    client.sdk.set_verify(certifi.where())
    with pytest.raises(ClientException):
        client.call("DescribeRegions", {})
