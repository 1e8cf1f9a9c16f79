//! Interfaces of the host: by packet sockets, as TAP interfaces, by AF_XDP sockets.

use af_packet::api::*;
use af_xdp::api::*;
use peloton_tests::{api::ApiClient, program::not_run};
use tap::api::*;

const NONE: u32 = u32::MAX;

fn packet(name: &str) -> af_packet_create_v3 {
    af_packet_create_v3 {
        mode: af_packet_mode::AF_PACKET_API_MODE_ETHERNET,
        use_random_hw_addr: true,
        host_if_name: name.into(),
        num_rx_queues: 1,
        num_tx_queues: 1,
        ..Default::default()
    }
}

#[test]
fn what_is_no_interface_of_the_host_is_refused_with_vpps_number() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    assert_eq!(client.call(&packet("no-such")), Err(-71));
    let mode = af_packet_mode(3);
    assert_eq!(client.call(&af_packet_create_v3 { mode, ..packet("lo") }), Err(-7));
    let flags = af_packet_flags(4);
    assert_eq!(client.call(&af_packet_create_v3 { flags, ..packet("lo") }), Err(-7));
    let many = af_packet_create_v3 { num_rx_queues: 65, ..packet("lo") };
    assert_eq!(client.call(&many), Err(-7));
    let first = af_packet_create { host_if_name: "no-such".into(), ..Default::default() };
    assert_eq!(client.call(&first), Err(-71));
    let second = af_packet_create_v2 { host_if_name: "no-such".into(), ..Default::default() };
    assert_eq!(client.call(&second), Err(-71));
    assert_eq!(client.call(&af_packet_delete { host_if_name: "no-such".into() }), Err(-6));
    assert_eq!(client.dump(&af_packet_dump {}), []);
    let xdp = af_xdp_create_v3 { host_if: "no-such".into(), rxq_num: 1, ..Default::default() };
    assert_eq!(client.call(&xdp), Err(-71));
    let wrong = [
        (-7, af_xdp_create_v3 { rxq_size: 100, ..xdp.clone() }),
        (-7, af_xdp_create_v3 { rxq_num: 257, ..xdp.clone() }),
        (-7, af_xdp_create_v3 { mode: af_xdp_mode(3), ..xdp.clone() }),
        (-7, af_xdp_create_v3 { flags: af_xdp_flag(8), ..xdp.clone() }),
        (-126, af_xdp_create_v3 { prog: "own.o".into(), ..xdp.clone() }),
        (-126, af_xdp_create_v3 { netns: "other".into(), ..xdp }),
    ];
    for (number, request) in wrong {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    assert_eq!(client.call(&af_xdp_delete { sw_if_index: 0 }), Err(-2));
}

#[test]
fn what_is_no_tap_is_refused_with_vpps_number() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let good = tap_create_v3 { id: NONE, use_random_mac: true, ..Default::default() };
    let with = |flags| tap_create_v3 { tap_flags: tap_flags(flags), ..good.clone() };
    let wrong = [
        (-7, tap_create_v3 { id: 65_536, ..good.clone() }),
        (-7, tap_create_v3 { num_rx_queues: 257, ..good.clone() }),
        (-7, tap_create_v3 { host_mtu_set: true, host_mtu_size: 67, ..good.clone() }),
        (-7, tap_create_v3 { host_if_name_set: true, host_if_name: "a/b".into(), ..good.clone() }),
        (-7, with(512)),
        (-126, with(tap_flags::TAP_API_FLAG_GRO_COALESCE.0)),
        (-7, tap_create_v3 { use_random_mac: false, ..with(tap_flags::TAP_API_FLAG_TUN.0) }),
    ];
    for (number, request) in wrong {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    assert_eq!(client.call(&tap_delete_v2 { sw_if_index: 0 }), Err(-2));
    assert_eq!(client.dump(&sw_interface_tap_v2_dump { sw_if_index: NONE }), []);
}

#[test]
fn interfaces_of_the_host_come_back_as_they_were_asked_for() {
    const TEST: &str = "interfaces of the host by messages";
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let name = format!("pla{}", std::process::id() % 100_000);
    let mut request = tap_create_v3 {
        id: 7,
        use_random_mac: false,
        mac_address: [2, 0, 0, 0, 0, 7],
        host_if_name_set: true,
        host_if_name: name.as_str().into(),
        host_mtu_set: true,
        host_mtu_size: 1400,
        host_ip4_prefix_set: true,
        ..Default::default()
    };
    request.host_ip4_prefix.address = [198, 51, 100, 1];
    request.host_ip4_prefix.len = 30;
    let made = match client.call(&request) {
        Ok(made) => made.sw_if_index,
        Err(-1) => return not_run(TEST, "there is no /dev/net/tun, or it may not be opened"),
        Err(other) => panic!("{other}"),
    };
    let told = client.dump(&sw_interface_tap_v2_dump { sw_if_index: made });
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.id, told.host_mtu_size), (7, 1400));
    assert_eq!((told.dev_name.as_str(), told.host_if_name.as_str()), ("tap7", name.as_str()));
    assert_eq!(told.host_ip4_prefix, request.host_ip4_prefix);
    assert!(engine.command("show tap").unwrap().contains(&name));
    // The other end of it is an interface of the host.
    let host = client.call(&packet(&name)).unwrap().sw_if_index;
    let told = client.dump(&af_packet_dump {});
    let expected = af_packet_details { sw_if_index: host, host_if_name: name.as_str().into() };
    assert_eq!(told, [expected]);
    assert_eq!(client.call(&packet(&name)), Err(-79));
    client.call(&af_packet_delete { host_if_name: name.as_str().into() }).unwrap();
    client.call(&tap_delete_v2 { sw_if_index: made }).unwrap();
    assert_eq!(client.dump(&sw_interface_tap_v2_dump { sw_if_index: NONE }), []);
    let older =
        tap_create_v2 { id: NONE, use_random_mac: true, num_rx_queues: 1, ..Default::default() };
    let older = client.call(&older).unwrap().sw_if_index;
    client.call(&tap_delete_v2 { sw_if_index: older }).unwrap();
}
