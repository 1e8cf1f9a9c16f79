"""Good arguments: addresses, tables, routes, neighbours, router advertisements, reassembly, punting."""

from ipaddress import IPv4Network, IPv6Network

from harness import NONE, PID, path
from vpp_papi import VppEnum

IP4, IP6 = 0, 1


def addresses(t):
    """Of pg0 and pg1."""
    t.ok("sw_interface_add_del_address", sw_if_index=1, is_add=True, prefix="10.0.0.1/24")
    t.ok("sw_interface_add_del_address", sw_if_index=1, is_add=True, prefix="2001:db8::1/64")
    t.ok("sw_interface_add_del_address", sw_if_index=2, is_add=True, prefix="10.0.1.1/24")
    [told] = t.dump("ip_address_dump", sw_if_index=1, is_ipv6=False)
    assert str(told.prefix) == "10.0.0.1/24"
    assert "2001:db8::1/64" in [str(d.prefix) for d in t.dump("ip_address_dump", sw_if_index=1, is_ipv6=True)]
    t.says("show interface address", "10.0.0.1/24", "2001:db8::1/64")
    assert 1 in [d.sw_if_index for d in t.dump("ip_dump", is_ipv6=False)]
    t.ok("sw_interface_set_unnumbered", sw_if_index=1, unnumbered_sw_if_index=4, is_add=True)
    [told] = t.dump("ip_unnumbered_dump", sw_if_index=4)
    assert told.ip_sw_if_index == 1
    t.ok("sw_interface_set_unnumbered", sw_if_index=1, unnumbered_sw_if_index=4, is_add=False)
    t.ok("sw_interface_ip6_enable_disable", sw_if_index=4, enable=True)
    t.ok("sw_interface_ip6_set_link_local_address", sw_if_index=4, ip="fe80::4")
    assert str(t.ok("sw_interface_ip6_get_link_local_address", sw_if_index=4).ip) == "fe80::4"
    t.ok("sw_interface_ip6_enable_disable", sw_if_index=4, enable=False)
    t.ok("sw_interface_add_del_address", sw_if_index=4, is_add=True, prefix="10.9.0.1/24")
    t.ok("sw_interface_address_replace_begin")
    t.ok("sw_interface_add_del_address", sw_if_index=1, is_add=True, prefix="10.0.0.1/24")
    t.ok("sw_interface_add_del_address", sw_if_index=1, is_add=True, prefix="2001:db8::1/64")
    t.ok("sw_interface_add_del_address", sw_if_index=2, is_add=True, prefix="10.0.1.1/24")
    t.ok("sw_interface_address_replace_end")
    # What was not said again has gone.
    assert not t.dump("ip_address_dump", sw_if_index=4, is_ipv6=False)


def tables(t):
    """Of routes."""
    t.ok("ip_table_add_del", is_add=True, table={"table_id": 10, "is_ip6": False, "name": "ten"})
    t.ok("ip_table_add_del_v2", is_add=True, table={"table_id": 11, "is_ip6": True, "name": "eleven"})
    told = {(d.table.table_id, d.table.is_ip6): d.table.name for d in t.dump("ip_table_dump")}
    assert told[(10, False)] == "ten" and told[(11, True)] == "eleven", told
    given = t.ok("ip_table_allocate", table={"table_id": NONE, "is_ip6": False, "name": ""}).table
    assert 0 < given.table_id < NONE
    t.ok("ip_table_add_del", is_add=False, table={"table_id": given.table_id, "is_ip6": False})
    t.ok("sw_interface_set_table", sw_if_index=4, is_ipv6=False, vrf_id=10)
    assert t.ok("sw_interface_get_table", sw_if_index=4, is_ipv6=False).vrf_id == 10
    t.ok("sw_interface_set_table", sw_if_index=4, is_ipv6=False, vrf_id=0)


def through(address, sw_if_index=1):
    """A path by way of a neighbour."""
    return {"sw_if_index": sw_if_index, "weight": 1, "proto": 0, "nh": {"address": {"ip4": address}}, "n_labels": 0,
            "label_stack": [{}] * 16}


def route(prefix, paths):
    """A route of table 10."""
    return {"table_id": 10, "prefix": prefix, "n_paths": len(paths), "paths": paths}


def prefixes(t, table):
    """Prefixes of the routes of a table."""
    return [str(d.route.prefix) for d in t.dump("ip_route_dump", table=table)]


