"""What `compare` measures: command lines, the floor under each, what it should cost, and whether both print the same."""

import collections
import dataclasses
import itertools
import re
import subprocess

from machine import ENVIRONMENT, Failure

# The floor of most lists: the whole table is received and nothing is parsed.
WHOLE = "receive only"
# No program may take more, whatever the size of the table.
MOST_RSS_KIB = 8192


@dataclasses.dataclass(frozen=True)
class Row:
    """A command line. `floor` names the measurement that it is held against."""

    words: tuple
    floor: str | None = None
    repeats: int = 1
    to_file: bool = False
    # Forms that upstream's program of the installed version does not have.
    ours_alone: bool = False
    # At most this many times the floor, of Debian's wall time, of Debian's user time.
    most_of_floor: float | None = None
    most_of_debian: float | None = None
    most_user_of_debian: float | None = None

    @property
    def label(self):
        return " ".join(self.words) + (" to a file" if self.to_file else "")

    @property
    def is_list(self):
        return self.words[0] == "-L"


def list_rows(picked):
    """The rows over the mixed table and the floors with their conditions. `picked` are values of flows that are in it."""
    tuple_words = picked["tuple"]
    few = 1.25
    floors = {
        WHOLE: (),
        "receive UDP": conditions(proto=17),
        "receive one source": conditions(4, src=picked["src"]),
        "receive one destination": conditions(4, dst=picked["dst"]),
        "receive UDP to port 123": conditions(proto=17, dport=123),
        "receive TCP from one port": conditions(proto=6, sport=picked["sport"]),
        "receive one mark": (f"mark={picked['mark']}",),
        "receive FIXED_TIMEOUT": (f"status={1 << 10}",),
        "receive IPv6": ("family=10",),
        "receive one zone": (f"zone={picked['zone']}",),
    }
    rows = [
        Row(("-L",), WHOLE, most_of_floor=1.15, most_user_of_debian=0.25),
        Row(("-L",), WHOLE, to_file=True, most_of_floor=1.15, most_user_of_debian=0.25),
        Row(("-L", "-o", "xml"), WHOLE, most_of_floor=1.3),
        Row(("-L", "-o", "save"), WHOLE, most_of_floor=1.3),
        Row(("-L", "-o", "json"), WHOLE, ours_alone=True, most_of_floor=1.3),
        Row(("-L", "-o", "extended,id"), WHOLE, most_of_floor=1.15),
        Row(("-L", "-p", "udp"), "receive UDP"),
        Row(("-L", "-s", picked["src"]), "receive one source", most_of_floor=few),
        Row(("-L", "-d", picked["dst"]), "receive one destination", most_of_floor=few),
        Row(("-L", "-p", "udp", "--dport", "123"), "receive UDP to port 123"),
        Row(("-L", "-p", "tcp", "--sport", picked["sport"]), "receive TCP from one port", most_of_floor=few),
        Row(("-L", "-m", picked["mark"]), "receive one mark", most_of_floor=few),
        Row(("-L", "-u", "FIXED_TIMEOUT"), "receive FIXED_TIMEOUT", most_of_floor=few),
        Row(("-L", "-f", "ipv6"), "receive IPv6"),
        Row(("-L", "-w", picked["zone"]), "receive one zone", most_of_floor=few),
        # The kernel cannot compare networks and states of a tracker: it sends the whole table.
        Row(("-L", "-s", "10.0.0.0/16"), WHOLE, most_of_floor=1.1),
        Row(("-L", "-p", "sctp", "--state", "SHUTDOWN_SENT"), None),
        Row(("-G", *tuple_words), repeats=50, most_of_debian=1.0),
        Row(("-C",), repeats=50, most_of_debian=1.0),
        Row(("-V",), repeats=50, most_of_debian=1.0),
    ]
    return floors, rows


def tcp_rows():
    """The same over a table that has TCP alone: nothing matches, and all is walked over."""
    floors = {WHOLE: (), "receive UDP": conditions(proto=17), "receive TCP": conditions(proto=6)}
    rows = [
        Row(("-L", "-p", "udp"), "receive UDP", most_of_floor=1.25, most_of_debian=0.2),
        Row(("-L", "-p", "tcp"), "receive TCP"),
    ]
    return floors, rows


def conditions(*families, **fields):
    """The words of `bench-helper dump`. Parts of a tuple need a family, so without one there are two dumps."""
    words = [f"{name}={value}" for name, value in fields.items()]
    groups = [[f"family={ {4: 2, 6: 10}[family] }", *words] for family in families or (4, 6)]
    return tuple(itertools.chain(groups[0], *([["+", *group] for group in groups[1:]])))


