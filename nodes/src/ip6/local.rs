//! `ip6-local`: packets for this machine.

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{ArcIndex, ArcSpec, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    wire::{
        checksum::Sum,
        ip4::protocol,
        ip6::{Header, upper_layer},
    },
};

use crate::{
    segments::add_segments,
    trace::{Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip6-local`.
    pub(crate) enum Next {
        Drop => "error-drop",
        Punt => "ip6-punt",
        Udp => "ip6-udp-lookup",
    }
}

vnet::node_errors! {
    /// Why a packet for this machine ends.
    pub(crate) enum Error {
        Truncated => ("truncated", "ip6 local packet without its headers", Error),
        BadTransportChecksum => ("bad-l4-checksum", "bad udp checksum", Error),
        UnknownProtocol => ("unknown-protocol", "unknown ip protocol", Error, ForUs),
    }
}

/// The node.
pub(crate) struct Local {
    arc: ArcIndex,
}

/// Registers `ip6-local` and its arc.
pub(crate) fn register(r: &mut Registrar) {
    r.node(NodeSpec::internal("ip6-local", |at| Local { arc: at.arc("ip6-local") }));
    r.arc(ArcSpec::new("ip6-local", &["ip6-local"], "ip6-udp-lookup"));
}

/// Whether the packet is UDP with a correct checksum, which IPv6 does not let it leave out (RFC 8200, section 8.1).
fn check(cx: &NodeCx<'_, Next, Error>, buffer: &mut Buffer) -> Result<(), (Error, Next)> {
    let truncated = (Error::Truncated, Next::Drop);
    let ip = *buffer.view::<Header>().ok_or(truncated)?;
    let payload = buffer.current().get(size_of::<Header>()..).ok_or(truncated)?;
    let upper = upper_layer(ip.next_header, payload);
    let at = upper.offset.ok_or(truncated)?;
    if upper.protocol != protocol::UDP {
        return Err((Error::UnknownProtocol, Next::Punt));
    }
    let length = usize::from(ip.payload_length.get()).checked_sub(at).ok_or(truncated)?;
    let skip = size_of::<Header>() + at;
    buffer.l4_offset = buffer.current_data() + skip as i16;
    if buffer.offload().is_some() {
        // Its sender leaves the checksum to whoever puts it on a wire.
        return Ok(());
    }
    let seed = Sum::EMPTY.pseudo6(ip.source, ip.destination, upper.protocol, length as u32);
    let intact = add_segments(cx, buffer, skip, length, seed).is_some_and(Sum::is_intact);
    buffer.set_flags(BufferFlags::L4_CHECKSUM_COMPUTED);
    if !intact {
        return Err((Error::BadTransportChecksum, Next::Drop));
    }
    buffer.set_flags(BufferFlags::L4_CHECKSUM_CORRECT);
    Ok(())
}

impl Node for Local {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let next = match check(cx, buffer) {
                Ok(()) => cx.start_arc(self.arc, buffer.rx, buffer, Next::Udp),
                Err((error, next)) => {
                    cx.error(buffer, error);
                    next.into()
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
