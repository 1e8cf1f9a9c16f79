#!/usr/bin/env python3
"""Compares `peloton replay --fragments --json` with tshark's reassembly, five-tuple by five-tuple.

usage: fragments.py CAPTURE RECORDS.jsonl

The rule is that of flows.py, but that a later fragment is of the flow of the first one of its datagram, if that came before it.
What the datagram has for ports is what tshark dissects of it when it is reassembled; of one that is not whole it is what the
first fragment has.
Prints each difference, and last how many later fragments have ports; exits with 1 when there is any difference.
"""

import subprocess
import sys

import compare
import flows
from headers import Measured

FIELDS = ["frame.number", "ip.fragment", "ipv6.fragment", *flows.PORT_FIELDS[6], *flows.PORT_FIELDS[17],
          "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code"]  # fmt: skip
FRAGMENTS = ["ip.src", "ip.dst", "ip.proto", "ip.id", "ip.frag_offset", "ip.flags.mf", "ipv6.src", "ipv6.dst",
             "ipv6.fraghdr.nxt", "ipv6.fraghdr.ident", "ipv6.fraghdr.offset", "ipv6.fraghdr.more"]  # fmt: skip


def tshark(path, reassembles, fields, occurrence):
    """One dictionary a packet."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", f"occurrence={occurrence}"]
    for preference in ("ip.defragment", "ipv6.defragment"):
        command += ["-o", f"{preference}:{reassembles}"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [dict(zip(fields, line.split("\t"))) for line in done.stdout.splitlines()]


def reassembled(path):
    """Protocol and ports of datagrams, by the frames of their fragments."""
    upper = {}
    for row in tshark(path, "TRUE", FIELDS, "a"):
        frames = row["ip.fragment"] or row["ipv6.fragment"]
        for frame in frames.split(",") if frames else []:
            upper[int(frame)] = _upper(row)
    return upper


def _upper(row):
    for protocol in (6, 17):
        source, destination = flows.PORT_FIELDS[protocol]
        if row[source]:
            return protocol, int(row[source].split(",")[0]), int(row[destination].split(",")[0])
    for protocol, (kind, code) in flows.ICMP_FIELDS.items():
        if row[kind]:
            return protocol, 0, int(row[kind].split(",")[0]) * 256 + int(row[code].split(",")[0])
    return None


def summarize(path):
    """The sums of a capture, and how many later fragments have ports in them."""
    verdicts = [second if first is None else first for first, second in flows.verdicts(path)]
    upper, firsts, attributed = reassembled(path), {}, 0
    for at, row in enumerate(tshark(path, "FALSE", FRAGMENTS, "f")):
        verdict, four = verdicts[at], row["ip.src"] != ""
        datagram = tuple(row[field] for field in (FRAGMENTS[:4] if four else FRAGMENTS[6:10]))
        offset, more = (row[field] for field in (FRAGMENTS[4:6] if four else FRAGMENTS[10:]))
        if offset == "" or isinstance(verdict, str):
            continue
        if int(offset, 0) == 0:
            if more in ("1", "True"):
                own = verdict.flow
                firsts[datagram] = upper.get(at + 1) or (own.protocol, own.source_port, own.destination_port)
        elif datagram in firsts:
            protocol, source, destination = firsts[datagram]
            flow = verdict.flow._replace(protocol=protocol, source_port=source, destination_port=destination)
            verdicts[at] = Measured(flow, verdict.octets)
            attributed += 1
    summary = flows.Summary()
    for verdict in verdicts:
        summary.add(verdict)
    return summary, attributed


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected, attributed = summarize(sys.argv[1])
    seen, layer2 = compare.summed(sys.argv[2])
    found = list(compare.differences(expected, seen, layer2))
    for line in found:
        print(line)
    print(attributed)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
