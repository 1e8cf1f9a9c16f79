//! Numbers and layouts of bpf(2), and those of AF_XDP that libc lacks: linux/bpf.h, linux/if_link.h, linux/if_xdp.h and
//! linux/ethtool.h, as far as they are used here.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Octets in front of a packet that the kernel keeps for programs on its way.
pub(crate) const PACKET_HEADROOM: usize = 256;
/// Where the octets of an address begin that say how far from the beginning of its buffer a packet is.
pub(crate) const OFFSET_SHIFT: u32 = 48;
/// Socket option (Linux 6.17): how many packets a system call sends at most.
pub(crate) const XDP_MAX_TX_SKB_BUDGET: i32 = 9;

/// Commands of bpf(2).
pub(crate) const BPF_MAP_CREATE: i32 = 0;
pub(crate) const BPF_MAP_UPDATE_ELEM: i32 = 2;
pub(crate) const BPF_MAP_DELETE_ELEM: i32 = 3;
pub(crate) const BPF_PROG_LOAD: i32 = 5;
pub(crate) const BPF_OBJ_GET_INFO_BY_FD: i32 = 15;
pub(crate) const BPF_LINK_CREATE: i32 = 28;

pub(crate) const BPF_MAP_TYPE_XSKMAP: u32 = 17;
pub(crate) const BPF_PROG_TYPE_XDP: u32 = 6;
/// Attach type of programs on interfaces.
pub(crate) const BPF_XDP: u32 = 37;
/// The program copes with packets of several buffers.
pub(crate) const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// The program runs where packets have become socket buffers.
pub(crate) const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
/// The program runs in the driver.
pub(crate) const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// Octets of the names of programs and maps.
pub(crate) const NAME: usize = 16;

/// Of `union bpf_attr`: what [`BPF_MAP_CREATE`] reads.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct MapCreate {
    pub(crate) map_type: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) map_flags: u32,
    pub(crate) inner_map_fd: u32,
    pub(crate) numa_node: u32,
    pub(crate) map_name: [u8; NAME],
}

/// What [`BPF_MAP_UPDATE_ELEM`] and [`BPF_MAP_DELETE_ELEM`] read.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct MapElement {
    pub(crate) map_fd: u32,
    pub(crate) padding: u32,
    /// Address of the key.
    pub(crate) key: u64,
    /// Address of the value.
    pub(crate) value: u64,
    pub(crate) flags: u64,
}

/// What [`BPF_PROG_LOAD`] reads.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct ProgramLoad {
    pub(crate) prog_type: u32,
    pub(crate) insn_cnt: u32,
    /// Address of the instructions.
    pub(crate) insns: u64,
    /// Address of a string that a zero ends.
    pub(crate) license: u64,
    pub(crate) log_level: u32,
    pub(crate) log_size: u32,
    pub(crate) log_buf: u64,
    pub(crate) kern_version: u32,
    pub(crate) prog_flags: u32,
    pub(crate) prog_name: [u8; NAME],
    pub(crate) prog_ifindex: u32,
    pub(crate) expected_attach_type: u32,
}

/// What [`BPF_LINK_CREATE`] reads.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct LinkCreate {
    pub(crate) prog_fd: u32,
    pub(crate) target_ifindex: u32,
    pub(crate) attach_type: u32,
    pub(crate) flags: u32,
}

/// What [`BPF_OBJ_GET_INFO_BY_FD`] reads.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct ObjectInfo {
    pub(crate) bpf_fd: u32,
    pub(crate) info_len: u32,
    /// Address of the information.
    pub(crate) info: u64,
}

/// What `struct bpf_prog_info` begins with.
#[derive(Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct ProgramInfo {
    pub(crate) kind: u32,
    pub(crate) id: u32,
}

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Instruction {
    pub(crate) code: u8,
    /// Destination in the low four bits, source in the high ones.
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

/// An entry of the rings of received packets and of those to send: `struct xdp_desc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Descriptor {
    pub(crate) address: u64,
    pub(crate) length: u32,
    pub(crate) options: u32,
}

/// `struct ethtool_channels`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Channels {
    pub(crate) command: u32,
    pub(crate) most: [u32; 4],
    pub(crate) receive: u32,
    pub(crate) transmit: u32,
    pub(crate) other: u32,
    pub(crate) combined: u32,
}

/// Command of the ethtool ioctl: how many channels there are.
pub(crate) const ETHTOOL_GCHANNELS: u32 = 0x3c;

const _: () = {
    assert!(size_of::<MapCreate>() == 44);
    assert!(size_of::<MapElement>() == 32);
    assert!(size_of::<ProgramLoad>() == 72);
    assert!(size_of::<Instruction>() == 8);
    assert!(size_of::<Descriptor>() == size_of::<libc::xdp_desc>());
    assert!(size_of::<Channels>() == 36);
};
