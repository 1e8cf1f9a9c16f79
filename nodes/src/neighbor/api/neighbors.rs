//! Neighbours: set, removed, replaced as a whole, told.

use std::{cell::RefCell, collections::BTreeSet, net::IpAddr, rc::Rc};

use vnet::{
    api::{Api, ApiCx, Part, Retval},
    command::ApiError,
    fib::{Family, FibError},
    interface::SwIfIndex,
    neighbor::{Learnt, Neighbor, NeighborFlags, NeighborKey},
    process::Bell,
    runtime::{EngineTime, Main},
};

use super::{
    ip_neighbor, ip_neighbor_add_del, ip_neighbor_add_del_reply, ip_neighbor_details,
    ip_neighbor_dump, ip_neighbor_flags, ip_neighbor_flush, ip_neighbor_replace_begin,
    ip_neighbor_replace_end,
};

/// Neighbours that are looked at before packets move.
const PART: usize = 256;

/// When a client began to replace all neighbours, and which it has set since.
type Replacing = Rc<RefCell<Option<(EngineTime, BTreeSet<NeighborKey>)>>>;

pub(super) fn register(api: &mut Api, ages: &[Bell; 2]) {
    let replacing = Replacing::default();
    let (of_begin, of_end, ages) = (replacing.clone(), replacing.clone(), ages.clone());
    api.call(move |cx, request: ip_neighbor_add_del| {
        let key = key(&request.neighbor)?;
        if !request.is_add {
            let NeighborKey { interface, address } = key;
            cx.with(|main| {
                check_interface(main, interface)?;
                Ok::<_, Retval>(main.forwarding_mut().delete_neighbor(interface, address)?)
            })?;
            return Ok(ip_neighbor_add_del_reply { stats_index: u32::MAX });
        }
        let adjacency = cx.with(|main| add(main, key, &request.neighbor))?;
        if let Some((_, kept)) = &mut *replacing.borrow_mut() {
            kept.insert(key);
        }
        ages.iter().for_each(Bell::ring);
        Ok::<_, Retval>(ip_neighbor_add_del_reply { stats_index: adjacency })
    });
    api.walk(|cx, request: &ip_neighbor_dump, after| cx.with(|main| part(main, request, after)));
    api.call(move |cx, _: ip_neighbor_replace_begin| {
        of_begin.replace(Some((cx.now(), BTreeSet::new())));
        Ok::<_, ApiError>(())
    });
    api.call_waiting(move |cx, _: ip_neighbor_replace_end| {
        let replacing = of_end.clone();
        async move {
            let stays = |key: &NeighborKey, neighbor: &Neighbor| match &*replacing.borrow() {
                Some((began, kept)) => neighbor.updated > *began || kept.contains(key),
                None => true,
            };
            for family in [Family::Ip4, Family::Ip6] {
                remove(&cx, family, stays).await?;
            }
            replacing.take();
            Ok::<_, Retval>(())
        }
    });
    api.call_waiting(|cx, request: ip_neighbor_flush| async move {
        let only = only(request.sw_if_index);
        if let Some(interface) = only {
            cx.with(|main| check_interface(main, interface))?;
        }
        let stays =
            |key: &NeighborKey, _: &Neighbor| only.is_some_and(|only| only != key.interface);
        remove(&cx, Family::try_from(request.af)?, stays).await
    });
}

fn only(sw_if_index: u32) -> Option<SwIfIndex> {
    Some(SwIfIndex(sw_if_index)).filter(|interface| *interface != SwIfIndex::NONE)
}

pub(super) fn check_interface(main: &Main, interface: SwIfIndex) -> Result<(), ApiError> {
    let found = main.interfaces().interface(interface);
    found.map(|_| ()).ok_or(ApiError::InvalidSwIfIndex)
}

fn key(neighbor: &ip_neighbor) -> Result<NeighborKey, ApiError> {
    let address = IpAddr::try_from(&neighbor.ip_address)?;
    Ok(NeighborKey { interface: SwIfIndex(neighbor.sw_if_index), address })
}

/// Sets a neighbour; gives the number of its adjacency.
fn add(main: &mut Main, key: NeighborKey, neighbor: &ip_neighbor) -> Result<u32, Retval> {
    let NeighborKey { interface, address } = key;
    let (now, mac) = (main.clock().now(), neighbor.mac_address);
    check_interface(main, interface)?;
    main.interfaces().output_tags(interface)?;
    let set = |flag| neighbor.flags.contains(flag);
    let mut flags = NeighborFlags::empty();
    flags.set(NeighborFlags::STATIC, set(ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_STATIC));
    flags.set(
        NeighborFlags::NO_FIB_ENTRY,
        set(ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY),
    );
    let forwarding = main.forwarding_mut();
    if flags.is_empty() {
        // As if it had been heard of: within the limit, and no static one is changed.
        if forwarding.learn_neighbor(interface, address, mac, now)? == Learnt::Full {
            return Err(ApiError::LimitExceeded.into());
        }
    } else {
        forwarding.set_neighbor(interface, address, mac, flags, now)?;
    }
    match forwarding.neighbor(interface, address) {
        Some(known) if known.mac == mac => Ok(known.adjacency.0),
        // A static one stays as it is.
        _ => Err(ApiError::EntryAlreadyExists.into()),
    }
}

/// A neighbour as clients are told of it.
pub(super) fn told(key: NeighborKey, neighbor: &Neighbor) -> ip_neighbor {
    let has = |flag| neighbor.flags.contains(flag);
    let flags = ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_STATIC.when(has(NeighborFlags::STATIC))
        | ip_neighbor_flags::IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY
            .when(has(NeighborFlags::NO_FIB_ENTRY));
    ip_neighbor {
        sw_if_index: key.interface.0,
        flags,
        mac_address: neighbor.mac,
        ip_address: key.address.into(),
    }
}

/// The next neighbours of a family.
fn next(main: &Main, family: Family, after: Option<NeighborKey>) -> Vec<(NeighborKey, Neighbor)> {
    let all = main.forwarding().neighbors_after(family, after);
    all.take(PART).map(|(key, neighbor)| (key, *neighbor)).collect()
}

fn part(
    main: &Main,
    request: &ip_neighbor_dump,
    after: Option<NeighborKey>,
) -> Part<ip_neighbor_details, NeighborKey> {
    let found =
        Family::try_from(request.af).map(|family| next(main, family, after)).unwrap_or_default();
    let (now, only) = (main.clock().now(), only(request.sw_if_index));
    let next = found.get(PART - 1).map(|(key, _)| *key);
    let chosen = found.iter().filter(|(key, _)| only.is_none_or(|only| only == key.interface));
    let details = |(key, neighbor): &(NeighborKey, Neighbor)| ip_neighbor_details {
        age: now.since(neighbor.updated).as_secs_f64(),
        neighbor: told(*key, neighbor),
    };
    Part { details: chosen.map(details).collect(), next }
}

/// Removes the neighbours of a family but those that stay; packets move between the parts.
async fn remove(
    cx: &ApiCx,
    family: Family,
    stays: impl Fn(&NeighborKey, &Neighbor) -> bool,
) -> Result<(), Retval> {
    let mut after = None;
    loop {
        after = cx.with(|main| {
            let found = next(main, family, after);
            for (key, _) in found.iter().filter(|(key, neighbor)| !stays(key, neighbor)) {
                main.forwarding_mut().delete_neighbor(key.interface, key.address)?;
            }
            Ok::<_, FibError>(found.last().map(|(key, _)| *key))
        })?;
        if after.is_none() {
            return Ok(());
        }
        cx.next_round().await;
    }
}
