"""A scene for flowprobe: interfaces of the packet generator, configured by vpp_papi; packets made and records read by scapy."""

import os
import time

from harness import FOLDER, NONE, Engine, wait_for
from scapy.layers.inet import IP, UDP
from scapy.layers.netflow import NetflowDataflowsetV9, NetflowFlowsetV9, NetflowHeader, NetflowHeaderV10
from scapy.packet import bind_layers
from scapy.utils import PcapReader, wrpcap

bind_layers(UDP, NetflowHeader, dport=4739)

L2, L3, L4 = 1, 2, 4
ON_IP4, ON_IP6, ON_L2 = 0, 1, 2
RX, TX, BOTH = 0, 1, 2

COLLECTOR, EXPORTER = "172.16.0.2", "172.16.0.1"


def mac(interface):
    """Of whoever is behind an interface."""
    return f"02:00:00:00:ff:0{interface}"


class Scene:
    """pg0 leads to the collector, pg1 and pg2 are bridged, pg3 and pg4 route IPv4, pg5 and pg6 IPv6."""

    def __init__(self):
        self.engine = t = Engine("flowprobe")
        self.index = [t.ok("pg_create_interface_v3", interface_id=n).sw_if_index for n in range(7)]
        for n, sw_if_index in enumerate(self.index):
            t.ok("sw_interface_set_flags", sw_if_index=sw_if_index, flags=1)
            if n in (0, 3, 4):
                self.address(n, f"172.16.{n}.1/24", f"172.16.{n}.2")
            if n in (5, 6):
                self.address(n, f"2001:db8:{n}::1/64", f"2001:db8:{n}::2")
        t.ok("bridge_domain_add_del_v2", bd_id=1, uu_flood=1, learn=1, flood=1, forward=1, is_add=1)
        for n in (1, 2):
            t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=self.index[n], bd_id=1)
        self.files = 0
        self.templates = {}
        self.captured, self.seen = "", 0

    def address(self, n, own, neighbour):
        """An address of an interface, and who is behind it."""
        sw_if_index = self.index[n]
        self.engine.ok("sw_interface_add_del_address", sw_if_index=sw_if_index, is_add=True, prefix=own)
        neighbor = {"sw_if_index": sw_if_index, "flags": 1, "mac_address": mac(n), "ip_address": neighbour}
        self.engine.ok("ip_neighbor_add_del", is_add=True, neighbor=neighbor)
        if ":" in own:
            self.engine.ok("sw_interface_ip6nd_ra_config", sw_if_index=sw_if_index, suppress=1)

    def own_mac(self, n):
        """Of the engine's interface."""
        return str(self.engine.ok("sw_interface_get_mac_address", sw_if_index=self.index[n]).mac_address)

    def capture(self, n):
        """Begins to capture what an interface sends; its file."""
        self.files += 1
        name = os.path.join(FOLDER, f"out-{self.files}.pcap")
        self.engine.ok("pg_capture", interface_id=n, is_enabled=False)
        self.engine.ok("pg_capture", interface_id=n, is_enabled=True, pcap_file_name=name)
        return name

    def begin(self, record, active, passive, mtu=1450, interval=600):
        """An exporter to the collector, and what flowprobe is to record; forgets what was exported before."""
        self.captured = self.capture(0)
        self.seen = 0
        self.templates = {}
        self.exporter(COLLECTOR, mtu, interval)
        self.engine.ok("flowprobe_set_params", record_flags=record, active_timer=active, passive_timer=passive)

    def exporter(self, collector, mtu=1450, interval=600):
        """Tells where to export to."""
        self.engine.ok("set_ipfix_exporter", collector_address=collector, collector_port=4739, src_address=EXPORTER,
                       vrf_id=NONE, path_mtu=mtu, template_interval=interval)

    def feature(self, n, which, direction, is_add=True):
        """Switches flowprobe on or off."""
        self.engine.ok("flowprobe_interface_add_del", is_add=is_add, which=which, direction=direction,
                       sw_if_index=self.index[n])
        if is_add:
            self.engine.ok("ipfix_flush")

    def end(self, *features):
        """Switches all off, after which nothing is left over."""
        for feature in features:
            self.feature(*feature, is_add=False)
        self.exporter("0.0.0.0")
        assert not self.engine.dump("flowprobe_interface_dump")

    def send(self, n, packets):
        """Sends packets into an interface, as if they came from the wire."""
        self.files += 1
        name = os.path.join(FOLDER, f"in-{self.files}.pcap")
        # Of a capture that is sent, packets have the times: those of flows are made of them.
        for packet in packets:
            packet.time = time.time()
        wrpcap(name, packets)
        stream = f"s{self.files}"
        self.engine.cli(f"packet-generator new pcap {name} source pg{n} name {stream}")
        self.engine.ok("pg_enable_disable", is_enabled=True, stream_name=stream)
        wait_for("the packets", lambda: "Yes" not in self.engine.cli("show packet-generator"))
        self.engine.cli(f"packet-generator delete {stream}")

    def exported(self):
        """Packets that came to the collector since this was asked last."""
        if not os.path.exists(self.captured) or os.path.getsize(self.captured) < 24:
            return []
        packets = []
        try:
            with PcapReader(self.captured) as reader:
                packets = list(reader)
        except (EOFError, ValueError):
            return []
        new, self.seen = packets[self.seen:], len(packets)
        return [packet for packet in new if UDP in packet and packet[UDP].dport == 4739]

    def messages(self, count, timeout=4.0):
        """So many messages, once they are there; templates are learnt."""
        found = []

        def enough():
            found.extend(self.exported())
            return len(found) >= count

        wait_for(f"{count} messages", enough, timeout)
        assert len(found) == count, [bytes(p[UDP].payload).hex() for p in found]
        return [self.message(packet) for packet in found]

    def message(self, packet):
        """What a packet says."""
        return Message(self, packet)

    def silence(self, seconds):
        """Nothing is exported for a while."""
        time.sleep(seconds)
        assert not self.exported()


class Message:
    """A message of IPFIX, which scapy dissected; records by their template's fields."""

    def __init__(self, scene, packet):
        assert (packet[IP].src, packet[IP].dst) == (EXPORTER, COLLECTOR)
        assert packet[NetflowHeader].version == 10
        header = packet[NetflowHeaderV10]
        self.header = header
        self.size = packet[IP].len
        self.fields = {}
        self.records = []
        if NetflowFlowsetV9 in packet:
            [template] = packet[NetflowFlowsetV9].templates
            self.template = template.templateID
            self.fields = {f.fieldType: f.fieldLength for f in template.template_fields}
            scene.templates[self.template] = self.fields
        else:
            data = packet[NetflowDataflowsetV9]
            self.template = data.templateID
            octets = b"".join(bytes(record) for record in data.records)
            self.records = list(self.divided(octets, scene.templates[self.template]))

    @staticmethod
    def divided(octets, fields):
        """Records of a set, each a number by element."""
        size = sum(fields.values())
        while len(octets) >= size:
            record = {}
            for element, length in fields.items():
                record[element], octets = int.from_bytes(octets[:length], "big"), octets[length:]
            yield record
