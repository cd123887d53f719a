"""What every benchmark script says of the machine, and how it runs commands."""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# Beyond this part of nf_conntrack_max the kernel begins to evict flows on its own (at 95 %).
FULL = 0.9


class Failure(Exception):
    """Ends a benchmark with a message."""


def build_helper():
    """Builds the helper and returns its path. Outside of the namespace: cargo may need the network."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    manifest = BENCH / "helper" / "Cargo.toml"
    command = ["cargo", "build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", target]
    if subprocess.run(command).returncode != 0:
        raise Failure("the helper does not build")
    return target / "release" / "bench-helper"


def describe_machine():
    # Loads the module on a machine that has not used it yet; built-in or refused, the reading below tells.
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", "nf_conntrack"], stderr=subprocess.DEVNULL)
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "cpu": cpu.group(1) if cpu else "unknown",
        "cores": os.cpu_count(),
        "nf_conntrack_buckets": sysctl("nf_conntrack_buckets"),
        "nf_conntrack_max": sysctl("nf_conntrack_max"),
        "load_before": os.getloadavg()[0],
    }


def sysctl(name):
    try:
        return int(Path("/proc/sys/net/netfilter", name).read_text())
    except OSError as error:
        raise Failure(f"no connection tracking in this kernel: {error.strerror} ({name})") from error


def revision():
    """The commit of this tree, if there is git and it is one."""
    git = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}"]
    try:
        commit = output([*git, "rev-parse", "--short=12", "HEAD"]).strip()
        changed = output([*git, "status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"]).strip()
    except (Failure, FileNotFoundError):
        return None
    return commit + (" and changes" if changed else "")


def table_size(wanted, limit):
    most = int(limit * FULL)
    if wanted <= most:
        return wanted
    note(f"nf_conntrack_max is {limit}: {most} flows instead of {wanted}")
    return most


def cpu_ticks():
    """Ticks of all CPUs since the start of the machine: busy, stolen, all."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = fields
    return user + nice + system + irq + softirq, steal, sum(fields)


def record(result, text, name):
    """Writes results/<date>-<name>.md and .json."""
    directory = BENCH / "results"
    directory.mkdir(exist_ok=True)
    stem = f"{result['date'].split()[0]}-{name}"
    (directory / f"{stem}.md").write_text(text)
    (directory / f"{stem}.json").write_text(json.dumps(result, indent=1) + "\n")
    note(f"written: bench/results/{stem}.md and .json")


def output(command):
    run = subprocess.run([str(word) for word in command], env=ENVIRONMENT, capture_output=True, text=True)
    if run.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {run.stderr.strip()}")
    return run.stdout


def note(text):
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)
