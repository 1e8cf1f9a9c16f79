//! `vxlan4-input` and the like: the outer header off what came by a tunnel.

use vnet::{
    buffer::{Buffer, BufferFlags, Gso},
    fib::{Family, FibIndex, ForwardingReader},
    frame::Frame,
    graph::{ArcDoor, ArcIndex, ArcStart, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::{InterfaceViews, SwIfIndex},
    runtime::Shared,
    tunnel::{Ends, Key, Kind, Payload, Selector, Table, Tunnels, Version},
    wire::{
        checksum::Sum, ethernet::EtherType, geneve, gre, ip4, ip6, link::LinkType, tunnel, udp,
        vxlan,
    },
};
use zerocopy::FromBytes;

use super::{ecn, trace::DecapTrace};
use crate::segments::add_segments;

vnet::next_nodes! {
    /// Where packets go that no feature of `device-input` takes.
    pub(super) enum Next {
        Drop => "error-drop",
        Ethernet => "ethernet-input",
        Ip4 => "ip4-input",
        Ip6 => "ip6-input",
    }
}

vnet::node_errors! {
    /// What is counted, and why packets do not come in by a tunnel.
    pub(super) enum Error named by text {
        Decapsulated => ("decapsulated", "good packets decapsulated", Info),
        NoSuchTunnel => ("no-such-tunnel", "no such tunnel packets", Error),
        BadFlags => ("bad-flags", "packets with bad flags field in the tunnel header", Error),
        Version => ("unsupported-version", "unsupported version", Error),
        Protocol => ("unknown-protocol", "unknown protocol", Error),
        Checksum => ("bad-checksum", "bad checksum in the tunnel header", Error),
        Critical => ("critical-option", "critical option that is not known", Error),
        Control => ("control", "control message", Error),
        Truncated => ("truncated", "shorter than the tunnel header says", Error),
        Down => ("down", "tunnel interface is down", Error),
        Offload => ("offload", "large packet that stands for several tunnel packets", Error),
        Congestion => ("ecn-not-ect", "met congestion, and is not ecn-capable", Error),
    }
}

/// A node, of one kind and family.
struct Input {
    tunnels: Tunnels,
    reader: ForwardingReader,
    views: Shared<InterfaceViews>,
    arc: ArcIndex,
    kind: Kind,
    family: Family,
}

/// All of them.
pub(super) fn specs(
    tunnels: &Tunnels,
    reader: &ForwardingReader,
    views: &Shared<InterfaceViews>,
) -> Vec<NodeSpec> {
    let kinds = [Kind::Vxlan, Kind::Geneve, Kind::Gre, Kind::Ipip];
    let of = |kind| [(kind, Family::Ip4), (kind, Family::Ip6)];
    let spec = |(kind, family)| {
        let (tunnels, reader, views) = (tunnels.clone(), reader.clone(), views.clone());
        let [name, _] = super::nodes(kind, family);
        NodeSpec::internal(name, move |at| Input {
            tunnels: tunnels.clone(),
            reader: reader.clone(),
            views: views.clone(),
            arc: at.arc("device-input"),
            kind,
            family,
        })
    };
    kinds.into_iter().flat_map(of).map(spec).collect()
}

/// What the outer IP header says.
struct Outer {
    ends: AnyEnds,
    ecn: u8,
    /// Octets behind the IP header and its extension headers.
    payload: usize,
    protocol: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AnyEnds {
    Ip4(Ends<u32>),
    Ip6(Ends<u128>),
}

/// What the tunnel header says.
struct Found {
    payload: Payload,
    version: Version,
    key: Option<u32>,
    port: u16,
    /// Octets of the header.
    skip: usize,
    /// Octets from the header's first to the end of what it carries.
    length: usize,
}

/// Reads the outer IP header of a packet whose current position is behind it.
#[inline(always)]
fn outer(family: Family, buffer: &Buffer) -> Option<Outer> {
    let bytes = buffer.from_offset(buffer.l3_offset);
    let behind = usize::try_from(buffer.current_data() - buffer.l3_offset).ok()?;
    match family {
        Family::Ip4 => {
            let (ip, _) = ip4::Header::ref_from_prefix(bytes).ok()?;
            let [local, remote] = [ip.destination, ip.source].map(u32::from_ne_bytes);
            Some(Outer {
                ends: AnyEnds::Ip4(Ends { local, remote }),
                ecn: ip.ecn(),
                payload: usize::from(ip.total_length.get()).checked_sub(behind)?,
                protocol: ip.protocol,
            })
        }
        Family::Ip6 => {
            let (ip, payload) = ip6::Header::ref_from_prefix(bytes).ok()?;
            let [local, remote] = [ip.destination, ip.source].map(u128::from_ne_bytes);
            let whole = size_of::<ip6::Header>() + usize::from(ip.payload_length.get());
            Some(Outer {
                ends: AnyEnds::Ip6(Ends { local, remote }),
                ecn: ip.traffic_class() & 3,
                payload: whole.checked_sub(behind)?,
                protocol: ip6::upper_layer(ip.next_header, payload).protocol,
            })
        }
    }
}

/// A UDP header, and `T` behind it.
#[inline(always)]
fn datagram<T>(bytes: &[u8]) -> Result<(&udp::Header, &T), Error>
where
    T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable + zerocopy::Unaligned,
{
    let (udp, rest) = udp::Header::ref_from_prefix(bytes).map_err(|_| Error::Truncated)?;
    let (header, _) = T::ref_from_prefix(rest).map_err(|_| Error::Truncated)?;
    Ok((udp, header))
}

const UDP: usize = size_of::<udp::Header>();

#[inline(always)]
fn in_vxlan(bytes: &[u8]) -> Result<Found, Error> {
    let (udp, header) = datagram::<vxlan::Header>(bytes)?;
    if !header.is_valid() {
        return Err(Error::BadFlags);
    }
    Ok(Found {
        payload: Payload::Ethernet,
        version: Version::Other,
        key: Some(header.vni()),
        port: udp.destination_port.get(),
        skip: UDP + size_of::<vxlan::Header>(),
        length: udp.length.get().into(),
    })
}

fn in_geneve(bytes: &[u8]) -> Result<Found, Error> {
    let (udp, header) = datagram::<geneve::Header>(bytes)?;
    match () {
        () if header.version() != 0 => return Err(Error::Version),
        () if header.flags & geneve::Header::CONTROL != 0 => return Err(Error::Control),
        () if header.flags & geneve::Header::CRITICAL != 0 => return Err(Error::Critical),
        () if header.protocol.get() != gre::BRIDGED => return Err(Error::Protocol),
        () => {}
    }
    Ok(Found {
        payload: Payload::Ethernet,
        version: Version::Other,
        key: Some(header.vni()),
        port: udp.destination_port.get(),
        skip: UDP + header.length(),
        length: udp.length.get().into(),
    })
}

fn in_gre(cx: &PacketCx<'_, Next, Error>, buffer: &Buffer, outer: &Outer) -> Result<Found, Error> {
    let bytes = buffer.current();
    let (header, _) = gre::Header::ref_from_prefix(bytes).map_err(|_| Error::Truncated)?;
    let flags = header.flags.get();
    if header.version() != 0 {
        return Err(Error::Version);
    }
    if flags & gre::Header::UNKNOWN != 0 {
        return Err(Error::BadFlags);
    }
    let (payload, version) = match EtherType(header.protocol.get()) {
        EtherType::IP4 => (Payload::Ip, Version::V4),
        EtherType::IP6 => (Payload::Ip, Version::V6),
        EtherType(gre::BRIDGED) => (Payload::Ethernet, Version::Other),
        _ => return Err(Error::Protocol),
    };
    let key = match header.key_offset() {
        None => None,
        Some(at) => {
            let octets = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
            Some(u32::from_be_bytes(*octets.ok_or(Error::Truncated)?))
        }
    };
    if flags & gre::Header::CHECKSUM != 0 {
        let sum = add_segments(cx, buffer, 0, outer.payload, Sum::EMPTY).ok_or(Error::Truncated)?;
        if !sum.is_intact() {
            return Err(Error::Checksum);
        }
    }
    Ok(Found { payload, version, key, port: 0, skip: header.length(), length: outer.payload })
}

fn in_ip(bytes: &[u8], outer: &Outer) -> Result<Found, Error> {
    let version = match (outer.protocol, bytes.first().map(|first| first >> 4)) {
        (tunnel::IP4_IN_IP, Some(4)) => Version::V4,
        (tunnel::IP6_IN_IP, Some(6)) => Version::V6,
        (_, None) => return Err(Error::Truncated),
        _ => return Err(Error::Protocol),
    };
    Ok(Found { payload: Payload::Ip, version, key: None, port: 0, skip: 0, length: outer.payload })
}

/// What is found once for all packets in a row that came by the same tunnel.
struct Run {
    of: Option<(AnyEnds, Selector)>,
    interface: Option<SwIfIndex>,
    payload: Payload,
    /// Through the features of `device-input`, or to `ethernet-input`.
    door: ArcDoor<Next>,
    has_features: bool,
    up: bool,
    packets: u64,
    octets: u64,
}

impl Run {
    fn flush(&mut self, cx: &mut PacketCx<'_, Next, Error>) {
        if let Some(interface) = self.interface
            && self.packets > 0
        {
            cx.state_ref().interfaces.rx.add(interface.0, self.packets, self.octets);
            cx.count(Error::Decapsulated, self.packets);
            (self.packets, self.octets) = (0, 0);
        }
    }
}

impl Input {
    /// Begins a run with the tunnel of `of`.
    fn begin(&self, cx: &PacketCx<'_, Next, Error>, table: &Table, of: (AnyEnds, Selector)) -> Run {
        let (ends, selector) = of;
        let interface = match ends {
            AnyEnds::Ip4(ends) => table.receiver4(&Key { ends, selector }),
            AnyEnds::Ip6(ends) => table.receiver6(&Key { ends, selector }),
        };
        let tunnel = interface.and_then(|interface| table.of(interface));
        let start = interface.map_or(ArcStart::NO_FEATURE, |i| cx.arc_start(self.arc, i));
        let view = interface.and_then(|i| self.views.read(cx.token()).get(i));
        Run {
            of: Some(of),
            interface,
            payload: tunnel.map_or(Payload::Ip, |tunnel| tunnel.payload),
            door: cx.arc_door(start, Next::Ethernet),
            has_features: start != ArcStart::NO_FEATURE,
            up: view.is_some_and(|view| view.up),
            packets: 0,
            octets: 0,
        }
    }

    /// Takes the outer header off; where the packet goes.
    #[inline(always)]
    fn receive(
        &self,
        cx: &mut PacketCx<'_, Next, Error>,
        table: &Table,
        run: &mut Option<Run>,
        buffer: &mut Buffer,
    ) -> Result<Slot<Next>, Error> {
        if !buffer.rewind_to(buffer.l4_offset) {
            return Err(Error::Truncated);
        }
        let outer = outer(self.family, buffer).ok_or(Error::Truncated)?;
        let found = match self.kind {
            Kind::Vxlan => in_vxlan(buffer.current()),
            Kind::Geneve => in_geneve(buffer.current()),
            Kind::Gre => in_gre(cx, buffer, &outer),
            Kind::Ipip => in_ip(buffer.current(), &outer),
        }?;
        let fib: FibIndex = self.reader.fib_of(buffer.rx, self.family);
        let selector = Selector::new(self.kind, found.payload, fib, found.key, found.port);
        let of = (outer.ends, selector);
        let run = match run {
            Some(known) if known.of == Some(of) => known,
            other => {
                if let Some(ended) = other {
                    ended.flush(cx);
                }
                other.insert(self.begin(cx, table, of))
            }
        };
        let interface = run.interface.ok_or(Error::NoSuchTunnel)?;
        let length = found.length.min(outer.payload).checked_sub(found.skip);
        let length = length.ok_or(Error::Truncated)?;
        if !buffer.advance(found.skip) || length > buffer.length_in_chain() {
            return Err(Error::Truncated);
        }
        if !buffer.flags().contains(BufferFlags::NEXT_PRESENT) {
            // What is behind a short frame is padding.
            buffer.truncate(length);
        }
        if buffer.offload().is_some() && !drop_outer_offload(buffer) {
            return Err(Error::Offload);
        }
        if outer.ecn != 0 && !ecn::mark(buffer, run.payload, outer.ecn) {
            return Err(Error::Congestion);
        }
        if !run.up && run.payload == Payload::Ip {
            return Err(Error::Down);
        }
        const OF_OUTER: BufferFlags = BufferFlags::LOCALLY_ORIGINATED
            .union(BufferFlags::L4_CHECKSUM_COMPUTED)
            .union(BufferFlags::L4_CHECKSUM_CORRECT)
            .union(BufferFlags::LAYER4_NOTED)
            .union(BufferFlags::VLAN_1_DEEP)
            .union(BufferFlags::VLAN_2_DEEP);
        buffer.clear_flags(OF_OUTER);
        (buffer.rx, buffer.tx) = (interface, SwIfIndex::NONE);
        let octets = buffer.length_in_chain();
        buffer.wire_length = octets as u32;
        run.packets += 1;
        run.octets += octets as u64;
        if run.payload == Payload::Ethernet {
            buffer.l2_offset = buffer.current_data();
            buffer.link_type = LinkType::Ethernet.number();
            return Ok(run.door.enter(buffer));
        }
        buffer.link_type = LinkType::Raw.number();
        if run.has_features {
            return Ok(run.door.enter(buffer));
        }
        Ok(match (found.version, buffer.current().first().map(|first| first >> 4)) {
            (Version::V4, _) | (Version::Other, Some(4)) => Next::Ip4,
            (Version::V6, _) | (Version::Other, Some(6)) => Next::Ip6,
            _ => return Err(Error::Protocol),
        }
        .into())
    }
}

/// What was still to be done to the outer packet need not be done; what is to be done to the inner one stays. Whether it was one packet.
#[cold]
fn drop_outer_offload(buffer: &mut Buffer) -> bool {
    let Some(offload) = buffer.offload().copied() else { return true };
    if offload.checksum_start >= buffer.current_data() {
        return true;
    }
    buffer.clear_flags(BufferFlags::OFFLOAD);
    offload.gso == Gso::None
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = DecapTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let table = self.tunnels.read(cx.token());
        let mut run = None;
        let verdict =
            cx.each(frame, |cx, buffer| match self.receive(cx, table, &mut run, buffer) {
                Ok(next) => next,
                Err(error) => {
                    cx.error(buffer, error);
                    Next::Drop.into()
                }
            });
        if let Some(run) = &mut run {
            run.flush(cx);
        }
        verdict
    }

    fn trace(&self, buffer: &Buffer) -> DecapTrace {
        let ip = buffer.from_offset(buffer.l3_offset);
        let address = |at: usize, n: usize| {
            let mut octets = [0; 16];
            if let Some(bytes) = ip.get(at..at + n) {
                octets[16 - n..].copy_from_slice(bytes);
            }
            octets
        };
        let ip6 = self.family == Family::Ip6;
        let (source, destination) = match ip6 {
            false => (address(12, 4), address(16, 4)),
            true => (address(8, 16), address(24, 16)),
        };
        let at = if ip6 { 4 } else { 2 };
        let length = ip.get(at..at + 2).map_or(0, |b| u32::from(b[0]) << 8 | u32::from(b[1]));
        let behind = buffer.from_offset(buffer.l4_offset).get(UDP..).unwrap_or_default();
        // VXLAN has it at the same place.
        let vni = geneve::Header::ref_from_prefix(behind).map_or(0, |(header, _)| header.vni());
        DecapTrace {
            kind: self.kind as u32,
            interface: buffer.rx.0,
            vni,
            length,
            source,
            destination,
            ip6: ip6.into(),
            passed: (buffer.error == vnet::counter::ErrorIndex::NONE).into(),
        }
    }
}
