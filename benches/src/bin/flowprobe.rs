//! What flowprobe adds to IPv4 forwarding, packet generator to packet generator: clocks a packet.
//!
//! usage: `flowprobe [SECONDS [LAYERS]]`, as in `flowprobe 2 "l3 l4"`

use std::{env, error::Error, time::Instant};

use flowprobe::{Directions, FlowProbe, ParamsRequest, Variant};
use nodes::pg::{self, Mode, NewInterface, StreamSpec, UdpFlows};
use vnet::{
    fib::{FibIndex, IpPrefix, Path, Source},
    flow::RecordSet,
    interface::{InterfaceAddress, SwIfIndex},
    neighbor::NeighborFlags,
    plugin::Engine,
    runtime::{EngineTime, Main},
    wire::ethernet::MacAddress,
};

/// Rounds of a sample. Samples with and without take turns, since other programs share the machine.
const SAMPLE: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let seconds = args.next().map(|a| a.parse::<u32>()).transpose()?.unwrap_or(2);
    let record = layers(&args.next().unwrap_or_else(|| "l3 l4".to_owned()));
    println!("clocks a packet: median and 10th percentile");
    println!("{:>10} {:>15} {:>15} {:>15} {:>15}", "flows", "without", "with", "added", "the node");
    for flows in [1, 1000, 65_536, 1_000_000] {
        let (plain, probed) = (Bench::new(flows, None)?, Bench::new(flows, Some(record))?);
        let mut samples: [Vec<f64>; 4] = Default::default();
        let start = Instant::now();
        while start.elapsed().as_secs() < u64::from(seconds) {
            let (without, (with, node)) = (plain.sample().0, probed.sample());
            for (sample, value) in samples.iter_mut().zip([without, with, with - without, node]) {
                sample.push(value);
            }
        }
        let [without, with, added, node] = samples.map(quantiles);
        println!("{flows:>10} {without:>15} {with:>15} {added:>15} {node:>15}");
    }
    Ok(())
}

fn quantiles(mut samples: Vec<f64>) -> String {
    samples.sort_by(f64::total_cmp);
    let n = samples.len();
    format!("{:.1} {:.1}", samples[n / 2], samples[n / 10])
}

fn layers(words: &str) -> RecordSet {
    words.split_whitespace().fold(RecordSet::empty(), |set, word| match word {
        "l2" => set | RecordSet::L2,
        "l4" => set | RecordSet::L4,
        _ => set | RecordSet::L3,
    })
}

struct Bench(Engine);

impl Bench {
    /// A router; with what is to be recorded of what comes in, if anything.
    fn new(flows: u32, record: Option<RecordSet>) -> Result<Self, Box<dyn Error>> {
        let engine = Engine::builder()
            .plugin(nodes::plugin())
            .plugin(pg::plugin())
            .plugin(flowprobe::plugin())
            .build()?;
        let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
        let probe = engine.provided().ok_or("no flowprobe")?;
        engine.with(|main| {
            let pg0 = configure(main, &generator, flows)?;
            record.map_or(Ok(()), |record| enable(main, &probe, pg0, record))
        })?;
        // Until each flow is in the table.
        (0..flows / 256 + 10 * SAMPLE).for_each(|_| {
            engine.poll();
        });
        Ok(Self(engine))
    }

    /// Clocks a packet, of all nodes and of the observation point.
    fn sample(&self) -> (f64, f64) {
        self.0.with(Main::clear_stats);
        (0..SAMPLE).for_each(|_| {
            self.0.poll();
        });
        self.0.with(|main| clocks(main))
    }
}

fn clocks(main: &Main) -> (f64, f64) {
    let (mut all, mut probe) = (0.0, 0.0);
    for (index, node) in main.graph().nodes() {
        let stats = main.worker().stats(index);
        if stats.vectors > 0 {
            all += stats.clocks_each();
            if node.name.starts_with("flowprobe-input") {
                probe = stats.clocks_each();
            }
        }
    }
    (all, probe)
}

fn enable(
    main: &mut Main,
    probe: &FlowProbe,
    interface: SwIfIndex,
    record: RecordSet,
) -> Result<(), Box<dyn Error>> {
    probe.set_params(ParamsRequest { record, active: None, passive: None })?;
    Ok(probe.enable(main, interface, Variant::Ip4, Directions::Rx)?)
}

fn configure(
    main: &mut Main,
    generator: &pg::Generator,
    flows: u32,
) -> Result<SwIfIndex, Box<dyn Error>> {
    let new = |number| NewInterface { number, mac: None, mode: Mode::Ethernet };
    let pg0 = generator.create_interface(main, new(0))?;
    let pg1 = generator.create_interface(main, new(1))?;
    let (at0, at1) = ("192.168.0.1".parse()?, "192.168.1.1".parse()?);
    main.change_interfaces(|table| {
        table.set_admin(pg0, true)?;
        table.set_admin(pg1, true)?;
        table.add_address(pg0, InterfaceAddress::new(at0, 24)?)?;
        table.add_address(pg1, InterfaceAddress::new(at1, 24)?)
    })?;
    let hop = "192.168.1.2".parse()?;
    let forwarding = main.forwarding_mut();
    forwarding.set_neighbor(pg1, hop, [2, 0, 0, 0, 0, 9], NeighborFlags::STATIC, EngineTime(0))?;
    let prefix = IpPrefix::new(UdpFlows::DESTINATION4.into(), 24)?;
    forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &[Path::via(hop, pg1)])?;
    let workload = UdpFlows {
        flows,
        destinations: 1,
        size: 60,
        source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
        destination_mac: MacAddress([2, 0xfe, 0, 0, 0, 0]),
    };
    let name = generator.new_stream(main, StreamSpec::udp4_flows("ethernet-input", workload))?;
    generator.enable(main, Some(&name))?;
    Ok(pg0)
}
