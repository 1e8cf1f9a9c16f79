#!/usr/bin/env python3
"""Makes the captures that no kernel at hand can record: tags, labels, fragments, extension headers, edges.

usage: synthesize.py FOLDER        (needs scapy; the same bytes every time)

Headers come from scapy; files are written here, because several of them are not what scapy would write.
"""

import pathlib
import random
import struct
import sys

from scapy.all import (
    ARP, BOOTP, DHCP, GRE, ICMP, IP, LLC, PPP, SNAP, STP, TCP, UDP, AH, Dot1AD, Dot1Q, Dot3, ESP, Ether, ICMPv6DestUnreach,
    ICMPv6EchoRequest, ICMPv6ND_NS, IPOption_RR, IPOption_Router_Alert, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Jumbo, Padding, PPPoE, PPPoED, Raw, RouterAlert, fragment, fragment6, raw,
)  # fmt: skip
from scapy.contrib.mpls import MPLS

BASE = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""
STEP = 10_000

HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"
ETHER = Ether(src=HERE, dst=THERE)
V4 = IP(src="192.0.2.11", dst="198.51.100.1", ttl=64, id=7)
V6 = IPv6(src="2001:db8::11", dst="2001:db8:1::1", hlim=64)
U = UDP(sport=40000, dport=53)
T = TCP(sport=40001, dport=443, flags="PA", seq=1000, ack=2000)


def payload(length, seed=0):
    return Raw(random.Random(seed).randbytes(length))


class Packet:
    """Bytes of a packet, its time in microseconds and its length on the wire where that is not what was captured."""

    def __init__(self, data, time, wire_length=None):
        self.data = data if isinstance(data, bytes) else raw(data)
        self.time = time
        self.wire_length = len(self.data) if wire_length is None else wire_length


def in_step(frames):
    return [Packet(frame, BASE + i * STEP) for i, frame in enumerate(frames)]


def write(path, packets, order="<", link=1):
    with open(path, "wb") as file:
        file.write(struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))
        for p in packets:
            file.write(struct.pack(order + "IIII", *divmod(p.time, 1_000_000), len(p.data), p.wire_length) + p.data)


def inner_packets():
    """What each encapsulation carries: both versions, three protocols."""
    return [V4 / U / payload(20), V4 / T / payload(100, 1), V4 / ICMP(id=1, seq=1) / payload(56, 2), V6 / U / payload(30, 3),
            V6 / T / payload(200, 4), V6 / ICMPv6EchoRequest(id=2, seq=1, data=b"abcdefgh")]  # fmt: skip


def vlan_qinq():
    stacks = [
        Dot1Q(vlan=100),
        Dot1Q(vlan=0, prio=5),
        Dot1AD(vlan=200) / Dot1Q(vlan=100),
        Dot1Q(vlan=300) / Dot1Q(vlan=301),
        Dot1AD(vlan=400) / Dot1AD(vlan=401) / Dot1Q(vlan=402),
        Dot1Q(vlan=4095, prio=7),
    ]
    frames = [ETHER / tags / inner for tags in stacks for inner in inner_packets()]
    # The tag type from before 802.1ad; scapy has no class for it.
    frames += [Ether(src=HERE, dst=THERE, type=0x9100) / raw(Dot1Q(vlan=500) / Dot1Q(vlan=501) / V4 / U / payload(9))]
    frames += [ETHER / Dot1Q(vlan=100) / ARP(psrc="192.0.2.11", pdst="192.0.2.1")]
    frames += [ETHER / Dot1AD(vlan=200) / Dot1Q(vlan=100) / ARP(psrc="192.0.2.11", pdst="192.0.2.1")]
    return in_step(frames)


