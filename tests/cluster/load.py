"""Clients of a cluster: a mixture of calls at random nodes, each written to a history with what came of it.

Requests are made and signed by the official SDK (aliyun-python-sdk-*). Most clients send what it signed over
connections of their own, which they keep open, and some of these bytes a second time at another node; every fourth
client leaves sending to the SDK too. Nothing retries. All choices come from the seed.
"""

import base64
import collections
import http.client
import importlib
import json
import random
import ssl
import threading
import time

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest

# Longer than a lease, which is the longest that a call may wait for a node that is lost.
ANSWER_SECS_MAX = 12
CONNECT_SECS_MAX = 3
OK, REFUSED, UNKNOWN, UNSENT = "ok", "refused", "unknown", "unsent"

RAM = {
    "CreateUser", "GetUser", "CreatePolicy", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "ListAccessKeys",
    "AttachPolicyToUser", "DetachPolicyFromUser", "ListPoliciesForUser",
}  # fmt: skip
USES = {"Encrypt", "Decrypt"}
READS = {"LookupEvents", "DescribeKey", "ListKeys", "ListKeyVersions", "ListResourceTags", "GetUser", "ListAccessKeys", "ListPoliciesForUser"}
# Events that are looked up in the end.
LOOKED_UP = 60
TAG_KEYS = ("colour", "size")
POLICY = "use-any-key"
POLICY_DOCUMENT = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}]}


