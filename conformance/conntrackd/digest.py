"""The tables of two nodes, flow by flow, as far as listings of the kernel and of the caches tell the same.

A flow is named by protocol, original tuple and zone. Of a flow all three tell state, status and mark, the kernel and
the internal cache the reply tuple too. Timeouts and counters are not kept alike by anyone.
"""

import hashlib

import pair

STATUS = {"[UNREPLIED]", "[ASSURED]", "[OFFLOAD]", "[HW_OFFLOAD]"}
PORTS = {"sport", "dport"}
TUPLE = {"dst", "type", "code", "id", *PORTS}
UDP_LITE = "136"
KINDS = ("missing", "stale", "outdated")


def flows_of(text):
    """name -> (state, status, mark, reply tuple or nothing), of a listing of the kernel or of a cache."""
    return dict(map(flow_of, text.splitlines()))


def flow_of(line):
    words = line.split()
    name, shown, state = [[], []], [], ""
    half, zone, mark = -1, "", ""
    number = words[1]
    for word in words[2:]:
        key, equals, value = word.partition("=")
        if not equals:
            if word in STATUS:
                shown.append(word)
            elif word.startswith("["):
                # What a cache says of the entry itself.
                break
            elif not word.isdigit():
                state = word
        elif key == "src":
            half += 1
            name[half].append(word)
        elif key == "mark":
            mark = value
        elif key == "zone":
            zone = value
        elif key in TUPLE and (number != UDP_LITE or key not in PORTS):
            name[half].append(word)
    original, reply = map(" ".join, name)
    return (number, original, zone), (state, " ".join(shown), mark, reply)


class Tables:
    """What the kernel of a node, its internal cache and the external cache of the other have."""

    def __init__(self, nodes, node="a"):
        self.kernel = kernel(nodes, node)
        self.internal = flows_of(nodes.ask(node, pair.INTERNAL))
        self.external = flows_of(nodes.ask(pair.OTHER[node], pair.EXTERNAL))

    def faults(self):
        """What is wrong with the internal and with the external cache: kind -> names."""
        return {
            "internal": differences(self.kernel, self.internal),
            "external": differences(without_reply(self.kernel), without_reply(self.external)),
        }

    def digests(self):
        return [digest(table) for table in (self.kernel, self.internal, self.external)]


def kernel(nodes, node):
    return flows_of(nodes.conntrack(node, "-L"))


def without_reply(table):
    return {name: shown[:3] for name, shown in table.items()}


def digest(table):
    """A short word for what all three tell alike."""
    lines = sorted(repr(item) for item in without_reply(table).items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def differences(want, have):
    missing, stale = want.keys() - have.keys(), have.keys() - want.keys()
    outdated = {name for name, shown in want.items() if name in have and have[name] != shown}
    return dict(zip(KINDS, (missing, stale, outdated)))


def are_alike(faults):
    return not any(names for kinds in faults.values() for names in kinds.values())


def summary(kinds):
    return ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items())
