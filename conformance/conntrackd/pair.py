"""Two nodes with a daemon each, joined by one link, in namespaces that end with the script that uses this.

`isolate()` runs the script a second time inside of network, mount and process namespaces of its own. There /run is
empty, so names of namespaces are private, and when the script ends, however it does, the kernel ends all its children
and drops the namespaces. Nothing of the machine is touched, no sysctl of it is set.
"""

import ctypes
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
NODES = ("a", "b")
ADDRESS = {"a": "10.99.0.1", "b": "10.99.0.2"}
OTHER = {"a": "b", "b": "a"}
PORT = 3780
# Codes of the control socket.
INTERNAL, EXTERNAL, STATISTICS, NETWORK, FLUSH, COMMIT = 16, 17, 21, 28, 45, 46
LARGE_BUFFER = """	NetlinkBufferSize 134217728
	NetlinkBufferSizeMaxGrowth 268435456"""
# Exit code of a script that cannot run here.
CANNOT_RUN = 77
INSIDE = "CONNTRACKD_PAIR_INSIDE"
CLONE_NEWNET = 0x40000000
# After the first contact FTFW does not repair loss for a second or two: each greeting empties the resend queue.
GREETING_S = 3

libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Ends a script with a message."""


def isolate():
    """Returns in the namespaces. Before, the script is replaced by its second run."""
    if INSIDE in os.environ:
        # The variable must not reach a script that this one starts.
        del os.environ[INSIDE]
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        return
    if os.geteuid() != 0:
        raise Failure("needs root: it makes network namespaces")
    os.environ[INSIDE] = "1"
    words = "setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc --".split()
    os.execvp(words[0], [*words, sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def run(*words, node=None, **settings):
    """Runs a command to its end, in a node's namespace if one is named. Its standard output, as text."""
    words = [str(word) for word in words]
    settings = {"capture_output": True, "text": True, "env": ENVIRONMENT, **settings}
    done = subprocess.run(inside(node, words), **settings)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)}: exit code {done.returncode} {done.stderr or ''}".rstrip())
    return done.stdout


def inside(node, words):
    """The words of a command in a node's namespace."""
    return ["nsenter", f"--net={namespace(node)}", "--", *words] if node else words


def namespace(node):
    """The file of a node's network namespace."""
    return f"/run/netns/{node}"


def wait_until(holds, within_s, step_s=0.05):
    """Whether it holds before the time is over."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(step_s)
    return True


def most_flows():
    """So many flows fit into the kernel's table of a node before it begins to drop some (at 95 %)."""
    return int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text()) * 9 // 10


def programs():
    """The daemon of each node and the tool, as the environment names them."""
    both = os.environ.get("CONNTRACKD", "conntrackd")
    return {node: os.environ.get(f"CONNTRACKD_{node.upper()}", both) for node in NODES}, os.environ.get(
        "CONNTRACK", "conntrack"
    )


def helper():
    """Builds the helper of the benchmarks, which makes and changes flows quickly, and returns its path."""
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR") or root / "target").resolve()
    manifest = root / "bench/helper/Cargo.toml"
    words = ["cargo", "build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", target]
    if subprocess.run(words).returncode != 0:
        raise Failure("bench/helper does not build")
    return target / "release/bench-helper"


def found(program):
    """The path of a program."""
    path = shutil.which(program, path=ENVIRONMENT["PATH"])
    if not path:
        raise Failure(f"no program {program}")
    return os.path.abspath(path)


