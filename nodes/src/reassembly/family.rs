//! What of reassembly depends on the version of IP.

use vnet::{
    buffer::Buffer,
    fib::{self, FibIndex},
    graph::{NextSet, Slot},
    wire::{
        checksum,
        fragment::{Fragment, Malformed},
        ip4, ip6,
    },
};
use zerocopy::FromBytes;

use super::datagrams::Key;
use crate::icmp::Report;

/// Where fragments and datagrams go from the nodes of reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Drop,
    /// The sender is told.
    IcmpError,
    /// Back to local delivery, whole.
    Local,
    /// To the thread that has the others of the datagram.
    Handoff(Place),
}

/// Where on the way of packets a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    ShallowInput,
    ShallowOutput,
    FullFeature,
    FullLocal,
}

vnet::next_nodes! {
    /// The ways of IPv4.
    pub(super) enum Next4 {
        Drop => "ip4-drop",
        IcmpError => "ip4-icmp-error",
        Local => "ip4-local",
        ShallowInput => "ip4-sv-reass-feature-hoff",
        ShallowOutput => "ip4-sv-reass-output-feature-hoff",
        FullFeature => "ip4-full-reass-feature-hoff",
        FullLocal => "ip4-local-full-reassembly-handoff",
    }
}

vnet::next_nodes! {
    /// The ways of IPv6.
    pub(super) enum Next6 {
        Drop => "ip6-drop",
        IcmpError => "ip6-icmp-error",
        Local => "ip6-local",
        ShallowInput => "ip6-sv-reass-feature-hoff",
        ShallowOutput => "ip6-sv-reass-output-feature-hoff",
        FullFeature => "ip6-full-reass-feature-hoff",
        FullLocal => "ip6-local-full-reassembly-handoff",
    }
}

/// A version of IP.
pub(super) trait Version: Send + Sized + 'static {
    type Next: NextSet;

    const FAMILY: fib::Family;
    /// Whether a first fragment must have the whole upper-layer header (RFC 7112, section 5).
    const IS_STRICT: bool;

    /// What is told of fragments that contradict themselves: `report` in IPv6.
    fn told(report: Report) -> Option<Report>;

    fn way(way: Way) -> Slot<Self::Next>;

    /// Name of the node in a place, and of the one that hands packets over to that of another thread.
    fn nodes(place: Place) -> (&'static str, &'static str);

    /// Whether a packet is a fragment.
    ///
    /// # Errors
    /// When its headers contradict each other.
    fn fragment(packet: &[u8]) -> Result<Option<Fragment>, Malformed>;

    /// What names the datagram of a fragment.
    fn key(packet: &[u8], fragment: &Fragment, fib: FibIndex) -> Option<Key>;

    /// The congestion notification of a packet, 2 bits.
    fn ecn(packet: &[u8]) -> u8;

    /// Octets of a first fragment that stay in front of the datagram's payload.
    fn kept(fragment: &Fragment) -> usize;

    /// Makes the headers of a first fragment, of which `current` begins with those that stay, those of a datagram with `payload` octets
    /// behind them.
    fn close(buffer: &mut Buffer, fragment: &Fragment, payload: usize, ecn: u8) -> Option<()>;
}

/// IPv4.
pub(super) struct Ip4;

impl Version for Ip4 {
    type Next = Next4;

    const FAMILY: fib::Family = fib::Family::Ip4;
    const IS_STRICT: bool = false;

    fn told(_: Report) -> Option<Report> {
        None
    }

    fn way(way: Way) -> Slot<Next4> {
        match way {
            Way::Drop => Next4::Drop,
            Way::IcmpError => Next4::IcmpError,
            Way::Local => Next4::Local,
            Way::Handoff(Place::ShallowInput) => Next4::ShallowInput,
            Way::Handoff(Place::ShallowOutput) => Next4::ShallowOutput,
            Way::Handoff(Place::FullFeature) => Next4::FullFeature,
            Way::Handoff(Place::FullLocal) => Next4::FullLocal,
        }
        .into()
    }

    fn nodes(place: Place) -> (&'static str, &'static str) {
        match place {
            Place::ShallowInput => ("ip4-sv-reassembly-feature", "ip4-sv-reass-feature-hoff"),
            Place::ShallowOutput => {
                ("ip4-sv-reassembly-output-feature", "ip4-sv-reass-output-feature-hoff")
            }
            Place::FullFeature => ("ip4-full-reassembly-feature", "ip4-full-reass-feature-hoff"),
            Place::FullLocal => ("ip4-local-full-reassembly", "ip4-local-full-reassembly-handoff"),
        }
    }

