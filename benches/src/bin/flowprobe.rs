//! What flowprobe adds to IPv4 forwarding, packet generator to packet generator: clocks a packet.
//!
//! usage: `flowprobe [SECONDS [LAYERS]]`, as in `flowprobe 2 l3,l4`
//!
//! The same as `peloton bench` with and without `--record`, but in turns: other programs share the machine, and what they take
//! from the one they take from the other.

use std::{env, error::Error, time::Instant};

use peloton::{
    args,
    bench::workload::{Prepared, Workload},
};
use peloton_benches::{quantiles, run};
use vnet::flow::RecordSet;

/// Frames of a turn.
const TURN: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args_os().skip(1);
    let seconds = args.next().map_or(Ok(2), |n| args::number("SECONDS", &n, 1_u64..=1000))?;
    let record = args::layers("LAYERS", &args.next().unwrap_or_else(|| "l3,l4".into()))?;
    println!("clocks a packet: median and 10th percentile");
    println!("{:>10} {:>15} {:>15} {:>15} {:>15}", "flows", "without", "with", "added", "the node");
    for flows in [1, 1000, 65_536, 1_000_000] {
        let (plain, probed) = (prepare(flows, RecordSet::empty())?, prepare(flows, record)?);
        let mut samples: [Vec<f64>; 4] = Default::default();
        let start = Instant::now();
        while start.elapsed().as_secs() < seconds {
            let (without, with) = (run(&plain, TURN), run(&probed, TURN));
            let node = with.nodes.iter().find(|node| node.name.starts_with("flowprobe-input"));
            let [without, with, node] = [
                without.clocks_per_packet,
                with.clocks_per_packet,
                node.ok_or("flowprobe saw nothing")?.clocks_per_packet,
            ];
            for (sample, value) in samples.iter_mut().zip([without, with, with - without, node]) {
                sample.push(value);
            }
        }
        let [without, with, added, node] = samples.map(quantiles);
        println!("{flows:>10} {without:>15} {with:>15} {added:>15} {node:>15}");
    }
    Ok(())
}

/// A router that has seen each flow.
fn prepare(flows: u32, record: RecordSet) -> Result<Prepared, Box<dyn Error>> {
    let prepared = Workload { flows, record, ..Workload::default() }.prepare()?;
    run(&prepared, u64::from(flows) / 256 + 10 * TURN);
    Ok(prepared)
}
