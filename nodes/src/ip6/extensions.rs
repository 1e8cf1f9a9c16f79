//! Extension headers of packets that end here or are looked into on their way (RFC 8200, section 4), within bounds (RFC 8504, section 5.3).

use vnet::wire::{
    ip4::protocol,
    ip6::{FragmentHeader, Header, extension_length},
};
use zerocopy::FromBytes;

use crate::icmp::Report;

/// Extension headers in a packet at most.
const MOST_HEADERS: usize = 8;
/// Options of a header at most, padding included.
const MOST_OPTIONS: usize = 32;
const FIXED: usize = size_of::<Header>();
/// Where the fixed header says what follows it.
const NEXT_HEADER: usize = 6;

/// Why a packet ends for its extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A header is not all there.
    Truncated,
    /// There are more headers or options than anybody needs.
    TooMany,
    /// An option that is not known asks for it. Who sent it is told, if it asks for that as well.
    Option(Option<Report>),
    /// A routing header with segments left, of a type that is not taken: type 0 was abolished (RFC 5095).
    Routing(Report),
    /// A header stands where it must not.
    Misplaced(Report),
}

/// What a chain of headers leads to, and the octet that names it. Both counted from the beginning of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) protocol: u8,
    pub(super) at: usize,
    pub(super) named_at: usize,
}

/// Walks the headers of a packet that has reached its destination, of which `packet` is the part in the first buffer.
///
/// # Errors
/// Why the packet ends.
pub(super) fn walk(packet: &[u8]) -> Result<End, Fault> {
    let to_group = packet.get(24) == Some(&0xff);
    let mut end = End {
        protocol: *packet.get(NEXT_HEADER).ok_or(Fault::Truncated)?,
        at: FIXED,
        named_at: NEXT_HEADER,
    };
    for _ in 0..=MOST_HEADERS {
        let rest = packet.get(end.at..).ok_or(Fault::Truncated)?;
        let length = match end.protocol {
            protocol::HOP_BY_HOP if end.named_at != NEXT_HEADER => {
                return Err(Fault::Misplaced(Report::next_header6(end.named_at as u32)));
            }
            // Looked at on arrival.
            protocol::HOP_BY_HOP | protocol::AH => bounded(end.protocol, rest)?,
            protocol::DESTINATION_OPTIONS => options(packet, end.at, end.protocol, to_group)?,
            protocol::ROUTING => routing(rest, end.at)?,
            protocol::FRAGMENT => atomic(rest, end.named_at)?,
            _ => return Ok(end),
        };
        end = End {
            protocol: *rest.first().ok_or(Fault::Truncated)?,
            named_at: end.at,
            at: end.at + length,
        };
    }
    Err(Fault::TooMany)
}

/// The length of a header that is all there.
fn bounded(protocol: u8, header: &[u8]) -> Result<usize, Fault> {
    let length = header.get(1).map(|&units| extension_length(protocol, units));
    length.filter(|&length| length <= header.len()).ok_or(Fault::Truncated)
}

/// A fragment header that is none (RFC 6946): real ones are found before, unless they stand where they must not.
fn atomic(header: &[u8], named_at: usize) -> Result<usize, Fault> {
    let (fragment, _) = FragmentHeader::ref_from_prefix(header).map_err(|_| Fault::Truncated)?;
    match fragment.is_fragment() {
        true => Err(Fault::Misplaced(Report::next_header6(named_at as u32))),
        false => Ok(size_of::<FragmentHeader>()),
    }
}

/// A routing header (RFC 8200, section 4.4): whatever its type, without segments left it has done its work.
fn routing(header: &[u8], at: usize) -> Result<usize, Fault> {
    const TYPE: usize = 2;
    let length = bounded(protocol::ROUTING, header)?;
    match header.get(3) {
        Some(0) => Ok(length),
        _ => Err(Fault::Routing(Report::erroneous6((at + TYPE) as u32))),
    }
}