    #[inline]
    fn fragment(packet: &[u8]) -> Result<Option<Fragment>, Malformed> {
        Fragment::of4(packet)
    }

    fn key(packet: &[u8], fragment: &Fragment, fib: FibIndex) -> Option<Key> {
        let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
        let number = |address| u128::from(u32::from_be_bytes(address));
        Some(Key {
            source: number(ip.source),
            destination: number(ip.destination),
            identification: fragment.identification,
            fib: fib.0,
            protocol: fragment.protocol,
        })
    }

    fn ecn(packet: &[u8]) -> u8 {
        ip4::Header::ref_from_prefix(packet).map_or(0, |(ip, _)| ip.ecn())
    }

    fn kept(fragment: &Fragment) -> usize {
        fragment.header
    }

    fn close(buffer: &mut Buffer, fragment: &Fragment, payload: usize, ecn: u8) -> Option<()> {
        let header = buffer.current_mut().get_mut(..fragment.header)?;
        let (ip, _) = ip4::Header::mut_from_prefix(header).ok()?;
        ip.total_length = u16::try_from(fragment.header + payload).ok()?.into();
        ip.flags_fragment = 0.into();
        ip.tos = ip.tos & !3 | ecn;
        ip.checksum = 0.into();
        let sum = checksum::of(header);
        ip4::Header::mut_from_prefix(header).ok()?.0.checksum = sum.into();
        Some(())
    }
}

/// IPv6.
pub(super) struct Ip6;

impl Version for Ip6 {
    type Next = Next6;

    const FAMILY: fib::Family = fib::Family::Ip6;
    const IS_STRICT: bool = true;

    fn told(report: Report) -> Option<Report> {
        Some(report)
    }

    fn way(way: Way) -> Slot<Next6> {
        match way {
            Way::Drop => Next6::Drop,
            Way::IcmpError => Next6::IcmpError,
            Way::Local => Next6::Local,
            Way::Handoff(Place::ShallowInput) => Next6::ShallowInput,
            Way::Handoff(Place::ShallowOutput) => Next6::ShallowOutput,
            Way::Handoff(Place::FullFeature) => Next6::FullFeature,
            Way::Handoff(Place::FullLocal) => Next6::FullLocal,
        }
        .into()
    }

    fn nodes(place: Place) -> (&'static str, &'static str) {
        match place {
            Place::ShallowInput => ("ip6-sv-reassembly-feature", "ip6-sv-reass-feature-hoff"),
            Place::ShallowOutput => {
                ("ip6-sv-reassembly-output-feature", "ip6-sv-reass-output-feature-hoff")
            }
            Place::FullFeature => ("ip6-full-reassembly-feature", "ip6-full-reass-feature-hoff"),
            Place::FullLocal => ("ip6-local-full-reassembly", "ip6-local-full-reassembly-handoff"),
        }
    }

    #[inline]
    fn fragment(packet: &[u8]) -> Result<Option<Fragment>, Malformed> {
        Fragment::of6(packet)
    }

    fn key(packet: &[u8], fragment: &Fragment, fib: FibIndex) -> Option<Key> {
        let (ip, _) = ip6::Header::ref_from_prefix(packet).ok()?;
        Some(Key {
            source: u128::from_be_bytes(ip.source),
            destination: u128::from_be_bytes(ip.destination),
            identification: fragment.identification,
            fib: fib.0,
            protocol: 0,
        })
    }

    fn ecn(packet: &[u8]) -> u8 {
        ip6::Header::ref_from_prefix(packet).map_or(0, |(ip, _)| ip.traffic_class() & 3)
    }

    fn kept(fragment: &Fragment) -> usize {
        fragment.header - size_of::<ip6::FragmentHeader>()
    }

    fn close(buffer: &mut Buffer, fragment: &Fragment, payload: usize, ecn: u8) -> Option<()> {
        let extensions = Self::kept(fragment).checked_sub(size_of::<ip6::Header>())?;
        *buffer.current_mut().get_mut(fragment.names_fragment)? = fragment.protocol;
        let ip = buffer.view_mut::<ip6::Header>()?;
        ip.payload_length = u16::try_from(extensions + payload).ok()?.into();
        let rest = ip.version_class_flow.get() & !(3 << 20);
        ip.version_class_flow = (rest | u32::from(ecn) << 20).into();
        Some(())
    }
}