class History:
    """Every call, one line of JSON each, in the order in which they ended."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1)
        self.lock = threading.Lock()
        self.calls = []

    def number(self):
        with self.lock:
            self.last = getattr(self, "last", 0) + 1
            return self.last

    def add(self, call):
        with self.lock:
            self.calls.append(call)
            self.file.write(json.dumps(call) + "\n")


def sdk_request(action, params, endpoint):
    """The typed request of the SDK."""
    if action == "LookupEvents":
        # Its package is not installed: the core of the SDK can do without.
        request = RpcRequest("Actiontrail", "2020-07-06", action)
        request.set_protocol_type("https")
        request.set_accept_format("json")
        request.set_endpoint(endpoint)
        # Clocks have jumped.
        for name, hours in (("StartTime", -3), ("EndTime", 3)):
            request.add_query_param(name, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600)))
        for number, (key, value) in enumerate(params.items(), 1):
            request.add_query_param(f"LookupAttribute.{number}.Key", key)
            request.add_query_param(f"LookupAttribute.{number}.Value", value)
        return request
    package = "aliyunsdkram.request.v20150501" if action in RAM else "aliyunsdkkms.request.v20160120"
    request = getattr(importlib.import_module(f"{package}.{action}Request"), f"{action}Request")()
    request.set_protocol_type("https")
    request.set_accept_format("json")
    request.set_endpoint(endpoint)
    for name, value in params.items():
        getattr(request, f"set_{name}")(value)
    return request


class Wire:
    """Sends signed bytes over one connection to each node, which stays open."""

    def __init__(self, lab, answer_secs_max=ANSWER_SECS_MAX):
        self.lab, self.answer_secs_max = lab, answer_secs_max
        self.tls = ssl.create_default_context(cafile=lab.authority.file)
        self.open = {}

    def signed(self, node, action, params, credential):
        request = sdk_request(action, params, node.endpoint)
        return request.get_method(), request.get_url(self.lab.region, *credential)

    def send(self, node, method, target):
        """(outcome, code, body)."""
        connection = self.open.pop(node.name, None)
        try:
            if connection is None:
                connection = http.client.HTTPSConnection(node.endpoint, timeout=CONNECT_SECS_MAX, context=self.tls)
                connection.connect()
                connection.sock.settimeout(self.answer_secs_max)
        except OSError:
            return UNSENT, None, {}
        try:
            connection.request(method, target)
            reply = connection.getresponse()
            body = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            return UNKNOWN, None, {}
        if reply.will_close:
            connection.close()
        else:
            self.open[node.name] = connection
        return outcome_of(reply.status, body)

    def close(self):
        for connection in self.open.values():
            connection.close()


def outcome_of(status, body):
    if status == 200:
        return OK, None, body
    # A node that fails may have done it all the same.
    return (UNKNOWN if status >= 500 else REFUSED), body.get("Code"), body


class Sdk:
    """Leaves everything to the SDK: a new connection for each call."""

    def __init__(self, lab):
        self.lab, self.clients = lab, {}

    def call(self, node, action, params, credential):
        if credential not in self.clients:
            self.clients[credential] = AcsClient(
                *credential,
                self.lab.region,
                auto_retry=False,
                verify=str(self.lab.authority.file),
                timeout=ANSWER_SECS_MAX,
                connect_timeout=CONNECT_SECS_MAX,
            )
        try:
            body = self.clients[credential].do_action_with_exception(sdk_request(action, params, node.endpoint))
            return OK, None, json.loads(body)
        except ServerException as error:
            body = {"Code": error.get_error_code(), "RequestId": error.get_request_id()}
            return outcome_of(error.get_http_status() or 500, body)
        except (ClientException, OSError, ValueError):
            return UNKNOWN, None, {}


class Key:
    def __init__(self, key_id):
        self.id, self.blobs = key_id, []


class User:
    def __init__(self, name):
        # Access keys as (id, secret); those that were deleted stay, to be tried.
        self.name, self.access_keys = name, []


class World:
    """What all clients know of: the keys, names and users that are in use now, and all that ever were."""

    def __init__(self, lab, history, seed):
        self.lab, self.history, self.seed = lab, history, seed
        self.keys, self.users, self.aliases = [], [], []
        self.all_keys, self.all_users, self.all_aliases = [], [], []
        self.version_keys = []
        self.steady = None
        self.stop = threading.Event()

    def setup(self):
        """Made while everything is well."""
        caller = Caller(self, "setup")
        self.steady = self.expect(caller, "CreateKey", Description="steady/0")["KeyId"]
        self.expect(caller, "CreatePolicy", PolicyName=POLICY, PolicyDocument=json.dumps(POLICY_DOCUMENT))
        for _ in range(8):
            caller.make_key()
        for _ in range(4):
            caller.make_user()
            caller.make_alias()
        key = self.expect(caller, "CreateKey", Description="versions/0", KeySpec="EC_P256", KeyUsage="SIGN/VERIFY")["KeyId"]
        self.version_keys.append(key)
        caller.close()

    def expect(self, caller, action, **params):
        call = caller.call(action, caller.any_node(), **params)
        if call["outcome"] != OK:
            raise RuntimeError(f"{action} while everything is well: {call}")
        return call["got"]


class Caller:
    """One client: a thread's own connections and dice."""

    def __init__(self, world, name, through_sdk=False):
        self.world, self.name = world, name
        self.dice = random.Random(f"{world.seed}-{name}")
        self.wire = Wire(world.lab)
        self.sdk = Sdk(world.lab) if through_sdk else None
        # What may be sent again, as it was sent.
        self.sent = collections.deque(maxlen=2000)

    def close(self):
        self.wire.close()

    def any_node(self):
        return self.dice.choice(self.world.lab.nodes)

    def call(self, action, node, user=None, credential=None, note=None, **params):
        """One call, and its line of the history."""
        signing = credential or self.world.lab.root
        number = self.world.history.number()
        start = time.monotonic()
        if self.sdk:
            outcome, code, body = self.sdk.call(node, action, params, signing)
        else:
            method, target = self.wire.signed(node, action, params, signing)
            # Signing takes its time in Python; the call begins here.
            start = time.monotonic()
            outcome, code, body = self.wire.send(node, method, target)
        end = time.monotonic()
        call = line(number, self.name, action, node, start, end, outcome, code, body, params)
        if user:
            call["user"], call["access_key"] = user, credential[0]
        call |= note or {}
        self.world.history.add(call)
        if not self.sdk and action not in READS | USES:
            self.sent.append((call, method, target))
        return call

    def replay(self):
        """Sends the very bytes of an earlier change again, at another node."""
        if not self.sent:
            return
        call, method, target = self.dice.choice(self.sent)
        # If nobody knows what came of it, a second try may count: only of a key would we see that it was made twice.
        if call["outcome"] != OK and not (call["op"] == "CreateKey" and call["outcome"] == UNKNOWN):
            return
        # The memory of nonces of one node ends with its process, as docs/security.md says.
        others = [node for node in self.world.lab.nodes if node.name != call["node"]]
        if not others:
            return
        node = self.dice.choice(others)
        number, start = self.world.history.number(), time.monotonic()
        outcome, code, body = self.wire.send(node, method, target)
        again = line(number, self.name, call["op"], node, start, time.monotonic(), outcome, code, body, call["args"])
        again["replay_of"] = call["n"]
        self.world.history.add(again)
        if call["op"] == "CreateKey" and outcome == OK:
            self.keep_key(again)

    def keep_key(self, call):
        key = Key(call["got"]["KeyId"])
        self.world.all_keys.append(key)
        return key

    def make_key(self):
        # The part before the stroke stays for good: two keys with the same one are one call done twice.
        call = self.call("CreateKey", self.any_node(), Description=f"{self.name}-{self.dice.getrandbits(64):x}/0")
        if call["outcome"] == OK:
            self.world.keys.append(self.keep_key(call))

    def make_alias(self):
        name = f"alias/{self.name}-{self.dice.getrandbits(64):x}"
        self.world.all_aliases.append(name)
        self.world.aliases.append(name)

    def new_user(self):
        """One with an access key, if all goes well; nobody else knows of it."""
        user = User(f"{self.name}-{self.dice.getrandbits(64):x}")
        if self.call("CreateUser", self.any_node(), UserName=user.name)["outcome"] == OK:
            self.world.all_users.append(user)
            self.make_access_key(user)
            return user

    def make_user(self):
        user = self.new_user()
        if user:
            self.world.users.append(user)

    def make_access_key(self, user):
        call = self.call("CreateAccessKey", self.any_node(), UserName=user.name)
        if call["outcome"] == OK:
            user.access_keys.append((call["got"]["AccessKeyId"], call["got"].pop("AccessKeySecret")))


