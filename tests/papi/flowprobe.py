"""flowprobe and IPFIX, driven as VPP's own tests drive them. The profile `vpp' sends what VPP would."""

import time
from ipaddress import ip_address

from flowprobe_scene import BOTH, L2, L3, L4, ON_IP4, ON_IP6, ON_L2, RX, TX, Scene, mac
from harness import run, wait_for
from scapy.contrib.lacp import LACP, SlowProtocol
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

# Elements of IANA's, of which records are made, and their sizes.
COMMON = {10: 4, 14: 4, 61: 1, 2: 8, 156: 8, 157: 8}
OF_L2 = {56: 6, 80: 6, 256: 2}
OF_IP4 = {8: 4, 12: 4, 4: 1, 1: 8}
OF_IP6 = {27: 16, 28: 16, 4: 1, 1: 8}
OF_L4 = {7: 2, 11: 2, 6: 2}

# 1900 to 1970, in which NTP counts seconds from.
NTP = 2208988800


SCENE = Scene()


def number(address):
    """An address as a record has it."""
    return int(ip_address(address))


def bridged(layers):
    """A frame from who is behind pg1 to who is behind pg2."""
    return Ether(src=mac(1), dst=mac(2)) / layers


def routed(n, layers):
    """A frame from who is behind an interface, to be routed."""
    return Ether(src=mac(n), dst=SCENE.own_mac(n)) / layers


def udp(size=100):
    """A datagram and its contents."""
    return UDP(sport=1234, dport=4321) / Raw(b"\xa5" * size)


IP4_BRIDGED = IP(src="10.1.0.1", dst="10.1.0.2")
IP6_BRIDGED = IPv6(src="2001:db8:9::1", dst="2001:db8:9::2")
IP4_ROUTED = IP(src="172.16.3.2", dst="172.16.4.2")
IP6_ROUTED = IPv6(src="2001:db8:5::2", dst="2001:db8:6::2")


def has(record, **wanted):
    """Asserts what elements of a record say: `e8=...`."""
    for name, value in wanted.items():
        assert record[int(name[1:])] == value, (name, record, wanted)


def templates_are_vpps():
    """Of each datapath, with what each set of layers asks for, and in VPP's order."""
    cases = [
        (2, ON_L2, L2, [[OF_L2]]),
        (2, ON_L2, L3, [[OF_IP4], [OF_IP6]]),
        (2, ON_L2, L4, [[OF_L4], [OF_L4]]),
        (2, ON_L2, L2 | L3 | L4, [[OF_L2], [OF_L2, OF_IP4, OF_L4], [OF_L2, OF_IP6, OF_L4]]),
        (4, ON_IP4, L3, [[OF_IP4]]),
        (4, ON_IP4, L4, [[OF_L4]]),
        (4, ON_IP4, L2 | L3 | L4, [[OF_L2, OF_IP4, OF_L4]]),
        (6, ON_IP6, L3, [[OF_IP6]]),
        (6, ON_IP6, L3 | L4, [[OF_IP6, OF_L4]]),
    ]
    for n, which, record, expected in cases:
        SCENE.begin(record, 0, 1)
        SCENE.feature(n, which, TX)
        told = [message.fields for message in SCENE.messages(len(expected))]
        for fields, groups in zip(told, expected):
            wanted = dict(COMMON)
            for group in groups:
                wanted.update(group)
            assert list(fields.items()) == list(wanted.items()), (which, record, fields)
        SCENE.end((n, which, TX))


def packets_of_a_bridge_are_recorded():
    """IPv4, IPv6, and what is neither, each by the template of its kind, in both directions."""
    for n, direction in ((1, RX), (2, TX)):
        SCENE.begin(L2 | L3 | L4, 0, 1)
        SCENE.feature(n, ON_L2, direction)
        layer2, ip4, ip6 = [message.template for message in SCENE.messages(3)]
        common = {"e2": 1, "e61": direction, "e56": number_of(mac(1)), "e80": number_of(mac(2))}
        ports = {"e4": 17, "e7": 1234, "e11": 4321, "e6": 0}
        sent = [
            (ip4, IP4_BRIDGED / udp(), {"e8": number("10.1.0.1"), "e12": number("10.1.0.2"), "e1": 128, "e256": 0x0008, **ports}),
            (ip6, IP6_BRIDGED / udp(), {"e27": number("2001:db8:9::1"), "e28": number("2001:db8:9::2"), "e256": 0xDD86, **ports}),
            (layer2, None, {"e256": 0x0988}),
        ]
        for template, layers, wanted in sent:
            frame = bridged(layers) if layers else bridged(SlowProtocol() / LACP())
            SCENE.send(1, [frame])
            SCENE.engine.ok("ipfix_flush")
            [message] = [m for m in SCENE.messages(1) if m.records]
            assert message.template == template
            [record] = message.records
            has(record, **wanted, **{**common, "e80": number_of(frame.dst)})
        SCENE.end((n, ON_L2, direction))


