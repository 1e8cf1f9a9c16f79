//! Frames that ask and answer for addresses.

use std::net::{IpAddr, Ipv4Addr};

use arrayvec::ArrayVec;
use vnet::{
    buffer::{Buffer, BufferFlags},
    interface::SwIfIndex,
    wire::{
        arp::Packet,
        ethernet::{EtherType, MacAddress},
    },
};
use zerocopy::IntoBytes;

use super::links::Link;

/// A frame in the making: up to 22 octets of Ethernet, and a packet of as many as any IPv6 link takes.
pub(crate) type FrameBytes = ArrayVec<u8, { 22 + 1280 }>;

/// The question who has `target`, from an interface: to all, or to one who had it.
pub(crate) fn request(link: &Link, target: IpAddr, to: Option<MacAddress>) -> Option<FrameBytes> {
    match target {
        IpAddr::V4(target) => arp_request(link, target, to),
        IpAddr::V6(target) => crate::nd::message::solicitation(link, target, to),
    }
}

fn arp_request(link: &Link, target: Ipv4Addr, to: Option<MacAddress>) -> Option<FrameBytes> {
    let source = link.source4(target)?;
    let request = Packet::request((link.mac, source.octets()), target.octets());
    Some(arp(link, to.unwrap_or(MacAddress::BROADCAST), &request))
}

/// A frame with an ARP packet.
pub(crate) fn arp(link: &Link, to: MacAddress, packet: &Packet) -> FrameBytes {
    let mut frame = link.frame(to, EtherType::ARP);
    frame.extend(packet.as_bytes().iter().copied());
    frame
}

/// Makes an empty buffer the packet `frame`, to be sent by `interface`; whether there was room.
pub(crate) fn fill(buffer: &mut Buffer, interface: SwIfIndex, frame: &[u8]) -> bool {
    buffer.l2_offset = buffer.current_data();
    buffer.tx = interface;
    buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED);
    buffer.append(frame) == frame.len()
}

/// Makes a packet that was received the packet `frame`, which answers it; `false` when it has more than one buffer, as nothing that is
/// answered does.
pub(crate) fn refill(buffer: &mut Buffer, interface: SwIfIndex, frame: &[u8]) -> bool {
    if buffer.flags().contains(BufferFlags::NEXT_PRESENT) {
        return false;
    }
    buffer.truncate(0);
    fill(buffer, interface, frame)
}
