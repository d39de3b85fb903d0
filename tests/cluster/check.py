"""What a cluster promises, proved over a history of calls and the nodes' audit logs.

    check.py DIRECTORY       a directory that `run` kept

PROMISES lists what it checks. A call is a dict as load.py writes it. Its outcome is `ok`, `refused` (with a code),
`unknown` (sent; no answer, or one that says that the service failed) or `unsent`.
"""

import collections
import json
import re
import sys
from pathlib import Path

from linear import NotLinearisable, TooHard, linearise

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
FINAL = "final"
USES = ("Encrypt", "Decrypt")
REVOKED = ("Rejected.Disabled", "Rejected.PendingDeletion", "Forbidden.NoPermission", "InvalidAccessKeyId.Inactive")

# Refused before anybody knows who calls: such calls are not in the log.
NOT_LOGGED = re.compile(
    r"SignatureNonceUsed|SignatureDoesNotMatch|IncompleteSignature|InvalidTimeStamp\..*|InvalidAccessKeyId\..*"
)

PROMISES = {
    "a": "nothing that was answered is lost",
    "b": "no use of a key or a right that began after its revocation was answered succeeds anywhere, until it is given back",
    "c": "the calls on each key, alias, tag, policy of a user and access key are linearisable",
    "d": "each answered call is in the log of the node that answered it, once, and in no other",
    "e": "no change is made twice: not by a call without an answer, not by bytes that are sent again",
}

Violation = collections.namedtuple("Violation", "check text calls")


def check(calls, logs):
    """Every violation found. `logs` has for each node the ids of the events in its log."""
    calls = [call for call in calls if call["outcome"] != "unsent"]
    return [
        *lost(calls),
        *used_after_revocation(calls),
        *not_linearisable(calls),
        *not_in_one_log(calls, logs),
        *done_twice(calls),
    ]


# (a)


def lost(calls):
    # A reading without an answer, which is tried again, says nothing.
    final = [call for call in calls if call["client"] == FINAL and call["outcome"] in (OK, REFUSED)]
    nodes = {call["node"] for call in final} or {"any node"}
    seen = {}
    for call in final:
        seen.setdefault((call["op"], call["node"], call["args"].get("KeyId") or call["args"].get("UserName")), call)
    opened = {call["args"]["CiphertextBlob"] for call in final if call["op"] == "Decrypt"}
    kept_blobs = collections.Counter()
    removed = {call["args"]["AliasName"] for call in calls if call["op"] == "DeleteAlias" and call["outcome"] != REFUSED}
    found = []

    def must_be_seen(made, op, name):
        for node in sorted(nodes):
            last = seen.get((op, node, name))
            if last is None:
                found.append(Violation("a", f"{name} was made, and nobody looked for it at {node}", [made]))
            elif last["outcome"] != OK:
                found.append(Violation("a", f"{name} was made, and {node} does not have it", [made, last]))

    for call in calls:
        if call["op"] == "Decrypt" and "plain" in call:
            if call["outcome"] == OK and call["got"]["Plaintext"] != call["plain"]:
                found.append(Violation("a", "a ciphertext opened to something else", [call]))
            if call["client"] == FINAL and call["outcome"] == REFUSED:
                found.append(Violation("a", "a ciphertext that was answered does not open", [call]))
        if call["outcome"] != OK:
            continue
        match call["op"]:
            case "CreateKey":
                must_be_seen(call, "DescribeKey", call["got"]["KeyId"])
            case "CreateUser":
                must_be_seen(call, "GetUser", call["args"]["UserName"])
            case "CreateAlias" if call["args"]["AliasName"] not in removed:
                must_be_seen(call, "DescribeKey", call["args"]["AliasName"])
            case "Encrypt" if call.get("kept"):
                kept_blobs[call["got"]["CiphertextBlob"]] += 1
    for blob in kept_blobs:
        if blob not in opened:
            found.append(Violation("a", f"nobody tried to open the ciphertext {blob[:40]}…", []))
    return found


# (b)


def gives(call):
    """The right that this call gives back, if it does: its register."""
    args = call["args"]
    match call["op"]:
        case "EnableKey" | "CancelKeyDeletion":
            return ("key", args["KeyId"])
        case "AttachPolicyToUser":
            return ("policy", args["UserName"])
        case "UpdateAccessKey" if args["Status"] == "Active":
            return ("access key", args["UserAccessKeyId"])
    return None


