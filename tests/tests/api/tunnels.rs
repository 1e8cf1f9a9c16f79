//! Tunnels of all kinds, each beside its command.

use std::net::IpAddr;

use nodes::tunnel::api::{geneve::*, gre::*, ipip::*, vxlan::*};
use peloton_tests::api::ApiClient;
use vnet::{
    api::ip_types::{address, ip_dscp},
    tunnel::api::{tunnel_encap_decap_flags, tunnel_mode},
};

const NONE: u32 = u32::MAX;

fn ip(text: &str) -> address {
    text.parse::<IpAddr>().unwrap().into()
}

fn vxlan() -> vxlan_add_del_tunnel_v3 {
    vxlan_add_del_tunnel_v3 {
        is_add: true,
        instance: NONE,
        src_address: ip("192.0.2.1"),
        dst_address: ip("192.0.2.2"),
        mcast_sw_if_index: NONE,
        decap_next_index: NONE,
        vni: 7,
        ..Default::default()
    }
}

#[test]
fn a_vxlan_tunnel_is_that_of_the_command() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    assert_eq!(client.call(&vxlan()).unwrap().sw_if_index, 1);
    let by_api = engine.command("show vxlan tunnel").unwrap();
    let told = client.dump(&vxlan_tunnel_v2_dump { sw_if_index: NONE });
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.sw_if_index, told.instance, told.vni), (1, 0, 7));
    assert_eq!((told.src_port, told.dst_port), (4789, 4789));
    assert_eq!((&told.src_address, &told.dst_address), (&ip("192.0.2.1"), &ip("192.0.2.2")));
    assert_eq!(client.call(&vxlan()), Err(-75));
    client.call(&vxlan_add_del_tunnel_v3 { is_add: false, ..vxlan() }).unwrap();
    assert_eq!(client.call(&vxlan_add_del_tunnel_v3 { is_add: false, ..vxlan() }), Err(-6));
    engine.command("create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 7").unwrap();
    assert_eq!(by_api, engine.command("show vxlan tunnel").unwrap());
    // The older messages.
    let v1 = vxlan_add_del_tunnel {
        is_add: true,
        instance: 5,
        src_address: ip("2001:db8::1"),
        dst_address: ip("2001:db8::2"),
        mcast_sw_if_index: NONE,
        encap_vrf_id: 0,
        decap_next_index: 1,
        vni: 8,
    };
    assert_eq!(client.call(&v1).unwrap().sw_if_index, 2);
    let v2 = vxlan_add_del_tunnel_v2 {
        is_add: true,
        instance: NONE,
        src_address: ip("192.0.2.1"),
        dst_address: ip("192.0.2.3"),
        src_port: 4790,
        dst_port: 4791,
        mcast_sw_if_index: NONE,
        encap_vrf_id: 0,
        decap_next_index: NONE,
        vni: 9,
    };
    assert_eq!(client.call(&v2).unwrap().sw_if_index, 3);
    let told = client.dump(&vxlan_tunnel_v2_dump { sw_if_index: 3 });
    assert_eq!((told[0].src_port, told[0].dst_port), (4790, 4791));
    let told = client.dump(&vxlan_tunnel_dump { sw_if_index: NONE });
    assert_eq!(told.iter().map(|tunnel| tunnel.vni).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!((told[1].instance, told[1].decap_next_index), (5, 1));
    assert_eq!(client.dump(&vxlan_tunnel_dump { sw_if_index: 0 }), []);
}

#[test]
fn what_is_no_vxlan_tunnel_is_refused_with_vpps_number() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    client.call(&vxlan_add_del_tunnel_v3 { vni: 6, ..vxlan() }).unwrap();
    let wrong = [
        (-82, vxlan_add_del_tunnel_v3 { dst_address: ip("192.0.2.1"), ..vxlan() }),
        (-7, vxlan_add_del_tunnel_v3 { dst_address: ip("2001:db8::2"), ..vxlan() }),
        (-58, vxlan_add_del_tunnel_v3 { dst_address: ip("239.0.0.1"), ..vxlan() }),
        (-57, vxlan_add_del_tunnel_v3 { src_address: ip("0.0.0.0"), ..vxlan() }),
        (-3, vxlan_add_del_tunnel_v3 { encap_vrf_id: 9, ..vxlan() }),
        (-76, vxlan_add_del_tunnel_v3 { decap_next_index: 0, ..vxlan() }),
        (-7, vxlan_add_del_tunnel_v3 { vni: 1 << 24, ..vxlan() }),
        (-147, vxlan_add_del_tunnel_v3 { instance: 0, ..vxlan() }),
        (-147, vxlan_add_del_tunnel_v3 { instance: 16_384, ..vxlan() }),
    ];
    for (number, request) in wrong {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    let bypass = sw_interface_set_vxlan_bypass { sw_if_index: 1, is_ipv6: false, enable: true };
    assert_eq!(client.call(&bypass), Err(-9));
}

