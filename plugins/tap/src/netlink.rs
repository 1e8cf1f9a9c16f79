//! What a TAP interface asks of its host by rtnetlink (RFC 3549): to find interfaces, and to set up its own.
//!
//! All of it speaks to the network namespace of the calling thread.

use std::{io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use vnet::command::value::IpWithLength;

/// Octets of room for one answer: a message about an interface with many attributes has some 2,000.
const ANSWER: usize = 1 << 16;

/// An interface of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub(crate) index: u32,
    /// Its MAC address, where it has one.
    pub(crate) mac: Option<[u8; 6]>,
    /// The largest packet behind its link header, in octets.
    pub(crate) mtu: u32,
}

/// The interface called `name`; `None` when there is none.
pub(crate) fn find(name: &str) -> io::Result<Option<Link>> {
    let mut asked = LinkMessage::default();
    asked.attributes.push(LinkAttribute::IfName(name.to_owned()));
    match request(RouteNetlinkMessage::GetLink(asked), 0)? {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(Some(read(&link))),
        NetlinkPayload::Error(error) if error.raw_code() == -libc::ENODEV => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn read(message: &LinkMessage) -> Link {
    let mut link = Link { index: message.header.index, mac: None, mtu: 0 };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok(),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    link
}

/// Changes one attribute of an interface.
pub(crate) fn set(index: u32, attribute: LinkAttribute) -> io::Result<()> {
    let mut order = LinkMessage::default();
    order.header.index = index;
    order.attributes.push(attribute);
    acknowledged(RouteNetlinkMessage::SetLink(order), 0)
}

/// Sets an interface up.
pub(crate) fn set_up(index: u32) -> io::Result<()> {
    let mut order = LinkMessage::default();
    order.header.index = index;
    order.header.flags = LinkFlags::Up;
    order.header.change_mask = LinkFlags::Up;
    acknowledged(RouteNetlinkMessage::SetLink(order), 0)
}

/// Gives an interface an address.
pub(crate) fn add_address(index: u32, address: IpWithLength) -> io::Result<()> {
    let mut order = AddressMessage::default();
    order.header.family = family(address.address);
    order.header.prefix_len = address.length;
    order.header.index = index;
    order.attributes =
        vec![AddressAttribute::Local(address.address), AddressAttribute::Address(address.address)];
    acknowledged(RouteNetlinkMessage::NewAddress(order), NLM_F_CREATE | NLM_F_EXCL)
}

/// Adds a default route by way of a gateway on an interface.
pub(crate) fn add_default_route(index: u32, gateway: IpAddr) -> io::Result<()> {
    let mut order = RouteMessage::default();
    order.header = RouteHeader {
        address_family: family(gateway),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    order.attributes = vec![RouteAttribute::Gateway(gateway.into()), RouteAttribute::Oif(index)];
    acknowledged(RouteNetlinkMessage::NewRoute(order), NLM_F_CREATE | NLM_F_EXCL)
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn acknowledged(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    match request(message, NLM_F_ACK | flags)? {
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The kernel's answer, which it gives before it returns from the call.
fn request(
    message: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<NetlinkPayload<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let payload = NetlinkPayload::from(message);
    let mut question = NetlinkMessage::new(NetlinkHeader::default(), payload);
    question.header.flags = NLM_F_REQUEST | flags;
    question.finalize();
    let mut bytes = vec![0; question.buffer_len()];
    question.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut answer = Vec::with_capacity(ANSWER);
    socket.recv(&mut answer, 0)?;
    NetlinkMessage::deserialize(&answer)
        .map(|answer| answer.payload)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_loopback_interface_is_found_by_its_name() {
        let lo = find("lo").unwrap().unwrap();
        assert_eq!((lo.index, lo.mac), (1, Some([0; 6])));
        assert_eq!(find("no-such-link").unwrap(), None);
        assert_eq!(set_up(1 << 30).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
