//! Router advertisements, proxied hosts, and what is done with fragments.

use super::twins::{Twins, index, net};
use nodes::nd::{api::*, dad::api::*};
use vnet::fib::api::*;

fn twins() -> Twins {
    Twins::new(&[
        "create loopback interface",
        "create loopback interface",
        "set interface state loop0 up",
        "set interface ip address loop0 2001:db8::1/64",
    ])
}

#[test]
fn what_a_router_advertises_is_set_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    let sw_if_index = index(&twins.asked, "loop0");
    let config = || sw_interface_ip6nd_ra_config { sw_if_index, ..Default::default() };
    let prefix = || sw_interface_ip6nd_ra_prefix {
        sw_if_index,
        prefix: net("2001:db8:1::/64"),
        ..Default::default()
    };
    let long = sw_interface_ip6nd_ra_config {
        managed: 1,
        other: 1,
        ll_option: 1,
        default_router: 1,
        lifetime: 1000,
        max_interval: 300,
        min_interval: 100,
        initial_count: 2,
        initial_interval: 5,
        ..config()
    };
    client.call(&long).unwrap();
    twins.tell(
        "ip6 nd loop0 ra-managed-config-flag ra-other-config-flag ra-suppress-link-layer ra-lifetime 1000 \
         ra-interval 300 100 ra-initial 2 5",
    );
    client
        .call(&sw_interface_ip6nd_ra_prefix {
            val_lifetime: 3600,
            pref_lifetime: 1800,
            no_autoconfig: true,
            ..prefix()
        })
        .unwrap();
    twins.tell("ip6 nd loop0 prefix 2001:db8:1::/64 3600 1800 no-autoconfig");
    twins.agree("show ip6 interface loop0");
    let told = client.dump(&sw_interface_ip6nd_ra_dump { sw_if_index: u32::MAX });
    let [router] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((router.sw_if_index, router.adv_router_lifetime), (sw_if_index, 1000));
    assert_eq!((router.max_radv_interval, router.min_radv_interval), (300.0, 100.0));
    assert!(router.adv_managed_flag && router.adv_other_flag && !router.adv_link_layer_address);
    assert_eq!((router.initial_adverts_count, router.initial_adverts_interval), (2, 5.0));
    let [of] = router.prefixes.as_slice() else { panic!("{router:?}") };
    assert_eq!(
        (&of.prefix, of.val_lifetime, of.pref_lifetime),
        (&net("2001:db8:1::/64"), 3600, 1800)
    );
    assert!(of.onlink_flag && !of.autonomous_flag && !of.no_advertise);
    // Back to what they are without.
    client.call(&sw_interface_ip6nd_ra_config { is_no: true, managed: 1, ..config() }).unwrap();
    twins.tell("ip6 nd loop0 no ra-managed-config-flag");
    client.call(&sw_interface_ip6nd_ra_prefix { is_no: true, ..prefix() }).unwrap();
    twins.tell("ip6 nd loop0 no prefix 2001:db8:1::/64");
    twins.agree("show ip6 interface loop0");
    assert_eq!(client.dump(&sw_interface_ip6nd_ra_dump { sw_if_index: 0 }), []);
    let loop1 = index(&twins.asked, "loop1");
    for (request, number) in [
        (sw_interface_ip6nd_ra_config { sw_if_index: 99, ..config() }, -2),
        (sw_interface_ip6nd_ra_config { sw_if_index: loop1, ..config() }, -62),
        (sw_interface_ip6nd_ra_config { max_interval: 2000, ..config() }, -7),
        (sw_interface_ip6nd_ra_config { min_interval: 2, ..config() }, -7),
        (sw_interface_ip6nd_ra_config { min_interval: 299, ..config() }, -7),
        (sw_interface_ip6nd_ra_config { initial_count: 4, ..config() }, -7),
        (sw_interface_ip6nd_ra_config { default_router: 1, lifetime: 200, ..config() }, -7),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    for (request, number) in [
        (sw_interface_ip6nd_ra_prefix { sw_if_index: 99, ..prefix() }, -2),
        (sw_interface_ip6nd_ra_prefix { sw_if_index: loop1, ..prefix() }, -62),
        (sw_interface_ip6nd_ra_prefix { prefix: net("10.0.0.0/8"), ..prefix() }, -7),
        (sw_interface_ip6nd_ra_prefix { is_no: true, ..prefix() }, -7),
        (sw_interface_ip6nd_ra_prefix { pref_lifetime: 1, ..prefix() }, -7),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    twins.agree("show ip6 interface loop0");
}

#[test]
fn duplicates_are_looked_for_as_by_the_command() {
    let twins = twins();
    let client = twins.client();
    let set = |enable, dad_transmits, dad_retransmit_delay| {
        let request = ip6_dad_enable_disable { enable, dad_transmits, dad_retransmit_delay };
        client.call(&request).map(drop)
    };
    let told = || client.dump(&ip6_dad_dump {});
    let is = |enabled, dad_transmits, dad_retransmit_delay| {
        [ip6_dad_details { enabled, dad_transmits, dad_retransmit_delay }]
    };
    assert_eq!(told(), is(false, 1, 1.0));
    set(true, 3, 2.5).unwrap();
    twins.tell("set ip6 dad enable transmits 3 delay 2.5");
    twins.agree("show ip6 dad");
    assert_eq!(told(), is(true, 3, 2.5));
    // Zeros leave what there is, and so does whoever switches it off.
    set(true, 0, 0.0).unwrap();
    set(false, 99, -1.0).unwrap();
    assert_eq!(told(), is(false, 3, 2.5));
    twins.tell("set ip6 dad disable");
    twins.agree("show ip6 dad");
    assert_eq!([set(true, 11, 1.0), set(true, 1, 0.05)], [Err(-7), Err(-8)]);
    assert_eq!([set(true, 1, 10.5), set(true, 1, f64::NAN)], [Err(-8); 2]);
    assert_eq!(told(), is(false, 3, 2.5));
    // Who does not want to be told any more is not.
    set(true, 1, 1.0).unwrap();
    let want = |enable_disable| client.call(&want_ip6_dad_events { enable_disable, pid: 1 });
    want(true).unwrap();
    want(true).unwrap();
    twins.asked.command("set interface ip address loop0 2001:db8::9/64").unwrap();
    let events = client.events();
    let told: Vec<_> = events.iter().map(|event| event.event::<ip6_dad_event>(&client)).collect();
    let counts: Vec<_> =
        told.iter().flatten().map(|(_, pid, told)| (*pid, told.dad_count)).collect();
    assert_eq!(counts, [(1, 0), (1, 1)]);
    let loop0 = index(&twins.asked, "loop0");
    assert!(told.iter().flatten().all(|(_, _, told)| told.sw_if_index == loop0));
    want(false).unwrap();
    twins.asked.command("set interface ip address loop0 2001:db8::8/64").unwrap();
    assert_eq!(client.events(), []);
}

#[test]
fn hosts_are_answered_for_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    let change = |sw_if_index, is_add, host: &str| {
        let ip = host.parse::<std::net::Ipv6Addr>().unwrap().octets();
        client.call(&ip6nd_proxy_add_del { sw_if_index, is_add, ip }).map(drop)
    };
    let loop0 = index(&twins.asked, "loop0");
    change(loop0, true, "2001:db8::7").unwrap();
    twins.tell("set ip6 nd proxy loop0 2001:db8::7");
    twins.agree("show ip6 nd proxy");
    twins.agree("show ip6 fib");
    let told = client.dump(&ip6nd_proxy_dump {});
    let [host] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((host.sw_if_index, host.ip[15]), (loop0, 7));
    assert_eq!(change(loop0, true, "ff02::1"), Err(-7));
    assert_eq!(change(99, true, "2001:db8::8"), Err(-2));
    change(loop0, false, "2001:db8::7").unwrap();
    assert_eq!(client.dump(&ip6nd_proxy_dump {}), []);
    assert_eq!(change(loop0, false, "2001:db8::7"), Err(-7));
}

