#!/usr/bin/env python3
"""json_xml.py JSON XML: whether two files, the output of `-o json` and of `-o xml,ktimestamp,labels`
for the same flows or expectations, say the same.  Prints how many entries and fields it compared.

XML has no place for an ICMP key, for NAT, for most status bits and for what the trackers keep beside
the state; and it prints 0 for ports that the kernel did not send.
"""
import json
import sys
import xml.etree.ElementTree as ET

PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")


def tuple_of_json(prefix, t, protocol):
    fields = {prefix + "src": t["src"], prefix + "dst": t["dst"]}
    if protocol in PORTS:
        fields[prefix + "sport"] = t.get("sport", 0)
        fields[prefix + "dport"] = t.get("dport", 0)
    if protocol == "gre":
        fields[prefix + "srckey"] = hex(t.get("srckey", 0))
        fields[prefix + "dstkey"] = hex(t.get("dstkey", 0))
    for name in ("zone", "packets", "bytes"):
        if name in t:
            fields[prefix + name] = t[name]
    return fields


def common(entry):
    protocol = entry["protocol"]["name"]
    return {"family": entry["family"], "protonum": entry["protocol"]["number"],
            "protoname": protocol or "unknown"}, protocol


def flow_of_json(flow):
    fields, protocol = common(flow)
    for name in ("original", "reply"):
        fields.update(tuple_of_json(name + ".", flow[name], protocol))
    for name, key in (("state", "state"), ("timeout", "timeout_s"), ("mark", "mark"),
                      ("secmark", "secmark"), ("secctx", "secctx"), ("zone", "zone"),
                      ("use", "use"), ("id", "id"), ("helper", "helper"), ("start", "start_ns"),
                      ("stop", "stop_ns"), ("deltatime", "delta_time_s")):
        if flow.get(key) is not None:
            fields[name] = flow[key]
    if "labels" in flow:
        fields["labels"] = [label["name"] for label in flow["labels"] if label["name"]]
    if flow["status"] is not None:
        fields["assured"] = "ASSURED" in flow["status"]
        fields["unreplied"] = "SEEN_REPLY" not in flow["status"]
    return fields


def flow_of_xml(flow):
    fields = {"assured": False, "unreplied": False}
    for meta in flow.findall("meta"):
        direction = meta.get("direction")
        if direction == "independent":
            for element in meta:
                if element.tag == "timestamp":
                    fields.update((part.tag, part.text) for part in element)
                elif element.tag == "labels":
                    fields["labels"] = [label.text for label in element]
                elif element.tag in ("assured", "unreplied"):
                    fields[element.tag] = True
                else:
                    fields[element.tag] = element.text
            continue
        layer3, layer4 = meta.find("layer3"), meta.find("layer4")
        fields.update(family=layer3.get("protoname"), protonum=layer4.get("protonum"),
                      protoname=layer4.get("protoname"))
        counters = meta.find("counters")
        parts = list(layer3) + list(layer4) + meta.findall("zone")
        for element in parts + (list(counters) if counters is not None else []):
            fields["%s.%s" % (direction, element.tag)] = element.text
    helper = flow.find("helper")
    if helper is not None:
        fields["helper"] = helper.text
    return fields


def expectation_of_json(expectation):
    fields, protocol = common(expectation)
    for name, key in (("expected", "tuple"), ("mask", "mask"), ("master", "master")):
        fields.update(tuple_of_json(name + ".", expectation[key], protocol))
    for name, key in (("helper-name", "helper"), ("timeout", "timeout_s"), ("class", "class"),
                      ("zone", "zone")):
        if expectation[key] is not None:
            fields[name] = expectation[key]
    for flag in ("PERMANENT", "INACTIVE", "USERSPACE"):
        if flag in expectation["flags"]:
            fields[flag.lower()] = None
    return fields


def expectation_of_xml(expectation):
    layer3, layer4 = expectation.find("layer3"), expectation.find("layer4")
    fields = dict(family=layer3.get("protoname"), protonum=layer4.get("protonum"),
                  protoname=layer4.get("protoname"))
    for layer in (layer3, layer4):
        for part in layer:
            for element in part:
                fields["%s.%s" % (part.tag, element.tag)] = element.text
    fields.update((element.tag, element.text) for element in expectation.find("meta"))
    return fields


def near(name, a, b):
    """Seconds pass, and packets may pass, between the two lists."""
    if name in ("timeout", "deltatime"):
        return abs(int(a) - int(b)) <= 5
    if isinstance(a, (list, bool)) or a is None:
        return a == b
    return name == "use" or str(a) == b


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        document = json.load(f)
    is_flows = "flows" in document
    entries = document["flows" if is_flows else "expectations"]
    from_json, from_xml = ((flow_of_json, flow_of_xml) if is_flows else
                           (expectation_of_json, expectation_of_xml))
    elements = ET.parse(sys.argv[2]).getroot().findall("flow")
    # The order of two lists of one table need not be the same; expectations have no id in XML.
    key = (lambda fields: int(fields["id"])) if is_flows else (lambda fields: fields["expected.dport"])
    a = sorted(map(from_json, entries), key=key)
    b = sorted(map(from_xml, elements), key=key)
    assert len(a) == len(b) > 0, (len(a), len(b))
    compared = 0
    for left, right in zip(a, b):
        assert left.keys() == right.keys(), left.keys() ^ right.keys()
        for name in left:
            assert near(name, left[name], right[name]), (name, left[name], right[name])
        compared += len(left)
    print("%d entries, %d fields" % (len(a), compared))


main()
