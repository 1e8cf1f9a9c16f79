//! Forwarding, packet generator to packet generator: median clocks a packet of each node.
//!
//! usage: forward [ROUTES [FLOWS [SECONDS [4|6]]]]
//!
//! The clocks are taken in windows of a few frames, so that most windows see no interruption by other programs, and the
//! median of the windows is printed. Instructions: the same under `valgrind --tool=callgrind`, whose sums are to be divided by
//! the packets printed.

use std::{collections::BTreeMap, env, error::Error, net::Ipv4Addr, net::Ipv6Addr, time::Instant};

use nodes::pg::{self, Mode, NewInterface, StreamSpec, UdpFlows};
use vnet::{
    fib::{FibIndex, IpPrefix, Path, Source},
    interface::InterfaceAddress,
    neighbor::NeighborFlags,
    plugin::Engine,
    runtime::{EngineTime, Main},
    wire::ethernet::MacAddress,
};

/// Rounds of one window; each round is a frame of 256 packets.
const WINDOW: usize = 8;

struct Workload {
    routes: u32,
    flows: u32,
    seconds: u32,
    ip6: bool,
}

/// Clocks a packet of each window, by node.
type Samples = BTreeMap<u16, (String, Vec<f64>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1).map(|a| a.parse::<u32>());
    let mut number = |default| args.next().unwrap_or(Ok(default));
    let workload = Workload {
        routes: number(1)?,
        flows: number(1000)?,
        seconds: number(2)?,
        ip6: number(4)? == 6,
    };
    let engine = Engine::builder().plugin(nodes::plugin()).plugin(pg::plugin()).build()?;
    let generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| configure(main, &generator, &workload))?;
    let mut samples = Samples::new();
    let mut totals = Vec::new();
    run(&engine, 1, |_| {});
    run(&engine, workload.seconds, |main| totals.push(sample(main, &mut samples)));
    for (name, clocks) in samples.values_mut() {
        println!("{name:<20} {:>8.2} clocks/packet", median(clocks));
    }
    println!("{:<20} {:>8.2} clocks/packet", "total", median(&mut totals));
    engine.with(|main| {
        println!("{} packets", main.worker().loops() * 256);
        for row in main.errors().rows().filter(|row| row.count > 0) {
            println!("{} {} {}", row.count, row.node, row.reason.description);
        }
    });
    Ok(())
}

/// Runs windows for so long, and has `after` look at each.
fn run(engine: &Engine, seconds: u32, mut after: impl FnMut(&mut Main)) {
    let start = Instant::now();
    while start.elapsed().as_secs() < u64::from(seconds) {
        engine.with(Main::clear_stats);
        for _ in 0..WINDOW {
            engine.poll();
        }
        engine.with(&mut after);
    }
}

/// Notes what each node took in the last window; the sum.
fn sample(main: &mut Main, samples: &mut Samples) -> f64 {
    let mut total = 0.0;
    for (index, node) in main.graph().nodes() {
        let stats = main.worker().stats(index);
        if stats.vectors > 0 {
            let (_, clocks) =
                samples.entry(index.0).or_insert_with(|| (node.name.clone(), Vec::new()));
            clocks.push(stats.clocks_each());
            total += stats.clocks_each();
        }
    }
    total
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

fn configure(
    main: &mut Main,
    generator: &pg::Generator,
    workload: &Workload,
) -> Result<(), Box<dyn Error>> {
    let new = |number| NewInterface { number, mac: None, mode: Mode::Ethernet };
    let pg0 = generator.create_interface(main, new(0))?;
    let pg1 = generator.create_interface(main, new(1))?;
    let (addresses, length, hop) = if workload.ip6 {
        (["2001:db8::1", "2001:db8:0:2::1"], 64, "2001:db8:0:2::2")
    } else {
        (["192.168.0.1", "192.168.1.1"], 24, "192.168.1.2")
    };
    let [first, second] = addresses.map(|a| a.parse().map(|a| InterfaceAddress::new(a, length)));
    main.change_interfaces(|table| {
        table.set_admin(pg0, true)?;
        table.set_admin(pg1, true)
    })?;
    let (first, second) = (first??, second??);
    main.change_interfaces(|table| {
        table.add_address(pg0, first)?;
        table.add_address(pg1, second)
    })?;
    let hop = hop.parse()?;
    let forwarding = main.forwarding_mut();
    forwarding.set_neighbor(pg1, hop, [2, 0, 0, 0, 0, 9], NeighborFlags::STATIC, EngineTime(0))?;
    for i in 0..workload.routes {
        let prefix = if workload.ip6 {
            let first = UdpFlows::DESTINATION6.to_bits();
            IpPrefix::new(Ipv6Addr::from_bits(first + (u128::from(i) << 64)).into(), 64)?
        } else {
            let first = UdpFlows::DESTINATION4.to_bits();
            IpPrefix::new(Ipv4Addr::from_bits(first + (i << 8)).into(), 24)?
        };
        forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &[Path::via(hop, pg1)])?;
    }
    let flows = UdpFlows {
        flows: workload.flows,
        destinations: workload.routes,
        size: if workload.ip6 { 62 } else { 60 },
        source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddress([2, 0xfe, 0, 0, 0, 0]),
    };
    let spec = if workload.ip6 {
        StreamSpec::udp6_flows("ethernet-input", flows)
    } else {
        StreamSpec::udp4_flows("ethernet-input", flows)
    };
    let name = generator.new_stream(main, spec)?;
    generator.enable(main, Some(&name))?;
    Ok(())
}
