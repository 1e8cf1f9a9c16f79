//! What the meter is told of a packet beyond its octets.

use std::net::IpAddr;

use vnet::{
    buffer::Buffer,
    flow::{Direction, Observed, Start},
    interface::SwIfIndex,
    ipfix::sessions::{self, OwnSession},
    wire::{
        link::LinkType,
        tunnel::{self, Inner, Kind},
        walk::{self, Ip, Transport},
    },
};

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets as they came, large ones as one.
    pub buffers: u64,
    /// Octets on the wire of packets that came from live interfaces, and of those that were looked into.
    pub octets: u64,
    /// Packets that were measured by what is in them, by the kind of their outermost tunnel.
    tunnels: [u64; Kind::ALL.len()],
}

impl Seen {
    /// Packets that were measured by what is in them, whose outermost tunnel is of a kind.
    #[must_use]
    pub fn tunnelled(&self, kind: Kind) -> u64 {
        self.tunnels[kind as usize]
    }
}

impl core::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.buffers += other.buffers;
        self.octets += other.octets;
        self.tunnels.iter_mut().zip(other.tunnels).for_each(|(sum, more)| *sum += more);
    }
}

/// How a thread looks at packets.
pub(super) struct Look {
    inner: bool,
    live: bool,
    /// By which this process exports, as of `version`.
    own: Vec<OwnSession>,
    version: u64,
    /// By interface: the numbers that records have; none where they are the same.
    numbers: Vec<SwIfIndex>,
    pub(super) seen: Seen,
}

impl Look {
    pub(super) fn new(inner: bool, live: bool) -> Self {
        let (own, numbers) = (Vec::new(), Vec::new());
        Self { inner, live, own, version: 0, numbers, seen: Seen::default() }
    }

    /// A frame of so many packets comes.
    #[inline]
    pub(super) fn begin(&mut self, packets: usize) {
        self.seen.buffers += packets as u64;
        if self.live && self.version != sessions::version() {
            self.version = sessions::version();
            self.own = sessions::all();
        }
    }

    /// Whether packets are shown as they are.
    #[inline]
    pub(super) const fn is_plain(&self) -> bool {
        !self.inner && !self.live
    }

    /// Whether there may be large packets.
    #[inline]
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    pub(super) fn set_number(&mut self, interface: SwIfIndex, number: SwIfIndex) {
        let known = self.numbers.len() as u32;
        self.numbers.extend((known..=interface.0).map(SwIfIndex));
        if let Some(place) = self.numbers.get_mut(interface.0 as usize) {
            *place = number;
        }
    }

    /// What is told of a packet, of which `observed` is what is told where it is a received one that stands for itself.
    #[inline]
    pub(super) fn at<'b>(
        &mut self,
        buffer: &'b Buffer,
        mut observed: Observed<'b>,
    ) -> Observed<'b> {
        let (packets, octets) = on_wire(buffer);
        self.seen.octets += octets;
        if self.live {
            self.turn(buffer, &mut observed);
            observed.is_own_export = self.is_own(&observed);
        }
        if self.inner
            && let Start::Link(link) = observed.start
            && let Some(inner) = tunnel::innermost(observed.bytes, link, observed.wire_length)
        {
            let Inner { bytes, link, wire_length, outermost, .. } = inner;
            observed = Observed { bytes, wire_length, start: Start::Link(link), ..observed };
            observed.is_own_export = observed.is_own_export || self.is_own(&observed);
            self.seen.tunnels[outermost as usize] += packets;
        }
        observed
    }

    /// Which way it goes, by which interface.
    #[inline]
    fn turn(&self, buffer: &Buffer, observed: &mut Observed<'_>) {
        let number = self.numbers.get(buffer.rx.0 as usize).copied().unwrap_or(buffer.rx);
        if buffer.tx == SwIfIndex::NONE {
            observed.rx = number;
        } else {
            observed.rx = SwIfIndex::NONE;
            observed.tx = number;
            observed.direction = Direction::Egress;
        }
    }

    /// Whether it is one of those by which this process exports.
    #[inline]
    fn is_own(&self, observed: &Observed<'_>) -> bool {
        let Start::Link(link) = observed.start else { return false };
        !self.own.is_empty() && self.is_known(observed.bytes, link, observed.wire_length)
    }

    fn is_known(&self, bytes: &[u8], link: LinkType, wire_length: u32) -> bool {
        let Some((transport, ip)) = ends(bytes, link, wire_length) else { return false };
        let Transport { protocol, .. } = transport;
        let (source, destination) = (transport.source_port(), transport.destination_port());
        self.own.iter().any(|own| {
            own.has_ports(protocol, source, destination) && {
                let (from, to) = addresses(&ip);
                own.has(protocol, (from, source), (to, destination))
            }
        })
    }
}

/// How many packets one stands for, and their octets.
#[inline]
fn on_wire(buffer: &Buffer) -> (u64, u64) {
    let length = buffer.wire_length as usize;
    match (buffer.gso_headers(), buffer.offload()) {
        (Some(headers), Some(offload)) if length > headers => {
            let packets = (length - headers).div_ceil(usize::from(offload.gso_size));
            (packets as u64, (length + (packets - 1) * headers) as u64)
        }
        _ => (1, length as u64),
    }
}

#[inline]
fn ends(bytes: &[u8], link: LinkType, wire_length: u32) -> Option<(Transport, Ip<'_>)> {
    if link == LinkType::Ethernet
        && let Some(found) = walk::common_link(bytes)
        && let Some((header, transport)) = bytes.get(found.payload..).and_then(walk::common4)
    {
        return Some((transport, Ip::V4(header, transport)));
    }
    let link = walk::link(bytes, link).ok()?;
    let (version, offset) = walk::network(bytes, &link).ok()?;
    let wire_length = wire_length.saturating_sub(offset as u32);
    let ip = walk::ip(version, bytes.get(offset..)?, wire_length).ok()?;
    let (Ip::V4(_, transport) | Ip::V6(_, transport)) = ip;
    Some((transport, ip))
}

fn addresses(ip: &Ip<'_>) -> (IpAddr, IpAddr) {
    match ip {
        Ip::V4(header, _) => (header.source.into(), header.destination.into()),
        Ip::V6(header, _) => (header.source.into(), header.destination.into()),
    }
}
