"""Good arguments: classifier, access lists, export of flows, tunnels, interfaces of the host."""

import os
from ipaddress import ip_address

from harness import NONE, PID

IP4 = 0
FOLDER_OF_INTERFACES = "/sys/class/net"


def exporter(t):
    """IPFIX."""
    fields = {"collector_address": "10.0.0.2", "collector_port": 4739, "src_address": "10.0.0.1", "vrf_id": 0,
              "path_mtu": 1400, "template_interval": 20}
    t.ok("set_ipfix_exporter", **fields)
    [told] = t.dump("ipfix_exporter_dump")
    assert (str(told.collector_address), told.path_mtu, told.template_interval) == ("10.0.0.2", 1400, 20)
    t.says("show ipfix exporter", "10.0.0.2", "10.0.0.1")
    other = {**fields, "collector_address": "10.0.0.3"}
    t.ok("ipfix_exporter_create_delete", is_create=True, **other)
    told = [str(d.collector_address) for d in t.dump("ipfix_all_exporter_get", cursor=0)]
    assert sorted(told) == ["10.0.0.2", "10.0.0.3"], told
    t.ok("ipfix_exporter_create_delete", is_create=False, **other)
    t.ok("ipfix_flush")


def flows(t):
    """flowprobe."""
    t.ok("flowprobe_set_params", record_flags=7, active_timer=5, passive_timer=10)
    told = t.ok("flowprobe_get_params")
    assert (told.record_flags, told.active_timer, told.passive_timer) == (7, 5, 10)
    t.says("show flowprobe params", "l2", "l3", "l4")
    t.ok("flowprobe_params", record_flags=7, active_timer=2, passive_timer=4)
    fields = {"which": 0, "direction": 2, "sw_if_index": 2}
    t.ok("flowprobe_interface_add_del", is_add=True, **fields)
    [told] = t.dump("flowprobe_interface_dump")
    assert (told.which, told.direction, told.sw_if_index) == (0, 2, 2)
    t.says("show flowprobe feature", "pg1")
    t.ok("flowprobe_interface_add_del", is_add=False, **fields)
    t.ok("flowprobe_tx_interface_add_del", is_add=True, which=1, sw_if_index=2)
    t.ok("flowprobe_tx_interface_add_del", is_add=False, which=1, sw_if_index=2)
    assert not t.dump("flowprobe_interface_dump")


def mask():
    """Source addresses of IPv4, behind an Ethernet header: 26 octets and 4, of two vectors."""
    return bytes(26) + b"\xff" * 4 + bytes(2)


def classifier(t):
    """Tables and sessions."""
    new = {"is_add": True, "nbuckets": 16, "memory_size": 1 << 20, "match_n_vectors": 2, "miss_next_index": NONE}
    table = t.ok("classify_add_del_table", mask_len=32, mask=mask(), **new).new_table_index
    assert table in t.ok("classify_table_ids").ids
    address = bytes(26) + bytes([10, 0, 0, 9]) + bytes(2)
    session = {"table_index": table, "match_len": 32, "match": address, "hit_next_index": 0}
    t.ok("classify_add_del_session", is_add=True, opaque_index=42, **session)
    told = t.ok("classify_table_info", table_id=table)
    assert (told.match_n_vectors, told.active_sessions, bytes(told.mask)) == (2, 1, mask()), told
    [told] = t.dump("classify_session_dump", table_id=table)
    assert (told.opaque_index, bytes(told.match)) == (42, address)
    attached(t, table)
    reported(t, table)
    filters(t)
    t.ok("classify_add_del_session", is_add=False, **session)
    t.ok("classify_add_del_table", is_add=False, table_index=table)
    assert table not in t.ok("classify_table_ids").ids


def attached(t, table):
    """A table at an interface, in each of the ways."""
    none = {"ip6_table_index": NONE, "l2_table_index": NONE}
    for request in ("input_acl_set_interface", "output_acl_set_interface"):
        t.ok(request, sw_if_index=2, ip4_table_index=table, is_add=True, **none)
        if request.startswith("input"):
            assert t.ok("classify_table_by_interface", sw_if_index=2).ip4_table_id == table
        t.ok(request, sw_if_index=2, ip4_table_index=table, is_add=False, **none)
    punted = {"ip4_table_index": table, "ip6_table_index": NONE}
    t.ok("punt_acl_add_del", is_add=True, **punted)
    told = t.ok("punt_acl_get")
    assert (told.ip4_table_index, told.ip6_table_index) == (table, NONE), told
    t.ok("punt_acl_add_del", is_add=False, **punted)
    flow = {"sw_if_index": 2, "ip4_table_index": table, "ip6_table_index": NONE}
    t.ok("flow_classify_set_interface", is_add=True, **flow)
    assert [d.table_index for d in t.dump("flow_classify_dump", type=0, sw_if_index=NONE)] == [table]
    t.ok("flow_classify_set_interface", is_add=False, **flow)


