//! The messages of `punt.api`. What is punted is counted and nobody takes it: there are no clients of it and no sockets, and the
//! reasons are those of errors, which have no numbers of their own. So none of these is answered.

use vnet::api::ip_types::{address_family, ip_proto};

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
