//! Whether forwarding waits while a million flows end: the time from one frame to the next, in microseconds.
//!
//! usage: `expiry [FLOWS]`
//!
//! A router measures `l3 l4` and exports to a collector behind it. FLOWS flows (a million) have a packet each; then packets of
//! a thousand others come as fast as they are taken, 256 a round of dispatch, while the first ones become idle and their
//! records leave. Rounds in which the exporter takes no records are compared with those in which it does.
//!
//! Programs that share the machine lengthen a round now and then, whatever it does: the highest of many rounds is theirs.

use std::{
    env,
    error::Error,
    time::{Duration, Instant},
};

use flowprobe::{FlowProbe, Variant};
use nodes::pg::{Generator, StreamSpec, UdpFlows};
use peloton::{
    args,
    bench::workload::{MAX_FLOWS, Prepared, Workload},
};
use peloton_benches::run;
use vnet::{plugin::Engine, wire::ethernet::MacAddress};

/// Flows that packets go on to come of.
const BUSY: u32 = 1000;
/// Seconds after which a flow is idle.
const PASSIVE: u64 = 4;
/// Spans of time whose records are counted.
const SPAN: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let flows = env::args_os().nth(1);
    let flows = flows.map_or(Ok(1_000_000), |n| args::number("FLOWS", &n, 1..=MAX_FLOWS))?;
    let prepared = Workload { flows, ..Workload::default() }.prepare()?;
    let engine = &prepared.assembled.engine;
    let probe: FlowProbe = engine.provided().ok_or("no flowprobe")?;
    for line in [
        "set ipfix exporter collector 192.168.1.2 src 192.168.1.1 path-mtu 1450",
        &format!("flowprobe params record l3 l4 active {PASSIVE} passive {PASSIVE}"),
        "flowprobe feature add-del pg0 ip4 rx",
    ] {
        engine.command(line)?;
    }
    run(&prepared, u64::from(flows).div_ceil(256));
    go_on_with_few(&prepared)?;
    let rounds = rounds(engine, &probe, u64::from(flows));
    let last = rounds.last().map_or(0, |round| round.records);
    println!("{last} records of {flows} flows left after they were idle for {PASSIVE} seconds\n");
    println!(
        "{:<28}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "round", "number", "median", "99 %", "99.9 %", "highest"
    );
    let made = |n: usize| rounds[n].records - if n == 0 { 0 } else { rounds[n - 1].records };
    for (name, of) in [("that export nothing", 0..=0), ("that export records", 1..=u64::MAX)] {
        row(name, (0..rounds.len()).filter(|&n| of.contains(&made(n))).map(|n| rounds[n].time));
    }
    println!(
        "\nmost records exported in a round: {}",
        (0..rounds.len()).map(made).max().unwrap_or(0)
    );
    println!("records a second while flows are due, median of {SPAN:?} each: {:.0}", rate(&rounds));
    Ok(())
}

/// Packets of a few flows instead of those of many.
fn go_on_with_few(prepared: &Prepared) -> Result<(), Box<dyn Error>> {
    let engine = &prepared.assembled.engine;
    let generator: &Generator = prepared.assembled.generator().ok_or("no packet generator")?;
    let main = |main: &mut vnet::runtime::Main| -> Result<(), Box<dyn Error>> {
        generator.disable(main, None)?;
        let input = main.interfaces().find("pg0")?;
        let mac = main.interfaces().hardware_of(input)?.mac.ok_or("pg0 has no address")?;
        let few = UdpFlows {
            flows: BUSY,
            destinations: 1,
            size: 60,
            source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            destination_mac: MacAddress(mac),
        };
        let name = generator.new_stream(main, StreamSpec::udp4_flows("ethernet-input", few))?;
        generator.enable(main, Some(&name))?;
        Ok(())
    };
    engine.with(main)
}

struct Round {
    time: Duration,
    /// Records that the exporter has taken so far.
    records: u64,
}

/// Rounds of dispatch until the flows have ended, and for a second more.
fn rounds(engine: &Engine, probe: &FlowProbe, flows: u64) -> Vec<Round> {
    let mut rounds = Vec::with_capacity(1 << 20);
    let (start, mut ended) = (Instant::now(), None);
    let mut before = start;
    while ended.is_none_or(|ended: Instant| ended.elapsed().as_secs() < 1)
        && start.elapsed().as_secs() < 60
    {
        engine.poll();
        let now = Instant::now();
        let records = probe.queue_counters(Variant::Ip4).0.handed_over;
        rounds.push(Round { time: now - before, records });
        if records + u64::from(BUSY) >= flows {
            ended = ended.or(Some(now));
        }
        before = now;
    }
    rounds
}

/// Records a second: the median of spans with a record in each round but a few. Flows came in over half a second and become due
/// over as much; when all that are have left, there is nothing to export for a while.
fn rate(rounds: &[Round]) -> f64 {
    let (mut rates, mut time, mut first, mut before) = (Vec::new(), Duration::ZERO, 0, 0);
    for (n, round) in rounds.iter().enumerate() {
        time += round.time;
        if time < SPAN {
            continue;
        }
        let span = &rounds[first..=n];
        let idle = span.windows(2).filter(|pair| pair[0].records == pair[1].records).count();
        if idle * 10 < span.len() {
            rates.push((round.records - before) as f64 / time.as_secs_f64());
        }
        (time, first, before) = (Duration::ZERO, n + 1, round.records);
    }
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn row(name: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e6).collect();
    times.sort_by(f64::total_cmp);
    let Some(&highest) = times.last() else { return };
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (median, high, higher) = (at(0.5), at(0.99), at(0.999));
    let number = times.len();
    println!("{name:<28}{number:>10}{median:>10.1}{high:>10.1}{higher:>10.1}{highest:>10.1}");
}
