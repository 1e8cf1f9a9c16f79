//! What a device of the host receives beside frames for its own address, as long as somebody asks for it (packet(7)).
#![allow(unsafe_code, reason = "setsockopt(2) of packet sockets")]

use std::{io, os::fd::AsRawFd};

use socket2::{Domain, Socket, Type};
use zerocopy::{Immutable, IntoBytes};

const SOL_PACKET: i32 = 263;
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_DROP_MEMBERSHIP: i32 = 2;
/// [`Request::kind`]: all frames.
const MR_PROMISC: u16 = 1;
/// [`Request::kind`]: frames for a unicast address.
const MR_UNICAST: u16 = 3;

/// `struct packet_mreq`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Request {
    ifindex: i32,
    kind: u16,
    length: u16,
    address: [u8; 8],
}

/// What an interface of the host is asked to receive. It is asked no more when this goes, whichever way the process ends.
#[derive(Debug)]
pub struct Memberships {
    /// A packet socket that receives nothing.
    socket: Socket,
    ifindex: u32,
    /// For which address it was asked to receive.
    unicast: Option<[u8; 6]>,
}

impl Memberships {
    /// Asks the interface of that number for nothing yet.
    ///
    /// # Errors
    /// When the process may not open packet sockets (CAP_NET_RAW).
    pub fn new(ifindex: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        Ok(Self { socket, ifindex, unicast: None })
    }

    /// Asks for frames for `mac`, where that is not `own`, the address of the interface; and no more for those before.
    ///
    /// # Errors
    /// What the kernel has against it.
    pub fn receive_for(&mut self, mac: [u8; 6], own: Option<[u8; 6]>) -> io::Result<()> {
        if let Some(before) = self.unicast.take() {
            self.set(PACKET_DROP_MEMBERSHIP, MR_UNICAST, before)?;
        }
        if own != Some(mac) {
            self.set(PACKET_ADD_MEMBERSHIP, MR_UNICAST, mac)?;
            self.unicast = Some(mac);
        }
        Ok(())
    }

    /// Asks for all frames, or no more.
    ///
    /// # Errors
    /// What the kernel has against it.
    pub fn set_promiscuous(&self, on: bool) -> io::Result<()> {
        let option = if on { PACKET_ADD_MEMBERSHIP } else { PACKET_DROP_MEMBERSHIP };
        self.set(option, MR_PROMISC, [0; 6])
    }

    fn set(&self, option: i32, kind: u16, [a, b, c, d, e, f]: [u8; 6]) -> io::Result<()> {
        let address = [a, b, c, d, e, f, 0, 0];
        let request = Request { ifindex: self.ifindex as i32, kind, length: 6, address };
        let (fd, bytes) = (self.socket.as_raw_fd(), request.as_bytes());
        let length = bytes.len() as libc::socklen_t;
        // SAFETY: the request lives through the call and is as long as said.
        let set =
            unsafe { libc::setsockopt(fd, SOL_PACKET, option, bytes.as_ptr().cast(), length) };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