def reported(t, table):
    """Sessions of a table, told to collectors."""
    t.ok("set_ipfix_classify_stream", domain_id=9, src_port=4739)
    [told] = t.dump("ipfix_classify_stream_dump")
    assert (told.domain_id, told.src_port) == (9, 4739)
    fields = {"table_id": table, "ip_version": IP4, "transport_protocol": 255}
    t.ok("ipfix_classify_table_add_del", is_add=True, **fields)
    assert [d.table_id for d in t.dump("ipfix_classify_table_dump")] == [table]
    t.ok("ipfix_classify_table_add_del", is_add=False, **fields)


def filters(t):
    """What is captured and traced."""
    for kind in ("pcap", "trace"):
        place = {"sw_if_index": 2} if kind == "pcap" else {}
        found = t.ask(f"classify_{kind}_lookup_table", match_n_vectors=2, mask_len=32, mask=mask(), **place)
        table = t.ask(f"classify_{kind}_set_table", table_index=NONE, **place)
        assert found.table_index == table.table_index == NONE, (found, table)
        assert t.ok(f"classify_{kind}_get_tables", **place).count == 0


def rule(source, permit=1, protocol=17):
    """A rule about a source."""
    prefixes = {"src_prefix": source, "dst_prefix": "0.0.0.0/0"}
    ports = {"srcport_or_icmptype_last": 65535, "dstport_or_icmpcode_last": 65535}
    return {"is_permit": permit, "proto": protocol, **prefixes, **ports}


def access_lists(t):
    """acl."""
    assert t.ask("acl_plugin_get_version").major == 1
    t.ok("acl_plugin_control_ping")
    assert t.ask("acl_plugin_get_conn_table_max_entries").conn_table_max_entries > 0
    rules = [rule("10.1.0.0/16"), rule("10.2.0.0/16", permit=0)]
    acl = t.ok("acl_add_replace", acl_index=NONE, tag="first", count=2, r=rules).acl_index
    [told] = t.dump("acl_dump", acl_index=acl)
    assert (told.tag, told.count, str(told.r[0].src_prefix)) == ("first", 2, "10.1.0.0/16")
    t.says("show acl-plugin acl", "first", "10.2.0.0/16")
    t.ok("acl_interface_add_del", is_add=True, is_input=True, sw_if_index=2, acl_index=acl)
    [told] = t.dump("acl_interface_list_dump", sw_if_index=2)
    assert (told.n_input, told.acls) == (1, [acl])
    t.ok("acl_interface_set_acl_list", sw_if_index=2, count=2, n_input=1, acls=[acl, acl])
    t.ok("acl_interface_set_acl_list", sw_if_index=2, count=0, n_input=0, acls=[])
    t.ok("acl_stats_intf_counters_enable", enable=True)
    t.ask("acl_plugin_use_hash_lookup_set", enable=True)
    assert t.ask("acl_plugin_use_hash_lookup_get").enable
    t.ok("acl_del", acl_index=acl)
    macs(t)


def macs(t):
    """Access lists of MAC addresses."""
    rules = [{"is_permit": 1, "src_mac": "02:00:00:00:00:22", "src_mac_mask": "ff:ff:ff:ff:ff:ff", "src_prefix": "0.0.0.0/0"}]
    acl = t.ok("macip_acl_add", tag="macs", count=1, r=rules).acl_index
    t.ok("macip_acl_add_replace", acl_index=acl, tag="again", count=1, r=rules)
    [told] = t.dump("macip_acl_dump", acl_index=acl)
    assert (told.tag, str(told.r[0].src_mac)) == ("again", "02:00:00:00:00:22")
    t.ok("macip_acl_interface_add_del", is_add=True, sw_if_index=2, acl_index=acl)
    assert t.ask("macip_acl_interface_get").acls[2] == acl
    assert [d.acls for d in t.dump("macip_acl_interface_list_dump", sw_if_index=2)] == [[acl]]
    t.says("show acl-plugin macip acl", "again")
    t.ok("macip_acl_interface_add_del", is_add=False, sw_if_index=2, acl_index=acl)
    t.ok("macip_acl_del", acl_index=acl)


