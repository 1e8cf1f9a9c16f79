//! ICMP errors of IPv4 (RFC 792; RFC 1812, section 4.3).

use std::net::{IpAddr, Ipv4Addr};

use vnet::{
    buffer::Buffer,
    fib::Family,
    graph::Slot,
    wire::{
        checksum, icmp,
        ip4::{Header, protocol},
    },
};
use zerocopy::{FromBytes, IntoBytes, network_endian::U32};

use super::{
    family::{Error, Offender, Version, hash},
    report::Report,
};

vnet::next_nodes! {
    /// Where packets go from `ip4-icmp-error`.
    pub(crate) enum Next {
        Drop => "ip4-drop",
        Lookup => "ip4-lookup",
    }
}

/// IPv4.
pub(super) struct Ip4;

/// TTL of what this machine says, as in VPP.
const TTL: u8 = 255;
/// Internetwork control (RFC 1812, section 4.3.2.5).
const TOS: u8 = 0xc0;
/// The longest message (RFC 1812, section 4.3.2.3).
const MOST: usize = 576;
const IP: usize = size_of::<Header>();

impl Version for Ip4 {
    type Next = Next;

    const FAMILY: Family = Family::Ip4;
    const ERROR_NODE: &'static str = "ip4-icmp-error";
    const HEADERS: usize = IP + 8;
    const MOST_QUOTED: usize = MOST - Self::HEADERS;

    fn drop() -> Slot<Next> {
        Next::Drop.into()
    }

    fn lookup() -> Slot<Next> {
        Next::Lookup.into()
    }

    /// RFC 1122, section 3.2.2; RFC 1812, section 4.3.2.7.
    fn offender(buffer: &Buffer, _: Report) -> Result<Offender, Error> {
        let ip = buffer.view::<Header>().filter(|ip| ip.version() == 4).ok_or(Error::Malformed)?;
        if ip.fragment_offset() > 0 {
            return Err(Error::NotFirst);
        }
        let (sender, destination) = (Ipv4Addr::from(ip.source), Ipv4Addr::from(ip.destination));
        let is_one = !(sender.octets()[0] == 0
            || sender.is_loopback()
            || sender.octets()[0] >= 224
            || destination.octets()[0] >= 224);
        if !is_one {
            return Err(Error::NotUnicast);
        }
        if ip.protocol == protocol::ICMP {
            let kind = buffer.current().get(ip.header_length()).ok_or(Error::Malformed)?;
            if icmp::is_error(*kind) {
                return Err(Error::AboutErrors);
            }
        }
        Ok(Offender {
            sender: sender.into(),
            destination: destination.into(),
            length: ip.total_length.get().into(),
            hash: hash(sender.to_bits().into()),
        })
    }

    fn counter(report: Report) -> Error {
        match report.kind {
            icmp::kind4::TIME_EXCEEDED => Error::ExpiredSent,
            icmp::kind4::PARAMETER_PROBLEM => Error::ParameterSent,
            _ => Error::UnreachableSent,
        }
    }

    fn write(
        message: &mut [u8],
        report: Report,
        source: IpAddr,
        to: IpAddr,
        identification: u16,
    ) -> Option<()> {
        let (IpAddr::V4(source), IpAddr::V4(to)) = (source, to) else { return None };
        let total = u16::try_from(message.len()).ok()?;
        let (front, body) = message.split_at_mut_checked(IP)?;
        let (icmp, rest) = icmp::Header::mut_from_prefix(body).ok()?;
        (icmp.kind, icmp.code) = (report.kind, report.code);
        icmp.checksum.set(0);
        let (data, _) = U32::mut_from_prefix(rest).ok()?;
        data.set(report.data);
        let sum = checksum::of(body);
        icmp::Header::mut_from_prefix(body).ok()?.0.checksum.set(sum);
        let mut ip = Header {
            version_ihl: Header::VERSION_IHL,
            tos: TOS,
            total_length: total.into(),
            identification: identification.into(),
            flags_fragment: 0.into(),
            ttl: TTL,
            protocol: protocol::ICMP,
            checksum: 0.into(),
            source: source.octets(),
            destination: to.octets(),
        };
        ip.checksum = checksum::of_ip4_header(&ip).into();
        front.copy_from_slice(ip.as_bytes());
        Some(())
    }
}
