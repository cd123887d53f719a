"""What every scenario of `faults` stands on: two nodes whose daemons may be anything but well, flows, and assertions.

An assertion has a name, a condition, a time in which the condition comes true, and a deed that must make it fail.
`--prove` runs a scenario once for each of its assertions, does the deed just before, and demands that it fails.
"""

import contextlib
import os
import re
import signal
import socket
import struct
import threading
import time

import pair
from pair import Failure, Pair

TICKS = os.sysconf("SC_CLK_TCK")
FLOW = re.compile(r"\b(tcp|udp) +\d+ .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: .*?\bmark=(\d+))?")
# For what comes by itself. Long, because the machine may be slow; that it comes is the claim, not when.
SOON_S = 30
# A daemon that is told the opposite of what is awaited gets so long to notice.
PROOF_S = 1.5
KIND = {"new": 0, "update": 1, "end": 2, "control": 10}
RESYNC, NACK, ACK, ALIVE, HELLO, HELLO_BACK = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
KILL, REQUEST, RUNTIME, LINKS, RESEND_QUEUE, FLUSH_EXTERNAL, QUEUES = 20, 23, 30, 31, 32, 34, 36


class Proven(Exception):
    """The assertion that was to be proven has been looked at."""


class Checks:
    """The assertions of a scenario. `target` is the number of the one that is to fail."""

    def __init__(self, verbose, target=None):
        self.verbose, self.target = verbose, target
        self.passed, self.failed, self.skipped, self.number = 0, 0, 0, 0

    def __call__(self, name, holds, within=SOON_S, *, spoil, why=None):
        """The condition comes true in this time. A failure of what it asks counts as its opposite."""
        number, self.number = self.number, self.number + 1
        if self.target is not None and number < self.target:
            # The way there is the same, whatever is found on it.
            truth(holds, within)
            return
        if self.target == number:
            spoil()
            reason = truth(holds, min(within, PROOF_S))
            self.note(name + ", spoilt, fails", reason is not None, "it holds all the same")
            raise Proven
        reason = truth(holds, within)
        self.note(name, reason is None, "\n".join(filter(None, [reason, why and why()])))

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {name}: {why}", flush=True)

    def note(self, name, holds, why):
        self.passed, self.failed = self.passed + holds, self.failed + (not holds)
        if not holds or self.verbose:
            print("ok  " if holds else "FAIL", name, flush=True)
        if not holds:
            for line in str(why).splitlines()[-60:]:
                print("     |", line[:300])


def truth(holds, within):
    """`None` when it came true, else why not."""
    end = time.monotonic() + within
    while True:
        try:
            found = holds()
            if found is True:
                return None
            reason = "does not hold" if found in (False, None) else str(found)
        except Exception as failure:
            # An answer may be cut short, or have not yet the words that are looked for.
            reason = f"{type(failure).__name__}: {failure}"
        if time.monotonic() > end:
            return reason
        time.sleep(0.05)


