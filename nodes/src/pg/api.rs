//! Messages of the binary API.

use std::path::Path;

use vnet::{
    api::{Retval, interface_types::interface_index},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Main,
};

use super::{Generator, Mode, NewInterface, Offload, PgError};

vnet::api! {
    /// The file `pg.api`.
    file PG = "pg", [2, 1, 0], 0xeae14b90;
    enum pg_interface_mode: u8 { PG_API_MODE_ETHERNET = 0, PG_API_MODE_IP4 = 1, PG_API_MODE_IP6 = 2 };
    enum pg_interface_flags: u32 {
        PG_API_FLAG_NONE = 0,
        PG_API_FLAG_CSUM_OFFLOAD = 1,
        PG_API_FLAG_GSO = 2,
        PG_API_FLAG_GRO_COALESCE = 4,
    };
    call pg_create_interface = 0xb7c893d7 { interface_id: interface_index, gso_enabled: bool, gso_size: u32 }
        -> pg_create_interface_reply = 0x5383d31f { sw_if_index: interface_index };
    call pg_create_interface_v2 = 0x8657466a {
        interface_id: interface_index,
        gso_enabled: bool,
        gso_size: u32,
        mode: pg_interface_mode,
    }
        -> pg_create_interface_v2_reply = 0x5383d31f { sw_if_index: interface_index };
    call pg_create_interface_v3 = 0xb2aac653 {
        interface_id: interface_index,
        pg_flags: pg_interface_flags,
        gso_size: u32,
        mode: pg_interface_mode,
    }
        -> pg_create_interface_v3_reply = 0x5383d31f { sw_if_index: interface_index };
    call pg_delete_interface = 0xf9e6675e { sw_if_index: interface_index }
        -> pg_delete_interface_reply = 0xe8d4e804 {};
    call pg_interface_enable_disable_coalesce = 0xa2ef99e7 { sw_if_index: interface_index, coalesce_enabled: bool }
        -> pg_interface_enable_disable_coalesce_reply = 0xe8d4e804 {};
    call pg_capture = 0x3712fb6c {
        interface_id: interface_index,
        is_enabled: bool = true,
        count: u32,
        pcap_file_name: string,
    }
        -> pg_capture_reply = 0xe8d4e804 {};
    call pg_enable_disable = 0x01f94f3a { is_enabled: bool = true, stream_name: string }
        -> pg_enable_disable_reply = 0xe8d4e804 {};
}

pub(super) fn register(registrar: &mut Registrar, generator: &Generator) {
    let api = registrar.api();
    api.file(&PG);
    let of = generator.clone();
    api.call(move |cx, request: pg_create_interface| -> Result<_, Retval> {
        let sw_if_index = cx.with(|main| create(&of, main, request.into()))?;
        Ok(pg_create_interface_reply { sw_if_index })
    });
    let of = generator.clone();
    api.call(move |cx, request: pg_create_interface_v2| -> Result<_, Retval> {
        let sw_if_index = cx.with(|main| create(&of, main, request.into()))?;
        Ok(pg_create_interface_v2_reply { sw_if_index })
    });
    let of = generator.clone();
    api.call(move |cx, request: pg_create_interface_v3| -> Result<_, Retval> {
        let sw_if_index = cx.with(|main| create(&of, main, request.into()))?;
        Ok(pg_create_interface_v3_reply { sw_if_index })
    });
    let of = generator.clone();
    api.call(move |cx, request: pg_delete_interface| {
        cx.with(|main| of.delete_interface(main, SwIfIndex(request.sw_if_index)))
    });
    let of = generator.clone();
    api.call(move |cx, request: pg_interface_enable_disable_coalesce| -> Result<(), Retval> {
        let interface = SwIfIndex(request.sw_if_index);
        cx.with(|main| match of.set_coalescing(main, interface, request.coalesce_enabled) {
            // As with an interface of VPP's without gso.
            Err(PgError::NotAnInterface(_)) if main.interfaces().interface(interface).is_some() => {
                Err(ApiError::CannotEnableDisableFeature.into())
            }
            set => Ok(set?),
        })
    });
    let of = generator.clone();
    api.call(move |_, request: pg_capture| -> Result<(), Retval> {
        let name = format!("pg{}", request.interface_id);
        if request.is_enabled {
            let count = (![0, u32::MAX].contains(&request.count)).then_some(request.count);
            let file = Path::new(&request.pcap_file_name);
            return Ok(of.capture(&name, file, count.map(u64::from))?);
        }
        match of.stop_capture(&name) {
            // VPP's clients end captures before they begin the first one.
            Err(PgError::NotCaptured(_)) => Ok(()),
            ended => Ok(ended.map(drop)?),
        }
    });
    let of = generator.clone();
    api.call(move |cx, request: pg_enable_disable| -> Result<(), PgError> {
        let name = Some(request.stream_name.as_str()).filter(|name| !name.is_empty());
        let switched = cx.with(|main| match request.is_enabled {
            true => of.enable(main, name),
            false => of.disable(main, name),
        });
        match switched {
            // All streams may be none.
            Err(PgError::NoStreams) => Ok(()),
            switched => switched.map(drop),
        }
    });
}

