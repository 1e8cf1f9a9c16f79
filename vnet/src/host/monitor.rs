//! Changes of the host's network interfaces, as they happen.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{RouteNetlinkMessage, link::LinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{Link, link};

/// The group whose members are told of interfaces (RTNLGRP_LINK).
const LINK_GROUP: u32 = 1;
/// Octets of room for what comes at once.
const ROOM: usize = 1 << 16;
/// A netlink message starts at a multiple of this.
const ALIGNMENT: usize = 4;

/// What happened to an interface of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is new, or something of it is.
    Changed(Link),
    /// The one of this number is gone, or is in another network namespace now.
    Gone(u32),
    /// So much happened that some of it is not known: whoever needs to know asks anew.
    Missed,
}

/// Is told of all changes from when it was made.
pub struct LinkMonitor {
    socket: Socket,
    room: Vec<u8>,
}

impl LinkMonitor {
    /// Listens from now on, to the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(LINK_GROUP)?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, room: Vec::with_capacity(ROOM) })
    }

    /// Asks how the interface of that number is now, which [`Self::take`] tells as if it had just come to be so.
    ///
    /// # Errors
    /// When the kernel does not take the question.
    pub fn ask(&self, index: u32) -> io::Result<()> {
        let mut asked = LinkMessage::default();
        asked.header.index = index;
        // The number comes back with the answer, also with one that says that there is no such interface.
        let question = link::bytes(RouteNetlinkMessage::GetLink(asked), 0, index);
        self.socket.send_to(&question, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// What has happened until now.
    pub fn take(&mut self) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        loop {
            self.room.clear();
            match self.socket.recv(&mut self.room, 0) {
                Ok(_) => read(&self.room, &mut events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return events,
                // The queue was full. What is in it is still to be read.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    events.push(LinkEvent::Missed);
                }
                Err(_) => {
                    events.push(LinkEvent::Missed);
                    return events;
                }
            }
        }
    }
}

impl AsRawFd for LinkMonitor {
    /// Can be read when something has happened.
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The events of a datagram.
fn read(mut bytes: &[u8], events: &mut Vec<LinkEvent>) {
    while !bytes.is_empty() {
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
            events.push(LinkEvent::Missed);
            return;
        };
        let length = (message.header.length as usize).next_multiple_of(ALIGNMENT);
        bytes = bytes.get(length.max(ALIGNMENT)..).unwrap_or_default();
        match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                events.push(LinkEvent::Changed(Link::of(&link)));
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
                events.push(LinkEvent::Gone(link.header.index));
            }
            NetlinkPayload::Error(error) if error.raw_code() == -libc::ENODEV => {
                events.push(LinkEvent::Gone(message.header.sequence_number));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_answered_as_a_change() {
        let mut monitor = LinkMonitor::new().unwrap();
        monitor.ask(1).unwrap();
        monitor.ask(1 << 30).unwrap();
        let events = monitor.take();
        let lo = Link::numbered(1).unwrap().unwrap();
        assert!(events.contains(&LinkEvent::Changed(lo)), "{events:?}");
        assert!(events.contains(&LinkEvent::Gone(1 << 30)), "{events:?}");
    }
}