#[test]
fn reassembly_is_limited_and_switched_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    let sw_if_index = index(&twins.asked, "loop0");
    let set = |timeout_ms, r#type| {
        client
            .call(&ip_reassembly_set {
                timeout_ms,
                max_reassemblies: 100,
                max_reassembly_length: 5,
                expire_walk_interval_ms: 1000,
                is_ip6: true,
                r#type,
            })
            .map(drop)
    };
    let (full, shallow) =
        (ip_reass_type::IP_REASS_TYPE_FULL, ip_reass_type::IP_REASS_TYPE_SHALLOW_VIRTUAL);
    set(500, shallow).unwrap();
    twins.tell(
        "set ip6 reassembly shallow-virtual timeout 500 max-reassemblies 100 max-reassembly-length 5 \
         expire-walk-interval 1000",
    );
    twins.agree("show ip6-sv-reassembly");
    twins.agree("show ip6-full-reassembly");
    let get = |is_ip6, r#type| client.call(&ip_reassembly_get { is_ip6, r#type });
    let told = get(true, shallow).unwrap();
    assert_eq!((told.timeout_ms, told.max_reassemblies, told.max_reassembly_length), (500, 100, 5));
    assert_eq!((told.expire_walk_interval_ms, told.is_ip6), (1000, true));
    assert_eq!(get(false, full).unwrap().timeout_ms, 200);
    assert_eq!([set(0, full), set(86_400_000, full)], [Ok(()); 2]);
    assert_eq!([set(86_400_001, full), set(500, ip_reass_type(9))], [Err(-7); 2]);
    set(200, full).unwrap();
    assert_eq!(get(true, ip_reass_type(9)), Err(-7));
    let switch = |sw_if_index, enable_ip4, enable_ip6, r#type| {
        let request = ip_reassembly_enable_disable { sw_if_index, enable_ip4, enable_ip6, r#type };
        client.call(&request).map(drop)
    };
    switch(sw_if_index, true, true, full).unwrap();
    switch(sw_if_index, true, false, shallow).unwrap();
    twins.tell("set interface reassembly loop0 on");
    twins.tell("set interface reassembly loop0 ip4 shallow-virtual");
    twins.agree("show interface features loop0");
    switch(sw_if_index, false, true, full).unwrap();
    twins.tell("set interface reassembly loop0 ip6");
    twins.agree("show interface features loop0");
    assert_eq!(switch(99, true, true, full), Err(-2));
    assert_eq!(switch(sw_if_index, true, true, ip_reass_type(9)), Err(-7));
    let local = client.call(&ip_local_reass_get {}).unwrap();
    assert!(local.ip4_is_enabled && local.ip6_is_enabled);
    let switch = |enable_ip4, enable_ip6| {
        client.call(&ip_local_reass_enable_disable { enable_ip4, enable_ip6 }).map(drop)
    };
    assert_eq!([switch(true, true), switch(false, true)], [Ok(()), Err(-126)]);
}

#[test]
fn what_there_is_nothing_of_is_unimplemented_or_empty() {
    let twins = twins();
    let client = twins.client();
    assert_eq!(client.call(&ioam_enable::default()), Err(-9));
    assert_eq!(client.call(&ip_mroute_add_del::default()), Err(-9));
    assert_eq!(client.call(&ip6nd_send_router_solicitation::default()), Err(-9));
    assert_eq!(client.dump(&ip_mtable_dump {}), []);
    assert_eq!(client.dump(&nodes::punt::api::punt_reason_dump::default()), []);
}
