//! Lists, and the interfaces that have them.

use vnet::{
    api::{Api, Retval},
    command::ApiError,
    interface::SwIfIndex,
};

use super::{NONE, is_wanted, known, messages::*, numbered};
use crate::{Acl, Direction, Rule};

/// VPP's plugin whose messages these are.
const VERSION: (u32, u32) = (1, 4);

pub(super) fn register(api: &mut Api, acl: &Acl) {
    changes(api, acl);
    dumps(api, acl);
    whole(api, acl);
}

fn changes(api: &mut Api, acl: &Acl) {
    let of = acl.clone();
    api.ask(move |cx, acl_add_replace { acl_index, tag, r }| {
        let index = (acl_index != NONE).then_some(acl_index);
        let rules: Result<Vec<Rule>, ApiError> = r.iter().map(Rule::try_from).collect();
        let put = rules
            .map_err(Retval::from)
            .and_then(|rules| Ok(cx.with(|main| of.put_list(main, index, tag.as_str(), rules))?));
        let (acl_index, retval) = numbered(put, acl_index);
        acl_add_replace_reply { acl_index, retval }
    });
    let of = acl.clone();
    api.call(move |cx, acl_del { acl_index }| cx.with(|main| of.delete_list(main, acl_index)));
    let of = acl.clone();
    api.call(move |cx, request: acl_interface_add_del| -> Result<(), Retval> {
        let acl_interface_add_del { is_add, is_input, sw_if_index, acl_index } = request;
        let direction = if is_input { Direction::Input } else { Direction::Output };
        cx.with(|main| {
            let interface = known(main, sw_if_index)?;
            match is_add {
                true => of.apply(main, interface, direction, acl_index)?,
                false => of.unapply(main, interface, direction, acl_index)?,
            }
            Ok(())
        })
    });
    let of = acl.clone();
    api.call(move |cx, request: acl_interface_set_acl_list| -> Result<(), Retval> {
        let acl_interface_set_acl_list { sw_if_index, acls: (n_input, acls) } = request;
        let (input, output) = acls.split_at(usize::from(n_input).min(acls.len()));
        cx.with(|main| {
            let interface = known(main, sw_if_index)?;
            acls.iter().try_for_each(|acl| of.state().list(*acl).map(drop))?;
            if [input, output].into_iter().any(has_twice) {
                return Err(ApiError::EntryAlreadyExists.into());
            }
            of.set_lists(main, interface, Direction::Input, input.to_vec())?;
            Ok(of.set_lists(main, interface, Direction::Output, output.to_vec())?)
        })
    });
}

fn has_twice(acls: &[u32]) -> bool {
    acls.iter().enumerate().any(|(at, acl)| acls[..at].contains(acl))
}

fn dumps(api: &mut Api, acl: &Acl) {
    let of = acl.clone();
    api.dump(move |_, acl_dump { acl_index: wanted }| {
        let state = of.state();
        let wanted = state.lists().filter(|(index, _)| is_wanted(wanted, *index));
        let details = wanted.map(|(acl_index, list)| acl_details {
            acl_index,
            tag: list.tag.as_str().into(),
            r: list.rules.iter().map(Into::into).collect(),
        });
        details.collect::<Vec<_>>()
    });
    let of = acl.clone();
    api.dump(move |cx, acl_interface_list_dump { sw_if_index: wanted }| {
        let all = cx.with(|main| {
            let all = main.interfaces().interfaces().map(|interface| interface.index);
            all.collect::<Vec<SwIfIndex>>()
        });
        let state = of.state();
        let wanted = all.into_iter().filter(|SwIfIndex(index)| is_wanted(wanted, *index));
        let details = wanted.map(|interface| {
            let acls = |direction| state.acls(interface, direction).to_vec();
            let (input, output) = (acls(Direction::Input), acls(Direction::Output));
            acl_interface_list_details {
                sw_if_index: interface.0,
                acls: (input.len().try_into().unwrap_or(u8::MAX), [input, output].concat()),
            }
        });
        details.collect::<Vec<_>>()
    });
}

/// Messages about the plugin as a whole.
fn whole(api: &mut Api, acl: &Acl) {
    api.ask(|_, _: acl_plugin_get_version| {
        let (major, minor) = VERSION;
        acl_plugin_get_version_reply { major, minor }
    });
    api.call(|cx, _: acl_plugin_control_ping| {
        let client_index = cx.client().index();
        Ok::<_, ApiError>(acl_plugin_control_ping_reply {
            client_index,
            vpe_pid: std::process::id(),
        })
    });
    let of = acl.clone();
    api.ask(move |cx, _: acl_plugin_get_conn_table_max_entries| {
        let conn_table_max_entries = cx.with(|main| of.view(main).settings.max_sessions.into());
        acl_plugin_get_conn_table_max_entries_reply { conn_table_max_entries }
    });
    // Rules always count, and are always found by hashes.
    api.call(|_, request: acl_stats_intf_counters_enable| always(request.enable));
    api.call(|_, request: acl_plugin_use_hash_lookup_set| always(request.enable));
    api.ask(|_, _: acl_plugin_use_hash_lookup_get| acl_plugin_use_hash_lookup_get_reply {
        enable: true,
    });
}

fn always(on: bool) -> Result<(), ApiError> {
    if on { Ok(()) } else { Err(ApiError::Unsupported) }
}