def number_of(address):
    """A MAC address as a record has it."""
    return int(address.replace(":", ""), 16)


def routed_packets_are_recorded():
    """By the datapaths of IPv4 and IPv6, with interfaces, addresses, ports, flags of TCP and times."""
    for which, into, out, ip in ((ON_IP4, 3, 4, IP4_ROUTED), (ON_IP6, 5, 6, IP6_ROUTED)):
        SCENE.begin(L2 | L3 | L4, 0, 1)
        SCENE.feature(out, which, TX)
        [template] = SCENE.messages(1)
        begin = int(time.time())
        SCENE.send(into, [routed(into, ip / TCP(sport=1234, dport=4321, flags="SA") / Raw(b"x" * 50))])
        SCENE.engine.ok("ipfix_flush")
        [message] = SCENE.messages(1)
        assert message.template == template.template
        assert message.header.ObservationDomainID == 1
        assert abs(message.header.ExportTime - begin) <= 2
        [record] = message.records
        source, destination = (8, 12) if which == ON_IP4 else (27, 28)
        assert (record[source], record[destination]) == (number(ip.src), number(ip.dst))
        has(record, e10=SCENE.index[into], e14=SCENE.index[out], e61=1, e2=1, e4=6, e7=1234, e11=4321, e6=0x12)
        has(record, e56=number_of(SCENE.own_mac(out)), e80=number_of(mac(out)))
        # A record of one packet has no beginning with VPP.
        assert record[156] >> 32 == NTP and abs((record[157] >> 32) - NTP - begin) <= 2, record
        SCENE.end((out, which, TX))


def every_packet_is_counted_once():
    """Many packets of several flows, at once: their sums are those of what was sent."""
    SCENE.begin(L3 | L4, 0, 1, mtu=1450)
    SCENE.feature(4, ON_IP4, TX)
    SCENE.messages(1)
    packets = [routed(3, IP4_ROUTED / UDP(sport=1000 + n % 5, dport=9) / Raw(bytes(n))) for n in range(60)]
    SCENE.send(3, packets)
    SCENE.engine.ok("ipfix_flush")
    records = []

    def all_there():
        for packet in SCENE.exported():
            records.extend(SCENE.message(packet).records)
        return sum(record[2] for record in records) >= len(packets)

    wait_for("all records", all_there)
    assert sum(record[2] for record in records) == len(packets)
    assert sum(record[1] for record in records) == sum(len(packet[IP]) for packet in packets)
    assert {record[7] for record in records} == {1000, 1001, 1002, 1003, 1004}
    SCENE.end((4, ON_IP4, TX))


def record_in_time():
    """The only record that comes, once its timer has run out; what waits for room in a message is flushed."""
    records = []

    def come():
        SCENE.engine.ok("ipfix_flush")
        records.extend(record for packet in SCENE.exported() for record in SCENE.message(packet).records)
        return records

    begin = time.monotonic()
    [record] = wait_for("a record", come)
    return record, time.monotonic() - begin


def active_and_passive_timers_export():
    """A flow that goes on is told when the active timer has run out, from its beginning on; packets, octets and flags of a record are
    those since the one before. When the passive timer has run out it has ended, and the next packet begins another."""
    SCENE.begin(L3 | L4, 1, 3)
    SCENE.feature(3, ON_IP4, RX)
    SCENE.messages(1)
    frame = routed(3, IP4_ROUTED / TCP(sport=1234, dport=4321, flags="S") / Raw(b"x" * 50))
    begin = time.time()
    SCENE.send(3, [frame, frame])
    first, waited = record_in_time()
    has(first, e2=2, e1=180, e6=0x02)
    assert 0.5 < waited < 2.5, f"not the active timer: {waited}"
    assert abs((first[156] >> 32) - NTP - begin) <= 2
    frame[TCP].flags = "RP"
    SCENE.send(3, [frame])
    second, _ = record_in_time()
    has(second, e2=1, e1=90, e6=0x0C, e156=first[156])
    assert second[157] > first[157], (first, second)
    wait_for("the end of the flow", lambda: "172.16.3.2" not in SCENE.engine.cli("show flowprobe table"), timeout=8)
    frame[TCP].flags = "F"
    SCENE.send(3, [frame])
    third, _ = record_in_time()
    has(third, e2=1, e1=90, e6=0x01)
    assert third[156] > second[157]
    SCENE.end((3, ON_IP4, RX))