class Pair:
    """The two nodes. `daemons` are the programs of each, `tool` is the conntrack that makes and lists flows."""

    def __init__(self, daemons, tool):
        self.daemons = {node: found(program) for node, program in daemons.items()}
        self.tool = found(tool)
        # Private, so that not even a killed script leaves something behind.
        self.directory = Path(tempfile.mkdtemp(prefix="conntrackd-pair-", dir="/run"))
        self.running = {}
        for node in NODES:
            (self.directory / node).mkdir()
            run("ip", "netns", "add", node)
            run("ip", "-n", node, "link", "set", "lo", "up")
        run("ip", "link", "add", "sync0", "netns", "a", "type", "veth", "peer", "name", "sync0", "netns", "b")
        for node in NODES:
            run("ip", "-n", node, "address", "add", f"{ADDRESS[node]}/24", "dev", "sync0")
            run("ip", "-n", node, "link", "set", "sync0", "up")

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove(self):
        """Drops the namespaces, and with them their tables, before the script ends."""
        for node in NODES:
            run("ip", "netns", "delete", node)

    # -------------------------------------------------------------------------------------------------- daemons

    def configuration(self, node, mode="FTFW", settings="", general="", options="", events=LARGE_BUFFER):
        """One UDP link, large buffers: what is lost is then lost by the link or by a daemon."""
        return f"""Sync {{
	Mode {mode} {{
{settings}
	}}
	UDP {{
		IPv4_address {ADDRESS[node]}
		IPv4_Destination_Address {ADDRESS[OTHER[node]]}
		Port {PORT}
		Interface sync0
		SndSocketBuffer 8388608
		RcvSocketBuffer 8388608
	}}
	Options {{
{options}
	}}
}}
General {{
	HashLimit 524288
	LockFile {self.directory / node / "lock"}
	UNIX {{
		Path {self.directory / node / "control"}
	}}
{events}
{general}
}}
"""

    def start(self, settle_s=GREETING_S, **configuration):
        """Starts both, waits until a flow of each node reaches the other, and then until the greetings are over."""
        self.start_both(**configuration)
        external = "DisableExternalCache" not in configuration.get("settings", "")
        for node in NODES:
            self.await_link(node, external)
        time.sleep(settle_s)

    def start_both(self, **configuration):
        """Starts both; the link may not be up yet."""
        for node in NODES:
            self.start_one(node, configuration)

    def start_one(self, node, configuration):
        home = self.directory / node
        (home / "conf").write_text(self.configuration(node, **configuration))
        for name in ("lock", "control"):
            (home / name).unlink(missing_ok=True)
        words = inside(node, [self.daemons[node], "-C", str(home / "conf")])
        with open(home / "log", "w") as log:
            # nsenter replaces itself, so this is the daemon's own process.
            self.running[node] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=ENVIRONMENT
            )
        started = wait_until(lambda: "console mode" in self.log(node) or not self.is_alive(node), 30)
        if not started or not self.is_alive(node):
            raise Failure(f"the daemon of {node} did not start:\n{self.log(node)}")

    def await_link(self, node, external):
        """A message before the greetings may be lost for good, so the probe is repeated."""
        other = OTHER[node]
        probe = "-p udp -s 9.9.9.9 -d 9.9.9.8 --sport 9 --dport 9".split()
        for _ in range(30):
            self.conntrack(node, "-I", *probe, "-t", "60")
            count = (lambda: self.count(other, "external")) if external else (lambda: self.kernel_count(other))
            arrived = wait_until(lambda: count() > 0, 1)
            self.conntrack(node, "-D", *probe)
            if arrived:
                if not wait_until(lambda: count() == 0, 30):
                    raise Failure(f"{other} still has the probe of {node}:\n{self.log(other)}")
                return
        raise Failure(f"nothing reaches {other} from {node}:\n{self.log(node)}{self.log(other)}")

    def stop(self):
        """Ends both in order; what does not end is killed."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def is_alive(self, node):
        return self.running[node].poll() is None

    def log(self, node):
        return (self.directory / node / "log").read_text(errors="replace")

    # ------------------------------------------------------------------------------------------------- questions

    def ask(self, node, code, within_s=60):
        """The answer to a request on the control socket, without the cost of starting a client."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(within_s)
            try:
                control.connect(str(self.directory / node / "control"))
                control.sendall(struct.pack("=i", code))
                parts = []
                while part := control.recv(1 << 16):
                    parts.append(part)
            except OSError as error:
                raise Failure(f"the daemon of {node} does not answer: {error}\n{self.log(node)}") from error
        return b"".join(parts).decode()

    def count(self, node, cache):
        """Entries of a cache."""
        text = self.ask(node, STATISTICS)
        match = re.search(rf"cache {cache}:\ncurrent active connections:\s+(\d+)", text)
        if not match:
            raise Failure(f"the daemon of {node} says:\n{text}")
        return int(match.group(1))

    def packets_lost(self, node):
        """What a daemon says it missed. Upstream counts two too many at each gap."""
        match = re.search(r"Packets lost:\s+(\d+)", self.ask(node, NETWORK))
        return int(match.group(1)) if match else None

    def conntrack(self, node, *words, **settings):
        return run(self.tool, *words, node=node, **settings)

    def kernel_count(self, node):
        return int(self.conntrack(node, "-C"))

    def command(self, node, *words):
        """A client command, as one types it."""
        return run(self.daemons[node], "-C", self.directory / node / "conf", *words, node=node, timeout=120)