def line(number, client, action, node, start, end, outcome, code, body, params):
    return {
        "n": number,
        "client": client,
        "op": action,
        "node": node.name,
        "start": round(start, 6),
        "end": round(end, 6),
        "outcome": outcome,
        "code": code,
        "request_id": body.get("RequestId"),
        "args": params,
        "got": gist(action, body) if outcome == OK else {},
    }


def gist(action, body):
    """Of an answer, what the checks look at."""
    match action:
        case "CreateKey" | "DescribeKey":
            return {name: body["KeyMetadata"][name] for name in ("KeyId", "KeyState", "Description")}
        case "Encrypt":
            return {"CiphertextBlob": body["CiphertextBlob"]}
        case "Decrypt":
            return {"Plaintext": body["Plaintext"]}
        case "ListResourceTags":
            return {"Tags": {tag["TagKey"]: tag["TagValue"] for tag in body["Tags"]["Tag"]}}
        case "CreateAccessKey":
            return {name: body["AccessKey"][name] for name in ("AccessKeyId", "AccessKeySecret")}
        case "ListAccessKeys":
            return {"AccessKeys": {row["AccessKeyId"]: row["Status"] for row in body["AccessKeys"]["AccessKey"]}}
        case "ListPoliciesForUser":
            return {"Policies": [row["PolicyName"] for row in body["Policies"]["Policy"]]}
        case "ListKeys":
            return {"TotalCount": body["TotalCount"], "Keys": [row["KeyId"] for row in body["Keys"]["Key"]]}
        case "LookupEvents":
            return {
                "Events": [event["eventId"] for event in body["Events"]],
                "Unanswered": [node["Node"] for node in body.get("UnansweredNodes", [])],
            }
        case "ListKeyVersions":
            return {"TotalCount": body["TotalCount"]}
    return {}


