"""Good arguments: what every engine answers, interfaces, and bridges."""

import os

from harness import NONE, PID, path
from vpp_papi import VppEnum

MAC = "02:00:00:00:00:09"


def engine_itself(t):
    """memclnt, vpe, vlib, and the packet generator."""
    assert t.ok("control_ping").vpe_pid == PID
    t.ok("memclnt_keepalive")
    assert len(t.ok("api_versions").api_versions) > 5
    assert '"sockclnt_create"' in t.ok("get_api_json").json
    first = t.ok("get_first_msg_id", name="vlib_9a9e84e4").first_msg_id
    assert first == t.client.dump_message_table()[f"cli_{t.client.messages['cli'].crc[2:]}"]
    version = t.ok("show_version")
    t.says("show version", version.program, version.version)
    # As the startup file says.
    t.says("show api trace-status", "RX Trace enabled", "TX Trace disabled")
    now = t.ok("show_vpe_system_time").vpe_system_time
    t.dump("log_dump", start_timestamp=now.timestamp())
    assert t.ok("cli_inband", cmd="show version").reply == t.cli("show version")
    lookup = t.ok("get_node_index", node_name="ip4-lookup").node_index
    assert lookup < NONE
    slot = t.ok("add_node_next", node_name="ip4-lookup", next_name="error-drop").next_index
    assert t.ok("get_next_index", node_name="ip4-lookup", next_name="error-drop").next_index == slot
    assert t.ok("show_threads").thread_data[0].pid == PID
    assert t.ok("get_f64_endian_value", f64_one=1.0).f64_one_result == 1.0
    assert t.ok("get_f64_increment_by_one", f64_value=41.0).f64_value == 42.0


def packet_generator(t):
    """pg0 to pg3, which are 1 to 4 from here on."""
    assert t.ok("pg_create_interface_v3", interface_id=0).sw_if_index == 1
    assert t.ok("pg_create_interface_v2", interface_id=1).sw_if_index == 2
    assert t.ok("pg_create_interface", interface_id=2).sw_if_index == 3
    t.ok("pg_create_interface_v3", interface_id=3)
    flags = VppEnum.vl_api_pg_interface_flags_t
    flags = flags.PG_API_FLAG_GSO | flags.PG_API_FLAG_GRO_COALESCE
    spare = t.ok("pg_create_interface_v3", interface_id=9, pg_flags=flags, gso_size=1460).sw_if_index
    t.says("show packet-generator interface pg9", "gso_size: 1460", "coalesce_enabled: 1")
    t.ok("pg_interface_enable_disable_coalesce", sw_if_index=spare, coalesce_enabled=False)
    t.says("show packet-generator interface pg9", "gso_enabled: 1", "coalesce_enabled: 0")
    t.ok("pg_delete_interface", sw_if_index=spare)
    assert "pg9" not in t.cli("show interface")
    # No interface of this kind does that.
    t.no(-100, "pg_interface_enable_disable_coalesce", sw_if_index=1, coalesce_enabled=True)
    t.ok("pg_capture", interface_id=1, is_enabled=True, count=10, pcap_file_name=path("messages.pcap"))
    t.ok("pg_capture", interface_id=1, is_enabled=False)
    t.ok("pg_enable_disable", is_enabled=True)
    t.ok("pg_enable_disable", is_enabled=False)


def detail(t, sw_if_index):
    """What is told of an interface."""
    [only] = t.dump("sw_interface_dump", sw_if_index=sw_if_index)
    return only


