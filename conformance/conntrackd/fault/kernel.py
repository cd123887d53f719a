"""Caches without room, and a kernel that refuses what it is asked for."""

import re
import signal
import time

import pair
from .bench import (
    FLUSH_EXTERNAL,
    RESEND_QUEUE,
    RUNTIME,
    SOON_S,
    Traffic,
    create,
    flow_body,
    message,
    open_in,
    socket_in,
)
from pair import Failure

LIMIT = 1000
# To reach a larger limit of the kernel's takes too long.
KERNEL_LIMIT_AT_MOST = 300_000
# Places that are left when flows are committed into a kernel that is nearly full.
ROOM = 300
LIMIT_TRIES = 3


def committed(log):
    """What the last commit said: how many it made, and how many it could not."""
    done = re.findall(r"Committed (\d+) new entries", log)
    failed = re.findall(r"(\d+) entries can't be committed", log.rsplit("Committed", 1)[-1])
    return (int(done[-1]) if done else None), (int(failed[-1]) if failed else 0)


def clash(nodes):
    """Flows of b whose answers are those of the first 100 of a: the kernel has room for one of two."""
    lines = [
        f"-I -p udp -s 10.66.0.{number} -d 172.16.0.1 --sport 1 --dport 9 -r 172.16.0.1 -q 10.10.0.{number}"
        " --reply-port-src 9 --reply-port-dst 1 -t 3600\n"
        for number in range(1, 101)
    ]
    nodes.conntrack("b", "-R", "-", input="".join(lines))