class Client(threading.Thread):
    """Calls at random until the world stops."""

    def __init__(self, world, name, through_sdk=False, pause=0.05):
        super().__init__(name=name, daemon=True)
        self.world, self.pause = world, pause
        self.caller = Caller(world, name, through_sdk)
        self.dice = self.caller.dice
        self.failure = None

    WEIGHTS = {
        "encrypt": 12,
        "decrypt": 8,
        "describe": 8,
        "revoke_key": 6,
        "restore_key": 12,
        "rename_key": 4,
        "tag": 4,
        "alias": 8,
        "rights": 8,
        "use_rights": 10,
        "new": 4,
        "replay": 6,
    }

    def run(self):
        steps, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
        try:
            while not self.world.stop.is_set():
                getattr(self, self.dice.choices(steps, weights)[0])()
                time.sleep(self.dice.uniform(0, 2 * self.pause))
        except Exception as error:  # A bug of the load must not look like a quiet client.
            self.failure = error
        finally:
            self.caller.close()

    def call(self, action, node=None, **params):
        return self.caller.call(action, node or self.caller.any_node(), **params)

    def nodes_in_any_order(self):
        nodes = list(self.world.lab.nodes)
        self.dice.shuffle(nodes)
        return nodes

    def encrypt(self, key=None, node=None):
        key = key or self.dice.choice(self.world.keys)
        plain = base64.b64encode(self.dice.randbytes(24)).decode()
        keep = len(key.blobs) < 20
        call = self.call("Encrypt", node, KeyId=key.id, Plaintext=plain, note={"kept": keep})
        if call["outcome"] == OK and keep:
            key.blobs.append((plain, call["got"]["CiphertextBlob"]))

    def decrypt(self):
        key = self.dice.choice(self.world.keys)
        if key.blobs:
            plain, blob = self.dice.choice(key.blobs)
            self.call("Decrypt", CiphertextBlob=blob, note={"key": key.id, "plain": plain})

    def describe(self):
        what = self.dice.randrange(4)
        key = self.dice.choice(self.world.keys)
        if what == 0:
            self.call("DescribeKey", KeyId=self.dice.choice(self.world.aliases))
        elif what == 1:
            self.call("ListResourceTags", KeyId=key.id)
        else:
            self.call("DescribeKey", KeyId=key.id)

    def revoke_key(self):
        key = self.dice.choice(self.world.keys)
        if self.dice.random() < 0.8:
            call = self.call("DisableKey", KeyId=key.id)
        else:
            call = self.call("ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=30)
        if call["outcome"] == OK:
            for node in self.nodes_in_any_order():
                self.encrypt(key, node)

    def restore_key(self):
        key = self.dice.choice(self.world.keys)
        action = "EnableKey" if self.dice.random() < 0.7 else "CancelKeyDeletion"
        if self.call(action, KeyId=key.id)["outcome"] == OK:
            for node in self.nodes_in_any_order():
                self.encrypt(key, node)

    def rename_key(self):
        key = self.dice.choice(self.world.keys)
        seen = self.call("DescribeKey", KeyId=key.id)
        if seen["outcome"] == OK:
            origin = seen["got"]["Description"].partition("/")[0]
            self.call("UpdateKeyDescription", KeyId=key.id, Description=f"{origin}/{self.dice.getrandbits(64):x}")

    def tag(self):
        key, name = self.dice.choice(self.world.keys), self.dice.choice(TAG_KEYS)
        if self.dice.random() < 0.7:
            tags = [{"TagKey": name, "TagValue": f"{self.dice.getrandbits(64):x}"}]
            self.call("TagResource", KeyId=key.id, Tags=json.dumps(tags))
        else:
            self.call("UntagResource", KeyId=key.id, TagKeys=json.dumps([name]))

    def alias(self):
        name, key = self.dice.choice(self.world.aliases), self.dice.choice(self.world.keys)
        action = self.dice.choice(("CreateAlias", "UpdateAlias", "UpdateAlias", "DeleteAlias"))
        target = {} if action == "DeleteAlias" else {"KeyId": key.id}
        self.call(action, AliasName=name, **target)
        self.call("DescribeKey", KeyId=name)

    def rights(self):
        user = self.dice.choice(self.world.users)
        known = [key_id for key_id, _ in user.access_keys]
        policy = {"PolicyType": "Custom", "PolicyName": POLICY, "UserName": user.name}
        match self.dice.randrange(6):
            case 0 | 1:
                self.call("AttachPolicyToUser", **policy)
            case 2:
                self.call("DetachPolicyFromUser", **policy)
            case 3 if known:
                status = self.dice.choice(("Active", "Active", "Inactive"))
                self.call("UpdateAccessKey", UserName=user.name, UserAccessKeyId=self.dice.choice(known), Status=status)
            case 4 if known and self.dice.random() < 0.3:
                self.call("DeleteAccessKey", UserName=user.name, UserAccessKeyId=self.dice.choice(known))
                self.caller.make_access_key(user)
            case _:
                self.call("ListAccessKeys", UserName=user.name, note={"known": known})
                self.call("ListPoliciesForUser", UserName=user.name)
        self.use_rights(user)

    def use_rights(self, user=None):
        """The user calls at every node, with the newest access key or an older one."""
        user = user or self.dice.choice(self.world.users)
        if not user.access_keys:
            return
        credential = user.access_keys[-1] if self.dice.random() < 0.8 else self.dice.choice(user.access_keys)
        for node in self.nodes_in_any_order():
            self.call("Encrypt", node, user=user.name, credential=credential, KeyId=self.world.steady, Plaintext="AAAA")

    def new(self):
        """New keys, names and users take the place of others, so that no history of one thing gets long."""
        world = self.world
        match self.dice.randrange(4):
            case 0 | 1:
                self.caller.make_key()
                if len(world.keys) > 12:
                    world.keys.pop(self.dice.randrange(4))
            case 2:
                self.caller.make_alias()
                if len(world.aliases) > 4:
                    world.aliases.pop(0)
            case 3:
                if self.dice.random() < 0.3:
                    self.caller.make_user()
                    if len(world.users) > 4:
                        world.users.pop(0)
                else:
                    self.call("CreateKeyVersion", KeyId=world.version_keys[0])

    def replay(self):
        self.caller.replay()


class Revoker(threading.Thread):
    """Takes rights away that nobody else touches, and tries to use them at every node.

    Where many clients give and take the same right, a call without an answer may have given it back, which excuses every
    later use. Here nothing does: after such a call the key and its user are left, and new ones are made.
    """

    USE_SECS = 3

    def __init__(self, world, name):
        super().__init__(name=name, daemon=True)
        self.world = world
        self.caller, self.user_caller = Caller(world, name), Caller(world, f"{name}-user")
        self.user_caller.wire.answer_secs_max = 2
        self.dice = self.caller.dice
        self.failure = None

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.revoke_until_unsure()
        except Exception as error:
            self.failure = error
        finally:
            self.caller.close()
            self.user_caller.close()

    def done(self, action, **params):
        return self.caller.call(action, self.caller.any_node(), **params)["outcome"] == OK

    def revoke_until_unsure(self):
        time.sleep(0.1)
        made = self.caller.call("CreateKey", self.caller.any_node(), Description=f"{self.name}-{self.dice.getrandbits(64):x}/0")
        if made["outcome"] != OK:
            return
        key = self.caller.keep_key(made)
        user = self.caller.new_user()
        if not user or not user.access_keys:
            return
        the_key = {"KeyId": key.id}
        attached = {"PolicyType": "Custom", "PolicyName": POLICY, "UserName": user.name}
        if not self.done("AttachPolicyToUser", **attached):
            return
        access_key = {"UserName": user.name, "UserAccessKeyId": user.access_keys[0][0]}
        pairs = [
            (("DisableKey", the_key), ("EnableKey", the_key)),
            (("ScheduleKeyDeletion", the_key | {"PendingWindowInDays": 30}), ("CancelKeyDeletion", the_key)),
            (("DetachPolicyFromUser", attached), ("AttachPolicyToUser", attached)),
            (("UpdateAccessKey", access_key | {"Status": "Inactive"}), ("UpdateAccessKey", access_key | {"Status": "Active"})),
        ]
        while not self.world.stop.is_set():
            (take, what), (give, what_again) = self.dice.choice(pairs)
            self.use(key, user, 0.3)
            if not self.done(take, **what):
                return
            self.use(key, user, self.USE_SECS)
            if not self.done(give, **what_again):
                return

    def use(self, key, user, secs):
        end = time.monotonic() + secs
        while time.monotonic() < end:
            node = self.user_caller.any_node()
            credential = user.access_keys[0]
            self.user_caller.call("Encrypt", node, user=user.name, credential=credential, KeyId=key.id, Plaintext="AAAA")
            time.sleep(0.02)


class Prober(threading.Thread):
    """Encrypts at one node all the time, under a key that nobody touches: what shows how long a node was away."""

    def __init__(self, world, node, every=0.05):
        super().__init__(name=f"prober-{node.name}", daemon=True)
        self.world, self.node, self.every = world, node, every
        self.caller = Caller(world, self.name)
        self.caller.wire.answer_secs_max = 2
        self.failure = None

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.caller.call("Encrypt", self.node, KeyId=self.world.steady, Plaintext="AAAA")
                time.sleep(self.every)
        except Exception as error:
            self.failure = error
        finally:
            self.caller.close()


def final_reads(world):
    """When all is well again: what every node says of everything, then that every ciphertext opens."""
    caller = Caller(world, "final")

    def surely(action, node, **params):
        # A reading that got no answer is no evidence.
        for _ in range(5):
            call = caller.call(action, node, **params)
            if call["outcome"] in (OK, REFUSED):
                return call
            time.sleep(0.5)
        raise RuntimeError(f"{action} at {node.name} after all was healed: {call}")

    nodes = world.lab.nodes
    listed = set(world.version_keys) | {world.steady}
    page = 1
    while True:
        got = surely("ListKeys", nodes[0], PageNumber=page, PageSize=100)["got"]
        listed |= set(got["Keys"])
        if page * 100 >= got["TotalCount"]:
            break
        page += 1
    blobs = {key.id: key.blobs for key in world.all_keys}
    for key in sorted(listed | set(blobs)):
        for node in nodes:
            seen = surely("DescribeKey", node, KeyId=key)
            surely("ListResourceTags", node, KeyId=key)
        state = seen["got"].get("KeyState")
        if state in ("Disabled", "PendingDeletion"):
            surely("EnableKey" if state == "Disabled" else "CancelKeyDeletion", caller.any_node(), KeyId=key)
        for plain, blob in blobs.get(key, []):
            surely("Decrypt", caller.any_node(), CiphertextBlob=blob, note={"key": key, "plain": plain})
    for node in nodes:
        for name in world.all_aliases:
            surely("DescribeKey", node, KeyId=name)
        for user in world.all_users:
            surely("GetUser", node, UserName=user.name)
            surely("ListPoliciesForUser", node, UserName=user.name)
            known = [key_id for key_id, _ in user.access_keys]
            surely("ListAccessKeys", node, UserName=user.name, note={"known": known})
        for key in world.version_keys:
            surely("ListKeyVersions", node, KeyId=key)
    # Every node answers for the logs of all, those of processes that were killed too.
    answered = [call for call in world.history.calls if call["outcome"] == OK and call["client"] != "final"]
    for call in random.Random(world.seed).sample(answered, min(LOOKED_UP, len(answered))):
        others = [node for node in nodes if node.name != call["node"]] or nodes
        surely("LookupEvents", caller.dice.choice(others), EventId=call["request_id"])
    caller.close()
