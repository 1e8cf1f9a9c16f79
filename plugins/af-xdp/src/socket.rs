//! AF_XDP sockets, and how many channels an interface has.
#![allow(
    unsafe_code,
    reason = "AF_XDP sockets: socket(2), bind(2), setsockopt(2), getsockopt(2), sendto(2), recvfrom(2), ioctl(2)"
)]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use vnet::buffer::{Buffer, BufferPool};

use crate::abi::{Channels, ETHTOOL_GCHANNELS, XDP_MAX_TX_SKB_BUDGET};

/// Which ring of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Buffers for the kernel to fill.
    Fill,
    /// Packets that were received.
    Receive,
    /// Packets to send.
    Transmit,
    /// Buffers that were sent.
    Completion,
}

/// Integers without padding, for which all bits are good.
///
/// # Safety
/// That is what it is.
unsafe trait Plain: Copy {}

// SAFETY: integers of one size.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: integers of one size.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: two integers of 8 octets, then four of 4.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for i32 {}

/// An AF_XDP socket.
#[derive(Debug)]
pub(crate) struct XdpSocket(OwnedFd);

impl AsRawFd for XdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl XdpSocket {
    pub(crate) fn new() -> io::Result<Self> {
        open(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC).map(Self)
    }

    /// Lets the kernel fill and send all buffers of `pool`, which begin anywhere in its memory. The kernel has those whose addresses
    /// are put into its rings, and these come out of a ledger.
    pub(crate) fn register(&self, pool: &BufferPool) -> io::Result<()> {
        let (start, octets) = pool.arena().memory();
        let registration = libc::xdp_umem_reg {
            addr: start.expose_provenance() as u64,
            len: octets as u64,
            chunk_size: size_of::<Buffer>() as u32,
            headroom: 0,
            flags: libc::XDP_UMEM_UNALIGNED_CHUNK_FLAG,
            tx_metadata_len: 0,
        };
        self.set(libc::SOL_XDP, libc::XDP_UMEM_REG, &registration)
    }

    /// Makes a ring of `entries` entries.
    pub(crate) fn make_ring(&self, kind: Kind, entries: u32) -> io::Result<()> {
        let option = match kind {
            Kind::Fill => libc::XDP_UMEM_FILL_RING,
            Kind::Receive => libc::XDP_RX_RING,
            Kind::Transmit => libc::XDP_TX_RING,
            Kind::Completion => libc::XDP_UMEM_COMPLETION_RING,
        };
        self.set(libc::SOL_XDP, option, &entries)
    }

    /// Where the words and entries of rings are in their mappings.
    pub(crate) fn offsets(&self) -> io::Result<libc::xdp_mmap_offsets> {
        self.get(libc::XDP_MMAP_OFFSETS)
    }

    /// Makes it the socket of a queue of an interface. `shared` is a socket whose memory it shares.
    pub(crate) fn bind(
        &self,
        ifindex: u32,
        queue: u32,
        flags: u16,
        shared: Option<&Self>,
    ) -> io::Result<()> {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: flags,
            sxdp_ifindex: ifindex,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: shared.map_or(0, |shared| shared.as_raw_fd() as u32),
        };
        let length = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
        // SAFETY: the address lives through the call and is as long as said.
        check(unsafe { libc::bind(self.as_raw_fd(), ptr::from_ref(&address).cast(), length) })
    }

    /// What the kernel has counted since the socket was made.
    pub(crate) fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        self.get(libc::XDP_STATISTICS)
    }

    /// Lets as many octets as that be on their way in the device; as many as the host allows where the process is not privileged
    /// to have more.
    pub(crate) fn set_send_buffer(&self, octets: i32) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &octets)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_SNDBUF, &octets))
    }

    /// Has [`Self::kick`] send as many packets as that.
    pub(crate) fn set_budget(&self, packets: u32) -> io::Result<()> {
        self.set(libc::SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &packets)
    }

    /// Has the kernel send what is in the transmit ring.
    pub(crate) fn kick(&self) -> io::Result<()> {
        let (fd, flags) = (self.as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: no octets are sent, so none are read.
        let sent = unsafe { libc::sendto(fd, ptr::null(), 0, flags, ptr::null(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Has the driver look at the fill ring.
    pub(crate) fn wake(&self) -> io::Result<()> {
        let (fd, flags) = (self.as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: no octets are asked for, so none are written.
        let got = unsafe {
            libc::recvfrom(fd, ptr::null_mut(), 0, flags, ptr::null_mut(), ptr::null_mut())
        };
        if got < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set<T: Plain>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        let (fd, length) = (self.as_raw_fd(), size_of::<T>() as libc::socklen_t);
        // SAFETY: the value lives through the call and is as long as said.
        check(unsafe { libc::setsockopt(fd, level, option, ptr::from_ref(value).cast(), length) })
    }

    fn get<T: Plain>(&self, option: i32) -> io::Result<T> {
        let mut value = MaybeUninit::<T>::zeroed();
        let mut length = size_of::<T>() as libc::socklen_t;
        let (fd, place) = (self.as_raw_fd(), value.as_mut_ptr().cast());
        // SAFETY: the kernel writes no more than `length` octets, which are all of the value.
        check(unsafe { libc::getsockopt(fd, libc::SOL_XDP, option, place, &raw mut length) })?;
        // SAFETY: zeroed, and then written by the kernel; any bits will do.
        Ok(unsafe { value.assume_init() })
    }
}

/// How many receive queues the interface of that name has; `None` where its driver has none to tell of.
pub(crate) fn receive_queues(name: &str) -> io::Result<Option<u32>> {
    let socket = open(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)?;
    let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
    // SAFETY: integers, addresses and unions of them, for which zeros are good.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut channels).cast();
    // SAFETY: the kernel reads the request, which names the interface, and writes the channels, to which it has the address; both
    // live through the call.
    let asked =
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) });
    match asked {
        Ok(()) => Ok(Some(channels.receive + channels.combined)),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(family: i32, kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes plain values, and gives a new descriptor or -1.
    let fd = unsafe { libc::socket(family, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
