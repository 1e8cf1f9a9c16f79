#!/usr/bin/env python3
"""Compares what records tell of TCP's sequence numbers with Wireshark's analysis, five-tuple by five-tuple.

usage: sequence.py CAPTURE RECORDS.jsonl

Compared are segments behind a gap (tcp.analysis.lost_segment), and segments that came again or late: Wireshark tells the two
apart by acknowledgments and round trips, too, so that their sum is what both must agree on. Keep-alives are neither. Prints each
difference, and last the sums of Wireshark: behind a gap, again, late. Exits with 1 when there is any difference.
"""

import collections
import subprocess
import sys

import compare
import flows
from headers import Flow

FIELDS = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "tcp.analysis.lost_segment",
          "tcp.analysis.retransmission", "tcp.analysis.out_of_order"]  # fmt: skip


def analysed(path):
    """For each five-tuple: segments behind a gap, sent again, late."""
    listed = subprocess.run(["tshark", "-G", "protocols"], check=True, capture_output=True, text=True).stdout
    known = {line.split("\t")[2] for line in listed.splitlines()}
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f",
               "-o", "tcp.analyze_sequence_numbers:TRUE", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]  # fmt: skip
    for protocol in sorted(known - flows.KEPT_PROTOCOLS):
        command += ["--disable-protocol", protocol]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    counts = collections.defaultdict(lambda: [0, 0, 0])
    for line in done.stdout.splitlines():
        row = dict(zip(FIELDS, line.split("\t")))
        if not row["tcp.srcport"]:
            continue
        source, destination = row["ip.src"] or row["ipv6.src"], row["ip.dst"] or row["ipv6.dst"]
        flow = Flow(source, destination, 6, int(row["tcp.srcport"]), int(row["tcp.dstport"]))
        for at, field in enumerate(FIELDS[6:]):
            counts[flow][at] += row[field] != ""
    return counts


def recorded(path):
    """The same of the records."""
    counts = collections.defaultdict(lambda: [0, 0, 0])
    for record in compare.records(path):
        flow = compare.flow_of(record)
        for at, name in enumerate(["TRANSPORT_EVENT_PACKET_LOSS", "RETRANSMITTED_IN_PKTS", "OOORDER_IN_PKTS"]):
            counts[flow][at] += int(record.get(name, 0))
    return counts


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected, seen = analysed(sys.argv[1]), recorded(sys.argv[2])
    differs = 0
    for flow in sorted(expected.keys() | {flow for flow, counts in seen.items() if any(counts)}):
        lost, again, late = expected[flow]
        own_lost, own_again, own_late = seen[flow]
        if (lost, again + late) != (own_lost, own_again + own_late):
            differs += 1
            print(
                f"{compare.describe(flow)}: Wireshark has {lost} behind a gap, {again} again, {late} late; "
                f"the records {own_lost}, {own_again}, {own_late}"
            )
    print(*(sum(counts[at] for counts in expected.values()) for at in range(3)))
    sys.exit(1 if differs else 0)


if __name__ == "__main__":
    main()
