//! The messages of `punt.api`. There are no reasons that have numbers of their own.

use std::path::PathBuf;

use vnet::{
    api::{
        Api, Retval,
        ip_types::{address_family, ip_proto},
    },
    command::ApiError,
    fib::Family,
};

use super::{
    order::{Orders, PuntError, Taker, What},
    socket::VERSION,
};

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
    api.call(move |cx, request: set_punt| {
        let (family, what) = named(&request.punt)?;
        cx.with(|main| match request.is_add {
            true => of.add(main, family, what, Taker::Arc),
            false => of.remove(main, family, what, false),
        })
        .map_err(Retval::from)
    });
    let of = orders.clone();
    api.call(move |cx, request: punt_socket_register| {
        let punt_socket_register { header_version, punt, pathname } = request;
        let (family, what) = named(&punt)?;
        if header_version != VERSION {
            return Err(Retval::from(PuntError::Version));
        }
        let client = Taker::Client(PathBuf::from(pathname.as_str()));
        cx.with(|main| {
            of.add(main, family, what, client)?;
            let own = of.socket(main).unwrap_or_default();
            Ok(punt_socket_register_reply { pathname: own.display().to_string().into() })
        })
    });
    let of = orders.clone();
    api.call(move |cx, request: punt_socket_deregister| {
        let (family, what) = named(&request.punt)?;
        Ok::<_, Retval>(cx.with(|main| of.remove(main, family, what, true))?)
    });
    let of = orders.clone();
    api.dump(move |_, request: punt_socket_dump| {
        let all = of.clients().into_iter().map(|(family, what, path)| punt_socket_details {
            punt: told(family, what),
            pathname: path.display().to_string().into(),
        });
        all.filter(move |details| details.punt.r#type == request.r#type)
    });
}

/// What a message names.
fn named(of: &punt) -> Result<(Family, What), Retval> {
    // The union's octets are a family, a protocol and a port, or the number of a reason.
    let punt_union(octets @ [af, protocol, high, low]) = of.punt;
    let port = u16::from_be_bytes([high, low]);
    let what = match of.r#type {
        punt_type::PUNT_API_TYPE_L4 => {
            What::of_ports(protocol, Some(port).filter(|&port| port != ALL_PORTS))?
        }
        punt_type::PUNT_API_TYPE_IP_PROTO => What::Protocol(protocol),
        punt_type::PUNT_API_TYPE_EXCEPTION => {
            return Err(PuntError::NoReason(u32::from_be_bytes(octets)).into());
        }
        _ => return Err(ApiError::InvalidValue.into()),
    };
    Ok((address_family(af).try_into()?, what))
}

/// The same the other way round.
fn told(family: Family, what: What) -> punt {
    let af = address_family::from(family);
    let (r#type, protocol, port) = match what {
        What::Udp(port) => (punt_type::PUNT_API_TYPE_L4, ip_proto::IP_API_PROTO_UDP.0, port),
        What::UnknownUdp => (punt_type::PUNT_API_TYPE_L4, ip_proto::IP_API_PROTO_UDP.0, ALL_PORTS),
        What::Protocol(number) => (punt_type::PUNT_API_TYPE_IP_PROTO, number, 0),
    };
    let [high, low] = port.to_be_bytes();
    punt { r#type, punt: punt_union([af.0, protocol, high, low]) }
}
