//! An echo request, on its way.

use std::net::IpAddr;

use vnet::{
    buffer::BufferFlags,
    command::{ApiError, OperationError},
    fib::{DpoKind, Family, FibIndex, TableId, is_link_local},
    interface::SwIfIndex,
    runtime::Main,
    wire::{
        checksum,
        icmp::{kind4, kind6},
        ip4::{self, protocol},
        ip6,
    },
};
use zerocopy::IntoBytes;

/// The most octets of data behind the header of a request: all of it lies in one buffer.
pub(super) const MOST: u16 = 1980;

/// Octets of the header of an echo request.
const ECHO: usize = 8;

/// Why no request leaves.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("there is no route to {0}")]
    NoRoute(IpAddr),
    #[error("no address to send from to {0}; say `source <interface>'")]
    NoSource(IpAddr),
    #[error("interface `{0}' has no address to send from to {1}")]
    NotFrom(String, IpAddr),
    #[error("{0} is on every link; say `source <interface>'")]
    NoLink(IpAddr),
    #[error("there is no table {0}")]
    NoTable(u32),
    #[error("there is no buffer for the request")]
    NoBuffer,
}

impl OperationError for ProbeError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoRoute(_) => ApiError::NoSuchEntry,
            Self::NoTable(_) => ApiError::NoSuchFib,
            Self::NoSource(_) | Self::NotFrom(..) | Self::NoLink(_) => ApiError::InvalidValue,
            Self::NoBuffer => ApiError::Unspecified,
        }
    }
}

/// Where probes go, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) destination: IpAddr,
    pub(super) source: IpAddr,
    fib: FibIndex,
    /// Whose link a link-local destination is on.
    link: SwIfIndex,
}

impl Way {
    /// The way to `destination` by table `table`, from an address of `from` or else of the interface by which it leaves.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn find(
        main: &Main,
        destination: IpAddr,
        table: u32,
        from: Option<SwIfIndex>,
    ) -> Result<Self, ProbeError> {
        let family = Family::of(destination);
        let fib = main.forwarding().table(family, TableId(table));
        let fib = fib.map_err(|_| ProbeError::NoTable(table))?;
        let (kind, egress) = main.forwarding().reader().egress(fib, destination);
        if matches!(kind, DpoKind::Drop) {
            return Err(ProbeError::NoRoute(destination));
        }
        if is_link_local(destination) && from.is_none() {
            return Err(ProbeError::NoLink(destination));
        }
        let of = |interface| main.interfaces().source_for(interface, destination);
        let source = match from {
            Some(interface) => of(interface)
                .ok_or_else(|| ProbeError::NotFrom(main.interface_name(interface), destination))?,
            None if kind == DpoKind::Local => destination,
            None => of(egress).ok_or(ProbeError::NoSource(destination))?,
        };
        let link = from.filter(|_| is_link_local(destination)).unwrap_or(SwIfIndex::LOCAL0);
        Ok(Self { destination, source, fib, link })
    }

    /// Sends a request with `size` octets of data.
    ///
    /// # Errors
    /// When there is no buffer for it.
    pub(super) fn send(&self, main: &mut Main, probe: Probe) -> Result<(), ProbeError> {
        let (lookup, header) = match self.destination {
            IpAddr::V4(_) => ("ip4-lookup", size_of::<ip4::Header>()),
            IpAddr::V6(_) => ("ip6-lookup", size_of::<ip6::Header>()),
        };
        let node = main.graph().find(lookup).ok_or(ProbeError::NoRoute(self.destination))?;
        let time = main.clock().wall();
        let mut frame = main.frame_to(node);
        let filled = frame.push(|buffer| {
            buffer.extend(header + ECHO + usize::from(probe.size))?;
            self.write(probe, buffer.current_mut())?;
            buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED);
            buffer.rx = self.link;
            buffer.tx = SwIfIndex(self.fib.0);
            buffer.l4_offset = buffer.current_data() + header as i16;
            buffer.time = time;
            buffer.wire_length = buffer.len() as u32;
            Some(())
        });
        filled.flatten().ok_or(ProbeError::NoBuffer)
    }

    fn write(&self, probe: Probe, packet: &mut [u8]) -> Option<()> {
        let length = packet.len();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (front, body) = packet.split_at_mut_checked(size_of::<ip4::Header>())?;
                probe.fill(body, kind4::ECHO_REQUEST);
                let sum = checksum::of(body);
                body.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
                let mut ip = ip4::Header {
                    version_ihl: ip4::Header::VERSION_IHL,
                    tos: 0,
                    total_length: (length as u16).into(),
                    identification: probe.sequence.into(),
                    // Whoever needs to may cut it, as VPP's.
                    flags_fragment: 0.into(),
                    ttl: probe.ttl,
                    protocol: protocol::ICMP,
                    checksum: 0.into(),
                    source: source.octets(),
                    destination: destination.octets(),
                };
                ip.checksum = checksum::of_ip4_header(&ip).into();
                front.copy_from_slice(ip.as_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (front, body) = packet.split_at_mut_checked(size_of::<ip6::Header>())?;
                probe.fill(body, kind6::ECHO_REQUEST);
                let ip = ip6::Header {
                    version_class_flow: (6 << 28).into(),
                    payload_length: (body.len() as u16).into(),
                    next_header: protocol::ICMP6,
                    hop_limit: probe.ttl,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                let sum = checksum::of_transport6(&ip, protocol::ICMP6, body);
                body.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
                front.copy_from_slice(ip.as_bytes());
            }
            _ => return None,
        }
        Some(())
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) identifier: u16,
    pub(super) sequence: u16,
    pub(super) ttl: u8,
    /// Octets of data.
    pub(super) size: u16,
}

impl Probe {
    /// Fills header and data, the checksum left out.
    fn fill(self, body: &mut [u8], kind: u8) {
        let [id, sequence] = [self.identifier, self.sequence].map(u16::to_be_bytes);
        let header = [kind, 0, 0, 0, id[0], id[1], sequence[0], sequence[1]];
        let (front, data) = body.split_at_mut(ECHO);
        front.copy_from_slice(&header);
        data.iter_mut().enumerate().for_each(|(i, octet)| *octet = i as u8);
    }
}
