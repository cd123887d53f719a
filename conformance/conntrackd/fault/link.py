"""What comes over a link of datagrams: garbage, lies, peers of another mode or version."""

import random
import re
import threading
import time
from pathlib import Path

import pair
from .bench import (
    ACK,
    ALIVE,
    FLUSH_EXTERNAL,
    HELLO,
    HELLO_BACK,
    NACK,
    REQUEST,
    RESYNC,
    Traffic,
    control,
    flow_body,
    message,
    socket_in,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "sync"
SEED = 20_261_122
FLOOD_S = 2.5
# What a daemon may take more for caches, queues and the flows that strangers have made up.
GROWTH_KIB = 48 * 1024
KINDS = re.compile(r"refused (?:a message|\d+ messages) of the other node")


class Flood:
    """Datagrams to a node at full rate, from the namespace of the other one."""

    def __init__(self, node, datagrams):
        self.socket = socket_in(pair.OTHER[node])
        self.socket.connect((pair.ADDRESS[node], pair.PORT))
        self.datagrams, self.sent = datagrams, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        send = self.socket.send
        while not self.ended.is_set():
            for datagram in self.datagrams:
                try:
                    send(datagram)
                except OSError:
                    continue
            self.sent += len(self.datagrams)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.socket.close()


def vectors(word):
    return [bytes.fromhex(path.read_text()) for path in sorted(VECTORS.glob(f"{word}*.hex"))]


def garbage(random):
    """Nothing in it is a message: each is too short, too long, or random."""
    datagrams = [b"", b"\x1a", bytes(7), bytes(8), bytes(1400)]
    datagrams += [random.randbytes(random.randrange(1, 1400)) for _ in range(300)]
    # Random bytes may be an order. Version 0 makes sure that they are none.
    return [b"\x0a" + datagram[1:] for datagram in datagrams]


def lies(random):
    """Orders that no peer gave: greetings, acknowledgements, demands, with any number."""
    datagrams = []
    for _ in range(200):
        number, other = random.getrandbits(32), random.getrandbits(32)
        flags = random.choice((ACK, NACK, RESYNC))
        greeting = random.choice((0, HELLO, HELLO_BACK, HELLO | HELLO_BACK))
        datagrams.append(control(number, flags | greeting, number, other))
        datagrams.append(control(number, flags, 0, 0xFFFFFFFF))
        datagrams.append(control(number, ALIVE | greeting))
        datagrams.append(
            control(int(time.time()) + random.randrange(100_000), random.choice((ACK, NACK)), number, other)
        )
    return datagrams


def hostile(random):
    """All crafted messages, flipped bits of right ones, cut ones, made up flows; and garbage, and lies."""
    right = vectors("ftfw-udp-") + vectors("notrack-udp-")
    datagrams = vectors("crafted-")
    for datagram in right:
        damaged = bytearray(datagram)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        datagrams.append(bytes(damaged))
        datagrams.append(datagram[: random.randrange(len(datagram))])
    datagrams += [message("new", random.getrandbits(32), 0, flow_body(number)) for number in range(1000)]
    datagrams += garbage(random) + lies(random)
    random.shuffle(datagrams)
    return datagrams


def garbage_and_lies(nodes, check):
    """Both nodes are flooded while flows are replicated; what makes up flows goes to a alone."""
    chance = random.Random(SEED)
    nodes.begin()
    nodes.make(range(5_000))
    before = {node: nodes.resident_kib(node) for node in pair.NODES}
    with Flood("a", garbage(chance)), Flood("b", garbage(chance)), Traffic(nodes, first=10_000):
        time.sleep(FLOOD_S / 2)
    check(
        "garbage at full rate: a's internal cache and b's external one are a's kernel's table afterwards",
        nodes.alike, spoil=nodes.part, why=lambda: nodes.ask("b", pair.NETWORK) + nodes.log("b")[-600:],
    )  # fmt: skip
    refused = {node: nodes.refused(node) for node in pair.NODES}
    to = {"a": hostile(chance), "b": garbage(chance) + lies(chance)}
    start = time.monotonic()
    with Flood("a", to["a"]) as to_a, Flood("b", to["b"]) as to_b:
        with Traffic(nodes, first=1_000_000):
            time.sleep(FLOOD_S / 2)
            # The rate is what the system carries; less would be no flood.
            rates = [flood.sent / (time.monotonic() - start) for flood in (to_a, to_b)]
            check(
                "hostile datagrams: more than 2,000 each second reach either node",
                lambda: min(rates) > 2_000 or rates,
                0,
                spoil=lambda: rates.append(0),
            )
            check(
                "hostile datagrams: a client is answered within a second meanwhile",
                lambda: nodes.answers("a"),
                spoil=lambda: nodes.halt("a"),
            )
            time.sleep(FLOOD_S / 2)
    for node in pair.NODES:
        check(
            f"hostile datagrams: the daemon of {node} runs on",
            lambda: nodes.is_alive(node),
            spoil=lambda: nodes.kill(node),
        )
        check(
            f"hostile datagrams: they are counted on {node}",
            lambda: nodes.refused(node) > refused[node] + 1000,
            spoil=lambda: refused.update({node: nodes.refused(node)}),
        )
        grown = nodes.resident_kib(node) - before[node]
        check(
            f"hostile datagrams: the memory of {node} is bounded",
            lambda: nodes.resident_kib(node) < before[node] + GROWTH_KIB or f"{grown} KiB more",
            spoil=lambda: before.update({node: -GROWTH_KIB}),
        )
    check(
        "hostile datagrams: a's internal cache is its kernel's table afterwards",
        lambda: nodes.cache("a", pair.INTERNAL) == nodes.kernel("a"),
        spoil=lambda: nodes.halt("a"),
    )
    # A liar can acknowledge to a what b has not got.
    nodes.ask("b", FLUSH_EXTERNAL)
    nodes.ask("b", REQUEST)
    check(
        "hostile datagrams: b's external cache is that too with -f external, then -n",
        nodes.alike, spoil=nodes.part, why=lambda: nodes.ask("b", pair.NETWORK) + nodes.log("b")[-600:],
    )  # fmt: skip
    for node in pair.NODES:
        check(
            f"hostile datagrams: the daemon of {node} rests afterwards",
            lambda: nodes.rests(node),
            spoil=lambda: nodes.strain(node),
        )
        check(
            f"hostile datagrams: the log of {node} says so, a line for each kind",
            lambda: 1 <= len(KINDS.findall(nodes.log(node))) <= 12 or nodes.log(node),
            0,
            spoil=lambda: nodes.erase_log(node),
        )
        check(
            f"hostile datagrams: the log of {node} stays short",
            lambda: len(nodes.log(node).splitlines()) < 60 or nodes.log(node),
            0,
            spoil=lambda: [nodes.ask(node, FLUSH_EXTERNAL) for _ in range(60)],
        )
    check(
        "hostile datagrams: an interval later the log says how many more there were",
        lambda: all("more of these: malformed headers" in nodes.log(node) for node in pair.NODES),
        spoil=lambda: nodes.kill("b"),
    )
    # The peer that b believed may have been a liar; from now on it hears its own alone.
    nodes.ask("a", FLUSH_EXTERNAL)
    nodes.ask("a", REQUEST)
    nodes.make(range(100), "b", to="172.29.0.1")
    check(
        "hostile datagrams: made up flows go with -f external, then -n",
        lambda: nodes.alike("b", "a"),
        spoil=lambda: nodes.part("b"),
    )


def other_modes(nodes, check):
    """Peers of different modes, as far as these understand each other: docs/sync-protocol.md, section 3."""
    for first, second in (("FTFW", "NOTRACK"), ("NOTRACK", "ALARM"), ("FTFW", "ALARM")):
        name = f"{first} with {second}"
        nodes.reset()
        # A node of ALARM mode takes nothing of one that greets for ever.
        deaf = (first, second) == ("FTFW", "ALARM")
        nodes.begin(a={"mode": first}, b={"mode": second}, heard=("b",) if deaf else pair.NODES)
        nodes.make(range(2000))
        nodes.make(range(10_000, 12_000), "b")
        if deaf:
            time.sleep(1)
            check(
                f"{name}: the greeting node's flows are passed over",
                lambda: nodes.count("b", "external") == 0,
                0,
                spoil=lambda: forge(nodes, "b"),
            )
        else:
            check(f"{name}: the flows of a reach b", nodes.alike, spoil=nodes.part)
        check(f"{name}: the flows of b reach a", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b"))
        if second == "NOTRACK":
            check(
                f"{name}: acknowledgements are malformed headers",
                lambda: nodes.number("b", pair.NETWORK, "Malformed header") > 0,
                spoil=lambda: nodes.kill("b"),
            )
        for node in pair.NODES:
            check(
                f"{name}: {node} rests",
                lambda: nodes.rests(node),
                spoil=lambda: nodes.strain(node),
            )


def forge(nodes, node):
    """A flow that no node has."""
    # In FTFW mode a greeting makes the receiver take any number.
    with Flood(node, [message("new", 1, flags, flow_body(1)) for flags in (0, HELLO)]):
        time.sleep(0.2)


def other_version(nodes, check):
    """A peer of a version that is not known: counted, said once, and nothing is taken of it."""
    nodes.begin()
    nodes.make(range(500))
    strange = [message("new", number, 0, flow_body(number), version=2) for number in range(200)]
    with Flood("b", strange):
        time.sleep(0.5)
    check(
        "another version: its messages are counted",
        lambda: nodes.number("b", pair.NETWORK, "Wrong protocol version") >= 200,
        spoil=lambda: nodes.kill("b"),
    )
    check(
        "another version: that is said once",
        lambda: nodes.log("b").count("protocol version 2") == 1 or nodes.log("b"),
        0,
        spoil=lambda: nodes.erase_log("b"),
    )
    check("another version: nothing is taken of it", nodes.alike, spoil=lambda: forge(nodes, "b"))


SCENARIOS = [garbage_and_lies, other_modes, other_version]
