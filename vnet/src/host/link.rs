//! A network interface of the host, and how to ask for one.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Octets of room for one answer: a message about an interface with many attributes has some 2,000.
const ANSWER: usize = 1 << 16;

/// What the frames of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Ip,
    /// Something else.
    Other,
}

/// A network interface of the host, as it was when it was asked for or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC address, where it has one.
    pub mac: Option<[u8; 6]>,
    /// The largest packet behind its link header, in octets.
    pub mtu: u32,
    /// What its frames begin with.
    pub layer: LinkLayer,
    /// Whether it is a loopback interface, which receives what it sends.
    pub loopback: bool,
    /// The host has set it up.
    pub up: bool,
    /// It has a carrier; none counts while it is down.
    pub carrier: bool,
    /// Receive queues that there are at most, where the host says so.
    pub rx_queues: Option<u32>,
    /// It is made by software, so that what comes from it may have been on no wire.
    pub is_virtual: bool,
}

impl Link {
    /// The interface called `name`; `None` when there is none.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        // No interface has a longer one, and what is much longer does not fit into a message.
        if name.is_empty() || name.len() >= libc::IFNAMSIZ {
            return Ok(None);
        }
        let mut asked = LinkMessage::default();
        asked.attributes.push(LinkAttribute::IfName(name.to_owned()));
        ask(asked)
    }

    /// The interface of this number; `None` when there is none.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn numbered(index: u32) -> io::Result<Option<Self>> {
        let mut asked = LinkMessage::default();
        asked.header.index = index;
        ask(asked)
    }

    /// Sets it up.
    ///
    /// # Errors
    /// When the process may not, or there is none of its number any more.
    pub fn set_up(&self) -> io::Result<()> {
        let mut order = LinkMessage::default();
        order.header.index = self.index;
        order.header.flags = LinkFlags::Up;
        order.header.change_mask = LinkFlags::Up;
        match request(RouteNetlinkMessage::SetLink(order), NLM_F_ACK)? {
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            _ => Ok(()),
        }
    }

    /// Whether packets can pass.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    pub(super) fn of(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: None,
            mtu: 0,
            layer: match message.header.link_layer_type {
                // The loopback interface has Ethernet headers of zeros.
                LinkLayerType::Ether | LinkLayerType::Loopback => LinkLayer::Ethernet,
                LinkLayerType::None => LinkLayer::Ip,
                _ => LinkLayer::Other,
            },
            loopback: flags.contains(LinkFlags::Loopback),
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            rx_queues: None,
            is_virtual: false,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok(),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::NumRxQueues(queues) => link.rx_queues = Some(*queues),
                LinkAttribute::LinkInfo(infos) => {
                    link.is_virtual |= infos.iter().any(|info| matches!(info, LinkInfo::Kind(_)));
                }
                _ => {}
            }
        }
        link
    }
}

fn ask(asked: LinkMessage) -> io::Result<Option<Link>> {
    match request(RouteNetlinkMessage::GetLink(asked), 0)? {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
            Ok(Some(Link::of(&link)))
        }
        NetlinkPayload::Error(error) if error.raw_code() == -libc::ENODEV => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// What the kernel answers to a message of rtnetlink, which it does before it returns from the call. `flags` come on top of those
/// of every request (RFC 3549, 2.3.2).
///
/// # Errors
/// When the kernel cannot be asked, or its answer cannot be read. What it has against the request is an answer.
pub fn request(
    message: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<NetlinkPayload<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&bytes(message, flags, 0), 0)?;
    let mut answer = Vec::with_capacity(ANSWER);
    socket.recv(&mut answer, 0)?;
    NetlinkMessage::deserialize(&answer)
        .map(|answer| answer.payload)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// A request as it is sent, with a number that comes back with the answer.
pub(super) fn bytes(message: RouteNetlinkMessage, flags: u16, sequence_number: u32) -> Vec<u8> {
    let payload = NetlinkPayload::from(message);
    let mut request = NetlinkMessage::new(NetlinkHeader::default(), payload);
    request.header.flags = NLM_F_REQUEST | flags;
    request.header.sequence_number = sequence_number;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_loopback_interface_is_found_by_name_and_by_number() {
        let lo = Link::named("lo").unwrap().unwrap();
        assert_eq!((lo.index, lo.name.as_str(), lo.layer), (1, "lo", LinkLayer::Ethernet));
        assert_eq!(Link::numbered(1).unwrap(), Some(lo));
        assert_eq!(Link::named("no-such-link").unwrap(), None);
        assert_eq!(Link::numbered(1 << 30).unwrap(), None);
    }
}
