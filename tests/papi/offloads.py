"""Large packets and segments that are put together, as VPP's tests of GSO and GRO send them; scapy makes and judges the packets."""

import os
import time

from harness import Engine, path, run, wait_for
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap
from vpp_papi import VppEnum

N = 124


class Router:
    """pg0 is plain, pg1 has GSO, pg2 has GSO and coalesces, pg3 offloads checksums."""

    def __init__(self):
        self.engine = Engine("offloads")
        kind = VppEnum.vl_api_pg_interface_flags_t
        kinds = [(kind.PG_API_FLAG_NONE, 0), (kind.PG_API_FLAG_GSO, 1460), (kind.PG_API_FLAG_GSO, 1460),
                 (kind.PG_API_FLAG_CSUM_OFFLOAD, 0)]
        self.index = []
        for n, (flags, size) in enumerate(kinds):
            made = self.engine.ok("pg_create_interface_v3", interface_id=n, pg_flags=flags, gso_size=size)
            self.index.append(made.sw_if_index)
            self.engine.ok("sw_interface_set_flags", sw_if_index=made.sw_if_index, flags=1)
            for own, other in ((f"172.16.{n}.1/24", f"172.16.{n}.2"), (f"2001:db8:{n}::1/64", f"2001:db8:{n}::2")):
                self.engine.ok("sw_interface_add_del_address", sw_if_index=made.sw_if_index, is_add=True, prefix=own)
                neighbor = {"sw_if_index": made.sw_if_index, "flags": 1, "mac_address": mac(n), "ip_address": other}
                self.engine.ok("ip_neighbor_add_del", is_add=True, neighbor=neighbor)
            self.engine.ok("sw_interface_ip6nd_ra_config", sw_if_index=made.sw_if_index, suppress=1)
        self.engine.ok("pg_interface_enable_disable_coalesce", sw_if_index=self.index[2], coalesce_enabled=True)
        self.files = 0

    def ether(self, n):
        """In front of a packet that comes by an interface."""
        own = self.engine.ok("sw_interface_get_mac_address", sw_if_index=self.index[n]).mac_address
        return Ether(src=mac(n), dst=str(own))

    def pass_on(self, source, target, packets, octets):
        """What leaves by an interface when packets come by another one, until it carries as many octets of payload."""
        self.files += 1
        come, leave = path(f"offloads-in-{self.files}.pcap"), path(f"offloads-out-{self.files}.pcap")
        wrpcap(come, packets)
        self.engine.ok("pg_capture", interface_id=target, is_enabled=True, pcap_file_name=leave)
        self.engine.cli(f"packet-generator new pcap {come} source pg{source} name s")
        self.engine.ok("pg_enable_disable", is_enabled=True, stream_name="s")

        def seen():
            begun = os.path.exists(leave) and os.path.getsize(leave) > 24
            return [p for p in rdpcap(leave) if payload(p)] if begun else []

        wait_for("the packets", lambda: sum(len(payload(p)) for p in seen()) >= octets)
        self.engine.cli("packet-generator delete s")
        self.engine.ok("pg_capture", interface_id=target, is_enabled=False)
        for packet in seen():
            sound(packet)
        return seen()


def mac(n):
    """Of whoever is behind an interface."""
    return f"02:00:00:00:ff:0{n}"


def layer(packet):
    """The header of TCP or UDP."""
    return packet[TCP] if TCP in packet else packet[UDP] if UDP in packet else None


def payload(packet):
    """What it carries, by its IP header."""
    found = layer(packet)
    if found is None:
        return b""
    octets = packet[IP].len - 20 if IP in packet else packet[IPv6].plen
    return bytes(found)[:octets][8 if UDP in packet else found.dataofs * 4:]


def sound(packet):
    """scapy makes the same checksums."""
    again = packet.copy()
    if IP in again:
        del again[IP].chksum
    del layer(again).chksum
    again = Ether(bytes(again))
    assert layer(again).chksum == layer(packet).chksum, packet.summary()
    assert IP not in packet or again[IP].chksum == packet[IP].chksum, packet.summary()


ROUTER = Router()


