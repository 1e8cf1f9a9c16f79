//! IPv6: in, looked up, rewritten, received.

mod extensions;
pub(crate) mod frag;
mod hop_by_hop;
mod input;
mod link_local;
mod local;

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::{FibIndex, ForwardingReader, LoadBalanceIndex, Refusal},
    frame::FRAME_SIZE,
    graph::{ArcSpec, FeatureSpec, PacketCx, Slot},
    plugin::Registrar,
    wire::{
        flow_hash::Flow,
        ip6::{Header, upper_layer},
    },
};

use crate::{
    icmp::Report,
    ip::{Decision, Family, Fault, IpProtocols, Lookup, Rewrite, end_specs, not_enabled_spec},
};

vnet::node_errors! {
    /// Why an IPv6 packet ends. All IPv6 nodes count by these reasons, each under its own name.
    pub(crate) enum Error {
        TooShort => ("too-short", "ip6 length < 40 bytes", Error, BadHeaderLength),
        BadLength => ("bad-length", "ip6 length > l2 length", Error, BadTotalLength),
        Version => ("version", "ip6 version != 6", Error),
        TimeExpired => ("time-expired", "ip6 hop limit <= 1", Error, BadTtl),
        MtuExceeded => ("mtu-exceeded", "ip6 MTU exceeded", Error, FragmentationAndDf),
        TableLoop => ("table-loop", "ip6 routes lead in a circle through tables", Error, Unroutable),
        NoHeadroom => ("no-headroom", "ip6 no room for the rewrite", Error),
        BeyondScope => ("beyond-scope", "ip6 link-local source on its way to another link", Error),
    }
}

vnet::next_nodes! {
    /// Where packets go from `ip6-lookup`.
    pub(crate) enum LookupNext {
        Drop => "ip6-drop",
        Punt => "ip6-punt",
        Local => "ip6-local",
        Discover => "ip6-discover-neighbor",
        Glean => "ip6-glean",
        Rewrite => "ip6-rewrite",
        Midchain => "ip6-midchain",
        IcmpError => "ip6-icmp-error",
    }
}

vnet::next_nodes! {
    /// Where packets go from `ip6-rewrite`.
    pub(crate) enum RewriteNext {
        Drop => "error-drop",
        Output => "interface-output",
        IcmpError => "ip6-icmp-error",
        Fragment => "ip6-frag",
    }
}

/// IPv6, for the nodes that both versions share.
pub(crate) struct Ip6;

impl Family for Ip6 {
    type Address = u128;
    type Error = Error;
    type LookupNext = LookupNext;
    type RewriteNext = RewriteNext;

    const FAMILY: vnet::fib::Family = vnet::fib::Family::Ip6;
    const LOOKUP: &'static str = "ip6-lookup";
    const OUTPUT_ARC: &'static str = "ip6-output";
    const MIDCHAIN: &'static str = "ip6-midchain";
    const REWRITE: &'static str = "ip6-rewrite";

    #[inline]
    fn destination(buffer: &Buffer) -> Option<u128> {
        buffer.view::<Header>().map(|ip| u128::from_be_bytes(ip.destination))
    }

    #[inline]
    fn lookup(
        reader: &ForwardingReader,
        fib: FibIndex,
        destinations: &[u128; FRAME_SIZE],
        n: usize,
        routes: &mut [LoadBalanceIndex; FRAME_SIZE],
    ) -> bool {
        let Some(table) = reader.ip6_table(fib) else { return false };
        table.lookup(destinations, n, routes);
        true
    }

    fn lookup_one(
        reader: &ForwardingReader,
        fib: FibIndex,
        destination: u128,
    ) -> Option<LoadBalanceIndex> {
        reader.ip6_table(fib).map(|table| table.lookup_one(destination))
    }

