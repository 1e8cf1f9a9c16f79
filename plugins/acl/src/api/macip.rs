//! MACIP lists, and the interfaces that have them.

use vnet::{api::Retval, command::ApiError, interface::SwIfIndex, plugin::Registrar};

use super::{NONE, is_wanted, known, messages::*, numbered};
use crate::{Macip, MacipRule};

pub(crate) fn register(registrar: &mut Registrar, macip: &Macip) {
    let api = registrar.api();
    let of = macip.clone();
    api.ask(move |cx, macip_acl_add { tag, r }| {
        let added = rules(&r)
            .and_then(|rules| Ok(cx.with(|main| of.put_list(main, None, tag.as_str(), rules))?));
        let (acl_index, retval) = numbered(added, NONE);
        macip_acl_add_reply { acl_index, retval }
    });
    let of = macip.clone();
    api.ask(move |cx, macip_acl_add_replace { acl_index, tag, r }| {
        let index = (acl_index != NONE).then_some(acl_index);
        let put = rules(&r)
            .and_then(|rules| Ok(cx.with(|main| of.put_list(main, index, tag.as_str(), rules))?));
        let (acl_index, retval) = numbered(put, acl_index);
        macip_acl_add_replace_reply { acl_index, retval }
    });
    let of = macip.clone();
    api.call(move |cx, macip_acl_del { acl_index }| -> Result<(), Retval> {
        cx.with(|main| {
            // As with VPP, interfaces lose it.
            for interface in of.users(acl_index) {
                of.unapply(main, interface, acl_index)?;
            }
            Ok(of.delete_list(main, acl_index)?)
        })
    });
    let of = macip.clone();
    api.call(move |cx, request: macip_acl_interface_add_del| -> Result<(), Retval> {
        let macip_acl_interface_add_del { is_add, sw_if_index, acl_index } = request;
        cx.with(|main| {
            let interface = known(main, sw_if_index)?;
            if is_add {
                of.check(acl_index)?;
            }
            // As with VPP, the one that an interface has makes room, and goes whichever is named.
            match of.list_of(interface) {
                Some(known) => of.unapply(main, interface, known)?,
                None if is_add => (),
                None => return Err(ApiError::NoSuchEntry.into()),
            }
            match is_add {
                true => Ok(of.apply(main, interface, acl_index)?),
                false => Ok(()),
            }
        })
    });
    let of = macip.clone();
    api.dump(move |_, macip_acl_dump { acl_index: wanted }| {
        of.lists(|acl_index, tag, rules| macip_acl_details {
            acl_index,
            tag: tag.into(),
            r: rules.iter().map(Into::into).collect(),
        })
        .into_iter()
        .filter(move |details| is_wanted(wanted, details.acl_index))
    });
    let of = macip.clone();
    api.ask(move |cx, _: macip_acl_interface_get| {
        let all = 0..cx.with(|main| of.slots(main)) as u32;
        let acls = all.map(|at| of.list_of(SwIfIndex(at)).unwrap_or(NONE)).collect();
        macip_acl_interface_get_reply { acls }
    });
    let of = macip.clone();
    api.dump(move |cx, macip_acl_interface_list_dump { sw_if_index: wanted }| {
        let all = 0..cx.with(|main| of.slots(main)) as u32;
        let of = of.clone();
        let wanted = all.filter(move |at| is_wanted(wanted, *at));
        wanted.filter_map(move |sw_if_index| {
            let acls = vec![of.list_of(SwIfIndex(sw_if_index))?];
            Some(macip_acl_interface_list_details { sw_if_index, acls })
        })
    });
}

fn rules(rules: &[macip_acl_rule]) -> Result<Vec<MacipRule>, Retval> {
    let rules: Result<_, ApiError> = rules.iter().map(MacipRule::try_from).collect();
    Ok(rules?)
}
