//! Changes of the host's network interfaces, as they happen.

use std::{io, os::fd::AsRawFd};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

use super::Link;
use crate::process::{Cx, Interest};

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

    /// Waits for the next changes: at least one.
    pub async fn next(&mut self, cx: &Cx) -> Vec<LinkEvent> {
        loop {
            let events = self.take();
            if !events.is_empty() {
                return events;
            }
            cx.ready(&self.socket.as_raw_fd(), Interest::Readable).await;
        }
    }

    /// What has happened until now.
    fn take(&mut self) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        loop {
            self.room.clear();
            match self.socket.recv(&mut self.room, 0) {
                Ok(_) => read(&self.room, &mut events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return events,
                // ENOBUFS: the queue was full.
                Err(_) => {
                    events.push(LinkEvent::Missed);
                    return events;
                }
            }
        }
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
            _ => {}
        }
    }
}
