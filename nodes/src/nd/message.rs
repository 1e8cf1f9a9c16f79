//! Messages in and out: ICMPv6 with what neighbour discovery asks of it.

use std::net::Ipv6Addr;

use vnet::{
    buffer::Buffer,
    wire::{
        checksum::Sum,
        ethernet::{EtherType, Header as Ethernet, MacAddress},
        icmp::kind6,
        ip4::protocol,
        ip6::{Header, fragment_header},
        mld,
        nd::{self, HOP_LIMIT, LinkAddresses, LinkOption, Neighbor, OptionsError, option},
    },
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::Error;
use crate::neighbor::{frame::FrameBytes, links::Link};

/// The group of all hosts on a link.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The group of all routers on a link.
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A message that was received, whose checksum, hop limit, code and length are right.
pub(super) struct Received<T> {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) fixed: T,
    pub(super) links: LinkAddresses,
    /// Who sent the frame.
    pub(super) from: MacAddress,
}

/// Reads a message whose fixed part is a `T`, with its options.
pub(super) fn read<T>(buffer: &Buffer) -> Result<Received<T>, Error>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned + Copy,
{
    let ip = *buffer.view::<Header>().ok_or(Error::Truncated)?;
    let behind = buffer.current().get(size_of::<Header>()..).ok_or(Error::Truncated)?;
    // RFC 6980: not even a fragment that is the whole.
    if fragment_header(ip.next_header, behind).is_some() {
        return Err(Error::Fragmented);
    }
    let message = message(buffer, &ip)?;
    let (fixed, options) = T::ref_from_prefix(message).map_err(|_| Error::Truncated)?;
    let links = LinkAddresses::read(options).map_err(|error| match error {
        OptionsError::ZeroLength => Error::OptionWithZeroLength,
        OptionsError::Length => Error::OptionsLength,
    })?;
    let ethernet = Ethernet::ref_from_prefix(buffer.from_offset(buffer.l2_offset));
    let (ethernet, _) = ethernet.map_err(|_| Error::Truncated)?;
    Ok(Received {
        source: ip.source.into(),
        destination: ip.destination.into(),
        fixed: *fixed,
        links,
        from: ethernet.source,
    })
}

/// The message of a packet, all of which must be in its first buffer.
pub(super) fn message<'b>(buffer: &'b Buffer, ip: &Header) -> Result<&'b [u8], Error> {
    let skip = usize::try_from(buffer.l4_offset - buffer.current_data());
    let skip = skip.map_err(|_| Error::Truncated)?;
    let end = size_of::<Header>() + usize::from(ip.payload_length.get());
    buffer.current().get(skip..end).ok_or(Error::TooLong)
}

/// A packet of neighbour discovery behind the Ethernet header in `frame`: `parts` is the message, its checksum 0.
pub(crate) fn finish(
    mut frame: FrameBytes,
    [source, destination]: [Ipv6Addr; 2],
    parts: &[&[u8]],
) -> FrameBytes {
    add(&mut frame, [source, destination], (protocol::ICMP6, HOP_LIMIT), &[], parts);
    frame
}

/// The same for multicast listener discovery, with its hop limit and its router alert.
pub(crate) fn finish_report(
    mut frame: FrameBytes,
    [source, destination]: [Ipv6Addr; 2],
    parts: &[&[u8]],
) -> FrameBytes {
    let header = (protocol::HOP_BY_HOP, 1);
    add(&mut frame, [source, destination], header, &mld::ROUTER_ALERT, parts);
    frame
}

fn add(
    frame: &mut FrameBytes,
    [source, destination]: [Ipv6Addr; 2],
    (next_header, hop_limit): (u8, u8),
    extension: &[u8],
    parts: &[&[u8]],
) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let [source, destination] = [source, destination].map(|a| a.octets());
    let header = Header {
        version_class_flow: U32::new(6 << 28),
        payload_length: U16::new((extension.len() + length) as u16),
        next_header,
        hop_limit,
        source,
        destination,
    };
    let seed = Sum::EMPTY.pseudo6(source, destination, protocol::ICMP6, length as u32);
    // All parts have an even length.
    let sum = parts.iter().fold(seed, |sum, part| sum.bytes(part));
    let fits = frame.remaining_capacity() >= size_of::<Header>() + extension.len() + length;
    debug_assert!(fits, "messages are bounded");
    if !fits {
        return;
    }
    frame.extend(header.as_bytes().iter().chain(extension).copied());
    let at = frame.len() + 2;
    frame.extend(parts.iter().flat_map(|part| part.iter().copied()));
    frame[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
}

/// The question who has `target`: to the group of those that may, or to one who had it.
pub(crate) fn solicitation(
    link: &Link,
    target: Ipv6Addr,
    to: Option<MacAddress>,
) -> Option<FrameBytes> {
    let source = link.source6(target)?;
    let destination = match to {
        Some(_) => target,
        None => nd::solicited_node(target.octets()).into(),
    };
    let frame = match to {
        Some(mac) => link.frame(mac, EtherType::IP6),
        None => link.frame_to_group(destination),
    };
    let fixed = Neighbor::new(kind6::NEIGHBOR_SOLICITATION, 0, target.octets());
    let mac = LinkOption::new(option::SOURCE, link.mac);
    Some(finish(frame, [source, destination], &[fixed.as_bytes(), mac.as_bytes()]))
}

/// The question whether anybody has `target`, before it is ours (RFC 4862 section 5.4.2).
pub(crate) fn probe(link: &Link, target: Ipv6Addr) -> FrameBytes {
    let group: Ipv6Addr = nd::solicited_node(target.octets()).into();
    let fixed = Neighbor::new(kind6::NEIGHBOR_SOLICITATION, 0, target.octets());
    finish(link.frame_to_group(group), [Ipv6Addr::UNSPECIFIED, group], &[fixed.as_bytes()])
}

/// Whom an advertisement is for.
#[derive(Clone, Copy)]
pub(crate) enum To {
    /// All hosts on the link.
    All,
    /// One that has asked.
    One(Ipv6Addr, MacAddress),
}

/// The statement that this interface has `target`.
pub(crate) fn advertisement(link: &Link, target: Ipv6Addr, to: To) -> FrameBytes {
    advertise(link, [target; 2], to, Neighbor::ROUTER | Neighbor::OVERRIDE)
}

/// The statement, from one of our addresses, that packets to another host find it here. The host's own word counts for more.
pub(super) fn proxy_advertisement(link: &Link, target: Ipv6Addr, to: To) -> Option<FrameBytes> {
    Some(advertise(link, [link.source6(target)?, target], to, 0))
}

fn advertise(link: &Link, [source, target]: [Ipv6Addr; 2], to: To, flags: u32) -> FrameBytes {
    let (frame, destination, solicited) = match to {
        To::All => (link.frame_to_group(ALL_NODES), ALL_NODES, 0),
        To::One(ip, mac) => (link.frame(mac, EtherType::IP6), ip, Neighbor::SOLICITED),
    };
    let kind = kind6::NEIGHBOR_ADVERTISEMENT;
    let fixed = Neighbor::new(kind, flags | solicited, target.octets());
    let mac = LinkOption::new(option::TARGET, link.mac);
    finish(frame, [source, destination], &[fixed.as_bytes(), mac.as_bytes()])
}
