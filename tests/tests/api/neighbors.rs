//! Neighbours: set, told, forgotten; who wants to know is told of each.

use std::time::Duration;

use super::twins::{Twins, index, ip};
use nodes::neighbor::api::*;
use peloton_tests::api::ApiClient;
use vnet::api::ip_types::address_family;

const IP4: address_family = address_family::ADDRESS_IP4;
const NONE: ip_neighbor_flags = ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_NONE;
const STATIC: ip_neighbor_flags = ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_STATIC;

fn twins() -> Twins {
    Twins::new(&[
        "create loopback interface",
        "set interface state loop0 up",
        "set interface ip address loop0 10.0.0.1/24",
        "set interface ip address loop0 2001:db8::1/64",
    ])
}

fn neighbor(twins: &Twins, address: &str, flags: ip_neighbor_flags) -> ip_neighbor {
    ip_neighbor {
        sw_if_index: index(&twins.asked, "loop0"),
        flags,
        mac_address: [2, 0, 0, 0, 0, 9],
        ip_address: ip(address),
    }
}

fn change(client: &ApiClient<'_>, is_add: bool, neighbor: ip_neighbor) -> Result<u32, i32> {
    client.call(&ip_neighbor_add_del { is_add, neighbor }).map(|reply| reply.stats_index)
}

fn all(client: &ApiClient<'_>, sw_if_index: u32) -> Vec<ip_neighbor_details> {
    client.dump(&ip_neighbor_dump { sw_if_index, af: IP4 })
}

#[test]
fn neighbours_are_set_and_forgotten_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    change(&client, true, neighbor(&twins, "10.0.0.2", STATIC)).unwrap();
    let without_route = STATIC | ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY;
    change(&client, true, neighbor(&twins, "10.0.0.3", without_route)).unwrap();
    change(&client, true, neighbor(&twins, "2001:db8::2", STATIC)).unwrap();
    for line in ["10.0.0.2", "10.0.0.3", "2001:db8::2"] {
        let more = if line == "10.0.0.3" { "no-fib-entry" } else { "" };
        twins.tell(&format!("set ip neighbor loop0 {line} 02:00:00:00:00:09 static {more}"));
    }
    for show in ["show ip neighbors", "show ip6 neighbors", "show ip fib", "show ip6 fib"] {
        twins.agree(show);
    }
    twins.asked.advance(Duration::from_secs(5));
    let told = all(&client, u32::MAX);
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].neighbor, neighbor(&twins, "10.0.0.3", without_route));
    assert_eq!(told[0].age, 5.0);
    assert_eq!(all(&client, 0), []);
    assert_eq!(client.dump(&ip_neighbor_dump { sw_if_index: 0, af: address_family(9) }), []);
    twins.asked.advance(Duration::ZERO);
    change(&client, false, neighbor(&twins, "10.0.0.2", NONE)).unwrap();
    assert_eq!(change(&client, false, neighbor(&twins, "10.0.0.2", NONE)), Err(-6));
    assert_eq!(all(&client, u32::MAX).len(), 1);
    let nowhere = ip_neighbor { sw_if_index: 99, ..neighbor(&twins, "10.0.0.2", NONE) };
    assert_eq!(change(&client, true, nowhere.clone()), Err(-2));
    assert_eq!(change(&client, false, nowhere), Err(-2));
    let mut strange = neighbor(&twins, "10.0.0.2", NONE);
    strange.ip_address.af = address_family(9);
    assert_eq!(change(&client, true, strange), Err(-97));
    // What is static stays as it is.
    let other = ip_neighbor { mac_address: [2; 6], ..neighbor(&twins, "10.0.0.3", NONE) };
    assert_eq!(change(&client, true, other), Err(-116));
}

#[test]
fn those_that_are_not_static_are_within_the_limit_and_grow_old() {
    let twins = twins();
    let client = twins.client();
    let config = |max_number, max_age| {
        let config = ip_neighbor_config { af: IP4, max_number, max_age, recycle: false };
        client.call(&config).map(drop)
    };
    config(1, 30).unwrap();
    twins.tell("set ip neighbor-config ip4 limit 1 age 30 norecycle");
    twins.agree("show ip neighbor-config");
    let told = client.call(&ip_neighbor_config_get { af: IP4 }).unwrap();
    assert_eq!((told.max_number, told.max_age, told.recycle), (1, 30, false));
    assert_eq!(client.call(&ip_neighbor_config_get { af: address_family(9) }), Err(-97));
    assert_eq!(config(1_000_000, 0), Err(-7));
    change(&client, true, neighbor(&twins, "10.0.0.2", NONE)).unwrap();
    assert_eq!(change(&client, true, neighbor(&twins, "10.0.0.3", NONE)), Err(-162));
    let shown = twins.asked.command("show ip neighbors").unwrap();
    let words: Vec<_> = shown.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(words[1..], ["10.0.0.2", "D", "02:00:00:00:00:09", "loop0"]);
    twins.asked.advance(Duration::from_secs(60));
    assert_eq!(all(&client, u32::MAX), []);
}

