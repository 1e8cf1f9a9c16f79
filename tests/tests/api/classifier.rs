//! Classifier tables, sessions, and who looks packets up there. Tables are made as VPP's `template_classifier.py` makes them.

use peloton_tests::api::ApiClient;
use vnet::{classify::api::*, plugin::Engine};

const NONE: u32 = u32::MAX;

fn with_interfaces() -> Engine {
    let engine = super::engine();
    engine.command("create packet-generator interface pg0").unwrap();
    engine.command("create packet-generator interface pg1").unwrap();
    engine
}

/// Source addresses of IPv4, which begin 12 octets behind the current position.
fn table() -> classify_add_del_table {
    let mut mask = vec![0; 16];
    mask[12..].fill(0xff);
    classify_add_del_table {
        is_add: true,
        table_index: NONE,
        nbuckets: 2,
        memory_size: 2 << 20,
        match_n_vectors: 1,
        next_table_index: NONE,
        miss_next_index: 0,
        current_data_flag: 1,
        mask,
        ..Default::default()
    }
}

fn session(table_index: u32, last: u8) -> classify_add_del_session {
    let mut r#match = vec![0xee; 16];
    r#match[12..].copy_from_slice(&[10, 0, 0, last]);
    classify_add_del_session {
        is_add: true,
        table_index,
        hit_next_index: NONE,
        opaque_index: NONE,
        r#match,
        ..Default::default()
    }
}

#[test]
fn a_table_is_that_of_the_command() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let made = client.call(&table()).unwrap();
    assert_eq!((made.new_table_index, made.skip_n_vectors, made.match_n_vectors), (0, 0, 1));
    let by_api = engine.command("show classify tables").unwrap();
    client.call(&classify_add_del_table { is_add: false, table_index: 0, ..table() }).unwrap();
    let mask = "hex 000000000000000000000000ffffffff";
    let line =
        format!("classify table mask {mask} buckets 2 match 1 miss-next 0 current-data-flag 1");
    engine.command(&line).unwrap();
    assert_eq!(by_api, engine.command("show classify tables").unwrap());
    // Behind a skipped vector; what is there is led elsewhere.
    let second = classify_add_del_table { skip_n_vectors: 1, ..table() };
    assert_eq!(client.call(&second).unwrap().new_table_index, 1);
    let led = classify_add_del_table { table_index: 0, next_table_index: 1, ..table() };
    assert_eq!(client.call(&led).unwrap().new_table_index, 0);
    assert_eq!(client.call(&classify_table_ids {}).unwrap().ids, [0, 1]);
    let info = client.call(&classify_table_info { table_id: 0 }).unwrap();
    assert_eq!((info.nbuckets, info.match_n_vectors, info.skip_n_vectors), (2, 1, 0));
    assert_eq!((info.next_table_index, info.miss_next_index), (1, 0));
    assert_eq!(info.mask, table().mask);
    assert_eq!(client.call(&classify_table_info { table_id: 9 }), Err(-91));
    let delete =
        classify_add_del_table { is_add: false, del_chain: true, table_index: 0, ..table() };
    client.call(&delete).unwrap();
    assert_eq!(client.call(&delete), Err(-65));
    assert_eq!(client.call(&classify_table_ids {}).unwrap().ids, [0_u32; 0]);
}

#[test]
fn what_is_no_table_is_refused_with_vpps_number() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let good = table();
    let wrong = [
        (-7, classify_add_del_table { mask: vec![0xff; 15], ..good.clone() }),
        (-7, classify_add_del_table { match_n_vectors: 6, mask: vec![1; 96], ..good.clone() }),
        (-7, classify_add_del_table { match_n_vectors: 0, mask: vec![], ..good.clone() }),
        (-7, classify_add_del_table { match_n_vectors: NONE, ..good.clone() }),
        (-7, classify_add_del_table { skip_n_vectors: NONE, ..good.clone() }),
        (-7, classify_add_del_table { nbuckets: 0, ..good.clone() }),
        (-7, classify_add_del_table { nbuckets: NONE, ..good.clone() }),
        (-7, classify_add_del_table { current_data_flag: 2, ..good.clone() }),
        (-70, classify_add_del_table { memory_size: 0, ..good.clone() }),
        (-70, classify_add_del_table { memory_size: NONE, ..good.clone() }),
        (-65, classify_add_del_table { next_table_index: 9, ..good }),
    ];
    for (number, request) in wrong {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    assert_eq!(client.call(&classify_table_ids {}).unwrap().ids, [0_u32; 0]);
}

