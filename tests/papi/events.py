"""Events come to the callback of whoever asked for them, and to nobody else."""

import queue

from harness import PID, Engine, run


class Listener(Engine):
    """A client with a callback."""

    def __init__(self, name):
        super().__init__(name)
        self.events = queue.Queue()
        self.client.register_event_callback(lambda name, event: self.events.put((name, event)))

    def next(self, name):
        """The next event, which must be of this name."""
        got, event = self.events.get(timeout=5)
        assert got == name, (got, event)
        return event

    def nothing(self):
        """Asserts that nothing more came: what came before an answer was sent has arrived by then."""
        self.api.control_ping()
        assert self.events.empty(), self.events.get()


def interfaces_go_up_and_down_and_away():
    """`sw_interface_event`."""
    listener, other = Listener("listens"), Listener("does not listen")
    loop = other.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    listener.ok("want_interface_events", enable_disable=1, pid=PID)
    other.ok("sw_interface_set_flags", sw_if_index=loop, flags=1)
    event = listener.next("sw_interface_event")
    assert (event.sw_if_index, event.flags & 1, event.deleted) == (loop, 1, False), event
    other.cli("set interface state loop0 down")
    event = listener.next("sw_interface_event")
    assert (event.sw_if_index, event.flags & 1) == (loop, 0), event
    other.ok("delete_loopback", sw_if_index=loop)
    assert listener.next("sw_interface_event").deleted
    listener.ok("want_interface_events", enable_disable=0, pid=PID)
    loop = other.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    other.ok("sw_interface_set_flags", sw_if_index=loop, flags=1)
    listener.nothing()
    other.nothing()
    other.ok("delete_loopback", sw_if_index=loop)
    listener.close()
    other.close()


def neighbours_come_and_go():
    """`ip_neighbor_event_v2`, of an interface and of one address, and the older one."""
    listener, one, older = Listener("all"), Listener("one"), Listener("older")
    pg = listener.ok("pg_create_interface_v3", interface_id=0).sw_if_index
    listener.ok("sw_interface_set_flags", sw_if_index=pg, flags=1)
    listener.ok("sw_interface_add_del_address", sw_if_index=pg, is_add=True, prefix="10.0.0.1/24")
    listener.ok("want_ip_neighbor_events_v2", enable=True, pid=PID, ip="0.0.0.0", sw_if_index=pg)
    one.ok("want_ip_neighbor_events_v2", enable=True, pid=PID, ip="10.0.0.3", sw_if_index=pg)
    older.ok("want_ip_neighbor_events", enable=True, pid=PID, ip="0.0.0.0", sw_if_index=pg)
    for last in (2, 3):
        neighbor = {"sw_if_index": pg, "flags": 1, "mac_address": "02:00:00:00:00:22", "ip_address": f"10.0.0.{last}"}
        one.ok("ip_neighbor_add_del", is_add=True, neighbor=neighbor)
        event = listener.next("ip_neighbor_event_v2")
        assert (str(event.neighbor.ip_address), event.flags) == (f"10.0.0.{last}", 1), event
        assert str(older.next("ip_neighbor_event").neighbor.ip_address) == f"10.0.0.{last}"
    assert str(one.next("ip_neighbor_event_v2").neighbor.ip_address) == "10.0.0.3"
    older.ok("ip_neighbor_add_del", is_add=False, neighbor=neighbor)
    assert listener.next("ip_neighbor_event_v2").flags == 2
    assert one.next("ip_neighbor_event_v2").flags == 2
    # The older one does not say which of both it is.
    assert str(older.next("ip_neighbor_event").neighbor.ip_address) == "10.0.0.3"
    for client in (listener, one, older):
        client.nothing()
        client.close()


def stations_are_learnt():
    """`l2_macs_event`: of a frame that comes into a bridge."""
    listener = Listener("learns")
    pg = listener.ok("pg_create_interface_v3", interface_id=1).sw_if_index
    listener.ok("sw_interface_set_flags", sw_if_index=pg, flags=1)
    listener.ok("bridge_domain_add_del_v2", bd_id=3, learn=1, flood=1, forward=1, uu_flood=1, is_add=1)
    listener.ok("sw_interface_set_l2_bridge", rx_sw_if_index=pg, bd_id=3)
    listener.ok("l2fib_set_scan_delay", scan_delay=1)
    listener.ok("want_l2_macs_events2", enable_disable=True, max_macs_in_event=10, pid=PID)
    listener.cli("packet-generator new { name m limit 1 interface pg1 node ethernet-input data "
                 "{ IP4: 02:00:00:00:09:09 -> 02:00:00:00:08:08 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 } }")
    listener.ok("pg_enable_disable", is_enabled=True, stream_name="m")
    event = listener.next("l2_macs_event")
    assert [(str(m.mac_addr), m.sw_if_index, m.action) for m in event.mac] == [("02:00:00:00:09:09", pg, 0)], event
    listener.close()


def pings_end():
    """`ping_finished_event`, after the reply and all intervals, while other requests are answered."""
    listener, other = Listener("pings"), Listener("does not")
    loop = listener.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    listener.ok("sw_interface_set_flags", sw_if_index=loop, flags=1)
    listener.ok("sw_interface_add_del_address", sw_if_index=loop, is_add=True, prefix="10.99.0.1/24")
    listener.ok("want_ping_finished_events", address="10.99.0.1", repeat=3, interval=0.2)
    listener.nothing()
    event = listener.next("ping_finished_event")
    assert (event.request_count, event.reply_count) == (3, 3), event
    other.nothing()
    listener.ok("delete_loopback", sw_if_index=loop)
    listener.close()
    other.close()


def new_addresses_are_asked_for():
    """`ip6_dad_event`: of an address for which nobody answers."""
    listener = Listener("asks")
    loop = listener.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    listener.ok("sw_interface_set_flags", sw_if_index=loop, flags=1)
    listener.ok("sw_interface_ip6_enable_disable", sw_if_index=loop, enable=True)
    listener.ok("ip6_dad_enable_disable", enable=True, dad_transmits=1, dad_retransmit_delay=0.1)
    listener.ok("want_ip6_dad_events", enable_disable=True, pid=PID)
    listener.ok("sw_interface_add_del_address", sw_if_index=loop, is_add=True, prefix="2001:db8:99::1/64")
    for state, count in ((1, 0), (1, 1), (2, 1)):
        event = listener.next("ip6_dad_event")
        assert (event.state, event.dad_count, event.dad_transmits) == (state, count, 1), event
        assert (str(event.address), event.sw_if_index) == ("2001:db8:99::1", loop), event
    listener.ok("ip6_dad_enable_disable", enable=False)
    listener.ok("delete_loopback", sw_if_index=loop)
    listener.close()


def a_client_that_has_gone_is_told_nothing():
    """What it asked for goes with it: another may ask."""
    gone = Listener("gone")
    gone.ok("want_interface_events", enable_disable=1, pid=PID)
    gone.close()
    listener = Listener("next")
    listener.ok("want_interface_events", enable_disable=1, pid=PID)
    loop = listener.ok("create_loopback", mac_address="00:00:00:00:00:00").sw_if_index
    listener.ok("sw_interface_set_flags", sw_if_index=loop, flags=1)
    assert listener.next("sw_interface_event").sw_if_index == loop
    listener.close()


run([
    interfaces_go_up_and_down_and_away,
    neighbours_come_and_go,
    stations_are_learnt,
    pings_end,
    new_addresses_are_asked_for,
    a_client_that_has_gone_is_told_nothing,
])
