//! IPv6 headers (RFC 8200) and the chain of extension headers behind them.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use super::ip4::protocol;

/// The fixed IPv6 header, 40 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version (4 bits), traffic class (8), flow label (20).
    pub version_class_flow: U32,
    /// Bytes behind this header; 0 with a jumbo payload option (RFC 2675).
    pub payload_length: U16,
    /// Type of what follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
}

impl Header {
    /// Version.
    #[inline]
    #[must_use]
    pub const fn version(&self) -> u8 {
        (self.version_class_flow.get() >> 28) as u8
    }

    /// Traffic class.
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        (self.version_class_flow.get() >> 20) as u8
    }

    /// Flow label, 20 bits.
    #[must_use]
    pub const fn flow_label(&self) -> u32 {
        self.version_class_flow.get() & 0x000f_ffff
    }
}

/// A fragment header (RFC 8200 section 4.5), 8 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct FragmentHeader {
    /// Type of what follows in the first fragment.
    pub next_header: u8,
    /// Must be zero.
    pub reserved: u8,
    /// Offset in 8-byte units (13 bits), reserved (2), more fragments (1).
    pub offset_more: U16,
    /// Identifies the packet that the fragment belongs to.
    pub identification: U32,
}

impl FragmentHeader {
    /// Fragment offset in bytes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        (self.offset_more.get() & 0xfff8) as usize
    }

    /// Whether there are other fragments of the packet (RFC 6946).
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.offset_more.get() & 0xfff9 != 0
    }
}

/// Where a chain of extension headers leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// Type of the upper layer, or of the first header that could not be read.
    pub protocol: u8,
    /// Its offset from the first byte behind the fixed header; `None` when the chain was cut, or in a fragment other than
    /// the first, where what follows is no header.
    pub offset: Option<usize>,
}

/// Follows hop-by-hop, routing, fragment, destination options and authentication headers. `payload` is what was captured
/// behind the fixed header; each step consumes at least 8 bytes of it.
#[must_use]
pub fn upper_layer(next_header: u8, payload: &[u8]) -> Upper {
    let mut protocol = next_header;
    let mut offset = 0;
    loop {
        let length = match (protocol, payload.get(offset..)) {
            (protocol::FRAGMENT, Some(rest)) => match FragmentHeader::ref_from_prefix(rest) {
                Ok((fragment, _)) if fragment.offset() == 0 => size_of::<FragmentHeader>(),
                Ok((fragment, _)) => return Upper { protocol: fragment.next_header, offset: None },
                Err(_) => return Upper { protocol, offset: None },
            },
            (
                protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION_OPTIONS
                | protocol::AH,
                Some(&[_, units, ..]),
            ) => extension_length(protocol, units),
            (
                protocol::FRAGMENT
                | protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION_OPTIONS
                | protocol::AH,
                _,
            ) => return Upper { protocol, offset: None },
            (_, rest) => return Upper { protocol, offset: rest.map(|_| offset) },
        };
        let Some(&next) = payload.get(offset) else { return Upper { protocol, offset: None } };
        protocol = next;
        offset += length;
    }
}

/// The first fragment header of a chain; `payload` is what was captured behind the fixed header.
#[must_use]
pub fn fragment_header(next_header: u8, payload: &[u8]) -> Option<&FragmentHeader> {
    let (mut protocol, mut rest) = (next_header, payload);
    loop {
        match protocol {
            protocol::FRAGMENT => {
                return FragmentHeader::ref_from_prefix(rest).ok().map(|(header, _)| header);
            }
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::AH => {
                let &[next, units, ..] = rest else { return None };
                rest = rest.get(extension_length(protocol, units)..)?;
                protocol = next;
            }
            _ => return None,
        }
    }
}

/// Octets of an extension header that says `units`. RFC 8200 section 4.2: 8-byte units less the first; RFC 4302 section 2.2: 4-byte units less two.
#[must_use]
pub const fn extension_length(protocol: u8, units: u8) -> usize {
    match protocol {
        protocol::AH => (units as usize + 2) * 4,
        _ => (units as usize + 1) * 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_8200s() {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&[0x6b, 0x91, 0x23, 0x45, 0x00, 0x10, 0x3a, 0x40]);
        let header = Header::read_from_bytes(&bytes).unwrap();
        assert_eq!(
            (header.version(), header.traffic_class(), header.flow_label()),
            (6, 0xb9, 0x12345)
        );
        assert_eq!(
            (header.payload_length.get(), header.next_header, header.hop_limit),
            (16, 58, 64)
        );
    }

    #[test]
    fn chain_ends_at_the_upper_layer() {
        // Hop-by-hop 8, routing 24, first fragment 8, AH 12 (a 0-byte ICV), destination options 8, then UDP.
        let mut payload = vec![43, 0, 1, 4, 0, 0, 0, 0];
        payload.extend([44, 2].iter().chain(&[0; 22]));
        payload.extend([51, 0, 0, 1, 0, 0, 0, 9]);
        payload.extend([60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        let end = payload.len();
        payload.extend([0, 53, 0, 53]);
        assert_eq!(upper_layer(0, &payload), Upper { protocol: 17, offset: Some(end) });
    }

    #[test]
    fn later_fragment_has_a_protocol_and_no_upper_layer() {
        let payload = [17, 0, 0x05, 0xa8, 0, 0, 0, 1, 0, 53, 0, 53];
        assert_eq!(upper_layer(44, &payload), Upper { protocol: 17, offset: None });
    }

    #[test]
    fn cut_chain_names_the_header_it_stopped_at() {
        assert_eq!(upper_layer(0, &[60]), Upper { protocol: 0, offset: None });
        assert_eq!(
            upper_layer(0, &[60, 0, 1, 4, 0, 0, 0, 0]),
            Upper { protocol: 60, offset: None }
        );
        assert_eq!(upper_layer(0, &[17, 9, 1, 4]), Upper { protocol: 17, offset: None });
        assert_eq!(upper_layer(44, &[17, 0, 0, 1, 0]), Upper { protocol: 44, offset: None });
    }

    #[test]
    fn upper_layer_without_bytes_is_found_at_the_end() {
        assert_eq!(upper_layer(17, &[]), Upper { protocol: 17, offset: Some(0) });
    }
}