    #[inline]
    fn flow(buffer: &Buffer) -> Flow<'_> {
        let Some(ip) = buffer.view::<Header>() else { return Flow::default() };
        let payload = &buffer.current()[size_of::<Header>()..];
        let upper = upper_layer(ip.next_header, payload);
        Flow {
            source: u128::from_be_bytes(ip.source),
            destination: u128::from_be_bytes(ip.destination),
            protocol: upper.protocol,
            label: ip.version_class_flow.get() & 0xf_ffff,
            behind: upper.offset.and_then(|at| payload.get(at..)).unwrap_or_default(),
        }
    }

    #[inline(always)]
    fn age(buffer: &mut Buffer, max: u32) -> bool {
        let ours = buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED);
        let Some(ip) = buffer.view_mut::<Header>() else { return false };
        if length(ip) > max {
            return false;
        }
        if !ours {
            if ip.hop_limit <= 1 || is_of_link(ip) {
                return false;
            }
            ip.hop_limit -= 1;
        }
        true
    }

    #[cold]
    fn fault(buffer: &Buffer, max: u32) -> Fault {
        match buffer.view::<Header>() {
            None => Fault::Truncated,
            Some(ip) if length(ip) > max => Fault::TooBig,
            Some(ip) if is_of_link(ip) => Fault::BeyondScope,
            Some(_) => Fault::Expired,
        }
    }

    #[inline]
    fn lookup_next(decision: Decision) -> Slot<LookupNext> {
        match decision {
            Decision::Drop => LookupNext::Drop,
            Decision::Refuse => LookupNext::IcmpError,
            Decision::Punt => LookupNext::Punt,
            Decision::Local => LookupNext::Local,
            Decision::Unresolved => LookupNext::Discover,
            Decision::Glean => LookupNext::Glean,
            Decision::Rewrite => LookupNext::Rewrite,
            Decision::Midchain => LookupNext::Midchain,
        }
        .into()
    }

    #[inline]
    fn rewrite_output() -> Slot<RewriteNext> {
        RewriteNext::Output.into()
    }

    fn refusal(why: Refusal) -> Report {
        Report::refused6(why)
    }

    fn end(
        cx: &PacketCx<'_, RewriteNext, Error>,
        buffer: &mut Buffer,
        fault: Fault,
        max: u32,
    ) -> Slot<RewriteNext> {
        if fault == Fault::TooBig && frag::may_be_cut(buffer) {
            frag::note(buffer, max);
            return RewriteNext::Fragment.into();
        }
        cx.error(buffer, Self::error(fault));
        match fault {
            Fault::Expired => Report::EXPIRED6.note(buffer),
            Fault::BeyondScope => Report::BEYOND_SCOPE6.note(buffer),
            Fault::TooBig => Report::too_big6(max).note(buffer),
            _ => return RewriteNext::Drop.into(),
        }
        RewriteNext::IcmpError.into()
    }

    fn error(fault: Fault) -> Error {
        match fault {
            Fault::Truncated => Error::TooShort,
            Fault::TableLoop => Error::TableLoop,
            Fault::Expired => Error::TimeExpired,
            Fault::TooBig => Error::MtuExceeded,
            Fault::NoHeadroom => Error::NoHeadroom,
            Fault::BeyondScope => Error::BeyondScope,
        }
    }
}

/// Whether a packet is from a link-local address, which no router takes to another link (RFC 4291, section 2.5.6).
#[inline(always)]
fn is_of_link(ip: &Header) -> bool {
    let [first, second, ..] = ip.source;
    u16::from_ne_bytes([first, second]) & 0xffc0_u16.to_be() == 0xfe80_u16.to_be()
}

/// Bytes of a packet, its header included.
#[inline(always)]
fn length(ip: &Header) -> u32 {
    size_of::<Header>() as u32 + u32::from(ip.payload_length.get())
}

/// Registers the nodes, arcs and features of IPv6.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) {
    r.node(input::Input::spec());
    r.node(Lookup::<Ip6>::spec(r.forwarding()));
    Rewrite::<Ip6>::specs(&r.forwarding()).into_iter().for_each(|spec| r.node(spec));
    r.node(frag::spec());
    r.node(hop_by_hop::HopByHop::spec());
    for spec in end_specs("ip6") {
        r.node(spec);
    }
    r.node(not_enabled_spec("ip6"));
    local::register(r, protocols);
    link_local::register(r);
    let inputs = ["ip6-input", "ip6-hop-by-hop"];
    r.arc(ArcSpec::new("ip6-unicast", &inputs, "ip6-lookup"));
    r.arc(ArcSpec::new("ip6-multicast", &inputs, "ip6-lookup"));
    r.arc(ArcSpec::new("ip6-output", &["ip6-rewrite", "ip6-midchain"], "interface-output"));
    r.arc(ArcSpec::new("ip6-drop", &["ip6-drop", "ip6-not-enabled"], "error-drop"));
    r.arc(ArcSpec::new("ip6-punt", &["ip6-punt"], "error-punt"));
    for arc in ["ip6-unicast", "ip6-multicast"] {
        r.feature(FeatureSpec::new(arc, "ip6-not-enabled").before("ip6-lookup"));
    }
}