def routes(t):
    """Added, found, told, and taken away."""
    ten = {"table_id": 10, "is_ip6": False}
    paths = [through("10.0.0.2"), through("10.0.0.3")]
    t.ok("ip_route_add_del", is_add=True, is_multipath=False, route=route("10.77.0.0/16", paths))
    t.ok("ip_route_add_del_v2", is_add=True, is_multipath=True, route={**route("10.78.0.0/16", paths[:1]), "src": 0})
    t.says("show ip fib table 10", "10.77.0.0/16", "10.78.0.0/16", "10.0.0.3")
    assert {"10.77.0.0/16", "10.78.0.0/16"} <= set(prefixes(t, ten))
    told = t.dump("ip_route_v2_dump", src=0, table=ten)
    [told] = [d.route for d in told if str(d.route.prefix) == "10.77.0.0/16"]
    assert told.n_paths == 2, told
    found = t.ok("ip_route_lookup", table_id=10, exact=0, prefix="10.77.5.5/32").route
    assert found.prefix == IPv4Network("10.77.0.0/16"), found
    found = t.ok("ip_route_lookup_v2", table_id=10, exact=1, prefix="10.78.0.0/16").route
    assert str(found.paths[0].nh.address.ip4) == "10.0.0.2"
    t.ok("ip_table_replace_begin", table=ten)
    t.ok("ip_route_add_del", is_add=True, is_multipath=False, route=route("10.77.0.0/16", paths))
    t.ok("ip_table_replace_end", table=ten)
    assert "10.78.0.0/16" not in prefixes(t, ten)
    t.ok("ip_table_flush", table=ten)
    assert "10.77.0.0/16" not in prefixes(t, ten)


def neighbours(t):
    """Static ones, of both families."""
    static = VppEnum.vl_api_ip_neighbor_flags_t.IP_API_NEIGHBOR_FLAG_STATIC
    two = {"sw_if_index": 1, "flags": static, "mac_address": "02:00:00:00:00:22", "ip_address": "10.0.0.2"}
    six = {**two, "ip_address": "2001:db8::2"}
    t.ok("ip_neighbor_add_del", is_add=True, neighbor=two)
    t.ok("ip_neighbor_add_del", is_add=True, neighbor=six)
    [told] = t.dump("ip_neighbor_dump", sw_if_index=1, af=IP4)
    assert (str(told.neighbor.ip_address), str(told.neighbor.mac_address)) == ("10.0.0.2", "02:00:00:00:00:22")
    t.says("show ip neighbors", "10.0.0.2", "02:00:00:00:00:22")
    t.says("show ip6 neighbors", "2001:db8::2")
    t.ok("ip_neighbor_config", af=IP4, max_number=1000, max_age=30, recycle=True)
    told = t.ok("ip_neighbor_config_get", af=IP4)
    assert (told.max_number, told.max_age, told.recycle) == (1000, 30, True)
    t.ok("ip_neighbor_replace_begin")
    t.ok("ip_neighbor_add_del", is_add=True, neighbor=two)
    t.ok("ip_neighbor_replace_end")
    assert not t.dump("ip_neighbor_dump", sw_if_index=1, af=IP6)
    t.ok("want_ip_neighbor_events", enable=True, pid=PID, ip="0.0.0.0")
    t.ok("want_ip_neighbor_events", enable=False, pid=PID, ip="0.0.0.0")
    t.ok("want_ip_neighbor_events_v2", enable=True, pid=PID, ip="0.0.0.0")
    t.ok("want_ip_neighbor_events_v2", enable=False, pid=PID, ip="0.0.0.0")
    t.ok("ip_neighbor_flush", af=IP4, sw_if_index=1)


def proxies(t):
    """ARP for others, if that is served."""
    if "proxy_arp_add_del" not in t.served():
        return
    proxy = {"table_id": 0, "low": "10.5.0.1", "hi": "10.5.0.9"}
    t.ok("proxy_arp_add_del", is_add=True, proxy=proxy)
    assert [str(d.proxy.low) for d in t.dump("proxy_arp_dump")] == ["10.5.0.1"]
    t.ok("proxy_arp_intfc_enable_disable", sw_if_index=1, enable=True)
    assert [d.sw_if_index for d in t.dump("proxy_arp_intfc_dump")] == [1]
    t.ok("proxy_arp_intfc_enable_disable", sw_if_index=1, enable=False)
    t.ok("proxy_arp_add_del", is_add=False, proxy=proxy)


