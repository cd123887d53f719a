"""Faults of the original, which must not come back; and a peer that starts again under load."""

import signal
import subprocess
import time

import pair
from .bench import KILL, REQUEST, SOON_S, Traffic


def small_hash(nodes, check):
    """With `HashSize` of 8192 or less the original refuses each flush after the first commit."""
    nodes.begin(general="HashSize 1024")
    nodes.make(range(3000))
    check("HashSize 1024: more flows than that are replicated", nodes.alike, spoil=nodes.part)
    nodes.command("b", "-c")
    check(
        "HashSize 1024: -c commits",
        lambda: "Committed 3000 new entries" in nodes.log("b"),
        spoil=lambda: nodes.erase_log("b"),
    )
    nodes.command("b", "-f")
    check(
        "HashSize 1024: -f after -c empties the caches",
        lambda: nodes.count("b", "external") == 0,
        spoil=lambda: nodes.make([7_000_000]),
    )
    check(
        "HashSize 1024: no command is refused",
        lambda: "ignoring flush" not in nodes.log("b"),
        0,
        spoil=lambda: nodes.kill("b") or (nodes.directory / "b" / "log").write_text("ignoring flush"),
    )
    nodes.command("b", "-n")
    check(
        "HashSize 1024: -n brings all again", nodes.alike_outside, spoil=lambda: nodes.cut() or nodes.make([60_000_000])
    )
    nodes.conntrack("b", "-F")
    nodes.command("b", "-c")
    check(
        "HashSize 1024: a second -c commits",
        lambda: nodes.log("b").count("Committed 3000 new entries") == 2 and nodes.kernel("b") == nodes.kernel("a"),
        spoil=lambda: nodes.conntrack("b", "-D", "-s", "10.10.0.1"),
    )


def hangup(nodes, check):
    """SIGHUP, SIGUSR1 and SIGUSR2 end the original."""
    nodes.begin()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        nodes.signal("a", number)
    time.sleep(0.2)
    nodes.make(range(100))
    check(
        "signals: HUP, USR1, USR2 and PIPE do not end the daemon",
        nodes.alike,
        spoil=lambda: nodes.signal("a", signal.SIGTERM),
    )


def group_link(address, before):
    """`before`: the address stands before the interface."""
    statements = [f"IPv6_address {address}", "Interface sync0"]
    inner = "\n\t\t".join(statements if before else reversed(statements))
    return f"\tMulticast {{\n\t\t{inner}\n\t\tGroup {pair.PORT}\n\t}}"


def link_local(kind):
    def link(node):
        own, peer = (f"fe80::{1 if name == 'a' else 2}" for name in (node, pair.OTHER[node]))
        return (
            f"\t{kind} {{\n\t\tIPv6_address {own}\n\t\tIPv6_Destination_Address {peer}\n"
            f"\t\tPort {pair.PORT}\n\t\tInterface sync0\n\t}}"
        )

    return link


def ipv6(nodes, check):
    """Groups of the link, statements in any order, addresses of the link."""
    links = {
        "a group of the link": lambda node: group_link("ff02::50", True),
        "a group after its interface": lambda node: group_link("ff05::50", False),
        "a group of the link after its interface": lambda node: group_link("ff02::50", False),
        "UDP between link-local addresses": link_local("UDP"),
        "TCP between link-local addresses": link_local("TCP"),
    }
    first = 0
    for name, link in links.items():
        nodes.stop()
        nodes.begin(link=link)
        nodes.make(range(first, first + 1000))
        nodes.make(range(first, first + 500), "b", to="172.25.0.1")
        check(f"IPv6, {name}: the flows of a reach b", nodes.alike, spoil=nodes.part)
        check(f"IPv6, {name}: those of b reach a", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b"))
        lines = [line for line in nodes.log("a").splitlines() if "invalid" in line or "[ERROR]" in line]
        check(f"IPv6, {name}: nothing is complained of", lambda: not lines or lines, 0, spoil=lambda: lines.append("x"))
        for node in pair.NODES:
            nodes.conntrack(node, "-F")
        first += 10_000


def words(nodes, check):
    """The original looks at the second character of an argument alone."""
    nodes.begin()
    nodes.make(range(10))
    conf = str(nodes.directory / "a" / "conf")
    for argument in ("xs", "-sx", "xk", "--kill", "-kk", "ak", "-"):
        done = subprocess.run(
            pair.inside("a", [nodes.daemons["a"], "-C", conf, argument]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=pair.ENVIRONMENT, timeout=60,
        )  # fmt: skip
        check(
            f"`{argument}' is an unknown option",
            lambda: done.returncode == 1 and f"Unknown option: {argument}" in done.stderr or done,
            0,
            spoil=lambda: setattr(done, "returncode", 0),
        )
    for arguments in (("-c", "internal"), ("-i", "ext"), ("-f", "all"), ("-s", "everything")):
        done = subprocess.run(
            pair.inside("a", [nodes.daemons["a"], "-C", conf, *arguments]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=pair.ENVIRONMENT, timeout=60,
        )  # fmt: skip
        check(
            f"`{' '.join(arguments)}' is refused",
            lambda: done.returncode == 1 and done.stderr != "" or done,
            0,
            spoil=lambda: setattr(done, "returncode", 0),
        )
    check("refused words do nothing: the daemon runs", nodes.alike, spoil=lambda: nodes.ask("a", KILL))
    check(
        "refused words do nothing: no resync was asked for",
        lambda: "resync requested" not in nodes.log("a"),
        0,
        spoil=lambda: nodes.ask("a", REQUEST),
    )


def restart_under_load(nodes, check):
    """The peer is ended and starts again while flows change without a pause; then it asks for all."""
    for how in ("killed", "ended"):
        nodes.reset()
        nodes.begin()
        with Traffic(nodes, pause_s=0.01):
            time.sleep(0.5)
            if how == "killed":
                nodes.kill("b")
            else:
                nodes.running["b"].terminate()
                nodes.running.pop("b").wait(SOON_S)
            time.sleep(0.5)
            nodes.start_one("b", nodes.started_with["b"], keep=how == "killed")
            time.sleep(0.5)
            nodes.command("b", "-f", "external")
            nodes.command("b", "-n")
            time.sleep(0.3)
        check(
            f"a peer that is {how} under load: alike after -f external, -n",
            nodes.alike,
            spoil=nodes.part,
            why=lambda: nodes.log("a")[-700:] + nodes.log("b")[-700:] + nodes.ask("b", pair.NETWORK) + "",
        )


SCENARIOS = [small_hash, hangup, ipv6, words, restart_under_load]
