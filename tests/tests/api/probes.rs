//! Echo requests that are sent for a client.

use std::time::Duration;

use super::twins::{Twins, ip};
use nodes::ping::api::{ping_finished_event, want_ping_finished_events};
use peloton_tests::api::ApiClient;
use vnet::{
    api::{Reader, Wire},
    plugin::Engine,
};

fn twins() -> Twins {
    Twins::new(&[
        "create packet-generator interface pg0",
        "set interface state pg0 up",
        "set interface ip address pg0 10.0.0.1/24",
    ])
}

/// What the client is told at the end of what it asked for: requests and replies.
fn finished(engine: &Engine, client: &ApiClient<'_>, within: u64) -> Option<(u32, u32)> {
    engine.advance(Duration::from_secs(within));
    let events = client.events();
    let [event] = events.as_slice() else {
        assert!(events.is_empty(), "{events:?}");
        return None;
    };
    let mut reader = Reader::new(event.octets_of::<ping_finished_event>(client)?);
    let told = ping_finished_event::read(&mut reader).unwrap();
    assert!(told.client_index > 0 && reader.left() == 0);
    Some((told.request_count, told.reply_count))
}

#[test]
fn a_client_is_told_how_many_requests_were_answered_as_the_command_prints() {
    let twins = twins();
    let client = twins.client();
    let ping = |address: &str, repeat, interval| want_ping_finished_events {
        address: ip(address),
        repeat,
        interval,
    };
    // The reply comes first, and the event after the last interval.
    client.call(&ping("10.0.0.1", 3, 2.0)).unwrap();
    assert_eq!(finished(&twins.asked, &client, 5), None);
    assert_eq!(finished(&twins.asked, &client, 2), Some((3, 3)));
    client.call(&ping("10.0.0.1", 1, 1.0)).unwrap();
    assert_eq!(finished(&twins.asked, &client, 2), Some((1, 1)));
    let told = twins.told.command("ping 10.0.0.1 repeat 1").unwrap();
    assert!(told.contains("1 sent, 1 received"), "{told}");
    // Nobody answers, and there is no way at all.
    client.call(&ping("10.0.0.9", 2, 0.5)).unwrap();
    assert_eq!(finished(&twins.asked, &client, 5), Some((2, 0)));
    client.call(&ping("192.0.2.1", 2, 0.5)).unwrap();
    assert_eq!(finished(&twins.asked, &client, 5), Some((0, 0)));
    client.call(&ping("10.0.0.1", 0, 1.0)).unwrap();
    assert_eq!(finished(&twins.asked, &client, 5), Some((0, 0)));
}

#[test]
fn what_cannot_be_asked_for_is_refused_and_clients_that_go_are_pinged_for_no_more() {
    let twins = twins();
    let client = twins.client();
    let good = || want_ping_finished_events { address: ip("10.0.0.1"), repeat: 1, interval: 1.0 };
    let mut other = good();
    other.address.af.0 = 7;
    assert_eq!(client.call(&other), Err(-97));
    for interval in [-1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        assert_eq!(client.call(&want_ping_finished_events { interval, ..good() }), Err(-7));
    }
    let endless = || want_ping_finished_events { repeat: u32::MAX, interval: 1e12, ..good() };
    let gone = twins.client();
    for _ in 0..256 {
        gone.call(&endless()).unwrap();
    }
    assert_eq!(client.call(&endless()), Err(-162));
    drop(gone);
    twins.asked.advance(Duration::from_secs(2));
    client.call(&good()).unwrap();
    assert_eq!(finished(&twins.asked, &client, 5), Some((1, 1)));
}
