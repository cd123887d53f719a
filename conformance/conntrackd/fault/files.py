"""Log files on full disks and log files that are moved; locks and sockets that crashes leave behind; missing rights."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pair
from .bench import FLUSH_EXTERNAL, SOON_S

KIB = 64
USER = 65_534


@contextlib.contextmanager
def small_disk(nodes):
    """A file system of 64 KiB in this mount namespace."""
    path = nodes.directory / "disk"
    path.mkdir(exist_ok=True)
    pair.run("mount", "-t", "tmpfs", "-o", f"size={KIB}k", "tmpfs", path)
    try:
        yield path
    finally:
        pair.run("umount", "-l", path)


def full_disk(nodes, check):
    """The log has no room for a while."""
    with small_disk(nodes) as disk:
        log = disk / "log"
        nodes.begin(a={"general": f"LogFile {log}"})
        with open(disk / "ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1024)):
                pass
        nodes.make(range(500))
        # The page that the log already has takes some of them.
        for _ in range(300):
            nodes.ask("a", FLUSH_EXTERNAL)
        check("a full disk: the daemon runs on and the nodes are alike", nodes.alike, spoil=nodes.part)
        check(
            "a full disk: that is said once, elsewhere",
            lambda: nodes.log("a").count("can't write logfile") == 1 or nodes.log("a")[-600:],
            0,
            spoil=lambda: nodes.erase_log("a"),
        )
        (disk / "ballast").unlink()
        for _ in range(10):
            nodes.ask("a", FLUSH_EXTERNAL)
        missing = lambda: re.findall(r"(\d+) lines are missing in logfile", log.read_text(errors="replace"))
        check(
            "room again: one line tells how many are missing",
            lambda: len(missing()) == 1 or missing(),
            spoil=lambda: log.write_text(""),
        )
        # What is torn is no line of those that were printed as well.
        lines = lambda: [line for line in log.read_text().splitlines() if line in nodes.log("a").splitlines()]
        there = lambda: len(lines()) + int(missing()[0]) - nodes.log("a").count("\n")
        check(
            "room again: that is their exact number",
            lambda: there() == 0 or f"{there():+}",
            0,
            spoil=lambda: log.write_text(log.read_text().split("\n", 1)[1]),
        )
        check(
            "room again: no line is torn but the one that was cut",
            lambda: log.read_text().count("\n") - len(lines()) <= 1,
            0,
            spoil=lambda: log.write_text("torn\ntorn\n"),
        )
        nodes.stop()


def start_with_pipes(nodes, node, **configuration):
    """A daemon on the console whose streams nobody reads; its log is a file."""
    home = nodes.directory / node
    nodes.stop_one(node)
    (home / "conf").write_text(nodes.configuration(node, general=f"LogFile {home / 'log'}", **configuration))
    words = pair.inside(node, [nodes.daemons[node], "-C", str(home / "conf")])
    (home / "log").write_text("")
    pipe = subprocess.PIPE
    nodes.running[node] = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=pair.ENVIRONMENT
    )
    pair.wait_until(lambda: "console mode" in nodes.log(node) or not nodes.is_alive(node), SOON_S)
    return nodes.running[node].stdout


def say_much(nodes, node, lines):
    """As many lines of the log. How many were answered."""
    said = 0
    with contextlib.suppress(pair.Failure):
        for _ in range(lines):
            nodes.ask(node, FLUSH_EXTERNAL, 5)
            said += 1
    return said


def unread_console(nodes, check):
    """In the foreground, with standard output into a pipe that nobody reads."""
    nodes.begin()
    nodes.make(range(500))
    stdout = start_with_pipes(nodes, "a")
    # A pipe has 64 KiB.
    said = [say_much(nodes, "a", 2000)]
    check("an unread console: the daemon answers on", lambda: said == [2000] or said, 0, spoil=said.clear)
    check("an unread console: the nodes are alike", nodes.alike, spoil=nodes.part)
    check(
        "an unread console: that is said in the log",
        lambda: 1 <= nodes.log("a").count("nobody reads standard output") <= 3 or nodes.log("a")[-600:],
        spoil=lambda: nodes.erase_log("a"),
    )
    os.set_blocking(stdout.fileno(), False)
    text = (stdout.read() or b"").decode()
    nodes.ask("a", FLUSH_EXTERNAL)
    missing = lambda: [int(number) for number in re.findall(r"(\d+) lines are missing in standard output", nodes.log("a"))]
    check(
        "an unread console: read again, one line tells how many are missing",
        lambda: len(missing()) == 1 or nodes.log("a")[-600:],
        spoil=lambda: nodes.erase_log("a"),
    )
    pair.wait_until(lambda: nodes.answers("a"), SOON_S)
    text += (stdout.read() or b"").decode()
    texts = [text]
    check(
        "an unread console: that is their exact number",
        lambda: sum(missing()) + texts[0].count("flushing external cache") == 2001 or texts[0][-300:],
        0,
        spoil=lambda: texts.insert(0, ""),
    )


@contextlib.contextmanager
def own_devices(nodes):
    """A /dev of this mount namespace alone, into which a socket may be put."""
    path = nodes.directory / "dev"
    path.mkdir(exist_ok=True)
    pair.run("mount", "-t", "tmpfs", "tmpfs", path)
    for name in ("null", "zero", "full", "random", "urandom"):
        (path / name).touch()
        pair.run("mount", "--bind", f"/dev/{name}", path / name)
    pair.run("mount", "--rbind", path, "/dev")
    try:
        yield
    finally:
        pair.run("umount", "-l", "/dev")
        pair.run("umount", "-l", path)


def blocked_syslog(nodes, check):
    """A syslog that has its socket and does not read."""
    with own_devices(nodes), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind("/dev/log")
        syslog.setblocking(False)
        nodes.begin(a={"general": "Syslog on"})
        said = [say_much(nodes, "a", 500)]
        check("a blocked syslog: the daemon answers on", lambda: said == [500] or said, 0, spoil=said.clear)
        nodes.make(range(500))
        check("a blocked syslog: the nodes are alike", nodes.alike, spoil=nodes.part)
        check(
            "a blocked syslog: that is said elsewhere, once an interval",
            lambda: 1 <= nodes.log("a").count("syslog takes no lines") <= 3 or nodes.log("a")[-600:],
            spoil=lambda: nodes.erase_log("a"),
        )
        got = []
        lines = lambda: nodes.log("a").count("\n")
        check(
            "a blocked syslog: read again, it gets all lines that waited",
            lambda: got.extend(drained(syslog)) or len(got) == lines() or f"{len(got)} of {lines()}",
            spoil=lambda: drained(syslog),
        )
        check(
            "a blocked syslog: none is missing",
            lambda: "missing in syslog" not in nodes.log("a"),
            0,
            spoil=lambda: (nodes.directory / "a/log").write_text("1 lines are missing in syslog"),
        )
        form = re.compile(r"<(29|28|30)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d conntrack-tools\[\d+\]: \S")
        check(
            "syslog has lines as the C library writes them",
            lambda: got != [] and all(map(form.match, got)) or got[:3],
            0,
            spoil=lambda: got.append("x"),
        )
        nodes.stop()


def statistics_that_nobody_takes(nodes, check):
    """Statistics mode, with its log on a full disk and a syslog that does not read."""
    ends = 3000
    with (
        small_disk(nodes) as disk,
        own_devices(nodes),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog,
    ):
        syslog.bind("/dev/log")
        syslog.setblocking(False)
        file = disk / "flows"
        start_statistics(nodes, "a", f"LogFile {file}\nSyslog on")
        nodes.make(range(ends))
        nodes.make(range(10_000, 10_500), to="172.16.0.9")
        nodes.conntrack("a", "-D", "-d", "172.16.0.1")
        check(
            "statistics that nobody takes: the cache is the kernel's table",
            lambda: nodes.cache("a", pair.INTERNAL) == nodes.kernel("a"),
            spoil=lambda: nodes.kill("a"),
        )
        for words in ("can't write logfile", "syslog takes no lines"):
            check(
                f"statistics that nobody takes: `{words}' is said once an interval",
                lambda: 1 <= nodes.log("a").count(words) <= 3 or nodes.log("a")[-900:],
                spoil=lambda: nodes.erase_log("a"),
            )
        check(
            "statistics that nobody takes: clients are answered",
            lambda: nodes.answers("a", 5),
            spoil=lambda: nodes.halt("a"),
        )
        written, got = [file.read_text().count("\n")], []
        os.truncate(file, 0)
        check(
            "statistics that nobody takes: read again, syslog gets all lines that waited",
            lambda: got.extend(drained(syslog)) or len(got) == ends or f"{len(got)} of {ends}",
            spoil=lambda: drained(syslog),
        )
        nodes.conntrack("a", "-D", "-d", "172.16.0.9", "-s", "10.10.40.1")
        missing = lambda: re.findall(rf"(\d+) lines are missing in logfile `{file}'", nodes.log("a"))
        check(
            "room again: one line tells how many statistics are missing in the file",
            lambda: len(missing()) == 1 or nodes.log("a")[-900:],
            spoil=lambda: nodes.erase_log("a"),
        )
        check(
            "room again: that is their exact number",
            lambda: written[0] + sum(map(int, missing())) == ends or f"{written} + {missing()}, not {ends}",
            0,
            spoil=written.clear,
        )
        nodes.stop()


def start_statistics(nodes, node, log):
    """A daemon in statistics mode with this log of flows."""
    home = nodes.directory / node
    text = nodes.configuration(node)
    (home / "conf").write_text(f"Stats {{\n{log}\n}}\n{text[text.index('General {'):]}")
    (home / "log").write_text("")
    nodes.start_one(node, {}, keep=True)


def drained(syslog):
    """All that a syslog has got."""
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(syslog.recv(10_000).decode())
    return got


def moved_log(nodes, check):
    """The file is moved away and the daemon told so, again and again, while it writes."""
    home = nodes.directory / "a"
    shutil.rmtree(home)
    home.mkdir()
    log = home / "file"
    nodes.begin(a={"general": f"LogFile {log}"})
    asked = 0
    for number in range(5):
        for step in range(40):
            nodes.ask("a", FLUSH_EXTERNAL)
            asked += 1
            if step == 20:
                log.rename(f"{log}.{number}")
                nodes.signal("a", signal.SIGHUP)
    files = [log, *(pair.Path(f"{log}.{number}") for number in range(5))]
    count = lambda: sum(file.read_text().count("flushing external cache") for file in files if file.exists())
    check("SIGHUP: the daemon runs on", lambda: nodes.is_alive("a"), 0, spoil=lambda: nodes.kill("a"))
    check(
        "SIGHUP: a moved log loses no line",
        lambda: count() == asked or f"{count()} of {asked}",
        spoil=lambda: log.unlink(),
    )
    check(
        "SIGHUP: each file has its part",
        lambda: all("flushing external cache" in file.read_text() for file in files if file.exists()) and log.exists(),
        0,
        spoil=lambda: log.write_text(""),
    )
    # The file cannot be opened again: the old one is written to.
    log.rename(f"{log}.old")
    log.mkdir()
    nodes.signal("a", signal.SIGHUP)
    old = pair.Path(f"{log}.old")
    pair.wait_until(lambda: "keeping the old one" in old.read_text(), SOON_S)
    nodes.ask("a", FLUSH_EXTERNAL)
    check(
        "SIGHUP: a log that cannot be opened again goes on in the old file",
        lambda: "keeping the old one" in old.read_text() and old.read_text().endswith("flushing external cache\n"),
        spoil=lambda: old.write_text(""),
    )


def start(nodes, node, *words, text=None, **settings):
    """Runs a daemon to its end, with a configuration of its own. Exit code and both streams."""
    home = nodes.directory / node
    conf = home / "other"
    conf.write_text(text or nodes.configuration(node, **settings))
    return subprocess.run(
        pair.inside(node, [nodes.daemons[node], "-C", str(conf), *words]),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=pair.ENVIRONMENT, timeout=60,
    )  # fmt: skip


def crashes(nodes, check):
    """What a crash leaves behind, and daemons that would take each other's place."""
    nodes.begin()
    nodes.make(range(500))
    home = nodes.directory / "a"
    nodes.kill("a")
    check(
        "a crash leaves lock and socket",
        lambda: (home / "lock").exists() and (home / "control").exists(),
        0,
        spoil=(home / "lock").unlink,
    )
    nodes.start_one("a", nodes.started_with["a"], keep=True)
    check(
        "after a crash the daemon starts on the same lock and socket",
        lambda: nodes.is_alive("a") and nodes.count("a", "internal") == 500,
        spoil=lambda: nodes.kill("a"),
    )
    check(
        "after a crash the lock of a dead process is named",
        lambda: "taken over" in nodes.log("a"),
        0,
        spoil=lambda: nodes.erase_log("a"),
    )
    done = start(nodes, "a")
    check(
        "a second daemon with the same lock does not start",
        lambda: done.returncode == 1 and "perhaps conntrackd already running?" in done.stderr or done,
        0,
        spoil=lambda: setattr(done, "stderr", ""),
    )
    text = nodes.configuration("a").replace(str(home / "lock"), str(home / "lock2"))
    text = text.replace(f"Port {pair.PORT}", f"Port {pair.PORT + 1}")
    other = start(nodes, "a", text=text)
    check(
        "a second daemon with another lock but the same socket does not start",
        lambda: other.returncode == 1 and "another daemon answers" in other.stderr or other,
        0,
        spoil=lambda: setattr(other, "stderr", ""),
    )
    check(
        "the daemon that runs keeps its socket",
        lambda: nodes.count("a", "internal") == 500,
        0,
        spoil=lambda: (home / "control").unlink(),
    )
    check(
        "the lock of the refused daemon is gone", lambda: not (home / "lock2").exists(), 0, spoil=(home / "lock2").touch
    )
    check("the daemon that runs keeps its lock", lambda: (home / "lock").exists(), 0, spoil=(home / "lock").unlink)
    # What stands in the way is no socket: it is not overwritten.
    text = text.replace(str(home / "control"), str(home / "conf"))
    third = start(nodes, "a", text=text)
    check(
        "a file in the place of the socket is not overwritten",
        lambda: third.returncode == 1 and "Sync" in (home / "conf").read_text() or third,
        0,
        spoil=lambda: (home / "conf").write_text(""),
    )


