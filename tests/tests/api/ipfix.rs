//! Exporters, and classifier tables as reports. Expectations are those of VPP's `test_ipfix_export.py`, beside the commands.

use std::net::IpAddr;

use peloton_tests::api::ApiClient;
use vnet::{
    api::ip_types::{address_family, ip_proto},
    ipfix::engine::api::*,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn exporter(collector: &str) -> set_ipfix_exporter {
    set_ipfix_exporter {
        collector_address: ip(collector).into(),
        collector_port: 4739,
        src_address: ip("192.0.2.1").into(),
        vrf_id: 0,
        path_mtu: 1400,
        template_interval: 20,
        udp_checksum: false,
    }
}

fn second(collector: &str, is_create: bool, path_mtu: u32) -> ipfix_exporter_create_delete {
    ipfix_exporter_create_delete {
        is_create,
        collector_address: ip(collector).into(),
        collector_port: 4739,
        src_address: ip("192.0.2.1").into(),
        vrf_id: u32::MAX,
        path_mtu,
        template_interval: 20,
        udp_checksum: false,
    }
}

/// Collectors and path MTUs of all exporters.
fn all(client: &ApiClient<'_>) -> Vec<(IpAddr, u32)> {
    let (details, reply) = client.get(&ipfix_all_exporter_get { cursor: 0 }).unwrap();
    assert_eq!(reply.cursor, u32::MAX);
    let of = |told: &ipfix_all_exporter_details| {
        ((&told.collector_address).try_into().unwrap(), told.path_mtu)
    };
    details.iter().map(of).collect()
}

#[test]
fn exporter_0_is_what_set_ipfix_exporter_says() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let none = &client.dump(&ipfix_exporter_dump {})[0];
    assert_eq!(IpAddr::try_from(&none.collector_address), Ok(ip("0.0.0.0")));
    client.call(&exporter("192.0.2.9")).unwrap();
    let by_api = engine.command("show ipfix exporter").unwrap();
    let told = client.dump(&ipfix_exporter_dump {});
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(IpAddr::try_from(&told.collector_address), Ok(ip("192.0.2.9")));
    assert_eq!(IpAddr::try_from(&told.src_address), Ok(ip("192.0.2.1")));
    assert_eq!((told.collector_port, told.vrf_id), (4739, 0));
    assert_eq!((told.path_mtu, told.template_interval), (1400, 20));
    let line = "set ipfix exporter collector 192.0.2.9 src 192.0.2.1 fib-id 0 path-mtu 1400";
    engine.command(line).unwrap();
    assert_eq!(by_api, engine.command("show ipfix exporter").unwrap());
    // All bits set is "as it is by itself".
    let default = set_ipfix_exporter {
        collector_port: u16::MAX,
        vrf_id: u32::MAX,
        path_mtu: u32::MAX,
        template_interval: u32::MAX,
        ..exporter("192.0.2.9")
    };
    client.call(&default).unwrap();
    let told = &client.dump(&ipfix_exporter_dump {})[0];
    assert_eq!((told.collector_port, told.vrf_id), (4739, u32::MAX));
    assert_eq!((told.path_mtu, told.template_interval), (512, 20));
    client.call(&exporter("0.0.0.0")).unwrap();
    assert!(engine.command("show ipfix exporter").unwrap().contains("disabled"));
}

#[test]
fn what_is_no_exporter_changes_nothing() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    client.call(&exporter("192.0.2.9")).unwrap();
    let good = exporter("192.0.2.10");
    let wrong = [
        (-7, set_ipfix_exporter { path_mtu: 1451, ..good.clone() }),
        (-7, set_ipfix_exporter { path_mtu: 67, ..good.clone() }),
        (-7, set_ipfix_exporter { src_address: ip("0.0.0.0").into(), ..good.clone() }),
        (-7, set_ipfix_exporter { src_address: ip("2001:db8::1").into(), ..good.clone() }),
        (-7, set_ipfix_exporter { collector_port: 0, ..good.clone() }),
        (-3, set_ipfix_exporter { vrf_id: 7, ..good.clone() }),
    ];
    for (number, request) in wrong {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    let mut no_family = good;
    no_family.collector_address.af = address_family(2);
    assert_eq!(client.call(&no_family), Err(-97));
    assert_eq!(all(&client), [(ip("192.0.2.9"), 1400)]);
}

