#!/usr/bin/env python3
"""Compares `peloton replay --fragments --json` with tshark's reassembly, five-tuple by five-tuple.

usage: fragments.py CAPTURE RECORDS.jsonl

The rule is that of flows.py, but that a later fragment is of the flow of the first one of its datagram, if that came before it.
Which frames are of a datagram is what tshark reassembles; what the datagram has for ports is what tshark dissects of it.
Prints each difference, and last how many later fragments have ports; exits with 1 when there is any difference.
"""

import subprocess
import sys

import compare
import flows
from headers import Measured

FIELDS = ["frame.number", "ip.fragment", "ipv6.fragment", "ip.proto", *flows.PORT_FIELDS[6], *flows.PORT_FIELDS[17],
          "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code"]  # fmt: skip


def datagrams(path):
    """For each reassembled datagram: its frames in order of offset, and protocol and ports."""
    command = ["tshark", "-n", "-r", path, "-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE", "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        row = dict(zip(FIELDS, line.split("\t")))
        frames = row["ip.fragment"] or row["ipv6.fragment"]
        if not frames:
            continue
        yield [int(frame) for frame in frames.split(",")], _upper(row)


def _upper(row):
    for protocol, names in flows.PORT_FIELDS.items():
        if names[0] in row and row[names[0]]:
            return protocol, int(row[names[0]].split(",")[0]), int(row[names[1]].split(",")[0])
    for protocol, (kind, code) in flows.ICMP_FIELDS.items():
        if row[kind]:
            return protocol, 0, int(row[kind].split(",")[0]) * 256 + int(row[code].split(",")[0])
    return None


def summarize(path):
    """The sums of a capture, and how many later fragments have ports in them."""
    verdicts = [second if first is None else first for first, second in flows.verdicts(path)]
    attributed = 0
    for frames, upper in datagrams(path):
        first = frames[0]
        for frame in frames[1:]:
            if frame < first or upper is None:
                continue
            old = verdicts[frame - 1]
            flow = old.flow._replace(protocol=upper[0], source_port=upper[1], destination_port=upper[2])
            verdicts[frame - 1] = Measured(flow, old.octets)
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