def silent_start(nodes, check):
    """`-d` without a log: a start that fails says why on standard error."""
    lock = nodes.directory / "a" / "lock"
    lock.unlink(missing_ok=True)
    # What is replaced in a good configuration, by what, and the reason that is to be given.
    for what, replaced, by, words in (
        ("a missing device", "Interface sync0", "Interface sync9", "No such device"),
        ("a foreign address", pair.ADDRESS["a"], "10.1.2.3", "Cannot assign requested address"),
        ("a lock that cannot be made", str(lock), "/nowhere/lock", "can't create lockfile"),
        ("a log that cannot be made", "General {", "General {\nLogFile /nowhere/log", "can't open logfile"),
    ):
        text = nodes.configuration("a").replace(replaced, by)
        done = start(nodes, "a", "-d", text=text)
        check(
            f"-d with {what}: exit code 1 and the reason on standard error",
            lambda: done.returncode == 1 and words in done.stderr or done,
            0,
            spoil=lambda: setattr(done, "stderr", ""),
        )
        check(f"-d with {what}: no lock is left", lambda: not lock.exists(), 0, spoil=lock.touch)
        lock.unlink(missing_ok=True)


def without_root(nodes, check):
    """Any user with CAP_NET_ADMIN."""
    wrapper = nodes.directory / "unprivileged"
    wrapper.write_text(
        f"#!/bin/sh\nexec setpriv --reuid {USER} --regid {USER} --clear-groups --inh-caps -all,+net_admin"
        f' --ambient-caps -all,+net_admin --bounding-set -all,+net_admin {nodes.daemons["a"]} "$@"\n'
    )
    wrapper.chmod(0o755)
    nodes.directory.chmod(0o755)
    os.chown(nodes.directory / "a", USER, USER)
    own, nodes.daemons = nodes.daemons, {**nodes.daemons, "a": str(wrapper)}
    try:
        nodes.begin()
        with open(f"/proc/{nodes.running['a'].pid}/status") as file:
            status = [file.read()]
        check(
            "without root: it is another user's",
            lambda: f"Uid:\t{USER}\t{USER}" in status[0] or status,
            0,
            spoil=lambda: status.insert(0, ""),
        )
        nodes.make(range(2000))
        nodes.make(range(10_000, 11_000), "b")
        check("without root: own flows reach the peer", nodes.alike, spoil=nodes.part)
        check("without root: flows of the peer are taken", lambda: nodes.alike("b", "a"), spoil=lambda: nodes.part("b"))
        pair.run(own["a"], "-C", nodes.directory / "a" / "conf", "-c", node="a", timeout=20)
        check(
            "without root: a commit works",
            lambda: nodes.kernel_count("a") == 3000 and "can't be committed" not in nodes.log("a"),
            0,
            spoil=lambda: nodes.conntrack("a", "-F"),
        )
        bad = [line for line in nodes.log("a").splitlines() if "[ERROR]" in line or "[warning]" in line]
        check(
            "without root: the only warning is that of the scheduler",
            lambda: len(bad) <= 1 and all("scheduler" in line for line in bad) or "\n".join(bad),
            0,
            spoil=lambda: bad.append("another one"),
        )
    finally:
        nodes.daemons = own
        nodes.stop()
        shutil.rmtree(nodes.directory / "a")
        (nodes.directory / "a").mkdir()


SCENARIOS = [
    full_disk,
    unread_console,
    blocked_syslog,
    statistics_that_nobody_takes,
    moved_log,
    crashes,
    silent_start,
    without_root,
]
