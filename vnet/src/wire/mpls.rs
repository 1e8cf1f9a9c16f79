//! MPLS label stack entries (RFC 3032).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, network_endian::U32};

/// One label stack entry, 4 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Label(pub U32);

impl Label {
    /// The label, 20 bits.
    #[must_use]
    pub const fn label(self) -> u32 {
        self.0.get() >> 12
    }

    /// The traffic class, 3 bits (RFC 5462).
    #[must_use]
    pub const fn traffic_class(self) -> u8 {
        ((self.0.get() >> 9) & 7) as u8
    }

    /// Whether the payload follows this entry.
    #[must_use]
    pub const fn is_bottom(self) -> bool {
        self.0.get() & 0x100 != 0
    }

    /// Time to live.
    #[must_use]
    pub const fn ttl(self) -> u8 {
        self.0.get() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_rfc_3032s() {
        let label = Label::read_from_bytes(&[0x00, 0x01, 0xdb, 0xff]).unwrap();
        assert_eq!(
            (label.label(), label.traffic_class(), label.is_bottom(), label.ttl()),
            (29, 5, true, 255)
        );
    }
}