def advertisements(t):
    """Of a router, and what is said for others."""
    t.ok("sw_interface_ip6nd_ra_config", sw_if_index=1, suppress=1, managed=1, max_interval=100, min_interval=50, lifetime=600)
    t.ok("sw_interface_ip6nd_ra_prefix", sw_if_index=1, prefix="2001:db8:5::/64", val_lifetime=1000, pref_lifetime=500)
    [told] = t.dump("sw_interface_ip6nd_ra_dump", sw_if_index=1)
    assert (told.adv_managed_flag, told.adv_router_lifetime, told.max_radv_interval) == (True, 600, 100.0), told
    assert IPv6Network("2001:db8:5::/64") in [IPv6Network(str(p.prefix)) for p in told.prefixes]
    t.ok("ip6nd_proxy_add_del", sw_if_index=1, is_add=True, ip="2001:db8::77")
    assert [str(d.ip) for d in t.dump("ip6nd_proxy_dump")] == ["2001:db8::77"]
    t.ok("ip6nd_proxy_add_del", sw_if_index=1, is_add=False, ip="2001:db8::77")


def reassembly(t):
    """Of fragments."""
    for is_ip6 in (False, True):
        for kind in (0, 1):
            t.ok("ip_reassembly_set", timeout_ms=200, max_reassemblies=100, max_reassembly_length=9,
                 expire_walk_interval_ms=1000, is_ip6=is_ip6, type=kind)
            told = t.ok("ip_reassembly_get", is_ip6=is_ip6, type=kind)
            assert (told.timeout_ms, told.max_reassemblies, told.max_reassembly_length) == (200, 100, 9), told
    t.ok("ip_reassembly_enable_disable", sw_if_index=1, enable_ip4=True, enable_ip6=False, type=0)
    t.ok("ip_reassembly_enable_disable", sw_if_index=1, enable_ip4=False, enable_ip6=False, type=0)
    t.ok("ip_local_reass_enable_disable", enable_ip4=True, enable_ip6=True)
    told = t.ok("ip_local_reass_get")
    assert told.ip4_is_enabled and told.ip6_is_enabled


def path_mtus(t):
    """What is known of ways to hosts, if that is served."""
    if "ip_path_mtu_update" in t.served():
        t.ok("ip_path_mtu_update", pmtu={"table_id": 0, "nh": "10.0.0.2", "path_mtu": 1400})
        assert "10.0.0.2" in [str(d.pmtu.nh) for d in t.dump("ip_path_mtu_get", cursor=0)]
        t.ok("ip_path_mtu_replace_begin")
        t.ok("ip_path_mtu_replace_end")


def redirects(t):
    """Of what is punted."""
    one = {"rx_sw_if_index": 1, "tx_sw_if_index": 2, "nh": "10.0.1.2"}
    t.ok("ip_punt_redirect", is_add=True, punt=one)
    [told] = t.dump("ip_punt_redirect_dump", sw_if_index=NONE, is_ipv6=False)
    assert (told.punt.rx_sw_if_index, told.punt.tx_sw_if_index, str(told.punt.nh)) == (1, 2, "10.0.1.2"), told
    t.says("show ip punt redirect", "rx pg0 via:", "10.0.1.2 pg1")
    t.ok("ip_punt_redirect", is_add=False, punt=one)
    paths = [through("10.0.1.2", 2), through("10.0.0.3")]
    several = {"rx_sw_if_index": NONE, "af": IP4, "n_paths": len(paths), "paths": paths}
    t.ok("add_del_ip_punt_redirect_v2", is_add=True, punt=several)
    [told] = t.dump("ip_punt_redirect_v2_dump", sw_if_index=NONE, af=IP4)
    assert (told.punt.rx_sw_if_index, told.punt.n_paths) == (NONE, 2), told
    t.ok("add_del_ip_punt_redirect_v2", is_add=False, punt=several)
    assert not t.dump("ip_punt_redirect_v2_dump", sw_if_index=NONE, af=IP4)
    port = {"type": 0, "punt": {"l4": {"af": IP4, "protocol": 17, "port": 125}}}
    t.ok("set_punt", is_add=True, punt=port)
    t.says("show punt db", "125")
    t.ok("set_punt", is_add=False, punt=port)
    client = path("client.sock")
    assert t.ok("punt_socket_register", header_version=1, punt=port, pathname=client).pathname == path("punt.sock")
    assert [d.pathname for d in t.dump("punt_socket_dump", type=0)] == [client]
    t.ok("punt_socket_deregister", punt=port)


def away(t):
    """Takes tables away."""
    t.ok("ip_table_add_del", is_add=False, table={"table_id": 10, "is_ip6": False})
    t.ok("ip_table_add_del_v2", is_add=False, table={"table_id": 11, "is_ip6": True})


PARTS = [addresses, tables, routes, neighbours, proxies, advertisements, reassembly, path_mtus, redirects, away]
