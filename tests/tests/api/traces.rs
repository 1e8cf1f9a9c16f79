//! Packets that clients have traced.

use super::twins::Twins;
use peloton_tests::api::ApiClient;
use vnet::{plugin::Engine, trace::api::*};

const NONE: u32 = u32::MAX;

/// A stream of twelve packets whose ports tell them apart, half of them too short of life to go on.
const STREAM: &str = "packet-generator new { name s limit 12 size 64-64 interface pg0 node ip4-input \
    data { UDP: 10.0.0.2 -> 10.0.1.2 ttl 1-2 UDP: 1000-1011 -> 53 length 36 } }";

fn twins() -> Twins {
    Twins::new(&[
        "create packet-generator interface pg0",
        "create packet-generator interface pg1",
        "set interface state pg0 up",
        "set interface state pg1 up",
        "set interface ip address pg0 10.0.0.1/24",
        "set interface ip address pg1 10.0.1.1/24",
        "set ip neighbor pg1 10.0.1.2 02:00:00:00:00:02",
        STREAM,
    ])
}

fn node(engine: &Engine, name: &str) -> u32 {
    engine.with(|main| main.graph().find(name)).unwrap().0.into()
}

fn capture(engine: &Engine, max_packets: u32) -> trace_capture_packets {
    trace_capture_packets {
        node_index: node(engine, "pg-input"),
        max_packets,
        ..trace_capture_packets::default()
    }
}

fn send(engine: &Engine) {
    engine.command("packet-generator enable-stream s").unwrap();
    engine.run_until_idle();
}

/// What all packets left, through `trace_v2_dump`.
fn told(client: &ApiClient<'_>, thread_id: u32, position: u32, max: u32) -> Vec<trace_v2_details> {
    client.dump(&trace_v2_dump { thread_id, position, max, clear_cache: false })
}

/// What `show trace` prints without its headings.
fn shown(engine: &Engine) -> Vec<String> {
    let text = engine.command("show trace max 1000").unwrap();
    let packets = text.split("Packet ").skip(1);
    packets.map(|packet| packet.split_once("\n\n").unwrap().1.trim_end().to_owned()).collect()
}

#[test]
fn packets_are_traced_and_told_as_by_commands() {
    let twins = twins();
    let client = twins.client();
    client.call(&capture(&twins.asked, 10)).unwrap();
    twins.tell("trace add pg-input 10");
    [&twins.asked, &twins.told].into_iter().for_each(send);
    twins.agree("show trace");
    let all = told(&client, NONE, 0, 100);
    let texts: Vec<_> = all.iter().map(|told| told.trace_data.trim_end().to_owned()).collect();
    assert_eq!(texts, shown(&twins.told));
    assert_eq!(all.len(), 10);
    assert!(
        all.iter().enumerate().all(|(n, told)| {
            (told.thread_id, told.position, told.more) == (0, n as u32, n < 9)
        })
    );
    let part = told(&client, 0, 7, 2);
    assert_eq!(part, all[7..9]);
    for (thread, position, max) in [(0, NONE, 9), (9, 0, 9), (0, 10, 9), (0, 0, 0)] {
        assert_eq!(told(&client, thread, position, max), []);
    }
    // Filters are those of the command.
    let expired = node(&twins.asked, "ip4-icmp-error");
    let filter = |flag, count, node_index| trace_set_filters {
        flag,
        count,
        node_index,
        classifier_table_index: NONE,
    };
    client.call(&filter(trace_filter_flag::TRACE_FF_INCLUDE_NODE, 3, expired)).unwrap();
    twins.tell("trace filter include ip4-icmp-error 3");
    twins.agree("show trace");
    assert_eq!(told(&client, NONE, 0, 100).len(), 3);
    client.call(&filter(trace_filter_flag::TRACE_FF_EXCLUDE_NODE, 100, expired)).unwrap();
    twins.tell("trace filter exclude ip4-icmp-error 100");
    twins.agree("show trace");
    client.call(&filter(trace_filter_flag::TRACE_FF_NONE, 0, NONE)).unwrap();
    twins.tell("trace filter none");
    twins.agree("show trace");
    assert_eq!(client.call(&filter(trace_filter_flag::TRACE_FF_INCLUDE_NODE, 1, NONE)), Err(-63));
    assert_eq!(client.call(&filter(trace_filter_flag::TRACE_FF_INCLUDE_CLASSIFIER, 1, 0)), Err(-7));
    client.call(&trace_clear_capture {}).unwrap();
    twins.tell("clear trace");
    twins.agree("show trace");
}

