"""Punted packets at the sockets of clients, and packets of clients', all of them made and read by scapy."""

import os
import re
import socket
import struct

from harness import Engine, path, run, wait_for
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

IP4, IP6 = 0, 1
L4, PROTOCOL, EXCEPTION = 0, 1, 2
# The number of an interface and what is to be done, in the machine's own order.
DESCRIPTOR = struct.Struct("=II")
OUTPUT, ROUTED4, ROUTED6 = 0, 1, 2
SERVER = path("punt.sock")


def port(number, af=IP4, protocol=17):
    """Datagrams to a port."""
    return {"type": L4, "punt": {"l4": {"af": af, "protocol": protocol, "port": number}}}


def protocol(number, af=IP4):
    """Packets of a protocol."""
    return {"type": PROTOCOL, "punt": {"ip_proto": {"af": af, "protocol": number}}}


class Scene:
    """pg0 in, pg1 out, and a client with a socket."""

    files = 0

    def __init__(self, name):
        self.engine = t = Engine(name)
        for n in (0, 1):
            if f"pg{n}" not in t.cli("show interface"):
                t.cli(f"create packet-generator interface pg{n}")
                t.cli(f"set interface state pg{n} up")
                t.cli(f"set interface ip address pg{n} 10.{n}.0.1/24")
                t.cli(f"set interface ip address pg{n} 2001:db8:{n}::1/64")
                t.cli(f"set ip neighbor pg{n} 10.{n}.0.2 02:00:00:00:ff:0{n}")
                t.cli(f"set ip neighbor pg{n} 2001:db8:{n}::2 02:00:00:00:ff:0{n}")
                t.cli(f"ip6 nd pg{n} ra-suppress")
                t.cli(f"create sub-interfaces pg{n} 7")
                t.cli(f"set interface state pg{n}.7 up")
                t.cli(f"set interface ip address pg{n}.7 10.7{n}.0.1/24")
        self.index = {n: self.number(f"pg{n}") for n in (0, 1, "0.7")}
        self.socket, self.name = None, path("client.sock")
        self.bind()

    def number(self, name):
        """Of an interface."""
        [found] = [d.sw_if_index for d in self.engine.dump("sw_interface_dump") if d.interface_name == name]
        return found

    def bind(self):
        """The client opens its socket anew."""
        if self.socket:
            self.socket.close()
        if os.path.exists(self.name):
            os.remove(self.name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.bind(self.name)

    def register(self, of, is_add=True):
        """The client wants packets, or no more."""
        if not is_add:
            return self.engine.ok("punt_socket_deregister", punt=of)
        return self.engine.ok("punt_socket_register", header_version=1, punt=of, pathname=self.name)

    def count(self, node, reason):
        """How often a node counted something."""
        found = re.search(rf"^ *(\d+) +{node} +{re.escape(reason)}", self.engine.cli("show errors"), re.MULTILINE)
        return int(found.group(1)) if found else 0

    def ether(self, n=0):
        """The link header of what a neighbour sends."""
        mac = self.engine.ok("sw_interface_get_mac_address", sw_if_index=self.index[n]).mac_address
        return Ether(src=f"02:00:00:00:ff:0{n}", dst=str(mac))

    def send(self, packets, times=1):
        """Packets come in by pg0."""
        Scene.files += 1
        name = path(f"in-{Scene.files}.pcap")
        wrpcap(name, packets)
        limit = len(packets) * times
        self.engine.cli(f"packet-generator new pcap {name} source pg0 name in limit {limit}")
        self.engine.cli("packet-generator enable-stream in")
        wait_for("the packets", lambda: "Yes" not in self.engine.cli("show packet-generator"))
        self.engine.cli("packet-generator delete in")

    def receive(self):
        """The next packet of the client's."""
        return self.socket.recv(1 << 17)

    def capture(self):
        """Begins to capture what pg1 sends."""
        Scene.files += 1
        name = path(f"out-{Scene.files}.pcap")
        self.engine.cli("packet-generator capture pg1 disable")
        self.engine.cli(f"packet-generator capture pg1 pcap {name}")
        return name

    def captured(self, name, count):
        """So many packets, once they are there."""
        def found():
            try:
                return list(rdpcap(name))
            except Exception:  # The file is being written.
                return []
        wait_for("captured packets", lambda: len(found()) >= count)
        packets = found()
        assert len(packets) == count, packets
        return [bytes(packet) for packet in packets]

    def close(self):
        """The client goes."""
        self.socket.close()
        self.engine.close()


def what_is_registered_comes_with_its_link_header():
    """Ports and protocols, of both families, with tags, with options, and longer than a buffer."""
    scene = Scene("receives")
    for of in (port(2000), port(2000, IP6), protocol(89), protocol(89, IP6)):
        reply = scene.register(of)
        assert reply.pathname == SERVER, reply
    ether = scene.ether()
    a, b = IP(src="10.0.0.2", dst="10.0.0.1", ttl=9), IPv6(src="2001:db8:0::2", dst="2001:db8:0::1", hlim=9)
    for packet in (
        ether / a / UDP(sport=1, dport=2000) / Raw(b"four"),
        ether / b / UDP(sport=1, dport=2000) / Raw(b"six"),
        ether / b / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2000) / Raw(b"behind options"),
        ether / IP(src="10.0.0.2", dst="10.0.0.1", proto=89) / Raw(b"a protocol"),
        ether / IPv6(src="2001:db8:0::2", dst="2001:db8:0::1", nh=89) / Raw(b"a protocol"),
        ether / a / UDP(sport=1, dport=2000) / Raw(bytes(range(256)) * 20),
    ):
        scene.send([packet])
        assert scene.receive() == DESCRIPTOR.pack(scene.index[0], 0) + bytes(packet), packet
    tagged = ether / Dot1Q(vlan=7) / IP(src="10.70.0.2", dst="10.70.0.1") / UDP(sport=1, dport=2000) / Raw(b"tagged")
    scene.send([tagged])
    assert scene.receive() == DESCRIPTOR.pack(scene.index["0.7"], 0) + bytes(tagged)
    assert scene.count("ip4-udp-punt-socket", "Socket TX") == 3
    told = scene.engine.dump("punt_socket_dump", type=L4)
    assert [(d.punt.punt.l4.af, d.punt.punt.l4.port, d.pathname) for d in told] == [(af, 2000, scene.name) for af in (0, 1)]
    told = scene.engine.dump("punt_socket_dump", type=PROTOCOL)
    assert [(d.punt.punt.ip_proto.protocol, d.pathname) for d in told] == [(89, scene.name)] * 2, told
    assert not scene.engine.dump("punt_socket_dump", type=EXCEPTION)
    scene.engine.says("show punt socket registrations", "ip4     UDP       2000", "ip6     UDP       2000", scene.name)
    scene.engine.says("show punt socket registrations ip", "89", scene.name)
    for of in (port(2000), port(2000, IP6), protocol(89), protocol(89, IP6)):
        scene.register(of, is_add=False)
    scene.send([ether / a / UDP(sport=1, dport=2000)])
    assert scene.count("ip4-udp-lookup", "no listener for dst port") == 1
    scene.close()


