//! What `ip4-flow-classify` costs, for a few numbers of sessions: clocks a packet of the node alone, in a router that forwards
//! UDP packets of as many flows.
//!
//! usage: `classify [SECONDS]`

use std::{env, error::Error, time::Instant};

use peloton::{
    args,
    bench::workload::{Prepared, Workload},
};
use peloton_benches::{quantiles, run};

/// Frames of a sample.
const FRAMES: u64 = 200;

/// Masks by the vectors that they compare.
const MASKS: [(u32, &str); 3] = [
    (1, "l3 ip4 src"),
    (2, "l3 ip4 src dst proto l4 src_port dst_port"),
    (3, "l2 src dst l3 ip4 src dst proto l4 src_port dst_port"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args_os().nth(1).map_or(Ok(2), |n| args::number("SECONDS", &n, 1..=1000))?;
    println!("clocks a packet: median and 10th percentile");
    println!("{:>10} {:>10} {:>15}", "sessions", "vectors", "the node");
    for (vectors, mask) in MASKS {
        for sessions in [1, 1000, 100_000, 1_000_000] {
            let prepared = prepare(sessions, mask)?;
            let (mut samples, start) = (Vec::new(), Instant::now());
            while start.elapsed().as_secs() < seconds {
                let measured = run(&prepared, FRAMES);
                let node = measured.nodes.iter().find(|node| node.name == "ip4-flow-classify");
                samples.push(node.ok_or("nothing was classified")?.clocks_per_packet);
            }
            println!("{sessions:>10} {vectors:>10} {:>15}", quantiles(samples));
        }
    }
    Ok(())
}

/// A router that has a session for each flow.
fn prepare(sessions: u32, mask: &str) -> Result<Prepared, Box<dyn Error>> {
    let prepared = Workload { flows: sessions, ..Workload::default() }.prepare()?;
    let engine = &prepared.assembled.engine;
    let memory = (sessions / 8192).max(2);
    engine.command(&format!("classify table mask {mask} memory-size {memory}M"))?;
    engine.command("set flow classify interface pg0 ip4-table 0")?;
    run(&prepared, u64::from(sessions) / 256 + 10 * FRAMES);
    Ok(prepared)
}
