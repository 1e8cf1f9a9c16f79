//! The plugin in an engine under virtual time: packets in, counts and commands and reports out.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use vnet::{
    ipfix::{
        decode::{Collector, Event, Value},
        elements::Registry,
    },
    prelude::*,
};

/// 2026-01-01T00:00:00Z.
const START: PacketTime = PacketTime(1_767_225_600_000_000_000);

/// A router between pg0 and pg1 that has the plugin.
fn router() -> Engine {
    let engine = Engine::builder()
        .clock(Clock::virtual_at(START))
        .plugin(nodes::plugin())
        .plugin(nodes::pg::plugin())
        .plugin(peloton_example::plugin())
        .build()
        .unwrap();
    for line in [
        "create packet-generator interface pg0",
        "create packet-generator interface pg1",
        "set interface state pg0 up",
        "set interface state pg1 up",
        "set interface ip address pg0 192.168.0.1/24",
        "set interface ip address pg1 192.168.1.1/24",
        "set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09",
        "ip route add 10.0.0.0/8 via 192.168.1.2 pg1",
    ] {
        engine.command(line).unwrap();
    }
    engine
}

/// `count` packets of 46 octets with this type of service come in by pg0; the DSCP is its upper six bits.
fn send(engine: &Engine, count: u32, tos: u8) {
    let stream = format!(
        "packet-generator new {{ name s limit {count} interface pg0 node ethernet-input data {{ \
         IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
         UDP: 192.168.0.2 -> 10.0.0.1 tos {tos} UDP: 1000 -> 2000 incrementing 18 }} }}"
    );
    engine.command(&stream).unwrap();
    engine.command("packet-generator enable-stream s").unwrap();
    engine.run_until_idle();
}

/// How often `dscp-count` counted `reason`.
fn errors(engine: &Engine, reason: &str) -> u64 {
    engine.with(|main| {
        let mut rows = main.errors().rows();
        rows.find(|row| row.node == "dscp-count" && row.reason.name == reason).unwrap().count
    })
}

fn refusal(engine: &Engine, line: &str) -> String {
    engine.command(line).unwrap_err().to_string()
}