def ip(version, source, target):
    """The header of a packet from behind an interface to behind another one."""
    if version == 4:
        return IP(src=f"172.16.{source}.2", dst=f"172.16.{target}.2", flags="DF")
    return IPv6(src=f"2001:db8:{source}::2", dst=f"2001:db8:{target}::2")


def stream(version, sizes, flags):
    """Segments from pg0 to pg2, one after the other, each of which acknowledges one octet more."""
    sequence, packets = 0, []
    for n, size in enumerate(sizes):
        tcp = TCP(sport=1234, dport=4321, seq=sequence, ack=n, flags=flags(n))
        packets.append(ROUTER.ether(0) / ip(version, 0, 2) / tcp / Raw(bytes([n]) * size))
        sequence += size
    return packets


def coalesced(version, sizes, flags=lambda n: "A"):
    """What leaves of such a stream: octets of payload, and what is acknowledged."""
    packets = stream(version, sizes, flags)
    seen = ROUTER.pass_on(0, 2, packets, sum(sizes))
    carried = b"".join(payload(p) for p in sorted(seen, key=lambda p: p[TCP].seq))
    assert carried == b"".join(bytes(p[Raw]) for p in packets)
    return [(len(payload(p)), p[TCP].ack) for p in seen]


def segments_leave_as_large_packets():
    """44 of them are as many as fit; the others wait no longer than they may."""
    for version in (4, 6):
        expected = [(44 * 1460, 43), (44 * 1460, 87), (36 * 1460, 123)]
        assert coalesced(version, [1460] * N) == expected


def a_pushed_and_a_short_segment_end_a_packet():
    """Two by two."""
    sizes = [1460, 1340] * N
    pushed = coalesced(4, sizes, lambda n: "AP" if n % 2 else "A")
    assert pushed == [(2800, 2 * n + 1) for n in range(N)], pushed
    short = coalesced(6, [1459, 1] * N)
    assert short == [(1460, 2 * n + 1) for n in range(N)], short


def large_packets_are_whole_where_they_may_be_and_cut_elsewhere():
    """From pg1 to pg2, which takes them, and to pg0, which does not."""
    for version in (4, 6):
        for target, lengths in ((2, [65200] * 3), (0, ([1460] * 44 + [960]) * 3)):
            tcp = TCP(sport=1234, dport=1234, flags="A")
            packet = ROUTER.ether(1) / ip(version, 1, target) / tcp / Raw(os.urandom(65200))
            seen = ROUTER.pass_on(1, target, [packet] * 3, 3 * 65200)
            assert [len(payload(p)) for p in seen] == lengths
            assert b"".join(payload(p) for p in seen) == 3 * bytes(packet[Raw])


def checksums_that_are_left_are_made():
    """Of packets that come with wrong ones."""
    for version in (4, 6):
        for header in (TCP(sport=1, dport=2, chksum=77), UDP(sport=1, dport=2, chksum=77)):
            packet = ROUTER.ether(3) / ip(version, 3, 0) / header / Raw(b"x" * 1001)
            assert len(ROUTER.pass_on(3, 0, [packet] * 5, 5 * 1001)) == 5


def nothing_is_lost_when_coalescing_is_switched_while_packets_flow():
    """And what is shown of it adds up."""
    for on in (False, True):
        ROUTER.engine.ok("pg_interface_enable_disable_coalesce", sw_if_index=ROUTER.index[2], coalesce_enabled=on)
        seen = coalesced(4, [1000] * 10)
        assert len(seen) == (1 if on else 10), seen
    time.sleep(0.01)
    ROUTER.engine.says("show packet-generator interface pg2", "coalesce_enabled: 1", "waiting 0,")
    ROUTER.engine.says("show errors", "large packets made of segments", "segments made of large packets")


run([
    segments_leave_as_large_packets,
    a_pushed_and_a_short_segment_end_a_packet,
    large_packets_are_whole_where_they_may_be_and_cut_elsewhere,
    checksums_that_are_left_are_made,
    nothing_is_lost_when_coalescing_is_switched_while_packets_flow,
])
ROUTER.engine.close()
