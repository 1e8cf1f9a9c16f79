//! Messages about the MAC table.

use std::vec;

use super::{
    call, l2_fib_clear_table, l2_fib_table_details, l2_fib_table_dump, l2fib_add_del,
    l2fib_flush_all, l2fib_flush_bd, l2fib_flush_int,
};
use crate::{
    api::{Api, Part, Retval},
    command::ApiError,
    interface::{SwIfIndex, api::known},
    l2::{BdId, EntryFlags, Flush, L2, MacKey},
    runtime::Main,
    wire::ethernet::MacAddress,
};

/// Details that are told at a time.
const PART: usize = 256;
/// All domains.
const ANY: u32 = u32::MAX;

pub(super) fn register(api: &mut Api, l2: &L2) {
    call(api, l2, |l2, main, request: l2fib_add_del| match request.is_add {
        true => add(l2, main, &request),
        false => delete(l2, main, &request),
    });
    call(api, l2, |l2, main, _: l2_fib_clear_table| {
        l2.clear_entries(main);
        Ok(())
    });
    call(api, l2, |l2, main, _: l2fib_flush_all| Ok(l2.flush(main, Flush::All)?));
    call(api, l2, |l2, main, request: l2fib_flush_bd| {
        Ok(l2.flush(main, Flush::Domain(BdId(request.bd_id)))?)
    });
    call(api, l2, |l2, main, request: l2fib_flush_int| {
        let interface = known(main, request.sw_if_index)?;
        Ok(l2.flush(main, Flush::Interface(interface))?)
    });
    let of = l2.clone();
    api.walk(move |cx, request: &l2_fib_table_dump, from| {
        cx.with(|main| dump(&of, main, request, from))
    });
}

fn add(l2: &L2, main: &mut Main, request: &l2fib_add_del) -> Result<(), Retval> {
    let id = BdId(request.bd_id);
    let index = l2.index(main, id)?;
    let lasting = EntryFlags::STATIC | EntryFlags::AGE_NOT;
    if request.filter_mac {
        let flags = lasting | EntryFlags::FILTER;
        return Ok(l2.add_entry(main, request.mac, id, None, flags)?);
    }
    let interface = known(main, request.sw_if_index)?;
    if l2.view(main).port(interface).domain() != Some(index) {
        return Err(ApiError::InvalidSwIfIndex.into());
    }
    let mut flags = EntryFlags::empty();
    flags.set(lasting, request.static_mac || request.bvi_mac);
    flags.set(EntryFlags::BVI, request.bvi_mac);
    Ok(l2.add_entry(main, request.mac, id, Some(interface), flags)?)
}

/// As in VPP an interface that is named has to be that of the entry; 0 is none.
fn delete(l2: &L2, main: &mut Main, request: &l2fib_add_del) -> Result<(), Retval> {
    let id = BdId(request.bd_id);
    let key = MacKey::new(l2.index(main, id)?, MacAddress(request.mac).into());
    let interface = SwIfIndex(request.sw_if_index);
    let known = l2.view(main).macs().find(key).map(|known| known.entry.port());
    if interface != SwIfIndex::LOCAL0 && known != Some(interface) {
        return Err(ApiError::NoSuchEntry.into());
    }
    Ok(l2.delete_entry(main, request.mac, id)?)
}

/// The addresses that were there when the client asked, as far as they still are.
fn dump(
    l2: &L2,
    main: &Main,
    request: &l2_fib_table_dump,
    from: Option<vec::IntoIter<MacKey>>,
) -> Part<l2_fib_table_details, vec::IntoIter<MacKey>> {
    let layer2 = l2.view(main);
    let index = l2.index(main, BdId(request.bd_id)).ok();
    if request.bd_id != ANY && index.is_none() {
        return Part { details: Vec::new(), next: None };
    }
    let mut keys = from.unwrap_or_else(|| {
        let all = layer2.entries().map(|(key, _)| key);
        let wanted = all.filter(|key| index.is_none_or(|index| key.domain() == index));
        wanted.collect::<Vec<_>>().into_iter()
    });
    let details = keys.by_ref().take(PART).filter_map(|key| details(l2, main, key)).collect();
    Part { details, next: Some(keys).filter(|keys| !keys.as_slice().is_empty()) }
}

fn details(l2: &L2, main: &Main, key: MacKey) -> Option<l2_fib_table_details> {
    let layer2 = l2.view(main);
    let entry = layer2.macs().find(key)?.entry;
    let domain = layer2.domain(key.domain()).filter(|_| layer2.holds(key.domain(), entry))?;
    let has = |flag| entry.flags().contains(flag);
    let filter_mac = has(EntryFlags::FILTER);
    Some(l2_fib_table_details {
        bd_id: domain.id.0,
        mac: key.mac(),
        sw_if_index: if filter_mac { SwIfIndex::NONE } else { entry.port() }.0,
        static_mac: has(EntryFlags::STATIC),
        filter_mac,
        bvi_mac: has(EntryFlags::BVI),
    })
}
