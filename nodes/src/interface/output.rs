//! `interface-output`: to the device of the packet's TX interface, through the interface's output features.

use core::fmt;

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{
        ArcDoor, ArcIndex, ArcSpec, GraphError, NextIndex, Node, NodeCx, NodeIndex, NodeSpec,
        PacketCx, Slot, Verdict,
    },
    interface::{InterfaceView, InterfaceViews, SwIfIndex},
    plugin::Registrar,
    runtime::{Main, Shared},
    trace::{Start, Tap, Taps, TraceCx, TraceRecord},
    wire::trace::Ethernet,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::trace::Snap;

vnet::next_nodes! {
    /// Where packets go that cannot be sent.
    pub(crate) enum Next {
        Drop => "error-drop",
        Offload => "interface-output-offload",
    }
}

vnet::node_errors! {
    /// Why a packet is not sent.
    pub(crate) enum Error {
        Down => ("down", "interface is down", Error, BadOutputInterface),
        Deleted => ("deleted", "interface is deleted", Error, BadOutputInterface),
    }
}

const OUTPUT: &str = "interface-output";
const END: &str = "interface-output-arc-end";

/// Registers the nodes and their arc.
pub(crate) fn register(r: &mut Registrar) {
    for name in [OUTPUT, END] {
        let (views, taps) = (r.interface_views(), r.taps());
        let starts = name == OUTPUT;
        let spec = NodeSpec::internal(name, move |at| Output {
            views: views.clone(),
            taps: taps.clone(),
            arc: if starts { at.arc(OUTPUT) } else { ArcIndex::ABSENT },
            counts: starts,
        });
        r.node(if starts { spec } else { spec.sibling_of(OUTPUT) });
    }
    r.node(super::offload::spec(r.interface_views()));
    r.arc(ArcSpec::new(OUTPUT, &[OUTPUT], END));
    super::commands::commands().into_iter().for_each(|command| r.command(command));
    super::api::register(r.api());
}

/// Makes `tx`, the node that hands packets to a device, a next node of `interface-output`; the result belongs into
/// [`NewHardware::tx_next`](vnet::interface::NewHardware::tx_next).
///
/// # Errors
/// When the built-in nodes are not in the engine.
pub fn add_device(main: &mut Main, tx: NodeIndex) -> Result<NextIndex, GraphError> {
    let output = main.graph().require(OUTPUT)?;
    Ok(main.add_next(output, tx))
}

/// Both nodes: the first counts and starts the arc, the second is where the arc ends.
struct Output {
    views: Shared<InterfaceViews>,
    taps: Shared<Taps>,
    arc: ArcIndex,
    counts: bool,
}

impl Output {
    fn way(
        &self,
        cx: &PacketCx<'_, Next, Error>,
        views: &InterfaceViews,
        interface: SwIfIndex,
    ) -> Way {
        let view = views.get(interface).ok_or(Error::Deleted)?;
        if !view.up {
            return Err(Error::Down);
        }
        let device = Slot::added(NextIndex(view.tx_next));
        Ok(cx.arc_door(cx.arc_start(self.arc, interface), device))
    }

    /// Shows the packets that will be sent.
    #[cold]
    fn tap(&self, cx: &NodeCx<'_, Next, Error>, tap: &dyn Tap, frame: &mut Frame) {
        let views = self.views.read(cx.token());
        for buffer in cx.buffers(frame).iter_mut() {
            let tx = buffer.tx;
            // What the device cannot be left to do is done first, and shown then.
            let as_is = |view: &&InterfaceView| view.offloads || buffer.offload().is_none();
            if let Some(view) = views.get(tx).filter(|view| view.up).filter(as_is) {
                cx.show_tap(tap, views, buffer, Start::here(buffer, view.ethernet), tx);
            }
        }
    }
}

/// Where the packets of an interface go: to the device, through its output features where there are any. Or why they do not.
type Way = Result<ArcDoor<Next>, Error>;

#[cold]
fn refuse(cx: &PacketCx<'_, Next, Error>, buffer: &mut Buffer, error: Error) -> Slot<Next> {
    cx.state_ref().interfaces.tx_error.add(buffer.tx.0, 1);
    cx.error(buffer, error);
    Next::Drop.into()
}

/// What is found once for all packets in a row that leave by the same interface, and what they come to.
struct Run {
    way: Way,
    /// The device is not to be given packets to which something is still to be done.
    finish: bool,
    octets: u64,
    /// Packets on the wire beyond those of the run; or those that are not yet to be counted, negative.
    beyond: i64,
}

impl Output {
    /// Sends packets on. `OFFLOADS` tells that there may be some to which something is still to be done, which nobody pays
    /// for who has none.
    #[inline(always)]
    fn run<const OFFLOADS: bool>(
        &self,
        cx: &mut NodeCx<'_, Next, Error>,
        frame: &mut Frame,
        views: &InterfaceViews,
    ) -> Verdict<Next> {
        cx.each_run(
            frame,
            |_, buffer| buffer.tx,
            |cx, tx| Run {
                way: self.way(cx, views, tx),
                finish: OFFLOADS && views.get(tx).is_some_and(|view| !view.offloads),
                octets: 0,
                beyond: 0,
            },
            |cx, run, buffer| {
                if OFFLOADS && run.finish && run.way.is_ok() && buffer.offload().is_some() {
                    // It comes again.
                    run.beyond -= 1;
                    return Next::Offload.into();
                }
                if OFFLOADS {
                    let on_wire = buffer.on_wire();
                    run.octets += on_wire.octets;
                    run.beyond += i64::from(on_wire.packets) - 1;
                } else {
                    run.octets += buffer.length_in_chain() as u64;
                }
                match run.way {
                    Ok(door) => door.enter(buffer),
                    Err(error) => refuse(cx, buffer, error),
                }
            },
            |cx, tx, run, packets| {
                if self.counts && run.way.is_ok() {
                    let packets = (packets as u64).saturating_add_signed(run.beyond);
                    // What a sub-interface sends its main interface sends, too.
                    for interface in [Some(tx), views.above(tx)].into_iter().flatten() {
                        cx.state().interfaces.tx.add(interface.0, packets, run.octets);
                    }
                }
            },
        )
    }
}

impl Node for Output {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        if self.counts
            && let Some(tap) = &self.taps.read(cx.token()).tx
        {
            self.tap(cx, &**tap, frame);
        }
        let views = self.views.read(cx.token());
        match views.has_offloads() {
            false => self.run::<false>(cx, frame, views),
            true => self.run::<true>(cx, frame, views),
        }
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace {
            interface: buffer.tx.0,
            flags: buffer.flags().bits(),
            header: Snap::current(buffer),
        }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    interface: u32,
    flags: u32,
    header: Snap,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, cx: &TraceCx<'_>) -> fmt::Result {
        let name = (cx.interface)(SwIfIndex(self.interface));
        writeln!(f, "{name} flags 0x{:08x}", self.flags)?;
        write!(f, "{}", Ethernet(self.header.bytes()))
    }
}
