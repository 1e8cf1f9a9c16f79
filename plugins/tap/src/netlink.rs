//! What a TAP interface asks of its host by rtnetlink (RFC 3549): to set up its other end.
//!
//! All of it speaks to the network namespace of the calling thread.

use std::{io, net::IpAddr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use vnet::{command::value::IpWithLength, host::request};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_not_cannot_be_set_up() {
        assert_eq!(set_up(1 << 30).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
