//! Forwarding between two interfaces of the packet generator, and what may be measured beside it.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use std::{error::Error, path};

use nodes::pg::{Generator, Mode, NewInterface, Offload, StreamSpec, UdpFlows};
use vnet::{
    command::Terminal,
    fib::{FibIndex, IpPrefix, Path, Source},
    flow::RecordSet,
    interface::{InterfaceAddress, SwIfIndex},
    neighbor::NeighborFlags,
    plugin::Engine,
    runtime::{EngineTime, Main},
    wire::ethernet::MacAddress,
};

use super::measure::Measurement;
use crate::plugins::{Assembled, Choice};

/// The most routes.
pub const MAX_ROUTES: u32 = 1_000_000;
/// The most flows.
pub const MAX_FLOWS: u32 = 16_000_000;
/// Bytes of a frame: 64 with its checksum. An IPv6 packet with a UDP header needs two more.
const FRAME: [usize; 2] = [60, 62];

/// What is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Routes through the second interface.
    pub routes: u32,
    /// Source addresses of the packets.
    pub flows: u32,
    /// IPv6 instead of IPv4.
    pub ip6: bool,
    /// What flowprobe tells the flows that come in apart by; nothing for no flowprobe.
    pub record: RecordSet,
    /// Workers, each with a stream of packets of its own; 0 for the main thread alone.
    pub workers: usize,
}

impl Default for Workload {
    /// What `peloton bench` does without options.
    fn default() -> Self {
        Self { routes: 1, flows: 1000, ip6: false, record: RecordSet::empty(), workers: 0 }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, size) = (if self.ip6 { 6 } else { 4 }, self.frame_size());
        let plural = |n: u32| if n == 1 { "" } else { "s" };
        let (routes, flows) = (self.routes, self.flows);
        write!(f, "ip{version} forwarding, {routes} route{}, ", plural(routes))?;
        write!(f, "{flows} flow{}, {size}-byte frames", plural(flows))?;
        if !self.record.is_empty() {
            write!(f, ", flowprobe{}", self.layers())?;
        }
        match self.workers {
            0 => Ok(()),
            1 => write!(f, ", 1 worker"),
            n => write!(f, ", {n} workers"),
        }
    }
}

/// An engine with a workload, ready to run.
pub struct Prepared {
    /// The engine.
    pub assembled: Assembled,
    generator: Generator,
    /// Where the packets must leave; a script's may do whatever it says.
    output: Option<&'static str>,
}

/// Why what was measured is not what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Packets were lost.
    #[error("of {made} packets {sent} were forwarded")]
    NotForwarded {
        /// Packets made in the time measured.
        made: u64,
        /// Packets sent from the beginning.
        sent: u64,
    },
    /// There was nothing to measure.
    #[error("no stream of the script made a packet")]
    NoPackets,
}

impl Workload {
    /// An engine that does this.
    ///
    /// # Errors
    /// When there is not enough memory for it.
    pub fn prepare(&self) -> Result<Prepared, Box<dyn Error>> {
        let assembled = Assembled::build(Engine::builder().workers(self.workers), &Choice::all())?;
        let generator = assembled.generator().ok_or("no packet generator")?.clone();
        assembled.engine.with(|main| self.configure(main, &generator))?;
        self.probe(&assembled.engine)?;
        Ok(Prepared { assembled, generator, output: Some("pg1") })
    }

    /// Enables flowprobe where the packets come in.
    fn probe(&self, engine: &Engine) -> Result<(), Box<dyn Error>> {
        if self.record.is_empty() {
            return Ok(());
        }
        let version = if self.ip6 { "ip6" } else { "ip4" };
        execute(engine, &format!("flowprobe params record{}", self.layers()))?;
        execute(engine, &format!("flowprobe feature add-del pg0 {version} rx"))
    }

    /// The words of flowprobe for what is recorded, each behind a space.
    fn layers(&self) -> String {
        let layers = [(RecordSet::L2, " l2"), (RecordSet::L3, " l3"), (RecordSet::L4, " l4")];
        layers
            .iter()
            .filter(|(layer, _)| self.record.contains(*layer))
            .map(|(_, word)| *word)
            .collect()
    }

    fn frame_size(&self) -> usize {
        FRAME[usize::from(self.ip6)]
    }

