//! `ip4-udp-punt`, `ip4-proto-punt` and those of IPv6: packets for this machine on their way to be punted.

use vnet::{
    buffer::Buffer,
    fib::Family,
    graph::{Map, NodeSpec, PacketCx, Slot},
    trace::NoTrace,
};

vnet::next_nodes! {
    /// Where packets go from here.
    enum Next {
        Drop => "error-drop",
        Punt4 => "ip4-punt",
        Punt6 => "ip6-punt",
    }
}

vnet::node_errors! {
    /// Why packets are punted, as `error-punt` counts them.
    enum Error named by text {
        UdpPort => ("udp-port", "udp port punt", Info),
        Protocol => ("protocol", "ip protocol punt", Info),
        Truncated => ("truncated", "punted packet without its ip header", Error),
    }
}

/// The nodes of a family: that of UDP, and that of other protocols.
pub(super) const fn names(family: Family) -> [&'static str; 2] {
    match family {
        Family::Ip4 => ["ip4-udp-punt", "ip4-proto-punt"],
        Family::Ip6 => ["ip6-udp-punt", "ip6-proto-punt"],
    }
}

/// All of them.
pub(super) fn specs() -> Vec<NodeSpec> {
    let families = [(Family::Ip4, Next::Punt4), (Family::Ip6, Next::Punt6)];
    let of = |(family, next)| {
        let [udp, proto] = names(family);
        [(udp, Error::UdpPort), (proto, Error::Protocol)]
            .map(|(name, error)| NodeSpec::map(name, move |_| Punted { error, next }))
    };
    families.into_iter().flat_map(of).collect()
}

struct Punted {
    error: Error,
    next: Next,
}

impl Map for Punted {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        // Whoever takes it sees the packet that came in.
        if !buffer.rewind_to(buffer.l3_offset) {
            cx.error(buffer, Error::Truncated);
            return Next::Drop.into();
        }
        cx.error(buffer, self.error);
        self.next.into()
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
