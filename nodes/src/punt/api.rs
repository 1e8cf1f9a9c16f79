//! The messages of `punt.api`. There are no sockets of clients, and no reasons that have numbers of their own.

use vnet::{
    api::{
        Api, Retval,
        ip_types::{address_family, ip_proto},
    },
    command::ApiError,
    fib::Family,
    runtime::Main,
};

use super::order::{Orders, PuntError, What};

/// The port that stands for all.
const ALL_PORTS: u16 = u16::MAX;

vnet::api! {
    /// The file `punt.api`.
    file PUNT = "punt", [2, 2, 1], 0x24d11934;
    enum punt_type: u32 { PUNT_API_TYPE_L4 = 0, PUNT_API_TYPE_IP_PROTO = 1, PUNT_API_TYPE_EXCEPTION = 2 };
    union punt_union[4] { exception: punt_exception, l4: punt_l4, ip_proto: punt_ip_proto };
    record punt_l4 { af: address_family, protocol: ip_proto, port: u16 };
    record punt_ip_proto { af: address_family, protocol: ip_proto };
    record punt_exception { id: u32 };
    record punt { r#type: punt_type, punt: punt_union };
    record punt_reason { id: u32, name: string };
    call set_punt = 0x47d0e347 { is_add: bool, punt: punt }
        -> set_punt_reply = 0xe8d4e804 {};
    call punt_socket_register = 0x7875badb { header_version: u32, punt: punt, pathname: [string; 108] }
        -> punt_socket_register_reply = 0xbd30ae90 { pathname: [string; 108] };
    dump punt_socket_dump = 0x916fb004 { r#type: punt_type }
        -> punt_socket_details = 0x330466e4 { punt: punt, pathname: [string; 108] };
    call punt_socket_deregister = 0x75afa766 { punt: punt }
        -> punt_socket_deregister_reply = 0xe8d4e804 {};
    dump punt_reason_dump = 0x5c0dd4fe { reason: punt_reason }
        -> punt_reason_details = 0x2c9d4a40 { reason: punt_reason };
}

pub(super) fn register(api: &mut Api, orders: &Orders) {
    api.file(&PUNT);
    let of = orders.clone();
    api.call(move |cx, request: set_punt| cx.with(|main| set(main, &of, &request)));
}

fn set(main: &mut Main, orders: &Orders, request: &set_punt) -> Result<(), Retval> {
    // The union's octets are a family, a protocol and a port, or the number of a reason.
    let punt_union(octets @ [af, protocol, high, low]) = request.punt.punt;
    let port = u16::from_be_bytes([high, low]);
    let what = match request.punt.r#type {
        punt_type::PUNT_API_TYPE_L4 => {
            What::of_ports(protocol, Some(port).filter(|&port| port != ALL_PORTS))?
        }
        punt_type::PUNT_API_TYPE_IP_PROTO => What::Protocol(protocol),
        punt_type::PUNT_API_TYPE_EXCEPTION => {
            return Err(PuntError::NoReason(u32::from_be_bytes(octets)).into());
        }
        _ => return Err(ApiError::InvalidValue.into()),
    };
    let family = family_of(address_family(af))?;
    match request.is_add {
        true => orders.add(main, family, what)?,
        false => orders.remove(main, family, what)?,
    }
    Ok(())
}

/// The family that a message names.
pub(super) fn family_of(af: address_family) -> Result<Family, ApiError> {
    match af {
        address_family::ADDRESS_IP4 => Ok(Family::Ip4),
        address_family::ADDRESS_IP6 => Ok(Family::Ip6),
        _ => Err(ApiError::InvalidAddressFamily),
    }
}
