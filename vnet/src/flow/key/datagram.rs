//! What tells datagrams apart whose fragments are seen.

use super::{
    Point,
    words::{PROTOCOL_SHIFT, address_word, interfaces, tag, words},
};
use crate::wire::{ip4, ip6, walk::Link};

/// Point, addresses, protocol and identification. Never zeros.
///
/// The point is in it since addresses and identifications are unique within a routing domain alone: fragments are looked for where
/// the first one was seen.
pub(in crate::flow) type Datagram = [u64; 7];

/// RFC 791 section 3.2: source, destination, protocol and identification.
pub(in crate::flow) fn datagram4(point: Point<'_>, link: &Link, ip: &ip4::Header) -> Datagram {
    let identification = u64::from(ip.identification.get());
    let number = identification | u64::from(ip.protocol) << PROTOCOL_SHIFT;
    [tag(point, link) | 4, interfaces(point), address_word(ip), 0, 0, 0, number]
}

/// RFC 8200 section 4.5: source, destination and identification; and the next header, which would not have to be the same in all
/// fragments, but is: so an identification that another protocol uses at the time is of another datagram.
pub(in crate::flow) fn datagram6(
    point: Point<'_>,
    link: &Link,
    ip: &ip6::Header,
    fragment: &ip6::FragmentHeader,
) -> Datagram {
    let ([a, b], [c, d]) = (words(ip.source), words(ip.destination));
    let identification = u64::from(fragment.identification.get());
    let number = identification | u64::from(fragment.next_header) << PROTOCOL_SHIFT;
    [tag(point, link) | 6, interfaces(point), a, b, c, d, number]
}
