//! `peloton bench`: what forwarding costs, node by node, with packets from the packet generator.
//!
//! | file | idea |
//! |---|---|
//! | `workload` | interfaces, routes and packets |
//! | `measure` | clocks of each node, medians of windows |

pub mod measure;
pub mod workload;

use core::time::Duration;
use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use lexopt::Arg;
use serde_json::json;
use vnet::frame::FRAME_SIZE;

use crate::{
    Command,
    args::{Failure, UsageError, file, layers, number, seconds, text},
    signal, stdout,
};
use measure::{Length, Measurement, NodeCost};
use workload::{MAX_FLOWS, MAX_ROUTES, Prepared, Workload};

/// The most frames.
const MAX_FRAMES: u64 = 1 << 40;

const HELP: &str = "\
peloton bench - what forwarding costs, node by node

Usage: peloton bench [OPTION...]
       peloton bench --exec FILE [OPTION...]

The packet generator sends 60-byte UDP packets (64 with their checksum on a wire) into the
graph, 256 a frame: ethernet-input, ip4-input, ip4-lookup, ip4-rewrite and out. Clocks are
those of the processor's time-stamp counter, medians of windows of 16 frames.

With --exec the commands of FILE configure the engine instead, its streams of the packet
generator are enabled, and what each of their packets costs is measured: of whatever features.
A stream without a limit goes on for as long as it is measured.

      --routes N           Routes, and as many prefixes that packets go to at random
                           (default 1)
      --flows N            Source addresses, one packet of each in turn (default 1000)
      --ip6                IPv6; packets go to the first route
      --record LAYERS      Measure the flows that come in with flowprobe, and tell them apart
                           by l2, l3, l4, a list with commas
      --workers N          Have N workers do it, each with packets of its own, instead of the
                           main thread; clocks are means then
      --exec FILE          Measure the streams of this script; without --routes, --flows,
                           --ip6 and --record
      --nodes LIST         List these nodes only, a list with commas; the sum is over all
      --seconds S          Measure for S seconds, after a fifth of that to warm up
                           (default 2)
      --frames N           Measure N frames instead, rounded up to whole windows, without
                           any to warm up: the same work each time, to count instructions
      --json               Print one JSON object: workload, packets_per_second,
                           total_clocks_per_packet, nodes, packets_by_worker
  -h, --help               Print this

Exit status: 0 when the packets were forwarded and measured; 1 when not; 2 when the
command line makes no sense; 130 after an interrupt.
";

/// The command `bench`.
pub const COMMAND: Command = Command {
    name: "bench",
    about: "Measure what forwarding costs, node by node",
    help: HELP,
    run: bench,
};

struct Options {
    workload: Workload,
    /// A script, which says what is measured instead.
    script: Option<PathBuf>,
    nodes: Option<Vec<String>>,
    length: Length,
    json: bool,
}

impl Options {
    fn parse(parser: &mut lexopt::Parser) -> Result<Self, Failure> {
        let mut options = Self {
            workload: Workload::default(),
            script: None,
            nodes: None,
            length: Length::Time(Duration::from_secs(2)),
            json: false,
        };
        while let Some(arg) = parser.next().map_err(UsageError::from)? {
            match arg {
                Arg::Long("routes") => {
                    options.workload.routes = number("--routes", &value(parser)?, 1..=MAX_ROUTES)?;
                }
                Arg::Long("flows") => {
                    options.workload.flows = number("--flows", &value(parser)?, 1..=MAX_FLOWS)?;
                }
                Arg::Long("ip6") => options.workload.ip6 = true,
                Arg::Long("workers") => {
                    options.workload.workers = number("--workers", &value(parser)?, 0..=128)?;
                }
                Arg::Long("exec") => options.script = Some(file("--exec", value(parser)?)?),
                Arg::Long("nodes") => {
                    let list = text("--nodes", &value(parser)?)?;
                    let names = list.split(',').filter(|name| !name.is_empty());
                    options.nodes = Some(names.map(str::to_owned).collect());
                }
                Arg::Long("record") => {
                    options.workload.record = layers("--record", &value(parser)?)?;
                }
                Arg::Long("seconds") => {
                    let given = value(parser)?;
                    let length = seconds("--seconds", &given)?;
                    if length.is_zero() {
                        return Err(
                            UsageError::value("--seconds", &given, "seconds above 0").into()
                        );
                    }
                    options.length = Length::Time(length);
                }
                Arg::Long("frames") => {
                    options.length =
                        Length::Frames(number("--frames", &value(parser)?, 1..=MAX_FRAMES)?);
                }
                Arg::Long("json") => options.json = true,
                Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
                Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
                other => return Err(UsageError::from(other.unexpected()).into()),
            }
        }
        let router = Workload { workers: options.workload.workers, ..Workload::default() };
        if options.script.is_some() && options.workload != router {
            let others = "--routes, --flows, --ip6 and --record";
            return Err(UsageError::Conflict("--exec", others).into());
        }
        Ok(options)
    }

