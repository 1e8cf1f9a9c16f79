//! ICMPv6 errors (RFC 4443).

use std::net::{IpAddr, Ipv6Addr};

use vnet::{
    buffer::Buffer,
    fib::Family,
    graph::Slot,
    wire::{
        checksum, icmp,
        ip4::protocol,
        ip6::{Header, fragment_header, upper_layer},
    },
};
use zerocopy::{FromBytes, IntoBytes, network_endian::U32};

use super::{
    family::{Error, Offender, Version, hash},
    report::Report,
};

vnet::next_nodes! {
    /// Where packets go from `ip6-icmp-error`.
    pub(crate) enum Next {
        Drop => "ip6-drop",
        Lookup => "ip6-lookup",
    }
}

/// IPv6.
pub(super) struct Ip6;

/// Hop limit of what this machine says, as in VPP.
const HOP_LIMIT: u8 = 255;
/// The longest message: what every link carries (section 2.4 (c)).
const MOST: usize = 1280;
const IP: usize = size_of::<Header>();

impl Version for Ip6 {
    type Next = Next;

    const FAMILY: Family = Family::Ip6;
    const ERROR_NODE: &'static str = "ip6-icmp-error";
    const HEADERS: usize = IP + 8;
    const MOST_QUOTED: usize = MOST - Self::HEADERS;

    fn drop() -> Slot<Next> {
        Next::Drop.into()
    }

    fn lookup() -> Slot<Next> {
        Next::Lookup.into()
    }

    /// Section 2.4 (e).
    fn offender(buffer: &Buffer, report: Report) -> Result<Offender, Error> {
        let ip = buffer.view::<Header>().filter(|ip| ip.version() == 6).ok_or(Error::Malformed)?;
        let payload = buffer.current().get(IP..).unwrap_or_default();
        // What is wrong with the place of a fragment is told of all of them (RFC 8200, section 4.5).
        let is_later =
            fragment_header(ip.next_header, payload).is_some_and(|header| header.offset() > 0);
        if is_later && report.kind != icmp::kind6::PARAMETER_PROBLEM {
            return Err(Error::NotFirst);
        }
        let (sender, destination) = (Ipv6Addr::from(ip.source), Ipv6Addr::from(ip.destination));
        let is_one = !(sender.is_unspecified()
            || sender.is_loopback()
            || sender.is_multicast()
            || destination.is_multicast() && !report.is_about_groups());
        if !is_one {
            return Err(Error::NotUnicast);
        }
        let upper = upper_layer(ip.next_header, payload);
        if upper.protocol == protocol::ICMP6 && !is_later {
            let kind = upper.offset.and_then(|at| payload.get(at)).ok_or(Error::Malformed)?;
            if icmp::is_error6(*kind) {
                return Err(Error::AboutErrors);
            }
        }
        Ok(Offender {
            sender: sender.into(),
            destination: destination.into(),
            length: IP + usize::from(ip.payload_length.get()),
            // Whoever has one address of a subnet has all of them.
            hash: hash((sender.to_bits() >> 64) as u64),
        })
    }

    fn counter(report: Report) -> Error {
        match report.kind {
            icmp::kind6::PACKET_TOO_BIG => Error::TooBigSent,
            icmp::kind6::TIME_EXCEEDED => Error::ExpiredSent,
            icmp::kind6::PARAMETER_PROBLEM => Error::ParameterSent,
            _ => Error::UnreachableSent,
        }
    }

    fn write(message: &mut [u8], report: Report, source: IpAddr, to: IpAddr, _: u16) -> Option<()> {
        let (IpAddr::V6(source), IpAddr::V6(to)) = (source, to) else { return None };
        let (front, body) = message.split_at_mut_checked(IP)?;
        let length = u16::try_from(body.len()).ok()?;
        let ip = Header {
            version_class_flow: (6 << 28).into(),
            payload_length: length.into(),
            next_header: protocol::ICMP6,
            hop_limit: HOP_LIMIT,
            source: source.octets(),
            destination: to.octets(),
        };
        let (icmp, rest) = icmp::Header::mut_from_prefix(body).ok()?;
        (icmp.kind, icmp.code) = (report.kind, report.code);
        icmp.checksum.set(0);
        let (data, _) = U32::mut_from_prefix(rest).ok()?;
        data.set(report.data);
        let sum = checksum::of_transport6(&ip, protocol::ICMP6, body);
        icmp::Header::mut_from_prefix(body).ok()?.0.checksum.set(sum);
        front.copy_from_slice(ip.as_bytes());
        Some(())
    }
}
