"""What stands between the network and an action: signature v1, time, nonce."""

import pytest

from rpc import FORM, form, now_text


def test_a_duplicate_parameter_is_refused(rpc, wire_key):
    query = form(rpc.signed("GET", rpc.parameters("DescribeKey", KeyId=wire_key)))
    reply = rpc.send("GET", f"/?{query}&KeyId={wire_key}")
    assert reply.status == 400
    assert reply.json()["Code"]
    # The same name once in the query and once in the body is no better.
    signed = rpc.signed("POST", rpc.parameters("DescribeKey", KeyId=wire_key))
    reply = rpc.send("POST", "/?" + form(signed), form({"KeyId": wire_key}).encode(), FORM)
    assert reply.status == 400


def test_a_replayed_nonce(rpc):
    query = form(rpc.signed("GET", rpc.parameters("DescribeRegions")))
    rpc.send("GET", "/?" + query).ok()
    error = rpc.send("GET", "/?" + query).refused("SignatureNonceUsed", 400)
    assert error["Message"] == "Specified signature nonce was used already."


def test_a_nonce_used_by_a_forger_is_not_burnt(rpc):
    parameters = rpc.parameters("DescribeRegions")
    rpc.send("GET", "/?" + form(parameters | {"Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="})).refused(
        "SignatureDoesNotMatch", 400
    )
    rpc.send("GET", "/?" + form(rpc.signed("GET", parameters))).ok()


@pytest.mark.parametrize("offset_seconds", [-960, 960])
def test_a_time_stamp_too_far_away(rpc, offset_seconds):
    rpc.get("DescribeRegions", Timestamp=now_text(offset_seconds)).refused("InvalidTimeStamp.Expired", 400)


@pytest.mark.parametrize("offset_seconds", [-840, 840])
def test_a_time_stamp_within_the_window(rpc, offset_seconds):
    rpc.get("DescribeRegions", Timestamp=now_text(offset_seconds)).ok()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00", "1767225600"])
def test_a_malformed_time_stamp(rpc, text):
    rpc.get("DescribeRegions", Timestamp=text).refused("InvalidTimeStamp.Format", 400)


def test_no_time_stamp(rpc):
    rpc.get("DescribeRegions", Timestamp=None).refused("IllegalTimestamp", 400)


def test_no_signature(rpc):
    rpc.send("GET", "/?" + form(rpc.parameters("DescribeRegions"))).refused("IncompleteSignature", 400)


def test_nothing_at_all(rpc):
    reply = rpc.send("GET", "/")
    assert 400 <= reply.status < 500
    assert reply.json()["Code"]


def test_an_unknown_action(rpc):
    error = rpc.get("MakeCoffee").refused("InvalidAction.NotFound", 404)
    assert error["Message"] == "Specified api is not found, please check your url and method."


def test_a_wrong_version(rpc):
    reply = rpc.get("DescribeRegions", Version="2017-01-20")
    assert 400 <= reply.status < 500
    assert reply.json()["Code"] in ("InvalidVersion", "InvalidAction.NotFound")


def test_a_wrong_signature_echoes_the_string_to_sign(rpc):
    parameters = rpc.parameters("DescribeRegions")
    error = rpc.send("GET", "/?" + form(parameters | {"Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="})).refused(
        "SignatureDoesNotMatch", 400
    )
    # The core client cuts at the first colon and crashes without one.
    sentence, text = error["Message"].split(":")
    assert sentence == "Specified signature is not matched with our calculation. server string to sign is"
    assert text.startswith("GET&%2F&AccessKeyId%3D")


def test_a_signature_of_another_method(rpc):
    query = form(rpc.signed("POST", rpc.parameters("DescribeRegions")))
    rpc.send("GET", "/?" + query).refused("SignatureDoesNotMatch", 400)


def test_a_changed_parameter(rpc, wire_key):
    signed = rpc.signed("GET", rpc.parameters("DescribeKey", KeyId=wire_key))
    signed["KeyId"] = "00000000-0000-4000-8000-000000000000"
    rpc.send("GET", "/?" + form(signed)).refused("SignatureDoesNotMatch", 400)


@pytest.mark.parametrize("name", ["x-acs-action", "x-acs-version", "x-acs-signature-nonce", "x-acs-date"])
def test_an_unsigned_header_that_says_something_else_is_refused(rpc, wire_key, name):
    query = form(rpc.signed("GET", rpc.parameters("DescribeKey", KeyId=wire_key)))
    rpc.send("GET", "/?" + query, headers={name: "DisableKey"}).refused("ParseRequestParameterException", 400)
    same = {"x-acs-action": "DescribeKey", "x-acs-version": "2016-01-20"}
    answer = rpc.send("GET", "/?" + query, headers=same).ok()
    assert answer["KeyMetadata"]["KeyState"] == "Enabled"


def test_two_content_types_are_refused(rpc, wire_key):
    body = form(rpc.signed("POST", rpc.parameters("DescribeKey", KeyId=wire_key))).encode()
    for other in ("application/json", "application/x-www-form-urlencoded"):
        for pair in ({"Content-Type": FORM["Content-Type"], "content-type": other}, {"content-type": other, **FORM}):
            rpc.send("POST", "/", body, headers=pair).refused("ParseRequestParameterException", 400)
    assert rpc.send("POST", "/", body, headers=FORM).ok()["KeyMetadata"]["KeyState"] == "Enabled"


def test_an_error_body_has_the_members_clients_read(rpc):
    error = rpc.get("DescribeKey", KeyId="00000000-0000-4000-8000-000000000000").refused("Forbidden.KeyNotFound", 404)
    assert error["Message"] == "The specified Key is not found."
    assert error["HttpStatus"] == 404
