"""How a request may arrive: method, place of the parameters, encoding, size, host."""

import http.client
import json
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest

from kms import b64, unb64
from rpc import FORM, form


def test_get(rpc, wire_key):
    assert rpc.get("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["KeyId"] == wire_key


def test_post_with_everything_in_the_query(rpc, wire_key):
    assert rpc.post_query("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["KeyId"] == wire_key


def test_post_with_everything_in_the_form(rpc, wire_key):
    assert rpc.post_form("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["KeyId"] == wire_key


def test_post_with_parameters_split_over_query_and_form(rpc, wire_key):
    everything = rpc.signed("POST", rpc.parameters("DescribeKey", KeyId=wire_key))
    body = form({"KeyId": everything.pop("KeyId")})
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = rpc.send("POST", "/?" + form(everything), body.encode(), headers).ok()
    assert answer["KeyMetadata"]["KeyId"] == wire_key


def test_chunked_body(rpc, wire_key):
    body = form(rpc.signed("POST", rpc.parameters("DescribeKey", KeyId=wire_key))).encode()
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    answer = rpc.send("POST", "/", iter(pieces), FORM, chunked=True).ok()
    assert answer["KeyMetadata"]["KeyId"] == wire_key


@pytest.mark.parametrize("blank", ["+", "%20"])
@pytest.mark.parametrize("place", ["query", "form"])
def test_blanks_may_be_plus_signs(rpc, wire_key, blank, place):
    text = "a b + c  d"
    signed = rpc.signed("POST", rpc.parameters("UpdateKeyDescription", KeyId=wire_key, Description=text))
    encoded = form(signed, blank=blank)
    if place == "query":
        rpc.send("POST", "/?" + encoded, b"").ok()
    else:
        rpc.send("POST", "/", encoded.encode(), FORM).ok()
    assert rpc.get("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["Description"] == text


def test_characters_that_one_client_does_not_escape(rpc, wire_key):
    text = "!'()*"
    signed = rpc.signed("POST", rpc.parameters("UpdateKeyDescription", KeyId=wire_key, Description=text))
    loose = "&".join(f"{name}={urllib.parse.quote(value, safe=text)}" for name, value in signed.items())
    rpc.send("POST", "/?" + loose, b"").ok()
    assert rpc.get("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["Description"] == text


def test_the_order_of_parameters_does_not_matter(rpc, wire_key):
    signed = rpc.signed("GET", rpc.parameters("DescribeKey", KeyId=wire_key))
    rpc.send("GET", "/?" + form(dict(sorted(signed.items(), reverse=True)))).ok()


def test_unknown_and_empty_parameters_are_ignored(rpc, wire_key):
    answer = rpc.post_query(
        "Encrypt", KeyId=wire_key, Plaintext="AAAA", EncryptionContext="", SignatureType="", RegionId="", Some="y"
    ).ok()
    assert unb64(rpc.post_query("Decrypt", CiphertextBlob=answer["CiphertextBlob"]).ok()["Plaintext"]) == b"\0\0\0"


def test_a_region_that_is_not_served_is_refused(rpc, wire_key):
    rpc.post_query("DescribeKey", KeyId=wire_key, RegionId=rpc.server.region).ok()
    rpc.post_query("DescribeKey", KeyId=wire_key, RegionId="cn-nowhere").refused("InvalidParameter", 400)
    rpc.post_query("DescribeRegions", RegionId="cn-nowhere").ok()


def test_a_context_is_the_same_map_however_it_is_written(rpc, wire_key):
    written = '{"b": "2", "a" : "\\u00fc/\\/"}'
    blob = rpc.post_query("Encrypt", KeyId=wire_key, Plaintext="AAAA", EncryptionContext=written).ok()["CiphertextBlob"]
    same = ['{"a":"ü//","b":"2"}', '\n{\t"\\u0061":"\\u00FC//" ,"b":"2" }']
    for text in same:
        rpc.post_form("Decrypt", CiphertextBlob=blob, EncryptionContext=text).ok()
    for text in ('{"a":"ü//","b":"3"}', '{"a":"ü//"}', "{}"):
        rpc.post_form("Decrypt", CiphertextBlob=blob, EncryptionContext=text).refused("InvalidParameter", 400)


def test_an_empty_context_is_no_context(rpc, wire_key):
    blob = rpc.get("Encrypt", KeyId=wire_key, Plaintext="AAAA", EncryptionContext="{}").ok()["CiphertextBlob"]
    rpc.get("Decrypt", CiphertextBlob=blob).ok()
    rpc.get("Decrypt", CiphertextBlob=blob, EncryptionContext="").ok()


@pytest.mark.parametrize("text", ["[]", '{"a":1}', '{"a":{}}', '{"a":null}', "{", '"a"', "x"])
def test_a_context_holds_only_text(rpc, wire_key, text):
    rpc.get("Encrypt", KeyId=wire_key, Plaintext="AAAA", EncryptionContext=text).refused("InvalidParameter", 400)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False"])
def test_booleans_in_any_case(rpc, wire_key, text):
    rpc.post_query("SetDeletionProtection", KeyId=wire_key, EnableDeletionProtection=text).ok()
    state = rpc.get("DescribeKey", KeyId=wire_key).ok()["KeyMetadata"]["DeletionProtection"]
    assert state == ("Enabled" if text.lower() == "true" else "Disabled")


def test_a_query_of_100_kilobytes(rpc, wire_key):
    # Older clients put a policy or a secret, escaped three times its size, into the query.
    assert rpc.post_query("DescribeKey", KeyId=wire_key, Padding="x" * 100_000).ok()
    data = bytes(range(256)) * 24
    answer = rpc.get("Encrypt", KeyId=wire_key, Plaintext=b64(data), Padding="x" * 90_000).ok()
    assert unb64(rpc.get("Decrypt", CiphertextBlob=answer["CiphertextBlob"]).ok()["Plaintext"]) == data


def test_a_request_beyond_every_limit_is_refused_and_the_server_lives(rpc, wire_key):
    body = b"Padding=" + b"x" * 20_000_000
    try:
        reply = rpc.send("POST", "/", body, FORM)
    except (ConnectionError, OSError):
        pass  # closing the connection in mid-body is a refusal too
    else:
        assert 400 <= reply.status < 500
    rpc.get("DescribeRegions").ok()


@pytest.mark.parametrize("host", ["https://127.0.0.1:8443", "http://127.0.0.1:8443", "kms.example.test"])
def test_host_may_be_a_url(rpc, host):
    query = form(rpc.signed("GET", rpc.parameters("DescribeRegions")))
    rpc.send("GET", "/?" + query, host=host).ok()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(rpc, method):
    reply = rpc.send(method, "/?" + form(rpc.signed(method, rpc.parameters("DescribeRegions"))), b"")
    error = reply.refused("UnsupportedHTTPMethod", 403)
    assert error["Message"] == "This http method is not supported."


def test_a_head_request_is_no_way_in(rpc):
    reply = rpc.send("HEAD", "/?" + form(rpc.signed("HEAD", rpc.parameters("DescribeRegions"))))
    assert reply.status == 403


def test_many_requests_on_one_connection(rpc, wire_key):
    address, _, port = rpc.server.endpoint.rpartition(":")
    connection = http.client.HTTPSConnection(address, int(port), timeout=30, context=rpc.tls)
    try:
        connection.connect()
        socket = connection.sock
        for _ in range(20):
            target = "/?" + form(rpc.signed("POST", rpc.parameters("DescribeKey", KeyId=wire_key)))
            connection.request("POST", target, b"")
            assert json.loads(connection.getresponse().read())["KeyMetadata"]["KeyId"] == wire_key
            assert connection.sock is socket
    finally:
        connection.close()


def test_xml_when_asked(rpc, wire_key):
    for text in ("XML", "xml"):
        reply = rpc.post_query("DescribeKey", KeyId=wire_key, Format=text)
        assert reply.status == 200
        assert reply.headers["Content-Type"].lower().replace(" ", "").startswith("text/xml")
        root = ElementTree.fromstring(reply.body)
        assert root.tag == "KMS"
        assert root.findtext("KeyMetadata/KeyId") == wire_key
        assert root.findtext("RequestId") == reply.headers["x-acs-request-id"]


def test_xml_lists_nest_as_in_json(rpc):
    root = ElementTree.fromstring(rpc.get("DescribeRegions", Format="XML").body)
    assert [region.text for region in root.findall("Regions/Region/RegionId")] == [rpc.server.region]


def test_xml_escapes_what_callers_wrote(rpc, wire_key):
    text = "<a href=\"x\">&amp;</a> ]]> 'q'"
    rpc.post_form("UpdateKeyDescription", KeyId=wire_key, Description=text).ok()
    root = ElementTree.fromstring(rpc.get("DescribeKey", KeyId=wire_key, Format="XML").body)
    assert root.findtext("KeyMetadata/Description") == text


def test_xml_errors(rpc):
    reply = rpc.get("DescribeKey", KeyId="00000000-0000-4000-8000-000000000000", Format="XML")
    assert reply.status == 404
    root = ElementTree.fromstring(reply.body)
    assert root.tag == "KMS"
    assert root.findtext("Code") == "Forbidden.KeyNotFound"
    assert root.findtext("RequestId") == reply.headers["x-acs-request-id"]


def test_xml_of_the_other_apis(rpc):
    ram, sts, trail = {"Version": "2015-05-01"}, {"Version": "2015-04-01"}, {"Version": "2020-07-06"}

    def ask(action, **parameters):
        reply = rpc.post_form(action, Format="XML", **parameters)
        root = ElementTree.fromstring(reply.body)
        assert root.findtext("RequestId") == reply.headers["x-acs-request-id"]
        return reply.status, root

    names = {"UserName": "in-xml", "DisplayName": "張 強", "Comments": "<&\">' ]]> ü"}
    status, root = ask("CreateUser", **names, **ram)
    assert (status, root.tag) == (200, "CreateUserResponse")
    assert {name: root.findtext(f"User/{name}") for name in names} == names
    _, root = ask("ListUsers", MaxItems="1000", **ram)
    assert root.tag == "ListUsersResponse" and root.findtext("IsTruncated") == "false"
    assert "in-xml" in [user.findtext("UserName") for user in root.findall("Users/User")]
    _, root = ask("ListPoliciesForUser", UserName="in-xml", **ram)
    assert root.find("Policies") is not None and root.findall("Policies/Policy") == []
    assert ask("DeleteUser", UserName="in-xml", **ram)[1].tag == "DeleteUserResponse"
    status, root = ask("GetUser", UserName="in-xml", **ram)
    assert (status, root.tag, root.findtext("Code")) == (404, "Error", "EntityNotExist.User")
    assert root.findtext("HostId") == rpc.server.endpoint
    _, root = ask("GetCallerIdentity", **sts)
    assert (root.tag, root.findtext("IdentityType")) == ("GetCallerIdentityResponse", "Account")
    _, root = ask("LookupEvents", MaxResults="2", **trail)
    assert root.tag == "LookupEventsResponse"
    assert [event.findtext("eventType") for event in root.findall("Events")] == ["ApiCall"] * 2


@pytest.mark.parametrize(
    "action, version",
    [
        ("ListUsers", "2016-01-20"),
        ("ListKeys", "2015-05-01"),
        ("AssumeRole", "2015-05-01"),
        ("LookupEvents", "2015-04-01"),
    ],
)
def test_an_action_belongs_to_its_version(rpc, action, version):
    rpc.get(action, Version=version).refused("InvalidAction.NotFound", 404)


def test_a_filter_that_is_numbered_from_zero_is_not_ignored(rpc):
    asked = {"LookupAttribute.0.Key": "EventName", "LookupAttribute.0.Value": "NotThere"}
    error = rpc.get("LookupEvents", Version="2020-07-06", **asked).refused("InvalidParameter", 400)
    assert "LookupAttribute" in error["Message"]


def test_other_paths_answer_json(rpc):
    reply = rpc.send("GET", "/favicon.ico")
    assert 400 <= reply.status < 500
    assert reply.json()["Code"]
    reply.check_request_id()
