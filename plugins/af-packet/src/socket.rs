//! Packet sockets.
#![allow(
    unsafe_code,
    reason = "packet sockets: socket(2), bind(2), setsockopt(2), getsockopt(2), send(2)"
)]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::abi::{
    Address, FANOUT_FLAG_IGNORE_OUTGOING, FANOUT_FLAG_UNIQUEID, FANOUT_HASH, PACKET_FANOUT,
    PACKET_IGNORE_OUTGOING, PACKET_QDISC_BYPASS, PACKET_RX_RING, PACKET_STATISTICS, PACKET_TX_RING,
    PACKET_VERSION, PACKET_VNET_HDR, RingRequest, SOL_PACKET, Statistics, Version,
};

/// All protocols, in network byte order.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();

/// Which ring of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    Receive,
    Transmit,
}

/// A packet socket, which receives nothing until it is bound.
pub(crate) struct PacketSocket(OwnedFd);

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl PacketSocket {
    /// Its packets begin with their link header.
    pub(crate) fn new() -> io::Result<Self> {
        Self::open(libc::SOCK_RAW)
    }

    /// Its packets begin behind their link header, whatever that is.
    pub(crate) fn without_link() -> io::Result<Self> {
        Self::open(libc::SOCK_DGRAM)
    }

    fn open(kind: i32) -> io::Result<Self> {
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: takes plain values, and gives a new descriptor or -1.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, so nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Receives from the interface `ifindex` from now on.
    pub(crate) fn receive_from(&self, ifindex: u32) -> io::Result<()> {
        self.bind(ifindex, ALL_PROTOCOLS)
    }

    /// Sends to the interface `ifindex`, and receives nothing.
    pub(crate) fn send_to(&self, ifindex: u32) -> io::Result<()> {
        self.bind(ifindex, 0)
    }

    fn bind(&self, ifindex: u32, protocol: u16) -> io::Result<()> {
        let address = Address {
            family: libc::AF_PACKET as u16,
            protocol,
            ifindex: ifindex as i32,
            hatype: 0,
            pkttype: 0,
            halen: 0,
            addr: [0; 8],
        };
        let length = size_of::<Address>() as libc::socklen_t;
        // SAFETY: the address lives through the call and is as long as said.
        check(unsafe { libc::bind(self.as_raw_fd(), ptr::from_ref(&address).cast(), length) })
    }

    /// Chooses the version of rings to come.
    pub(crate) fn set_version(&self, version: Version) -> io::Result<()> {
        self.set(SOL_PACKET, PACKET_VERSION, &version.number())
    }

    /// Has a virtio-net header in front of each packet of rings to come.
    pub(crate) fn set_offloads(&self) -> io::Result<()> {
        self.set(SOL_PACKET, PACKET_VNET_HDR, &1_i32)
    }

    /// Does not receive what the host sends by the interface.
    pub(crate) fn ignore_outgoing(&self) -> io::Result<()> {
        self.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// Hands packets to the device past its queueing discipline.
    pub(crate) fn bypass_qdisc(&self) -> io::Result<()> {
        self.set(SOL_PACKET, PACKET_QDISC_BYPASS, &1_i32)
    }

    /// Lets as many octets as that wait in the device; a half of them, where the process is not privileged to have more than
    /// the host allows.
    pub(crate) fn set_send_buffer(&self, octets: i32) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &octets)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_SNDBUF, &octets))
    }

    /// Makes a ring; the one before, if any, must not be mapped any more. No blocks are no ring.
    pub(crate) fn set_ring(
        &self,
        ring: Ring,
        version: Version,
        request: &RingRequest,
    ) -> io::Result<()> {
        let option = match ring {
            Ring::Receive => PACKET_RX_RING,
            Ring::Transmit => PACKET_TX_RING,
        };
        let length = match version {
            Version::V2 => 4 * size_of::<u32>(),
            Version::V3 => size_of::<RingRequest>(),
        };
        self.set_bytes(SOL_PACKET, option, &request.as_bytes()[..length])
    }

    /// Joins the group of sockets that share the packets of their interface by a hash of their flows: a new one, or the one of
    /// that number. Returns its number.
    /// All members say alike whether the group leaves out what the host itself sends.
    pub(crate) fn join_fanout(
        &self,
        group: Option<u16>,
        ignores_outgoing: bool,
    ) -> io::Result<u16> {
        let unique = if group.is_none() { FANOUT_FLAG_UNIQUEID } else { 0 };
        let outgoing = if ignores_outgoing { FANOUT_FLAG_IGNORE_OUTGOING } else { 0 };
        let mode = FANOUT_HASH | unique | outgoing;
        let value = (u32::from(mode) << 16) | u32::from(group.unwrap_or(0));
        self.set(SOL_PACKET, PACKET_FANOUT, &value)?;
        Ok(self.get::<u32>(SOL_PACKET, PACKET_FANOUT)? as u16)
    }

    /// Lets packets in, whole.
    pub(crate) fn let_all_in(&self) -> io::Result<()> {
        match self.set(libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// Lets in the first `octets` of each packet, or nothing where that is 0: by a filter, since a socket in a fanout group
    /// cannot be bound to nothing.
    pub(crate) fn let_in(&self, octets: u32) -> io::Result<()> {
        // BPF_RET | BPF_K: so much of the packet is taken.
        let mut take = libc::sock_filter { code: 6, jt: 0, jf: 0, k: octets };
        let program = libc::sock_fprog { len: 1, filter: &raw mut take };
        let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
        let (fd, value) = (self.as_raw_fd(), ptr::from_ref(&program).cast());
        // SAFETY: the program and its one instruction live through the call, and the kernel copies them.
        check(unsafe {
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, value, length)
        })
    }

    /// What was counted since the last call.
    pub(crate) fn take_statistics(&self) -> io::Result<Statistics> {
        self.get(SOL_PACKET, PACKET_STATISTICS)
    }

    /// Takes the error that makes the descriptor ready until somebody does.
    pub(crate) fn take_error(&self) -> io::Result<()> {
        match self.get::<i32>(libc::SOL_SOCKET, libc::SO_ERROR)? {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// Has the kernel send what is in the transmit ring.
    pub(crate) fn kick(&self) -> io::Result<()> {
        // SAFETY: no octets are sent, so none are read.
        let sent = unsafe { libc::send(self.as_raw_fd(), ptr::null(), 0, libc::MSG_DONTWAIT) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set<T: IntoBytes + Immutable>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        self.set_bytes(level, option, value.as_bytes())
    }

    fn set_bytes(&self, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
        let (fd, length) = (self.as_raw_fd(), value.len() as libc::socklen_t);
        // SAFETY: the value lives through the call and is as long as said.
        check(unsafe { libc::setsockopt(fd, level, option, value.as_ptr().cast(), length) })
    }

    fn get<T: FromBytes + IntoBytes>(&self, level: i32, option: i32) -> io::Result<T> {
        let mut value = T::new_zeroed();
        let mut length = size_of::<T>() as libc::socklen_t;
        let (fd, place) = (self.as_raw_fd(), value.as_mut_bytes().as_mut_ptr().cast());
        // SAFETY: the kernel writes no more than `length` octets, which are all of a value for which any octets will do.
        check(unsafe { libc::getsockopt(fd, level, option, place, &raw mut length) })?;
        Ok(value)
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