class Nodes(Pair):
    """The two nodes, with daemons that are started each with its own configuration, and killed."""

    def __init__(self, daemons, tool):
        super().__init__(daemons, tool)
        self.started_with = {}

    def configuration(self, node, mode="FTFW", settings="", general="", link=None, sync=""):
        """One UDP link, unless `link` gives the text of others."""
        link = (link or udp_link)(node)
        text = super().configuration(node, mode, settings, general)
        before, after = text.split("\tUDP {", 1)
        return f"{before}{sync}\n{link}\n}}\nGeneral" + after.split("\n}\nGeneral", 1)[1]

    def begin(self, settle_s=0, a=None, b=None, heard=pair.NODES, **both):
        """Starts both, each with settings of its own, and waits until a flow of those who are heard has arrived."""
        self.start_one("a", {**both, **(a or {})})
        self.start_one("b", {**both, **(b or {})})
        for node in heard:
            settings = self.started_with[pair.OTHER[node]].get("settings", "")
            self.await_link(node, "DisableExternalCache on" not in settings)
        time.sleep(settle_s)

    def start_one(self, node, configuration, keep=False):
        """`keep`: lock and socket that a dead daemon has left stay, and so does its log."""
        if not keep:
            super().start_one(node, configuration)
            self.started_with[node] = configuration
            return
        home = self.directory / node
        lines = self.log(node).count("console mode")
        with open(home / "log", "a") as log:
            words = pair.inside(node, [self.daemons[node], "-C", str(home / "conf")])
            self.running[node] = pair.subprocess.Popen(
                words, stdin=pair.subprocess.DEVNULL, stdout=log, stderr=log, env=pair.ENVIRONMENT
            )
        pair.wait_until(lambda: self.log(node).count("console mode") > lines or not self.is_alive(node), SOON_S)

    def kill(self, node):
        """As a crash would end it."""
        if node in self.running:
            process = self.running.pop(node)
            process.kill()
            process.wait()

    def stop_one(self, node):
        """In order."""
        process = self.running.pop(node)
        process.terminate()
        process.wait(SOON_S)

    def is_alive(self, node):
        return node in self.running and super().is_alive(node)

    def signal(self, node, number):
        self.running[node].send_signal(number)

    def reset(self):
        """Nothing runs, nothing is known, the link is as it was."""
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
        self.stop()
        for node in pair.NODES:
            with contextlib.suppress(Failure):
                pair.run("nft", "flush", "ruleset", node=node)
            self.conntrack(node, "-F")
        self.renew_devices()

    def renew_devices(self, *names):
        """Devices that were deleted or changed are made again."""
        for number, name in enumerate(("sync0", "sync1")):
            with contextlib.suppress(Failure):
                pair.run("ip", "-n", "a", "link", "delete", name)
            if number and name not in names:
                continue
            pair.run(*f"ip link add {name} netns a type veth peer name {name} netns b".split())
            for node in pair.NODES:
                self.up(node, name)

    def up(self, node, name="sync0"):
        """Address and all."""
        number = int(name[-1])
        end = pair.ADDRESS[node].rsplit(".", 1)[1]
        pair.run(*f"ip -n {node} address replace 10.{99 - number}.0.{end}/24 dev {name}".split())
        # No delay until the link-local address is no more tentative.
        with open_in(node, "/proc/sys/net/ipv6/conf/" + name + "/accept_dad", "w") as file:
            file.write("0")
        pair.run(*f"ip -n {node} address replace fe80::{end}/64 dev {name} nodad".split())
        pair.run(*f"ip -n {node} address replace fd99::{end}/64 dev {name} nodad".split())
        pair.run(*f"ip -n {node} link set {name} up".split())

    def erase_log(self, node):
        os.truncate(self.directory / node / "log", 0)

    # ---------------------------------------------------------------------------------------------------- figures

    def pid(self, node):
        if not self.is_alive(node):
            raise Failure(f"the daemon of {node} does not run")
        return self.running[node].pid

    def resident_kib(self, node):
        with open(f"/proc/{self.pid(node)}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def busy_s(self, node):
        """Processor time so far."""
        with open(f"/proc/{self.pid(node)}/stat") as file:
            words = file.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def load(self, node, seconds=0.7):
        """Part of a processor that it takes now."""
        before, start = self.busy_s(node), time.monotonic()
        time.sleep(seconds)
        return (self.busy_s(node) - before) / (time.monotonic() - start)

    def rests(self, node, part=0.15, seconds=0.5):
        """It takes no more than this part of a processor."""
        load = self.load(node, seconds)
        return load < part or f"takes {load:.0%} of a processor"

    def strain(self, node):
        """Clients that ask without a pause, until the daemon ends."""

        def work():
            process = self.running[node]
            while process.poll() is None:
                with contextlib.suppress(Failure, OSError):
                    self.ask(node, pair.STATISTICS, 1)

        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()

    def answers(self, node, within_s=1):
        """A client is answered in time."""
        start = time.monotonic()
        self.ask(node, pair.STATISTICS, within_s)
        waited = time.monotonic() - start
        return waited < within_s or f"after {waited:.1f} s"

    def halt(self, node):
        """It does nothing any more."""
        self.signal(node, signal.SIGSTOP)

    def number(self, node, code, words):
        """The number behind these words in an answer."""
        text = self.ask(node, code, 10)
        match = re.search(re.escape(words) + r":?\s+(\d+)", text)
        if not match:
            raise Failure(f"no `{words}' in:\n{text}")
        return int(match.group(1))

    def refused(self, node):
        return self.number(node, pair.NETWORK, "Malformed messages")

    # ------------------------------------------------------------------------------------------------------ flows

    def make(self, numbers, node="a", to="172.16.0.1", timeout=3600):
        numbers = list(numbers)
        for start in range(0, len(numbers), 2000):
            words = [create(number, to, timeout) for number in numbers[start : start + 2000]]
            self.conntrack(node, "-R", "-", input="".join(words))

    def kernel(self, node):
        return flows_of(self.conntrack(node, "-L"))

    def cache(self, node, code):
        return flows_of(self.ask(node, code, 10))

    def alike_outside(self, source="a", target="b"):
        """The external cache of the target is the table of the source's kernel: else the first difference."""
        return self.differs(self.kernel(source), [(f"the external cache of {target}", target, pair.EXTERNAL)])

    def alike(self, source="a", target="b"):
        """The same, and so is the internal cache of the source."""
        caches = [
            (f"the internal cache of {source}", source, pair.INTERNAL),
            (f"the external cache of {target}", target, pair.EXTERNAL),
        ]
        return self.differs(self.kernel(source), caches)

    def differs(self, kernel, caches):
        for name, node, code in caches:
            found = self.cache(node, code)
            if found != kernel:
                missing, stale = kernel.keys() - found.keys(), found.keys() - kernel.keys()
                other = [key for key in kernel.keys() & found.keys() if kernel[key] != found[key]]
                sample = [*sorted(missing)[:2], *sorted(stale)[:2], *other[:2]]
                return (
                    f"{name} has {len(found)} of {len(kernel)} flows: {len(missing)} missing,"
                    f" {len(stale)} stale, {len(other)} outdated, such as {sample}"
                )
        return True

    def disturb(self, source="a"):
        """A flow that its daemon will not hear of for a while: so all comparisons with it fail."""
        self.signal(source, signal.SIGSTOP)
        self.make([60_000_000], source)
        self.signal(source, signal.SIGCONT)

    def cut(self):
        """Nothing more comes over the link, on either node."""
        for node in pair.NODES:
            pair.run(
                "nft",
                "-f",
                "-",
                node=node,
                input="""table inet cut {
	chain in {
		type filter hook prerouting priority -500
		iifname { sync0, sync1 } drop
	}
}
""",
            )

    def part(self, source="a"):
        """The link is cut and a flow is made: the nodes cannot become alike."""
        self.cut()
        self.make([60_000_000], source)


class Traffic:
    """Flows of node a that come, change and go in a thread until it is stopped."""

    def __init__(self, nodes, first=0, portion=500, pause_s=0.05, node="a", changes=True):
        self.nodes, self.first, self.portion, self.pause_s = nodes, first, portion, pause_s
        self.node, self.changes = node, changes
        self.done, self.failure = 0, None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def work(self):
        try:
            while not self.ended.is_set():
                start = self.first + self.done
                third = self.portion // 3
                to = [f"172.{16 + kind}.{self.done // self.portion % 250}.9" for kind in range(3)]
                for kind, begin in enumerate(range(start, start + 3 * third, third)):
                    self.nodes.make(range(begin, begin + third), self.node, to[kind])
                if self.changes:
                    with contextlib.suppress(Failure):
                        self.nodes.conntrack(self.node, "-U", "-d", to[1], "-m", "5")
                    self.nodes.conntrack(self.node, "-D", "-d", to[2])
                self.done += self.portion
                time.sleep(self.pause_s)
        except Failure as failure:
            self.failure = failure


def create(number, to="172.16.0.1", timeout=3600):
    source = f"10.{10 + number // 62_500 % 200}.{number // 250 % 250}.{number % 250 + 1}"
    return f"-I -p udp -s {source} -d {to} --sport {1 + number // 12_500_000} --dport 9 -t {timeout}\n"


def flows_of(text):
    """(protocol, source, destination, ports) -> mark."""
    matches = map(FLOW.search, text.splitlines())
    return {match.groups()[:5]: match.group(6) or "0" for match in matches if match}


# ----------------------------------------------------------------------------------------------------- configurations


def udp_link(node, head="UDP", number=0, buffers="SndSocketBuffer 8388608\n\t\tRcvSocketBuffer 8388608"):
    own, peer = (pair.ADDRESS[name].replace("10.99", f"10.{99 - number}") for name in (node, pair.OTHER[node]))
    return f"""	{head} {{
		IPv4_address {own}
		IPv4_Destination_Address {peer}
		Port {pair.PORT}
		Interface sync{number}
		{buffers}
	}}"""


def tcp_link(node, buffers=""):
    return udp_link(node, "TCP", buffers=buffers)


def multicast_link(node):
    return f"""	Multicast {{
		IPv4_address 225.0.0.50
		IPv4_interface {pair.ADDRESS[node]}
		Group {pair.PORT}
		Interface sync0
		SndSocketBuffer 8388608
		RcvSocketBuffer 8388608
	}}"""


# ------------------------------------------------------------------------------------------------- messages, sockets


def message(kind, sequence, flags=0, body=b"", version=1, length=None):
    length = 8 + len(body) if length is None else length
    return struct.pack(">BBHI", version << 4 | KIND.get(kind, kind), flags, length, sequence & 0xFFFFFFFF) + body


def control(sequence, flags, first=None, last=None):
    body = b"" if first is None else struct.pack(">II", first & 0xFFFFFFFF, last & 0xFFFFFFFF)
    return message("control", sequence, flags, body)


def attribute(number, value):
    return struct.pack(">HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def flow_body(number, timeout=600, helper=None, to="172.30.0.1"):
    """What a node says of a UDP flow."""
    source = socket.inet_aton(f"10.250.{number // 250 % 250}.{number % 250 + 1}")
    parts = [
        attribute(0, source + socket.inet_aton(to)),
        attribute(5, struct.pack(">I", 0xE)),
        attribute(2, b"\x11"),
        attribute(3, struct.pack(">HH", 7, 9)),
        attribute(6, struct.pack(">I", timeout)),
    ]
    if helper:
        parts.append(attribute(27, helper.encode() + b"\0"))
    return b"".join(parts)


@contextlib.contextmanager
def entered(node):
    """This thread is in a node's network namespace."""
    with open("/proc/self/ns/net") as own, open(pair.namespace(node)) as other:
        if pair.libc.setns(other.fileno(), pair.CLONE_NEWNET):
            raise Failure("setns failed")
        try:
            yield
        finally:
            pair.libc.setns(own.fileno(), pair.CLONE_NEWNET)


def socket_in(node, kind=socket.SOCK_DGRAM, family=socket.AF_INET):
    """A socket stays in the namespace in which it was made."""
    with entered(node):
        return socket.socket(family, kind)


@contextlib.contextmanager
def open_in(node, path, mode):
    """A file of /proc/sys/net, which shows the namespace of who opens it."""
    with entered(node), open(path, mode) as file:
        yield file
