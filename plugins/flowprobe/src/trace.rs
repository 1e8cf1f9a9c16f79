//! What a traced packet leaves at an observation point.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use vnet::{
    buffer::Buffer,
    flow::{Direction, Start},
    trace::{TraceCx, TraceRecord},
    wire::{
        ethernet::{EtherType, MacAddress},
        link::LinkType,
        walk::{self, Ip, Version},
    },
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    site::{Site, View},
    variant::Variant,
};

/// What is recorded: what the meter sees of the packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    /// Nanoseconds since 1970.
    time: u64,
    rx: u32,
    tx: u32,
    /// Octets of the packet.
    size: u32,
    ports: u32,
    source: [u8; 16],
    destination: [u8; 16],
    source_mac: [u8; 6],
    destination_mac: [u8; 6],
    ethertype: u16,
    /// One of [`Variant`].
    variant: u8,
    /// 4, 6, or 0 for what is not IP.
    version: u8,
    protocol: u8,
    pad: [u8; 7],
}

impl Trace {
    pub(crate) fn new<S: Site>(variant: Variant, buffer: &Buffer) -> Self {
        let view = S::view(buffer, true);
        let tx = match S::DIRECTION {
            Direction::Ingress => u32::MAX,
            Direction::Egress => buffer.tx.0,
        };
        let mut trace = Self {
            time: buffer.time.0,
            rx: buffer.rx.0,
            tx,
            size: view.length,
            ports: 0,
            source: [0; 16],
            destination: [0; 16],
            source_mac: [0; 6],
            destination_mac: [0; 6],
            ethertype: 0,
            variant: variant as u8,
            version: 0,
            protocol: 0,
            pad: [0; 7],
        };
        trace.fill(&view);
        trace
    }

    /// Headers that cannot be read stay zero.
    fn fill(&mut self, view: &View<'_>) {
        let offset = match view.start {
            Start::Network(offset) => {
                let before = view.bytes.get(..usize::from(offset)).unwrap_or_default();
                if let Ok(link) = walk::link(before, LinkType::Ethernet) {
                    self.fill_link(&link);
                }
                usize::from(offset)
            }
            Start::Link(link_type) => {
                let Ok(link) = walk::link(view.bytes, link_type) else { return };
                self.fill_link(&link);
                let Ok((_, offset)) = walk::network(view.bytes, &link) else { return };
                offset
            }
        };
        let Some(bytes) = view.bytes.get(offset..) else { return };
        let version = match bytes.first().map(|first| first >> 4) {
            Some(4) => Version::V4,
            Some(6) => Version::V6,
            _ => return,
        };
        let transport = match walk::ip(version, bytes, view.length - offset as u32) {
            Ok(Ip::V4(header, transport)) => {
                self.version = 4;
                self.source[..4].copy_from_slice(&header.source);
                self.destination[..4].copy_from_slice(&header.destination);
                transport
            }
            Ok(Ip::V6(header, transport)) => {
                self.version = 6;
                self.source = header.source;
                self.destination = header.destination;
                transport
            }
            Err(_) => return,
        };
        self.ports = transport.ports;
        self.protocol = transport.protocol;
    }

    fn fill_link(&mut self, link: &walk::Link) {
        self.source_mac = link.source.address().0;
        self.destination_mac = link.destination.address().0;
        self.ethertype = link.ethertype.0;
    }

    fn kind(&self) -> &'static str {
        match (self.variant, self.version) {
            (v, _) if v == Variant::Ip4 as u8 => "IP4",
            (v, _) if v == Variant::Ip6 as u8 => "IP6",
            (_, 4) => "L2-IP4",
            (_, 6) => "L2-IP6",
            _ => "L2",
        }
    }
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { rx, tx, time, size, .. } = *self;
        let (seconds, nanoseconds) = (time / 1_000_000_000, time % 1_000_000_000);
        // Interfaces as signed numbers: none is -1.
        let (rx, tx) = (rx.cast_signed(), tx.cast_signed());
        writeln!(
            f,
            "FLOWPROBE[{}]: rx_sw_if_index {rx}, tx_sw_if_index {tx}, \
             timestamp {seconds}.{nanoseconds:09}, size {size}",
            self.kind(),
        )?;
        let (from, to) = ((self.ports >> 16) as u16, self.ports as u16);
        let protocol = self.protocol;
        match self.version {
            4 => {
                let [s, d] = [self.source, self.destination]
                    .map(|[a, b, c, d, ..]| Ipv4Addr::new(a, b, c, d));
                write!(f, "{protocol}: {s}:{from} -> {d}:{to}")
            }
            6 => {
                let (s, d) = (Ipv6Addr::from(self.source), Ipv6Addr::from(self.destination));
                write!(f, "{protocol}: [{s}]:{from} -> [{d}]:{to}")
            }
            _ => {
                let (s, d) = (MacAddress(self.source_mac), MacAddress(self.destination_mac));
                write!(f, "0x{:04x}: {s} -> {d}", EtherType(self.ethertype).0)
            }
        }
    }
}