def full_external_cache(nodes, check):
    """The peer has more flows than the cache may hold."""
    nodes.begin(b={"general": f"HashLimit {LIMIT}"})
    nodes.make(range(3 * LIMIT))
    check(
        "a full external cache holds what it may",
        lambda: nodes.count("b", "external") == LIMIT,
        spoil=lambda: nodes.ask("b", FLUSH_EXTERNAL),
    )
    failed = lambda: int(
        re.search(r"cache external:.*?failed:\s+(\d+)", nodes.ask("b", pair.STATISTICS), re.DOTALL).group(1)
    )
    check(
        "a full external cache: what finds no room is counted",
        lambda: failed() == 2 * LIMIT or f"{failed()}",
        spoil=lambda: nodes.make([900_000]),
    )
    check(
        "a full external cache: that is said once",
        lambda: nodes.log("b").count("is full") == 1 or nodes.log("b"),
        spoil=lambda: nodes.erase_log("b"),
    )
    nodes.make(range(500), "b", to="172.27.0.1")
    check(
        "a full external cache: the own flows are taken", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b")
    )
    nodes.conntrack("a", "-F")
    nodes.conntrack("a", "-R", "-", input="".join(map(create, range(LIMIT // 2))))
    check("room again: ended flows have gone and new ones are taken", nodes.alike, spoil=nodes.part)


def full_internal_cache(nodes, check):
    """The kernel has more flows than the cache may hold. When there is room, -R and -B bring the rest."""
    nodes.begin(a={"general": f"HashLimit {LIMIT}"})
    nodes.make(range(LIMIT), to="172.16.0.1")
    nodes.make(range(10_000, 10_000 + LIMIT), to="172.16.0.2")
    check(
        "a full internal cache holds what it may",
        lambda: LIMIT - 1 <= nodes.count("a", "internal") <= LIMIT or nodes.count("a", "internal"),
        spoil=lambda: nodes.conntrack("a", "-F"),
    )
    check(
        "a full internal cache: that is said once",
        lambda: nodes.log("a").count("is full") == 1 or nodes.log("a"),
        spoil=lambda: nodes.erase_log("a"),
    )
    nodes.conntrack("a", "-D", "-d", "172.16.0.1")
    check(
        "room again: ended flows have gone on both nodes",
        lambda: nodes.count("a", "internal") == nodes.count("b", "external") < LIMIT,
        spoil=nodes.part,
    )

    # Ended flows take room until the peer has acknowledged their end.
    unacknowledged = lambda: int(re.search(r"len=(\d+)", nodes.ask("a", RESEND_QUEUE)).group(1))
    check(
        "room again: the peer acknowledges the ends", lambda: unacknowledged() < 5 or unacknowledged(), spoil=nodes.part
    )
    nodes.command("a", "-R")
    pair.wait_until(lambda: nodes.count("a", "internal") == LIMIT, 5)
    nodes.command("a", "-B")
    check("room again: -R, then -B brings the rest", nodes.alike, spoil=nodes.part)


def refused_entries(nodes, check):
    """Entries that clash with others of the kernel, and one with a helper that there is not."""
    nodes.begin()
    nodes.make(range(2000))
    check("first both are alike", nodes.alike, spoil=nodes.part)
    clash(nodes)
    nodes.command("b", "-c", "ct")
    check(
        "a kernel that refuses entries: they are counted",
        lambda: committed(nodes.log("b")) == (1900, 100) or nodes.log("b")[-900:],
        spoil=lambda: (
            nodes.command("b", "-c", "ct") if nodes.conntrack("b", "-F") is None else nodes.command("b", "-c")
        ),
    )
    check(
        "a kernel that refuses entries: one is shown",
        lambda: 1 <= nodes.log("b").count("commit-create: File exists") <= 2 or nodes.log("b")[-900:],
        0,
        spoil=lambda: nodes.erase_log("b"),
    )
    want = {key: mark for key, mark in nodes.kernel("a").items() if not re.fullmatch(r"10\.10\.0\.(\d\d?|100)", key[1])}
    check(
        "a kernel that refuses entries: the others are in its table",
        lambda: {key: mark for key, mark in nodes.kernel("b").items() if key[1].startswith("10.10.")} == want,
        spoil=lambda: nodes.conntrack("b", "-D", "-s", "10.10.1.1"),
    )
    check("a kernel that refuses entries: the caches are as before", nodes.alike, spoil=nodes.part)


def odd_entries(nodes, check):
    """What the peer says is strange: helpers that there are not, timeouts without sense."""
    nodes.begin(heard="a")
    attacker = socket_in("a")
    address = (pair.ADDRESS["b"], pair.PORT)
    nodes.make(range(100))
    check("first both are alike", nodes.alike, spoil=nodes.part)
    # A greeting makes the receiver take any number.
    for number, (timeout, helper) in enumerate(
        [(600, "nohelper"), (0xFFFFFFFF, None), (0x80000000, None), (0, None), (1, None), (600, "ftp")]
    ):
        attacker.sendto(message("new", number, 0x20, flow_body(number, timeout, helper)), address)
    check(
        "odd entries are taken",
        lambda: nodes.count("b", "external") == 106,
        spoil=lambda: nodes.ask("b", FLUSH_EXTERNAL),
    )
    # That of one second may be over.
    nodes.command("b", "-c")
    counts = [*committed(nodes.log("b"))]
    check(
        "odd entries: the commit comes to its end and counts each",
        lambda: counts[:1] != [None] and sum(counts) == 106 or nodes.log("b")[-900:],
        0,
        spoil=counts.clear,
    )
    check(
        "odd entries: a helper that there is not is said",
        lambda: "without their helper" in nodes.log("b") or nodes.log("b"),
        0,
        spoil=lambda: nodes.erase_log("b"),
    )
    check(
        "odd entries: the right ones are in the kernel's table",
        lambda: nodes.kernel("a").items() <= nodes.kernel("b").items(),
        spoil=lambda: nodes.conntrack("b", "-F"),
    )


def limit_of(node):
    """What the kernel holds at most. Where it is one for the whole machine, another process may change it."""
    with open_in(node, "/proc/sys/net/netfilter/nf_conntrack_max", "r") as file:
        return int(file.read())


def protected(numbers, to):
    """Flows that do not make way for others: the kernel drops some that are not assured when it is nearly full."""
    return [create(number, to).rstrip() + " -u SEEN_REPLY,ASSURED\n" for number in numbers]


def commit_into_full_kernel(nodes, limit):
    """1000 flows of a, and room for a part of them. How many have room."""
    for start in range(0, limit - ROOM, 50_000):
        lines = protected(range(start, min(start + 50_000, limit - ROOM)), "172.20.0.1")
        nodes.conntrack("b", "-R", "-", input="".join(lines))
    nodes.begin(heard="a")
    nodes.conntrack("a", "-R", "-", input="".join(protected(range(1000), "172.16.0.1")))
    if not pair.wait_until(lambda: nodes.count("b", "external") == 1000, SOON_S):
        raise Failure(f"b has {nodes.count('b', 'external')} of 1000 flows")
    room = limit - nodes.kernel_count("b")
    nodes.command("b", "-c", "ct")
    return room


def full_kernel(nodes, check):
    """`nf_conntrack_max` is reached. The limit is the machine's and not changed here."""
    for _ in range(LIMIT_TRIES):
        nodes.reset()
        limit = limit_of("b")
        if limit > KERNEL_LIMIT_AT_MOST:
            check.skip("a full kernel", f"nf_conntrack_max is {limit}, more than {KERNEL_LIMIT_AT_MOST}")
            return
        try:
            room = commit_into_full_kernel(nodes, limit)
        except Failure:
            if limit_of("b") == limit:
                raise
        if limit_of("b") == limit:
            break
    else:
        check.skip("a full kernel", f"another process changed nf_conntrack_max during {LIMIT_TRIES} tries")
        return
    check(
        "a full kernel: what it refuses is counted",
        lambda: committed(nodes.log("b")) == (room, 1000 - room) and room < 1000 or nodes.log("b")[-600:],
        0,
        spoil=lambda: nodes.erase_log("b"),
    )
    check(
        "a full kernel: one refusal is shown",
        lambda: 1 <= nodes.log("b").count("commit-create: Cannot allocate memory") <= 2 or nodes.log("b")[-600:],
        0,
        spoil=lambda: nodes.erase_log("b"),
    )
    check(
        "a full kernel: the flows that were there are unharmed",
        lambda: nodes.kernel_count("b") == limit or nodes.kernel_count("b"),
        0,
        spoil=lambda: nodes.conntrack("b", "-D", "-s", "10.10.0.1"),
    )
    nodes.conntrack("b", "-F")
    nodes.command("b", "-c", "ct")
    check(
        "room again: a second commit brings all",
        lambda: nodes.kernel("a").items() <= nodes.kernel("b").items() and committed(nodes.log("b")) == (1000, 0),
        0,
        spoil=lambda: nodes.erase_log("b"),
    )


def refused_injections(nodes, check):
    """Without external cache the kernel is asked for each flow at once."""
    nodes.begin(b={"settings": "DisableExternalCache on"}, heard="a")
    clash(nodes)
    nodes.make(range(2000))
    got = lambda: [key for key in nodes.kernel("b") if key[1].startswith("10.10.")]
    check(
        "refused injections: the others are in the kernel's table",
        lambda: len(got()) == 1900 or len(got()),
        spoil=lambda: nodes.conntrack("b", "-D", "-s", "10.10.1.1"),
    )
    failed = lambda: int(
        re.search(r"external inject.*?failed:\s+(\d+)", nodes.ask("b", pair.STATISTICS), re.DOTALL).group(1)
    )
    check(
        "refused injections are counted",
        lambda: failed() == 100 or nodes.ask("b", pair.STATISTICS),
        spoil=lambda: nodes.kill("b"),
    )
    check(
        "refused injections: one is shown",
        lambda: 1 <= nodes.log("b").count("could not add new ct entry") <= 2 or nodes.log("b")[-900:],
        spoil=lambda: nodes.erase_log("b"),
    )
    nodes.conntrack("a", "-F")
    check(
        "refused injections: flows of others stay when those of the peer end",
        lambda: nodes.kernel_count("b") == 100 or nodes.kernel_count("b"),
        spoil=lambda: nodes.conntrack("b", "-F"),
    )


def stopped_daemon(nodes, check):
    """A daemon that does not run for three seconds loses events; a comparison with the kernel's table repairs that."""
    small = "NetlinkBufferSize 262144\nNetlinkBufferSizeMaxGrowth 262144\nNetlinkOverrunResync 1"
    nodes.begin(a={"general": small})
    with Traffic(nodes, portion=3000, pause_s=0.1):
        time.sleep(0.3)
        nodes.signal("a", signal.SIGSTOP)
        time.sleep(3)
        nodes.signal("a", signal.SIGCONT)
        time.sleep(0.3)
    check(
        "a stopped daemon has lost events",
        lambda: nodes.number("a", RUNTIME, "netlink overrun") > 0,
        spoil=lambda: nodes.kill("a"),
    )
    check("a stopped daemon: the nodes become alike", nodes.alike, spoil=nodes.part)
    with Traffic(nodes, first=500_000, portion=2000, pause_s=0.1):
        nodes.signal("b", signal.SIGSTOP)
        time.sleep(3)
        nodes.signal("b", signal.SIGCONT)
    check(
        "a stopped peer: the nodes become alike",
        nodes.alike,
        spoil=nodes.part,
        why=lambda: nodes.ask("a", pair.STATISTICS) + nodes.ask("b", pair.NETWORK),
    )


def commit_under_traffic(nodes, check):
    """A commit whose events do not fit into the buffer at once, while the peer goes on: none of them is lost."""
    nodes.begin(b={"general": "NetlinkBufferSize 262144\nNetlinkBufferSizeMaxGrowth 262144"})
    nodes.make(range(10_000))
    pair.wait_until(lambda: nodes.count("b", "external") == 10_000, SOON_S)
    with Traffic(nodes, first=500_000, portion=600, pause_s=0):
        for _ in range(3):
            nodes.command("b", "-c")
    check(
        "a commit under traffic: it says how many it made",
        lambda: min(int(done) for done in re.findall(r"Committed (\d+) new entries", nodes.log("b"))) >= 10_000,
        spoil=lambda: nodes.erase_log("b"),
    )
    check(
        "a commit under traffic loses no event",
        lambda: nodes.number("b", RUNTIME, "netlink overrun") == 0 or nodes.ask("b", RUNTIME),
        0,
        spoil=lambda: nodes.kill("b"),
    )
    check(
        "a commit under traffic: the internal cache is what the kernel has",
        lambda: nodes.count("b", "internal") == nodes.kernel_count("b") or nodes.ask("b", pair.STATISTICS),
        spoil=lambda: nodes.kill("b"),
    )


SCENARIOS = [
    commit_under_traffic,
    full_external_cache,
    full_internal_cache,
    refused_entries,
    odd_entries,
    refused_injections,
    full_kernel,
    stopped_daemon,
]
