//! Features of interfaces, and answers for addresses of others.

use nodes::arp::api::*;
use peloton_tests::api::ApiClient;
use vnet::{graph::feature::api::*, plugin::Engine};

fn with_interfaces() -> Engine {
    let engine = super::engine();
    engine.command("create packet-generator interface pg0").unwrap();
    engine.command("create packet-generator interface pg1").unwrap();
    engine
}

#[test]
fn a_feature_is_enabled_as_often_as_it_is_disabled() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let switch = |enable, sw_if_index, feature: &str| feature_enable_disable {
        sw_if_index,
        enable,
        arc_name: "device-input".into(),
        feature_name: feature.into(),
    };
    let is_on = |sw_if_index| {
        let told = client.ask(&feature_is_enabled {
            arc_name: "device-input".into(),
            feature_name: "sink".into(),
            sw_if_index,
        });
        (told.retval, told.is_enabled)
    };
    assert_eq!(is_on(1), (0, false));
    client.call(&switch(true, 1, "sink")).unwrap();
    client.call(&switch(true, 1, "sink")).unwrap();
    assert_eq!((is_on(1), is_on(2)), ((0, true), (0, false)));
    client.call(&switch(false, 1, "sink")).unwrap();
    assert_eq!(is_on(1), (0, true));
    engine.command("set interface feature pg0 sink arc device-input disable").unwrap();
    assert_eq!(is_on(1), (0, false));
    client.call(&switch(false, 1, "sink")).unwrap();
    assert_eq!(client.call(&switch(true, 1, "no-such")), Err(-7));
    assert_eq!(client.call(&switch(true, 99, "sink")), Err(-2));
    assert_eq!(is_on(99), (-2, false));
}

#[test]
fn answers_for_others_are_those_of_the_commands() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let range = |is_add, table_id, low, hi| proxy_arp_add_del {
        is_add,
        proxy: proxy_arp { table_id, low, hi },
    };
    let (low, hi) = ([10, 0, 0, 5], [10, 0, 0, 9]);
    client.call(&range(true, 0, low, hi)).unwrap();
    client.call(&range(true, 0, low, hi)).unwrap();
    assert_eq!(client.call(&range(true, 0, hi, low)), Err(-7));
    assert_eq!(client.call(&range(true, 9, low, hi)), Err(-3));
    let told = client.dump(&proxy_arp_dump {});
    assert_eq!(told, [proxy_arp_details { proxy: proxy_arp { table_id: 0, low, hi } }]);
    let on = |sw_if_index, enable| proxy_arp_intfc_enable_disable { sw_if_index, enable };
    client.call(&on(2, true)).unwrap();
    client.call(&on(2, true)).unwrap();
    assert_eq!(client.call(&on(99, true)), Err(-2));
    assert_eq!(client.dump(&proxy_arp_intfc_dump {}), [proxy_arp_intfc_details { sw_if_index: 2 }]);
    let by_api = engine.command("show arp proxy").unwrap();
    client.call(&range(false, 0, low, hi)).unwrap();
    assert_eq!(client.call(&range(false, 0, low, hi)), Err(-6));
    client.call(&on(2, false)).unwrap();
    client.call(&on(2, false)).unwrap();
    assert_eq!(client.dump(&proxy_arp_intfc_dump {}), []);
    engine.command("set arp proxy start 10.0.0.5 end 10.0.0.9").unwrap();
    engine.command("set interface proxy-arp pg1 enable").unwrap();
    assert_eq!(by_api, engine.command("show arp proxy").unwrap());
}
