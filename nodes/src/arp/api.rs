//! Messages about answers for addresses of others.

use std::net::Ipv4Addr;

use vnet::{
    api::{Retval, interface_types::interface_index, ip_types::ip4_address},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
};

use super::proxy::{Ranges, SetProxy, enabled, set, set_interface, told};

vnet::api! {
    /// The file `arp.api`.
    file ARP = "arp", [1, 0, 0], 0xb57796ae;
    record proxy_arp { table_id: u32, low: ip4_address, hi: ip4_address };
    call proxy_arp_add_del = 0x1823c3e7 { is_add: bool, proxy: proxy_arp }
        -> proxy_arp_add_del_reply = 0xe8d4e804 {};
    dump proxy_arp_dump = 0x51077d14 {}
        -> proxy_arp_details = 0x5b948673 { proxy: proxy_arp };
    call proxy_arp_intfc_enable_disable = 0xae6cfcfb { sw_if_index: interface_index, enable: bool }
        -> proxy_arp_intfc_enable_disable_reply = 0xe8d4e804 {};
    dump proxy_arp_intfc_dump = 0x51077d14 {}
        -> proxy_arp_intfc_details = 0xf6458e5f { sw_if_index: u32 };
}

pub(super) fn register(registrar: &mut Registrar, ranges: &Ranges) {
    let api = registrar.api();
    api.file(&ARP);
    let of = ranges.clone();
    api.call(move |cx, proxy_arp_add_del { is_add, proxy }| {
        let proxy_arp { table_id, low, hi } = proxy;
        let (start, end) = (Ipv4Addr::from(low), Ipv4Addr::from(hi));
        let asked = SetProxy { delete: !is_add, table: Some(table_id), start, end };
        match cx.with(|main| set(main, &of, &asked)) {
            // As with VPP, what is there may be added.
            Err(error) if error.api_error() == ApiError::EntryAlreadyExists => Ok(()),
            set => set,
        }
    });
    let of = ranges.clone();
    api.dump(move |cx, _: proxy_arp_dump| {
        let told = cx.with(|main| told(main, &of));
        told.into_iter().map(|(table_id, addresses)| {
            let (low, hi) = (addresses.start().octets(), addresses.end().octets());
            proxy_arp_details { proxy: proxy_arp { table_id, low, hi } }
        })
    });
    api.call(|cx, request: proxy_arp_intfc_enable_disable| -> Result<(), Retval> {
        let interface = SwIfIndex(request.sw_if_index);
        cx.with(|main| {
            main.interfaces().interface(interface).ok_or(ApiError::InvalidSwIfIndex)?;
            // As with VPP, what is so already may be asked for.
            match enabled(main).contains(&interface) == request.enable {
                true => Ok(()),
                false => Ok(set_interface(main, interface, request.enable)?),
            }
        })
    });
    api.dump(|cx, _: proxy_arp_intfc_dump| {
        let all = cx.with(|main| enabled(main));
        all.into_iter().map(|SwIfIndex(sw_if_index)| proxy_arp_intfc_details { sw_if_index })
    });
}
