//! Messages of the binary API.

use vnet::{
    api::{Retval, ethernet_types::mac_address, interface_types::interface_index},
    command::ApiError,
    plugin::Registrar,
};

use crate::{HostInterfaces, NewHostInterface, commands::MOST_QUEUES};

vnet::api! {
    /// The file `af_packet.api`.
    file AF_PACKET = "af_packet", [2, 0, 0], 0x5b12de21;
    enum af_packet_mode: u32 { AF_PACKET_API_MODE_ETHERNET = 1, AF_PACKET_API_MODE_IP = 2 };
    enum af_packet_flags: u32 {
        AF_PACKET_API_FLAG_QDISC_BYPASS = 1,
        AF_PACKET_API_FLAG_CKSUM_GSO = 2,
    } later { AF_PACKET_API_FLAG_VERSION_2 = 8 };
    call af_packet_create = 0xa190415f { hw_addr: mac_address, use_random_hw_addr: bool, host_if_name: [string; 64] }
        -> af_packet_create_reply = 0x5383d31f { sw_if_index: interface_index };
    call af_packet_create_v2 = 0x4aff0436 {
        hw_addr: mac_address,
        use_random_hw_addr: bool,
        host_if_name: [string; 64],
        rx_frame_size: u32,
        tx_frame_size: u32,
        rx_frames_per_block: u32,
        tx_frames_per_block: u32,
        flags: u32,
        num_rx_queues: u16 = 1,
    }
        -> af_packet_create_v2_reply = 0x5383d31f { sw_if_index: interface_index };
    call af_packet_create_v3 = 0xb3a809d4 {
        mode: af_packet_mode,
        hw_addr: mac_address,
        use_random_hw_addr: bool,
        host_if_name: [string; 64],
        rx_frame_size: u32,
        tx_frame_size: u32,
        rx_frames_per_block: u32,
        tx_frames_per_block: u32,
        flags: af_packet_flags,
        num_rx_queues: u16 = 1,
        num_tx_queues: u16 = 1,
    }
        -> af_packet_create_v3_reply = 0x5383d31f { sw_if_index: interface_index };
    call af_packet_delete = 0x863fa648 { host_if_name: [string; 64] }
        -> af_packet_delete_reply = 0xe8d4e804 {};
    call af_packet_set_l4_cksum_offload = 0x319cd5c8 { sw_if_index: interface_index, set: bool }
        -> af_packet_set_l4_cksum_offload_reply = 0xe8d4e804 {};
    dump af_packet_dump = 0x51077d14 {}
        -> af_packet_details = 0x58c7c042 { sw_if_index: interface_index, host_if_name: [string; 64] };
}

pub(crate) fn register(registrar: &mut Registrar, interfaces: &HostInterfaces) {
    let api = registrar.api();
    api.file(&AF_PACKET);
    let of = interfaces.clone();
    api.call(move |cx, request: af_packet_create| -> Result<_, Retval> {
        let af_packet_create { hw_addr, use_random_hw_addr, host_if_name } = request;
        let new = asked(host_if_name.as_str(), (!use_random_hw_addr).then_some(hw_addr));
        let sw_if_index = cx.with(|main| of.create(main, &new))?.0;
        Ok(af_packet_create_reply { sw_if_index })
    });
    let of = interfaces.clone();
    api.call(move |cx, request: af_packet_create_v2| -> Result<_, Retval> {
        let af_packet_create_v2 { hw_addr, use_random_hw_addr, host_if_name, .. } = request;
        let new = asked(host_if_name.as_str(), (!use_random_hw_addr).then_some(hw_addr));
        let new = NewHostInterface { rx_queues: queues(request.num_rx_queues)?, ..new };
        let sw_if_index = cx.with(|main| of.create(main, &new))?.0;
        Ok(af_packet_create_v2_reply { sw_if_index })
    });
    let of = interfaces.clone();
    api.call(move |cx, request: af_packet_create_v3| -> Result<_, Retval> {
        let new = NewHostInterface::try_from(request)?;
        let sw_if_index = cx.with(|main| of.create(main, &new))?.0;
        Ok(af_packet_create_v3_reply { sw_if_index })
    });
    let of = interfaces.clone();
    api.call(move |cx, request: af_packet_delete| {
        cx.with(|main| of.delete(main, request.host_if_name.as_str()))
    });
    let of = interfaces.clone();
    api.dump(move |_, _: af_packet_dump| {
        of.all().into_iter().map(|(interface, host_name)| af_packet_details {
            sw_if_index: interface.0,
            host_if_name: host_name.into(),
        })
    });
}

/// What `create host-interface` asks for by itself.
fn asked(name: &str, mac: Option<[u8; 6]>) -> NewHostInterface {
    NewHostInterface {
        name: name.to_owned(),
        mac,
        rx_queues: 1,
        tx_queues: 1,
        ip: false,
        bypass_qdisc: true,
        offloads: true,
        v2: false,
        listening: None,
    }
}

/// Sizes of frames and blocks are those that the rings have by themselves: requests for others have no effect.
impl TryFrom<af_packet_create_v3> for NewHostInterface {
    type Error = ApiError;

    fn try_from(request: af_packet_create_v3) -> Result<Self, ApiError> {
        let bypass = af_packet_flags::AF_PACKET_API_FLAG_QDISC_BYPASS;
        let offloads = af_packet_flags::AF_PACKET_API_FLAG_CKSUM_GSO;
        let v2 = af_packet_flags::AF_PACKET_API_FLAG_VERSION_2;
        if !(bypass | offloads | v2).contains(request.flags) {
            return Err(ApiError::InvalidValue);
        }
        let mac = (!request.use_random_hw_addr).then_some(request.hw_addr);
        Ok(Self {
            rx_queues: queues(request.num_rx_queues)?,
            tx_queues: queues(request.num_tx_queues)?,
            ip: match request.mode {
                af_packet_mode::AF_PACKET_API_MODE_ETHERNET => false,
                af_packet_mode::AF_PACKET_API_MODE_IP => true,
                _ => return Err(ApiError::InvalidValue),
            },
            bypass_qdisc: request.flags.contains(bypass),
            offloads: request.flags.contains(offloads),
            v2: request.flags.contains(v2),
            ..asked(request.host_if_name.as_str(), mac)
        })
    }
}

/// None is one, as with VPP.
fn queues(asked: u16) -> Result<u16, ApiError> {
    if asked <= MOST_QUEUES { Ok(asked.max(1)) } else { Err(ApiError::InvalidValue) }
}
