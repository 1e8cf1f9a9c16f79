//! Messages about sub-interfaces.

use super::{
    create_subif, create_subif_reply, create_vlan_subif, create_vlan_subif_reply, delete_subif,
    known,
};
use crate::{
    api::{Api, Retval, interface_types::sub_if_flags},
    command::ApiError,
    interface::{InterfaceError, SwIfIndex, TagMatch, TagType, VlanId, VlanMatch},
};

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: create_vlan_subif| {
        cx.with(|main| -> Result<_, Retval> {
            let named = known(main, request.sw_if_index)?;
            // As in VPP, that of a sub-interface is beside it.
            let above = main.interfaces().hardware_of(named)?.sw_if_index;
            let tags = TagMatch::exact_dot1q(VlanId::new(request.vlan_id)?);
            let made = main
                .change_interfaces(|table| table.create_sub(above, request.vlan_id, tags))
                .map_err(refused)?;
            Ok(create_vlan_subif_reply { sw_if_index: made.0 })
        })
    });
    api.call(|cx, request: create_subif| {
        cx.with(|main| -> Result<_, Retval> {
            let above = known(main, request.sw_if_index)?;
            let tags = tags(&request)?;
            let made = main
                .change_interfaces(|table| table.create_sub(above, request.sub_id, tags))
                .map_err(refused)?;
            Ok(create_subif_reply { sw_if_index: made.0 })
        })
    });
    api.call(|cx, request: delete_subif| {
        let interface = SwIfIndex(request.sw_if_index);
        cx.with(|main| main.change_interfaces(|table| table.delete_sub(interface)))
    });
}

/// Why there is no such sub-interface, as VPP has it: its id is taken, or something else.
fn refused(error: InterfaceError) -> Retval {
    match error {
        InterfaceError::SubInterfaceExists { .. } => ApiError::VlanAlreadyExists.into(),
        error => error.into(),
    }
}

/// The frames that it is to take. As in VPP `default` goes before all else, and without flags it takes untagged ones.
fn tags(request: &create_subif) -> Result<TagMatch, Retval> {
    let has = |flag| request.sub_if_flags.contains(flag);
    let vlan = |any, id: u16| match has(any) {
        true => Ok(VlanMatch::Any),
        false => VlanId::new(id.into()).map(VlanMatch::Id),
    };
    if has(sub_if_flags::SUB_IF_API_FLAG_DEFAULT) {
        return Ok(TagMatch::Default);
    }
    if has(sub_if_flags::SUB_IF_API_FLAG_NO_TAGS) || request.sub_if_flags.0 == 0 {
        return Ok(TagMatch::Untagged);
    }
    let inner = match (
        has(sub_if_flags::SUB_IF_API_FLAG_ONE_TAG),
        has(sub_if_flags::SUB_IF_API_FLAG_TWO_TAGS),
    ) {
        (true, false) => None,
        (false, true) => {
            let any = sub_if_flags::SUB_IF_API_FLAG_INNER_VLAN_ID_ANY;
            Some(vlan(any, request.inner_vlan_id)?)
        }
        _ => return Err(ApiError::InvalidVlanTagCount.into()),
    };
    let outer = vlan(sub_if_flags::SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY, request.outer_vlan_id)?;
    let outer_type = match has(sub_if_flags::SUB_IF_API_FLAG_DOT1AD) {
        true => TagType::Dot1ad,
        false => TagType::Dot1q,
    };
    let exact = has(sub_if_flags::SUB_IF_API_FLAG_EXACT_MATCH);
    Ok(TagMatch::Tagged { outer_type, outer, inner, exact })
}
