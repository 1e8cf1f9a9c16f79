//! IPv4: in, looked up, rewritten, received.

mod frag;
mod input;
mod local;
mod options;

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::{FibIndex, ForwardingReader, LoadBalanceIndex, Refusal},
    frame::FRAME_SIZE,
    graph::{ArcSpec, FeatureSpec, PacketCx, Slot},
    plugin::Registrar,
    wire::{checksum, flow_hash::Flow, ip4::Header},
};

use crate::{
    icmp::Report,
    ip::{Decision, Family, Fault, IpProtocols, Lookup, Rewrite, end_specs, not_enabled_spec},
};

vnet::node_errors! {
    /// Why an IPv4 packet ends. All IPv4 nodes count by these reasons, each under its own name.
    pub(crate) enum Error {
        TooShort => ("too-short", "ip4 length < 20 bytes", Error, BadHeaderLength),
        BadLength => ("bad-length", "ip4 length > l2 length", Error, BadTotalLength),
        BadChecksum => ("bad-checksum", "bad ip4 checksum", Error, BadHeaderChecksum),
        Version => ("version", "ip4 version != 4", Error),
        FragmentOffsetOne => ("fragment-offset-one", "ip4 fragment offset == 1", Error),
        TimeExpired => ("time-expired", "ip4 ttl <= 1", Error, BadTtl),
        MtuExceeded => ("mtu-exceeded", "ip4 MTU exceeded", Error, FragmentationAndDf),
        TableLoop => ("table-loop", "ip4 routes lead in a circle through tables", Error, Unroutable),
        NoHeadroom => ("no-headroom", "ip4 no room for the rewrite", Error),
    }
}

vnet::next_nodes! {
    /// Where packets go from `ip4-lookup`.
    pub(crate) enum LookupNext {
        Drop => "ip4-drop",
        Punt => "ip4-punt",
        Local => "ip4-local",
        Arp => "ip4-arp",
        Glean => "ip4-glean",
        Rewrite => "ip4-rewrite",
        Midchain => "ip4-midchain",
        IcmpError => "ip4-icmp-error",
    }
}

vnet::next_nodes! {
    /// Where packets go from `ip4-rewrite`.
    pub(crate) enum RewriteNext {
        Drop => "error-drop",
        Output => "interface-output",
        IcmpError => "ip4-icmp-error",
        Fragment => "ip4-frag",
    }
}

/// IPv4, for the nodes that both versions share.
pub(crate) struct Ip4;

impl Family for Ip4 {
    type Address = u32;
    type Error = Error;
    type LookupNext = LookupNext;
    type RewriteNext = RewriteNext;

    const FAMILY: vnet::fib::Family = vnet::fib::Family::Ip4;
    const LOOKUP: &'static str = "ip4-lookup";
    const OUTPUT_ARC: &'static str = "ip4-output";
    const MIDCHAIN: &'static str = "ip4-midchain";
    const REWRITE: &'static str = "ip4-rewrite";

    #[inline]
    fn destination(buffer: &Buffer) -> Option<u32> {
        buffer.view::<Header>().map(|ip| u32::from_be_bytes(ip.destination))
    }

    #[inline]
    fn lookup(
        reader: &ForwardingReader,
        fib: FibIndex,
        destinations: &[u32; FRAME_SIZE],
        n: usize,
        routes: &mut [LoadBalanceIndex; FRAME_SIZE],
    ) -> bool {
        let Some(table) = reader.ip4_table(fib) else { return false };
        table.lookup(destinations, n, routes);
        true
    }

    fn lookup_one(
        reader: &ForwardingReader,
        fib: FibIndex,
        destination: u32,
    ) -> Option<LoadBalanceIndex> {
        reader.ip4_table(fib).map(|table| table.lookup_one(destination))
    }

    #[inline]
    fn flow(buffer: &Buffer) -> Flow<'_> {
        let Some(ip) = buffer.view::<Header>() else { return Flow::default() };
        let behind = buffer.current().get(ip.header_length()..).filter(|_| !ip.is_fragment());
        let address = |a| u128::from(u32::from_be_bytes(a));
        Flow {
            source: address(ip.source),
            destination: address(ip.destination),
            protocol: ip.protocol,
            label: 0,
            behind: behind.unwrap_or_default(),
        }
    }

    #[inline(always)]
    fn age(buffer: &mut Buffer, max: u32) -> bool {
        let ours = buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED);
        let Some(ip) = buffer.view_mut::<Header>() else { return false };
        if u32::from(ip.total_length.get()) > max {
            return false;
        }
        if !ours {
            if ip.ttl <= 1 {
                return false;
            }
            checksum::decrement_ttl(ip);
        }
        true
    }

    #[cold]
    fn fault(buffer: &Buffer, max: u32) -> Fault {
        match buffer.view::<Header>() {
            None => Fault::Truncated,
            Some(ip) if u32::from(ip.total_length.get()) > max => Fault::TooBig,
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
            Decision::Unresolved => LookupNext::Arp,
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
        Report::refused4(why)
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
            Fault::Expired => Report::EXPIRED4.note(buffer),
            Fault::TooBig if !frag::is_allowed(buffer) => Report::too_big4(max).note(buffer),
            _ => return RewriteNext::Drop.into(),
        }
        RewriteNext::IcmpError.into()
    }

    fn error(fault: Fault) -> Error {
        match fault {
            Fault::Truncated => Error::TooShort,
            Fault::TableLoop => Error::TableLoop,
            // IPv4 has no scopes.
            Fault::Expired | Fault::BeyondScope => Error::TimeExpired,
            Fault::TooBig => Error::MtuExceeded,
            Fault::NoHeadroom => Error::NoHeadroom,
        }
    }
}

/// Registers the nodes, arcs and features of IPv4.
pub(crate) fn register(r: &mut Registrar, protocols: &IpProtocols) {
    for spec in input::Input::specs() {
        r.node(spec);
    }
    r.node(Lookup::<Ip4>::spec(r.forwarding()));
    Rewrite::<Ip4>::specs(&r.forwarding()).into_iter().for_each(|spec| r.node(spec));
    r.node(frag::spec());
    r.node(options::Options::spec());
    for spec in end_specs("ip4") {
        r.node(spec);
    }
    r.node(not_enabled_spec("ip4"));
    local::register(r, protocols);
    let inputs = ["ip4-input", "ip4-input-no-checksum", "ip4-options"];
    r.arc(ArcSpec::new("ip4-unicast", &inputs, "ip4-lookup"));
    r.arc(ArcSpec::new("ip4-multicast", &inputs, "ip4-lookup"));
    r.arc(ArcSpec::new("ip4-output", &["ip4-rewrite", "ip4-midchain"], "interface-output"));
    r.arc(ArcSpec::new("ip4-drop", &["ip4-drop", "ip4-not-enabled"], "error-drop"));
    r.arc(ArcSpec::new("ip4-punt", &["ip4-punt"], "error-punt"));
    for arc in ["ip4-unicast", "ip4-multicast"] {
        r.feature(FeatureSpec::new(arc, "ip4-not-enabled").before("ip4-lookup"));
    }
}
