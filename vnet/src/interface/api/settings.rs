//! Messages that set something on an interface: state, MTUs, MAC address, note, name, counters.

use super::{
    hw_interface_set_mtu, known, sw_interface_clear_stats, sw_interface_get_mac_address,
    sw_interface_get_mac_address_reply, sw_interface_set_flags, sw_interface_set_interface_name,
    sw_interface_set_mac_address, sw_interface_set_mtu, sw_interface_set_promisc,
    sw_interface_tag_add_del,
};
use crate::{
    api::{Api, Retval, interface_types::if_status_flags},
    command::ApiError,
    interface::{
        InterfaceError, Mtu, SwIfIndex,
        commands::{State, set_state},
    },
    runtime::Main,
};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: sw_interface_set_flags| cx.with(|main| set_flags(main, &request)));
    api.call(|cx, request: sw_interface_set_promisc| cx.with(|main| set_promisc(main, &request)));
    mtus(api);
    macs(api);
    api.call(|cx, request: sw_interface_tag_add_del| cx.with(|main| set_tag(main, &request)));
    api.call(|cx, request: sw_interface_set_interface_name| {
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            let name = match request.name.as_str() {
                "" => return Err(ApiError::InvalidValue),
                name => name,
            };
            // As in VPP, whatever is wrong with the name.
            let renamed = main.change_interfaces(|table| table.rename(interface, name));
            renamed.map_err(|_| ApiError::InvalidSwIfIndex)
        })
    });
    api.call(|cx, request: sw_interface_clear_stats| {
        cx.with(|main| {
            match SwIfIndex(request.sw_if_index) {
                SwIfIndex::NONE => main.clear_interface_counters(),
                SwIfIndex(index) => main.clear_counters_of(known(main, index)?),
            }
            Ok::<_, ApiError>(())
        })
    });
}

fn set_flags(main: &mut Main, request: &sw_interface_set_flags) -> Result<(), Retval> {
    let interface = known(main, request.sw_if_index)?;
    let state = match request.flags.contains(if_status_flags::IF_STATUS_API_FLAG_ADMIN_UP) {
        true => State::Up,
        false => State::Down,
    };
    // As in VPP, whatever is in the way of one that can be up and down.
    set_state(main, interface, state).map_err(|error| match error {
        InterfaceError::Local0 => error.into(),
        _ => ApiError::Unspecified.into(),
    })
}

fn set_promisc(main: &mut Main, request: &sw_interface_set_promisc) -> Result<(), Retval> {
    let interface = known(main, request.sw_if_index)?;
    if !main.interfaces().hardware_of(interface)?.is_ethernet() {
        return Err(ApiError::InvalidValue.into());
    }
    Ok(main.change_interfaces(|table| table.set_promiscuous(interface, request.promisc_on))?)
}

fn mtus(api: &mut Api) {
    api.call(|cx, request: hw_interface_set_mtu| {
        cx.with(|main| -> Result<(), Retval> {
            let interface = super::known_main(main, request.sw_if_index)?;
            if !main.interfaces().hardware_of(interface)?.is_ethernet() {
                return Err(ApiError::FeatureDisabled.into());
            }
            let bytes = request.mtu.into();
            Ok(main.change_interfaces(|table| table.set_device_mtu(interface, bytes))?)
        })
    });
    api.call(|cx, request: sw_interface_set_mtu| {
        cx.with(|main| -> Result<(), Retval> {
            let interface = known(main, request.sw_if_index)?;
            let [l3, ip4, ip6, mpls] = request.mtu;
            let mtu = Mtu { l3, ip4, ip6, mpls };
            Ok(main.change_interfaces(|table| table.set_mtus(interface, mtu))?)
        })
    });
}

fn macs(api: &mut Api) {
    api.call(|cx, request: sw_interface_set_mac_address| {
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            let mac = request.mac_address;
            // As in VPP, where the interface cannot have such an address.
            let set = main.change_interfaces(|table| table.set_mac(interface, mac));
            set.map_err(|_| ApiError::Unimplemented)
        })
    });
    api.call(|cx, request: sw_interface_get_mac_address| {
        cx.with(|main| -> Result<_, Retval> {
            let interface = known(main, request.sw_if_index)?;
            let mac_address = main.interfaces().hardware_of(interface)?.mac.unwrap_or_default();
            Ok(sw_interface_get_mac_address_reply { mac_address })
        })
    });
}

fn set_tag(main: &mut Main, request: &sw_interface_tag_add_del) -> Result<(), Retval> {
    let interface = known(main, request.sw_if_index)?;
    let tag = match (request.is_add, request.tag.as_str()) {
        (true, "") => return Err(ApiError::InvalidValue.into()),
        (true, tag) => tag,
        (false, _) => "",
    };
    Ok(main.change_interfaces(|table| table.set_tag(interface, tag))?)
}
