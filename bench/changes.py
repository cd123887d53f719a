"""What `compare` measures of changes and events: what runs, the floor under each, what it should cost, and whether both
programs did the same."""

import dataclasses
import json
import os
import re
import signal
import statistics
import subprocess
import time
from pathlib import Path

import lists
from machine import ENVIRONMENT, FULL, Failure, note, output

# The filters of deletes and updates: an eighth of the mixed table each (`asks_for_names` and `is_tcp_over_ipv6` of
# helper/src/mix.rs).
DELETED = ("-p", "udp", "--dport", "53")
DELETED_CONDITIONS = lists.conditions(proto=17, dport=53)
UPDATED = ("-f", "ipv6", "-p", "tcp")
UPDATED_CONDITIONS = lists.conditions(6, proto=6)
MARK = "77"
# Of the events: changes a second, seconds, seed.
CHURN = ("100000", "3", "1")
# Sysctl of this network namespace: whether flows have what events need. By default that depends on whether anybody
# listens, in whatever namespace.
EVENTS = Path("/proc/sys/net/netfilter/nf_conntrack_events")
# So long a program has to open its socket, and to take what is left in it.
SETTLE_S = 0.5


@dataclasses.dataclass(frozen=True)
class Change:
    """A command line that changes the table, which is made anew before each run. `floor` is what the helper does instead."""

    label: str
    words: tuple
    floor: tuple | None = None
    # What the table is before: the mixed one, nothing, or the mixed one with its one flow anew.
    before: str = "full"
    # At most this many times the floor, and of Debian's wall time.
    most_of_floor: float | None = None
    most_of_debian: float | None = None
    # So many are made: the row shows how many a second.
    flows: int | None = None
    # Runs that are timed as one.
    repeats: int = 1
    # Debian's ends in the middle: it does not find flows in zones, and loses answers of the kernel.
    ours_alone: bool = False


def rows(flows, saved, one, zoned):
    """The rows over a table of so many flows. `saved` is a file of them; `one` and `zoned` are words for one flow each."""
    count = str(flows)
    return [
        # 200,000 flows a second where the bare loop has 300,000. What a short file takes is mostly the start.
        Change(
            "-R FILE",
            ("-R", saved),
            ("fill", "0", count),
            "empty",
            most_of_floor=1.5,
            most_of_debian=0.25 if flows > 100_000 else None,
            flows=flows,
        ),
        Change(
            f"-D {' '.join(DELETED)}",
            ("-D", *DELETED),
            ("delete-some", "0", count, *DELETED_CONDITIONS),
            most_of_floor=1.5,
            most_of_debian=1.0,
        ),
        Change(
            f"-U {' '.join(UPDATED)} -m {MARK}",
            ("-U", *UPDATED, "-m", MARK),
            ("mark-some", "0", count, MARK, *UPDATED_CONDITIONS),
            most_of_floor=1.5,
            ours_alone=True,
        ),
        Change("-D TUPLE", ("-D", *one), before="one", most_of_debian=1.0),
        Change("-U TUPLE", ("-U", *one, "-m", MARK), before="one", most_of_debian=1.0),
        Change("-G TUPLE", ("-G", *one), before="one", most_of_debian=1.0, repeats=50),
        # Here no other flow can be meant, so that it is looked up.
        Change("-D TUPLE -w ZONE", ("-D", *zoned), before="one", most_of_debian=0.1),
    ]


def measured(helper, programs, asked, rounds, limit, directory, debian):
    """The rows of one size of the table."""
    EVENTS.write_text("0")
    flows = min(asked, int(limit * FULL))
    table = Table(helper, debian, flows, directory)
    table.fill()
    table.save()
    found = {"kind": "changes", "asked": asked, "flows": flows, "rows": []}
    for row in rows(flows, table.saved, *table.pick()):
        note(f"{row.label}, {flows} flows")
        check_same(helper, programs, row, table)
        runs = {}
        for turn in range(rounds + 1):
            for name, command in subjects(helper, programs, row):
                table.make(row.before)
                used = json.loads(output([helper, "measure", str(row.repeats), "/dev/null", *command]))
                for key in ("wall_us", "user_us", "sys_us"):
                    used[key] /= row.repeats
                if turn:
                    runs.setdefault(name, []).append(used)
        found["rows"].append(summary(row, runs))
    table.clear()
    return found


def subjects(helper, programs, row):
    """A floor stands before the programs that are held against it."""
    if row.floor:
        yield "floor", [helper, *row.floor]
    for name, program in programs.items():
        if name == "ours" or not row.ours_alone:
            yield name, [program, *row.words]


