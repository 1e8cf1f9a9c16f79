//! A plugin to copy from: it counts IPv4 packets by their DSCP (RFC 2474), to see which markings arrive.
//!
//! `dscp count pg0` counts what pg0 receives, `show dscp` prints it, and the exporter reports it every minute.
//! `docs/PLUGINS.md` walks through this file.

use std::{cell::Cell, rc::Rc, time::Duration};

use vnet::{prelude::*, wire::ip4::Header};

const NODE: &str = "dscp-count";
const ARC: &str = "ip4-unicast";

vnet::next_nodes! { enum Next { Drop => "error-drop" } }

vnet::node_errors! {
    enum Error {
        TooShort => ("too-short", "no room for an ip4 header", Error),
        Congested => ("ecn-ce", "packets that met congestion", Info),
    }
}

vnet::trace_record! { struct Trace { dscp: u8 } => "dscp {dscp}" }

/// The node; each thread has its own. It counts, and lets packets go on along the arc.
struct DscpCount(Counter<Count>);

impl Map for DscpCount {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let Some(ip) = buffer.view::<Header>() else {
            cx.error(buffer, Error::TooShort);
            return Next::Drop.into();
        };
        let bytes = ip.total_length.get().into();
        cx.add(&self.0, ip.dscp().into(), Count { packets: 1, bytes });
        if ip.ecn() == Header::CONGESTION_EXPERIENCED {
            cx.count(Error::Congested, 1);
        }
        cx.next_feature(buffer)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { dscp: buffer.view::<Header>().map_or(0, |ip| ip.dscp()) }
    }
}

vnet::data_record! {
    /// What the collector is told of a DSCP: totals, so that a lost message loses nothing.
    struct Total {
        dscp: u8 = "ipDiffServCodePoint",
        packets: u64 = "packetTotalCount",
        bytes: u64 = "octetTotalCount",
    }
}

/// The report.
struct Totals {
    seen: Counter<Count>,
    due: Rc<Cell<bool>>,
}

impl Report for Totals {
    fn template(&mut self, _: usize) -> TemplateFields {
        TemplateFields::of::<Total>()
    }

    fn data(&mut self, output: &mut Output<'_>) {
        if self.due.take() {
            for (dscp, Count { packets, bytes }) in self.seen.nonzero() {
                output.push(0, &Total { dscp: dscp as u8, packets, bytes });
            }
        }
    }
}

/// The process: the report is due every minute, and when somebody asks. It ends when nobody is left who could.
async fn pace(cx: Cx, mut asked: Events<()>, due: Rc<Cell<bool>>) {
    while cx.timeout(Duration::from_secs(60), asked.next()).await != Ok(None) {
        due.set(true);
    }
}

vnet::args! {
    struct Which { interface: SwIfIndex = positional(value::interface()), disable: bool = flag("disable") }
}

fn show(seen: &Counter<Count>) -> Table {
    let columns = ["DSCP", "Packets", "Bytes"].map(|title| Column::new(title, 12, Align::Right));
    let row = |(dscp, n): (u32, Count)| [dscp.into(), n.packets.into(), n.bytes.into()];
    Table::new(columns).rows(seen.nonzero().map(row))
}

/// The plugin.
pub fn plugin() -> Plugin {
    Plugin::new("example", env!("CARGO_PKG_VERSION"), "Packets by DSCP", |r| {
        let seen = r.counter("/dscp/rx", 64)?;
        let (counted, shown) = (seen.clone(), seen.clone());
        r.node(NodeSpec::map(NODE, move |_| DscpCount(counted.clone())));
        r.feature(FeatureSpec::new(ARC, NODE).after("ip4-not-enabled"));

        let due = Rc::new(Cell::new(false));
        r.report("dscp", Totals { seen, due: due.clone() })?;
        let at_end = due.clone();
        r.on_drain(move |_| at_end.set(true));
        let (ask, asked) = events();
        r.process("dscp-report-process", move |cx| pace(cx, asked, due));

        let count = |cx: CommandCx, Which { interface, disable }: Which| {
            cx.with(|main| main.switch_feature(ARC, NODE, interface, !disable))
        };
        r.command(Command::sync("dscp count", "Count what an interface receives.", count));
        r.command(Command::sync("dscp report", "Report now.", move |_, (): ()| ask.send(())));
        r.command(Command::sync("show dscp", "Show DSCPs counted.", move |_, (): ()| show(&shown)));
        Ok(())
    })
}
