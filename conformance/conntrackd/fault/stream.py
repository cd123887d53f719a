"""A link of streams: garbage, fragments, peers that do not read, die or are slow."""

import random
import socket
import time

import pair
from .bench import ALIVE, FLUSH_EXTERNAL, QUEUES, REQUEST, SOON_S, Traffic, flow_body, message, socket_in, tcp_link

SEED = 20_261_122
# What is said again and again is said once in this time.
INTERVAL_S = 10
TINY = "SndSocketBuffer 2304\n\t\tRcvSocketBuffer 2304"


def connected(node):
    """A connection to a node from the address of its peer."""
    connection = socket_in(pair.OTHER[node], socket.SOCK_STREAM)
    connection.settimeout(SOON_S)
    connection.connect((pair.ADDRESS[node], pair.PORT))
    return connection


def link_is_up(nodes):
    """Both connections of both nodes."""
    return all(
        f"{end}=connected" in nodes.ask(node, pair.NETWORK, 5) for node in pair.NODES for end in ("server", "client")
    )


def break_stream(nodes):
    """Without the peer, which would displace it."""
    nodes.kill("b")
    with connected("a") as connection:
        connection.sendall(message("control", 1, ALIVE, length=3))
        connection.recv(1)


def broken_streams(nodes, check):
    """Garbage displaces the peer's connection; a fragment is left by a peer that is dead."""
    chance = random.Random(SEED)
    nodes.begin(link=tcp_link)
    nodes.make(range(2000))
    refused = nodes.refused("a")
    closed, start = [], time.monotonic()
    with Traffic(nodes, first=10_000):
        for _ in range(20):
            with connected("a") as connection:
                try:
                    # A length that is too small breaks the stream, whatever comes behind it.
                    connection.sendall(message("control", 1, ALIVE, length=3) + chance.randbytes(4000))
                    closed.append(connection.recv(1) == b"")
                except TimeoutError:
                    pass
                except OSError:
                    closed.append(True)
    check("a broken stream is closed", lambda: sum(closed) == 20 or closed, 0, spoil=closed.clear)
    check(
        "broken streams are counted",
        # The peer, which connects again, displaces some of them before they are read.
        lambda: nodes.refused("a") >= refused + 10,
        spoil=lambda: nodes.kill("a"),
    )
    intervals = 1 + int((time.monotonic() - start) / INTERVAL_S)
    check(
        "broken streams: that is said once an interval",
        lambda: 1 <= nodes.log("a").count("closed the connection") <= intervals or nodes.log("a"),
        0,
        spoil=lambda: nodes.erase_log("a"),
    )
    check("broken streams: the peer connects again by itself", lambda: link_is_up(nodes), spoil=lambda: nodes.kill("b"))
    check("broken streams: the nodes become alike", nodes.alike, spoil=nodes.part)
    nodes.make(range(50_000, 51_000), "b")
    check("broken streams: in the other direction too", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b"))

    nodes.kill("b")
    whole = message("new", 77, 0, flow_body(3))
    with connected("a") as connection:
        connection.sendall(whole[:30])
        time.sleep(0.1)
    refused = nodes.refused("a")
    nodes.start_one("b", nodes.started_with["b"])
    nodes.make([70_000], "b", to="172.28.0.1")
    check(
        "the fragment of a dead peer: the first flow of the next one arrives",
        lambda: "dst=172.28.0.1" in nodes.ask("a", pair.EXTERNAL),
        spoil=lambda: nodes.conntrack("b", "-D", "-d", "172.28.0.1"),
    )
    check(
        "the fragment of a dead peer: nothing of it is taken for a message",
        lambda: nodes.refused("a") == refused,
        0,
        spoil=lambda: break_stream(nodes),
    )


def a_peer_that_does_not_read(nodes, check):
    """It takes connections and nothing else, and is replaced by one that reads."""
    nodes.start_one("a", {"link": tcp_link})
    listener = socket_in("b", socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((pair.ADDRESS["b"], pair.PORT))
    listener.listen(8)
    listener.settimeout(SOON_S)
    connection, _ = listener.accept()
    before = [nodes.resident_kib("a")]
    nodes.make(range(20_000))
    nodes.conntrack("a", "-U", "-d", "172.16.0.1", "-m", "5")
    check(
        "a peer that does not read: the own cache follows the kernel",
        lambda: nodes.cache("a", pair.INTERNAL) == nodes.kernel("a"),
        spoil=lambda: nodes.kill("a"),
    )
    check(
        "a peer that does not read: clients are answered", lambda: nodes.answers("a"), spoil=lambda: nodes.halt("a")
    )
    check(
        "a peer that does not read: memory is bounded",
        # 20,000 flows, and less than 1 KiB for each.
        lambda: nodes.resident_kib("a") < before[0] + 20_000 or f"{nodes.resident_kib('a') - before[0]} KiB more",
        0,
        spoil=lambda: before.insert(0, -20_000),
    )
    check(
        "a peer that does not read: no processor is burnt",
        lambda: nodes.rests("a"),
        spoil=lambda: nodes.strain("a"),
    )
    connection.close()
    listener.close()
    nodes.start_one("b", {"link": tcp_link})
    check("a peer that does not read: one that does gets all", nodes.alike, spoil=nodes.part)


def a_peer_that_is_killed(nodes, check):
    """Killed and started again, while flows change; it finds its peer by itself."""
    nodes.begin(link=tcp_link)
    nodes.make(range(3000))
    check("a killed peer: first both are alike", nodes.alike, spoil=nodes.part)
    nodes.kill("b")
    with Traffic(nodes, first=10_000):
        time.sleep(1.5)
        nodes.start_one("b", nodes.started_with["b"], keep=True)
        time.sleep(1)
    check(
        "a killed peer: it starts on its old lock and socket",
        lambda: nodes.is_alive("b"),
        0,
        spoil=lambda: nodes.kill("b"),
    )
    check(
        "a killed peer: the nodes connect again by themselves", lambda: link_is_up(nodes), spoil=lambda: nodes.kill("b")
    )
    nodes.ask("b", FLUSH_EXTERNAL)
    nodes.ask("b", REQUEST)
    check("a killed peer: after -f external and -n both are alike", nodes.alike, spoil=nodes.part)


def tiny_buffers(nodes, check):
    """Each message is written in many parts."""
    nodes.begin(link=lambda node: tcp_link(node, TINY))
    nodes.make(range(20_000))
    check(
        "tiny buffers: 20,000 flows arrive",
        nodes.alike, spoil=nodes.part, why=lambda: nodes.ask("b", pair.NETWORK) + nodes.ask("a", QUEUES),
    )  # fmt: skip
    check("tiny buffers: no message is damaged", lambda: nodes.refused("b") == 0, 0, spoil=lambda: nodes.kill("b"))
    check(
        "tiny buffers: no message is lost",
        lambda: nodes.packets_lost("b") == 0 or nodes.ask("b", pair.NETWORK),
        0,
        spoil=lambda: nodes.kill("b"),
    )


SCENARIOS = [broken_streams, a_peer_that_does_not_read, a_peer_that_is_killed, tiny_buffers]