#[test]
fn packets_are_counted_by_dscp_and_forwarded() {
    let engine = router();
    engine.command("dscp count pg0").unwrap();
    send(&engine, 300, 46 << 2);
    send(&engine, 20, 0);
    send(&engine, 7, 10 << 2 | 3);
    assert_eq!(
        engine.command("show dscp").unwrap(),
        "        DSCP     Packets       Bytes\n\
         \u{20}          0          20         920\n\
         \u{20}         10           7         322\n\
         \u{20}         46         300       13800\n"
    );
    assert_eq!(errors(&engine, "ecn-ce"), 7);
    let sent = engine.command("show interface pg1 json").unwrap();
    assert!(sent.contains(r#""tx packets":327"#), "{sent}");
}

#[test]
fn programs_read_the_same_numbers() {
    let engine = router();
    engine.command("dscp count pg0").unwrap();
    send(&engine, 5, 46 << 2);
    let json = engine.command("show dscp json").unwrap();
    assert_eq!(json, "[{\"dscp\":46,\"packets\":5,\"bytes\":230}]\n");
    assert!(engine.with(|main| main.segment_mut().contains("/dscp/rx")));
}

#[test]
fn nothing_is_counted_where_it_is_not_asked_for() {
    let engine = router();
    engine.command("dscp count pg1").unwrap();
    send(&engine, 5, 0);
    engine.command("dscp count pg0").unwrap();
    engine.command("dscp count pg0 disable").unwrap();
    send(&engine, 5, 0);
    // Packets that are dropped because the interface has no address are not received.
    engine.command("dscp count pg0").unwrap();
    engine.command("set interface ip address del pg0 192.168.0.1/24").unwrap();
    send(&engine, 5, 0);
    let nothing = engine.command("show dscp json").unwrap();
    assert_eq!(nothing, "[]\n");
}

#[test]
fn commands_say_what_they_cannot_do() {
    let engine = router();
    assert_eq!(
        refusal(&engine, "dscp count pg0 disable"),
        "dscp count: feature `dscp-count' is not enabled on the arc `ip4-unicast' of that interface"
    );
    engine.command("dscp count pg0").unwrap();
    assert_eq!(
        refusal(&engine, "dscp count pg0"),
        "dscp count: feature `dscp-count' is already enabled on the arc `ip4-unicast' of that interface"
    );
    let unknown = refusal(&engine, "dscp count pg7");
    assert!(unknown.starts_with("dscp count: unknown interface `pg7'"), "{unknown}");
    let missing = refusal(&engine, "dscp count");
    assert_eq!(
        missing,
        "dscp count: missing <interface> (syntax: dscp count <interface> [disable])"
    );
}

#[test]
fn a_packet_without_a_whole_header_is_dropped_under_its_reason() {
    let engine = router();
    engine.with(|main| {
        let node = main.graph().require("dscp-count").unwrap();
        main.frame_to(node).push(|buffer| buffer.append(&[0x45; 19])).unwrap();
    });
    engine.run_until_idle();
    assert_eq!(errors(&engine, "too-short"), 1);
    engine.with(|main| assert_eq!(main.pool().owned(), 0));
}

#[test]
fn a_traced_packet_tells_its_dscp() {
    let engine = router();
    engine.command("dscp count pg0").unwrap();
    engine.command("trace add pg-input 1").unwrap();
    send(&engine, 2, 46 << 2);
    let trace = engine.command("show trace").unwrap();
    assert!(trace.contains(": dscp-count\n  dscp 46\n"), "{trace}");
}

/// Where the exporter's messages go.
struct Listener {
    socket: UdpSocket,
    collector: Collector,
}

impl Listener {
    fn of(engine: &Engine) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        let line = format!("set ipfix exporter collector 127.0.0.1 port {port} via kernel");
        engine.command(&line).unwrap();
        Self { socket, collector: Collector::new(Arc::new(Registry::default())) }
    }

    /// The records that have arrived since the last call: DSCP, packets, bytes.
    fn records(&mut self) -> Vec<[u64; 3]> {
        let (mut records, mut room) = (Vec::new(), [0; 2048]);
        while let Ok((len, exporter)) = self.socket.recv_from(&mut room) {
            let mut sink = |_: &_, event: Event<'_>| {
                let Event::Record(record) = event else { return };
                let names = record.template().fields().iter().map(|field| field.name.clone());
                let expected = ["ipDiffServCodePoint", "packetTotalCount", "octetTotalCount"];
                assert!(names.eq(expected));
                let mut values = record.fields().map(|field| match field.value() {
                    Value::Unsigned(number) => number,
                    other => panic!("{other:?}"),
                });
                records.push([(); 3].map(|()| values.next().unwrap()));
            };
            self.collector.decode(exporter, &room[..len], &mut sink).unwrap();
        }
        records
    }
}

#[test]
fn totals_are_reported_every_minute_on_demand_and_at_the_end() {
    let engine = router();
    let mut listener = Listener::of(&engine);
    engine.command("dscp count pg0").unwrap();
    send(&engine, 300, 46 << 2);
    send(&engine, 20, 0);
    engine.advance(Duration::from_secs(59));
    assert!(listener.records().is_empty());
    // The exporter asks its reports at least every five seconds.
    engine.advance(Duration::from_secs(6));
    assert_eq!(listener.records(), [[0, 20, 920], [46, 300, 13_800]]);

    send(&engine, 1, 0);
    engine.command("ipfix flush").unwrap();
    assert!(listener.records().is_empty());
    engine.command("dscp report").unwrap();
    engine.command("ipfix flush").unwrap();
    assert_eq!(listener.records(), [[0, 21, 966], [46, 300, 13_800]]);

    send(&engine, 1, 0);
    assert!(engine.stop().is_empty());
    assert_eq!(listener.records(), [[0, 22, 1012], [46, 300, 13_800]]);
}