def mpls():
    stacks = [
        MPLS(label=16, s=1, ttl=64),
        MPLS(label=17, s=0, ttl=63) / MPLS(label=18, s=1, ttl=64),
        MPLS(label=0, s=0, ttl=1) / MPLS(label=2, s=0, ttl=2) / MPLS(label=1048575, cos=7, s=1, ttl=255),
    ]
    frames = [Ether(src=HERE, dst=THERE, type=kind) / labels / raw(inner)
              for kind in (0x8847, 0x8848) for labels in stacks for inner in inner_packets()]  # fmt: skip
    frames += [ETHER / Dot1Q(vlan=100, type=0x8847) / stacks[1] / raw(inner) for inner in inner_packets()]
    # An Ethernet pseudowire with a control word, and an associated channel: no IP by the first nibble.
    pseudowire = b"\0\0\0\0" + raw(ETHER / V4 / U / payload(20))
    frames += [Ether(src=HERE, dst=THERE, type=0x8847) / MPLS(label=19, s=1, ttl=64) / pseudowire]
    frames += [Ether(src=HERE, dst=THERE, type=0x8847) / MPLS(label=19, s=1, ttl=64) / (b"\x10\0\0\x21" + bytes(40))]
    return in_step(frames)


def pppoe():
    session = PPPoE(sessionid=0x11)
    frames = [ETHER / session / PPP(proto=0x21 if inner.version == 4 else 0x57) / inner for inner in inner_packets()]
    frames += [ETHER / Dot1AD(vlan=200) / Dot1Q(vlan=100) / frame[PPPoE] for frame in frames]
    frames += [ETHER / session / PPP(proto=0xC021) / (b"\x09\x01\0\x08" + bytes(4))]
    frames += [ETHER / PPPoED(code=9) / (b"\x01\x01\0\0")]
    frames += [ETHER / session / PPP(proto=0x281) / MPLS(label=16, s=1, ttl=64) / raw(V4 / U / payload(20))]
    return in_step(frames)


def fragments():
    def of(packet, size):
        return [ETHER / part for part in fragment(packet, fragsize=size)]

    def of6(packet, size):
        return [ETHER / part for part in fragment6(packet, size)]

    frames = of(V4 / U / payload(3000), 1480) + of(V4 / T / payload(2000, 1), 576)
    frames += of(V4 / ICMP(id=3, seq=1) / payload(2000, 2), 1000)
    # The first fragment comes last.
    frames += of(IP(src="192.0.2.12", dst="198.51.100.1", id=9) / U / payload(3000, 3), 1480)[::-1]
    # First fragments too short for the ports, or for the flags of TCP.
    tiny = raw(V4 / T / payload(40, 4))[20:]
    frames += [ETHER / IP(src="192.0.2.13", dst="198.51.100.1", id=10, proto=6, flags="MF") / tiny[:8]]
    frames += [ETHER / IP(src="192.0.2.13", dst="198.51.100.1", id=10, proto=6, frag=1) / tiny[8:]]
    frames += [ETHER / IP(src="192.0.2.14", dst="198.51.100.1", id=11, proto=17, flags="MF") / tiny[:2]]
    with_header = V6 / IPv6ExtHdrFragment(id=77)
    frames += of6(with_header / U / payload(3000, 5), 1280) + of6(with_header / T / payload(2500, 6), 1400)
    frames += of6(with_header / ICMPv6EchoRequest(id=4, seq=1, data=bytes(3000)), 1280)[::-1]
    # An atomic fragment (RFC 6946) has its ports.
    frames += [ETHER / V6 / IPv6ExtHdrFragment(id=78, nh=17) / U / payload(20, 7)]
    frames += [ETHER / V6 / IPv6ExtHdrFragment(id=79, nh=59, offset=10)]
    return in_step(frames)


