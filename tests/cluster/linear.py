"""Linearisability of one register: whether its calls can be put in one order that explains every answer.

Each call must take effect at one moment between its start and its end; a call whose outcome is unknown, at any moment
after its start, or never. The search keeps every set of states that is still possible (Wing and Gong, with Lowe's
just-in-time order: a call is placed only when another one, or its own answer, needs it) and sees no set twice.
"""

import heapq
import itertools

STEPS_MAX = 1_000_000


class TooHard(Exception):
    """The search was given up: nothing is known. Never taken for a success."""


class NotLinearisable(Exception):
    def __init__(self, call, states):
        before = sorted(map(str, states))
        super().__init__(f"no order of the calls explains call {call['n']}; before it the state was one of {before}")
        self.call = call


def linearise(calls, start, step, steps_max=STEPS_MAX):
    """Gives the states that are possible at the end.

    `step(state, call)` is the state after `call` was answered as it was, or None if it cannot have been.
    """
    answered = {call["n"]: call for call in calls if call["outcome"] in ("ok", "refused")}
    # Of unknown calls that do the same, the oldest is taken first: it could take effect wherever a younger one could.
    unknown = {}
    events = []
    for call in calls:
        events.append((call["start"], 0, call["n"], call))
        if call["n"] in answered:
            events.append((call["end"], 1, call["n"], call))
    events.sort(key=lambda event: event[:3])
    # (state, calls that have taken effect before their answer came, how many of each kind of unknown call were used)
    possible = {(start, frozenset(), ())}
    pending, steps = set(), itertools.count(1)
    for _, ends, number, call in events:
        if not ends:
            if number in answered:
                pending.add(number)
            else:
                unknown.setdefault((call["op"], str(call["args"])), []).append(call)
            continue
        # Who has used fewer unknown calls goes first: what has used more for the same is not looked at.
        found, least, order = set(), {}, itertools.count()
        agenda = []

        def consider(config):
            state, done, used = config
            uses = least.setdefault((state, done), [])
            if not any(is_within(other, used) for other in uses):
                uses.append(used)
                heapq.heappush(agenda, (sum(count for _, count in used), next(order), config))

        for config in possible:
            consider(config)
        while agenda:
            _, _, (state, done, used) = heapq.heappop(agenda)
            if next(steps) > steps_max:
                raise TooHard(f"{steps_max} steps did not decide {call['n']}")
            if number in done:
                found.add((state, done - {number}, used))
                continue
            for other in pending - done:
                after = step(state, answered[other])
                if after is not None:
                    consider((after, done | {other}, used))
            counts = dict(used)
            for kind, some in unknown.items():
                count = counts.get(kind, 0)
                if count < len(some):
                    after = step(state, some[count] | {"outcome": "ok", "code": None})
                    if after is not None and after != state:
                        consider((after, done, tuple(sorted((counts | {kind: count + 1}).items()))))
        if not found:
            raise NotLinearisable(call, {state for state, _, _ in possible})
        possible = without_worse(found)
        pending.discard(number)
    return {state for state, _, _ in possible}


def is_within(less, more):
    """Whether one has used no unknown call more often than the other."""
    more = dict(more)
    return all(more.get(kind, 0) >= count for kind, count in less)


def without_worse(configs):
    """Whoever has used fewer unknown calls for the same can do all that the others can."""
    groups = {}
    for state, done, used in configs:
        groups.setdefault((state, done), []).append(dict(used))
    kept = set()
    for (state, done), uses in groups.items():
        for use in uses:
            if not any(other != use and is_within(other.items(), use) for other in uses):
                kept.add((state, done, tuple(sorted(use.items()))))
    return kept
