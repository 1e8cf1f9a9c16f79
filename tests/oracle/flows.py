#!/usr/bin/env python3
"""Sums a capture's packets and IP octets per five-tuple, as tshark sees them.

usage: flows.py [--json] [--check] CAPTURE

The rule: a packet counts when the fixed header of its outermost IP header (behind any VLAN tags, MPLS labels and PPPoE)
was captured, with the right version and a header length of at least 20. Octets are the IP total length, and the rest of
the frame where that is 0. Later fragments have ports 0; ICMP has type * 256 + code as its destination port.

tshark dissects with reassembly off and with every protocol off that could find an inner packet in a payload. Where it
finds an IP header but stops before an answer (a cut or contradictory header), the parser of headers.py judges, and the summary says how often.
--check compares both on every packet instead, and exits with 1 when they differ.
"""

import argparse
import collections
import json
import subprocess
import sys

import capfile
import headers
from headers import Flow, Measured

KEPT_PROTOCOLS = {
    "frame", "eth", "ethertype", "vlan", "ieee8021ad", "mpls", "pppoes", "ppp", "llc", "sll", "raw", "ip", "ipv6",
    "ipv6.hopopts", "ipv6.routing", "ipv6.fraghdr", "ipv6.dstopts", "ah", "tcp", "udp", "udplite", "sctp", "dccp",
    "icmp", "icmpv6", "data",
}  # fmt: skip
LINK_LAYERS = {"frame", "eth", "ethertype", "vlan", "ieee8021ad", "mpls", "pppoes", "ppp", "llc", "sll", "raw"}
PREFERENCES = [
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "ip.try_heuristic_first:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
]
FIELDS = [
    "frame.number", "frame.protocols", "frame.len",
    "ip.version", "ip.hdr_len", "ip.len", "ip.proto", "ip.src", "ip.dst", "ip.frag_offset",
    "ipv6.version", "ipv6.plen", "ipv6.nxt", "ipv6.src", "ipv6.dst",
    "ipv6.hopopts.nxt", "ipv6.routing.nxt", "ipv6.fraghdr.nxt", "ipv6.fraghdr.offset", "ipv6.dstopts.nxt",
    "ah.next_header",
    "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport",
    "dccp.srcport", "dccp.dstport", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code",
]  # fmt: skip
PORT_FIELDS = {
    6: ("tcp.srcport", "tcp.dstport"),
    17: ("udp.srcport", "udp.dstport"),
    33: ("dccp.srcport", "dccp.dstport"),
    132: ("sctp.srcport", "sctp.dstport"),
    136: ("udp.srcport", "udp.dstport"),
}
ICMP_FIELDS = {1: ("icmp.type", "icmp.code"), 58: ("icmpv6.type", "icmpv6.code")}
EXTENSION_FIELDS = {
    0: "ipv6.hopopts.nxt",
    43: "ipv6.routing.nxt",
    44: "ipv6.fraghdr.nxt",
    51: "ah.next_header",
    60: "ipv6.dstopts.nxt",
}


class Unjudged(Exception):
    """tshark did not dissect far enough."""


class Summary:
    """Flows, and what was not measured, by reason."""

    def __init__(self):
        self.packets = 0
        self.flows = {}
        self.not_measured = collections.Counter()
        self.second_opinions = 0

    def add(self, verdict):
        self.packets += 1
        if isinstance(verdict, str):
            self.not_measured[verdict] += 1
            return
        packets, octets = self.flows.get(verdict.flow, (0, 0))
        self.flows[verdict.flow] = (packets + 1, octets + verdict.octets)

    def measured(self):
        return sum(packets for packets, _ in self.flows.values())

    def octets(self):
        return sum(octets for _, octets in self.flows.values())


def dissected(path):
    """One dictionary a packet: field name to the list of its values, outermost first."""
    listed = subprocess.run(["tshark", "-G", "protocols"], check=True, capture_output=True, text=True).stdout
    known = {line.split("\t")[2] for line in listed.splitlines()}
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for protocol in sorted(known - KEPT_PROTOCOLS):
        command += ["--disable-protocol", protocol]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"tshark failed on {path}: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        yield {name: value.split(";") if value else [] for name, value in zip(FIELDS, line.split("\t"))}


def judge_by_tshark(fields, rest):
    """tshark's verdict. `rest` is how many bytes the frame has from its IP header on."""
    layers = fields["frame.protocols"][0].split(":") if fields["frame.protocols"] else []
    outer = next((layer for layer in layers if layer not in LINK_LAYERS), None)
    if outer == "ip":
        return _ip4(fields, rest)
    if outer == "ipv6":
        return _ip6(fields, rest)
    return headers.NOT_IP


