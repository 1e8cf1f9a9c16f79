//! Link types of captures, and Linux "cooked" headers.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

/// What a captured frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Raw,
    /// A [`SllHeader`].
    LinuxSll,
    /// A [`Sll2Header`].
    LinuxSll2,
}

impl LinkType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ethernet, Self::Raw, Self::LinuxSll, Self::LinuxSll2];

    /// From the number in a capture file's header (LINKTYPE_ value); `None` for a type that cannot be walked. 12, 14, 228
    /// and 229 are other numbers of raw IP.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }

    /// LINKTYPE_ value for a capture file.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
        }
    }
}

/// Linux cooked capture, version 1 (LINKTYPE_LINUX_SLL), 16 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct SllHeader {
    /// 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us.
    pub packet_type: U16,
    /// ARPHRD_ type of the device.
    pub hardware_type: U16,
    /// Valid bytes of `address`.
    pub address_length: U16,
    /// Link-layer address of the sender.
    pub address: [u8; 8],
    /// Ethernet type of the payload.
    pub protocol: U16,
}

/// Linux cooked capture, version 2 (LINKTYPE_LINUX_SLL2), 20 bytes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Sll2Header {
    /// Ethernet type of the payload.
    pub protocol: U16,
    /// Must be zero.
    pub reserved: U16,
    /// Index of the device on the capturing host.
    pub interface_index: U32,
    /// ARPHRD_ type of the device.
    pub hardware_type: U16,
    /// As in [`SllHeader`].
    pub packet_type: u8,
    /// Valid bytes of `address`.
    pub address_length: u8,
    /// Link-layer address of the sender.
    pub address: [u8; 8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_the_same_type() {
        for link in LinkType::ALL {
            assert_eq!(LinkType::from_number(link.number()), Some(link));
        }
        assert_eq!(LinkType::from_number(105), None);
    }

    #[test]
    fn cooked_headers_have_their_sizes() {
        assert_eq!((size_of::<SllHeader>(), size_of::<Sll2Header>()), (16, 20));
    }
}
