//! `ip6-input`: is this a packet that may be forwarded?

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{ArcIndex, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    wire::{ip4::protocol, ip6::Header},
};

use super::Error;
use crate::{
    ip::ArcStarts,
    trace::{Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip6-input`.
    pub(crate) enum Next {
        Drop => "error-drop",
        Lookup => "ip6-lookup",
        HopByHop => "ip6-hop-by-hop",
    }
}

/// The node.
pub(crate) struct Input {
    unicast: ArcIndex,
    multicast: ArcIndex,
}

impl Input {
    pub(crate) fn spec() -> NodeSpec {
        NodeSpec::internal("ip6-input", |at| Self {
            unicast: at.arc("ip6-unicast"),
            multicast: at.arc("ip6-multicast"),
        })
    }

    #[inline]
    fn map(
        cx: &PacketCx<'_, Next, Error>,
        starts: ArcStarts<Next>,
        buffer: &mut Buffer,
    ) -> Slot<Next> {
        buffer.l3_offset = buffer.current_data();
        match check(buffer) {
            Ok(protocol::HOP_BY_HOP) => Next::HopByHop.into(),
            Ok(_) => starts.enter(buffer, is_multicast),
            Err(error) => {
                cx.error(buffer, error);
                Next::Drop.into()
            }
        }
    }
}

pub(super) fn is_multicast(buffer: &Buffer) -> bool {
    buffer.view::<Header>().is_some_and(|ip| ip.destination[0] == 0xff)
}

/// What follows the header of a packet that may be forwarded.
///
/// # Errors
/// What is wrong with one that may not.
#[inline]
fn check(buffer: &Buffer) -> Result<u8, Error> {
    let ip = buffer.view::<Header>().ok_or(Error::TooShort)?;
    if ip.version() != 6 {
        return Err(Error::Version);
    }
    let length = size_of::<Header>() + usize::from(ip.payload_length.get());
    if length > buffer.length_in_chain() {
        return Err(Error::BadLength);
    }
    if ip.hop_limit == 0 {
        return Err(Error::TimeExpired);
    }
    Ok(ip.next_header)
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each_run(
            frame,
            |_, buffer| buffer.rx,
            |cx, rx| ArcStarts::new(cx, [self.unicast, self.multicast], rx, Next::Lookup),
            |cx, starts, buffer| Self::map(cx, *starts, buffer),
            |cx, rx, _, packets| cx.state().interfaces.ip6.add(rx.0, packets as u64),
        )
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}
