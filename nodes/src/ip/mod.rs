//! What IPv4 and IPv6 forwarding share: lookup, rewrite, and the ends of what cannot be forwarded.
//!
//! Each node is written once over a [`Family`], which knows the header, the table and the names.

mod end;
mod lookup;
mod protocol;
mod rewrite;

use vnet::{
    buffer::Buffer,
    error::ErrorSet,
    fib::{FibIndex, ForwardingReader, LoadBalanceIndex, Refusal},
    frame::FRAME_SIZE,
    graph::{ArcDoor, ArcIndex, ArcStart, NextSet, PacketCx, Slot},
    interface::SwIfIndex,
    wire::flow_hash::Flow,
};

use crate::icmp::Report;

pub(crate) use end::{end_specs, not_enabled_spec};
pub(crate) use lookup::{Lookup, decision};
pub use protocol::IpProtocols;
pub(crate) use rewrite::Rewrite;

/// Where the arcs of unicast and of multicast packets start for those of one interface.
#[derive(Clone, Copy)]
pub(crate) struct ArcStarts<N> {
    unicast: ArcDoor<N>,
    multicast: ArcDoor<N>,
    /// Where packets go when there is no feature on either.
    default: Slot<N>,
    is_any: bool,
}

impl<N: NextSet> ArcStarts<N> {
    pub(crate) fn new<E: ErrorSet>(
        cx: &PacketCx<'_, N, E>,
        [unicast, multicast]: [ArcIndex; 2],
        rx: SwIfIndex,
        default: N,
    ) -> Self {
        let starts = [unicast, multicast].map(|arc| cx.arc_start(arc, rx));
        let [unicast, multicast] = starts.map(|start| cx.arc_door(start, default));
        let is_any = starts.iter().any(|&start| start != ArcStart::NO_FEATURE);
        Self { unicast, multicast, default: default.into(), is_any }
    }

    /// Sends a packet to the first feature of its arc. Where there is none, nobody asks which arc it is.
    #[inline(always)]
    pub(crate) fn enter(
        self,
        buffer: &mut Buffer,
        is_multicast: impl FnOnce(&Buffer) -> bool,
    ) -> Slot<N> {
        match self.is_any {
            false => self.default,
            true if is_multicast(buffer) => self.multicast.enter(buffer),
            true => self.unicast.enter(buffer),
        }
    }
}

/// What a lookup decides about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Drop,
    /// Drop, and tell the sender.
    Refuse,
    Punt,
    Local,
    /// Ask for the next hop's MAC address.
    Unresolved,
    /// Ask for the destination's own MAC address.
    Glean,
    Rewrite,
    /// Into a tunnel.
    Midchain,
}

/// Why the nodes of this module end a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A header that was there at input is not there now.
    Truncated,
    /// The routes lead in a circle through several tables.
    TableLoop,
    /// TTL or hop limit ran out.
    Expired,
    /// Too long for the way out.
    TooBig,
    /// No room to put the rewrite in front.
    NoHeadroom,
    /// From an address that means nothing where it would go.
    BeyondScope,
}

/// An IP version, as the nodes of this module need it.
pub(crate) trait Family: Send + Sized + 'static {
    /// A destination address as the table wants it.
    type Address: Copy + Default + Send;
    /// Where packets go from the lookup.
    type LookupNext: NextSet;
    /// Where packets go from the rewrite.
    type RewriteNext: NextSet;
    /// What all nodes of the family count.
    type Error: ErrorSet;

    const LOOKUP: &'static str;
    const REWRITE: &'static str;
    const MIDCHAIN: &'static str;
    const OUTPUT_ARC: &'static str;
    const FAMILY: vnet::fib::Family;

    fn destination(buffer: &Buffer) -> Option<Self::Address>;

    /// Looks up the first `n` destinations in table `fib`; whether there is such a table.
    fn lookup(
        reader: &ForwardingReader,
        fib: FibIndex,
        destinations: &[Self::Address; FRAME_SIZE],
        n: usize,
        routes: &mut [LoadBalanceIndex; FRAME_SIZE],
    ) -> bool;

    fn lookup_one(
        reader: &ForwardingReader,
        fib: FibIndex,
        destination: Self::Address,
    ) -> Option<LoadBalanceIndex>;

    /// What tells the flow of a packet; nothing where it has no whole header.
    fn flow(buffer: &Buffer) -> Flow<'_>;

    /// Takes one from the TTL or hop limit of a packet that this engine did not make, if the packet is no longer than `max` bytes
    /// and may go on. Whether it may; if not, nothing changes.
    fn age(buffer: &mut Buffer, max: u32) -> bool;

    /// Why [`age`](Self::age) refused a packet.
    fn fault(buffer: &Buffer, max: u32) -> Fault;

    fn lookup_next(decision: Decision) -> Slot<Self::LookupNext>;

    fn rewrite_output() -> Slot<Self::RewriteNext>;

    /// What the sender of a packet is told for which there is no way.
    fn refusal(why: Refusal) -> Report;

    /// Where a packet goes from the rewrite for its fault; nothing longer than `max` bytes could go on. Notes on it what its next node
    /// needs to know.
    fn end(
        cx: &PacketCx<'_, Self::RewriteNext, Self::Error>,
        buffer: &mut Buffer,
        fault: Fault,
        max: u32,
    ) -> Slot<Self::RewriteNext>;

    fn error(fault: Fault) -> Self::Error;
}
