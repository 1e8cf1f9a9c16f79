//! ICMP (RFC 792) and ICMPv6 (RFC 4443) headers.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

/// What every ICMP and ICMPv6 message begins with, 4 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum of the message; ICMPv6 includes a pseudo header.
    pub checksum: U16,
}

impl Header {
    /// type * 256 + code: icmpTypeCodeIPv4 and icmpTypeCodeIPv6 (IANA elements 32 and 139).
    #[inline]
    #[must_use]
    pub const fn type_code(&self) -> u16 {
        u16::from_be_bytes([self.kind, self.code])
    }
}

/// ICMP types that the engine takes or sends.
pub mod kind4 {
    /// Echo reply (RFC 792).
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Source quench, which nobody sends any more (RFC 6633).
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// ICMPv6 types that the engine takes or sends.
pub mod kind6 {
    /// Destination unreachable (RFC 4443).
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast listener query (RFC 2710, RFC 3810).
    pub const LISTENER_QUERY: u8 = 130;
    /// Multicast listener report of version 1.
    pub const LISTENER_REPORT: u8 = 131;
    /// Multicast listener done.
    pub const LISTENER_DONE: u8 = 132;
    /// Router solicitation (RFC 4861).
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour solicitation.
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
    /// Multicast listener report of version 2 (RFC 3810).
    pub const LISTENER_REPORT_V2: u8 = 143;
}

/// Whether a type is that of an error, about which nobody sends another (RFC 1122, section 3.2.2).
#[must_use]
pub const fn is_error(kind: u8) -> bool {
    matches!(
        kind,
        kind4::UNREACHABLE
            | kind4::SOURCE_QUENCH
            | kind4::REDIRECT
            | kind4::TIME_EXCEEDED
            | kind4::PARAMETER_PROBLEM
    )
}

/// Whether an ICMPv6 type is that of an error, or a redirect, about which nobody sends an error (RFC 4443, section 2.4 (e)).
#[must_use]
pub const fn is_error6(kind: u8) -> bool {
    kind < 128 || kind == kind6::REDIRECT
}

/// VPP's word for an ICMP type, where it has one.
#[must_use]
pub const fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "echo_reply",
        3 => "destination_unreachable",
        4 => "source_quench",
        5 => "redirect",
        8 => "echo_request",
        9 => "router_advertisement",
        10 => "router_solicitation",
        11 => "time_exceeded",
        12 => "parameter_problem",
        13 => "timestamp_request",
        14 => "timestamp_reply",
        _ => return None,
    })
}

/// VPP's word for an ICMPv6 type, where it has one.
#[must_use]
pub const fn type_name6(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "destination_unreachable",
        2 => "packet_too_big",
        3 => "time_exceeded",
        4 => "parameter_problem",
        128 => "echo_request",
        129 => "echo_reply",
        130 => "multicast_listener_request",
        131 => "multicast_listener_report",
        132 => "multicast_listener_done",
        133 => "router_solicitation",
        134 => "router_advertisement",
        135 => "neighbor_solicitation",
        136 => "neighbor_advertisement",
        137 => "redirect",
        143 => "multicast_listener_report_v2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_rfcs() {
        assert_eq!(
            (0..=255).filter(|&kind| is_error(kind)).collect::<Vec<u8>>(),
            [3, 4, 5, 11, 12]
        );
        assert_eq!((0..=255).filter(|&kind| is_error6(kind)).count(), 129);
    }

    #[test]
    fn type_and_code_make_the_flow_key_number() {
        let header = Header::read_from_bytes(&[3, 1, 0xbe, 0xef]).unwrap();
        assert_eq!(header.type_code(), 769);
    }
}
