"""Extensions that no model of the SDK knows, through its generic call."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from kms import b64, new_alias

FLUSH_SECONDS_MAX = 60


def token():
    return uuid.uuid4().hex


def test_a_client_token_makes_a_creating_call_repeatable(api):
    stated = {"Description": "once", "ClientToken": token()}
    first, second = (api.generic("CreateKey", **stated)["KeyMetadata"] for _ in range(2))
    assert first == second
    assert api.generic("CreateKey", **stated | {"ClientToken": token()})["KeyMetadata"]["KeyId"] != first["KeyId"]
    # The same token for something else is a mistake.
    api.generic_refused("CreateKey", "InvalidParameter", 400, **stated | {"Description": "twice"})
    for wrong in ("x" * 65, "ü", "a b"):
        api.generic_refused("CreateKey", "InvalidParameter", 400, ClientToken=wrong)

    key = first["KeyId"]
    stated = {"KeyId": key, "ClientToken": token()}
    first, second = (api.generic("CreateKeyVersion", **stated)["KeyVersion"] for _ in range(2))
    assert first == second
    assert len(api.versions(key)) == 2
    # Absent, it behaves as the cloud does.
    api.generic("CreateKeyVersion", KeyId=key)
    api.generic("CreateKeyVersion", KeyId=key)
    assert len(api.versions(key)) == 4

    stated = {"KeyId": key, "AliasName": new_alias(), "ClientToken": token()}
    for _ in range(2):
        api.generic("CreateAlias", **stated)
    api.generic_refused("CreateAlias", "AliasAlreadyExists", 400, **stated | {"ClientToken": token()})


def test_one_token_from_many_sides_at_once(api):
    stated = {"Description": token(), "ClientToken": token()}
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: api.generic("CreateKey", **stated)["KeyMetadata"]["KeyId"], range(16)))
    assert len(set(made)) == 1


def test_a_refused_call_does_not_use_up_its_token(api):
    alias, stated = new_alias(), {"ClientToken": token()}
    api("CreateAlias", AliasName=alias, KeyId=api.create_key())
    key = api.create_key()
    stated |= {"AliasName": alias, "KeyId": key}
    api.generic_refused("CreateAlias", "AliasAlreadyExists", 400, **stated)
    api("DeleteAlias", AliasName=alias)
    api.generic("CreateAlias", **stated)
    assert api.describe(alias)["KeyId"] == key


def test_the_use_of_a_key_is_counted(api, key):
    assert "UsageStatistics" not in api.generic("DescribeKey", KeyId=key)
    blob = api.encrypt(key, b"data")
    api.decrypt(blob)
    api.decrypt(blob)
    api.refused("Decrypt", "InvalidParameter", 400, CiphertextBlob=blob, EncryptionContext={"wrong": "1"})
    give_up_at = time.monotonic() + FLUSH_SECONDS_MAX
    while "UsageStatistics" not in (answer := api.generic("DescribeKey", KeyId=key)) and time.monotonic() < give_up_at:
        time.sleep(0.2)
    expected = {"Encrypt": 1, "Decrypt": 2}
    while (calls := answer["UsageStatistics"]["Calls"]) != expected and time.monotonic() < give_up_at:
        time.sleep(0.2)
        answer = api.generic("DescribeKey", KeyId=key)
    assert calls == expected
    statistics = answer["UsageStatistics"]
    assert statistics["LastUsedBy"] == api.server.key_id
    assert statistics["FirstUsed"] <= statistics["LastUsed"]
    (version,) = api.versions(key)
    of_version = api.generic("DescribeKeyVersion", KeyId=key, KeyVersionId=version)["UsageStatistics"]
    assert of_version["Calls"] == expected


def test_the_service_tells_of_itself_to_its_operators_alone(api, make, own_server, tmp_path):
    api.generic_refused("DescribeServer", "Forbidden.NotOperator", 403)
    assert own_server.stop() == 0
    own_server.config = tmp_path / "jomae.toml"
    own_server.config.write_text('operator_accounts = ["only"]\n')
    own_server.start()
    answer = make("tea3-acs3", own_server).generic("DescribeServer", {})
    settings = {row["Name"]: row["Value"] for row in answer["Settings"]["Setting"]}
    assert settings["operator_accounts"] == "only"
    assert answer["UptimeSeconds"] < FLUSH_SECONDS_MAX


def test_the_generic_call_gives_the_same_answers(api, key):
    """The typed methods add nothing: parameters as text in the query, the same members in the answer."""
    sealed = api.generic("Encrypt", KeyId=key, Plaintext=b64(b"data"), EncryptionContext=json.dumps({"a": "ü"}))
    assert api.decrypt(sealed["CiphertextBlob"], EncryptionContext={"a": "ü"}) == b"data"
    mac_key = api.create_key(KeySpec="HMAC_SHA_256")
    stated = {"KeyId": mac_key, "Algorithm": "HMAC_SHA_256", "Message": "AAAA"}
    code = api.generic("GenerateMac", **stated)["Mac"]
    assert code == api("GenerateMac", **stated)["Mac"]
    assert api.generic("VerifyMac", Mac=code, **stated)["Value"] is True
    for action in ("AdvanceEncrypt", "GetChallenge", "GetManagedDataKey", "ListManagedDataKeyVersions"):
        api.generic_refused(action, "InvalidAction.NotFound", 404, KeyId=key)
