"""How long a cluster takes for what makes it one. Clients and nodes share this machine: numbers to compare, not to quote."""

import base64
import collections
import random
import shutil
import statistics
import threading
import time

import load
from lab import LEASE_SECS, Lab, node_config, run, until

POINTS = 40
CLIENTS = 64
CPU_CALLS = 20000
IDLE_SECS = 10
# Of the event of a CreateKey.
EVENT_BYTES = 900


def all(binary, nodes, with_etcd):
    members = 3 if with_etcd else 0
    # Without the library that changes clocks, and with the log as it is by default.
    with Lab(binary, nodes, members, clocks=False, durability="bounded") as lab:
        lab.start_nodes()
        world = load.World(lab, load.History("/dev/null"), seed=1)
        world.setup()
        caller = load.Caller(world, "measure")
        barrier(lab, world, caller)
        if nodes > 1:
            lag(lab, world, caller)
        creations(lab)
        if with_etcd:
            commits(lab)
        cpu(lab, world)
        if with_etcd:
            leader_change(lab, world)
        if with_etcd and nodes > 1:
            barrier_with_one_cut_off(lab, world, caller)
    return True


def show(what, value):
    print(f"{what:<66} {value}", flush=True)


def milliseconds(secs):
    ordered = sorted(secs)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms"


def timed(caller, action, node, **params):
    call = caller.call(action, node, **params)
    if call["outcome"] == load.UNKNOWN and not call["code"]:
        # The node has closed a connection that was idle for long.
        call = caller.call(action, node, **params)
    if call["outcome"] != load.OK:
        raise RuntimeError(f"{action} while everything is well: {call}")
    return call["end"] - call["start"]


def barrier(lab, world, caller):
    times = {"DisableKey": [], "EnableKey": []}
    key = world.keys[0].id
    for number in range(5 * POINTS):
        for action, secs in times.items():
            secs.append(timed(caller, action, lab.nodes[number % len(lab.nodes)], KeyId=key))
    for action, secs in times.items():
        show(f"{action}, all nodes alive", milliseconds(secs))


def barrier_with_one_cut_off(lab, world, caller):
    """The first call waits for the lease of the lost node to run out; those after it for nobody."""
    key, lost = world.keys[0].id, lab.nodes[-1]
    lab.cut([lost], lab.members)
    first = timed(caller, "DisableKey", lab.nodes[0], KeyId=key)
    show(f"DisableKey, right after a node was cut off (lease {LEASE_SECS} s)", f"{first:.2f} s")
    later = []
    for _ in range(POINTS):
        timed(caller, "EnableKey", lab.nodes[0], KeyId=key)
        later.append(timed(caller, "DisableKey", lab.nodes[0], KeyId=key))
    show("DisableKey, from then on", milliseconds(later))
    lab.heal()
    show("the node is ready again after", f"{lab.wait_ready():.2f} s")
    timed(caller, "EnableKey", lab.nodes[0], KeyId=key)


def lag(lab, world, caller):
    """From the answer at one node to a description that another one shows, by asking again and again."""
    key, times, asked = world.keys[0].id, [], 0
    for number in range(2 * POINTS):
        here, there = lab.nodes[number % len(lab.nodes)], lab.nodes[(number + 1) % len(lab.nodes)]
        text = f"setup/{number}"
        timed(caller, "DescribeKey", there, KeyId=key)
        timed(caller, "UpdateKeyDescription", here, KeyId=key, Description=text)
        began = time.monotonic()
        while True:
            asked += 1
            call = caller.call("DescribeKey", there, KeyId=key)
            if call["got"].get("Description") == text:
                break
        times.append(time.monotonic() - began)
    show("a change is shown by another node after (one read at least)", f"{milliseconds(times)}, {asked / len(times):.2f} reads")