    fn prepare(&self) -> Result<Prepared, Failure> {
        let prepared = match &self.script {
            Some(script) => Prepared::by_script(script, self.workload.workers),
            None => self.workload.prepare(),
        };
        prepared.map_err(Failure::failed)
    }

    /// What is measured, in words.
    fn subject(&self) -> String {
        match &self.script {
            Some(script) => script.display().to_string(),
            None => self.workload.to_string(),
        }
    }
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, UsageError> {
    Ok(parser.value()?)
}

fn bench(parser: &mut lexopt::Parser) -> Result<ExitCode, Failure> {
    let options = Options::parse(parser)?;
    let prepared = options.prepare()?;
    signal::watch();
    let goes_on = || signal::caught().is_none();
    if let Length::Time(time) = options.length {
        if !options.workload.record.is_empty() {
            // Until each flow is known.
            let frames = u64::from(options.workload.flows).div_ceil(FRAME_SIZE as u64);
            let _: Measurement = measure::measure(&prepared, Length::Frames(frames), goes_on);
        }
        let _: Measurement = measure::measure(&prepared, Length::Time(time / 5), goes_on);
    }
    let measured = measure::measure(&prepared, options.length, goes_on);
    if let Some(signal) = signal::caught() {
        return Ok(signal.status());
    }
    prepared.check(&measured).map_err(Failure::failed)?;
    let shown = chosen(&measured, options.nodes.as_deref())?;
    let text = if options.json {
        format!("{}\n", as_json(&options.subject(), &measured, &shown))
    } else {
        as_table(&options.subject(), &measured, &shown)
    };
    stdout::print(text)?;
    Ok(ExitCode::SUCCESS)
}

/// The nodes that are to be listed.
fn chosen<'m>(
    measured: &'m Measurement,
    names: Option<&[String]>,
) -> Result<Vec<&'m NodeCost>, Failure> {
    let Some(names) = names else { return Ok(measured.nodes.iter().collect()) };
    let find = |name: &String| {
        let node = measured.nodes.iter().find(|node| node.name == *name);
        node.ok_or_else(|| {
            let there: Vec<_> = measured.nodes.iter().map(|node| node.name.as_str()).collect();
            let there = there.join(", ");
            Failure::failed(format_args!("no packet came to a node `{name}', but to {there}"))
        })
    };
    names.iter().map(find).collect()
}

fn as_json(subject: &str, measured: &Measurement, nodes: &[&NodeCost]) -> serde_json::Value {
    let node = |node: &&NodeCost| {
        json!({
            "name": node.name,
            "clocks_per_packet": node.clocks_per_packet,
            "vectors_per_call": node.vectors_per_call,
        })
    };
    json!({
        "workload": subject,
        "packets_per_second": measured.packets_per_second(),
        "total_clocks_per_packet": measured.clocks_per_packet,
        "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
        "packets_by_worker": measured.by_worker,
    })
}

fn as_table(subject: &str, measured: &Measurement, nodes: &[&NodeCost]) -> String {
    let width = nodes.iter().map(|node| node.name.len()).max().unwrap_or(0).max(5);
    let mut text = format!("{subject}\n\n{:<width$}  Clocks/Packet  Vectors/Call\n", "Node");
    for node in nodes {
        let NodeCost { name, clocks_per_packet, vectors_per_call } = node;
        text += &format!("{name:<width$}  {clocks_per_packet:>13.2}  {vectors_per_call:>12.2}\n");
    }
    let (total, rate) = (measured.clocks_per_packet, measured.packets_per_second() / 1e6);
    text += &format!("{:<width$}  {total:>13.2}\n\n{rate:.2} million packets/s\n", "total");
    for (worker, packets) in measured.by_worker.iter().enumerate() {
        let rate = *packets as f64 / measured.time.as_secs_f64() / 1e6;
        text += &format!("  worker {worker}: {rate:.2}\n");
    }
    text
}
