//! `ip4-rx-urpf-loose`, `ip4-rx-urpf-strict` and those of IPv6.

use std::net::{IpAddr, Ipv6Addr};

use vnet::{
    buffer::Buffer,
    fib::{Family, FibIndex, ForwardingReader},
    graph::{Map, NodeSpec, PacketCx, Slot},
    trace::{TraceCx, TraceRecord},
    wire::{ip4, ip6},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Mode;

vnet::next_nodes! {
    /// Where packets go whose sources are elsewhere.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// Why packets end here.
    pub(crate) enum Error named by text {
        Drop => ("urpf-drop", "uRPF Drop", Error, Rpf),
    }
}

pub(super) fn spec(name: &str, family: Family, mode: Mode, reader: ForwardingReader) -> NodeSpec {
    NodeSpec::map(name, move |_| Urpf { family, mode, reader: reader.clone() })
}

struct Urpf {
    family: Family,
    mode: Mode,
    reader: ForwardingReader,
}

impl Urpf {
    fn source(&self, buffer: &Buffer) -> Option<IpAddr> {
        Some(match self.family {
            Family::Ip4 => buffer.view::<ip4::Header>()?.source.into(),
            Family::Ip6 => buffer.view::<ip6::Header>()?.source.into(),
        })
    }

    fn passes(&self, buffer: &Buffer, config: u32) -> bool {
        let Some(source) = self.source(buffer) else { return false };
        // Every link has those; a node that has no address yet says so (RFC 4862).
        if let IpAddr::V6(source) = source
            && (source.is_unicast_link_local() || source == Ipv6Addr::UNSPECIFIED)
        {
            return true;
        }
        let fib = match config.checked_sub(1) {
            Some(table) => FibIndex(table),
            None => self.reader.fib_of(buffer.rx, self.family),
        };
        let by = (self.mode == Mode::Strict).then_some(buffer.rx);
        self.reader.reaches(fib, source, by)
    }
}

impl Map for Urpf {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let passes = self.passes(buffer, cx.feature_config(buffer));
        if passes {
            return cx.next_feature(buffer);
        }
        cx.error(buffer, Error::Drop);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { rx: buffer.rx.0, fib: self.reader.fib_of(buffer.rx, self.family).0 }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    rx: u32,
    fib: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut core::fmt::Formatter<'_>, _: &TraceCx<'_>) -> core::fmt::Result {
        write!(f, "uRPF: sw_if_index {} fib {}", self.rx, self.fib)
    }
}