def what_a_client_does_not_take_is_counted_and_waits_for_nobody():
    """A client that does not read, one that has gone, and one that comes back at another path."""
    scene = Scene("slow")
    scene.register(port(2001))
    packet = scene.ether() / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=1, dport=2001) / Raw(b"x" * 1000)

    def counts():
        reasons = ("Socket TX", "the client takes no more", "nobody at the client's path")
        return [scene.count("ip4-udp-punt-socket", reason) for reason in reasons]

    before = counts()
    scene.send([packet], 3000)
    wait_for("all packets", lambda: sum(counts()) - sum(before) == 3000)
    sent, full, gone = [now - then for now, then in zip(counts(), before)]
    assert sent > 0 and full > 0 and gone == 0, (sent, full, gone)
    # What was sent is there.
    for _ in range(sent):
        assert scene.receive() == DESCRIPTOR.pack(scene.index[0], 0) + bytes(packet)
    scene.socket.close()
    scene.send([packet], 5)
    os.remove(scene.name)
    scene.send([packet], 5)
    wait_for("all packets", lambda: counts()[2] - before[2] == 10)
    scene.socket, scene.name = None, path("other.sock")
    scene.bind()
    scene.register(port(2001))
    scene.send([packet])
    assert scene.receive()[DESCRIPTOR.size:] == bytes(packet)
    scene.register(port(2001), is_add=False)
    scene.close()


