//! Messages about where packets may come from.

use vnet::{
    api::{Api, Retval, interface_types::interface_index, ip_types::address_family},
    command::ApiError,
    fib::{Family, FibIndex, TableId},
    interface::{SwIfIndex, api::known},
    runtime::Main,
};

use super::{Mode, NODES, Wanted, set};

vnet::api! {
    /// The file `urpf.api`.
    file URPF = "urpf", [1, 0, 0], 0x88759016;
    enum urpf_mode: u8 {
        URPF_API_MODE_OFF = 0,
        URPF_API_MODE_LOOSE = 1,
        URPF_API_MODE_STRICT = 2,
    };
    call urpf_update = 0xcc274cd1 {
        is_input: bool = true,
        mode: urpf_mode,
        af: address_family,
        sw_if_index: interface_index,
    }
        -> urpf_update_reply = 0xe8d4e804 {};
    call urpf_update_v2 = 0xb873d028 {
        is_input: bool = true,
        mode: urpf_mode,
        af: address_family,
        sw_if_index: interface_index,
        table_id: u32 = 4294967295,
    }
        -> urpf_update_v2_reply = 0xe8d4e804 {};
    dump urpf_interface_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> urpf_interface_details = 0xf94b5374 {
        sw_if_index: interface_index,
        is_input: bool,
        mode: urpf_mode,
        af: address_family,
        table_id: u32,
    };
}

/// The number of no table: sources are looked up in that of the interface.
const NO_TABLE: u32 = u32::MAX;

pub(super) fn register(api: &mut Api) {
    api.file(&URPF);
    api.call(|cx, request: urpf_update| {
        let urpf_update { is_input, mode, af, sw_if_index } = request;
        let request = urpf_update_v2 { is_input, mode, af, sw_if_index, table_id: NO_TABLE };
        cx.with(|main| update(main, &request))
    });
    api.call(|cx, request: urpf_update_v2| cx.with(|main| update(main, &request)));
    api.dump(|cx, request: urpf_interface_dump| cx.with(|main| list(main, request.sw_if_index)));
}

fn update(main: &mut Main, request: &urpf_update_v2) -> Result<(), Retval> {
    let interface = known(main, request.sw_if_index)?;
    let mode = match request.mode {
        urpf_mode::URPF_API_MODE_OFF => None,
        urpf_mode::URPF_API_MODE_LOOSE => Some(Mode::Loose),
        urpf_mode::URPF_API_MODE_STRICT => Some(Mode::Strict),
        _ => return Err(ApiError::InvalidValue.into()),
    };
    if !request.is_input {
        // Packets that are sent are not looked at.
        return match mode {
            None => Ok(()),
            Some(_) => Err(ApiError::Unimplemented.into()),
        };
    }
    let family = Family::try_from(request.af)?;
    let table = Some(request.table_id).filter(|id| *id != NO_TABLE);
    let table = table.map(|id| main.forwarding().table(family, TableId(id))).transpose()?;
    Ok(set(main, &Wanted { family, mode, interface, table })?)
}

/// What is checked, of an interface or of all.
fn list(main: &Main, of: interface_index) -> Vec<urpf_interface_details> {
    let wanted = |interface: SwIfIndex| of == SwIfIndex::NONE.0 || of == interface.0;
    let interfaces = main.interfaces().interfaces().map(|interface| interface.index);
    let mut all = Vec::new();
    for interface in interfaces.filter(|interface| wanted(*interface)) {
        for (family, mode, arc, name) in NODES {
            let Some(config) = main.features().config(arc, name, interface) else { continue };
            all.push(urpf_interface_details {
                sw_if_index: interface.0,
                is_input: true,
                mode: match mode {
                    Mode::Loose => urpf_mode::URPF_API_MODE_LOOSE,
                    Mode::Strict => urpf_mode::URPF_API_MODE_STRICT,
                },
                af: family.into(),
                table_id: table_of(main, family, interface, config),
            });
        }
    }
    all
}

/// The number of the table in which sources are looked up.
fn table_of(main: &Main, family: Family, interface: SwIfIndex, config: u32) -> u32 {
    let forwarding = main.forwarding();
    let fib = match config.checked_sub(1) {
        Some(fib) => FibIndex(fib),
        None => forwarding.fib_of(interface, family),
    };
    forwarding.table_id(family, fib).map_or(0, |TableId(id)| id)
}