def tunnels(t):
    """Each kind is made, told, and deleted."""
    ends = {"src_address": "10.0.0.1", "dst_address": "10.0.0.9", "mcast_sw_if_index": NONE, "decap_next_index": NONE}
    for version, vni in (("", 5), ("_v2", 6), ("_v3", 7)):
        fields = {**ends, "instance": vni, "vni": vni}
        made = t.ok(f"vxlan_add_del_tunnel{version}", is_add=True, **fields).sw_if_index
        dumped = "vxlan_tunnel_v2_dump" if version else "vxlan_tunnel_dump"
        assert [d.vni for d in t.dump(dumped, sw_if_index=made)] == [vni]
        t.says("show vxlan tunnel", "10.0.0.9", vni)
        t.ok(f"vxlan_add_del_tunnel{version}", is_add=False, **fields)
    geneve(t)
    inner(t)


def geneve(t):
    """GENEVE."""
    ends = {"local_address": "10.0.0.1", "remote_address": "10.0.0.9", "mcast_sw_if_index": NONE, "decap_next_index": NONE}
    for request in ("geneve_add_del_tunnel", "geneve_add_del_tunnel2"):
        made = t.ok(request, is_add=True, vni=8, **ends).sw_if_index
        assert [d.vni for d in t.dump("geneve_tunnel_dump", sw_if_index=made)] == [8]
        t.ok(request, is_add=False, vni=8, **ends)


def inner(t):
    """GRE, and IP in IP."""
    ends = {"instance": NONE, "src": "10.0.0.1", "dst": "10.0.0.9"}
    for version in ("", "_v2"):
        made = t.ok(f"gre_tunnel_add_del{version}", is_add=True, tunnel=ends).sw_if_index
        told = t.dump(f"gre_tunnel{version}_dump", sw_if_index=made)
        assert [str(d.tunnel.dst) for d in told] == ["10.0.0.9"]
        t.says("show gre tunnel", "10.0.0.9")
        t.ok(f"gre_tunnel_add_del{version}", is_add=False, tunnel=ends)
    made = t.ok("ipip_add_tunnel", tunnel=ends).sw_if_index
    [told] = t.dump("ipip_tunnel_dump", sw_if_index=made)
    assert told.tunnel.dst == ip_address("10.0.0.9")
    t.ok("ipip_del_tunnel", sw_if_index=made)


def host_interfaces(t):
    """What is made of the host's interfaces: of those that there are not, nothing; a tap, where it may be made."""
    name = f"no-such{PID}"[:15]
    for version in ("", "_v2", "_v3"):
        more = {"mode": 1} if version == "_v3" else {}
        assert t.ask(f"af_packet_create{version}", host_if_name=name, use_random_hw_addr=True, **more).retval < 0
    assert t.ask("af_packet_delete", host_if_name=name).retval < 0
    t.dump("af_packet_dump")
    assert t.ask("af_xdp_create_v3", host_if=name, name="xdp0").retval < 0
    assert t.ask("af_xdp_delete", sw_if_index=2).retval < 0
    taps(t)


def taps(t):
    """A tap, with nothing else on it."""
    name = f"pel{PID % 1000000}"
    for version in ("v2", "v3"):
        made = t.ask(f"tap_create_{version}", id=5, host_if_name_set=True, host_if_name=name)
        if made.retval:
            assert os.geteuid() != 0 or not os.path.exists("/dev/net/tun"), made
            continue
        [told] = t.dump("sw_interface_tap_v2_dump", sw_if_index=made.sw_if_index)
        assert (told.host_if_name, told.id) == (name, 5)
        assert os.path.exists(os.path.join(FOLDER_OF_INTERFACES, name))
        t.says("show tap", name)
        t.ok("tap_delete_v2", sw_if_index=made.sw_if_index)
        assert not os.path.exists(os.path.join(FOLDER_OF_INTERFACES, name))
    t.dump("sw_interface_tap_v2_dump", sw_if_index=NONE)
    t.ask("tap_delete_v2", sw_if_index=2)


PARTS = [exporter, flows, classifier, access_lists, tunnels, host_interfaces]