def interfaces(t):
    """Their states, names, sizes, modes."""
    up = VppEnum.vl_api_if_status_flags_t.IF_STATUS_API_FLAG_ADMIN_UP
    for sw_if_index in range(1, 5):
        t.ok("sw_interface_set_flags", sw_if_index=sw_if_index, flags=up)
        assert detail(t, sw_if_index).flags & up
    t.ok("sw_interface_set_promisc", sw_if_index=1, promisc_on=True)
    t.ok("hw_interface_set_mtu", sw_if_index=1, mtu=2000)
    t.ok("sw_interface_set_mtu", sw_if_index=1, mtu=[1600, 1500, 1400, 0])
    assert (detail(t, 1).link_mtu, list(detail(t, 1).mtu)) == (2000, [1600, 1500, 1400, 0])
    t.says("show interface pg0", "1600/1500/1400/0")
    t.ok("sw_interface_set_mac_address", sw_if_index=1, mac_address=MAC)
    assert str(t.ok("sw_interface_get_mac_address", sw_if_index=1).mac_address) == MAC
    t.says("show hardware-interfaces pg0", MAC)
    t.ok("sw_interface_tag_add_del", sw_if_index=1, is_add=True, tag="uplink")
    assert detail(t, 1).tag == "uplink"
    t.ok("sw_interface_tag_add_del", sw_if_index=1, is_add=False)
    t.ok("sw_interface_set_interface_name", sw_if_index=4, name="other")
    assert detail(t, 4).interface_name == "other"
    t.says("show interface", "other")
    t.ok("sw_interface_set_interface_name", sw_if_index=4, name="pg3")
    t.ok("sw_interface_clear_stats", sw_if_index=NONE)
    named = t.dump("sw_interface_dump", name_filter_valid=True, name_filter="pg")
    assert [d.interface_name for d in named] == ["pg0", "pg1", "pg2", "pg3"]


def queues(t):
    """Where interfaces are read and sent. Those of the packet generator have none that can be moved: what there is, is told."""
    polling = VppEnum.vl_api_rx_mode_t.RX_MODE_API_POLLING
    t.ask("sw_interface_set_rx_mode", sw_if_index=1, mode=polling)
    t.ask("sw_interface_set_rx_placement", sw_if_index=1, queue_id=0, is_main=True)
    t.dump("sw_interface_rx_placement_dump", sw_if_index=NONE)
    t.ok("sw_interface_set_default_rx_mode", mode=VppEnum.vl_api_rx_mode_t.RX_MODE_API_INTERRUPT)
    assert t.ok("sw_interface_get_default_rx_mode").mode == VppEnum.vl_api_rx_mode_t.RX_MODE_API_INTERRUPT
    t.ask("sw_interface_set_link_speed", sw_if_index=1, link_speed=1000)
    t.ask("sw_interface_get_speed_capa", sw_if_index=1)
    t.ask("collect_detailed_interface_stats", sw_if_index=1, enable_disable=True)


def more_interfaces(t):
    """Loopbacks and sub-interfaces."""
    loop = t.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    t.says("show interface", "loop0")
    seven = t.ok("create_loopback_instance", mac_address=MAC, is_specified=True, user_instance=7).sw_if_index
    assert detail(t, seven).interface_name == "loop7"
    t.ok("delete_loopback", sw_if_index=seven)
    vlan = t.ok("create_vlan_subif", sw_if_index=1, vlan_id=5).sw_if_index
    told = detail(t, vlan)
    assert (told.interface_name, told.sub_outer_vlan_id, told.sup_sw_if_index) == ("pg0.5", 5, 1)
    flags = VppEnum.vl_api_sub_if_flags_t
    two = flags.SUB_IF_API_FLAG_TWO_TAGS | flags.SUB_IF_API_FLAG_DOT1AD | flags.SUB_IF_API_FLAG_EXACT_MATCH
    both = t.ok("create_subif", sw_if_index=1, sub_id=6, sub_if_flags=two, outer_vlan_id=100, inner_vlan_id=200).sw_if_index
    told = detail(t, both)
    assert (told.sub_number_of_tags, told.sub_inner_vlan_id, told.sub_if_flags) == (2, 200, two)
    t.ok("delete_subif", sw_if_index=vlan)
    assert "pg0.5" not in t.cli("show interface")
    t.ok("delete_loopback", sw_if_index=loop)


def captures(t):
    """Packets that go by, into a file; these may be below /tmp only."""
    name = f"papi-{PID}.pcap"
    t.ok("pcap_trace_on", capture_rx=True, max_packets=10, sw_if_index=1, filename=name)
    t.says("pcap trace status", name)
    # Nothing was captured, so there is no file.
    t.ask("pcap_trace_off")
    if os.path.exists(f"/tmp/{name}"):
        os.unlink(f"/tmp/{name}")


