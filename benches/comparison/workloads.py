"""Captures that are made: UDP packets of 60 bytes of so many flows, and a mix of sizes and flows as the Internet has it.

The same arguments give the same bytes.
"""

import random
import struct

FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PACKET_HEADER = struct.Struct("<IIII")
ETHERNET = bytes.fromhex("020000000002020000000001")
START = 1_700_000_000
CHUNK = 1 << 16

# Sizes of IP packets and how often they come: acknowledgements, small messages, and full segments; frames
# have 430 bytes on average.
SIZES, WEIGHTS = (40, 52, 120, 300, 576, 1280, 1500), (24, 22, 15, 10, 8, 8, 13)


class Workload:
    """A capture to be written: `packets` packets, `octets` of IP in them, once `write` was called."""

    def __init__(self, name, flows, packets, make=None):
        self.name, self.flows, self.packets = name, flows, packets
        self.make = make or small_packets
        self.octets = 0

    def write(self, path):
        self.octets = 0
        with open(path, "wb") as out:
            out.write(FILE_HEADER)
            chunk = []
            for n, (frame, octets) in enumerate(self.make(self.flows, self.packets)):
                self.octets += octets
                chunk.append(PACKET_HEADER.pack(START + n // 1_000_000, n % 1_000_000, len(frame), len(frame)) + frame)
                if len(chunk) == CHUNK:
                    out.write(b"".join(chunk))
                    chunk.clear()
            out.write(b"".join(chunk))


def all_workloads(packets):
    """Those of the comparison; `packets` is the length of all but the largest, which needs twice that."""
    return [
        Workload("1 flow", 1, packets),
        Workload("1,000 flows", 1000, packets),
        Workload("65,536 flows", 65_536, packets),
        Workload("1,000,000 flows", 1_000_000, max(2 * packets, 1_000_000)),
        Workload("mix, 430 bytes", 50_000, packets // 2, mixed_packets),
    ]


def small_packets(flows, packets):
    """60 bytes each; each flow once, then at random."""
    source = random.Random(flows)
    frames = [udp4(flow, 18) for flow in range(flows)]
    order = list(range(flows))
    source.shuffle(order)
    for flow in order[:packets]:
        yield frames[flow], 46
    for _ in range(packets - flows):
        yield frames[int(source.random() * flows)], 46


def mixed_packets(flows, packets):
    """Sizes as in SIZES, one packet in four IPv6, four in five TCP; few flows have most of the packets."""
    source = random.Random(packets)
    heads = [(udp4, tcp4, tcp4, tcp4, tcp4)[flow % 5] if flow % 4 else tcp6 for flow in range(flows)]
    sizes = source.choices(SIZES, WEIGHTS, k=packets)
    known = {}
    for size in sizes:
        # Pareto's law: a tenth of the flows has three quarters of the packets.
        flow = int(flows * source.random() ** 4)
        frame = known.get((flow, size))
        if frame is None:
            frame = known[flow, size] = heads[flow](flow, max(0, size - OVERHEAD[heads[flow]]))
        yield frame, max(size, OVERHEAD[heads[flow]])


def ip4(flow, protocol, payload):
    source, target = 0x0A000000 + flow, 0xC6120000 + (flow * 2654435761 >> 16) % 65536
    head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, source, target)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return pad(ETHERNET + b"\x08\x00" + head[:10] + struct.pack("!H", checksum) + head[12:] + payload)


def ports(flow):
    return 1024 + flow % 60_000, 53 + (flow >> 8) % 1000


def udp4(flow, length):
    return ip4(flow, 17, struct.pack("!HHHH", *ports(flow), 8 + length, 0) + bytes(length))


def tcp(flow, length):
    return struct.pack("!HHIIHHHH", *ports(flow), 1, 1, 0x5010, 65535, 0, 0) + bytes(length)


def tcp4(flow, length):
    return ip4(flow, 6, tcp(flow, length))


def tcp6(flow, length):
    addresses = bytes.fromhex("20010db8") + bytes(8) + struct.pack("!I", flow) + bytes.fromhex("20010db8000000010000000000000001")
    return pad(ETHERNET + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 20 + length, 6, 64) + addresses + tcp(flow, length))


def pad(frame):
    return frame.ljust(60, b"\0")


OVERHEAD = {udp4: 28, tcp4: 40, tcp6: 60}
