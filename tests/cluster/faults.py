"""What can go wrong, and when: each fault is a function that breaks something, gives the hosts it concerns, and heals."""

import contextlib
import random
import time

from lab import LEASE_SECS

# A member of etcd and a node may fail together; two members only where a fault means it.
NODE_FAULTS, ETCD_FAULTS = {}, {}
# While these last no node can serve: they take the majority of etcd away.
WITHOUT_QUORUM = {"lose-quorum"}
HOUR_SECS = 3600
# Long enough for a node to take a certificate, and short enough to see it expire.
VALID_SECS = 5


def fault(name, table):
    def register(function):
        table[name] = contextlib.contextmanager(function)
        return function

    return register


@fault("kill-node", NODE_FAULTS)
def kill_node(lab, dice):
    node = dice.choice(lab.nodes)
    node.kill()
    yield [node]
    node.restart()


@fault("stop-node", NODE_FAULTS)
def stop_node(lab, dice):
    """It wakes up after its lease has run out, and must not believe that it still has it."""
    node = dice.choice(lab.nodes)
    node.pause()
    yield [node]
    node.resume()


@fault("cut-node", NODE_FAULTS)
def cut_node(lab, dice):
    """Clients reach the node; the node does not reach etcd."""
    node = dice.choice(lab.nodes)
    lab.cut([node], lab.members)
    yield [node]
    node.join_again()
    join_again(lab.members)


@fault("deafen-node", NODE_FAULTS)
def deafen_node(lab, dice):
    """What the node sends arrives at etcd; no answer comes back."""
    node = dice.choice(lab.nodes)
    lab.cut([node], lab.members, answers_only=True)
    yield [node]
    node.join_again()


@fault("mute-node", NODE_FAULTS)
def mute_node(lab, dice):
    """The node hears etcd, which hears nothing of it."""
    node = dice.choice(lab.nodes)
    lab.cut(lab.members, [node], answers_only=True)
    yield [node]
    join_again(lab.members)


@fault("lose-answers", NODE_FAULTS)
def lose_answers(lab, dice):
    """Calls arrive at the node and are done; their answers are lost."""
    node = dice.choice(lab.nodes)
    lab.cut([lab.client], [node], answers_only=True)
    yield [node]
    lab.client.join_again()


@fault("jump-clock", NODE_FAULTS)
def jump_clock(lab, dice):
    node = dice.choice(lab.nodes)
    node.set_clock(dice.choice((-HOUR_SECS, HOUR_SECS)))
    yield [node]
    node.set_clock(0)


@fault("fill-disk", NODE_FAULTS)
def fill_disk(lab, dice):
    node = dice.choice(lab.nodes)
    node.fill_disk()
    yield [node]
    node.free_disk()


@fault("expire-certificate", NODE_FAULTS)
def expire_certificate(lab, dice):
    """The node's certificate for etcd runs out, and its connections break; renewed in place, it is read at a SIGHUP."""
    node = dice.choice(lab.nodes)
    # One that has expired already would not be taken.
    node.renew_etcd_certificate(secs=VALID_SECS)
    node.reload()
    time.sleep(VALID_SECS + 1)
    node.reset_connections_to(lab.members, 1)
    yield [node]
    node.renew_etcd_certificate()
    node.reload()


@fault("kill-member", ETCD_FAULTS)
def kill_member(lab, dice):
    member = dice.choice(lab.members)
    member.kill()
    yield [member]
    member.restart()


@fault("kill-leader", ETCD_FAULTS)
def kill_leader(lab, _):
    member = lab.leader()
    member.kill()
    yield [member]
    member.restart()


@fault("stop-leader", ETCD_FAULTS)
def stop_leader(lab, _):
    member = lab.leader()
    member.pause()
    yield [member]
    member.resume()


@fault("cut-member", ETCD_FAULTS)
def cut_member(lab, dice):
    member = dice.choice(lab.members)
    lab.cut([member], member.others)
    yield [member]
    join_again(lab.members)


@fault("cut-leader", ETCD_FAULTS)
def cut_leader(lab, _):
    """Nodes still reach the old leader, which no longer has a majority."""
    member = lab.leader()
    lab.cut([member], member.others)
    yield [member]
    join_again(lab.members)


@fault("deafen-leader", ETCD_FAULTS)
def deafen_leader(lab, _):
    """The leader's heartbeats arrive, so that nobody else stands for election; it hears no answer."""
    member = lab.leader()
    lab.cut([member], member.others, answers_only=True)
    yield [member]
    member.join_again()


@fault("slow-leader", ETCD_FAULTS)
def slow_leader(lab, dice):
    member = lab.leader()
    member.slow_disk(dice.choice((0.05, 0.3, 1.0)))
    yield [member]
    member.fast_disk()


@fault("compact", ETCD_FAULTS)
def compact(lab, _):
    """Everything but the newest revision goes: a watch that lags behind must notice. Each member stands still in turn."""
    compact_all(lab)
    for member in lab.members:
        lab.etcdctl_says("defrag", through=[member])
    yield []


@fault("lose-disk", ETCD_FAULTS)
def lose_disk(lab, dice):
    member = dice.choice(lab.members)
    member.lose_disk()
    yield [member]
    member.rejoin()


@fault("lose-quorum", ETCD_FAULTS)
def lose_quorum(lab, dice):
    """Two of three: every node must stop until they are back, and nothing is lost."""
    members = dice.sample(lab.members, 2)
    for member in members:
        member.kill()
    yield members
    for member in members:
        member.restart()


@fault("cut-node-and-compact", NODE_FAULTS)
def cut_node_and_compact(lab, dice):
    """The node comes back to a store that no longer has what it missed."""
    node = dice.choice(lab.nodes)
    lab.cut([node], lab.members)
    yield [node]
    compact_all(lab)
    node.join_again()
    join_again(lab.members)


FAULTS = NODE_FAULTS | ETCD_FAULTS


def compact_all(lab):
    revisions = [row["header"]["revision"] for row in lab.etcd_status().values()]
    if revisions:
        lab.etcdctl_says("compact", max(revisions))


def join_again(hosts):
    for host in hosts:
        host.join_again()


def schedule(seed, secs, only=None, members=True):
    """(when, names, how long): the seed alone decides. Faults of a node and of etcd are sometimes at the same time."""
    dice = random.Random(f"{seed}-faults")
    tables = [NODE_FAULTS, ETCD_FAULTS] if members else [{name: NODE_FAULTS[name] for name in ONE_NODE_FAULTS}]
    # Each kind once before any kind twice.
    bags = [[] for _ in tables]
    plan, at = [], 5.0
    while True:
        lasts = dice.uniform(2, 2.5 * LEASE_SECS)
        if at + lasts > secs:
            return plan
        chosen = list(range(len(tables))) if dice.random() < 0.25 else [dice.randrange(len(tables))]
        names = []
        for index in chosen:
            if not bags[index]:
                bags[index] = dice.sample(sorted(tables[index]), len(tables[index]))
            names.append(bags[index].pop())
        plan.append((at, [only] if only else names, lasts))
        at += lasts + dice.uniform(3, 8)


# What there is to break without etcd.
ONE_NODE_FAULTS = ("kill-node", "stop-node", "lose-answers", "jump-clock", "fill-disk")