def takes(call):
    """The right that this call takes away, if it does: its register."""
    args = call["args"]
    match call["op"]:
        case "DisableKey" | "ScheduleKeyDeletion":
            return ("key", args["KeyId"])
        case "DetachPolicyFromUser":
            return ("policy", args["UserName"])
        case "UpdateAccessKey" if args["Status"] == "Inactive":
            return ("access key", args["UserAccessKeyId"])
        case "DeleteAccessKey":
            return ("access key", args["UserAccessKeyId"])
    return None


def rests_on(call):
    """The registers that must all say yes for this use to succeed."""
    rights = [("key", call.get("key") or call["args"].get("KeyId"))]
    if "user" in call:
        rights += [("policy", call["user"]), ("access key", call["access_key"])]
    return rights


def used_after_revocation(calls):
    taken, given = collections.defaultdict(list), collections.defaultdict(list)
    for call in calls:
        if call["outcome"] == OK and takes(call):
            taken[takes(call)].append(call)
        if call["outcome"] in (OK, UNKNOWN) and gives(call):
            given[gives(call)].append(call)
    found = []
    for use in calls:
        if use["op"] not in USES or use["outcome"] != OK:
            continue
        for right in rests_on(use):
            before = [call for call in taken[right] if call["end"] < use["start"]]
            if not before:
                continue
            last = max(before, key=lambda call: call["start"])

            def may_lie_between(call):
                # After the revocation took effect, at the earliest when it began, and before the use did.
                return call["start"] < use["end"] and (call["outcome"] == UNKNOWN or call["end"] > last["start"])

            if not any(may_lie_between(call) for call in given[right]):
                found.append(Violation("b", f"used after its revocation: {right}", [last, use]))
    return found


# (c)
#
# A key is (state, description), an alias its key, a tag its value, a policy of a user whether it is attached, an access
# key its status; None is absent. Each function gives the state after a call that was answered so, or None if it cannot
# have been answered so; ABSENT stands for the absent state where a call leads to it.

ABSENT = "(absent)"


def key_step(state, call):
    op, outcome, code, args, got = call["op"], call["outcome"], call["code"], call["args"], call["got"]
    status, description = state if state != ABSENT else (ABSENT, "")
    if outcome == REFUSED:
        match code:
            case "Forbidden.KeyNotFound":
                possible = status == ABSENT
            case "Rejected.Disabled":
                possible = status == "Disabled"
            case "Rejected.PendingDeletion":
                possible = status == "PendingDeletion"
            case "Rejected.StateModifiedFailed" if op == "CancelKeyDeletion":
                possible = status in ("Enabled", "Disabled")
            case "Rejected.StateModifiedFailed":
                possible = status == "PendingDeletion"
            case _:
                possible = True
        return state if possible else None
    if op == "CreateKey":
        return ("Enabled", args["Description"]) if status == ABSENT else None
    if status == ABSENT:
        return None
    pending = status == "PendingDeletion"
    match op:
        case "EnableKey":
            return None if pending else ("Enabled", description)
        case "DisableKey":
            return None if pending else ("Disabled", description)
        case "ScheduleKeyDeletion":
            return None if pending else ("PendingDeletion", description)
        case "CancelKeyDeletion":
            return ("Enabled", description) if pending else None
        case "UpdateKeyDescription":
            return None if pending else (status, args["Description"])
        case "DescribeKey" if got:
            return state if state == (got["KeyState"], got["Description"]) else None
    return state


def alias_step(state, call):
    op, args = call["op"], call["args"]
    if call["outcome"] == REFUSED:
        match call["code"]:
            case "Forbidden.AliasNotFound":
                return state if state == ABSENT else None
            case "AliasAlreadyExists":
                return state if state != ABSENT else None
        return state
    match op:
        case "CreateAlias":
            return args["KeyId"] if state == ABSENT else None
        case "UpdateAlias":
            return args["KeyId"] if state != ABSENT else None
        case "DeleteAlias":
            return ABSENT if state != ABSENT else None
        case "DescribeKey" if call["got"]:
            return state if state == call["got"]["KeyId"] else None
    return state


def tag_step(name):
    def step(state, call):
        if call["outcome"] == REFUSED:
            return state
        match call["op"]:
            case "TagResource":
                return json.loads(call["args"]["Tags"])[0]["TagValue"]
            case "UntagResource":
                return ABSENT
            case "ListResourceTags" if call["got"]:
                return state if state == call["got"]["Tags"].get(name, ABSENT) else None
        return state

    return step


