//! Messages of the binary API.

use vnet::{
    api::{Retval, interface_types::interface_index},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
};

use crate::{
    Copying, Mode, NewXdpInterface, XdpInterfaces,
    commands::{ENTRIES, FEWEST_ENTRIES, MOST_ENTRIES, MOST_QUEUES},
};

vnet::api! {
    /// The file `af_xdp.api`.
    file AF_XDP = "af_xdp", [1, 1, 0], 0x2d18a436;
    enum af_xdp_mode: u32 { AF_XDP_API_MODE_AUTO = 0, AF_XDP_API_MODE_COPY = 1, AF_XDP_API_MODE_ZERO_COPY = 2 };
    flags af_xdp_flag: u8 {
        AF_XDP_API_FLAGS_NO_SYSCALL_LOCK = 1,
    } later { AF_XDP_API_FLAGS_MAC_REUSE = 2, AF_XDP_API_FLAGS_MULTI_BUFFER = 4 };
    call af_xdp_create_v3 = 0xcf4b1827 {
        host_if: [string; 64],
        name: [string; 64],
        rxq_num: u16 = 1,
        rxq_size: u16 = 0,
        txq_size: u16 = 0,
        mode: af_xdp_mode = 0,
        flags: af_xdp_flag = 0,
        prog: [string; 256],
        netns: [string; 64],
    }
        -> af_xdp_create_v3_reply = 0x5383d31f { sw_if_index: interface_index };
    call af_xdp_delete = 0xf9e6675e { sw_if_index: interface_index }
        -> af_xdp_delete_reply = 0xe8d4e804 {};
}

/// What stands for all queues of the device.
const ALL: u16 = u16::MAX;

pub(crate) fn register(registrar: &mut Registrar, interfaces: &XdpInterfaces) {
    let api = registrar.api();
    api.file(&AF_XDP);
    let of = interfaces.clone();
    api.call(move |cx, request: af_xdp_create_v3| -> Result<_, Retval> {
        let new = NewXdpInterface::try_from(&request)?;
        let SwIfIndex(sw_if_index) = cx.with(|main| of.create(main, &new))?;
        Ok(af_xdp_create_v3_reply { sw_if_index })
    });
    let of = interfaces.clone();
    api.call(move |cx, request: af_xdp_delete| {
        cx.with(|main| of.delete(main, SwIfIndex(request.sw_if_index)))
    });
}

impl TryFrom<&af_xdp_create_v3> for NewXdpInterface {
    type Error = ApiError;

    fn try_from(request: &af_xdp_create_v3) -> Result<Self, ApiError> {
        // The program is ours, and so is the namespace.
        if !request.prog.as_str().is_empty() || !request.netns.as_str().is_empty() {
            return Err(ApiError::Unsupported);
        }
        // Each of these is so here, whether it is asked for or not.
        let known = af_xdp_flag::AF_XDP_API_FLAGS_NO_SYSCALL_LOCK
            | af_xdp_flag::AF_XDP_API_FLAGS_MAC_REUSE
            | af_xdp_flag::AF_XDP_API_FLAGS_MULTI_BUFFER;
        if !known.contains(request.flags) {
            return Err(ApiError::InvalidValue);
        }
        let name = request.name.as_str();
        Ok(Self {
            host_if: request.host_if.as_str().to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            queues: match request.rxq_num {
                ALL => None,
                0 => Some(1),
                number if u32::from(number) <= MOST_QUEUES => Some(number.into()),
                _ => return Err(ApiError::InvalidValue),
            },
            rx_entries: entries(request.rxq_size)?,
            tx_entries: entries(request.txq_size)?,
            copying: match request.mode {
                af_xdp_mode::AF_XDP_API_MODE_AUTO => Copying::Auto,
                af_xdp_mode::AF_XDP_API_MODE_COPY => Copying::Always,
                af_xdp_mode::AF_XDP_API_MODE_ZERO_COPY => Copying::Never,
                _ => return Err(ApiError::InvalidValue),
            },
            mode: Mode::Auto,
        })
    }
}

/// Of a ring; 0 is as many as it has by itself.
fn entries(asked: u16) -> Result<u32, ApiError> {
    match u32::from(asked) {
        0 => Ok(ENTRIES),
        entries
            if entries.is_power_of_two() && (FEWEST_ENTRIES..=MOST_ENTRIES).contains(&entries) =>
        {
            Ok(entries)
        }
        _ => Err(ApiError::InvalidValue),
    }
}
