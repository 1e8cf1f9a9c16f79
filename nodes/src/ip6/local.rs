//! `ip6-local`: packets for this machine.

use std::net::Ipv6Addr;

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::{DpoKind, Family, FibIndex, ForwardingReader},
    frame::Frame,
    graph::{ArcIndex, ArcSpec, ArcStart, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    plugin::Registrar,
    wire::{checksum::Sum, fragment::Fragment, ip4::protocol, ip6::Header, udp},
};

use zerocopy::FromBytes;

use super::{
    extensions::{self, Fault},
    link_local::is_for_link,
};
use crate::{
    demux::Demux,
    icmp::Report,
    ip::IpProtocols,
    segments::add_segments,
    trace::{Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip6-local`.
    pub(crate) enum Next {
        Drop => "error-drop",
        IcmpError => "ip6-icmp-error",
        Reassembly => "ip6-local-full-reassembly",
        LinkLocal => "ip6-link-local",
    }
}

vnet::node_errors! {
    /// Why a packet for this machine ends.
    pub(crate) enum Error {
        Truncated => ("truncated", "ip6 local packet without its headers", Error),
        BadTransportChecksum => ("bad-l4-checksum", "bad tcp or udp checksum", Error),
        UdpLength => ("udp-length", "udp length > ip length", Error),
        SourceUnreachable => ("src-lookup-miss", "ip6 source lookup miss", Error, Rpf),
        SourceIsOurs => ("spoofed-local-packets", "ip6 source address is one of ours", Error),
        BadIcmpChecksum => ("bad-icmp-checksum", "bad icmp checksum", Error),
        TooManyHeaders => ("too-many-headers", "ip6 packet with too many extension headers or options", Error),
        UnknownOption => ("unknown-option", "ip6 destination option that nobody knows", Error),
        Routing => ("routing-header", "ip6 routing header refused", Error),
        Misplaced => ("hop-by-hop-misplaced", "ip6 hop-by-hop options behind another header", Error),
        UnknownProtocol => ("unknown-protocol", "unknown ip protocol", Error, ForUs),
    }
}

/// The node.
pub(crate) struct Local {
    reader: ForwardingReader,
    arc: ArcIndex,
    receivers: Receivers,
}

/// Registers `ip6-local` and its arc.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) {
    let reader = r.forwarding();
    let receivers = Receivers(protocols.of(Family::Ip6).clone());
    let behind = receivers.clone();
    r.node(NodeSpec::internal("ip6-local", move |at| Local {
        reader: reader.clone(),
        arc: at.arc("ip6-local"),
        receivers: receivers.clone(),
    }));
    let end = NodeSpec::internal("ip6-local-end-of-arc", move |_| End(behind.clone()));
    r.node(end.sibling_of("ip6-local"));
    r.arc(ArcSpec::new("ip6-local", &["ip6-local"], "ip6-local-end-of-arc"));
}

/// What a packet is fit for that may be received.
enum Fit {
    Whole,
    /// It is to be put together with others first.
    Fragment,
    /// It is our own, for somebody on a link.
    Elsewhere,
}

/// Why a packet is not received, and what its sender is told.
struct Refusal {
    error: Error,
    report: Option<Report>,
}

impl Refusal {
    fn of(fault: Fault) -> Self {
        let (error, report) = match fault {
            Fault::Truncated => (Error::Truncated, None),
            Fault::TooMany => (Error::TooManyHeaders, None),
            Fault::Option(report) => (Error::UnknownOption, report),
            Fault::Routing(report) => (Error::Routing, Some(report)),
            Fault::Misplaced(report) => (Error::Misplaced, Some(report)),
        };
        Self { error, report }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, report: None }
    }
}

/// Finds the upper layer of a packet, and whether the checksum of one that has it is right: IPv6 lets nobody but tunnels leave it
/// out (RFC 8200, section 8.1).
fn check(
    cx: &NodeCx<'_, Next, Error>,
    reader: &ForwardingReader,
    buffer: &mut Buffer,
) -> Result<Fit, Refusal> {
    let ip = *buffer.view::<Header>().ok_or(Error::Truncated)?;
    if is_for_link(buffer) {
        return Ok(Fit::Elsewhere);
    }
    if matches!(Fragment::of6(buffer.current()), Ok(Some(_))) {
        return Ok(Fit::Fragment);
    }
    let upper = extensions::walk(buffer.current()).map_err(Refusal::of)?;
    let skip = upper.at;
    let length = size_of::<Header>() + usize::from(ip.payload_length.get());
    let payload = length.checked_sub(skip).ok_or(Error::Truncated)?;
    buffer.l4_offset = buffer.current_data() + skip as i16;
    if upper.protocol != protocol::ICMP6 {
        check_source(reader, buffer, &ip)?;
    }
    let (mut length, mut summed) = (payload, true);
    let bad = match upper.protocol {
        protocol::UDP => {
            let bytes = buffer.current().get(skip..).ok_or(Error::Truncated)?;
            let (udp, _) = udp::Header::ref_from_prefix(bytes).map_err(|_| Error::Truncated)?;
            (length, summed) = (udp.length.get().into(), udp.checksum.get() != 0);
            if length > payload || length < size_of::<udp::Header>() {
                return Err(Error::UdpLength.into());
            }
            Error::BadTransportChecksum
        }
        protocol::TCP => Error::BadTransportChecksum,
        protocol::ICMP6 => Error::BadIcmpChecksum,
        _ => return Ok(Fit::Whole),
    };
    if buffer.offload().is_some() {
        // Its sender leaves the checksum to whoever puts it on a wire.
        return Ok(Fit::Whole);
    }
    if !summed {
        // Without a checksum: whoever receives at its port decides (RFC 6936).
        return Ok(Fit::Whole);
    }
    let seed = Sum::EMPTY.pseudo6(ip.source, ip.destination, upper.protocol, length as u32);
    let intact = add_segments(cx, buffer, skip, length, seed).is_some_and(Sum::is_intact);
    buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED);
    if !intact {
        return Err(bad.into());
    }
    buffer.set_flags(BufferFlags::L4_CHECKSUM_CORRECT);
    Ok(Fit::Whole)
}

/// The source must be reachable, and must not be one of our own addresses. Those of a link are looked at by whoever knows of it, and so are
/// those of neighbour discovery, where somebody else may say that he has an address of ours.
fn check_source(reader: &ForwardingReader, buffer: &Buffer, ip: &Header) -> Result<(), Error> {
    let source = Ipv6Addr::from(ip.source);
    let is_of_link = source.is_unicast_link_local() || source.is_unspecified();
    if is_of_link || buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED) {
        return Ok(());
    }
    let fib: FibIndex = reader.fib_of(buffer.rx, Family::Ip6);
    let table = reader.ip6_table(fib).ok_or(Error::SourceUnreachable)?;
    let route = table.lookup_one(u128::from(source));
    match reader.load_balance(route).kind() {
        DpoKind::Drop => Err(Error::SourceUnreachable),
        DpoKind::Local => Err(Error::SourceIsOurs),
        _ => Ok(()),
    }
}

impl Node for Local {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let next = match check(cx, &self.reader, buffer) {
                Ok(Fit::Fragment) => Next::Reassembly.into(),
                Ok(Fit::Elsewhere) => Next::LinkLocal.into(),
                Ok(Fit::Whole) => match cx.arc_start(self.arc, buffer.rx) {
                    ArcStart::NO_FEATURE => self.receivers.of(cx, buffer),
                    start => cx.enter(start, buffer, Next::Drop),
                },
                Err(Refusal { error, report }) => {
                    cx.error(buffer, error);
                    match report {
                        Some(report) => {
                            report.note(buffer);
                            Next::IcmpError.into()
                        }
                        None => Next::Drop.into(),
                    }
                }
            };
            cx.set_next(i, next);
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}

/// Where checked packets go.
#[derive(Clone)]
struct Receivers(Demux);

impl Receivers {
    fn of(&self, cx: &PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let upper = extensions::walk(buffer.current());
        let slot = upper.ok().and_then(|upper| self.0.slot(cx.token(), upper.protocol));
        slot.unwrap_or_else(|| {
            cx.error(buffer, Error::UnknownProtocol);
            let named_at = upper.map_or(0, |upper| upper.named_at);
            Report::next_header6(named_at as u32).note(buffer);
            Next::IcmpError.into()
        })
    }
}

/// `ip6-local-end-of-arc`: behind the features.
struct End(Receivers);

impl Node for End {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each(frame, |cx, buffer| self.0.of(cx, buffer))
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}
