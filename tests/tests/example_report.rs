//! The report of the example plugin, read by somebody else.

use std::{fs, net::UdpSocket};

use peloton_tests::{
    Lab,
    program::{Scratch, not_run},
    tshark,
};

#[test]
fn tshark_reads_the_report_of_the_example_plugin() {
    let lab = Lab::new(vec![example::plugin()]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let port = socket.local_addr().unwrap().port();
    lab.script(&format!(
        "create packet-generator interface pg0
         set interface state pg0 up
         set interface ip address pg0 192.168.0.1/24
         set ipfix exporter collector 127.0.0.1 port {port} via kernel
         dscp count pg0"
    ));
    for (count, dscp) in [(300, 46), (20, 0), (7, 10)] {
        lab.run(&format!(
            "packet-generator new {{ name s limit {count} interface pg0 node ethernet-input data {{
                 IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00
                 UDP: 192.168.0.2 -> 10.0.0.1 tos {} UDP: 1000 -> 2000 incrementing 18 }} }}",
            dscp << 2
        ));
        lab.run("packet-generator enable-stream s");
        lab.engine.run_until_idle();
    }
    lab.advance(65);
    // Messages behind each other are an IPFIX File, which tshark reads.
    let (mut messages, mut room) = (Vec::new(), [0; 2048]);
    while let Ok(len) = socket.recv(&mut room) {
        messages.extend(&room[..len]);
    }
    let scratch = Scratch::new("example_report");
    let file = scratch.path("dscp.ipfix");
    fs::write(&file, messages).unwrap();
    let fields = [
        "cflow.ip_dscp",
        "cflow.permanent_packets",
        "cflow.permanent_octets",
        "cflow.sequence",
        "_ws.expert.message",
    ];
    let Some(rows) = tshark(&file, &[], &fields) else {
        return not_run("the example's report read by tshark", "tshark is missing");
    };
    assert!(rows.iter().all(|row| row[4].is_empty()), "{rows:?}");
    let data: Vec<_> = rows.iter().filter(|row| !row[0].is_empty()).collect();
    assert_eq!(data, [&["0,10,46", "20,7,300", "920,322,13800", "0", ""]]);
}
