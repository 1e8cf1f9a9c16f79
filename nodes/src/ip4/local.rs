//! `ip4-local`: packets for this machine.

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::{DpoKind, Family, FibIndex, ForwardingReader},
    frame::Frame,
    graph::{ArcIndex, ArcSpec, ArcStart, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    plugin::Registrar,
    wire::{
        checksum::Sum,
        ip4::{Header, protocol},
        udp,
    },
};

use crate::{
    demux::Demux,
    icmp::Report,
    ip::IpProtocols,
    segments::add_segments,
    trace::{Ip4Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip4-local`.
    pub(crate) enum Next {
        Drop => "error-drop",
        IcmpError => "ip4-icmp-error",
        Reassembly => "ip4-local-full-reassembly",
    }
}

vnet::node_errors! {
    /// Why a packet for this machine ends.
    pub(crate) enum Error {
        Truncated => ("truncated", "ip4 local packet without its headers", Error),
        BadTransportChecksum => ("bad-l4-checksum", "bad tcp or udp checksum", Error),
        UdpLength => ("udp-length", "udp length > ip length", Error),
        SourceUnreachable => ("src-lookup-miss", "ip4 source lookup miss", Error, Rpf),
        SourceIsOurs => ("spoofed-local-packets", "ip4 source address is one of ours", Error),
        UnknownProtocol => ("unknown-protocol", "unknown ip protocol", Error, ForUs),
    }
}

/// The node.
pub(crate) struct Local {
    reader: ForwardingReader,
    arc: ArcIndex,
    receivers: Receivers,
}

/// Registers `ip4-local` and its arc.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) {
    let reader = r.forwarding();
    let receivers = Receivers(protocols.of(Family::Ip4).clone());
    let behind = receivers.clone();
    r.node(NodeSpec::internal("ip4-local", move |at| Local {
        reader: reader.clone(),
        arc: at.arc("ip4-local"),
        receivers: receivers.clone(),
    }));
    let end = NodeSpec::internal("ip4-local-end-of-arc", move |_| End(behind.clone()));
    r.node(end.sibling_of("ip4-local"));
    r.arc(ArcSpec::new("ip4-local", &["ip4-local"], "ip4-local-end-of-arc"));
}

/// What a packet is fit for that may be received.
enum Fit {
    Whole,
    /// It is to be put together with others first.
    Fragment,
}

impl Local {
    fn check(&self, cx: &NodeCx<'_, Next, Error>, buffer: &mut Buffer) -> Result<Fit, Error> {
        let ip = *buffer.view::<Header>().ok_or(Error::Truncated)?;
        if ip.is_fragment() {
            return Ok(Fit::Fragment);
        }
        self.check_whole(cx, buffer, ip).map(|()| Fit::Whole)
    }

    fn check_whole(
        &self,
        cx: &NodeCx<'_, Next, Error>,
        buffer: &mut Buffer,
        ip: Header,
    ) -> Result<(), Error> {
        let header = ip.header_length();
        buffer.l4_offset = buffer.current_data() + header as i16;
        self.check_source(buffer, &ip)?;
        let payload = usize::from(ip.total_length.get()).saturating_sub(header);
        let length = match ip.protocol {
            protocol::UDP => {
                let bytes = buffer.current().get(header..).ok_or(Error::Truncated)?;
                let udp = bytes.first_chunk::<8>().ok_or(Error::Truncated)?;
                let (length, sum) = (be16(udp, 4), be16(udp, 6));
                if length > payload || length < size_of::<udp::Header>() {
                    return Err(Error::UdpLength);
                }
                if sum == 0 {
                    return Ok(());
                }
                length
            }
            protocol::TCP => payload,
            _ => return Ok(()),
        };
        if buffer.offload().is_some() {
            // Its sender leaves the checksum to whoever puts it on a wire.
            return Ok(());
        }
        let pseudo = u16::try_from(length).unwrap_or(u16::MAX);
        let seed = Sum::EMPTY.pseudo4(ip.source, ip.destination, ip.protocol, pseudo);
        let intact = add_segments(cx, buffer, header, length, seed).is_some_and(Sum::is_intact);
        buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED);
        if !intact {
            return Err(Error::BadTransportChecksum);
        }
        buffer.set_flags(BufferFlags::L4_CHECKSUM_CORRECT);
        Ok(())
    }

    /// The source must be reachable, and must not be one of our own addresses.
    fn check_source(&self, buffer: &Buffer, ip: &Header) -> Result<(), Error> {
        if buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED) {
            return Ok(());
        }
        let fib: FibIndex = self.reader.fib_of(buffer.rx, Family::Ip4);
        let table = self.reader.ip4_table(fib).ok_or(Error::SourceUnreachable)?;
        let route = table.lookup_one(u32::from_be_bytes(ip.source));
        match self.reader.load_balance(route).kind() {
            DpoKind::Drop => Err(Error::SourceUnreachable),
            DpoKind::Local => Err(Error::SourceIsOurs),
            _ => Ok(()),
        }
    }
}

fn be16(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]])))
}

impl Node for Local {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let next = match self.check(cx, buffer) {
                Ok(Fit::Fragment) => Next::Reassembly.into(),
                Ok(Fit::Whole) => match cx.arc_start(self.arc, buffer.rx) {
                    ArcStart::NO_FEATURE => self.receivers.of(cx, buffer),
                    start => cx.enter(start, buffer, Next::Drop),
                },
                Err(error) => {
                    cx.error(buffer, error);
                    Next::Drop.into()
                }
            };
            cx.set_next(i, next);
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}

/// Where checked packets go.
#[derive(Clone)]
struct Receivers(Demux);

impl Receivers {
    fn of(&self, cx: &PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let protocol = buffer.view::<Header>().map(|ip| ip.protocol);
        protocol.and_then(|protocol| self.0.slot(cx.token(), protocol)).unwrap_or_else(|| {
            cx.error(buffer, Error::UnknownProtocol);
            Report::PROTOCOL4.note(buffer);
            Next::IcmpError.into()
        })
    }
}

/// `ip4-local-end-of-arc`: behind the features.
struct End(Receivers);

impl Node for End {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each(frame, |cx, buffer| self.0.of(cx, buffer))
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}