def what_a_client_sends_goes_where_its_descriptor_says():
    """Out of an interface as it is, or by the routes; what makes no sense is dropped and counted."""
    scene = Scene("sends")
    frame = scene.ether() / IP(src="10.0.0.9", dst="10.1.0.2", ttl=7) / UDP(sport=3, dport=4) / Raw(b"sent")
    four, six = frame[IP], IPv6(src="2001:db8::9", dst="2001:db8:1::2", hlim=7) / UDP(sport=3, dport=4) / Raw(b"sent")
    own = str(scene.engine.ok("sw_interface_get_mac_address", sw_if_index=scene.index[1]).mac_address)
    routed = Ether(src=own, dst="02:00:00:00:ff:01")
    name = scene.capture()

    def send(interface, action, packet):
        scene.socket.sendto(DESCRIPTOR.pack(interface, action) + bytes(packet), SERVER)

    for n, (interface, action, packet) in enumerate((
        (scene.index[1], OUTPUT, frame),
        (scene.index[0], ROUTED4, four),
        (scene.index[0], ROUTED6, six),
    )):
        send(interface, action, packet)
        scene.captured(name, n + 1)
    expected = [bytes(frame), bytes(routed / four), bytes(routed / six)]
    assert scene.captured(name, 3) == expected
    assert scene.count("punt-socket-rx", "Socket RX") == 3
    bad = (
        ("invalid packet descriptor", scene.index[0], 3, four),
        ("packet descriptor with an interface", 99, OUTPUT, frame),
        ("packet descriptor with an interface", 0xFFFFFFFF, ROUTED4, four),
        ("datagram without a packet", scene.index[0], ROUTED4, b"x" * 19),
        ("datagram without a packet", scene.index[0], ROUTED4, b""),
        ("datagram without a packet", scene.index[0], ROUTED4, b"x" * 9000),
    )
    for reason, interface, action, packet in bad:
        before = scene.count("punt-socket-rx", reason)
        send(interface, action, packet)
        wait_for(reason, lambda: scene.count("punt-socket-rx", reason) == before + 1)
    for octets in (b"", b"1234567"):
        before = scene.count("punt-socket-rx", "datagram without a packet")
        scene.socket.sendto(octets, SERVER)
        wait_for("a short one", lambda: scene.count("punt-socket-rx", "datagram without a packet") == before + 1)
    # Octets that are no packet, and a great many of them.
    for action in (OUTPUT, ROUTED4, ROUTED6):
        for n in range(500):
            send(scene.index[n % 2], action, bytes((n * i) % 256 for i in range(20, 20 + n)) + b"x" * 20)
    wait_for("all of them", lambda: scene.count("punt-socket-rx", "Socket RX") == 1503)
    scene.close()


def what_cannot_be_registered_is_refused_with_a_number():
    """And nothing changes."""
    scene = Scene("refused")
    t = scene.engine
    register = {"header_version": 1, "pathname": scene.name}
    for number, changed in (
        (-7, {"punt": port(2000), "header_version": 2}),
        (-7, {"punt": port(2000), "pathname": SERVER}),
        (-7, {"punt": port(2000), "pathname": ""}),
        (-7, {"punt": port(65535)}),
        (-7, {"punt": port(2000, protocol=58)}),
        (-126, {"punt": port(2000, protocol=6)}),
        (-81, {"punt": protocol(17)}),
        (-6, {"punt": {"type": EXCEPTION, "punt": {"exception": {"id": 1}}}}),
    ):
        t.no(number, "punt_socket_register", **{**register, **changed})
    t.no(-6, "punt_socket_deregister", punt=port(2000))
    t.ok("set_punt", is_add=True, punt=port(2000))
    t.no(-81, "punt_socket_register", punt=port(2000), **register)
    t.no(-6, "punt_socket_deregister", punt=port(2000))
    t.ok("set_punt", is_add=False, punt=port(2000))
    scene.register(port(2000))
    t.no(-81, "set_punt", is_add=True, punt=port(2000))
    t.no(-6, "set_punt", is_add=False, punt=port(2000))
    scene.register(port(2000), is_add=False)
    assert not t.dump("punt_socket_dump", type=L4)
    # As by messages, so by commands.
    t.cli(f"punt socket register ipv6 udp 2002 socket {scene.name}")
    t.says("show punt socket registrations", "ip6     UDP       2002", scene.name)
    t.cli("punt socket deregister ipv6 udp 2002")
    assert "2002" not in t.cli("show punt socket registrations")
    scene.close()


run([
    what_is_registered_comes_with_its_link_header,
    what_a_client_does_not_take_is_counted_and_waits_for_nobody,
    what_a_client_sends_goes_where_its_descriptor_says,
    what_cannot_be_registered_is_refused_with_a_number,
])
