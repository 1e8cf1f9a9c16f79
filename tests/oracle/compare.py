#!/usr/bin/env python3
"""Compares `peloton replay --json` with tshark, five-tuple by five-tuple.

usage: compare.py CAPTURE RECORDS.jsonl        (`-` reads the records from standard input)

Prints each difference and a summary; exits with 1 when there is any difference.
"""

import collections
import ipaddress
import json
import sys

import flows
from headers import ICMP_PROTOCOLS, Flow


def records(path):
    """The records of a file with one JSON object a line."""
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"{path}:{number}: not a JSON object: {error}")


def address(record, side):
    """The address of a record's `source` or `destination` in its shortest form; None in a layer-2 record."""
    for version in ("IPv4", "IPv6"):
        value = record.get(f"{side}{version}Address")
        if value is not None:
            return str(ipaddress.ip_address(value))
    return None


def flow_of(record):
    """The five-tuple of a record, or None when it is a layer-2 record."""
    source, destination = address(record, "source"), address(record, "destination")
    if source is None or destination is None:
        return None
    protocol = int(record["protocolIdentifier"])
    source_port = int(record.get("sourceTransportPort", 0))
    destination_port = int(record.get("destinationTransportPort", 0))
    if protocol in ICMP_PROTOCOLS:
        source_port = 0
        for name in ("icmpTypeCodeIPv4", "icmpTypeCodeIPv6"):
            destination_port = int(record.get(name, destination_port))
    return Flow(source, destination, protocol, source_port, destination_port)


def summed(path):
    """Packets and octets of all records by five-tuple, and the packets of layer-2 records."""
    sums, layer2 = collections.defaultdict(lambda: (0, 0)), 0
    for record in records(path):
        flow, packets = flow_of(record), int(record["packetDeltaCount"])
        if flow is None:
            layer2 += packets
            continue
        old = sums[flow]
        sums[flow] = (old[0] + packets, old[1] + int(record["octetDeltaCount"]))
    return dict(sums), layer2


def describe(flow):
    return f"{flow.source} -> {flow.destination} protocol {flow.protocol} ports {flow.source_port} {flow.destination_port}"


def differences(expected, seen, layer2):
    """One line a difference between a capture's summary and the records' sums."""
    for flow in sorted(expected.flows.keys() | seen.keys()):
        packets, octets = expected.flows.get(flow, (0, 0))
        own_packets, own_octets = seen.get(flow, (0, 0))
        if (packets, octets) != (own_packets, own_octets):
            yield (
                f"{describe(flow)}: tshark has {packets} packets and {octets} octets, "
                f"the records {own_packets} and {own_octets}"
            )
    not_measured = sum(expected.not_measured.values())
    if layer2 > not_measured:
        yield f"layer-2 records count {layer2} packets, but only {not_measured} have no IP header to measure"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected = flows.summarize(sys.argv[1])
    seen, layer2 = summed(sys.argv[2])
    found = list(differences(expected, seen, layer2))
    for line in found:
        print(line)
    print(
        f"{sys.argv[1]}: {len(expected.flows)} flows, {expected.measured()} packets, {expected.octets()} octets, "
        f"{sum(expected.not_measured.values())} not measured: {len(found)} differences"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