def features(t):
    """Of arcs."""
    place = {"sw_if_index": 1, "arc_name": "device-input", "feature_name": "sink"}
    t.ok("feature_enable_disable", enable=True, **place)
    assert t.ok("feature_is_enabled", **place).is_enabled
    t.says("show interface features pg0", "sink")
    t.ok("feature_enable_disable", enable=False, **place)
    assert not t.ok("feature_is_enabled", **place).is_enabled


def mirrors(t):
    """Span."""
    both = VppEnum.vl_api_span_state_t.SPAN_STATE_API_RX_TX
    fields = {"sw_if_index_from": 3, "sw_if_index_to": 4, "is_l2": False}
    t.ok("sw_interface_span_enable_disable", state=both, **fields)
    [told] = t.dump("sw_interface_span_dump", is_l2=False)
    assert (told.sw_if_index_from, told.sw_if_index_to, told.state) == (3, 4, both)
    t.says("show interface span", "pg2", "pg3")
    t.ok("sw_interface_span_enable_disable", state=0, **fields)
    assert not t.dump("sw_interface_span_dump", is_l2=False)


def sources(t):
    """uRPF."""
    loose, strict = VppEnum.vl_api_urpf_mode_t.URPF_API_MODE_LOOSE, VppEnum.vl_api_urpf_mode_t.URPF_API_MODE_STRICT
    t.ok("urpf_update", is_input=True, mode=loose, af=0, sw_if_index=1)
    t.ok("urpf_update_v2", is_input=True, mode=strict, af=1, sw_if_index=1, table_id=0)
    told = [(of.sw_if_index, of.is_input, of.mode, of.af, of.table_id) for of in t.dump("urpf_interface_dump")]
    assert told == [(1, True, loose, 0, 0), (1, True, strict, 1, 0)], told
    t.says("show urpf", "loose", "strict")
    assert not t.dump("urpf_interface_dump", sw_if_index=2)
    for af in (0, 1):
        t.ok("urpf_update", is_input=True, mode=0, af=af, sw_if_index=1)
    assert not t.dump("urpf_interface_dump")


def bridge(t):
    """A domain with pg2, pg3, and a bvi."""
    assert t.ok("bridge_domain_add_del_v2", bd_id=7, flood=1, uu_flood=1, forward=1, learn=1, bd_tag="seven", is_add=1).bd_id == 7
    t.ok("bridge_domain_add_del", bd_id=8, flood=1, forward=1, learn=1, is_add=1)
    t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=3, bd_id=7, shg=1)
    t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=4, bd_id=7)
    bvi = t.ok("bvi_create", mac=MAC, user_instance=1).sw_if_index
    port = VppEnum.vl_api_l2_port_type_t.L2_API_PORT_TYPE_BVI
    t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=bvi, bd_id=7, port_type=port)
    [told] = t.dump("bridge_domain_dump", bd_id=7)
    assert (told.bd_tag, told.bvi_sw_if_index, told.n_sw_ifs) == ("seven", bvi, 3), told
    t.says("show bridge-domain 7 detail", "pg2", "pg3")
    t.ok("bridge_flags", bd_id=7, is_set=False, flags=VppEnum.vl_api_bd_flags_t.BRIDGE_API_FLAG_UU_FLOOD)
    t.ok("bridge_domain_set_mac_age", bd_id=7, mac_age=3)
    t.ok("bridge_domain_set_learn_limit", bd_id=7, learn_limit=100)
    t.ok("bridge_domain_set_default_learn_limit", learn_limit=1000000)
    [told] = t.dump("bridge_domain_dump", bd_id=7)
    assert (told.uu_flood, told.mac_age) == (False, 3)
    stations(t)
    arp_termination(t)
    ports(t)
    t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=bvi, bd_id=7, enable=False)
    t.ok("bvi_delete", sw_if_index=bvi)
    t.ok("bridge_domain_add_del", bd_id=8, is_add=0)
    assert not t.dump("bridge_domain_dump", bd_id=8)


