//! Messages about what interfaces do at layer 2.

use super::{
    call, l2_interface_efp_filter, l2_interface_vlan_tag_rewrite, l2_port_type,
    l2_xconnect_details, l2_xconnect_dump, rewrite::rewrite_of, sw_interface_set_l2_bridge,
    sw_interface_set_l2_xconnect,
};
use crate::{
    api::{Api, Retval},
    command::ApiError,
    interface::{SwIfIndex, api::known},
    l2::{BdId, L2, Mode, Role},
    runtime::Main,
};

pub(super) fn register(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: sw_interface_set_l2_bridge| bridge(l2, main, &request));
    call(api, l2, |l2, main, request: sw_interface_set_l2_xconnect| {
        let interface = known(main, request.rx_sw_if_index)?;
        if !request.enable {
            return Ok(l2.route(main, interface)?);
        }
        let peer = known(main, request.tx_sw_if_index);
        let peer = peer.map_err(|_| ApiError::InvalidSwIfIndex2)?;
        Ok(l2.connect(main, interface, peer)?)
    });
    call(api, l2, |l2, main, request: l2_interface_vlan_tag_rewrite| {
        let interface = known(main, request.sw_if_index)?;
        let numbers = [request.vtr_op, request.push_dot1q, request.tag1, request.tag2];
        let rewrite = rewrite_of(numbers)?;
        if !main.interfaces().hardware_of(interface)?.is_ethernet() {
            return Err(ApiError::InvalidInterface.into());
        }
        Ok(l2.set_tag_rewrite(main, interface, rewrite)?)
    });
    call(api, l2, |l2, main, request: l2_interface_efp_filter| {
        let interface = known(main, request.sw_if_index)?;
        Ok(l2.set_efp_filter(main, interface, request.enable_disable)?)
    });
    let of = l2.clone();
    api.dump(move |cx, _: l2_xconnect_dump| cx.with(|main| connected(&of, main)));
}

fn bridge(l2: &L2, main: &mut Main, request: &sw_interface_set_l2_bridge) -> Result<(), Retval> {
    let interface = known(main, request.rx_sw_if_index)?;
    let role = match request.port_type {
        l2_port_type::L2_API_PORT_TYPE_NORMAL => Role::Member,
        l2_port_type::L2_API_PORT_TYPE_BVI => Role::Bvi,
        l2_port_type::L2_API_PORT_TYPE_UU_FWD => Role::UuFwd,
        _ => return Err(ApiError::InvalidValue.into()),
    };
    if !request.enable {
        return Ok(l2.route(main, interface)?);
    }
    let id = match request.bd_id {
        0 => return Err(ApiError::BdNotModifiable.into()),
        1..=BdId::MAX => BdId(request.bd_id),
        _ => return Err(ApiError::BdIdExceedMax.into()),
    };
    Ok(l2.bridge(main, interface, id, role, request.shg)?)
}

fn connected(l2: &L2, main: &Main) -> Vec<l2_xconnect_details> {
    let all = main.interfaces().interfaces().map(|interface| interface.index);
    let details = |interface: SwIfIndex| match l2.view(main).port(interface).mode {
        Mode::Connected(peer) => {
            Some(l2_xconnect_details { rx_sw_if_index: interface.0, tx_sw_if_index: peer.0 })
        }
        Mode::Routed | Mode::Bridged(_) => None,
    };
    all.filter_map(details).collect()
}
