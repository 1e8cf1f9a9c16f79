//! Which tables say what captures and traces take.

use super::{index, messages::*, table, tables::mask};
use crate::{
    api::{Api, Retval, interface_types::interface_index},
    classify::{FilterUse, TableIndex},
    command::ApiError,
    interface::SwIfIndex,
    runtime::Main,
};

/// Vectors that a table may leave out here, as with VPP.
const MAX_SKIP: u32 = 5;

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: classify_pcap_lookup_table| {
        let classify_pcap_lookup_table { sw_if_index, skip_n_vectors, match_n_vectors, mask } =
            request;
        let table_index = cx.with(|main| {
            let of = captured(main, sw_if_index)?;
            lookup(main, of, (skip_n_vectors, match_n_vectors), &mask)
        })?;
        Ok::<_, Retval>(classify_pcap_lookup_table_reply { table_index })
    });
    api.call(|cx, request: classify_trace_lookup_table| {
        let classify_trace_lookup_table { skip_n_vectors, match_n_vectors, mask } = request;
        let vectors = (skip_n_vectors, match_n_vectors);
        let table_index = cx.with(|main| lookup(main, FilterUse::Trace, vectors, &mask))?;
        Ok::<_, Retval>(classify_trace_lookup_table_reply { table_index })
    });
    api.call(|cx, request: classify_pcap_set_table| {
        let classify_pcap_set_table { sw_if_index, table_index, sort_masks } = request;
        let table_index = cx.with(|main| {
            let of = captured(main, sw_if_index)?;
            set(main, of, table_index, sort_masks)
        })?;
        Ok::<_, Retval>(classify_pcap_set_table_reply { table_index })
    });
    api.call(|cx, request: classify_trace_set_table| {
        let classify_trace_set_table { table_index, sort_masks } = request;
        let table_index = cx.with(|main| set(main, FilterUse::Trace, table_index, sort_masks))?;
        Ok::<_, Retval>(classify_trace_set_table_reply { table_index })
    });
    api.call(|cx, request: classify_pcap_get_tables| {
        let indices = cx.with(|main| {
            let of = captured(main, request.sw_if_index)?;
            Ok::<_, ApiError>(chain(main, of))
        })?;
        Ok::<_, ApiError>(classify_pcap_get_tables_reply { indices })
    });
    api.call(|cx, _: classify_trace_get_tables| {
        let indices = cx.with(|main| chain(main, FilterUse::Trace));
        Ok::<_, ApiError>(classify_trace_get_tables_reply { indices })
    });
}

/// Whose captures are meant: `local0` stands for those of all interfaces.
fn captured(main: &Main, sw_if_index: interface_index) -> Result<FilterUse, ApiError> {
    match SwIfIndex(sw_if_index) {
        SwIfIndex(0) => Ok(FilterUse::Pcap),
        interface if main.interfaces().interface(interface).is_some() => {
            Ok(FilterUse::Interface(interface))
        }
        _ => Err(ApiError::InvalidValue),
    }
}

/// The table of a filter that has this mask; none is no error.
fn lookup(
    main: &Main,
    of: FilterUse,
    (skip, matched): (u32, u32),
    bytes: &[u8],
) -> Result<u32, Retval> {
    if skip > MAX_SKIP {
        return Err(ApiError::InvalidValue.into());
    }
    let wanted = mask(skip, matched, bytes)?;
    let tables = main.classifier().filter_tables(main, of);
    let found = tables.into_iter().find(|(_, mask)| *mask == wanted);
    Ok(index(found.map(|(table, _)| table)))
}

/// Has a filter begin with a table, or end. The first table of the filter then.
fn set(main: &mut Main, of: FilterUse, first: u32, sort: bool) -> Result<u32, Retval> {
    let classifier = main.classifier().clone();
    let known = |table: &TableIndex| classifier.tables(main).get(*table).is_some();
    let first = table(first);
    if first.as_ref().is_some_and(|first| !known(first)) {
        return Err(ApiError::InvalidValue.into());
    }
    Ok(index(classifier.set_filter(main, of, first, sort)?))
}

fn chain(main: &Main, of: FilterUse) -> Vec<u32> {
    let tables = main.classifier().filter_tables(main, of);
    tables.into_iter().map(|(TableIndex(index), _)| index).collect()
}
