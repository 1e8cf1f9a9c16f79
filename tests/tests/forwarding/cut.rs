//! Packets cut into fragments by hand, with nothing of what is tested.

use crate::packets::Ip4;

/// A part of a payload: where it begins, how long it is, and whether others follow.
pub(crate) type Part = (usize, usize, bool);

/// A payload of `length` octets in parts of `each`.
pub(crate) fn parts(length: usize, each: usize) -> Vec<Part> {
    (0..length).step_by(each).map(|at| (at, each.min(length - at), at + each < length)).collect()
}

/// The part of an IPv4 packet as a fragment of it.
pub(crate) fn cut4(packet: &Ip4, (at, length, more): Part) -> Vec<u8> {
    let flag = if more { 0x2000 } else { 0 };
    let end = (at + length).min(packet.payload.len());
    let payload = packet.payload[at.min(end)..end].to_vec();
    Ip4 { fragment: flag | (at / 8) as u16, payload, ..packet.clone() }.bytes()
}

/// The part of an IPv6 packet, whose first header behind the fixed one is not of the kind that stays in front, as a fragment of it.
pub(crate) fn cut6(packet: &[u8], id: u32, (at, length, more): Part) -> Vec<u8> {
    let (header, payload) = packet.split_at(40);
    let mut fragment = header.to_vec();
    let end = (at + length).min(payload.len());
    let part = &payload[at.min(end)..end];
    fragment[4..6].copy_from_slice(&(part.len() as u16 + 8).to_be_bytes());
    fragment[6] = 44;
    fragment.extend([header[6], 0]);
    fragment.extend((at as u16 & 0xfff8 | u16::from(more)).to_be_bytes());
    fragment.extend(id.to_be_bytes());
    fragment.extend(part);
    fragment
}

/// An ICMP echo request with `length` octets of data to an address of the router.
pub(crate) fn echo4(id: u16, length: usize) -> Ip4 {
    let mut message = vec![8, 0, 0, 0, 0, 7, 0, 9];
    message.extend((0..length).map(|i| (i % 251) as u8));
    let sum = crate::packets::checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    Ip4 { id, protocol: 1, payload: message, ..Ip4::udp("192.168.0.2", "192.168.0.1") }
}

/// The same for IPv6.
pub(crate) fn echo6(length: usize) -> Vec<u8> {
    let (from, to) = ("2001:db8::2", "2001:db8::1");
    let mut message = vec![128, 0, 0, 0, 0, 7, 0, 9];
    message.extend((0..length).map(|i| (i % 251) as u8));
    crate::packets::ip6(from, to, (58, 64), &crate::packets::icmp6(from, to, &message))
}
