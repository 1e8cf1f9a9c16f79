//! `ip6-hop-by-hop`: options that every hop looks at (RFC 8200, section 4.3).

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{ArcIndex, Node, NodeCx, NodeSpec, Verdict},
    wire::{ip4::protocol, ip6::Header},
};

use super::{
    extensions::{Fault, options},
    input::is_multicast,
};
use crate::{
    ip::ArcStarts,
    trace::{Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip6-hop-by-hop`.
    pub(crate) enum Next {
        Drop => "ip6-drop",
        Lookup => "ip6-lookup",
        IcmpError => "ip6-icmp-error",
    }
}

vnet::node_errors! {
    /// Why packets end here.
    pub(crate) enum Error {
        Malformed => ("bad-option", "ip6 hop-by-hop option contradicts itself", Error),
        TooMany => ("too-many-options", "ip6 packet with too many hop-by-hop options", Error),
        Unknown => ("unknown-option", "ip6 hop-by-hop option that nobody knows", Error),
    }
}

/// The node.
pub(super) struct HopByHop {
    unicast: ArcIndex,
    multicast: ArcIndex,
}

impl HopByHop {
    pub(super) fn spec() -> NodeSpec {
        NodeSpec::internal("ip6-hop-by-hop", |at| Self {
            unicast: at.arc("ip6-unicast"),
            multicast: at.arc("ip6-multicast"),
        })
    }
}

impl Node for HopByHop {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each(frame, |cx, buffer| {
            let to_group = is_multicast(buffer);
            let at = size_of::<Header>();
            let (error, report) =
                match options(buffer.current(), at, protocol::HOP_BY_HOP, to_group) {
                    Ok(_) => {
                        let starts = [self.unicast, self.multicast];
                        return ArcStarts::new(cx, starts, buffer.rx, Next::Lookup)
                            .enter(buffer, is_multicast);
                    }
                    Err(Fault::TooMany) => (Error::TooMany, None),
                    Err(Fault::Option(report)) => (Error::Unknown, report),
                    Err(_) => (Error::Malformed, None),
                };
            cx.error(buffer, error);
            match report {
                Some(report) => {
                    report.note(buffer);
                    Next::IcmpError.into()
                }
                None => Next::Drop.into(),
            }
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}