class Table:
    """The table of this network namespace, and its flows in a file."""

    def __init__(self, helper, debian, flows, directory):
        self.helper, self.debian, self.flows = helper, debian, flows
        self.saved = os.path.join(directory, f"saved-{flows}")
        self.ones = os.path.join(directory, f"ones-{flows}")

    def clear(self):
        output([self.debian, "-F"])

    def fill(self):
        self.clear()
        output([self.helper, "fill", "0", str(self.flows)])

    def save(self):
        run = subprocess.run([self.debian, "-L", "-o", "save"], env=ENVIRONMENT, capture_output=True, check=True)
        # What has no protocol option of its own is saved by Debian's in a form that it does not take back.
        Path(self.saved).write_bytes(run.stdout)

    def pick(self):
        """Words for a flow in the default zone, and for one in a zone of its own; both go into a file."""
        lines = Path(self.saved).read_text().splitlines()
        tcp = [line for line in lines if "-p tcp" in line and " -n " not in line and " -g " not in line and "." in line]
        one = next(line for line in tcp if " -w " not in line)
        zoned = next(line for line in tcp if " -w " in line)
        Path(self.ones).write_text(f"{one}\n{zoned}\n")
        return [self.words(line) for line in (one, zoned)]

    def words(self, line):
        wanted = r"(?<!\S)(-[sdpw]|--[sd]port) (\S+)"
        return tuple(word for option, value in re.findall(wanted, line) for word in (option, value))

    def make(self, before):
        if before == "empty":
            self.clear()
        elif before == "full":
            self.fill()
        else:
            if int(output([self.debian, "-C"])) < self.flows - 2:
                self.fill()
            for line in Path(self.ones).read_text().splitlines():
                # It may be gone already.
                subprocess.run([self.debian, "-D", *self.words(line)], env=ENVIRONMENT, capture_output=True)
            subprocess.run([self.debian, "-R", self.ones], env=ENVIRONMENT, check=True, capture_output=True)


def check_same(helper, programs, row, table):
    """All must leave the same flows, and both programs show the same ones. Timeouts run down meanwhile."""
    seen = {"said": {}, "shown": {}, "left": {}}
    for name, command in subjects(helper, programs, row):
        table.make(row.before)
        run = subprocess.run(command, env=ENVIRONMENT, capture_output=True)
        if run.returncode != 0:
            raise Failure(f"{name} {row.label}: exit code {run.returncode}: {run.stderr.decode().strip()}")
        if name == "floor" and row.before == "empty":
            # Saved lines have no marks.
            continue
        seen["left"][name] = frozenset(lists.listing(table.debian, lists.Row(("-L",))))
        if name != "floor":
            seen["said"][name] = frozenset([re.sub(rb"v[\d.]+", b"", run.stderr)])
            seen["shown"][name] = frozenset(lists.PLAIN.sub(rb"\1*\3", line) for line in run.stdout.splitlines())
    for what, by_name in seen.items():
        (first, theirs), *others = by_name.items()
        for name, ours in others:
            if ours != theirs:
                label = f"{row.label}: {what}, {first} and {name}"
                raise Failure(lists.difference(label, dict.fromkeys(theirs), dict.fromkeys(ours)))


def summary(row, runs):
    result = {"label": row.label, "runs": {}, "targets": {}}
    for name, used in runs.items():
        wall = [run["wall_us"] for run in used]
        result["runs"][name] = {
            "wall": statistics.median(wall),
            "min": min(wall),
            "max": max(wall),
            "user": statistics.median(run["user_us"] for run in used),
            "sys": statistics.median(run["sys_us"] for run in used),
            "rss": max(run["max_rss_kib"] for run in used),
        }
        if row.flows:
            result["runs"][name]["rate"] = row.flows / statistics.median(wall) * 1e6
    ours = runs.get("ours")
    for name in ("floor", "Debian"):
        if ours and name in runs:
            pairs = zip(ours, runs[name])
            result["runs"]["ours"][f"to_{name}"] = statistics.median(a["wall_us"] / b["wall_us"] for a, b in pairs)
    if ours:
        of_ours = result["runs"]["ours"]
        for key, most, what in [
            ("to_floor", row.most_of_floor, "wall ≤ {} × floor"),
            ("to_Debian", row.most_of_debian, "wall ≤ {} × Debian"),
            ("rss", lists.MOST_RSS_KIB, "RSS ≤ {} KiB"),
        ]:
            if most is not None and key in of_ours:
                result["targets"][what.format(most)] = of_ours[key] <= most
    return result


# ------------------------------------------------------------------------------------------------------------ events


