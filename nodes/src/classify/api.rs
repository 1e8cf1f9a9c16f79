//! Messages about interfaces whose packets are counted.

use vnet::{classify::api::*, fib::Family, interface::SwIfIndex, plugin::Registrar};

use super::attach::Attachments;

/// What stands for all interfaces.
const ALL: u32 = u32::MAX;

pub(super) fn register(registrar: &mut Registrar, attachments: &Attachments<Family>) {
    let api = registrar.api();
    let of = attachments.clone();
    api.call(move |cx, request: flow_classify_set_interface| {
        let flow_classify_set_interface { sw_if_index, ip4_table_index, ip6_table_index, is_add } =
            request;
        let tables = [(Family::Ip4, ip4_table_index), (Family::Ip6, ip6_table_index)];
        let named = tables.into_iter().filter_map(|(family, index)| Some((family, table(index)?)));
        let named = named.collect();
        cx.with(|main| of.set(main, SwIfIndex(sw_if_index), named, is_add))
    });
    let of = attachments.clone();
    api.dump(move |_, request: flow_classify_dump| {
        let all = match request.r#type {
            flow_classify_table::FLOW_CLASSIFY_API_TABLE_IP4 => of.at(Family::Ip4),
            flow_classify_table::FLOW_CLASSIFY_API_TABLE_IP6 => of.at(Family::Ip6),
            _ => Vec::new(),
        };
        let wanted = all
            .into_iter()
            .filter(move |(interface, _)| [ALL, interface.0].contains(&request.sw_if_index));
        wanted.map(|(interface, table)| flow_classify_details {
            sw_if_index: interface.0,
            table_index: table.0,
        })
    });
}
