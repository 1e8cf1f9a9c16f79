"""The second opinion: finds the outermost IP header of a frame and its five-tuple with the standard library alone.

Written from the RFCs and from the measuring rule, for the frames that tshark does not dissect far enough, and to check
tshark on all others (`flows.py --check`).
"""

import ipaddress
import struct
from typing import NamedTuple, Optional, Union

VLAN_TYPES = {0x8100, 0x88A8, 0x9100}
MPLS_TYPES = {0x8847, 0x8848}
PORT_PROTOCOLS = {6, 17, 33, 132, 136}
"""TCP, UDP, DCCP, SCTP, UDP-Lite."""
ICMP_PROTOCOLS = {1, 58}

NOT_IP = "not IP"
CUT_LINK = "cut within the link layer"
CUT_IP = "cut within the IP header"
BAD_IP = "bad IP header"


class Flow(NamedTuple):
    """The five-tuple. ICMP has type * 256 + code as its destination port."""

    source: str
    destination: str
    protocol: int
    source_port: int
    destination_port: int


class Measured(NamedTuple):
    """A packet that counts: where, and with how many octets from the IP header on."""

    flow: Flow
    octets: int


Verdict = Union[Measured, str]
"""A measured packet, or the reason why it is not measured."""


def judge(link: int, wire_length: int, data: bytes) -> Verdict:
    """Finds the outermost IP header behind link layer, VLAN tags, MPLS labels and PPPoE, and measures it."""
    found = _network(link, data)
    if isinstance(found, str):
        return found
    version, at = found
    rest = max(wire_length, len(data)) - at
    return _ip4(data[at:], rest) if version == 4 else _ip6(data[at:], rest)


def rest_of_frame(link: int, wire_length: int, data: bytes) -> Optional[int]:
    """Bytes on the wire from the outermost IP header on."""
    found = _network(link, data)
    return None if isinstance(found, str) else max(wire_length, len(data)) - found[1]


def _network(link, data):
    """IP version and offset of the IP header, or the reason why there is none."""
    if link in (12, 14, 101, 228, 229):
        return CUT_IP if not data else {4: (4, 0), 6: (6, 0)}.get(data[0] >> 4, BAD_IP)
    type_at, at = {1: (12, 14), 113: (14, 16), 276: (0, 20)}[link]
    if len(data) < at:
        return CUT_LINK
    kind = int.from_bytes(data[type_at : type_at + 2], "big")
    while kind in VLAN_TYPES:
        if len(data) < at + 4:
            return CUT_LINK
        kind, at = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    if kind < 0x600 and data[at : at + 6] == b"\xaa\xaa\x03\0\0\0" and len(data) >= at + 8:
        kind, at = int.from_bytes(data[at + 6 : at + 8], "big"), at + 8
        while kind in VLAN_TYPES:
            if len(data) < at + 4:
                return CUT_LINK
            kind, at = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    if kind == 0x8864:
        if len(data) < at + 8:
            return CUT_LINK
        code, ppp = data[at + 1], int.from_bytes(data[at + 6 : at + 8], "big")
        kind, at = {0x21: 0x800, 0x57: 0x86DD, 0x281: 0x8847}.get(ppp if code == 0 else -1, -1), at + 8
    if kind in MPLS_TYPES:
        bottom = False
        while not bottom:
            if len(data) < at + 4:
                return CUT_LINK
            bottom, at = bool(data[at + 2] & 1), at + 4
        if len(data) <= at:
            return CUT_IP
        return {4: (4, at), 6: (6, at)}.get(data[at] >> 4, NOT_IP)
    return {0x800: (4, at), 0x86DD: (6, at)}.get(kind, NOT_IP)


def _ip4(packet, rest):
    if len(packet) < 20:
        return CUT_IP
    header = (packet[0] & 15) * 4
    if packet[0] >> 4 != 4 or header < 20:
        return BAD_IP
    total, fragment = struct.unpack_from(">H2xH", packet, 2)
    octets = total or rest
    later = fragment & 0x1FFF != 0
    ports = (0, 0) if later else _ports(packet[9], packet[header:octets])
    source, destination = (str(ipaddress.IPv4Address(packet[i : i + 4])) for i in (12, 16))
    return Measured(Flow(source, destination, packet[9], *ports), octets)


def _ip6(packet, rest):
    if len(packet) < 40:
        return CUT_IP
    if packet[0] >> 4 != 6:
        return BAD_IP
    length, protocol = struct.unpack_from(">HB", packet, 4)
    # A jumbogram and a large offloaded packet give no length; a packet without anything behind its header has none.
    octets = 40 + length if length or protocol == 59 else rest
    protocol, header = _upper(protocol, packet[40:octets])
    source, destination = (str(ipaddress.IPv6Address(packet[i : i + 16])) for i in (8, 24))
    return Measured(Flow(source, destination, protocol, *_ports(protocol, header)), octets)


def _upper(protocol, payload):
    """The upper-layer protocol behind the extension headers, and what was captured of it."""
    while protocol in (0, 43, 44, 51, 60):
        if len(payload) < (8 if protocol == 44 else 2):
            return protocol, b""
        if protocol == 44 and int.from_bytes(payload[2:4], "big") & 0xFFF8:
            return payload[0], b""
        length = {44: 8, 51: (payload[1] + 2) * 4}.get(protocol, (payload[1] + 1) * 8)
        protocol, payload = payload[0], payload[length:] if len(payload) >= length else b""
    return protocol, payload


def _ports(protocol, header):
    if protocol in PORT_PROTOCOLS and len(header) >= 4:
        return struct.unpack_from(">HH", header)
    if protocol in ICMP_PROTOCOLS and len(header) >= 2:
        return 0, int.from_bytes(header[:2], "big")
    return 0, 0