def templates_come_again():
    """After their interval, while flows go on."""
    SCENE.begin(L3, 0, 1, interval=1)
    SCENE.feature(4, ON_IP4, TX)
    first, = SCENE.messages(1)
    again, = SCENE.messages(1)
    assert again.fields == first.fields and again.header.ExportTime > first.header.ExportTime
    SCENE.end((4, ON_IP4, TX))


def interfaces_and_parameters_are_told():
    """As they were set, each datapath of an interface once."""
    t = SCENE.engine
    t.ok("flowprobe_set_params", record_flags=L2 | L4, active_timer=20, passive_timer=40)
    told = t.ok("flowprobe_get_params")
    assert (told.record_flags, told.active_timer, told.passive_timer) == (L2 | L4, 20, 40)
    wanted = [(1, ON_L2, RX), (2, ON_IP4, TX), (3, ON_IP6, BOTH)]
    for n, which, direction in wanted:
        SCENE.feature(n, which, direction)
    told = [(d.sw_if_index, d.which, d.direction) for d in t.dump("flowprobe_interface_dump")]
    assert told == [(SCENE.index[n], which, direction) for n, which, direction in wanted]
    assert len(t.dump("flowprobe_interface_dump", sw_if_index=SCENE.index[2])) == 1
    assert not t.dump("flowprobe_interface_dump", sw_if_index=99)
    again = {"is_add": True, "which": ON_L2, "direction": TX, "sw_if_index": SCENE.index[1]}
    assert t.ask("flowprobe_interface_add_del", **again).retval < 0
    # As with VPP, not while there are such interfaces.
    t.no(-126, "flowprobe_set_params", record_flags=L3, active_timer=1, passive_timer=2)
    SCENE.end(*wanted)


def what_is_switched_off_leaves_nothing_over():
    """Neither the exporter nor flowprobe, when they go and come again, tell of before."""
    packet = [routed(3, IP4_ROUTED / udp())]
    SCENE.begin(L3, 0, 1)
    SCENE.feature(4, ON_IP4, TX)
    SCENE.messages(1)
    # Without an exporter, nothing comes.
    SCENE.exporter("0.0.0.0")
    SCENE.send(3, packet)
    SCENE.silence(0.3)
    SCENE.feature(4, ON_IP4, TX, is_add=False)
    SCENE.exporter("172.16.0.2")
    SCENE.feature(4, ON_IP4, TX)
    [template] = SCENE.messages(1)
    assert template.fields
    SCENE.send(3, packet)
    SCENE.engine.ok("ipfix_flush")
    [message] = SCENE.messages(1)
    has(message.records[0], e2=1)
    # Without flowprobe, nothing comes, and nothing waits.
    SCENE.feature(4, ON_IP4, TX, is_add=False)
    SCENE.send(3, packet)
    SCENE.engine.ok("ipfix_flush")
    SCENE.silence(0.3)
    assert "172.16.3.2" not in SCENE.engine.cli("show flowprobe table")
    SCENE.end()


def a_collector_that_cannot_be_reached_holds_up_nothing():
    """Messages to where no route leads are dropped and counted; a collector that comes back is told templates anew."""
    SCENE.begin(L3, 0, 1)
    SCENE.exporter("192.0.2.99")
    SCENE.feature(4, ON_IP4, TX)
    SCENE.send(3, [routed(3, IP4_ROUTED / udp())] * 3)
    SCENE.engine.ok("ipfix_flush")
    SCENE.silence(0.3)
    SCENE.exporter("172.16.0.2")
    SCENE.engine.ok("ipfix_flush")
    wait_for("a template", lambda: [m for m in map(SCENE.message, SCENE.exported()) if m.fields])
    SCENE.end((4, ON_IP4, TX))


run([
    templates_are_vpps,
    packets_of_a_bridge_are_recorded,
    routed_packets_are_recorded,
    every_packet_is_counted_once,
    active_and_passive_timers_export,
    templates_come_again,
    interfaces_and_parameters_are_told,
    what_is_switched_off_leaves_nothing_over,
    a_collector_that_cannot_be_reached_holds_up_nothing,
])
SCENE.engine.close()