#[test]
fn further_exporters_go_by_their_collectors() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    client.call(&exporter("192.0.2.9")).unwrap();
    client.call(&second("192.0.2.10", true, 1400)).unwrap();
    client.call(&second("192.0.2.11", true, 1400)).unwrap();
    client.call(&second("192.0.2.10", true, 1401)).unwrap();
    let told = [(ip("192.0.2.9"), 1400), (ip("192.0.2.10"), 1401), (ip("192.0.2.11"), 1400)];
    assert_eq!(all(&client), told);
    assert!(engine.command("show ipfix exporter").unwrap().contains("exporter 192.0.2.10: to"));
    // From the cursor on; beyond the end there is nothing.
    let rest = client.get(&ipfix_all_exporter_get { cursor: 2 }).unwrap().0;
    assert_eq!(IpAddr::try_from(&rest[0].collector_address), Ok(ip("192.0.2.11")));
    assert_eq!(client.get(&ipfix_all_exporter_get { cursor: 3 }), Err(-7));
    client.call(&second("192.0.2.10", false, 0)).unwrap();
    assert_eq!(client.call(&second("192.0.2.10", false, 0)), Err(-6));
    assert_eq!(client.call(&second("192.0.2.9", false, 0)), Err(-126));
    // One that cannot be is not there afterwards.
    assert_eq!(client.call(&second("192.0.2.12", true, 1451)), Err(-7));
    assert_eq!(all(&client), [told[0], told[2]]);
}

#[test]
fn classifier_tables_are_reported_on_their_stream() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    engine.command("classify table mask l3 ip4 src").unwrap();
    let table = |table_id: u32, transport_protocol: ip_proto, is_add: bool| {
        let ip_version = address_family::ADDRESS_IP4;
        ipfix_classify_table_add_del { table_id, ip_version, transport_protocol, is_add }
    };
    let udp = ip_proto::IP_API_PROTO_UDP;
    // VPP's number of "no stream".
    assert_eq!(client.call(&table(0, udp, true)), Err(-1));
    client.call(&set_ipfix_classify_stream { domain_id: 7, src_port: 4740 }).unwrap();
    let stream = &client.dump(&ipfix_classify_stream_dump {})[0];
    assert_eq!((stream.domain_id, stream.src_port), (7, 4740));
    client.call(&table(0, udp, true)).unwrap();
    let by_api = engine.command("show ipfix classify").unwrap();
    assert_eq!(client.call(&table(0, udp, true)), Err(-81));
    assert_eq!(client.call(&table(9, udp, true)), Err(-65));
    assert_eq!(client.call(&table(0, ip_proto::IP_API_PROTO_ICMP, true)), Err(-153));
    let told = client.dump(&ipfix_classify_table_dump {});
    assert_eq!((told.len(), told[0].table_id, told[0].transport_protocol), (1, 0, udp));
    client.call(&table(0, udp, false)).unwrap();
    assert_eq!(client.call(&table(0, udp, false)), Err(-6));
    assert_eq!(client.dump(&ipfix_classify_table_dump {}), []);
    engine.run_until_idle();
    engine.command("ipfix classify table add 0 ip4 udp").unwrap();
    let words = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(words(&by_api), words(&engine.command("show ipfix classify").unwrap()));
}

#[test]
fn a_flush_is_answered_at_once_whatever_becomes_of_it() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    client.call(&ipfix_flush {}).unwrap();
    // Nobody has a route to there.
    client.call(&exporter("198.51.100.9")).unwrap();
    client.call(&ipfix_flush {}).unwrap();
}
