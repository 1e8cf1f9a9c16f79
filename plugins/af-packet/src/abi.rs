//! Numbers and layouts of packet sockets: packet(7) and linux/if_packet.h, as far as they are used here. All in the byte order of
//! the host unless said.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Level of the options of packet sockets.
pub(crate) const SOL_PACKET: i32 = 263;

pub(crate) const PACKET_RX_RING: i32 = 5;
pub(crate) const PACKET_STATISTICS: i32 = 6;
pub(crate) const PACKET_VERSION: i32 = 10;
pub(crate) const PACKET_TX_RING: i32 = 13;
pub(crate) const PACKET_VNET_HDR: i32 = 15;
pub(crate) const PACKET_FANOUT: i32 = 18;
pub(crate) const PACKET_QDISC_BYPASS: i32 = 20;
pub(crate) const PACKET_IGNORE_OUTGOING: i32 = 23;

/// [`PACKET_FANOUT`]: by a hash of the flow that both directions of it share (`__skb_get_hash_symmetric`).
pub(crate) const FANOUT_HASH: u16 = 0;
/// [`PACKET_FANOUT`]: the kernel chooses a number that no group has.
pub(crate) const FANOUT_FLAG_UNIQUEID: u16 = 0x2000;
/// [`PACKET_FANOUT`]: the group leaves out what the host itself sends; [`PACKET_IGNORE_OUTGOING`] of its sockets counts for nothing.
pub(crate) const FANOUT_FLAG_IGNORE_OUTGOING: u16 = 0x4000;

/// The slot or block is the program's.
pub(crate) const STATUS_USER: u32 = 1;
/// The slot is the kernel's to send.
pub(crate) const STATUS_SEND_REQUEST: u32 = 1;
/// The slot is the program's to fill.
pub(crate) const STATUS_AVAILABLE: u32 = 0;
/// The kernel does not send what is in the slot.
pub(crate) const STATUS_WRONG_FORMAT: u32 = 4;
/// The checksum of the transport header is still to be made: the field has the sum of the pseudo-header.
pub(crate) const STATUS_CHECKSUM_NOT_READY: u32 = 1 << 3;
/// The tag is valid that the kernel took out of the frame.
pub(crate) const STATUS_VLAN_VALID: u32 = 1 << 4;
/// So is the tag's type.
pub(crate) const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;

/// A version of the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A slot for each packet, which the program may read at once.
    V2,
    /// Blocks of packets, which the program may read when they are full or some time has passed.
    V3,
}

impl Version {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::V2 => 1,
            Self::V3 => 2,
        }
    }
}

/// `struct sockaddr_ll`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Address {
    pub(crate) family: u16,
    /// In network byte order.
    pub(crate) protocol: u16,
    pub(crate) ifindex: i32,
    pub(crate) hatype: u16,
    pub(crate) pkttype: u8,
    pub(crate) halen: u8,
    pub(crate) addr: [u8; 8],
}

/// `struct tpacket_req3`, whose first half is `struct tpacket_req`.
#[derive(Clone, Copy, Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct RingRequest {
    pub(crate) block_size: u32,
    pub(crate) blocks: u32,
    pub(crate) frame_size: u32,
    pub(crate) frames: u32,
    pub(crate) retire_block_ms: u32,
    pub(crate) private_size: u32,
    pub(crate) features: u32,
}

/// `struct tpacket_stats_v3`, which begins as `struct tpacket_stats`.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes)]
#[repr(C)]
pub(crate) struct Statistics {
    /// Received, those that did not fit included.
    pub(crate) packets: u32,
    /// Those that did not fit.
    pub(crate) drops: u32,
    /// How often all blocks were full.
    pub(crate) freezes: u32,
}

/// `struct tpacket2_hdr`, which a slot of the second version begins with.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Slot {
    pub(crate) status: u32,
    pub(crate) length: u32,
    pub(crate) captured: u32,
    pub(crate) mac: u16,
    pub(crate) net: u16,
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
    pub(crate) vlan_tci: u16,
    pub(crate) vlan_tpid: u16,
    pub(crate) padding: [u8; 4],
}

/// What of `struct tpacket_block_desc` is used, which a block of the third version begins with.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) version: u32,
    pub(crate) private: u32,
    pub(crate) status: u32,
    pub(crate) packets: u32,
    pub(crate) first: u32,
    pub(crate) length: u32,
}

/// Where [`Block::status`] is in a block.
pub(crate) const BLOCK_STATUS: usize = 8;

/// `struct tpacket3_hdr`, in front of a packet in a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Packet {
    pub(crate) next: u32,
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
    pub(crate) captured: u32,
    pub(crate) length: u32,
    pub(crate) status: u32,
    pub(crate) mac: u16,
    pub(crate) net: u16,
    pub(crate) rxhash: u32,
    pub(crate) vlan_tci: u32,
    pub(crate) vlan_tpid: u16,
    pub(crate) padding: [u8; 10],
}

/// `sll_pkttype` of what the host itself sends (PACKET_OUTGOING).
pub(crate) const OUTGOING: u8 = 4;

/// Where `sll_pkttype` is behind the header of a slot of the second version, or of a packet of the third one: both headers
/// are as long as TPACKET_ALIGN asks for, and the address follows.
pub(crate) const PACKET_TYPE: usize = core::mem::offset_of!(Address, pkttype);

/// Octets of a slot of the second version before the packet that the program fills in: TPACKET2_HDRLEN without the address.
pub(crate) const TX_HEADER: usize = size_of::<Slot>();
/// Octets of a received slot before the packet, at most: its header, an address, room to align, a virtio-net header.
pub(crate) const RX_HEADER: usize = 128;

const _: () = {
    assert!(size_of::<Address>() == 20);
    assert!(size_of::<RingRequest>() == 28);
    assert!(size_of::<Slot>() == 32);
    assert!(size_of::<Packet>() == 48);
    assert!(core::mem::offset_of!(Block, status) == BLOCK_STATUS);
};
