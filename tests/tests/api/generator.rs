//! The packet generator, as VPP's tests use it.

use nodes::pg::api::*;
use peloton_tests::api::ApiClient;

fn new(interface_id: u32) -> pg_create_interface_v3 {
    pg_create_interface_v3 { interface_id, ..Default::default() }
}

#[test]
fn interfaces_are_numbered_behind_local0_and_found_again() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    for n in 0..3 {
        assert_eq!(client.call(&new(n)).unwrap().sw_if_index, n + 1);
    }
    // As with VPP, one that is there is found.
    assert_eq!(client.call(&new(1)).unwrap().sw_if_index, 2);
    let older = pg_create_interface { interface_id: 3, gso_enabled: false, gso_size: 0 };
    assert_eq!(client.call(&older).unwrap().sw_if_index, 4);
    let mode = pg_interface_mode::PG_API_MODE_IP4;
    let raw = pg_create_interface_v2 { interface_id: 4, mode, ..Default::default() };
    assert_eq!(client.call(&raw).unwrap().sw_if_index, 5);
    let shown = engine.command("show hardware-interfaces").unwrap();
    assert!(shown.contains("packets go to ip4-input"), "{shown}");
    let mode = pg_interface_mode(3);
    assert_eq!(client.call(&pg_create_interface_v3 { mode, ..new(5) }), Err(-7));
}

#[test]
fn every_version_makes_interfaces_that_offload_and_coalescing_is_switched_where_they_do() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let flags = |pg_flags, gso_size, n| pg_create_interface_v3 { pg_flags, gso_size, ..new(n) };
    let none = pg_interface_flags::PG_API_FLAG_NONE;
    let checksum = pg_interface_flags::PG_API_FLAG_CSUM_OFFLOAD;
    let gso = pg_interface_flags::PG_API_FLAG_GSO;
    let coalesce = pg_interface_flags::PG_API_FLAG_GRO_COALESCE;
    let both = pg_interface_flags(gso.0 | coalesce.0);
    let older = pg_create_interface { interface_id: 0, gso_enabled: true, gso_size: 1460 };
    assert_eq!(client.call(&older).unwrap().sw_if_index, 1);
    let mode = pg_interface_mode::PG_API_MODE_IP6;
    let v2 = pg_create_interface_v2 { interface_id: 1, gso_enabled: true, gso_size: 1440, mode };
    assert_eq!(client.call(&v2).unwrap().sw_if_index, 2);
    // As VPP's tests make one: without a size nothing it brings is large.
    for (i, request) in
        [flags(gso, 0, 2), flags(both, 8940, 3), flags(checksum, 0, 4), flags(none, 9, 5)]
            .iter()
            .enumerate()
    {
        assert_eq!(client.call(request).unwrap().sw_if_index, 3 + i as u32);
    }
    let shown = |n| engine.command(&format!("show packet-generator interface pg{n}")).unwrap();
    assert!(shown(0).contains("gso_enabled: 1\n    gso_size: 1460\n  coalesce_enabled: 0"));
    assert!(shown(1).contains("mode: ip6\n") && shown(1).contains("gso_size: 1440\n"));
    assert!(shown(2).contains("gso_size: 0\n"));
    assert!(shown(3).contains("gso_size: 8940\n  coalesce_enabled: 1\n"));
    assert!(shown(4).contains("csum_offload_enabled: 1\n  gso_enabled: 0\n"));
    assert!(shown(5).contains("csum_offload_enabled: 0\n  gso_enabled: 0\n"));
    assert_eq!(client.call(&flags(gso, 65536, 6)), Err(-7));
    assert_eq!(client.call(&flags(coalesce, 0, 6)), Err(-100));
    assert!(engine.command("show interface pg6").is_err());
    let switch = |sw_if_index, coalesce_enabled| {
        client.call(&pg_interface_enable_disable_coalesce { sw_if_index, coalesce_enabled })
    };
    switch(1, true).unwrap();
    switch(1, true).unwrap();
    assert!(shown(0).contains("coalesce_enabled: 1\n"));
    switch(1, false).unwrap();
    assert!(shown(0).contains("coalesce_enabled: 0\n"));
    assert_eq!(switch(5, true).map(drop), Err(-100));
    assert_eq!(switch(0, true).map(drop), Err(-100));
    assert_eq!(switch(99, true).map(drop), Err(-2));
}

#[test]
fn a_deleted_interface_leaves_its_name_and_node_to_the_next() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    client.call(&new(0)).unwrap();
    engine.command("packet-generator new { name s limit 1 interface pg0 node ip4-input data { UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 } }").unwrap();
    client.call(&pg_delete_interface { sw_if_index: 1 }).unwrap();
    assert_eq!(client.call(&pg_delete_interface { sw_if_index: 1 }), Err(-2));
    assert_eq!(client.call(&pg_delete_interface { sw_if_index: 0 }), Err(-2));
    assert_eq!(engine.command("show packet-generator").unwrap(), "no streams currently defined\n");
    // The next one may be of another mode.
    let mode = pg_interface_mode::PG_API_MODE_IP6;
    assert_eq!(client.call(&pg_create_interface_v3 { mode, ..new(0) }).unwrap().sw_if_index, 1);
    engine.command("delete packet-generator interface pg0").unwrap();
    assert!(engine.command("show interface pg0").is_err());
    assert_eq!(client.call(&new(0)).unwrap().sw_if_index, 1);
}

#[test]
fn streams_run_and_what_they_send_is_captured() {
    let engine = super::engine();
    let client = ApiClient::new(&engine);
    let enable =
        |is_enabled, name: &str| pg_enable_disable { is_enabled, stream_name: name.into() };
    client.call(&enable(true, "")).unwrap();
    client.call(&new(0)).unwrap();
    client.call(&new(1)).unwrap();
    let file = std::env::temp_dir().join(format!("peloton-api-pg-{}.pcap", std::process::id()));
    std::fs::remove_file(&file).ok();
    let capture = |interface_id, is_enabled| pg_capture {
        interface_id,
        is_enabled,
        count: 2,
        pcap_file_name: file.display().to_string(),
    };
    client.call(&capture(1, false)).unwrap();
    client.call(&capture(1, true)).unwrap();
    assert_eq!(client.call(&capture(7, true)), Err(-2));
    engine.command("set interface state pg1 up").unwrap();
    engine.command("packet-generator new { name s limit 5 interface pg0 tx-interface pg1 node interface-output data { IP4: 1.2.3 -> 3.2.1 UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1 -> 2 } }").unwrap();
    assert_eq!(client.call(&enable(true, "no-such")), Err(-6));
    client.call(&enable(true, "s")).unwrap();
    engine.run_until_idle();
    client.call(&enable(false, "s")).unwrap();
    client.call(&capture(1, false)).unwrap();
    // What is there is not written over.
    assert_eq!(client.call(&capture(1, true)), Err(-93));
    let octets = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    // A file header, and two packets with headers of their own.
    assert_eq!((octets.len() - 24) % 2, 0);
    assert_eq!(
        u32::from_le_bytes(octets[32..36].try_into().unwrap()) as usize,
        (octets.len() - 24) / 2 - 16
    );
}
