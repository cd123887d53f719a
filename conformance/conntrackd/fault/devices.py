"""Devices of the link that vanish, lose their address, go down, get small, or are two."""

import contextlib
import re
import time

import pair
from .bench import LINKS, Traffic, multicast_link, tcp_link, udp_link
from pair import Failure

TOO_SMALL = "the MTU of the dedicated link is too small"


def ip(node, words):
    pair.run("ip", "-n", node, *words.split())


def lose_and_renew(nodes):
    """The device of both nodes is deleted, and one of the same name is made."""
    ip("a", "link delete sync0")
    time.sleep(0.7)
    nodes.renew_devices()


def lose_address(nodes):
    ip("a", f"address delete {pair.ADDRESS['a']}/24 dev sync0")
    time.sleep(0.7)
    nodes.up("a")


def go_down(nodes):
    ip("b", "link set sync0 down")
    time.sleep(0.7)
    nodes.up("b")


def vanishing(nodes, check):
    """Flows change meanwhile; nothing has to be asked for afterwards."""
    for kind, link in (("UDP", udp_link), ("multicast", multicast_link), ("TCP", tcp_link)):
        nodes.reset()
        nodes.begin(link=link)
        nodes.make(range(1000))
        first = 10_000
        for what, harm in (
            ("is deleted and made again", lose_and_renew),
            ("loses its address", lose_address),
            ("goes down and up", go_down),
        ):
            with Traffic(nodes, first=first, portion=300):
                time.sleep(0.2)
                harm(nodes)
                time.sleep(0.2)
            first += 100_000
            check(
                f"{kind}: a device {what}: the nodes become alike",
                nodes.alike, spoil=nodes.part, why=lambda: nodes.log("a")[-500:] + nodes.log("b")[-500:],
            )  # fmt: skip
        nodes.make(range(5_000_000, 5_000_500), "b")
        check(
            f"{kind}: the flows of b reach a as well", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b")
        )
        for node in pair.NODES:
            lines = [line for line in nodes.log(node).splitlines() if "[warning]" in line or "[ERROR]" in line]
            check(
                f"{kind}: {node} has said so in few lines",
                lambda: 1 <= len(lines) <= 12 or nodes.log(node),
                0,
                spoil=lines.clear,
            )


def two_links(nodes, check):
    """The second link takes over from the first, and gives back."""
    nodes.renew_devices("sync1")
    nodes.begin(link=lambda node: udp_link(node, "UDP Default") + "\n" + udp_link(node, number=1))
    active = lambda node: re.search(r"device=(\S+) status=\S+ role=ACTIVE", nodes.ask(node, LINKS, 5)).group(1)
    nodes.make(range(1000))
    with Traffic(nodes, first=10_000):
        ip("a", "link delete sync0")
        check(
            "two links: the second takes over on both nodes",
            lambda: active("a") == active("b") == "sync1",
            spoil=lambda: ip("a", "link delete sync1"),
        )
        time.sleep(0.3)
    check("two links: flows go over the second", nodes.alike, spoil=nodes.part)
    with Traffic(nodes, first=200_000):
        for node in pair.NODES:
            with contextlib.suppress(Failure):
                ip(node, "link delete sync0")
        pair.run(*"ip link add sync0 netns a type veth peer name sync0 netns b".split())
        for node in pair.NODES:
            nodes.up(node)
        check(
            "two links: the default link is used again when it is back",
            lambda: active("a") == active("b") == "sync0" or nodes.ask("a", LINKS) + nodes.ask("b", LINKS),
            spoil=lambda: ip("a", "link delete sync0"),
        )
    check("two links: nothing is missing", nodes.alike, spoil=nodes.part)
    ip("a", "link delete sync0")
    ip("a", "link delete sync1")
    check(
        "two links: that none is left is said",
        lambda: "no dedicated links available!" in nodes.log("a"),
        spoil=lambda: nodes.erase_log("a"),
    )
    nodes.make(range(500_000, 500_500))
    check("two links: with none, no processor is burnt", lambda: nodes.rests("a"), spoil=lambda: nodes.strain("a"))


def small_mtu(nodes, check):
    """The device gets smaller while the daemons run, down to what no message fits into."""
    nodes.begin()
    first = 0
    for mtu in (576, 300, 128, 68, 1500):
        for node in pair.NODES:
            ip(node, f"link set sync0 mtu {mtu}")
        nodes.make(range(first, first + 500), to=f"172.16.1.{mtu % 250}")
        if mtu == 68:
            check(
                "MTU 68: it is said that no message fits",
                lambda: TOO_SMALL in nodes.log("a"),
                spoil=lambda: nodes.erase_log("a"),
            )
            said = [nodes.log("a").count(TOO_SMALL)]
            check(
                "MTU 68: that is said once", lambda: sum(said) <= 2 or nodes.log("a"), 0, spoil=lambda: said.append(9)
            )
        else:
            check(f"MTU {mtu}: all flows arrive", nodes.alike, spoil=nodes.part, why=lambda: nodes.log("a")[-1000:])
        check(
            f"MTU {mtu}: no processor is burnt",
            lambda: nodes.rests("a", seconds=0.4),
            spoil=lambda: nodes.strain("a"),
        )
        check(f"MTU {mtu}: clients are answered", lambda: nodes.answers("a"), spoil=lambda: nodes.halt("a"))
        first += 10_000
    for mtu in (300, 128, 68):
        nodes.reset()
        for node in pair.NODES:
            ip(node, f"link set sync0 mtu {mtu}")
        heard = () if mtu == 68 else pair.NODES
        nodes.begin(heard=heard)
        nodes.make(range(1000))
        check(
            f"MTU {mtu} from the start: the daemon runs",
            lambda: nodes.rests("a", seconds=0.3),
            spoil=lambda: nodes.kill("a"),
        )
        if heard:
            check(f"MTU {mtu} from the start: all flows arrive", nodes.alike, spoil=nodes.part)


SCENARIOS = [vanishing, two_links, small_mtu]