#[test]
fn neighbours_are_replaced_as_a_whole_or_flushed() {
    let twins = twins();
    let client = twins.client();
    let set = |last: u32| {
        change(&client, true, neighbor(&twins, &format!("10.0.0.{last}"), STATIC)).unwrap();
    };
    (2..6).for_each(set);
    client.call(&ip_neighbor_replace_end {}).unwrap();
    assert_eq!(all(&client, u32::MAX).len(), 4);
    client.call(&ip_neighbor_replace_begin {}).unwrap();
    (4..8).for_each(set);
    client.call(&ip_neighbor_replace_end {}).unwrap();
    let left: Vec<_> =
        all(&client, u32::MAX).iter().map(|d| d.neighbor.ip_address.un.0[3]).collect();
    assert_eq!(left, [4, 5, 6, 7]);
    change(&client, true, neighbor(&twins, "2001:db8::2", STATIC)).unwrap();
    let flush = |sw_if_index| client.call(&ip_neighbor_flush { af: IP4, sw_if_index }).map(drop);
    assert_eq!(flush(99), Err(-2));
    flush(0).unwrap();
    assert_eq!(all(&client, u32::MAX).len(), 4);
    flush(index(&twins.asked, "loop0")).unwrap();
    assert_eq!(all(&client, u32::MAX), []);
    let shown = twins.asked.command("show ip6 neighbors").unwrap();
    assert!(shown.contains("2001:db8::2"), "{shown}");
}

#[test]
fn who_wants_to_know_is_told_of_each_that_comes_changes_or_goes() {
    let twins = twins();
    let (client, other) = (twins.client(), twins.client());
    let want = |client: &ApiClient<'_>, enable, address: &str, sw_if_index| {
        let ip = ip(address);
        client.call(&want_ip_neighbor_events_v2 { enable, pid: 42, ip, sw_if_index }).map(drop)
    };
    want(&client, true, "0.0.0.0", u32::MAX).unwrap();
    want(&other, true, "10.0.0.3", index(&twins.asked, "loop0")).unwrap();
    assert_eq!(want(&other, true, "0.0.0.0", 99), Err(-2));
    let first = twins.client();
    let (ip, sw_if_index) = (ip("0.0.0.0"), u32::MAX);
    let request = want_ip_neighbor_events { enable: true, pid: 7, ip, sw_if_index };
    first.call(&request).unwrap();
    twins.asked.command("set ip neighbor loop0 10.0.0.2 02:00:00:00:00:09").unwrap();
    // Confirmed, it is no news.
    twins.asked.command("set ip neighbor loop0 10.0.0.2 02:00:00:00:00:09").unwrap();
    twins.asked.command("set ip neighbor loop0 10.0.0.3 02:00:00:00:00:09").unwrap();
    twins.asked.command("set ip neighbor del loop0 10.0.0.3").unwrap();
    let told = |client: &ApiClient<'_>| -> Vec<_> {
        let events = client.events().into_iter();
        let event = |of: peloton_tests::api::Received| {
            let (_, pid, event) = of.event::<ip_neighbor_event_v2>(client).unwrap();
            assert_eq!(pid, 42);
            (event.neighbor.ip_address.un.0[3], event.flags)
        };
        events.map(event).collect()
    };
    let came = ip_neighbor_event_flags::IP_NEIGHBOR_API_EVENT_FLAG_ADDED;
    let went = ip_neighbor_event_flags::IP_NEIGHBOR_API_EVENT_FLAG_REMOVED;
    assert_eq!(told(&client), [(2, came), (3, came), (3, went)]);
    assert_eq!(told(&other), [(3, came), (3, went)]);
    let of_first = first.events();
    assert_eq!(of_first.len(), 3);
    let (_, pid, event) = of_first[0].event::<ip_neighbor_event>(&first).unwrap();
    assert_eq!((pid, event.neighbor), (7, neighbor(&twins, "10.0.0.2", STATIC)));
    want(&client, false, "0.0.0.0", u32::MAX).unwrap();
    // With its interface.
    twins.asked.command("delete loopback interface intfc loop0").unwrap();
    assert_eq!(told(&client), []);
    assert_eq!(first.events().len(), 1);
}
