"""What is particular to alibabacloud-kms20160120."""

import pytest
from alibabacloud_kms20160120 import models
from alibabacloud_tea_openapi.exceptions import ClientException

from clients import CLIENTS
from kms_error import KmsError

TEA = [name for name in CLIENTS if name.startswith("tea3-")]


@pytest.fixture(params=TEA)
def tea(request, server, make):
    return make(request.param, server)


def test_the_request_id_stands_in_body_and_header(tea):
    response = tea.send("DescribeRegions", {})
    assert response.status_code == 200
    assert response.headers["x-acs-request-id"] == response.body.request_id


def test_the_typed_exception(server, make):
    with pytest.raises(ClientException) as caught:
        make("tea3-acs3", server).sdk.describe_key(
            models.DescribeKeyRequest(key_id="00000000-0000-4000-8000-000000000000")
        )
    error = caught.value
    assert (error.code, error.status_code) == ("Forbidden.KeyNotFound", 404)
    assert error.message == f"code: 404, The specified Key is not found. request id: {error.request_id}"


def test_an_action_that_does_not_exist(tea):
    with pytest.raises(KmsError) as caught:
        tea.generic("MakeCoffee", {})
    assert (caught.value.code, caught.value.status) == ("InvalidAction.NotFound", 404)


def test_an_endpoint_given_as_a_url(server, make):
    # This client then sends and signs the Host header `https://…`.
    client = make("tea3-acs3", server)
    client.sdk._endpoint = f"https://{server.endpoint}"
    assert client.call("DescribeRegions", {})["Regions"]["Region"]


def test_asynchronous_calls(server, make):
    import asyncio

    async def run():
        client = make("tea3-acs3", server).sdk
        created = await client.create_key_async(models.CreateKeyRequest(description="async"))
        return await client.describe_key_async(
            models.DescribeKeyRequest(key_id=created.body.key_metadata.key_id)
        )

    assert asyncio.run(run()).body.key_metadata.description == "async"