#[test]
fn a_client_goes_through_traces_of_all_threads_in_bursts() {
    let engine = super::engine_with(1);
    for line in ["create packet-generator interface pg0", "set interface state pg0 up", STREAM] {
        engine.command(line).unwrap();
    }
    let client = ApiClient::new(&engine);
    let burst = |thread_id, position, max_records| {
        client.get(&trace_dump { clear_cache: 0, thread_id, position, max_records })
    };
    assert_eq!(burst(0, 0, 5), Err(-6));
    let (none, reply) = burst(NONE, NONE, 5).unwrap();
    assert_eq!((none.len(), reply.flush_only, reply.done), (0, 1, 1));
    client.call(&capture(&engine, 7)).unwrap();
    send(&engine);
    let mut positions = Vec::new();
    let (mut thread, mut position) = (0, 0);
    loop {
        let (details, reply) = burst(thread, position, 3).unwrap();
        let last = details.last().unwrap();
        assert_eq!((reply.last_thread_id, reply.last_position), (last.thread_id, last.position));
        let flags = |more_this, more, done| (more_this, more, done);
        assert_eq!(
            flags(reply.more_this_thread, reply.more_threads, reply.done),
            flags(last.more_this_thread, last.more_threads, last.done)
        );
        assert!(details.iter().all(|told| told.trace_data.contains("pg-input")));
        positions.extend(details.iter().map(|told| (told.thread_id, told.position)));
        match (reply.more_this_thread, reply.more_threads, reply.done) {
            (1, 0, 0) => (thread, position) = (reply.last_thread_id, reply.last_position + 1),
            (0, 1, 0) => (thread, position) = (reply.last_thread_id + 1, 0),
            (0, 0, 1) => break,
            other => panic!("{other:?}"),
        }
    }
    // Those of the interface are received by one thread.
    let of_thread = positions[0].0;
    assert_eq!(positions, (0..7).map(|n| (of_thread, n)).collect::<Vec<_>>());
    client.call(&trace_clear_cache {}).unwrap();
    assert_eq!(burst(0, 0, 0), Err(-6));
}

#[test]
fn what_cannot_be_traced_is_refused() {
    let twins = twins();
    let client = twins.client();
    let good = || capture(&twins.asked, 1);
    let lookup = node(&twins.asked, "ip4-lookup");
    for (request, number) in [
        (trace_capture_packets { node_index: NONE, ..good() }, -63),
        (trace_capture_packets { node_index: lookup, ..good() }, -63),
    ] {
        assert_eq!(client.call(&request), Err(number), "{request:?}");
    }
    client.call(&good()).unwrap();
    send(&twins.asked);
    assert_eq!(shown(&twins.asked).len(), 1);
    client.call(&trace_capture_packets { pre_capture_clear: true, ..good() }).unwrap();
    assert_eq!(shown(&twins.asked).len(), 0);
    let function = |name: &str| {
        let request = trace_set_filter_function { filter_function_name: name.to_owned() };
        client.call(&request).map(drop)
    };
    assert_eq!([function(FILTER_FUNCTION), function("bpf_trace_filter")], [Ok(()), Err(-1)]);
    let told = client.dump(&trace_filter_function_dump {});
    assert_eq!(
        told,
        [trace_filter_function_details { selected: true, name: FILTER_FUNCTION.into() }]
    );
}
