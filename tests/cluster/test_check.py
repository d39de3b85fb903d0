"""The checker, on histories made by hand: what is right passes, and each kind of harm is found.

    target/clients/venv-sdk/bin/python -m unittest discover -s tests/cluster
"""

import base64
import json
import unittest

from check import check, longest_pauses
from linear import TooHard, linearise

KEY, BLOB, PLAIN = "key-1", "blob-1", base64.b64encode(b"secret").decode()
NODES = ("n1", "n2", "n3")


class Tale:
    """A history, told call by call: each lasts from `at` to `to`, by default one after another."""

    def __init__(self):
        self.calls, self.now = [], 0.0
        self.logs = {node: [] for node in NODES}

    def call(self, op, node="n1", outcome="ok", code=None, at=None, to=None, client="c1", logged=True, got=None, more=None, **args):
        start = self.now + 1 if at is None else at
        end = start + 0.5 if to is None else to
        self.now = max(self.now, end)
        number = len(self.calls) + 1
        call = dict(n=number, client=client, op=op, node=node, start=start, end=end, outcome=outcome, code=code)
        call |= dict(request_id=f"r{number}", args=args, got=got or {}) | (more or {})
        self.calls.append(call)
        if logged and outcome in ("ok", "refused"):
            self.logs[node].append(f"r{number}")
        return call

    def create(self, key=KEY, origin="c1-1", **more):
        return self.call("CreateKey", Description=f"{origin}/0", got=description(key, origin=origin), **more)

    def describe(self, state="Enabled", key=KEY, origin="c1-1", **more):
        return self.call("DescribeKey", KeyId=key, got=description(key, state, origin), **more)

    def encrypt(self, **more):
        return self.call("Encrypt", KeyId=KEY, Plaintext=PLAIN, got={"CiphertextBlob": BLOB}, **more)

    def end(self, state="Enabled", key=KEY):
        """What is read when all is well again."""
        for node in NODES:
            self.describe(state, key, node=node, client="final")
        return self

    def found(self):
        return "".join(sorted({violation.check for violation in check(self.calls, self.logs)}))


def description(key, state="Enabled", origin="c1-1"):
    return {"KeyId": key, "KeyState": state, "Description": f"{origin}/0"}


def made():
    tale = Tale()
    tale.create()
    return tale