def policy_step(state, call):
    attached, op = state == "attached", call["op"]
    if call["outcome"] == REFUSED:
        match call["code"]:
            case "EntityAlreadyExists.User.Policy":
                return state if attached else None
            case "EntityNotExist.User.Policy" | "Forbidden.NoPermission":
                return state if not attached else None
        return state
    match op:
        case "AttachPolicyToUser":
            return "attached" if not attached else None
        case "DetachPolicyFromUser":
            return ABSENT if attached else None
        case "ListPoliciesForUser" if call["got"]:
            return state if attached == bool(call["got"]["Policies"]) else None
    return state


def access_key_step(name):
    def step(state, call):
        op, args = call["op"], call["args"]
        if call["outcome"] == REFUSED:
            match call["code"]:
                case "EntityNotExist.User.AccessKey" | "InvalidAccessKeyId.NotFound":
                    return state if state == ABSENT else None
                case "InvalidAccessKeyId.Inactive":
                    return state if state == "Inactive" else None
            return state
        match op:
            case "CreateAccessKey":
                return "Active" if state == ABSENT else None
            case "UpdateAccessKey":
                return args["Status"] if state != ABSENT else None
            case "DeleteAccessKey":
                return ABSENT if state != ABSENT else None
            case "ListAccessKeys" if call["got"]:
                return state if state == call["got"]["AccessKeys"].get(name, ABSENT) else None
        return state

    return step


TAG_NAMES = ("colour", "size")


def registers(call):
    """The registers that this call writes, or says something of. A use that succeeds is the business of (b)."""
    op, args, got = call["op"], call["args"], call["got"]
    # What is sent again must be refused, whatever the state. If it was not, (e) says so; what it did is seen here.
    if op in USES and call["outcome"] != REFUSED or "replay_of" in call and call["outcome"] != OK:
        return []
    match op:
        case "CreateKey":
            return [("key", got["KeyId"])] if got else []
        case "CreateAlias" | "UpdateAlias" | "DeleteAlias":
            return [("alias", args["AliasName"])]
        case "DescribeKey" if args["KeyId"].startswith("alias/"):
            return [("alias", args["KeyId"])]
        case "TagResource":
            return [("tag", args["KeyId"], json.loads(args["Tags"])[0]["TagKey"])]
        case "UntagResource":
            return [("tag", args["KeyId"], json.loads(args["TagKeys"])[0])]
        case "ListResourceTags":
            return [("tag", args["KeyId"], name) for name in TAG_NAMES]
        case "AttachPolicyToUser" | "DetachPolicyFromUser" | "ListPoliciesForUser":
            return [("policy", args["UserName"])]
        case "CreateAccessKey":
            return [("access key", got["AccessKeyId"])] if got else []
        case "UpdateAccessKey" | "DeleteAccessKey":
            return [("access key", args["UserAccessKeyId"])]
        case "ListAccessKeys":
            return [("access key", name) for name in call.get("known", [])]
        case "Encrypt" | "Decrypt":
            return rests_on(call)
        case "EnableKey" | "DisableKey" | "ScheduleKeyDeletion" | "CancelKeyDeletion" | "UpdateKeyDescription" | "DescribeKey":
            return [("key", args["KeyId"])]
    return []


def step_of(register):
    match register:
        case ("key", _):
            return key_step
        case ("alias", _):
            return alias_step
        case ("tag", _, name):
            return tag_step(name)
        case ("policy", _):
            return policy_step
        case ("access key", name):
            return access_key_step(name)


def not_linearisable(calls):
    parts = collections.defaultdict(list)
    # A key whose making got no answer is known by its description, if it is there.
    by_description = {call["got"]["Description"]: call["got"]["KeyId"] for call in calls if call["op"] == "DescribeKey" and call["got"]}
    for call in calls:
        if call["op"] == "CreateKey" and not call["got"] and call["args"]["Description"] in by_description:
            parts[("key", by_description[call["args"]["Description"]])].append(call)
        for register in registers(call):
            parts[register].append(call)
    found = []
    for register, part in parts.items():
        try:
            linearise(part, ABSENT, step_of(register))
        except NotLinearisable as error:
            near = [call for call in part if call["start"] < error.call["end"]]
            found.append(Violation("c", f"{register}: {error}", near[-6:]))
        except TooHard as error:
            found.append(Violation("c", f"{register}: not decided: {error}", []))
    return found