#[test]
fn sessions_come_back_by_the_octets_that_are_compared() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    client.call(&table()).unwrap();
    let first = classify_add_del_session { opaque_index: 7, advance: -4, ..session(0, 1) };
    client.call(&first).unwrap();
    let told = client.dump(&classify_session_dump { table_id: 0 });
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.hit_next_index, told.opaque_index, told.advance), (NONE, 7, -4));
    assert_eq!(told.r#match, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    let shown = engine.command("show classify tables index 0 verbose").unwrap();
    assert!(shown.contains("next_index -1 advance -4 opaque 7"), "{shown}");
    // More than are told at a time.
    for n in 0..=255 {
        let mut one = session(0, n);
        one.r#match[14] = 1;
        client.call(&one).unwrap();
    }
    assert_eq!(client.dump(&classify_session_dump { table_id: 0 }).len(), 257);
    assert_eq!(client.call(&classify_table_info { table_id: 0 }).unwrap().active_sessions, 257);
    let delete = classify_add_del_session { is_add: false, ..session(0, 1) };
    client.call(&delete).unwrap();
    assert_eq!(client.call(&delete), Err(-6));
    assert_eq!(client.call(&session(9, 1)), Err(-65));
    assert_eq!(client.dump(&classify_session_dump { table_id: 9 }), []);
    let short = classify_add_del_session { r#match: vec![0; 12], ..session(0, 1) };
    assert_eq!(client.call(&short), Err(-7));
    let far = classify_add_del_session { advance: 40_000, ..session(0, 1) };
    assert_eq!(client.call(&far), Err(-7));
    let action = |number: u8, metadata: u32| classify_add_del_session {
        action: classify_action(number),
        metadata,
        ..session(0, 2)
    };
    assert_eq!(client.call(&action(5, 1)), Err(-7));
    assert_eq!(client.call(&action(4, 0)), Err(-7));
    assert_eq!(client.call(&action(4, 1)), Err(-9));
    // As with VPP, the table is made where it is not there.
    client.call(&action(1, 77)).unwrap();
    assert!(engine.command("show ip fib").unwrap().contains("ipv4-VRF:77,"));
}

#[test]
fn access_lists_are_given_to_interfaces_all_or_none() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    client.call(&table()).unwrap();
    client.call(&table()).unwrap();
    let set = |is_add, [ip4, ip6, l2]: [u32; 3]| input_acl_set_interface {
        sw_if_index: 1,
        ip4_table_index: ip4,
        ip6_table_index: ip6,
        l2_table_index: l2,
        is_add,
    };
    let of = |sw_if_index| {
        let told = client.call(&classify_table_by_interface { sw_if_index })?;
        Ok::<_, i32>([told.ip4_table_id, told.ip6_table_id, told.l2_table_id])
    };
    assert_eq!(of(1), Ok([NONE; 3]));
    client.call(&set(true, [0, 1, NONE])).unwrap();
    assert_eq!(of(1), Ok([0, 1, NONE]));
    assert!(engine.command("show inacl type ip6").unwrap().contains("pg0"));
    // What is there already is fine; another table is not.
    client.call(&set(true, [0, NONE, NONE])).unwrap();
    assert_eq!(client.call(&set(true, [1, NONE, 0])), Err(-81));
    assert_eq!(client.call(&set(true, [NONE, NONE, 9])), Err(-65));
    assert_eq!(client.call(&set(false, [0, 0, NONE])), Err(-65));
    assert_eq!(of(1), Ok([0, 1, NONE]));
    client.call(&set(false, [0, 1, NONE])).unwrap();
    assert_eq!(of(1), Ok([NONE; 3]));
    assert_eq!(of(99), Err(-2));
    let elsewhere = input_acl_set_interface { sw_if_index: 99, ..set(true, [0, NONE, NONE]) };
    assert_eq!(client.call(&elsewhere), Err(-2));
    let output = output_acl_set_interface {
        sw_if_index: 2,
        ip4_table_index: NONE,
        ip6_table_index: NONE,
        l2_table_index: 1,
        is_add: true,
    };
    client.call(&output).unwrap();
    assert!(engine.command("show outacl type l2").unwrap().contains("pg1"));
    assert_eq!(of(2), Ok([NONE; 3]));
}

