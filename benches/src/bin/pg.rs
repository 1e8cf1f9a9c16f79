//! Clocks a packet of `pg-input` and of what takes its packets, for the streams that benchmarks use.
//!
//! `cargo run --release -p peloton-benches --bin pg [ROUNDS [LABEL]]`, each round a frame of 256 packets; only those
//! workloads whose label contains LABEL.

use std::error::Error;

use nodes::pg::{self, StreamSpec, UdpFlows};
use vnet::{plugin::Engine, runtime::Main, wire::ethernet::MacAddress};

/// Rounds of one measurement: few, so that most measurements are not interrupted by other programs.
const ROUNDS: u32 = 100;
/// How many measurements the median is taken of.
const RUNS: usize = 501;

fn measure(label: &str, spec: StreamSpec, sink: &str, rounds: u32) -> Result<(), Box<dyn Error>> {
    if !std::env::args().nth(2).is_none_or(|only| label.contains(&only)) {
        return Ok(());
    }
    let engine = Engine::builder().plugin(nodes::plugin()).plugin(pg::plugin()).build()?;
    let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| -> Result<(), pg::PgError> {
        let new = pg::NewInterface {
            number: 0,
            mac: None,
            mode: pg::Mode::Ethernet,
            offload: pg::Offload::None,
        };
        generator.create_interface(main, new)?;
        generator.new_stream(main, spec)?;
        generator.enable(main, None).map(drop)
    })?;
    let find = |name| engine.with(|m| m.graph().require(name));
    let (input, sink) = (find("pg-input")?, find(sink)?);
    let mut figures = Vec::new();
    for _ in 0..RUNS {
        engine.with(Main::clear_stats);
        (0..rounds).for_each(|_| {
            engine.poll();
        });
        let stats = |node| engine.with(|m| m.worker().stats(node));
        figures.push((stats(input).clocks_each(), stats(sink).clocks_each()));
    }
    let median = |pick: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = figures.iter().map(pick).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!("{label:<34}{:>10.1}{:>10.1}", median(|f| f.0), median(|f| f.1));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |n| n.parse())?;
    println!("{:<34}{:>10}{:>10}", "64-byte UDP, clocks a packet", "pg-input", "sink");
    let flows = |flows, destinations| UdpFlows {
        flows,
        destinations,
        size: 64,
        source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddress([2, 0xfe, 0, 0, 0, 0]),
    };
    let drop = "error-drop";
    let ip4 = |f, d| StreamSpec::udp4_flows("error-drop", flows(f, d));
    measure("1 flow, error-drop", ip4(1, 1), drop, rounds)?;
    measure("1,000 flows, error-drop", ip4(1000, 1), drop, rounds)?;
    measure("1,000,000 flows, error-drop", ip4(1_000_000, 1), drop, rounds)?;
    measure("100,000 random routes, error-drop", ip4(1, 100_000), drop, rounds)?;
    measure("1,000 flows, 1M routes, error-drop", ip4(1000, 1_000_000), drop, rounds)?;
    let ip6 = |f| StreamSpec::udp6_flows("error-drop", flows(f, 1));
    measure("ip6, 1 flow, error-drop", ip6(1), drop, rounds)?;
    measure("ip6, 1,000 flows, error-drop", ip6(1000), drop, rounds)?;
    let to_wire = StreamSpec::udp4_flows("pg0", flows(1, 1));
    measure("1 flow, pg0-tx", to_wire, "pg0-tx", rounds)
}