def _first(fields, name, at=0):
    if len(fields[name]) <= at:
        raise Unjudged
    return fields[name][at]


def _number(fields, name, at=0):
    return int(_first(fields, name, at), 0)


def _ip4(fields, rest):
    if _number(fields, "ip.version") != 4 or _number(fields, "ip.hdr_len") < 20:
        return headers.BAD_IP
    protocol = _number(fields, "ip.proto")
    later = _number(fields, "ip.frag_offset") != 0
    ports = (0, 0) if later else _ports(fields, protocol)
    flow = Flow(_first(fields, "ip.src"), _first(fields, "ip.dst"), protocol, *ports)
    return Measured(flow, _number(fields, "ip.len") or rest)


def _ip6(fields, rest):
    if _number(fields, "ipv6.version") != 6:
        return headers.BAD_IP
    protocol, used, later = _number(fields, "ipv6.nxt"), collections.Counter(), False
    source, destination = _first(fields, "ipv6.src"), _first(fields, "ipv6.dst")
    length = _number(fields, "ipv6.plen")
    octets = 40 + length if length or protocol == 59 else rest
    while protocol in EXTENSION_FIELDS and not later:
        if protocol == 44:
            later = _number(fields, "ipv6.fraghdr.offset", used[44]) != 0
        kind, protocol = protocol, _number(fields, EXTENSION_FIELDS[protocol], used[protocol])
        used[kind] += 1
    ports = (0, 0) if later else _ports(fields, protocol)
    return Measured(Flow(source, destination, protocol, *ports), octets)


def _ports(fields, protocol):
    if protocol in PORT_FIELDS:
        source, destination = PORT_FIELDS[protocol]
        return _number(fields, source), _number(fields, destination)
    if protocol in ICMP_FIELDS:
        kind, code = ICMP_FIELDS[protocol]
        return 0, _number(fields, kind) * 256 + _number(fields, code)
    return 0, 0


def verdicts(path):
    """For each packet: tshark's verdict or None, and the second opinion."""
    rows = list(dissected(path))
    frames = list(capfile.frames(path))
    if len(rows) != len(frames):
        raise SystemExit(f"{path}: tshark has {len(rows)} packets, the file {len(frames)}")
    for fields, frame in zip(rows, frames):
        second = headers.judge(*frame)
        try:
            first = judge_by_tshark(fields, headers.rest_of_frame(*frame))
        except Unjudged:
            first = None
        # That there is no IP header is for tshark to say, why there is none for the parser: the protocols that
        # would tell are off.
        yield second if first == headers.NOT_IP and isinstance(second, str) else first, second


def summarize(path):
    """The sums of a capture."""
    summary = Summary()
    for first, second in verdicts(path):
        summary.add(second if first is None else first)
        summary.second_opinions += first is None
    return summary


def check(path):
    """Prints where tshark and the second opinion differ; returns how often."""
    differences = 0
    for number, (first, second) in enumerate(verdicts(path), 1):
        if first is not None and first != second:
            differences += 1
            print(f"{path}: packet {number}: tshark says {first}, the parser says {second}")
    return differences


def print_table(summary):
    for flow, (packets, octets) in sorted(summary.flows.items()):
        print(*flow, packets, octets, sep="\t")
    print(f"# packets {summary.packets}, measured {summary.measured()}, octets {summary.octets()}")
    for reason, packets in sorted(summary.not_measured.items()):
        print(f"# not measured: {reason}: {packets}")
    if summary.second_opinions:
        print(f"# judged by headers.py, where tshark gave no answer: {summary.second_opinions}")


def print_json(summary):
    flows = [
        {**flow._asdict(), "packets": packets, "octets": octets}
        for flow, (packets, octets) in sorted(summary.flows.items())
    ]
    json.dump(
        {
            "packets": summary.packets,
            "measured": summary.measured(),
            "octets": summary.octets(),
            "not_measured": dict(sorted(summary.not_measured.items())),
            "second_opinions": summary.second_opinions,
            "flows": flows,
        },
        sys.stdout,
        indent=1,
    )
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--check", action="store_true", help="compare tshark with the second opinion")
    parser.add_argument("capture")
    options = parser.parse_args()
    if options.check:
        sys.exit(1 if check(options.capture) else 0)
    summary = summarize(options.capture)
    (print_json if options.json else print_table)(summary)


if __name__ == "__main__":
    main()
