//! Messages about classifier tables that interfaces have as access lists.

use vnet::{
    api::interface_types::interface_index,
    classify::{TableIndex, api::*},
    command::ApiError,
    interface::SwIfIndex,
    plugin::Registrar,
};

use super::place::{Direction, Kind, Place};
use crate::classify::attach::Attachments;

pub(super) fn register(registrar: &mut Registrar, attachments: &Attachments<Place>) {
    let api = registrar.api();
    let of = attachments.clone();
    api.call(move |cx, request: input_acl_set_interface| {
        let input_acl_set_interface { ip4_table_index, ip6_table_index, l2_table_index, .. } =
            request;
        let tables = [ip4_table_index, ip6_table_index, l2_table_index];
        let (interface, named) = named(Direction::Input, request.sw_if_index, tables);
        cx.with(|main| of.set(main, interface, named, request.is_add))
    });
    let of = attachments.clone();
    api.call(move |cx, request: output_acl_set_interface| {
        let output_acl_set_interface { ip4_table_index, ip6_table_index, l2_table_index, .. } =
            request;
        let tables = [ip4_table_index, ip6_table_index, l2_table_index];
        let (interface, named) = named(Direction::Output, request.sw_if_index, tables);
        cx.with(|main| of.set(main, interface, named, request.is_add))
    });
    let of = attachments.clone();
    api.call(move |cx, request: punt_acl_add_del| {
        let punt_acl_add_del { ip4_table_index, ip6_table_index, is_add } = request;
        let named = places(Direction::Input, Kind::PUNTED, [ip4_table_index, ip6_table_index]);
        cx.with(|main| of.set(main, SwIfIndex::LOCAL0, named, is_add))
    });
    let of = attachments.clone();
    api.call(move |_, _: punt_acl_get| {
        let [ip4_table_index, ip6_table_index] = Kind::PUNTED.map(|kind| {
            let place = Place { direction: Direction::Input, kind };
            index(of.table(place, SwIfIndex::LOCAL0))
        });
        Ok::<_, ApiError>(punt_acl_get_reply { ip4_table_index, ip6_table_index })
    });
    let of = attachments.clone();
    api.call(move |cx, request: classify_table_by_interface| {
        let interface = SwIfIndex(request.sw_if_index);
        let known = cx.with(|main| main.interfaces().interface(interface).is_some());
        known.then_some(()).ok_or(ApiError::InvalidSwIfIndex)?;
        let of = |kind| of.table(Place { direction: Direction::Input, kind }, interface);
        Ok::<_, ApiError>(classify_table_by_interface_reply {
            sw_if_index: interface.0,
            l2_table_id: index(of(Kind::L2)),
            ip4_table_id: index(of(Kind::Ip4)),
            ip6_table_id: index(of(Kind::Ip6)),
        })
    });
}

/// The tables that a message names, in the order of [`Kind::BOTH_WAYS`], and where they are.
fn named(
    direction: Direction,
    sw_if_index: interface_index,
    tables: [u32; 3],
) -> (SwIfIndex, Vec<(Place, TableIndex)>) {
    (SwIfIndex(sw_if_index), places(direction, Kind::BOTH_WAYS, tables))
}

fn places<const N: usize>(
    direction: Direction,
    kinds: [Kind; N],
    tables: [u32; N],
) -> Vec<(Place, TableIndex)> {
    let places = kinds.into_iter().map(|kind| Place { direction, kind });
    let named = places.zip(tables.map(table));
    named.filter_map(|(place, table)| Some((place, table?))).collect()
}