def pick(lines):
    """Values for conditions that few flows meet: those of a translated TCP flow, of marks and zones that are rare."""
    marks, zones = collections.Counter(), collections.Counter()
    for line in lines:
        marks.update(re.findall(rb" mark=(\d+)", line))
        zones.update(re.findall(rb" zone=(\d+)", line))
    marks.pop(b"0", None)
    if not marks or not zones:
        raise Failure("too small a table: no flow has a mark, or none a zone")
    wanted = re.compile(rb"^tcp .* src=(10\.\S+) dst=(198\.\S+) sport=(\d+) dport=(\d+) src=\S+ dst=203\.")
    for line in lines:
        found = wanted.search(line)
        if found and b" zone=" not in line:
            src, dst, sport, dport = (value.decode() for value in found.groups())
            words = ("-p", "tcp", "-s", src, "-d", dst, "--sport", sport, "--dport", dport)
            rare = lambda counted: min(counted, key=lambda value: (counted[value], value)).decode()
            return {"src": src, "dst": dst, "sport": sport, "mark": rare(marks), "zone": rare(zones), "tuple": words}
    raise Failure("too small a table: no translated TCP flow")


# ------------------------------------------------------------------------------------------- is the output the same

# Where the timeout stands, which runs down from list to list.
PLAIN = re.compile(rb"^(\S+ +\d+ )(\d+)( )")
EXTENDED = re.compile(rb"^(\S+ +\d+ \S+ +\d+ )(\d+)( )")
XML = re.compile(rb"(<timeout>)(\d+)(</timeout>)")
SAVE = re.compile(rb"( -t )(\d+)( )")
# In XML the states of SCTP have the names of TCP there and their own here (docs/differences.md).
SCTP_STATE = re.compile(rb'(protoname="sctp".*<state>)\w+(</state>)')


def timeout_of(words):
    if "xml" in words:
        return XML
    if "save" in words:
        return SAVE
    return EXTENDED if "extended,id" in words else PLAIN


def check_same(programs, row):
    """Both must print the same flows. Timeouts run down meanwhile: ours lie between two readings of Debian's."""
    if not row.is_list:
        return 0
    if row.ours_alone:
        return check_json(programs["ours"], row)
    earlier = listing(programs["Debian"], row)
    ours = listing(programs["ours"], row)
    later = listing(programs["Debian"], row)
    if earlier.keys() != later.keys():
        raise Failure("the table is not at rest: Debian's list differs from itself")
    if ours.keys() != earlier.keys():
        raise Failure(difference(row.label, earlier, ours))
    for line, (seconds,) in ours.items():
        if not later[line][0] <= seconds <= earlier[line][0]:
            raise Failure(f"timeout {seconds} of `{line.decode()}': Debian has {earlier[line]}, then {later[line]}")
    return len(ours)


def listing(program, row):
    """Line without its timeout -> timeouts."""
    run = output(program, row)
    timeout = timeout_of(row.words)
    found = {}
    for line in run.stdout.splitlines():
        seconds = timeout.search(line)
        if seconds:
            if timeout is XML:
                line = SCTP_STATE.sub(rb"\1*\2", line)
            found.setdefault(timeout.sub(rb"\1*\3", line), []).append(int(seconds.group(2)))
        elif not line.startswith((b"<?xml", b"<conntrack>", b"</conntrack>")):
            raise Failure(f"{program} {row.label} printed `{line.decode(errors='replace')}'")
    twice = next((line for line, timeouts in found.items() if len(timeouts) > 1), None)
    if twice:
        raise Failure(f"{program} {row.label} printed more than once: {twice.decode()}")
    said = f"{len(found)} flow entries have been shown"
    if said not in run.stderr.decode():
        raise Failure(f"{program} printed {len(found)} flows and said `{run.stderr.decode().strip()}'")
    return found


def check_json(program, row):
    """Nothing to compare with: as many flows as are said, none twice."""
    run = output(program, row)
    flows = [line for line in run.stdout.splitlines() if line.startswith(b'{"family":')]
    said = f"{len(flows)} flow entries have been shown"
    if said not in run.stderr.decode() or len(set(flows)) != len(flows):
        raise Failure(f"{program} {row.label} printed {len(flows)} flows and said `{run.stderr.decode().strip()}'")
    return len(flows)


def output(program, row):
    run = subprocess.run([program, *row.words], env=ENVIRONMENT, capture_output=True)
    if run.returncode != 0:
        raise Failure(f"{program} {row.label}: exit code {run.returncode}: {run.stderr.decode().strip()}")
    return run


def difference(label, theirs, ours):
    parts = [f"the lists differ ({label})"]
    for mark, lines in [("-", theirs.keys() - ours.keys()), ("+", ours.keys() - theirs.keys())]:
        parts += [f"{mark}{line.decode(errors='replace')}" for line in itertools.islice(sorted(lines), 5)]
    return "\n".join(parts)
