"""Clients of the control socket that do not read, ask for half, come in crowds, or die."""

import contextlib
import signal
import socket
import struct
import subprocess
import time

import pair
from .bench import FLUSH_EXTERNAL, REQUEST, RUNTIME, SOON_S
from pair import Failure

FLOWS = 50_000
CROWD = 100
# An operator who waits longer would not know what to do. Clients that do nothing are given up after 10 s or a minute.
OPERATOR_S = 8


def client(nodes, node, code=None, buffer=None):
    """A connection, with a request on it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SOON_S)
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect(str(nodes.directory / node / "control"))
    if code is not None:
        connection.sendall(struct.pack("=i", code))
    return connection


def answer(connection):
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def descriptors(nodes, node):
    return len(list(pair.Path(f"/proc/{nodes.running[node].pid}/fd").iterdir()))


def clients_that_do_not_read(nodes, check):
    """Dumps of 50,000 flows are asked for and not read, while events come and the peer is served."""
    nodes.begin()
    nodes.make(range(FLOWS))
    check("first both are alike", nodes.alike, spoil=nodes.part)
    before, open_before = [nodes.resident_kib("a")], descriptors(nodes, "a")
    deaf = [client(nodes, "a", pair.INTERNAL) for _ in range(40)]
    time.sleep(0.3)
    nodes.make(range(100_000, 101_000))
    nodes.conntrack("a", "-D", "-s", "10.10.0.0/24")
    check("clients that do not read: the peer is served", nodes.alike, spoil=nodes.part)
    grown = lambda: nodes.resident_kib("a") - before[0]
    check(
        "clients that do not read: memory is bounded",
        # 256 KiB for each, and some.
        lambda: grown() < 40 * 400 or f"{grown()} KiB more",
        0,
        spoil=lambda: before.insert(0, -40 * 400),
    )
    check(
        "clients that do not read: no processor is burnt", lambda: nodes.rests("a"), spoil=lambda: nodes.strain("a")
    )
    slow = client(nodes, "a", pair.INTERNAL, 4096)
    text = answer(slow)
    lines = text.count(b"\n")
    check(
        "a client that reads meanwhile gets all",
        lambda: lines == nodes.kernel_count("a") or lines,
        0,
        spoil=lambda: nodes.make([9_000_000]),
    )
    for connection in deaf:
        connection.close()
    slow.close()
    check(
        "clients that hang up are forgotten",
        lambda: descriptors(nodes, "a") <= open_before or descriptors(nodes, "a"),
        spoil=lambda: deaf.extend(client(nodes, "a") for _ in range(9)),
    )


def half_requests_and_crowds(nodes, check):
    """Nothing, half of a request, a request in pieces, requests that are unknown; a hundred clients at once."""
    nodes.begin()
    nodes.make(range(1000))
    failed = nodes.number("a", RUNTIME, "local read failed")
    for bytes in (b"", b"\x15", b"\x15\0\0"):
        with client(nodes, "a") as connection:
            connection.sendall(bytes)
    check(
        "half requests are counted",
        lambda: nodes.number("a", RUNTIME, "local read failed") == failed + 3,
        spoil=lambda: client(nodes, "a").close(),
    )
    with client(nodes, "a") as connection:
        for byte in struct.pack("=i", pair.STATISTICS):
            connection.sendall(struct.pack("B", byte))
            time.sleep(0.02)
        pieces = [answer(connection)]
    check("a request in pieces is answered", lambda: b"cache internal" in b"".join(pieces), 0, spoil=pieces.clear)
    texts = []
    for code in (-1, 1 << 30, 99, 27):
        with client(nodes, "a", code) as connection:
            texts.append(answer(connection))
    check("unknown requests have an empty answer", lambda: texts == [b""] * 4 or texts, 0, spoil=texts.clear)
    silent = [client(nodes, "a") for _ in range(30)]
    crowd = [client(nodes, "a", pair.INTERNAL) for _ in range(CROWD)]
    start = time.monotonic()
    complete = []
    for connection in crowd:
        with connection, contextlib.suppress(OSError):
            complete.append(answer(connection).count(b"\n") == 1000)
    waited = [time.monotonic() - start]
    check(
        "a hundred clients at once are all answered", lambda: sum(complete) == CROWD or complete, 0, spoil=complete.pop
    )
    check("a hundred clients at once: soon", lambda: sum(waited) < 5 or waited, 0, spoil=lambda: waited.append(5))
    for connection in silent:
        connection.close()
    check("crowds leave the nodes alike", nodes.alike, spoil=nodes.part)


def crowds_that_stay(nodes, check):
    """More clients than there are places, who never ask or never read: an operator is answered all the same."""
    nodes.begin()
    nodes.make(range(20_000))
    check("first both are alike", nodes.alike, spoil=nodes.part)
    for kind, code in (("never ask", None), ("never read", pair.INTERNAL)):
        crowd = [client(nodes, "a", code, 1) for _ in range(CROWD)]
        texts = []
        with contextlib.suppress(Failure):
            texts.append(nodes.ask("a", pair.STATISTICS, OPERATOR_S))
        check(
            f"a hundred clients that {kind} and stay: an operator is answered",
            lambda: "cache internal" in "".join(texts),
            0,
            spoil=texts.clear,
        )
        for connection in crowd:
            connection.close()
    check("crowds that stay leave the nodes alike", nodes.alike, spoil=nodes.part)


def client_that_does_not_read_the_kernel(nodes, check):
    """Without internal cache a list comes from the kernel: a client that does not read it delays nobody for long."""
    nodes.begin(mode="NOTRACK", a={"settings": "DisableInternalCache on"})
    nodes.make(range(FLOWS))
    check("no internal cache: the flows of a reach b", nodes.alike_outside, spoil=nodes.part)
    deaf = [client(nodes, "a", pair.INTERNAL, 1) for _ in range(20)]
    time.sleep(0.3)
    nodes.ask("b", FLUSH_EXTERNAL)
    start = time.monotonic()
    nodes.ask("b", REQUEST)
    check(
        "no internal cache, clients that do not read: the peer gets all it asks for",
        nodes.alike_outside,
        spoil=lambda: nodes.cut() or nodes.make([60_000_000]),
    )
    waited = [time.monotonic() - start]
    check(
        # They are given up after a minute if nobody waits for them.
        "no internal cache, clients that do not read: soon",
        lambda: sum(waited) < OPERATOR_S or waited,
        0,
        spoil=lambda: waited.append(OPERATOR_S),
    )
    for connection in deaf:
        connection.close()


def killed_committer(nodes, check):
    """The client of a commit dies; the commit goes on to its end, and the next one is not refused."""
    nodes.begin()
    nodes.make(range(FLOWS))
    check("first both are alike", nodes.alike, spoil=nodes.part)
    words = pair.inside("b", [nodes.daemons["b"], "-C", str(nodes.directory / "b" / "conf"), "-c"])
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=pair.ENVIRONMENT)
    pair.wait_until(lambda: "committing" in nodes.log("b"), SOON_S, 0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    check(
        "a killed client: its commit comes to its end",
        lambda: f"Committed {FLOWS} new entries" in nodes.log("b") or nodes.log("b"),
        spoil=lambda: nodes.kill("b"),
    )
    check(
        "a killed client: all is in the kernel's table",
        lambda: nodes.kernel("b") == nodes.kernel("a"),
        spoil=lambda: nodes.conntrack("b", "-D", "-s", "10.10.0.1"),
    )
    nodes.command("b", "-f", "external")
    check(
        "a killed client: a flush is not refused afterwards",
        lambda: nodes.count("b", "external") == 0,
        spoil=lambda: nodes.make([8_000_000]),
    )


SCENARIOS = [
    clients_that_do_not_read,
    half_requests_and_crowds,
    crowds_that_stay,
    client_that_does_not_read_the_kernel,
    killed_committer,
]