def stations(t):
    """MAC addresses of a bridge domain."""
    t.ok("l2fib_add_del", mac="02:00:00:00:01:00", bd_id=7, sw_if_index=3, is_add=True, static_mac=True)
    t.ok("l2fib_add_del", mac="02:00:00:00:02:00", bd_id=7, sw_if_index=4, is_add=True)
    told = {str(d.mac): d.sw_if_index for d in t.dump("l2_fib_table_dump", bd_id=7)}
    assert told["02:00:00:00:01:00"] == 3
    t.says("show l2fib all", "02:00:00:00:01:00")
    t.ok("l2fib_flush_int", sw_if_index=4)
    t.ok("l2fib_flush_bd", bd_id=7)
    t.ok("l2fib_flush_all")
    t.ok("l2fib_set_scan_delay", scan_delay=10)
    t.ok("l2_fib_clear_table")
    t.ok("want_l2_macs_events2", enable_disable=True, max_macs_in_event=10, pid=PID)
    t.ok("want_l2_macs_events2", enable_disable=False, pid=PID)
    t.ok("want_l2_macs_events", enable_disable=True, pid=PID)
    t.ok("want_l2_macs_events", enable_disable=False, pid=PID)


def arp_termination(t):
    """Addresses that a bridge domain answers for."""
    entry = {"bd_id": 7, "ip": "10.0.7.9", "mac": MAC}
    t.ok("bd_ip_mac_add_del", is_add=True, entry=entry)
    [told] = t.dump("bd_ip_mac_dump", bd_id=7)
    assert str(told.entry.ip) == "10.0.7.9"
    t.ok("bd_ip_mac_flush", bd_id=7)
    assert not t.dump("bd_ip_mac_dump", bd_id=7)
    t.ok("want_l2_arp_term_events", enable=True, pid=PID)
    t.ok("want_l2_arp_term_events", enable=False, pid=PID)


def ports(t):
    """What a port of a bridge does, cross-connects, and tags."""
    learn = VppEnum.vl_api_l2_intf_feat_flags_t.L2_INTF_FEAT_LEARN
    t.ok("l2_interface_feat_flags_set", sw_if_index=3, is_set=False, flags=learn)
    assert not t.ok("l2_interface_feat_flags_get", sw_if_index=3).flags & learn
    t.ask("l2_flags", sw_if_index=3, is_set=True, feature_bitmap=1)
    t.ask("l2_flags_get", sw_if_index=3)
    t.ask("l2_flags_set", sw_if_index=3, is_set=True)
    t.ask("l2_interface_efp_filter", sw_if_index=3, enable_disable=True)
    t.ask("l2_interface_efp_filter", sw_if_index=3, enable_disable=False)
    sub = t.ok("create_vlan_subif", sw_if_index=3, vlan_id=9).sw_if_index
    t.ok("sw_interface_set_l2_bridge", rx_sw_if_index=sub, bd_id=7)
    # Pops one tag.
    t.ok("l2_interface_vlan_tag_rewrite", sw_if_index=sub, vtr_op=3)
    assert detail(t, sub).vtr_op == 3
    t.ok("delete_subif", sw_if_index=sub)
    for rx, tx in ((3, 4), (4, 3)):
        t.ok("sw_interface_set_l2_xconnect", rx_sw_if_index=rx, tx_sw_if_index=tx)
    told = {(d.rx_sw_if_index, d.tx_sw_if_index) for d in t.dump("l2_xconnect_dump")}
    assert told == {(3, 4), (4, 3)}
    for rx, tx in ((3, 4), (4, 3)):
        t.ok("sw_interface_set_l2_xconnect", rx_sw_if_index=rx, tx_sw_if_index=tx, enable=False)


def events_by_call(t):
    """Asked for and not wanted any more; what comes is tested elsewhere."""
    t.ok("want_interface_events", enable_disable=1, pid=PID)
    t.ok("want_interface_events", enable_disable=0, pid=PID)


PARTS = [engine_itself, packet_generator, interfaces, queues, more_interfaces, captures, features, mirrors, sources, bridge, events_by_call]