def ext_headers():
    hop = IPv6ExtHdrHopByHop(options=[RouterAlert()])
    routing = IPv6ExtHdrRouting(addresses=["2001:db8:2::1", "2001:db8:2::2"], segleft=1)
    options = IPv6ExtHdrDestOpt()
    auth = AH(spi=9, seq=1, icv=bytes(12), payloadlen=4)
    chains = [hop, routing, options, hop / options / routing / options, auth, hop / auth,
              hop / IPv6ExtHdrFragment(id=5) / options]  # fmt: skip
    frames = [ETHER / V6 / chain / upper / payload(16) for chain in chains for upper in (U, T)]
    frames += [ETHER / V6 / hop / ICMPv6ND_NS(tgt="2001:db8::1")]
    frames += [ETHER / IPv6(raw(V6)[:6] + b"\x3b" + raw(V6)[7:])]
    frames += [ETHER / V6 / ESP(spi=5, seq=1, data=bytes(40)), ETHER / IPv6(src=V6.src, dst=V6.dst, nh=135) / bytes(16)]
    frames += [ETHER / V6 / V6 / U / payload(10), ETHER / V6 / V4 / U / payload(10), ETHER / V6 / GRE() / V4 / U]
    frames += [ETHER / V6 / ICMPv6DestUnreach(code=4) / IPv6(src=V6.dst, dst=V6.src) / U]
    # A jumbogram's length is in its option; this one is short all the same.
    frames += [ETHER / IPv6(src=V6.src, dst=V6.dst, plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=116)]) / U / bytes(100)]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, options=[IPOption_Router_Alert()]) / U / payload(12)]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, options=[IPOption_RR(length=39, routers=["0.0.0.0"] * 9)]) / T / payload(12)]
    frames += [ETHER / V4 / auth / U / payload(10), ETHER / V4 / V4 / U / payload(10), ETHER / V4 / GRE() / V6 / T]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, proto=136) / raw(U / payload(10))]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, proto=132) / (struct.pack(">HHII", 5000, 5001, 1, 0) + bytes(16))]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, proto=33) / (struct.pack(">HH", 6000, 6001) + bytes(16))]
    frames += [ETHER / IP(src=V4.src, dst=V4.dst, proto=89) / bytes(24), ETHER / IP(src=V4.src, dst=V4.dst, proto=255) / bytes(8)]
    return in_step(frames)