#[test]
fn packets_of_interfaces_are_counted_by_tables() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    client.call(&table()).unwrap();
    let set = |is_add, ip4_table_index, ip6_table_index| flow_classify_set_interface {
        sw_if_index: 2,
        ip4_table_index,
        ip6_table_index,
        is_add,
    };
    let dump = |kind: u8, sw_if_index| {
        client.dump(&flow_classify_dump { r#type: flow_classify_table(kind), sw_if_index })
    };
    client.call(&set(true, 0, NONE)).unwrap();
    client.call(&set(true, 0, NONE)).unwrap();
    let told = flow_classify_details { sw_if_index: 2, table_index: 0 };
    assert_eq!((dump(0, NONE), dump(0, 2)), (vec![told.clone()], vec![told]));
    assert_eq!((dump(1, NONE), dump(0, 1), dump(2, NONE)), (vec![], vec![], vec![]));
    assert!(engine.command("show classify flow type ip4").unwrap().contains("pg1"));
    assert_eq!(client.call(&set(true, NONE, 9)), Err(-65));
    assert_eq!(client.call(&set(false, NONE, 0)), Err(-65));
    client.call(&set(false, 0, NONE)).unwrap();
    client.call(&set(false, NONE, NONE)).unwrap();
    assert_eq!(dump(0, NONE), []);
}

#[test]
fn filters_of_captures_and_traces_are_chains_of_tables() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let mut fewer = table();
    fewer.mask[15] = 0;
    fewer.next_table_index = NONE;
    client.call(&classify_add_del_table { current_data_flag: 0, ..fewer.clone() }).unwrap();
    let rest = classify_add_del_table { current_data_flag: 0, next_table_index: NONE, ..table() };
    client.call(&rest).unwrap();
    client
        .call(&classify_add_del_table { table_index: 0, next_table_index: 1, ..table() })
        .unwrap();
    let tables = || client.call(&classify_trace_get_tables {}).unwrap().indices;
    assert_eq!(tables(), [0_u32; 0]);
    let set = |table_index, sort_masks| classify_trace_set_table { table_index, sort_masks };
    assert_eq!(client.call(&set(0, false)).unwrap().table_index, 0);
    assert_eq!(tables(), [0, 1]);
    // Those that compare more come first.
    assert_eq!(client.call(&set(0, true)).unwrap().table_index, 1);
    assert_eq!(tables(), [1, 0]);
    assert!(engine.command("show classify filter verbose").unwrap().contains("table(s) 1 0 none"));
    let lookup = |mask: &[u8]| classify_trace_lookup_table {
        skip_n_vectors: 0,
        match_n_vectors: 1,
        mask: mask.to_vec(),
    };
    assert_eq!(client.call(&lookup(&fewer.mask)).unwrap().table_index, 0);
    assert_eq!(client.call(&lookup(&[1; 16])).unwrap().table_index, NONE);
    assert_eq!(client.call(&lookup(&[1; 15])), Err(-7));
    assert_eq!(client.call(&set(9, false)), Err(-7));
    let pcap = |sw_if_index, table_index| classify_pcap_set_table {
        sw_if_index,
        table_index,
        sort_masks: false,
    };
    client.call(&pcap(1, 0)).unwrap();
    let of = |sw_if_index| client.call(&classify_pcap_get_tables { sw_if_index });
    assert_eq!(of(1).unwrap().indices, [0]);
    assert_eq!((of(0).unwrap().indices, of(99)), (vec![], Err(-7)));
    assert_eq!(client.call(&pcap(NONE, 0)), Err(-7));
    let asked = classify_pcap_lookup_table {
        sw_if_index: 1,
        skip_n_vectors: 0,
        match_n_vectors: 1,
        mask: fewer.mask,
    };
    assert_eq!(client.call(&asked).unwrap().table_index, 0);
    // A filter that ends leaves its tables.
    assert_eq!(client.call(&pcap(1, NONE)).unwrap().table_index, NONE);
    assert_eq!(client.call(&set(NONE, false)).unwrap().table_index, NONE);
    assert_eq!(client.call(&classify_table_ids {}).unwrap().ids, [0, 1]);
    client
        .call(&classify_add_del_table { is_add: false, del_chain: true, table_index: 1, ..table() })
        .unwrap();
}

#[test]
fn policers_have_no_tables_here() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let policer = policer_classify_set_interface {
        sw_if_index: 1,
        ip4_table_index: 0,
        ip6_table_index: NONE,
        l2_table_index: NONE,
        is_add: true,
    };
    assert_eq!(client.call(&policer), Err(-9));
    let dump = policer_classify_dump { r#type: policer_classify_table(0), sw_if_index: NONE };
    assert_eq!(client.dump(&dump), []);
}
