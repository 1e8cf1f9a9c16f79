//! What tunnels cost, packet generator to packet generator: clocks a packet, summed over all nodes.
//!
//! usage: `tunnel [SECONDS]`
//!
//! *In*: 64-byte frames come in by `pg0`, are bridged, and leave by `pg1` in a tunnel. *Out*: the outer packets come in by `pg1`, and what
//! was in them leaves by `pg0`. IP in IP and GRE are routed instead.

use std::{env, error::Error, fmt::Write};

use nodes::pg::{self, StreamSpec};
use peloton_benches::clocks_by_node;
use vnet::{plugin::Engine, runtime::Clock, wire::checksum};

/// A tunnel.
struct Case {
    name: &'static str,
    create: &'static str,
    interface: &'static str,
    bridged: bool,
    /// The outer header behind that of Ethernet, and in hexadecimal digits what follows it.
    outer: &'static str,
    /// Octets of it.
    length: usize,
}

const CASES: [Case; 4] = [
    Case {
        name: "VXLAN",
        create: "create vxlan tunnel src 192.0.2.1 dst 192.0.2.2 vni 13",
        interface: "vxlan_tunnel0",
        bridged: true,
        outer: "UDP: 192.0.2.2 -> 192.0.2.1 UDP: 50000 -> 4789 checksum 0 hex 0x0800000000000d00",
        length: 36,
    },
    Case {
        name: "Geneve",
        create: "create geneve tunnel local 192.0.2.1 remote 192.0.2.2 vni 13",
        interface: "geneve_tunnel0",
        bridged: true,
        outer: "UDP: 192.0.2.2 -> 192.0.2.1 UDP: 50000 -> 6081 checksum 0 hex 0x0000655800000d00",
        length: 36,
    },
    Case {
        name: "GRE",
        create: "create gre tunnel src 192.0.2.1 dst 192.0.2.2",
        interface: "gre0",
        bridged: false,
        outer: "GRE: 192.0.2.2 -> 192.0.2.1 hex 0x00000800",
        length: 24,
    },
    Case {
        name: "IP in IP",
        create: "create ipip tunnel src 192.0.2.1 dst 192.0.2.2",
        interface: "ipip0",
        bridged: false,
        outer: "IP_IN_IP: 192.0.2.2 -> 192.0.2.1 hex 0x",
        length: 20,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args().nth(1).map_or(Ok(2), |n| n.parse::<u64>())?;
    println!("tunnels of 64-byte frames, clocks a packet: median and 10th percentile");
    for case in &CASES {
        for out in [false, true] {
            println!("{}, {}", case.name, if out { "out" } else { "in" });
            let engine = engine(case)?;
            stream(&engine, case, out)?;
            clocks_by_node(&engine, seconds, |_| true);
        }
    }
    Ok(())
}

/// A machine with a tunnel behind `pg1`.
fn engine(case: &Case) -> Result<Engine, Box<dyn Error>> {
    let clock = Clock::virtual_at(vnet::runtime::PacketTime(0));
    let engine =
        Engine::builder().clock(clock).plugin(nodes::plugin()).plugin(pg::plugin()).build()?;
    let run = |line: &str| engine.command(line);
    for n in 0..2 {
        run(&format!("create packet-generator interface pg{n}"))?;
        run(&format!("set interface state pg{n} up"))?;
    }
    run("set interface ip address pg1 192.0.2.1/24")?;
    run("set ip neighbor pg1 192.0.2.2 02:00:00:00:00:02")?;
    run(case.create)?;
    run(&format!("set interface state {} up", case.interface))?;
    if case.bridged {
        run("set interface l2 bridge pg0 1")?;
        run(&format!("set interface l2 bridge {} 1", case.interface))?;
        // Both stations are known.
        run("l2fib add 02:00:00:00:01:00 1 pg0 static")?;
        run(&format!("l2fib add 02:00:00:00:02:00 1 {} static", case.interface))?;
    } else {
        run("set interface ip address pg0 10.0.0.1/24")?;
        run("set ip neighbor pg0 10.0.0.2 02:00:00:00:01:00")?;
        run(&format!("set interface unnumbered {} use pg0", case.interface))?;
        run(&format!("ip route add 10.0.2.0/24 via {}", case.interface))?;
    }
    Ok(engine)
}

/// Packets without end.
fn stream(engine: &Engine, case: &Case, out: bool) -> Result<(), Box<dyn Error>> {
    let (from, size, data) = if out {
        let inner = inner(case.bridged);
        let mut inside = String::new();
        for octet in &inner {
            write!(inside, "{octet:02x}")?;
        }
        let size = 14 + case.length + inner.len();
        ("pg1", size, format!("IP4: 02:00:00:00:00:02 -> 02:fe:00:00:00:01 {}{inside}", case.outer))
    } else {
        let link = match case.bridged {
            true => "02:00:00:00:01:00 -> 02:00:00:00:02:00",
            false => "02:00:00:00:00:01 -> 02:fe:00:00:00:00",
        };
        let packet = "UDP: 10.0.0.2 -> 10.0.2.2 UDP: 1024 -> 5001 incrementing 18";
        ("pg0", 60, format!("IP4: {link} {packet}"))
    };
    let spec = StreamSpec::parse(&format!(
        "name in size {size}-{size} interface {from} node ethernet-input data {{ {data} }}"
    ))?;
    let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| generator.new_stream(main, spec))?;
    engine.command("packet-generator enable-stream in")?;
    Ok(())
}

/// What comes by the tunnel: a UDP packet of 46 octets, in a frame or by itself.
fn inner(bridged: bool) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 2, 10, 0, 0, 2];
    let sum = checksum::of(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend([4, 0, 0x13, 0x89, 0, 26, 0, 0]);
    packet.extend([0; 18]);
    let link: &[u8] = &[2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 2, 0, 8, 0];
    if bridged { [link, &packet].concat() } else { packet }
}