    fn configure(&self, main: &mut Main, generator: &Generator) -> Result<(), Box<dyn Error>> {
        let new = |number| NewInterface {
            number,
            mac: None,
            mode: Mode::Ethernet,
            offload: Offload::None,
        };
        let input = generator.create_interface(main, new(0))?;
        let output = generator.create_interface(main, new(1))?;
        main.change_interfaces(|table| {
            for (number, interface) in [(0, input), (1, output)] {
                table.set_admin(interface, true)?;
                let (address, length) = self.address(number, 1);
                table.add_address(interface, InterfaceAddress::new(address, length)?)?;
            }
            Ok::<_, vnet::interface::InterfaceError>(())
        })?;
        let (hop, _) = self.address(1, 2);
        self.add_routes(main, hop, output)?;
        let workload = UdpFlows {
            flows: self.flows,
            destinations: self.routes,
            size: self.frame_size(),
            source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            destination_mac: mac(main, input),
        };
        let spec = match self.ip6 {
            true => StreamSpec::udp6_flows("ethernet-input", workload),
            false => StreamSpec::udp4_flows("ethernet-input", workload),
        };
        for worker in 0..self.workers.max(1) as u32 {
            generator.new_stream(main, StreamSpec { worker, ..spec.clone() })?;
        }
        generator.enable(main, None)?;
        Ok(())
    }

    fn add_routes(
        &self,
        main: &mut Main,
        hop: IpAddr,
        output: SwIfIndex,
    ) -> Result<(), Box<dyn Error>> {
        let forwarding = main.forwarding_mut();
        let neighbor = [2, 0, 0, 0, 0, 9];
        forwarding.set_neighbor(output, hop, neighbor, NeighborFlags::STATIC, EngineTime(0))?;
        for number in 0..self.routes {
            let prefix = self.prefix(number)?;
            let paths = [Path::via(hop, output)];
            forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &paths)?;
        }
        Ok(())
    }

    /// An address of the network at an interface, and the length of its prefix.
    fn address(&self, interface: u8, host: u8) -> (IpAddr, u8) {
        match self.ip6 {
            false => (Ipv4Addr::new(192, 168, interface, host).into(), 24),
            true => {
                let interface = 0xa000 + u16::from(interface);
                (Ipv6Addr::new(0x2001, 0xdb8, interface, 0, 0, 0, 0, host.into()).into(), 64)
            }
        }
    }

    /// The prefixes that the packets go to.
    fn prefix(&self, number: u32) -> Result<IpPrefix, Box<dyn Error>> {
        let (address, length): (IpAddr, _) = match self.ip6 {
            false => {
                let first = UdpFlows::DESTINATION4.to_bits();
                (Ipv4Addr::from_bits(first + (number << 8)).into(), 24)
            }
            true => {
                let first = UdpFlows::DESTINATION6.to_bits();
                (Ipv6Addr::from_bits(first + (u128::from(number) << 64)).into(), 64)
            }
        };
        Ok(IpPrefix::new(address, length)?)
    }
}

impl Prepared {
    /// An engine that a script has configured, with all of its streams enabled.
    ///
    /// # Errors
    /// When one of its commands fails.
    pub fn by_script(script: &path::Path, workers: usize) -> Result<Self, Box<dyn Error>> {
        let assembled = Assembled::build(Engine::builder().workers(workers), &Choice::all())?;
        let generator = assembled.generator().ok_or("no packet generator")?.clone();
        execute(&assembled.engine, &format!("exec {}", script.display()))?;
        assembled.engine.with(|main| generator.enable(main, None))?;
        Ok(Self { assembled, generator, output: None })
    }

    /// Whether packets were made, and left where they must.
    ///
    /// # Errors
    /// When fewer did, or there were none.
    pub fn check(&self, measured: &Measurement) -> Result<(), Wrong> {
        let made = measured.packets;
        match self.output {
            None if made > 0 => Ok(()),
            None => Err(Wrong::NoPackets),
            Some(output) => {
                let sent = self.generator.sent(output).map_or(0, |sent| sent.packets);
                match sent > 0 && sent >= made {
                    true => Ok(()),
                    false => Err(Wrong::NotForwarded { made, sent }),
                }
            }
        }
    }
}

/// Runs a command.
fn execute(engine: &Engine, line: &str) -> Result<(), Box<dyn Error>> {
    let session = engine.session(Terminal { pager: false, ansi: false, history: false });
    let reply = engine.execute(&session, line.as_bytes());
    if reply.ok { Ok(()) } else { Err(reply.text.trim_end().into()) }
}

fn mac(main: &Main, interface: SwIfIndex) -> MacAddress {
    let hardware = main.interfaces().hardware_of(interface);
    MacAddress(hardware.ok().and_then(|hardware| hardware.mac).unwrap_or([0; 6]))
}