class Good(unittest.TestCase):
    def good(self, tale):
        self.assertEqual(check(tale.calls, tale.logs), [])

    def test_an_ordinary_day(self):
        tale = made()
        tale.encrypt(more={"kept": True})
        tale.call("DisableKey", KeyId=KEY)
        tale.call("Encrypt", "n2", "refused", "Rejected.Disabled", KeyId=KEY)
        tale.call("EnableKey", "n3", KeyId=KEY)
        tale.encrypt(node="n2")
        tale.call("CreateAlias", AliasName="alias/a", KeyId=KEY)
        tale.call("DescribeKey", "n2", KeyId="alias/a", got=description(KEY))
        tale.call("TagResource", KeyId=KEY, Tags=json.dumps([{"TagKey": "colour", "TagValue": "red"}]))
        tale.call("ListResourceTags", "n3", KeyId=KEY, got={"Tags": {"colour": "red"}})
        tale.end()
        for node in NODES:
            tale.call("DescribeKey", node, client="final", KeyId="alias/a", got=description(KEY))
        tale.call("Decrypt", client="final", CiphertextBlob=BLOB, got={"Plaintext": PLAIN}, more={"key": KEY, "plain": PLAIN})
        self.good(tale)

    def test_calls_at_the_same_time_may_take_effect_in_either_order(self):
        for state in ("Enabled", "Disabled"):
            tale = made()
            tale.call("DisableKey", at=10, to=12, KeyId=KEY)
            tale.call("EnableKey", "n2", at=11, to=13, KeyId=KEY)
            self.good(tale.end(state))

    def test_a_use_that_overlaps_the_revocation_may_succeed(self):
        tale = made()
        tale.call("DisableKey", at=10, to=15, KeyId=KEY)
        tale.encrypt(node="n2", at=14.9, to=16)
        self.good(tale.end("Disabled"))

    def test_a_call_without_an_answer_may_take_effect_later_or_never(self):
        for state in ("Enabled", "Disabled"):
            tale = made()
            tale.call("DisableKey", outcome="unknown", at=10, to=11, KeyId=KEY)
            tale.describe("Enabled", at=20)
            self.good(tale.end(state))

    def test_a_key_may_come_back_by_a_call_without_an_answer(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        tale.call("EnableKey", outcome="unknown", KeyId=KEY)
        tale.encrypt(node="n2")
        self.good(tale.end("Enabled"))

    def test_a_replay_is_refused(self):
        tale = made()
        tale.call("CreateKey", "n2", "refused", "SignatureNonceUsed", Description="c1-1/0", logged=False, more={"replay_of": 1})
        self.good(tale.end())

    def test_a_create_without_an_answer_may_succeed_when_it_is_sent_again(self):
        tale = Tale()
        tale.call("CreateKey", outcome="unknown", Description="c1-1/0")
        tale.call("CreateKey", "n2", Description="c1-1/0", got=description(KEY), more={"replay_of": 1})
        self.good(tale.end())


class Lost(unittest.TestCase):
    def test_a_key_is_gone(self):
        tale = made()
        for node in NODES:
            tale.call("DescribeKey", node, "refused", "Forbidden.KeyNotFound", client="final", KeyId=KEY)
        # It is a register that fell back, too.
        self.assertEqual(tale.found(), "ac")

    def test_nobody_looked(self):
        self.assertEqual(made().found(), "a")

    def test_a_reading_without_an_answer_says_nothing(self):
        tale = made()
        for node in NODES:
            tale.call("DescribeKey", node, "unknown", client="final", KeyId=KEY)
        self.assertEqual(tale.found(), "a")
        self.assertEqual(tale.end().found(), "")

    def test_one_node_does_not_have_the_user(self):
        tale = made().end()
        tale.call("CreateUser", UserName="u")
        for node in NODES[:2]:
            tale.call("GetUser", node, client="final", UserName="u")
        tale.call("GetUser", "n3", "refused", "EntityNotExist.User", client="final", UserName="u")
        self.assertEqual(tale.found(), "a")

    def test_an_alias_is_gone(self):
        tale = made().end()
        tale.call("CreateAlias", AliasName="alias/a", KeyId=KEY)
        for node in NODES:
            tale.call("DescribeKey", node, "refused", "Forbidden.AliasNotFound", client="final", KeyId="alias/a")
        self.assertEqual(tale.found(), "ac")

    def test_a_ciphertext_does_not_open_or_opens_to_something_else(self):
        for outcome, code, plain in (("refused", "InvalidParameter", None), ("ok", None, "b3RoZXI=")):
            tale = made().end()
            got = {"Plaintext": plain} if plain else {}
            note = {"key": KEY, "plain": PLAIN}
            tale.call("Decrypt", "n1", outcome, code, client="final", CiphertextBlob=BLOB, got=got, more=note)
            self.assertEqual(tale.found(), "a")

    def test_a_ciphertext_that_nobody_tried(self):
        tale = made()
        tale.encrypt(more={"kept": True})
        self.assertEqual(tale.end().found(), "a")

    def test_a_state_is_forgotten(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        self.assertEqual(tale.end("Enabled").found(), "c")

    def test_a_version_is_gone(self):
        tale = made().end()
        tale.call("CreateKeyVersion", KeyId=KEY)
        tale.call("ListKeyVersions", client="final", KeyId=KEY, got={"TotalCount": 1})
        self.assertEqual(tale.found(), "a")


class UsedAfterRevocation(unittest.TestCase):
    def test_a_key(self):
        for op in ("DisableKey", "ScheduleKeyDeletion"):
            tale = made()
            tale.call(op, at=10, to=12, KeyId=KEY)
            tale.encrypt(node="n2", at=12.01, to=13)
            state = "Disabled" if op == "DisableKey" else "PendingDeletion"
            self.assertEqual(tale.end(state).found(), "b")

    def test_giving_back_before_or_after_is_no_excuse(self):
        tale = made()
        tale.call("EnableKey", KeyId=KEY)
        tale.call("DisableKey", KeyId=KEY)
        tale.encrypt(node="n3")
        tale.call("EnableKey", KeyId=KEY)
        self.assertEqual(tale.end().found(), "b")

    def test_a_right_of_a_user(self):
        takes = [
            ("DetachPolicyFromUser", {"UserName": "u"}),
            ("UpdateAccessKey", {"UserAccessKeyId": "ak", "Status": "Inactive"}),
            ("DeleteAccessKey", {"UserAccessKeyId": "ak"}),
        ]
        for op, args in takes:
            tale = made()
            tale.call("CreateAccessKey", UserName="u", got={"AccessKeyId": "ak"})
            tale.call("AttachPolicyToUser", UserName="u")
            who = {"user": "u", "access_key": "ak"}
            tale.encrypt(more=who)
            tale.end()
            self.assertEqual(tale.found(), "")
            tale.call(op, **args)
            tale.encrypt(node="n3", more=who)
            self.assertEqual(tale.found(), "b")

    def test_a_ciphertext_of_a_disabled_key(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        tale.call("Decrypt", "n2", CiphertextBlob=BLOB, got={"Plaintext": PLAIN}, more={"key": KEY, "plain": PLAIN})
        self.assertEqual(tale.end("Disabled").found(), "b")


class NotLinearisable(unittest.TestCase):
    def test_a_node_shows_an_old_state(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        tale.describe("Enabled", node="n2")
        self.assertEqual(tale.end("Disabled").found(), "c")

    def test_a_node_refuses_what_is_allowed_again(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        tale.call("EnableKey", KeyId=KEY)
        tale.call("Encrypt", "n2", "refused", "Rejected.Disabled", KeyId=KEY)
        self.assertEqual(tale.end().found(), "c")

    def test_two_reads_see_two_orders(self):
        tale = made()
        tale.call("DisableKey", at=10, to=20, KeyId=KEY)
        tale.describe("Disabled", at=11, to=12)
        tale.describe("Enabled", node="n2", at=13, to=14)
        self.assertEqual(tale.end("Disabled").found(), "c")

    def test_a_new_key_is_unknown_elsewhere(self):
        tale = made()
        tale.call("Encrypt", "n2", "refused", "Forbidden.KeyNotFound", KeyId=KEY)
        self.assertEqual(tale.end().found(), "c")

    def test_two_calls_got_one_alias(self):
        tale = made()
        tale.create("key-2", "c1-2")
        tale.call("CreateAlias", at=10, to=12, AliasName="alias/a", KeyId=KEY)
        tale.call("CreateAlias", "n2", at=11, to=13, AliasName="alias/a", KeyId="key-2")
        for key, origin in ((KEY, "c1-1"), ("key-2", "c1-2")):
            for node in NODES:
                tale.describe(key=key, origin=origin, node=node, client="final")
        for node in NODES:
            tale.call("DescribeKey", node, client="final", KeyId="alias/a", got=description(KEY))
        self.assertEqual(tale.found(), "c")

    def test_a_tag_and_a_policy(self):
        tale = made().end()
        tale.call("TagResource", KeyId=KEY, Tags=json.dumps([{"TagKey": "size", "TagValue": "1"}]))
        tale.call("ListResourceTags", "n2", KeyId=KEY, got={"Tags": {"colour": "red"}})
        tale.call("AttachPolicyToUser", UserName="u")
        tale.call("Encrypt", "n2", "refused", "Forbidden.NoPermission", KeyId=KEY, more={"user": "u", "access_key": "ak"})
        self.assertEqual([violation.check for violation in check(tale.calls, tale.logs)].count("c"), 3)

    def test_what_is_too_hard_is_no_success(self):
        tale = made()
        for number in range(12):
            tale.call("TagResource", at=10, to=11, KeyId=KEY, number=number)
        tale.call("DescribeKey", at=12, KeyId=KEY)
        counting = lambda state, call: state + (call["n"],) if call["op"] == "TagResource" else None
        with self.assertRaises(TooHard):
            linearise(tale.calls[1:], (), counting, steps_max=10_000)

    def test_different_calls_without_an_answer_are_no_burden(self):
        """An alias while no node serves: whatever may have happened to it, what it is then is soon told."""
        tale = made()
        for number in range(40):
            key = f"key-{number % 12}"
            tale.call("CreateAlias", outcome="unknown", AliasName="alias/a", KeyId=key)
            tale.call("UpdateAlias", outcome="unknown", AliasName="alias/a", KeyId=key)
            tale.call("DeleteAlias", outcome="unknown", AliasName="alias/a")
        for node in NODES:
            tale.call("DescribeKey", node, "refused", "Forbidden.AliasNotFound", client="final", KeyId="alias/a")
        self.assertEqual(tale.end().found(), "")

    def test_many_calls_without_an_answer_are_no_burden(self):
        tale = made()
        for _ in range(100):
            tale.call("DisableKey", outcome="unknown", KeyId=KEY)
            tale.call("EnableKey", outcome="unknown", KeyId=KEY)
        for state in ("Disabled", "Enabled") * 50:
            tale.describe(state)
        self.assertEqual(tale.end().found(), "")


class Logs(unittest.TestCase):
    def test_a_node_does_not_find_the_event_of_another(self):
        for found, silent, said in ((["r1"], [], ""), ([], [], "d"), (["r1", "r1"], [], "d"), (["r1"], ["n2"], "d")):
            tale = made().end()
            got = {"Events": found, "Unanswered": silent}
            tale.call("LookupEvents", "n3", client="final", EventId="r1", got=got)
            self.assertEqual(tale.found(), said)

    def test_an_answer_is_in_no_log(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY, logged=False)
        self.assertEqual(tale.end("Disabled").found(), "d")

    def test_a_refusal_is_in_no_log(self):
        tale = made()
        tale.call("EnableKey", "n1", "refused", "Rejected.Throttling", KeyId=KEY, logged=False)
        self.assertEqual(tale.end().found(), "d")

    def test_an_event_twice_in_one_log_in_two_or_in_the_wrong_one(self):
        for node in ("n1", "n2"):
            tale = made().end()
            tale.logs[node].append("r1")
            self.assertEqual(tale.found(), "d")
        tale = made().end()
        tale.logs["n1"].remove("r1")
        tale.logs["n2"].append("r1")
        self.assertEqual(tale.found(), "d")


class DoneTwice(unittest.TestCase):
    def test_a_replay_is_taken(self):
        tale = made()
        tale.call("DisableKey", KeyId=KEY)
        tale.call("EnableKey", KeyId=KEY)
        tale.call("DisableKey", "n2", KeyId=KEY, more={"replay_of": 2})
        self.assertEqual(tale.end("Disabled").found(), "e")

    def test_a_create_without_an_answer_made_two_keys(self):
        tale = Tale()
        tale.call("CreateKey", outcome="unknown", Description="c1-1/0")
        for key in (KEY, "key-2"):
            tale.create(key)
            tale.end(key=key)
        self.assertEqual(tale.found(), "e")

    def test_more_versions_than_were_asked_for(self):
        tale = made().end()
        tale.call("CreateKeyVersion", outcome="unknown", KeyId=KEY)
        tale.call("ListKeyVersions", client="final", KeyId=KEY, got={"TotalCount": 2})
        self.assertEqual(tale.found(), "")
        tale.call("ListKeyVersions", client="final", KeyId=KEY, got={"TotalCount": 3})
        self.assertEqual(tale.found(), "e")


class Pauses(unittest.TestCase):
    def test_only_what_was_done_to_the_node_itself_excuses_it(self):
        tale = Tale()
        for end in (1, 2, 9, 10, 13):
            tale.encrypt(client="prober-n1", at=end - 0.1, to=end)
        fault = {"at": 3, "ready": 8, "hosts": ["n1"], "quorum": True}
        self.assertEqual(longest_pauses(tale.calls, [])["n1"], (7, 2))
        self.assertEqual(longest_pauses(tale.calls, [fault])["n1"], (3, 10))
        self.assertEqual(longest_pauses(tale.calls, [fault | {"hosts": ["e1"]}])["n1"], (7, 2))


if __name__ == "__main__":
    unittest.main()
