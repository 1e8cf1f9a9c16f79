//! Multicast listener discovery (RFC 2710, RFC 3810): all messages are ICMPv6, sent with a hop limit of 1 behind a router alert.

use core::time::Duration;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U16};

use super::icmp;

/// A hop-by-hop options header with a router alert for these messages (RFC 2711) and two bytes of padding; its first byte says that
/// ICMPv6 follows.
pub const ROUTER_ALERT: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];

/// A query, as far as both versions have it: 24 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Query {
    /// Type, code 0, checksum.
    pub icmp: icmp::Header,
    /// See [`Self::max_response`].
    pub max_response_code: U16,
    /// 0.
    pub reserved: U16,
    /// The group that is asked for; zeros for all.
    pub group: [u8; 16],
}

impl Query {
    /// Bytes of the shortest query of version 2.
    pub const V2: usize = 28;

    /// The time within which an answer is to be sent (RFC 3810 section 5.1.3); in version 1 it is plain milliseconds.
    #[must_use]
    pub fn max_response(&self, is_v2: bool) -> Duration {
        let code = u64::from(self.max_response_code.get());
        let milliseconds = match is_v2 && code >= 0x8000 {
            true => (code & 0xfff | 0x1000) << ((code >> 12 & 7) + 3),
            false => code,
        };
        Duration::from_millis(milliseconds)
    }
}

/// The beginning of a report of version 2, 8 bytes; records follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Report {
    /// Type, code 0, checksum.
    pub icmp: icmp::Header,
    /// 0.
    pub reserved: U16,
    /// How many records follow.
    pub records: U16,
}

/// What a report says of a group, without sources: 20 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Record {
    /// See [`record`].
    pub kind: u8,
    /// 0.
    pub auxiliary: u8,
    /// 0.
    pub sources: U16,
    /// The group.
    pub group: [u8; 16],
}

/// Types of records.
pub mod record {
    /// The sender listens to the group, whoever sends.
    pub const IS_EXCLUDE: u8 = 2;
    /// The sender listens to nobody of the group any more.
    pub const TO_INCLUDE: u8 = 3;
    /// The sender listens to the group from now on, whoever sends.
    pub const TO_EXCLUDE: u8 = 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_response_times_are_floating_point_in_version_2() {
        let query = |code| Query {
            icmp: icmp::Header { kind: 130, code: 0, checksum: U16::ZERO },
            max_response_code: U16::new(code),
            reserved: U16::ZERO,
            group: [0; 16],
        };
        let milliseconds = |code, is_v2| query(code).max_response(is_v2).as_millis();
        assert_eq!(milliseconds(10_000, true), 10_000);
        assert_eq!(milliseconds(0x8000, true), 32_768);
        assert_eq!(milliseconds(0xffff, true), 8_387_584);
        assert_eq!(milliseconds(0xffff, false), 65_535);
    }
}
