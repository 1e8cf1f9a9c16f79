//! Tables: made, named, deleted, told.

use super::{
    family, ip_table, ip_table_add_del, ip_table_add_del_v2, ip_table_allocate,
    ip_table_allocate_reply, ip_table_details, ip_table_dump, replace::Replacing,
};
use crate::{
    api::{Api, ApiCx, Retval},
    command::ApiError,
    fib::{Family, FibError, FibIndex, Forwarding, TableId, deleted::swept},
};

pub(super) fn register(api: &mut Api, replacing: &Replacing) {
    let (of_first, of_second) = (replacing.clone(), replacing.clone());
    api.call_waiting(move |cx, request: ip_table_add_del| {
        let replacing = of_first.clone();
        async move { add_del(&cx, request.is_add, &request.table, &replacing).await }
    });
    // There are no multicast tables: whether one is wanted beside it makes no difference.
    api.call_waiting(move |cx, request: ip_table_add_del_v2| {
        let replacing = of_second.clone();
        async move { add_del(&cx, request.is_add, &request.table, &replacing).await }
    });
    api.call(|cx, request: ip_table_allocate| {
        cx.with(|main| {
            let forwarding = main.forwarding_mut();
            let mut table = request.table;
            if table.table_id == u32::MAX {
                table.table_id = unused(forwarding, family(table.is_ip6))?;
            }
            add(forwarding, &table)?;
            Ok::<_, Retval>(ip_table_allocate_reply { table })
        })
    });
    api.dump(|cx, _: ip_table_dump| {
        cx.with(|main| {
            let forwarding = main.forwarding();
            let of_family = |family| {
                let all = forwarding.tables(family).into_iter();
                all.map(move |(id, fib)| (family, id, fib))
            };
            let all = of_family(Family::Ip4).chain(of_family(Family::Ip6));
            let details = |(family, id, fib): (_, TableId, _)| ip_table_details {
                table: ip_table {
                    table_id: id.0,
                    is_ip6: family == Family::Ip6,
                    name: forwarding.table_name(family, fib).unwrap_or_default().into(),
                },
            };
            all.map(details).collect::<Vec<_>>()
        })
    });
}

/// A client adds a table as often as it likes, and deletes it once. The default table is always there.
async fn add_del(
    cx: &ApiCx,
    is_add: bool,
    table: &ip_table,
    replacing: &Replacing,
) -> Result<(), FibError> {
    if is_add {
        return cx.with(|main| add(main.forwarding_mut(), table));
    }
    cx.with(|main| delete(main.forwarding_mut(), table, replacing))?;
    swept(cx).await;
    Ok(())
}

fn delete(
    forwarding: &mut Forwarding,
    table: &ip_table,
    replacing: &Replacing,
) -> Result<(), FibError> {
    let (family, id) = (family(table.is_ip6), TableId(table.table_id));
    match forwarding.table(family, id) {
        Ok(FibIndex::DEFAULT) | Err(FibError::NoSuchTable(..)) => Ok(()),
        Ok(fib) => {
            forwarding.delete_table(family, id)?;
            replacing.end((family, fib));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn add(forwarding: &mut Forwarding, table: &ip_table) -> Result<(), FibError> {
    let (family, id) = (family(table.is_ip6), TableId(table.table_id));
    match forwarding.add_table(family, id) {
        Ok(fib) => forwarding.name_table(family, fib, table.name.as_str()),
        Err(FibError::TableExists(..)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The lowest number that no table has.
fn unused(forwarding: &Forwarding, family: Family) -> Result<u32, ApiError> {
    let taken = |id: &u32| forwarding.table(family, TableId(*id)).is_err();
    (1..u32::MAX).find(taken).ok_or(ApiError::Eagain)
}
