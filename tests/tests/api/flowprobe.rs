//! Flowprobe. Expectations are those of VPP's `test_flowprobe.py`, beside the commands.

use flowprobe::api::*;
use peloton_tests::api::ApiClient;
use vnet::plugin::Engine;

const L3: flowprobe_record_flags = flowprobe_record_flags::FLOWPROBE_RECORD_FLAG_L3;
const IP4: flowprobe_which = flowprobe_which::FLOWPROBE_WHICH_IP4;
const IP6: flowprobe_which = flowprobe_which::FLOWPROBE_WHICH_IP6;
const L2: flowprobe_which = flowprobe_which::FLOWPROBE_WHICH_L2;
const RX: flowprobe_direction = flowprobe_direction::FLOWPROBE_DIRECTION_RX;
const TX: flowprobe_direction = flowprobe_direction::FLOWPROBE_DIRECTION_TX;
const BOTH: flowprobe_direction = flowprobe_direction::FLOWPROBE_DIRECTION_BOTH;

fn with_interfaces() -> Engine {
    let engine = super::engine();
    for n in 0..3 {
        engine.command(&format!("create packet-generator interface pg{n}")).unwrap();
    }
    engine
}

fn enable(
    sw_if_index: u32,
    which: flowprobe_which,
    direction: flowprobe_direction,
) -> flowprobe_interface_add_del {
    flowprobe_interface_add_del { is_add: true, which, direction, sw_if_index }
}

fn params(active_timer: u32, passive_timer: u32) -> flowprobe_set_params {
    flowprobe_set_params { record_flags: L3, active_timer, passive_timer }
}

#[test]
fn parameters_come_back() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    let record_flags = flowprobe_record_flags(7);
    let request = flowprobe_set_params { record_flags, active_timer: 20, passive_timer: 40 };
    client.call(&request).unwrap();
    let told = client.call(&flowprobe_get_params {}).unwrap();
    assert_eq!((told.record_flags, told.active_timer, told.passive_timer), (record_flags, 20, 40));
    let by_api = engine.command("show flowprobe params").unwrap();
    engine.command("flowprobe params record l2 l3 l4 active 20 passive 40").unwrap();
    assert_eq!(by_api, engine.command("show flowprobe params").unwrap());
    // Both are left as they are by themselves, or one is.
    client.call(&params(u32::MAX, u32::MAX)).unwrap();
    let told = client.call(&flowprobe_get_params {}).unwrap();
    assert_eq!((told.record_flags, told.active_timer, told.passive_timer), (L3, 15, 120));
    let older = flowprobe_params { record_flags: L3, active_timer: 0, passive_timer: 1 };
    client.call(&older).unwrap();
    let told = client.call(&flowprobe_get_params {}).unwrap();
    assert_eq!((told.active_timer, told.passive_timer), (0, 1));
    assert_eq!(client.call(&params(30, 20)), Err(-7));
    let unknown = flowprobe_set_params { record_flags: flowprobe_record_flags(8), ..params(1, 2) };
    assert_eq!(client.call(&unknown), Err(-7));
    assert_eq!(client.call(&flowprobe_get_params {}).unwrap(), told);
}

#[test]
fn interfaces_are_told_as_they_are_enabled() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    // Nothing is recorded yet.
    assert_eq!(client.call(&enable(1, L2, RX)), Err(-100));
    client.call(&params(0, 1)).unwrap();
    for (interface, which, direction) in [(1, L2, RX), (2, IP4, TX), (3, IP6, BOTH)] {
        client.call(&enable(interface, which, direction)).unwrap();
    }
    let dump = |sw_if_index| client.dump(&flowprobe_interface_dump { sw_if_index });
    let told: Vec<_> =
        dump(u32::MAX).iter().map(|one| (one.sw_if_index, one.which, one.direction)).collect();
    assert_eq!(told, [(1, L2, RX), (2, IP4, TX), (3, IP6, BOTH)]);
    let only = flowprobe_interface_details { which: IP4, direction: TX, sw_if_index: 2 };
    assert_eq!(dump(2), [only]);
    assert_eq!(dump(99), []);
    assert_eq!(
        engine.command("show flowprobe feature").unwrap().replace(' ', ""),
        "pg0l2rx\npg1ip4tx\npg2ip6rxtx\n"
    );
    assert_eq!(client.call(&enable(2, IP4, RX)), Err(-116));
    assert_eq!(client.call(&enable(99, IP4, RX)), Err(-2));
    assert_eq!(client.call(&enable(1, flowprobe_which(3), RX)), Err(-7));
    assert_eq!(client.call(&enable(1, IP4, flowprobe_direction(3))), Err(-7));
    // Parameters hold for all, and do not change under them.
    assert_eq!(client.call(&params(0, 1)), Err(-126));
    for (interface, which) in [(1, L2), (2, IP4), (3, IP6)] {
        let disable = flowprobe_interface_add_del { is_add: false, ..enable(interface, which, RX) };
        client.call(&disable).unwrap();
        assert_eq!(client.call(&disable), Err(-6));
    }
    assert_eq!(dump(u32::MAX), []);
}

#[test]
fn the_older_message_measures_what_is_sent() {
    let engine = with_interfaces();
    let client = ApiClient::new(&engine);
    client.call(&params(0, 1)).unwrap();
    let request = |is_add, which| flowprobe_tx_interface_add_del { is_add, which, sw_if_index: 1 };
    let l2 = flowprobe_which_flags::FLOWPROBE_WHICH_FLAG_L2;
    client.call(&request(true, l2)).unwrap();
    assert_eq!(client.call(&request(true, l2)), Err(-100));
    assert_eq!(client.call(&request(true, flowprobe_which_flags(3))), Err(-7));
    let told = client.dump(&flowprobe_interface_dump { sw_if_index: u32::MAX });
    assert_eq!(told, [flowprobe_interface_details { which: L2, direction: TX, sw_if_index: 1 }]);
    client.call(&request(false, l2)).unwrap();
    assert_eq!(client.call(&request(false, l2)), Err(-6));
}
