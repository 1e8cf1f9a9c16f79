"""Reads pcap and pcapng with nothing but the standard library, for the second opinion of flows.py.

It shares no code with the reader under test, and it trusts its input: broken files are tested elsewhere.
"""

import struct
from typing import Iterator, NamedTuple


class Frame(NamedTuple):
    """One packet: link type number, length on the wire, captured bytes."""

    link: int
    wire_length: int
    data: bytes


def frames(path: str) -> Iterator[Frame]:
    """All packets of a capture, in order."""
    with open(path, "rb") as file:
        data = file.read()
    return _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)


def _pcap(data: bytes) -> Iterator[Frame]:
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<"}.get(data[:4], ">")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x03FFFFFF
    at = 24
    while at < len(data):
        captured, wire = struct.unpack_from(order + "II", data, at + 8)
        yield Frame(link, wire, data[at + 16 : at + 16 + captured])
        at += 16 + captured


def _pcapng(data: bytes) -> Iterator[Frame]:
    order, links, snaplens, at = "<", [], [], 0
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links, snaplens = [], []
        kind, length = struct.unpack_from(order + "II", data, at)
        if kind == 1:
            link, _, snaplen = struct.unpack_from(order + "HHI", data, at + 8)
            links.append(link)
            snaplens.append(snaplen or 0xFFFFFFFF)
        elif kind in (2, 6):
            interface = struct.unpack_from(order + ("H" if kind == 2 else "I"), data, at + 8)[0]
            captured, wire = struct.unpack_from(order + "II", data, at + 20)
            yield Frame(links[interface], wire, data[at + 28 : at + 28 + captured])
        elif kind == 3:
            wire = struct.unpack_from(order + "I", data, at + 8)[0]
            captured = min(wire, snaplens[0], length - 16)
            yield Frame(links[0], wire, data[at + 12 : at + 12 + captured])
        at += length
