//! What is known of a packet when it is measured, and the reasons for not measuring it.

use super::{Context, Direction, key::Point};
use crate::{
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::{
        ethernet::{EtherType, MacWord},
        link::LinkType,
        walk::{self, Ip, Link, Miss, Version},
    },
};

/// A packet at an observation point. Borrowing and small: made on the fly from a buffer, and gone after.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// What was captured, from the link header on, or from the IP header where there is none. Of a chained buffer the first
    /// segment is enough.
    pub bytes: &'a [u8],
    /// Octets of the frame on the wire from the first of `bytes` on; taken as no less than `bytes` has.
    pub wire_length: u32,
    /// When the packet was seen.
    pub time: PacketTime,
    /// Interface on which it came.
    pub rx: SwIfIndex,
    /// Interface by which it leaves; [`SwIfIndex::NONE`] when unknown.
    pub tx: SwIfIndex,
    /// Seen on receipt or on sending.
    pub direction: Direction,
    /// What `bytes` begins with.
    pub start: Start,
    /// The exporter's own packet, which is not measured.
    pub is_own_export: bool,
    /// What is known of it beyond its octets; looked at where flows are told apart by that.
    pub context: &'a Context,
    /// Source port of the datagram that it came in, or will leave in, where that differs from packet to packet: then it stands in place
    /// of that of the context's [`Outer`](super::Outer). 0 otherwise.
    pub outer_port: u16,
}

impl<'a> Observed<'a> {
    /// A received packet on `rx`, all of it captured, at time 0.
    #[must_use]
    pub const fn new(bytes: &'a [u8], start: Start, rx: SwIfIndex) -> Self {
        Self {
            bytes,
            wire_length: bytes.len() as u32,
            time: PacketTime(0),
            rx,
            tx: SwIfIndex::NONE,
            direction: Direction::Ingress,
            start,
            is_own_export: false,
            context: &Context::NONE,
            outer_port: 0,
        }
    }
}

/// How to find the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By walking headers from the link header on.
    Link(LinkType),
    /// It is at this offset; an Ethernet header with its tags is before it, or, at offset 0, nothing.
    Network(u16),
}

/// Why a packet was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unmeasured {
    /// It carries something else than IP.
    NotIp,
    /// It ends within its link header, a VLAN tag, MPLS labels or a PPPoE header.
    TruncatedLink,
    /// It ends within the fixed IP header.
    TruncatedIp,
    /// The IP version is wrong, or the header length below 20.
    BadIpHeader,
    /// It is IP of a family that is not measured here.
    OtherFamily,
    /// It is one of the exporter's own.
    OwnExport,
    /// It watches a link (BFD), and such are not measured here.
    Bfd,
}

impl Unmeasured {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::NotIp,
        Self::TruncatedLink,
        Self::TruncatedIp,
        Self::BadIpHeader,
        Self::OtherFamily,
        Self::OwnExport,
        Self::Bfd,
    ];

    /// For a summary line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotIp => "not IP",
            Self::TruncatedLink => "truncated link header",
            Self::TruncatedIp => "truncated IP header",
            Self::BadIpHeader => "bad IP version or header length",
            Self::OtherFamily => "other IP family",
            Self::OwnExport => "own export",
            Self::Bfd => "BFD",
        }
    }
}

impl From<Miss> for Unmeasured {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::NotIp => Self::NotIp,
            Miss::TruncatedLink => Self::TruncatedLink,
            Miss::TruncatedIp => Self::TruncatedIp,
            Miss::BadIpHeader => Self::BadIpHeader,
        }
    }
}

impl<'a> Observed<'a> {
    #[inline(always)]
    pub(super) fn point(&self) -> Point<'a> {
        let &Self { rx: ingress, tx: egress, direction, context, outer_port, .. } = self;
        Point { ingress, egress, direction, context, outer_port }
    }

    #[inline(always)]
    pub(super) fn wire(&self) -> u32 {
        self.wire_length.max(self.bytes.len() as u32)
    }

    /// Octets behind the link header that was found, on the wire.
    pub(super) fn octets_behind(&self, link: Result<Link, Miss>) -> u32 {
        let header = match (self.start, link) {
            (Start::Network(offset), _) => offset.into(),
            (Start::Link(_), Ok(link)) => link.payload,
            (Start::Link(_), Err(_)) => return 0,
        };
        self.wire().saturating_sub(header as u32)
    }

    /// Link header and offset of the IP header where both are plain.
    #[inline(always)]
    pub(super) fn common_link(&self) -> Option<Link> {
        match self.start {
            Start::Link(LinkType::Ethernet) => walk::common_link(self.bytes),
            Start::Link(_) => None,
            Start::Network(0) => match self.bytes.first()? >> 4 {
                4 => Some(no_link(EtherType::IP4)),
                6 => Some(no_link(EtherType::IP6)),
                _ => None,
            },
            Start::Network(offset) => {
                walk::common_link(self.bytes).filter(|link| link.payload == usize::from(offset))
            }
        }
    }

    /// What was captured of an IP packet from its `header` on, which is in [`Self::bytes`], and no more than the packet says that it has.
    pub(super) fn ip_bytes<H>(&self, header: &H, octets: u32) -> &'a [u8] {
        let offset = core::ptr::from_ref(header).addr() - self.bytes.as_ptr().addr();
        let bytes = self.bytes.get(offset..).unwrap_or_default();
        bytes.get(..octets as usize).unwrap_or(bytes)
    }

    /// Of that what is behind the header.
    pub(super) fn behind<H>(&self, header: &H, octets: u32) -> &'a [u8] {
        self.ip_bytes(header, octets).get(size_of::<H>()..).unwrap_or_default()
    }

    /// The general walk: the link header when it can be read, and the packet when there is one.
    pub(super) fn walk(&self) -> (Result<Link, Miss>, Result<Ip<'a>, Miss>) {
        let (link, found) = match self.start {
            Start::Link(link_type) => {
                let link = walk::link(self.bytes, link_type);
                (link, link.and_then(|link| walk::network(self.bytes, &link)))
            }
            Start::Network(offset) => {
                let offset = usize::from(offset);
                let found = self.version_at(offset).map(|version| (version, offset));
                let before = self.bytes.get(..offset).unwrap_or(self.bytes);
                let link = match walk::link(before, LinkType::Ethernet) {
                    Ok(link) => link,
                    Err(_) => no_link(EtherType(0)),
                };
                (Ok(link), found)
            }
        };
        let ip = found.and_then(|(version, offset)| {
            let bytes = self.bytes.get(offset..).ok_or(Miss::TruncatedIp)?;
            walk::ip(version, bytes, self.wire() - offset as u32)
        });
        (link, ip)
    }

    fn version_at(&self, offset: usize) -> Result<Version, Miss> {
        match self.bytes.get(offset).ok_or(Miss::TruncatedIp)? >> 4 {
            4 => Ok(Version::V4),
            6 => Ok(Version::V6),
            _ => Err(Miss::BadIpHeader),
        }
    }
}

const fn no_link(ethertype: EtherType) -> Link {
    let none = MacWord::ZERO;
    Link { source: none, destination: none, vlan: None, ethertype, payload: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_as_listed() {
        for (number, reason) in Unmeasured::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
    }
}