# (d)


def not_in_one_log(calls, logs):
    places = collections.defaultdict(list)
    for node, events in logs.items():
        for event in events:
            places[event].append(node)
    found = [
        Violation("d", f"event {event} is logged {len(nodes)} times: {', '.join(nodes)}", [])
        for event, nodes in places.items()
        if len(nodes) > 1
    ]
    for call in calls:
        if call["op"] == "LookupEvents" and call["outcome"] == OK:
            events = call["got"]["Events"]
            if events != [call["args"]["EventId"]]:
                found.append(Violation("d", f"an event of another node was looked up, and found {len(events)} times", [call]))
            if call["got"]["Unanswered"]:
                found.append(Violation("d", "a node did not answer for its log, although all was well", [call]))
        if call["outcome"] not in (OK, REFUSED) or NOT_LOGGED.fullmatch(call["code"] or ""):
            continue
        nodes = places.get(call["request_id"], [])
        if not nodes:
            found.append(Violation("d", "an answered call is in no log", [call]))
        elif call["node"] not in nodes:
            found.append(Violation("d", f"the call is in the log of {nodes[0]}, which did not answer it", [call]))
    return found


# (e)


def done_twice(calls):
    by_number = {call["n"]: call for call in calls}
    found = []
    for call in calls:
        first = by_number.get(call.get("replay_of"))
        if first and call["outcome"] == OK and first["outcome"] == OK:
            found.append(Violation("e", "the same bytes were taken twice", [first, call]))
    keys = collections.defaultdict(set)
    for call in calls:
        # The part before the stroke is the call that made the key.
        if call["op"] in ("CreateKey", "DescribeKey") and call["got"]:
            keys[call["got"]["Description"].partition("/")[0]].add(call["got"]["KeyId"])
    found += [Violation("e", f"one CreateKey made {sorted(ids)}", []) for ids in keys.values() if len(ids) > 1]
    for call in calls:
        if call["op"] != "ListKeyVersions" or call["client"] != FINAL or call["outcome"] != OK:
            continue
        tries = [
            other["outcome"]
            for other in calls
            if other["op"] == "CreateKeyVersion" and other["args"]["KeyId"] == call["args"]["KeyId"] and "replay_of" not in other
        ]
        # A key is made with its first version.
        least = 1 + tries.count(OK)
        most = least + tries.count(UNKNOWN)
        versions = call["got"]["TotalCount"]
        if versions < least:
            found.append(Violation("a", f"{least} versions were made, and {versions} are there", [call]))
        if versions > most:
            found.append(Violation("e", f"{most} versions were asked for, and {versions} are there", [call]))
    return found


# Pauses


def longest_pauses(calls, faults):
    """For each node, the longest time between two Encrypts of its prober that succeeded, outside of what was done to
    this node itself: (seconds, when it began). `faults` as run writes them."""
    longest = {}
    for node in sorted({call["node"] for call in calls}):
        ends = sorted(call["end"] for call in calls if call["client"] == f"prober-{node}" and call["outcome"] == OK)
        away = [(fault["at"], fault["ready"]) for fault in faults if node in fault["hosts"] or not fault["quorum"]]
        for before, after in zip(ends, ends[1:]):
            if not any(begin < after and before < end for begin, end in away):
                longest[node] = max(longest.get(node, (0, 0)), (after - before, before))
    return longest


def event_ids(directory):
    """Of every event in the audit log of a node."""
    ids = []
    for file in sorted(Path(directory).glob("*.jsonl")):
        # A file that is being written may end in zeros.
        for line in file.read_bytes().rstrip(b"\0").splitlines():
            ids.append(json.loads(line)["eventId"])
    return ids


def told(violation):
    lines = [f"({violation.check}) {violation.text}"]
    return "\n".join(lines + [f"      {json.dumps(call)}" for call in violation.calls])


def main():
    directory = Path(sys.argv[1])
    calls = [json.loads(line) for line in (directory / "history.jsonl").read_text().splitlines()]
    logs = {path.parent.name: event_ids(path) for path in directory.glob("n*/audit")}
    found = check(calls, logs)
    print(*map(told, found), f"{len(calls)} calls, {len(found)} violations", sep="\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
