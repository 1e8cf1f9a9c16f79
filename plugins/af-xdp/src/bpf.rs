//! bpf(2): maps of sockets, programs, and links between programs and interfaces. All go when their descriptors are closed.
#![allow(unsafe_code, reason = "bpf(2)")]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use zerocopy::{Immutable, IntoBytes};

use crate::abi::{
    BPF_F_XDP_HAS_FRAGS, BPF_LINK_CREATE, BPF_MAP_CREATE, BPF_MAP_DELETE_ELEM, BPF_MAP_TYPE_XSKMAP,
    BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_LOAD, BPF_PROG_TYPE_XDP, BPF_XDP,
    Instruction, LinkCreate, MapCreate, MapElement, NAME, ObjectInfo, ProgramInfo, ProgramLoad,
};

/// Which socket gets the packets of which receive queue.
#[derive(Debug)]
pub(crate) struct SocketMap(OwnedFd);

impl SocketMap {
    /// A map for queues below `queues`, in which there are no sockets.
    pub(crate) fn new(name: &str, queues: u32) -> io::Result<Self> {
        let attributes = MapCreate {
            map_type: BPF_MAP_TYPE_XSKMAP,
            key_size: size_of::<u32>() as u32,
            value_size: size_of::<u32>() as u32,
            max_entries: queues,
            map_name: name_of(name),
            ..MapCreate::default()
        };
        create(BPF_MAP_CREATE, &attributes).map(Self)
    }

    /// Gives packets of `queue` to a socket from now on.
    pub(crate) fn set(&self, queue: u32, socket: &impl AsRawFd) -> io::Result<()> {
        let value = socket.as_raw_fd();
        let attributes = self.element(&queue, (&raw const value).addr() as u64);
        call(BPF_MAP_UPDATE_ELEM, &attributes).map(drop)
    }

    /// Gives packets of `queue` to no socket from now on.
    pub(crate) fn clear(&self, queue: u32) -> io::Result<()> {
        call(BPF_MAP_DELETE_ELEM, &self.element(&queue, 0)).map(drop)
    }

    fn element(&self, key: &u32, value: u64) -> MapElement {
        let key = std::ptr::from_ref(key).addr() as u64;
        MapElement { map_fd: number(&self.0), key, value, ..MapElement::default() }
    }
}

impl AsRawFd for SocketMap {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// A program for interfaces.
#[derive(Debug)]
pub(crate) struct Program(OwnedFd);

impl Program {
    /// Has the kernel check `instructions`.
    pub(crate) fn load(name: &str, instructions: &[Instruction]) -> io::Result<Self> {
        let license = c"Apache-2.0";
        let attributes = ProgramLoad {
            prog_type: BPF_PROG_TYPE_XDP,
            insn_cnt: instructions.len() as u32,
            insns: instructions.as_ptr().addr() as u64,
            license: license.as_ptr().addr() as u64,
            prog_flags: BPF_F_XDP_HAS_FRAGS,
            prog_name: name_of(name),
            expected_attach_type: BPF_XDP,
            ..ProgramLoad::default()
        };
        create(BPF_PROG_LOAD, &attributes).map(Self)
    }

    /// The number that `ip link` and bpftool show.
    pub(crate) fn id(&self) -> io::Result<u32> {
        let mut info = ProgramInfo::default();
        let attributes = ObjectInfo {
            bpf_fd: number(&self.0),
            info_len: size_of::<ProgramInfo>() as u32,
            info: (&raw mut info).expose_provenance() as u64,
        };
        call(BPF_OBJ_GET_INFO_BY_FD, &attributes)?;
        Ok(info.id)
    }

    /// Runs it for packets of the interface `ifindex` as long as the link is there. `flags` say where.
    pub(crate) fn attach(&self, ifindex: u32, flags: u32) -> io::Result<Link> {
        let attributes = LinkCreate {
            prog_fd: number(&self.0),
            target_ifindex: ifindex,
            attach_type: BPF_XDP,
            flags,
        };
        create(BPF_LINK_CREATE, &attributes).map(Link)
    }
}

/// What keeps a program on an interface. It goes with the process, whichever way that ends.
#[derive(Debug)]
pub(crate) struct Link(#[expect(dead_code, reason = "closed when it is dropped")] OwnedFd);

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd() as u32
}

fn name_of(name: &str) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

fn create(command: i32, attributes: &(impl IntoBytes + Immutable)) -> io::Result<OwnedFd> {
    let fd = call(command, attributes)?;
    // SAFETY: these commands return a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What is at addresses in `attributes` lives through the call: each caller has it borrowed or on its stack.
fn call(command: i32, attributes: &(impl IntoBytes + Immutable)) -> io::Result<i32> {
    let bytes = attributes.as_bytes();
    // SAFETY: the kernel reads as many octets as said, and what they have the addresses of: values of this module's callers, of the
    // sizes that their commands have. It writes only to `info` of `Program::id`, which is as long as said.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, bytes.as_ptr(), bytes.len()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