def creations(lab):
    """Signed before, so that only sending and answering is timed."""
    wires = [load.Wire(lab) for _ in range(CLIENTS)]
    each = 8
    requests = [
        [wire.signed(lab.nodes[(number + call) % len(lab.nodes)], "CreateKey", {}, lab.root) for call in range(each)]
        for number, wire in enumerate(wires)
    ]
    outcomes = collections.Counter()
    start = threading.Barrier(CLIENTS + 1)

    def work(number):
        wire = wires[number]
        for node in lab.nodes:
            wire.send(node, *wire.signed(node, "DescribeRegions", {}, lab.root))
        start.wait()
        for call, request in enumerate(requests[number]):
            outcomes[wire.send(lab.nodes[(number + call) % len(lab.nodes)], *request)[0]] += 1

    threads = [threading.Thread(target=work, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    secs = time.monotonic() - began
    failed = "" if set(outcomes) == {load.OK} else f" ({outcomes})"
    show(f"CreateKey at {CLIENTS} clients", f"{outcomes[load.OK] / secs:.0f} a second{failed}")


def commits(lab):
    """What etcd itself can take: commits as CreateKey makes them, from one process that does nothing else."""
    program = lab.binary.with_name("commit-limit")
    if not program.exists():
        raise RuntimeError(f"{program} is missing: cargo build --release -p jomae-bench")
    node = lab.nodes[0]
    data, config = node.directory / "bench", node.directory / "bench.toml"
    data.mkdir(mode=0o700)
    shutil.copy(node.data / "root.key", data / "root.key")
    text = node_config(node).replace(f'node = "{node.name}"', 'node = "bench"')
    config.write_text(text.replace(f'listen = "{node.address}:8445"\n', ""))
    size = ["--committers", CLIENTS, "--event-bytes", EVENT_BYTES]
    said = run(*node.inside(program, "--data-dir", data, "--config", config, *size))
    figures = dict(pair.split("=") for pair in said.split())
    show(f"commits of that size straight to etcd, {CLIENTS} at a time", f"{figures['requests_per_sec']} a second")
    time.sleep(2 * LEASE_SECS)


def cpu(lab, world):
    time.sleep(1)
    before, began = sum(node.cpu_secs() for node in lab.nodes), time.monotonic()
    time.sleep(IDLE_SECS)
    idle = (sum(node.cpu_secs() for node in lab.nodes) - before) / (time.monotonic() - began)
    show("processor time of all nodes without any call", f"{idle * 1000:.1f} ms a second")
    for count in range(1, len(lab.nodes) + 1):
        nodes = lab.nodes[:count]
        wire = load.Wire(lab)
        plain = base64.b64encode(random.randbytes(32)).decode()
        params = {"KeyId": world.steady, "Plaintext": plain}
        targets = [nodes[number % count] for number in range(CPU_CALLS)]
        requests = [(node, *wire.signed(node, "Encrypt", params, lab.root)) for node in targets]
        before, began = sum(node.cpu_secs() for node in lab.nodes), time.monotonic()
        for request in requests:
            if wire.send(*request)[0] != load.OK:
                raise RuntimeError("Encrypt while everything is well")
        used, secs = sum(node.cpu_secs() for node in lab.nodes) - before, time.monotonic() - began
        cost = (used - idle * secs) / CPU_CALLS * 1e6
        costs = f"{cost:.0f} µs of processor time beyond that, {CPU_CALLS / secs:.0f} a second"
        show(f"Encrypt at {count} of {len(lab.nodes)} nodes, one client", costs)


def leader_change(lab, world):
    probers = [load.Prober(world, node, every=0.005) for node in lab.nodes]
    world.history.calls.clear()
    for prober in probers:
        prober.start()
    time.sleep(2)
    leader = lab.leader()
    killed = time.monotonic()
    leader.kill()
    until(lambda: lab.leader() is not leader, "etcd has a new leader")
    elected = time.monotonic()
    time.sleep(LEASE_SECS + 3)
    world.stop.set()
    for prober in probers:
        prober.join()
    leader.restart()
    lab.wait_ready()
    for node in lab.nodes:
        calls = [call for call in world.history.calls if call["node"] == node.name and call["outcome"] == load.OK]
        ends = sorted(call["end"] for call in calls)
        pause = max((after - before for before, after in zip(ends, ends[1:])), default=float("inf"))
        show(f"longest pause of Encrypt at {node.name}, etcd's leader killed", f"{pause:.3f} s (a new leader after {elected - killed:.1f} s)")
