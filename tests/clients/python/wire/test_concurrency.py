"""Many callers at once, and a sudden end among them. Order is proved by answers, never by time."""

import concurrent.futures
import threading

from kms import b64, new_alias, unb64
from rpc import Rpc, form


def test_after_disable_has_answered_no_call_gets_through(rpc):
    key = rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"]
    disabled, calls_after = threading.Event(), 20

    def hammer():
        late, codes = 0, set()
        while late < calls_after:
            # Read before the call is sent: a call that starts after the answer must be refused.
            started_after = disabled.is_set()
            reply = rpc.post_query("Encrypt", KeyId=key, Plaintext="AAAA")
            if started_after:
                late += 1
                codes.add((reply.status, reply.json().get("Code")))
            else:
                assert reply.status in (200, 409), reply.body
        return codes

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(hammer) for _ in range(4)]
        try:
            rpc.post_query("DisableKey", KeyId=key).ok()
        finally:
            disabled.set()
        for caller in callers:
            assert caller.result() == {(409, "Rejected.Disabled")}


def test_one_of_many_gets_an_alias(rpc):
    alias, callers = new_alias(), 8
    keys = [rpc.get("CreateKey").ok()["KeyMetadata"]["KeyId"] for _ in range(callers)]
    start = threading.Barrier(callers)

    def create(key):
        start.wait()
        return key, rpc.post_query("CreateAlias", AliasName=alias, KeyId=key)

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        replies = list(pool.map(create, keys))
    winners = [key for key, reply in replies if reply.status == 200]
    assert len(winners) == 1
    assert rpc.get("DescribeKey", KeyId=alias).ok()["KeyMetadata"]["KeyId"] == winners[0]
    for key, reply in replies:
        if key != winners[0]:
            reply.refused("AliasAlreadyExists", 400)


def test_one_of_many_replays_gets_through(rpc):
    callers = 8
    target = "/?" + form(rpc.signed("GET", rpc.parameters("CreateKey")))
    start = threading.Barrier(callers)

    def replay(_):
        start.wait()
        return rpc.send("GET", target)

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        replies = list(pool.map(replay, range(callers)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * (callers - 1)


def test_what_was_answered_before_kill_9_is_there_after_it(own_server):
    rpc = Rpc(own_server)
    answered, enough = {}, threading.Event()

    def write():
        while True:
            try:
                key = rpc.post_query("CreateKey").ok()["KeyMetadata"]["KeyId"]
                blob = rpc.post_query("Encrypt", KeyId=key, Plaintext=b64(key.encode())).ok()["CiphertextBlob"]
            except OSError:
                return  # the server is gone
            answered[key] = blob
            if len(answered) >= 40:
                enough.set()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        try:
            assert enough.wait(60), "the server made fewer than 40 keys in a minute"
        finally:
            own_server.kill()
        for writer in writers:
            writer.result()

    own_server.start()
    for key, blob in answered.items():
        assert unb64(rpc.get("Decrypt", CiphertextBlob=blob).ok()["Plaintext"]) == key.encode()
    # A key that was made but not answered may be there; nothing half made may be.
    total, listed, page = None, [], 1
    while total is None or len(listed) < total:
        answer = rpc.get("ListKeys", PageSize="100", PageNumber=str(page)).ok()
        total, page = answer["TotalCount"], page + 1
        listed += [row["KeyId"] for row in answer["Keys"]["Key"]]
    assert set(answered) <= set(listed)
    for key in listed:
        rpc.get("Encrypt", KeyId=key, Plaintext="AAAA").ok()
