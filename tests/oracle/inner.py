#!/usr/bin/env python3
"""Compares records of what tunnels carry (`--inner`) with tshark, five-tuple by five-tuple of the innermost IP header.

usage: inner.py CAPTURE RECORDS.jsonl

tshark's PDML lists the protocols of a packet in their order; the last IP header among them and what follows it are the
packet that is measured. What an ICMP error quotes is a part of ICMP there, and no packet. Prints each difference, and how
many packets had how many IP headers; exits with 1 when there is any difference.
"""

import collections
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import compare
import flows
from headers import ICMP_PROTOCOLS, Flow, Measured

UPPER = {"tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6"}


def packets(path):
    """The layers of each packet."""
    command = ["tshark", "-n", "-r", path, "-T", "pdml"]
    for preference in flows.PREFERENCES:
        command += ["-o", preference]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tshark:
        for _, element in ElementTree.iterparse(tshark.stdout):
            if element.tag == "packet":
                yield element.findall("proto")
                element.clear()


def number(layer, name):
    field = layer.find(f".//field[@name='{name}']")
    return None if field is None else int(field.get("show"), 0)


def text(layer, name):
    return layer.find(f".//field[@name='{name}']").get("show")


def verdict(layers):
    """What is measured of a packet, and how many IP headers it has."""
    at = [index for index, layer in enumerate(layers) if layer.get("name") in ("ip", "ipv6")]
    links = [index for index, layer in enumerate(layers) if layer.get("name") == "eth"]
    if not at or (links and links[-1] > at[-1]):
        return "not IP", len(at)
    ip, upper = layers[at[-1]], None
    for layer in layers[at[-1] + 1 :]:
        if layer.get("name") in UPPER:
            upper = layer
            break
    name = ip.get("name")
    octets = number(ip, "ip.len") if name == "ip" else 40 + number(ip, "ipv6.plen")
    protocol = number(ip, "ip.proto" if name == "ip" else "ipv6.nxt")
    ports = (0, 0)
    if upper is not None:
        kind = upper.get("name")
        protocol = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "icmpv6": 58, "sctp": 132, "udplite": 136}[kind]
        if protocol in ICMP_PROTOCOLS:
            ports = (0, number(upper, f"{kind}.type") * 256 + number(upper, f"{kind}.code"))
        else:
            kind = "udp" if kind == "udplite" else kind
            ports = (number(upper, f"{kind}.srcport"), number(upper, f"{kind}.dstport"))
    flow = Flow(text(ip, f"{name}.src"), text(ip, f"{name}.dst"), protocol, *ports)
    return Measured(flow, octets), len(at)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected, depths = flows.Summary(), collections.Counter()
    for layers in packets(sys.argv[1]):
        measured, depth = verdict(layers)
        expected.add(measured)
        depths[depth] += 1
    seen, layer2 = compare.summed(sys.argv[2])
    found = list(compare.differences(expected, seen, layer2))
    for line in found:
        print(line)
    described = ", ".join(f"{count} with {depth} IP headers" for depth, count in sorted(depths.items()))
    print(f"{sys.argv[1]}: {len(expected.flows)} flows, {described}: {len(found)} differences")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
