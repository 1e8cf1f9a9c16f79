//! What bridging costs, packet generator to packet generator: clocks a packet, summed over all nodes.
//!
//! usage: `l2 [SECONDS [MACS]]`, as in `l2 2 64000`
//!
//! Half of the stations are behind `pg0` and half behind `pg1`. Each has sent, so that all are known; then those behind `pg0`
//! send in turn, each to one behind `pg1`. Other programs share the machine: the figures are those of many short windows.

use std::{env, error::Error};

use nodes::pg::{self, StreamSpec};
use peloton_benches::clocks_by_node;
use vnet::{plugin::Engine, runtime::Clock};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let seconds = args.next().map_or(Ok(2), |n| n.parse::<u64>())?;
    let only = args.next().map(|n| n.parse::<u32>()).transpose()?;
    let sizes = only.map_or(vec![2, 64_000, 1_000_000], |one| vec![one]);
    println!("bridging of 64-byte frames, clocks a packet: median and 10th percentile");
    for macs in sizes {
        measure(macs, seconds)?;
    }
    println!("cross-connect");
    let engine = engine()?;
    let run = |line: &str| engine.command(line);
    run("set interface l2 xconnect pg0 pg1")?;
    run("set interface l2 xconnect pg1 pg0")?;
    stream(&engine, 0, 1, 0)?;
    clocks_by_node(&engine, seconds, |_| true);
    Ok(())
}

/// Two interfaces that are up.
fn engine() -> Result<Engine, Box<dyn Error>> {
    let clock = Clock::virtual_at(vnet::runtime::PacketTime(0));
    let engine =
        Engine::builder().clock(clock).plugin(nodes::plugin()).plugin(pg::plugin()).build()?;
    for n in 0..2 {
        engine.command(&format!("create packet-generator interface pg{n}"))?;
        engine.command(&format!("set interface state pg{n} up"))?;
    }
    Ok(engine)
}

/// Frames of `count` stations behind an interface, in turn, to those behind the other one: `limit` of them, or without end.
fn stream(engine: &Engine, from: u8, count: u32, limit: u64) -> Result<(), Box<dyn Error>> {
    let station = |side: u8, n: u32| {
        let [a, b, c, d] = n.to_be_bytes();
        format!("02:{side:02x}:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    };
    let range = |side: u8| format!("{}-{}", station(side, 0), station(side, count - 1));
    let spec = StreamSpec::parse(&format!(
        "name from{from} limit {limit} size 60-60 interface pg{from} node ethernet-input \
         data {{ IP4: {} -> {} UDP: 10.0.0.1 -> 10.0.0.2 UDP: 1024 -> 5001 incrementing 18 }}",
        range(from),
        range(1 - from),
    ))?;
    let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| generator.new_stream(main, spec))?;
    engine.command(&format!("packet-generator enable-stream from{from}"))?;
    Ok(())
}

fn measure(macs: u32, seconds: u64) -> Result<(), Box<dyn Error>> {
    let engine = engine()?;
    engine.command("set interface l2 bridge pg0 1")?;
    engine.command("set interface l2 bridge pg1 1")?;
    let half = macs.div_ceil(2);
    for side in [0, 1] {
        stream(&engine, side, half, half.into())?;
        engine.run_until_idle();
        engine.command(&format!("packet-generator delete from{side}"))?;
    }
    // What did not find room before the table had grown.
    for side in [0, 1] {
        stream(&engine, side, half, half.into())?;
        engine.run_until_idle();
        engine.command(&format!("packet-generator delete from{side}"))?;
    }
    println!("{macs} stations: {}", engine.command("show l2fib")?.trim_end());
    stream(&engine, 0, half, 0)?;
    clocks_by_node(&engine, seconds, |_| true);
    Ok(())
}
