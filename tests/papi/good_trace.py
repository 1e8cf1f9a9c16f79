"""Good arguments: packets that are traced, pings, and by what of packets one of several paths is taken."""

import time

from harness import NONE


def traces(t):
    """Of packets of a stream, one by one and in bursts."""
    t.cli("packet-generator new { name traced limit 5 size 64-64 interface pg0 node ip4-input "
          "data { UDP: 1.2.3.4 -> 192.0.2.9 UDP: 1-5 -> 2 length 36 } }")
    pg_input = t.ok("get_node_index", node_name="pg-input").node_index
    drop = t.ok("get_node_index", node_name="error-drop").node_index
    t.ok("trace_clear_capture")
    t.ok("trace_capture_packets", node_index=pg_input, max_packets=5, pre_capture_clear=True)
    t.ok("pg_enable_disable", is_enabled=True, stream_name="traced")
    time.sleep(0.1)
    told = t.dump("trace_v2_dump", thread_id=NONE, position=0, max=100)
    assert [d.position for d in told] == list(range(5)), told
    assert all("pg-input" in d.trace_data for d in told), told
    assert told[0].trace_data.strip() in t.cli("show trace")
    reply, details = t.ask("trace_dump", thread_id=0, position=0, max_records=3)
    assert (reply.retval, len(details), reply.last_position, reply.more_this_thread) == (0, 3, 2, 1), reply
    reply, details = t.ask("trace_dump", thread_id=0, position=3, max_records=3)
    assert (reply.retval, len(details), reply.done) == (0, 2, 1), reply
    t.ok("trace_set_filters", flag=2, count=5, node_index=drop)
    assert not t.dump("trace_v2_dump", thread_id=NONE, position=0, max=100)
    t.ok("trace_set_filters", flag=0)
    t.ok("trace_clear_cache")
    t.ok("trace_clear_capture")
    [function] = t.dump("trace_filter_function_dump")
    assert function.selected
    t.ok("trace_set_filter_function", filter_function_name=function.name)
    t.ok("pcap_set_filter_function", filter_function_name=function.name)
    t.no(-1, "trace_set_filter_function", filter_function_name="no_such")
    t.cli("packet-generator delete traced")


def graph(t):
    """Nodes, and those behind them."""
    ask = {"cursor": NONE, "index": NONE, "name": "", "flags": 0}
    nodes = {d.index: d.name for d in t.dump("graph_node_get", want_arcs=False, **ask)}
    lookup = t.ok("get_node_index", node_name="ip4-lookup").node_index
    assert nodes[lookup] == "ip4-lookup"
    [told] = t.dump("graph_node_get", want_arcs=True, **{**ask, "index": lookup})
    assert "ip4-rewrite" in [nodes[n] for n in told.arcs_out], told


def pings(t):
    """Of an address of this router's own; the event is tested elsewhere."""
    t.ok("want_ping_finished_events", address="10.0.0.1", repeat=1, interval=0.1)


def duplicates(t):
    """Whether somebody else has new addresses."""
    t.ok("ip6_dad_enable_disable", enable=True, dad_transmits=2, dad_retransmit_delay=0.5)
    [told] = t.dump("ip6_dad_dump")
    assert (told.enabled, told.dad_transmits, told.dad_retransmit_delay) == (True, 2, 0.5), told
    t.says("show ip6 dad", "DAD is enabled, transmits 2, delay 0.5")
    t.ok("ip6_dad_enable_disable", enable=False)
    t.ok("want_ip6_dad_events", enable_disable=True)
    t.ok("want_ip6_dad_events", enable_disable=False)
    t.ok("want_ip6_ra_events", enable=True)
    t.ok("want_ip6_ra_events", enable=False)


def flow_hashes(t):
    """By table."""
    t.ok("set_ip_flow_hash", vrf_id=0, is_ipv6=False, src=True, dst=True)
    t.says("show ip fib", "flow hash:[src dst ]")
    t.ok("set_ip_flow_hash_v2", table_id=0, af=1, flow_hash_config=2)
    t.says("show ip6 fib", "flow hash:[dst ]")
    for af in (0, 1):
        t.ok("set_ip_flow_hash_v3", table_id=0, af=af, flow_hash_config=0x9F)
    t.says("show ip fib", "flow hash:[src dst sport dport proto flowlabel ]")
    t.ok("set_ip_flow_hash_router_id", router_id=7)
    t.ok("set_ip_flow_hash_router_id", router_id=0)


def without_addresses(t):
    """An interface that takes IPv4 packets all the same."""
    t.ok("sw_interface_ip4_enable_disable", sw_if_index=2, enable=True)
    t.ok("sw_interface_ip4_enable_disable", sw_if_index=2, enable=False)


PARTS = [traces, graph, pings, duplicates, flow_hashes, without_addresses]