#[test]
fn a_geneve_tunnel_is_that_of_the_command() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let add = geneve_add_del_tunnel {
        is_add: true,
        local_address: ip("192.0.2.1"),
        remote_address: ip("192.0.2.2"),
        mcast_sw_if_index: NONE,
        encap_vrf_id: 0,
        decap_next_index: NONE,
        vni: 7,
    };
    assert_eq!(client.call(&add).unwrap().sw_if_index, 1);
    assert_eq!(client.call(&add), Err(-75));
    let by_api = engine.command("show geneve tunnel").unwrap();
    let told = client.dump(&geneve_tunnel_dump { sw_if_index: 1 });
    assert_eq!((told.len(), told[0].vni, &told[0].dst_address), (1, 7, &ip("192.0.2.2")));
    client.call(&geneve_add_del_tunnel { is_add: false, ..add }).unwrap();
    let second = |l3_mode| geneve_add_del_tunnel2 {
        is_add: true,
        local_address: ip("192.0.2.1"),
        remote_address: ip("192.0.2.2"),
        mcast_sw_if_index: NONE,
        encap_vrf_id: 0,
        decap_next_index: NONE,
        vni: 7,
        l3_mode,
    };
    assert_eq!(client.call(&second(true)), Err(-126));
    client.call(&second(false)).unwrap();
    assert_eq!(by_api, engine.command("show geneve tunnel").unwrap());
}

#[test]
fn a_gre_tunnel_is_that_of_the_command() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let tunnel = gre_tunnel_v2 {
        r#type: gre_tunnel_type::GRE_API_TUNNEL_TYPE_TEB,
        flags: tunnel_encap_decap_flags::TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_DF,
        instance: 4,
        src: ip("192.0.2.1"),
        dst: ip("192.0.2.2"),
        key: 99,
        ..Default::default()
    };
    let add =
        |tunnel: &gre_tunnel_v2| gre_tunnel_add_del_v2 { is_add: true, tunnel: tunnel.clone() };
    assert_eq!(client.call(&add(&tunnel)).unwrap().sw_if_index, 1);
    assert_eq!(client.call(&add(&tunnel)), Err(-79));
    let by_api = engine.command("show gre tunnel").unwrap();
    let told = client.dump(&gre_tunnel_v2_dump { sw_if_index: NONE });
    assert_eq!(
        told,
        [gre_tunnel_v2_details { tunnel: gre_tunnel_v2 { sw_if_index: 1, ..tunnel.clone() } }]
    );
    let other = |change: fn(&mut gre_tunnel_v2)| {
        let mut tunnel = tunnel.clone();
        change(&mut tunnel);
        client.call(&add(&tunnel)).unwrap_err()
    };
    assert_eq!(other(|t| t.mode = tunnel_mode::TUNNEL_API_MODE_MP), -126);
    assert_eq!(other(|t| t.r#type = gre_tunnel_type::GRE_API_TUNNEL_TYPE_ERSPAN), -126);
    assert_eq!(other(|t| t.r#type = gre_tunnel_type(9)), -7);
    assert_eq!(other(|t| t.dst = ip("2001:db8::1")), -153);
    assert_eq!(other(|t| t.dst = ip("192.0.2.1")), -82);
    assert_eq!(other(|t| t.outer_table_id = 9), -3);
    assert_eq!(other(|t| t.key = 98), -147);
    client.call(&gre_tunnel_add_del_v2 { is_add: false, tunnel }).unwrap();
    engine.command("create gre tunnel src 192.0.2.1 dst 192.0.2.2 instance 4 teb key 99 flags encap-copy-df").unwrap();
    assert_eq!(by_api, engine.command("show gre tunnel").unwrap());
    // The older message has no key.
    let older = gre_tunnel {
        instance: NONE,
        src: ip("192.0.2.1"),
        dst: ip("192.0.2.2"),
        ..Default::default()
    };
    client.call(&gre_tunnel_add_del { is_add: true, tunnel: older }).unwrap();
    let told = client.dump(&gre_tunnel_dump { sw_if_index: 2 });
    assert_eq!(told[0].tunnel.r#type, gre_tunnel_type::GRE_API_TUNNEL_TYPE_L3);
}

#[test]
fn an_ipip_tunnel_is_that_of_the_command() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let tunnel = ipip_tunnel {
        instance: NONE,
        src: ip("2001:db8::1"),
        dst: ip("2001:db8::2"),
        flags: tunnel_encap_decap_flags::TUNNEL_API_ENCAP_DECAP_FLAG_ENCAP_COPY_DSCP,
        ..Default::default()
    };
    let add = ipip_add_tunnel { tunnel: tunnel.clone() };
    assert_eq!(client.call(&add).unwrap().sw_if_index, 1);
    assert_eq!(client.call(&add), Err(-79));
    let by_api = engine.command("show ipip tunnel").unwrap();
    let told = client.dump(&ipip_tunnel_dump { sw_if_index: 1 });
    let expected = ipip_tunnel { instance: 0, sw_if_index: 1, ..tunnel.clone() };
    assert_eq!(told, [ipip_tunnel_details { tunnel: expected }]);
    let marked = ipip_tunnel { dscp: ip_dscp::IP_API_DSCP_EF, ..tunnel };
    assert_eq!(client.call(&ipip_add_tunnel { tunnel: marked }), Err(-126));
    client.call(&ipip_del_tunnel { sw_if_index: 1 }).unwrap();
    assert_eq!(client.call(&ipip_del_tunnel { sw_if_index: 1 }), Err(-6));
    engine
        .command("create ipip tunnel src 2001:db8::1 dst 2001:db8::2 flags encap-copy-dscp")
        .unwrap();
    assert_eq!(by_api, engine.command("show ipip tunnel").unwrap());
    assert_eq!(client.call(&ipip_6rd_del_tunnel { sw_if_index: 1 }), Err(-9));
}