def edge():
    """Packets that are strange in a file that is not."""
    udp, tcp = raw(ETHER / V4 / U / payload(40)), raw(ETHER / V4 / T / payload(40))
    udp6 = raw(ETHER / V6 / U / payload(40))
    cuts = [(b"", 0)] + [(udp[:n], len(udp)) for n in (0, 1, 6, 13, 14, 15, 33, 34, 35, 37, 38, 42, 60)]
    cuts += [(tcp[:n], len(tcp)) for n in (37, 38, 46, 47, 48)]
    cuts += [(udp6[:n], len(udp6)) for n in (14, 15, 53, 54, 57, 58)]
    tagged = raw(ETHER / Dot1AD(vlan=2) / Dot1Q(vlan=3) / V4 / U)
    cuts += [(tagged[:n], len(tagged)) for n in (15, 17, 18, 21, 22, 23, 41, 42)]
    labelled = raw(Ether(src=HERE, dst=THERE, type=0x8847) / MPLS(label=16, s=0) / MPLS(label=17, s=1) / raw(V4 / U))
    cuts += [(labelled[:n], len(labelled)) for n in (16, 18, 20, 22, 23, 41, 42)]
    session = raw(ETHER / PPPoE(sessionid=1) / PPP(proto=0x21) / V4 / U)
    cuts += [(session[:n], len(session)) for n in (16, 20, 22, 41, 42)]

    def v4(**fields):
        return raw(ETHER / IP(**{"src": V4.src, "dst": V4.dst, **fields}) / U / payload(40))

    def patched(frame, at, value):
        return frame[:at] + value + frame[at + len(value) :]

    whole = [
        v4(len=0), v4(len=10), v4(len=20), v4(len=22), v4(len=24), v4(len=28), v4(len=60), v4(len=1500), v4(len=65535),
        v4(ihl=0), v4(ihl=4), v4(ihl=15), v4(ihl=15, len=40), v4(version=0), v4(version=5), v4(version=6), v4(chksum=0),
        v4(ttl=0), v4(flags=7), v4(src="0.0.0.0", dst="255.255.255.255"), v4(src="198.51.100.1", dst="198.51.100.1"),
        patched(udp6, 14, b"\x40"), patched(udp6, 18, b"\0\0"), patched(udp6, 18, b"\0\x02"), patched(udp6, 18, b"\xff\xff"),
        patched(udp6, 20, b"\x3b"), patched(udp6, 20, b"\0"), patched(udp6, 20, b"\x2b"), patched(udp6, 20, b"\x2c"),
        # Padding to the 60 bytes that Ethernet asks for, of packets shorter than that.
        raw(ETHER / V4 / U / Padding(bytes(18))), raw(ETHER / V6 / Padding(bytes(6))),
        raw(Ether(src=HERE, dst=THERE, type=0x86DD) / raw(V4 / U)), raw(Ether(src=HERE, dst=THERE, type=0x0800) / raw(V6 / U)),
        raw(ETHER / ARP(psrc="192.0.2.11", pdst="192.0.2.1")), raw(Ether(src=HERE, dst=THERE, type=0x88CC) / bytes(46)),
        raw(Dot3(src=HERE, dst="01:80:c2:00:00:00") / LLC() / STP()),
        raw(Dot3(src=HERE, dst=THERE) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / V4 / U / payload(8)),
        raw(Dot3(src=HERE, dst=THERE) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x0C, code=0x2000) / payload(8)),
        raw(Ether(src=HERE, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
            / BOOTP(chaddr=bytes.fromhex("020000000001"), xid=1) / DHCP(options=[("message-type", "discover"), "end"])),
        raw(ETHER / V4 / ICMP(type=3, code=3) / IP(src=V4.dst, dst=V4.src) / U),
        raw(ETHER / IP(src=V4.src, dst=V4.dst, proto=1) / b"\x08"), raw(ETHER / IP(src=V4.src, dst=V4.dst, proto=58) / b"\x80\x00abcdef"),
        raw(ETHER / IPv6(src=V6.src, dst=V6.dst, nh=1) / b"\x08\x00abcdef"),
        raw(ETHER / IP(src=V4.src, dst=V4.dst, proto=0) / bytes(20)), bytes(60), b"\xff" * 60,
        # The largest frame of a classic capture program.
        raw(ETHER / V4 / U / payload(65_535 - 42)),
    ]  # fmt: skip
    frames = cuts + [(frame, len(frame)) for frame in whole]
    return [Packet(data, BASE + i * STEP, wire) for i, (data, wire) in enumerate(frames)]


def time_jumps():
    """Two conversations under a clock that nobody should have."""
    second, day = 1_000_000, 86_400_000_000
    moves = [0, 1, second, 30 * second, 0, -10 * second, second, 400 * second, 730 * day, second, -730 * day, second,
             -BASE // 2, second, 1, 29_000 * day, second, -29_000 * day, 120 * second, 300 * second, 301 * second]  # fmt: skip
    packets, time = [], BASE
    for i, move in enumerate(moves):
        time += move
        for inner in (V4 / U / payload(20, i), V6 / T / payload(50, i)):
            packets.append(Packet(ETHER / inner, time))
    return packets + [Packet(ETHER / V4 / U / payload(20), 0), Packet(ETHER / V4 / U / payload(20), 0xFFFFFFFF * second)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    made = {
        "vlan-qinq": vlan_qinq(), "mpls": mpls(), "pppoe": pppoe(), "fragments": fragments(), "ext-headers": ext_headers(),
        "edge": edge(), "time-jumps": time_jumps(),
    }  # fmt: skip
    for name, packets in made.items():
        write(folder / f"{name}.pcap", packets)
    write(folder / "big-endian.pcap", vlan_qinq()[:12] + fragments() + ext_headers(), order=">")


if __name__ == "__main__":
    main()