def events(helper, programs, flows, rounds, directory, debian):
    """Both programs watch the same changes, one after the other. All that happened must have been received or lost."""
    EVENTS.write_text("1")
    found = {"kind": "events", "flows": flows, "churn": CHURN, "runs": []}
    table = Table(helper, debian, flows, directory)
    for turn in range(rounds):
        for name, program in programs.items():
            note(f"events, round {turn + 1} of {rounds}: {name}")
            table.fill()
            run = watch(helper, program, flows, os.path.join(directory, "events"))
            # Ours says what was lost, if anything was.
            if name == "ours" and run["received"] + run.get("lost", 0) != run["generated"]:
                raise Failure(f"{run['received']} received, {run.get('lost', 0)} lost, of {run['generated']} events")
            found["runs"].append({"program": name, **run})
    table.clear()
    return found


def watch(helper, program, flows, path):
    with open(path, "wb") as shown:
        watcher = subprocess.Popen([program, "-E"], env=ENVIRONMENT, stdout=shown, stderr=subprocess.PIPE)
        try:
            time.sleep(SETTLE_S)
            made = output([helper, "churn", "0", str(flows), *CHURN])
            time.sleep(SETTLE_S)
        finally:
            watcher.send_signal(signal.SIGINT)
        said = watcher.stderr.read().decode()
        _, status, used = os.wait4(watcher.pid, 0)
        watcher.returncode = os.waitstatus_to_exitcode(status)
    created, updated, destroyed, refused, took_us = map(int, made.split())
    lines = Path(path).read_bytes().count(b"\n")
    result = {
        "generated": created + updated + destroyed - refused,
        "rate": round((created + updated + destroyed) / took_us * 1e6),
        "received": lines,
        "cpu_us": (used.ru_utime + used.ru_stime) * 1e6,
    }
    counted = re.search(r"(\d+) events received, (\d+) lost", said)
    if counted:
        received, result["lost"] = map(int, counted.groups())
        if received != lines:
            raise Failure(f"{received} events received, {lines} shown")
    return result


# ------------------------------------------------------------------------------------------------------------ output


def text(result):
    yield from (events_text if result["kind"] == "events" else changes_text)(result)


def changes_text(result):
    yield f"## Changes of a mixed table of {result['flows']} flows"
    yield ""
    yield "- both programs showed the same flows, said the same and left the same table"
    yield "- *floor*: the filtered dump and batches of bare deletes or updates; of `-R`, batches of bare creations"
    yield ""
    yield (
        "| | wall ms: median | min | max | user ms | sys ms | max RSS KiB | flows/s | wall / floor | wall / Debian | targets |"
    )
    yield "|---|" + "---:|" * 9 + "---|"
    for row in result["rows"]:
        for name, numbers in row["runs"].items():
            targets = row["targets"].items() if name == "ours" else ()
            cells = [
                f"**{name}** of `{row['label']}`" if name == "floor" else f"{name} `{row['label']}`",
                *(f"{numbers[key] / 1000:.2f}" for key in ("wall", "min", "max", "user", "sys")),
                f"{numbers['rss']:.0f}",
                f"{numbers['rate']:.0f}" if "rate" in numbers else "",
                *(f"{numbers[key]:.2f}" if key in numbers else "" for key in ("to_floor", "to_Debian")),
                "; ".join(f"{'met' if met else '**missed**'}: {what}" for what, met in targets),
            ]
            yield "| " + " | ".join(cells) + " |"


def events_text(result):
    rate, seconds, _ = result["churn"]
    yield f"## Events of {result['flows']} flows, {rate} changes a second for {seconds} s"
    yield ""
    yield "- of ours, received + lost = generated in every run"
    yield ""
    yield "| | changes/s reached | generated | received | lost | CPU ms | events per CPU second |"
    yield "|---|" + "---:|" * 6
    rates = {}
    for run in result["runs"]:
        per_second = run["received"] / max(run["cpu_us"], 1) * 1e6
        rates.setdefault(run["program"], []).append(per_second)
        lost = run.get("lost", run["generated"] - run["received"])
        numbers = (run["rate"], run["generated"], run["received"], lost)
        yield f"| {run['program']} | " + " | ".join(map(str, numbers)) + f" | {run['cpu_us'] / 1000:.0f} | {per_second:.0f} |"
    if "ours" in rates and "Debian" in rates:
        ratio = statistics.median(rates["ours"]) / statistics.median(rates["Debian"])
        yield ""
        yield f"Ours / Debian: {ratio:.2f} ({'met' if ratio >= 3 else '**missed**'}: events per CPU second ≥ 3 × Debian)"
