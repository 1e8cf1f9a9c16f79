//! Messages about addresses, tables and unnumbered interfaces.

use std::net::IpAddr;

use super::{
    known, sw_interface_add_del_address, sw_interface_address_replace_begin,
    sw_interface_address_replace_end, sw_interface_get_table, sw_interface_get_table_reply,
    sw_interface_set_table, sw_interface_set_unnumbered,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    fib::Family,
    interface::{
        InterfaceAddress,
        commands::{Addresses, set_address, set_table},
    },
    runtime::Main,
};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: sw_interface_add_del_address| cx.with(|main| add_del(main, &request)));
    api.call(|cx, _: sw_interface_address_replace_begin| {
        cx.with(|main| main.change_interfaces(|table| table.begin_replacing_addresses()));
        Ok::<_, ApiError>(())
    });
    api.call(|cx, _: sw_interface_address_replace_end| {
        cx.with(|main| main.change_interfaces(|table| table.end_replacing_addresses()))
    });
    api.call(|cx, request: sw_interface_set_table| {
        cx.with(|main| -> Result<(), Retval> {
            let interface = known(main, request.sw_if_index)?;
            Ok(set_table(main, interface, request.vrf_id, family(request.is_ipv6))?)
        })
    });
    api.call(|cx, request: sw_interface_get_table| {
        cx.with(|main| {
            let interface = known(main, request.sw_if_index)?;
            let known = main.interfaces().interface(interface);
            let known = known.ok_or(ApiError::InvalidSwIfIndex)?;
            let vrf_id = known.table(family(request.is_ipv6)).table_id;
            Ok::<_, ApiError>(sw_interface_get_table_reply { vrf_id })
        })
    });
    api.call(|cx, request: sw_interface_set_unnumbered| {
        cx.with(|main| set_unnumbered(main, &request))
    });
}

const fn family(is_ipv6: bool) -> Family {
    if is_ipv6 { Family::Ip6 } else { Family::Ip4 }
}

fn add_del(main: &mut Main, request: &sw_interface_add_del_address) -> Result<(), Retval> {
    let interface = known(main, request.sw_if_index)?;
    let addresses = match request.del_all {
        true => Addresses::All,
        false => {
            let (address, length) = <(IpAddr, u8)>::try_from(&request.prefix)?;
            Addresses::One(InterfaceAddress::new(address, length)?)
        }
    };
    let delete = !request.is_add;
    Ok(main.change_interfaces(|table| set_address(table, interface, addresses, delete))?)
}

/// The names of the two interfaces are those of VPP, where they say the opposite of what they mean.
fn set_unnumbered(main: &mut Main, request: &sw_interface_set_unnumbered) -> Result<(), Retval> {
    let borrower = known(main, request.unnumbered_sw_if_index)?;
    let donor = match request.is_add {
        true => Some(known(main, request.sw_if_index).map_err(|_| ApiError::InvalidSwIfIndex2)?),
        false => None,
    };
    Ok(main.change_interfaces(|table| table.set_unnumbered(borrower, donor))?)
}