/// Looks at the options of the header that begins at `at` (RFC 8200, section 4.2); its length.
///
/// # Errors
/// Why the packet ends.
pub(super) fn options(
    packet: &[u8],
    at: usize,
    protocol: u8,
    to_group: bool,
) -> Result<usize, Fault> {
    let header = packet.get(at..).ok_or(Fault::Truncated)?;
    let length = bounded(protocol, header)?;
    let mut place = 2;
    for _ in 0..MOST_OPTIONS {
        let kind = match header[..length].get(place) {
            None => return Ok(length),
            Some(&PAD1) => {
                place += 1;
                continue;
            }
            Some(&kind) => kind,
        };
        let data = *header[..length].get(place + 1).ok_or(Fault::Truncated)?;
        if place + 2 + usize::from(data) > length {
            return Err(Fault::Truncated);
        }
        if ![PADN, ROUTER_ALERT].contains(&kind) {
            action(kind, (at + place) as u32, to_group)?;
        }
        place += 2 + usize::from(data);
    }
    Err(Fault::TooMany)
}

const PAD1: u8 = 0;
const PADN: u8 = 1;
/// RFC 2711.
const ROUTER_ALERT: u8 = 5;

/// What the two highest bits of an option's type have those do who do not know it.
fn action(kind: u8, at: u32, to_group: bool) -> Result<(), Fault> {
    match kind >> 6 {
        0 => Ok(()),
        2 => Err(Fault::Option(Some(Report::option6(at)))),
        3 if !to_group => Err(Fault::Option(Some(Report::option6(at)))),
        _ => Err(Fault::Option(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with `headers` behind the fixed one, the first of type `next`.
    fn packet(next: u8, headers: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; FIXED];
        (packet[0], packet[NEXT_HEADER]) = (0x60, next);
        packet.extend_from_slice(headers);
        packet
    }

    #[test]
    fn chains_end_at_the_upper_layer_or_where_something_is_wrong() {
        let padded = [17, 0, 1, 4, 0, 0, 0, 0];
        let end = walk(&packet(60, &padded));
        assert_eq!(end, Ok(End { protocol: 17, at: 48, named_at: 40 }));
        assert_eq!(walk(&packet(253, &[])), Ok(End { protocol: 253, at: 40, named_at: 6 }));
        // Without segments left any type of routing will do.
        assert_eq!(walk(&packet(43, &[17, 0, 0, 0, 0, 0, 0, 0])).unwrap().protocol, 17);
        let told = |at| Report::erroneous6(at);
        for (next, headers, fault) in [
            (43, vec![17, 0, 0, 1, 0, 0, 0, 0], Fault::Routing(told(42))),
            (43, vec![17, 0, 4, 2, 0, 0, 0, 0], Fault::Routing(told(42))),
            (60, vec![0, 0, 1, 4, 0, 0, 0, 0], Fault::Misplaced(Report::next_header6(40))),
            (
                51,
                [&[44, 0][..], &[0; 6], &[17, 0, 0, 1, 0, 0, 0, 1]].concat(),
                Fault::Misplaced(Report::next_header6(40)),
            ),
            (60, vec![17, 1, 1, 4, 0, 0, 0, 0], Fault::Truncated),
            (60, vec![17], Fault::Truncated),
            (60, [60, 0, 1, 4, 0, 0, 0, 0].repeat(20), Fault::TooMany),
            (60, [&[17, 7][..], &[0; 62]].concat(), Fault::TooMany),
            (60, vec![17, 0, 0x1e, 5, 0, 0, 0, 0], Fault::Truncated),
        ] {
            assert_eq!(walk(&packet(next, &headers)), Err(fault), "{headers:?}");
        }
    }

    #[test]
    fn unknown_options_have_done_what_their_highest_bits_say() {
        let of = |kind: u8, to_group: bool| {
            let mut packet = packet(60, &[17, 0, 1, 0, kind, 2, 0, 0]);
            packet[24] = if to_group { 0xff } else { 0x20 };
            walk(&packet).map(|end| end.protocol)
        };
        let told = Err(Fault::Option(Some(Report::option6(44))));
        let silent = Err(Fault::Option(None));
        for (kind, one, group) in [
            (0x1e, Ok(17), Ok(17)),
            (0x5e, silent, silent),
            (0x9e, told, told),
            (0xde, told, silent),
            // A jumbo payload (RFC 2675), which is not taken.
            (0xc2, told, silent),
            (5, Ok(17), Ok(17)),
        ] {
            assert_eq!((of(kind, false), of(kind, true)), (one, group), "{kind:#x}");
        }
    }
}