/// What any version of `pg_create_interface` asks for.
struct Create {
    number: u32,
    mode: pg_interface_mode,
    flags: pg_interface_flags,
    gso_size: u32,
}

impl From<pg_create_interface> for Create {
    fn from(request: pg_create_interface) -> Self {
        let pg_create_interface { interface_id, gso_enabled, gso_size, .. } = request;
        let mode = pg_interface_mode::PG_API_MODE_ETHERNET;
        Self { number: interface_id, mode, flags: gso(gso_enabled), gso_size }
    }
}

impl From<pg_create_interface_v2> for Create {
    fn from(request: pg_create_interface_v2) -> Self {
        let pg_create_interface_v2 { interface_id, gso_enabled, gso_size, mode, .. } = request;
        Self { number: interface_id, mode, flags: gso(gso_enabled), gso_size }
    }
}

impl From<pg_create_interface_v3> for Create {
    fn from(request: pg_create_interface_v3) -> Self {
        let pg_create_interface_v3 { interface_id, pg_flags, gso_size, mode, .. } = request;
        Self { number: interface_id, mode, flags: pg_flags, gso_size }
    }
}

fn gso(enabled: bool) -> pg_interface_flags {
    match enabled {
        true => pg_interface_flags::PG_API_FLAG_GSO,
        false => pg_interface_flags::PG_API_FLAG_NONE,
    }
}

/// The interface of that number, which is made unless it is there.
fn create(
    generator: &Generator,
    main: &mut Main,
    request: Create,
) -> Result<interface_index, Retval> {
    let number = request.number;
    let interface = match generator.interface(number) {
        Some(interface) => interface,
        None => {
            let (mode, offload) = (mode(request.mode)?, offload(request.flags, request.gso_size)?);
            let new = NewInterface { number, mac: None, mode, offload };
            generator.create_interface(main, new)?
        }
    };
    Ok(interface.0)
}

/// What the flags ask for. What is cut has checksums, so that GSO is the more of the two.
fn offload(flags: pg_interface_flags, gso_size: u32) -> Result<Offload, ApiError> {
    let has = |flag: pg_interface_flags| flags.0 & flag.0 != 0;
    let coalesce = has(pg_interface_flags::PG_API_FLAG_GRO_COALESCE);
    if has(pg_interface_flags::PG_API_FLAG_GSO) {
        let size = u16::try_from(gso_size).map_err(|_| ApiError::InvalidValue)?;
        return Ok(Offload::Gso { size, coalesce });
    }
    match has(pg_interface_flags::PG_API_FLAG_CSUM_OFFLOAD) {
        _ if coalesce => Err(ApiError::CannotEnableDisableFeature),
        true => Ok(Offload::Checksum),
        false => Ok(Offload::None),
    }
}

fn mode(mode: pg_interface_mode) -> Result<Mode, ApiError> {
    match mode {
        pg_interface_mode::PG_API_MODE_ETHERNET => Ok(Mode::Ethernet),
        pg_interface_mode::PG_API_MODE_IP4 => Ok(Mode::Ip4),
        pg_interface_mode::PG_API_MODE_IP6 => Ok(Mode::Ip6),
        _ => Err(ApiError::InvalidValue),
    }
}
